//! Keeps secrets out of what is quoted. A line with a mistake is shown as it was written, and such
//! lines end up in logs of deployments and in questions to others.
//!
//! Works on text, not on values: a file that is not TOML is quoted too. A masked byte is one byte, so
//! that places stay.

use std::ops::Range;

use super::{Document, DocumentKind};

/// What a signing key begins with, which says what it is and gives nothing away.
const PREFIXES: [&str; 2] = ["whsec_", "whsk_"];
/// The key with secrets as its values.
const SECRET_KEY: &str = "keys";

/// A text with its secrets masked: `None` if it has none.
pub(super) fn masked(document: &Document) -> Option<String> {
    let text = &*document.text;
    let secrets = match document.kind {
        DocumentKind::Environment if is_secret(&document.name) => {
            // What a variable says is not needed to correct its name.
            std::iter::once(document.name.len() + 1..text.len()).collect()
        }
        _ => secrets(text),
    };
    (!secrets.is_empty()).then(|| hide(text, secrets))
}

/// Whether a variable is for signing keys, or may have been meant to be.
fn is_secret(variable: &str) -> bool {
    ["KEY", "SECRET", "TOKEN", "PASSWORD", "WEBHOOK"]
        .iter()
        .any(|part| variable.contains(part))
}

fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut secrets = prefixed(text);
    secrets.extend(values(text));
    secrets.extend(passwords(text));
    secrets
}

/// Masks these ranges, which may overlap.
fn hide(text: &str, mut secrets: Vec<Range<usize>>) -> String {
    secrets.sort_by_key(|secret| secret.start);
    let mut secrets = secrets.into_iter().peekable();
    let mut until = 0;
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        while let Some(secret) = secrets.next_if(|secret| secret.start <= at) {
            until = until.max(secret.end);
        }
        match at < until && !c.is_control() {
            true => (0..c.len_utf8()).for_each(|_| out.push('*')),
            false => out.push(c),
        }
    }
    out
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_')
}

/// Signing keys wherever they stand, without their prefixes.
fn prefixed(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    for prefix in PREFIXES {
        let mut seen = 0;
        for (at, _) in text.match_indices(prefix) {
            let from = at + prefix.len();
            if from < seen {
                continue;
            }
            let rest = text.get(from..).unwrap_or_default();
            seen = from + rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
            secrets.push(from..seen);
        }
    }
    secrets
}

/// Whatever stands behind `keys =`, to the end of the array or of the line. A reference to a
/// variable (`${NAME}`) is none.
fn values(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut seen = 0;
    for (at, _) in text.match_indices(SECRET_KEY) {
        // Each byte is looked at once, however often the name stands there.
        if at < seen {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let rest = text.get(at + SECRET_KEY.len()..).unwrap_or_default();
        let bare = rest
            .trim_start_matches(['"', '\''])
            .trim_start_matches([' ', '\t']);
        if before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
            continue;
        }
        let Some(value) = bare.strip_prefix('=') else {
            continue;
        };
        let from = text.len() - value.len();
        let closing = match value.trim_start_matches([' ', '\t']).starts_with('[') {
            true => value.find(']'),
            false => value.find(['\n', '\r']),
        };
        let value = value.get(..closing.unwrap_or(value.len())).unwrap_or(value);
        seen = from + value.len();
        secrets.extend(words(value).map(|word| from + word.start..from + word.end));
    }
    secrets
}

/// Runs of what a key is made of, but for a prefix and for names of variables.
fn words(value: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = value.get(at..)?;
            let skipped = rest.find(is_base64)?;
            let from = at + skipped;
            let rest = value.get(from..)?;
            let to = from + rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
            at = to;
            let named = value
                .get(..from)
                .is_some_and(|before| before.ends_with("${"));
            let prefix = PREFIXES.iter().find(|prefix| rest.starts_with(*prefix));
            if !named && prefix.is_none() {
                return Some(from..to);
            }
        }
    })
}

/// Name and password in URLs.
fn passwords(text: &str) -> Vec<Range<usize>> {
    let found = text.match_indices("://").filter_map(|(at, mark)| {
        let from = at + mark.len();
        let rest = text.get(from..)?;
        let ends = |c: char| matches!(c, '/' | '"' | '\'' | '?' | '#') || c.is_whitespace();
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        Some(from..from + authority.rfind('@')?)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    //! What is hidden, and what stays to be read.

    use super::{Document, DocumentKind, masked};
    use crate::keys::{KEYS, Key, Kind};
    use crate::source::variable;

    fn said(kind: DocumentKind, name: &str, text: &str) -> String {
        let document = Document {
            kind,
            name: name.to_owned(),
            text: text.to_owned(),
        };
        masked(&document).unwrap_or(document.text)
    }

    fn shown(text: &str) -> String {
        said(DocumentKind::File, "raincheck.toml", text)
    }

    #[test]
    fn a_text_of_nothing_but_names_is_shown_as_long_as_it_is() {
        for text in ["keys=[", "whsec_", "keys", "://", "keys=\"whsk_"] {
            let text = text.repeat(10_000);
            assert_eq!(shown(&text).len(), text.len());
        }
    }

    #[test]
    fn every_key_with_secrets_is_known_here() {
        let secret = |key: &&Key| matches!(key.kind, Kind::SigningKeys);
        for key in KEYS.iter().filter(secret) {
            let expected = format!("{} = \"****\"", key.name);
            assert_eq!(shown(&format!("{} = \"C2FV\"", key.name)), expected);
            let variable = variable(&[key.section.as_str(), key.name]);
            let text = said(
                DocumentKind::Environment,
                &variable,
                &format!("{variable}=C2FV"),
            );
            assert_eq!(text, format!("{variable}=****"));
        }
        assert_eq!(KEYS.iter().filter(secret).count(), 1);
    }

    #[test]
    fn variables_of_secrets_show_their_names() {
        for (name, hidden) in [
            ("RAINCHECK_WEBHOOKS_KEYS", true),
            ("RAINCHECK_WEBHOOK_KEY", true),
            ("RAINCHECK_HOLD", false),
        ] {
            let text = said(DocumentKind::Environment, name, &format!("{name}=1 ü"));
            let value = if hidden { "****" } else { "1 ü" };
            assert_eq!(text, format!("{name}={value}"));
        }
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for (text, expected) in [
            ("keys = \"whsec_C2FV\"", "keys = \"whsec_****\""),
            (
                "keys = [\"whsk_a+/=\", 'C2FV']",
                "keys = [\"whsk_****\", '****']",
            ),
            (
                "keys=[\n  \"C2FV\", # mine\n  \"b\"\n]\nhold",
                "keys=[\n  \"****\", # ****\n  \"*\"\n]\nhold",
            ),
            ("\"keys\" = C2FV", "\"keys\" = ****"),
            (
                "webhooks = { keys = [C2FV], ports = 1 }",
                "webhooks = { keys = [****], ports = 1 }",
            ),
            ("kyes = \"whsec_C2FV\"", "kyes = \"whsec_****\""),
            (
                "proxy = \"http://me:word@host:1\"",
                "proxy = \"http://*******@host:1\"",
            ),
            ("http://a:b@c@d/x@y", "http://*****@d/x@y"),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(shown(text).len(), text.len());
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "keys = [\"${WEBHOOK_KEY}\"]",
            "monkeys = \"C2FV\"",
            "keys",
            "upstream = \"http://127.0.0.1:9000/a@b\"",
            "key = \"site.key\"",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
