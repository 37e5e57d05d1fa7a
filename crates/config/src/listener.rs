//! `listen` of `[server]` and `[admin]`: addresses, or tables that say more of one.

use std::path::PathBuf;

use crate::error::{Code, Finding, Findings};
use crate::keys::SectionName;
use crate::plan::{Address, Certificate, ClientAuth, Listener, Peers, Tls};
use crate::section::{Given, Layer, Section, Strength, check_names};
use crate::tree::{Node, Origin, Table, Value};
use crate::value::{Choice, FileMode, Setting, Wrong, parts};

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
            tls: None,
            proxy_protocol: None,
        }
    }
}

fn no_effect<T>(message: &str, given: &Given<T>) -> Finding {
    Finding::warning(Code::NoEffect, message).about(given)
}

/// `tls` of a listener: nothing if it has none, and none in it if something is wrong.
fn certificates(
    section: &Section<'_>,
    findings: &mut Findings,
) -> Option<Option<Vec<Certificate>>> {
    let (node, key) = section.written("tls")?;
    let parts = parts(node);
    if parts.is_empty() {
        let none = Wrong::new(node, "there is none");
        findings.push(section.bad_value("tls", &key, none));
    }
    let mut read = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let key = match &node.value {
            Value::List(_) => format!("{key}.{}", index + 1),
            _ => key.clone(),
        };
        let Value::Table(table) = &part.value else {
            let found = format!("found {}", part.value.kind());
            findings.push(section.bad_value("tls", &key, Wrong::new(part, found)));
            continue;
        };
        read.extend(certificate(table, &key, &part.at, findings));
    }
    Some((!read.is_empty() && read.len() == parts.len()).then_some(read))
}

fn certificate(
    table: &Table,
    shown: &str,
    at: &Origin,
    findings: &mut Findings,
) -> Option<Certificate> {
    let section = own(SectionName::Certificate, table, shown, findings);
    for name in ["certificate", "key"] {
        if section.written(name).is_none() {
            findings.push(
                Finding::error(Code::Missing, format!("a certificate has no `{name}`"))
                    .at(at)
                    .key(format!("{shown}.{name}"))
                    .expected("both `certificate` and `key`, each a PEM file"),
            );
        }
    }
    let certificate: Option<Given<PathBuf>> = section.get("certificate", findings);
    let key: Option<Given<PathBuf>> = section.get("key", findings);
    Some(Certificate {
        certificate: certificate?.value,
        key: key?.value,
    })
}

/// A table as a section with nothing behind it.
fn own<'a>(
    name: SectionName,
    table: &'a Table,
    shown: &str,
    findings: &mut Findings,
) -> Section<'a> {
    let layer = Layer {
        table,
        shown: shown.to_owned(),
        strength: Strength::Own,
    };
    check_names(name, &layer, findings);
    Section {
        name,
        layers: vec![layer],
    }
}

/// A listener's table as written.
struct Written<'a> {
    section: Section<'a>,
    address: Option<Given<Address>>,
    mode: Option<Given<FileMode>>,
    /// Whether it has the key, and what came of it.
    tls: Option<Option<Vec<Certificate>>>,
    client_ca: Option<Given<PathBuf>>,
    client_auth: Option<Given<Choice<ClientAuth>>>,
    proxy_protocol: Option<Given<Peers>>,
}

impl<'a> Written<'a> {
    fn read(table: &'a Table, shown: &str, findings: &mut Findings) -> Self {
        let section = own(SectionName::Listener, table, shown, findings);
        Self {
            address: section.get("address", findings),
            mode: section.get("mode", findings),
            tls: certificates(&section, findings),
            client_ca: section.get("client_ca", findings),
            client_auth: section.get("client_auth", findings),
            proxy_protocol: section.get("proxy_protocol", findings),
            section,
        }
    }

    fn resolve(self, shown: &str, at: &Origin, findings: &mut Findings) -> Option<Listener> {
        self.check(findings);
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
        let tls = match self.tls {
            // What is wrong has been said; plain text is never what was meant.
            Some(None) => return None,
            Some(Some(certificates)) => Some(Tls {
                certificates,
                client_ca: self.client_ca.map(|given| given.value),
                client_auth: self
                    .client_auth
                    .map_or(ClientAuth::Required, |given| given.value.0),
            }),
            None => None,
        };
        Some(Listener {
            mode: self.mode.map_or(MODE, |given| given.value.0),
            tls,
            proxy_protocol: self.proxy_protocol.map(|given| given.value),
            address: address.value,
        })
    }

    /// Reports keys that nothing reads because of another one.
    fn check(&self, findings: &mut Findings) {
        let unix = |given: &Given<Address>| matches!(given.value, Address::Unix(_));
        if let Some(mode) = &self.mode
            && self.address.as_ref().is_some_and(|given| !unix(given))
        {
            let message = "`mode` says nothing: only the file of a Unix socket has permissions";
            findings.push(no_effect(message, mode));
        }
        if let Some(ca) = &self.client_ca
            && self.tls.is_none()
        {
            let message = "`client_ca` says nothing: the listener has no `tls`";
            findings.push(no_effect(message, ca));
        }
        if let Some(auth) = &self.client_auth
            && self.client_ca.is_none()
        {
            let message = "`client_auth` says nothing: there is no `client_ca`";
            findings.push(no_effect(message, auth));
        }
    }
}
