//! Who may say something besides the file: variables over it, and flags over both.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Code, Document, DocumentKind, Finding, Findings};
use crate::keys::{self, KEYS, Kind, SectionName};
use crate::tree::{Node, Origin, Table, Value};

/// What flags say, as typed. Those about routes hold for every route of the file; if there is no
/// route, `upstream` makes one named `default` that takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--upstream`: the upstream of every route.
    pub upstream: Option<String>,
    /// `--mode`: the mode of every route.
    pub mode: Option<String>,
    /// `--hold`: the hold of every route.
    pub hold: Option<String>,
    /// `--timeout`: the timeout of every route.
    pub timeout: Option<String>,
    /// `--listen`: `server.listen`; several are separated by commas.
    pub listen: Option<String>,
    /// `--behind`: `server.behind`.
    pub behind: Option<String>,
    /// `--admin-listen`: `admin.listen`.
    pub admin_listen: Option<String>,
    /// `--store-path`: `store.path`.
    pub store_path: Option<String>,
    /// `--log-level`: `log.level`.
    pub log_level: Option<String>,
    /// `--log-format`: `log.format`.
    pub log_format: Option<String>,
}

/// Keys of a route that variables and flags can set for every route.
pub(crate) const FOR_ALL_ROUTES: [&str; 4] = ["upstream", "mode", "hold", "timeout"];

/// Variables that belong to commands, not to the config.
const OF_COMMANDS: [&str; 3] = ["RAINCHECK_CONFIG", "RAINCHECK_URL", "RAINCHECK_ADMIN_URL"];

const PREFIX: &str = "RAINCHECK_";

impl Overrides {
    /// Flag, key and value. An empty key path begins in the table for all routes.
    fn each(&self) -> [(&'static str, &'static [&'static str], Option<&String>); 10] {
        [
            ("--upstream", &["upstream"], self.upstream.as_ref()),
            ("--mode", &["mode"], self.mode.as_ref()),
            ("--hold", &["hold"], self.hold.as_ref()),
            ("--timeout", &["timeout"], self.timeout.as_ref()),
            ("--listen", &["server", "listen"], self.listen.as_ref()),
            ("--behind", &["server", "behind"], self.behind.as_ref()),
            (
                "--admin-listen",
                &["admin", "listen"],
                self.admin_listen.as_ref(),
            ),
            ("--store-path", &["store", "path"], self.store_path.as_ref()),
            ("--log-level", &["log", "level"], self.log_level.as_ref()),
            ("--log-format", &["log", "format"], self.log_format.as_ref()),
        ]
    }
}

/// Every variable that sets a key, with the path of that key. A path of one name is a key for all
/// routes.
pub(crate) fn variables() -> Vec<(String, Vec<&'static str>)> {
    let mut all: Vec<Vec<&'static str>> = FOR_ALL_ROUTES.iter().map(|name| vec![*name]).collect();
    for key in KEYS {
        match key.section {
            SectionName::Route if keys::OWN.contains(&key.name) => {}
            // Tables cannot be said in a variable.
            _ if key.section.is_optional() || matches!(key.kind, Kind::Table(_)) => {}
            SectionName::Route => all.push(vec!["defaults", key.name]),
            // Whoever wants more than addresses writes a file.
            SectionName::Listener | SectionName::Certificate => {}
            // Which one of several would be meant cannot be said.
            SectionName::Upstream | SectionName::Eject | SectionName::Health => {}
            SectionName::Retry => all.push(vec!["defaults", "retry", key.name]),
            SectionName::Callback => all.push(vec!["defaults", "callback", key.name]),
            _ => all.push(vec![key.section.as_str(), key.name]),
        }
    }
    all.into_iter()
        .map(|path| (variable(&path), path))
        .collect()
}

/// The variable that sets the key at a path: `RAINCHECK_SERVER_LISTEN` for `server.listen`.
pub(crate) fn variable(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join("_").to_ascii_uppercase())
}

/// Lays variables, then flags, over the file. Returns what holds for all routes. An empty variable
/// counts as not set, as compose files leave it.
pub(crate) fn overlay(
    root: &mut Table,
    environment: &BTreeMap<String, String>,
    overrides: &Overrides,
    findings: &mut Findings,
) -> Table {
    let mut for_all = Table::default();
    let known = variables();
    for (name, value) in environment
        .iter()
        .filter(|(name, value)| ours(name) && !value.is_empty())
    {
        let node = said(DocumentKind::Environment, name, '=', value);
        match known.iter().find(|(known, _)| known == name) {
            Some((_, path)) => set(root, &mut for_all, path, node),
            None => findings.push(unknown_variable(&node, name, &known)),
        }
    }
    for (flag, path, value) in overrides.each() {
        if let Some(value) = value {
            let node = said(DocumentKind::Flag, flag, ' ', value);
            set(root, &mut for_all, path, node);
        }
    }
    for_all
}

fn set(root: &mut Table, for_all: &mut Table, path: &[&str], node: Node) {
    if path.len() == 1 {
        for_all.set(path, node)
    } else {
        root.set(path, node)
    }
}

fn said(kind: DocumentKind, name: &str, between: char, value: &str) -> Node {
    let text = format!("{name}{between}{value}");
    let span = name.len() + between.len_utf8()..text.len();
    let document = Arc::new(Document {
        kind,
        name: name.to_owned(),
        text,
    });
    Node {
        value: Value::Text(value.to_owned()),
        at: Origin { document, span },
    }
}

fn unknown_variable(node: &Node, name: &str, known: &[(String, Vec<&str>)]) -> Finding {
    let mut at = node.at.clone();
    at.span = 0..name.len();
    // The prefix is common to all: comparing with it would make every two names alike.
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    let names: Vec<String> = known.iter().map(|(name, _)| bare(name)).collect();
    let near = keys::nearest(&bare(name), names.iter().map(String::as_str));
    Finding::error(
        Code::UnknownVariable,
        format!("no key is set by the variable `{name}`"),
    )
    .at(&at)
    .expected("RAINCHECK_SECTION_KEY, as in RAINCHECK_SERVER_LISTEN")
    .nearest(near.map(|near| format!("{PREFIX}{near}")).as_deref())
}

/// Whether a variable means to set a key. Kubernetes puts addresses of services into the
/// environment of every container: a service named `raincheck` must not stop the gateway.
fn ours(name: &str) -> bool {
    let service = name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name
            .split("_PORT_")
            .skip(1)
            .any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    name.starts_with(PREFIX) && !OF_COMMANDS.contains(&name) && !service
}
