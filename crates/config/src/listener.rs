//! `listen` of `[server]` and `[admin]`: addresses, or tables that say more of one.

use crate::error::{Code, Finding, Findings};
use crate::keys::SectionName;
use crate::plan::{Address, Listener};
use crate::section::{Given, Layer, Section, Strength, check_names};
use crate::tree::{Node, Origin, Table, Value};
use crate::value::{FileMode, Setting, Wrong, parts};

/// The permissions of a Unix socket's file: those of the group may connect.
const MODE: u32 = 0o660;

/// `server.listen`.
pub(crate) fn several(
    section: &Section<'_>,
    findings: &mut Findings,
) -> Option<Given<Vec<Listener>>> {
    let (node, key) = section.written("listen")?;
    let parts = parts(node);
    if parts.is_empty() {
        let none = Wrong::new(node, "there is none");
        findings.push(section.bad_value("listen", &key, none));
    }
    let mut read = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let key = match &node.value {
            Value::List(_) => format!("{key}.{}", index + 1),
            _ => key.clone(),
        };
        read.extend(one(section, part, &key, findings));
    }
    (!read.is_empty() && read.len() == parts.len()).then(|| given(read, node, key))
}

/// `admin.listen`: one, or off.
pub(crate) fn one_or_off(
    section: &Section<'_>,
    findings: &mut Findings,
) -> Option<Given<Option<Listener>>> {
    let (node, key) = section.written("listen")?;
    if matches!(&node.value, Value::Text(text) if text == "off") {
        return Some(given(None, node, key));
    }
    let listener = one(section, node, &key, findings)?;
    Some(given(Some(listener), node, key))
}

fn given<T>(value: T, node: &Node, key: String) -> Given<T> {
    Given {
        value,
        at: node.at.clone(),
        key,
        strength: Strength::Own,
    }
}

/// A listener; none if something is wrong with it, which is reported.
fn one(section: &Section<'_>, node: &Node, key: &str, findings: &mut Findings) -> Option<Listener> {
    if let Value::Table(table) = &node.value {
        return Written::read(table, key, findings).resolve(key, &node.at, findings);
    }
    match Address::read(node) {
        Ok(address) => Some(Listener::at(address)),
        Err(wrongs) => {
            for wrong in wrongs {
                findings.push(section.bad_value("listen", key, wrong));
            }
            None
        }
    }
}

impl Listener {
    /// One of which nothing but its place is said.
    pub(crate) fn at(address: Address) -> Self {
        Self {
            address,
            mode: MODE,
        }
    }
}

/// A listener's table as written.
struct Written<'a> {
    section: Section<'a>,
    address: Option<Given<Address>>,
    mode: Option<Given<FileMode>>,
}

impl<'a> Written<'a> {
    fn read(table: &'a Table, shown: &str, findings: &mut Findings) -> Self {
        let layer = Layer {
            table,
            shown: shown.to_owned(),
            strength: Strength::Own,
        };
        check_names(SectionName::Listener, &layer, findings);
        let section = Section {
            name: SectionName::Listener,
            layers: vec![layer],
        };
        Self {
            address: section.get("address", findings),
            mode: section.get("mode", findings),
            section,
        }
    }

    fn resolve(self, shown: &str, at: &Origin, findings: &mut Findings) -> Option<Listener> {
        let Some(address) = self.address else {
            if self.section.written("address").is_none() {
                findings.push(
                    Finding::error(Code::Missing, "a listener has no `address`")
                        .at(at)
                        .key(format!("{shown}.address"))
                        .expected("`address`: where it listens, as in \"0.0.0.0:8443\""),
                );
            }
            return None;
        };
        if let Some(mode) = &self.mode
            && !matches!(address.value, Address::Unix(_))
        {
            let message = "`mode` says nothing: only the file of a Unix socket has permissions";
            findings.push(
                Finding::warning(Code::NoEffect, message)
                    .at(&mode.at)
                    .key(&mode.key),
            );
        }
        let mode = self.mode.map_or(MODE, |given| given.value.0);
        Some(Listener {
            mode,
            ..Listener::at(address.value)
        })
    }
}
