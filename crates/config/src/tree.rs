//! A config as a tree of values, each of which knows its place.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Document;

/// Where something was said: a stretch of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, variable or flag.
    pub(crate) document: Arc<Document>,
    /// The bytes of it.
    pub(crate) span: Range<usize>,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Its place.
    pub(crate) at: Origin,
}

/// A value as written.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string of the file, or whatever a variable or flag holds.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// `true` or `false`.
    Boolean(bool),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// Something no key takes: its name in TOML.
    Other(&'static str),
    /// Something that has been reported already and says nothing more.
    Broken,
}

/// The entries of a table in the order of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// The entries.
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) name: String,
    /// The key's place.
    pub(crate) at: Origin,
    /// The value.
    pub(crate) node: Node,
}

impl Value {
    /// With its article, as in "found an integer".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
            Self::Broken => "nothing",
        }
    }
}

impl Table {
    /// The value of a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| &entry.node)
    }

    /// Sets the value at a path, making tables on the way and replacing what is there.
    pub(crate) fn set(&mut self, path: &[&str], node: Node) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let place = match self.entries.iter().position(|entry| entry.name == *first) {
            Some(place) => place,
            None => {
                let empty = Node {
                    value: Value::Table(Self::default()),
                    at: node.at.clone(),
                };
                let at = node.at.clone();
                self.entries.push(Entry {
                    name: (*first).to_owned(),
                    at,
                    node: empty,
                });
                self.entries.len() - 1
            }
        };
        let entry = &mut self.entries[place];
        if rest.is_empty() {
            entry.node = node;
        } else if let Value::Table(table) = &mut entry.node.value {
            table.set(rest, node);
        }
    }
}
