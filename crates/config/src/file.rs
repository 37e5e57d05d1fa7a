//! The file: TOML as a tree, with `${NAME}` in strings replaced from the environment.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Code, Document, Finding, Findings};
use crate::keys;
use crate::tree::{Entry, Node, Origin, Table, Value};

/// The tables of a file. What is not TOML is reported; the rest of the file is still read.
pub(crate) fn parse(
    document: &Arc<Document>,
    variables: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Table {
    let (root, errors) = DeTable::parse_recoverable(&document.text);
    for error in errors {
        let origin = origin(document, error.span().unwrap_or(0..0));
        let message = format!("not TOML: {}", error.message());
        findings.push(Finding::error(Code::Syntax, message).at(&origin));
    }
    Reader {
        document,
        variables,
        findings,
    }
    .table(root.get_ref(), "")
}

fn origin(document: &Arc<Document>, span: Range<usize>) -> Origin {
    Origin {
        document: Arc::clone(document),
        span,
    }
}

struct Reader<'a> {
    document: &'a Arc<Document>,
    variables: &'a BTreeMap<String, String>,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Table {
        let mut entries: Vec<Entry> = Vec::new();
        for (key, value) in table.iter() {
            let name = key.get_ref().to_string();
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let at = origin(self.document, key.span());
            entries.push(Entry {
                name,
                at,
                node: self.node(value, &path),
            });
        }
        entries.sort_by_key(|entry| entry.at.span.start);
        Table { entries }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Node {
        let at = origin(self.document, value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => self
                .substitute(text, &at, path)
                .map_or(Value::Broken, Value::Text),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("an integer out of range"), Value::Integer),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Array(list) => {
                Value::List(list.iter().map(|part| self.node(part, path)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, path)),
            DeValue::Float(_) => Value::Other("a float"),
            DeValue::Datetime(_) => Value::Other("a date or time"),
        };
        Node { value, at }
    }

    /// Replaces `${NAME}` and `${NAME:-otherwise}`; `$${` stands for `${` itself.
    /// None if that cannot be done, which is then reported.
    fn substitute(&mut self, text: &str, at: &Origin, path: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut whole = true;
        while let Some(dollar) = rest.find("${") {
            let (before, after) = rest.split_at(dollar);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &after[2..];
                continue;
            }
            out.push_str(before);
            let Some(end) = after.find('}') else {
                self.complain("`${` is not closed", at, path, None);
                return None;
            };
            whole &= self.variable(&after[2..end], &mut out, at, path);
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        whole.then_some(out)
    }

    /// Whether there is such a variable.
    fn variable(&mut self, inner: &str, out: &mut String, at: &Origin, path: &str) -> bool {
        let (name, otherwise) = match inner.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inner, None),
        };
        let value = match (self.variables.get(name), otherwise) {
            (Some(value), None) => value,
            (Some(value), Some(_)) if !value.is_empty() => value,
            (_, Some(otherwise)) => otherwise,
            (None, None) => {
                let near = keys::nearest(name, self.variables.keys().map(String::as_str));
                let message = format!("the environment has no variable `{name}`");
                self.complain(&message, at, path, near.map(str::to_owned));
                return false;
            }
        };
        out.push_str(value);
        true
    }

    fn complain(&mut self, message: &str, at: &Origin, path: &str, near: Option<String>) {
        self.findings.push(
            Finding::error(Code::MissingVariable, message)
                .at(at)
                .key(path)
                .nearest(near.as_deref())
                .help("write ${NAME:-otherwise} for a value of its own, $${ for a plain ${"),
        );
    }
}
