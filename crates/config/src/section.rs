//! Reading a table key by key, with what stands behind it: overrides before a route's own keys
//! before `[defaults]`. Everything wrong is collected, nothing stops the reading.

use crate::error::{Code, Finding, Findings};
use crate::keys::{self, Kind, SectionName};
use crate::tree::{Entry, Node, Origin, Table, Value};
use crate::value::{Setting, Wrong};

/// Who gave a value, from strong to weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// A flag or variable, for all routes.
    Override,
    /// The table itself.
    Own,
    /// `[defaults]`.
    Defaults,
}

/// A table as one of several that are asked for a key.
#[derive(Debug, Clone)]
pub(crate) struct Layer<'a> {
    /// The table.
    pub(crate) table: &'a Table,
    /// How its keys are called in messages, as in `route.render`.
    pub(crate) shown: String,
    /// How strong it is.
    pub(crate) strength: Strength,
}

/// A section of a config as layers, the strongest first.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    pub(crate) name: SectionName,
    pub(crate) layers: Vec<Layer<'a>>,
}

/// A value somebody gave.
#[derive(Debug, Clone)]
pub(crate) struct Given<T> {
    /// The value.
    pub(crate) value: T,
    /// Its place.
    pub(crate) at: Origin,
    /// Its key in messages.
    pub(crate) key: String,
    /// Who gave it.
    pub(crate) strength: Strength,
}

impl<'a> Section<'a> {
    /// A section of the file's top with nothing behind it.
    pub(crate) fn top(name: SectionName, root: &'a Table, findings: &mut Findings) -> Self {
        let mut layers = Vec::new();
        if let Some(table) = top_table(root, name.as_str(), findings) {
            let layer = Layer {
                table,
                shown: name.as_str().into(),
                strength: Strength::Own,
            };
            check_names(name, &layer, findings);
            layers.push(layer);
        }
        Self { name, layers }
    }

    /// The strongest value of a key. One that cannot be read is reported, also where a stronger one
    /// hides it; if it is the strongest, the key counts as not given.
    pub(crate) fn get<T: Setting>(&self, name: &str, findings: &mut Findings) -> Option<Given<T>> {
        let mut strongest = None;
        for layer in &self.layers {
            let Some(node) = layer.table.get(name) else {
                continue;
            };
            let key = format!("{}.{name}", layer.shown);
            let given = match T::read(node) {
                Ok(value) => Some(Given {
                    value,
                    at: node.at.clone(),
                    key,
                    strength: layer.strength,
                }),
                Err(wrongs) => {
                    for wrong in wrongs {
                        findings.push(self.bad_value(name, &key, wrong));
                    }
                    None
                }
            };
            strongest.get_or_insert(given);
        }
        strongest.flatten()
    }

    /// What was written for a key by the strongest layer that has it, and the key in messages.
    pub(crate) fn written(&self, name: &str) -> Option<(&'a Node, String)> {
        self.layers.iter().find_map(|layer| {
            let node = layer.table.get(name)?;
            Some((node, format!("{}.{name}", layer.shown)))
        })
    }

    /// What is wrong with a value of one of its keys.
    pub(crate) fn bad_value(&self, name: &str, path: &str, wrong: Wrong) -> Finding {
        let kind = self.name.key(name).map(|key| key.kind);
        let words = kind.map_or(&[][..], Kind::words);
        let near = wrong
            .word
            .and_then(|word| keys::nearest(&word, words.iter().copied()));
        let message = format!("bad value for `{name}`: {}", wrong.reason);
        let mut finding = Finding::error(wrong.code, message)
            .at(&wrong.at)
            .key(path)
            .nearest(near);
        if let Some(kind) = kind {
            finding = finding.expected(kind.expecting());
        }
        match wrong.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }

    /// Where the strongest value of a key stands.
    pub(crate) fn place(&self, name: &str) -> Option<Origin> {
        let mut nodes = self.layers.iter().filter_map(|layer| layer.table.get(name));
        nodes.next().map(|node| node.at.clone())
    }

    /// The tables a key holds in each layer, as a section of their own.
    pub(crate) fn inner(&self, inner: SectionName, findings: &mut Findings) -> Section<'a> {
        let name = inner.as_str();
        let mut layers = Vec::new();
        for layer in &self.layers {
            let Some(node) = layer.table.get(name) else {
                continue;
            };
            let shown = format!("{}.{name}", layer.shown);
            if let Value::Table(table) = &node.value {
                let layer = Layer {
                    table,
                    shown,
                    strength: layer.strength,
                };
                check_names(inner, &layer, findings);
                layers.push(layer);
            } else {
                let message = format!("bad value for `{name}`: found {}", node.value.kind());
                let mut finding = Finding::error(Code::BadValue, message)
                    .at(&node.at)
                    .key(shown);
                if let Some(key) = self.name.key(name) {
                    finding = finding.expected(key.kind.expecting());
                }
                findings.push(finding);
            }
        }
        Section {
            name: inner,
            layers,
        }
    }
}

/// The table `[name]`, if it is there and is one.
pub(crate) fn top_table<'a>(
    root: &'a Table,
    name: &str,
    findings: &mut Findings,
) -> Option<&'a Table> {
    let node = root.get(name)?;
    if let Value::Table(table) = &node.value {
        return Some(table);
    }
    findings.push(
        Finding::error(
            Code::BadValue,
            format!("`{name}` is a section: found {}", node.value.kind()),
        )
        .at(&node.at)
        .key(name)
        .expected(format!("a table [{name}]")),
    );
    None
}

/// The tables of `[[name]]`. Anything else in their place is reported.
pub(crate) fn table_list<'a>(root: &'a Table, name: &str, findings: &mut Findings) -> &'a [Node] {
    let Some(node) = root.get(name) else {
        return &[];
    };
    let wrong = |node: &Node| {
        let found = node.value.kind();
        Finding::error(
            Code::BadValue,
            format!("`{name}` is a list of tables: found {found}"),
        )
        .at(&node.at)
        .key(name)
        .expected(format!("[[{name}]], once for each {name}"))
    };
    let Value::List(list) = &node.value else {
        findings.push(wrong(node));
        return &[];
    };
    for part in list {
        if !matches!(part.value, Value::Table(_)) {
            findings.push(wrong(part));
        }
    }
    list
}

/// Reports the keys of a table that its section does not have.
pub(crate) fn check_names(section: SectionName, layer: &Layer<'_>, findings: &mut Findings) {
    let defaults = section == SectionName::Route && layer.strength == Strength::Defaults;
    for entry in &layer.table.entries {
        let name = &*entry.name;
        let misplaced = defaults && keys::OWN.contains(&name);
        if section.key(name).is_some() && !misplaced {
            continue;
        }
        let path = format!("{}.{name}", layer.shown);
        findings.push(if keys::unsupported(section, name) {
            Finding::error(
                Code::Unsupported,
                format!("`{name}` is not supported by this version"),
            )
            .at(&entry.at)
            .key(path)
        } else if misplaced {
            Finding::error(
                Code::UnknownKey,
                format!("`{name}` cannot be common to all routes"),
            )
            .at(&entry.at)
            .key(path)
            .help("write it in each [[route]]")
        } else {
            let known: Vec<&str> = section.keys().map(|key| key.name).collect();
            unknown_key(entry, path, &known, Some(section))
        });
    }
}

/// Reports what stands at the top of the file and is not a section.
pub(crate) fn check_top(root: &Table, findings: &mut Findings) {
    for entry in &root.entries {
        if !keys::TOP.contains(&&*entry.name) {
            findings.push(unknown_key(entry, entry.name.clone(), &keys::TOP, None));
        }
    }
}

fn unknown_key(
    entry: &Entry,
    path: String,
    known: &[&str],
    section: Option<SectionName>,
) -> Finding {
    let finding = Finding::error(Code::UnknownKey, format!("unknown key `{}`", entry.name))
        .at(&entry.at)
        .key(path)
        .expected(format!("one of {}", known.join(", ")))
        .nearest(keys::nearest(&entry.name, known.iter().copied()));
    let home = SectionName::ALL
        .into_iter()
        .find(|other| Some(*other) != section && other.key(&entry.name).is_some());
    match home {
        Some(SectionName::Route) => finding.help("this is a key of [[route]] and [defaults]"),
        Some(SectionName::Certificate) => finding.help("this is a key of a table in `tls`"),
        Some(SectionName::Listener) => {
            finding.help("this is a key of a table in `listen`, as in [[server.listen]]")
        }
        Some(SectionName::Callback) => finding.help("this is a key of `callback` in a [[route]]"),
        Some(SectionName::Retry) => finding.help("this is a key of `retry` in a [[route]]"),
        Some(SectionName::Upstream) => finding.help("this is a key of [[upstream]]"),
        Some(home @ (SectionName::Eject | SectionName::Health)) => {
            let name = home.as_str();
            finding.help(format!("this is a key of `{name}` in an [[upstream]]"))
        }
        Some(home) if home.is_optional() => finding.help(format!(
            "this is a key of `{}` in a [[route]]",
            home.as_str()
        )),
        Some(home) => finding.help(format!("this is a key of [{}]", home.as_str())),
        None => finding,
    }
}
