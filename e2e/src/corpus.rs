//! Raw requests on which two servers could disagree, read from the text files in `e2e/corpus`.

use std::path::{Path, PathBuf};

use crate::bound::Must;

/// What raincheck is to make of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These requests pass, in this order.
    Passes(Vec<String>),
    /// These pass; then one is refused with this status and code.
    Refused(Vec<String>, u16, String),
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is.
    pub name: String,
    /// Which rule it tests.
    pub rule: String,
    /// What raincheck is to make of it.
    pub ours: Verdict,
    /// A word that must not reach a backend.
    pub hides: Option<String>,
    /// Whether it passes raincheck and may be refused by the backend, with an answer of its own.
    pub may_be_refused: bool,
    /// What is sent, with escapes resolved.
    pub bytes: Vec<u8>,
    /// The lines as written.
    pub lines: Vec<String>,
}

/// What stands for the number of a case in its bytes.
pub const MARK: &str = "/case/";

/// The request behind every case.
pub const SENTINEL: &str = "GET /case/sentinel HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

impl Case {
    /// The bytes to send, with the sentinel, as case number `number`.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.extend_from_slice(SENTINEL.as_bytes());
        replace(&bytes, MARK.as_bytes(), mark(number).as_bytes())
    }

    /// The targets that a backend may see as whole requests.
    #[must_use]
    pub fn targets(&self, number: usize) -> Vec<String> {
        let mark = mark(number);
        let (Verdict::Passes(names) | Verdict::Refused(names, _, _)) = &self.ours;
        let mut targets: Vec<_> = names.iter().map(|name| format!("{mark}{name}")).collect();
        if let Verdict::Passes(_) = self.ours {
            targets.push(format!("{mark}sentinel"));
        }
        targets
    }
}

/// What stands in the place of [`MARK`]: as long as it, so that lengths still hold.
#[must_use]
pub fn mark(number: usize) -> String {
    format!("/{number:04}/")
}

/// The number in a target that a backend has seen, and the rest of it.
#[must_use]
pub fn unmark(target: &str) -> Option<(usize, &str)> {
    let (number, rest) = target.strip_prefix('/')?.split_once('/')?;
    Some((number.parse().ok()?, rest))
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths in cases must still hold");
    let mut out = bytes.to_vec();
    let at = |out: &[u8], from_at: usize| {
        let rest = out.get(from_at..)?;
        let found = rest.windows(from.len()).position(|window| window == from);
        found.map(|found| from_at + found)
    };
    let mut next = 0;
    while let Some(found) = at(&out, next) {
        out[found..found + to.len()].copy_from_slice(to);
        next = found + to.len();
    }
    out
}

/// All cases of bytes, by file.
#[must_use]
pub fn all() -> Vec<Case> {
    ["framing", "chunks", "lines", "host", "fields"]
        .iter()
        .flat_map(|name| read(&dir().join(format!("{name}.txt"))))
        .collect()
}

/// Where the corpus is.
#[must_use]
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The cases of one file.
fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).must(&format!("{}", path.display()));
    let mut cases = text.split("\n## ").skip(1);
    let cases: Vec<_> = cases.by_ref().map(case).collect();
    assert!(!cases.is_empty(), "{} has no case", path.display());
    cases
}

/// Lines with this prefix, without it.
pub(crate) fn lines<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.strip_prefix(prefix))
}

fn case(text: &str) -> Case {
    let name = text.lines().next().must("a name").to_owned();
    let key = |prefix| lines(text, prefix).next().map(str::to_owned);
    let lines: Vec<String> = lines(text, "| ").map(str::to_owned).collect();
    Case {
        rule: key("rule: ").must(&format!("the rule of {name:?}")),
        ours: verdict(&key("ours: ").must(&format!("the verdict of {name:?}"))),
        hides: key("hides: "),
        may_be_refused: key("backends: ").as_deref() == Some("may refuse"),
        bytes: lines.iter().flat_map(|line| bytes(line)).collect(),
        lines,
        name,
    }
}

fn verdict(text: &str) -> Verdict {
    let names = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    if let Some(rest) = text.strip_prefix("passes ") {
        return Verdict::Passes(names(rest));
    }
    let (refusal, before) = text.split_once(" after ").unwrap_or((text, ""));
    let (status, code) = refusal.split_once(' ').must("a status and a code");
    Verdict::Refused(names(before), status.parse().must("a status"), code.into())
}

/// The bytes that a line stands for.
pub(crate) fn bytes(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        rest = match next {
            '\\' => escape(&rest[1..], &mut out),
            '{' => repeated(&rest[1..], &mut out).unwrap_or_else(|| {
                out.push(b'{');
                &rest[1..]
            }),
            _ => {
                let (plain, after) = rest.split_at(next.len_utf8());
                out.extend_from_slice(plain.as_bytes());
                after
            }
        };
    }
    out
}

fn escape<'a>(rest: &'a str, out: &mut Vec<u8>) -> &'a str {
    let (byte, len) = match rest.as_bytes().first() {
        Some(b'r') => (b'\r', 1),
        Some(b'n') => (b'\n', 1),
        Some(b't') => (b'\t', 1),
        Some(b'0') => (0, 1),
        Some(b'\\') => (b'\\', 1),
        Some(b'x') => (u8::from_str_radix(&rest[1..3], 16).must("two digits"), 3),
        other => panic!("an unknown escape: {other:?}"),
    };
    out.push(byte);
    &rest[len..]
}

/// `x*N}`: x, N times.
fn repeated<'a>(rest: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let (inside, after) = rest.split_once('}')?;
    let (what, times) = inside.rsplit_once('*')?;
    out.extend_from_slice(&bytes(what).repeat(times.parse().ok()?));
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_the_escapes_say() {
        assert_eq!(
            bytes(r"a\r\n\t\0\x7f\\{b\r*2}{c}"),
            b"a\r\n\t\0\x7f\\b\rb\r{c}"
        );
    }

    #[test]
    fn numbers_take_the_place_of_the_mark() {
        let case = case("n\nrule: r\nours: passes a\n| GET /case/a HTTP/1.1\\r\\n\\r\\n");
        let sent = String::from_utf8(case.numbered(7)).must("text");
        assert!(sent.starts_with("GET /0007/a HTTP/1.1\r\n\r\nGET /0007/sentinel "));
        assert_eq!(case.targets(7), ["/0007/a", "/0007/sentinel"]);
        assert_eq!(unmark("/0007/a"), Some((7, "a")));
    }
}
