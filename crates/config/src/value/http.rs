//! Hosts, fields, methods, statuses and origins.

use std::net::IpAddr;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use ipnet::IpNet;
use raincheck_core::rewrite::cors::{OriginRule, Origins};
use raincheck_core::rewrite::{HostRule, Redirect, fields};

use super::{Count, Setting, Wrong, several, text};
use crate::tree::{Node, Value};

/// A prefix of a pattern's path.
#[derive(Debug, Clone)]
pub(crate) struct Prefix(pub(crate) String);

/// Fields with their values, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Fields(pub(crate) Vec<(HeaderName, HeaderValue)>);

/// Fields that a rule may change.
#[derive(Debug, Clone)]
pub(crate) struct RuleNames(pub(crate) Vec<HeaderName>);

/// Any fields; none: all.
#[derive(Debug, Clone)]
pub(crate) struct NamesOrAll(pub(crate) Option<Vec<HeaderName>>);

/// Methods.
#[derive(Debug, Clone)]
pub(crate) struct Methods(pub(crate) Vec<Method>);

/// A status of a redirect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedirectStatus(pub(crate) u16);

/// The status of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status(pub(crate) u16);

impl Fields {
    /// As a header section.
    pub(crate) fn map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.0 {
            map.append(name.clone(), value.clone());
        }
        map
    }
}

fn wrong(node: &Node, reason: impl Into<String>) -> Vec<Wrong> {
    vec![Wrong::new(node, reason)]
}

impl Setting for Vec<IpNet> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, |part| {
            let text = text(part)?;
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse::<IpNet>().or_else(|_| address());
            network.map_err(|_| wrong(part, "it is not a network or address"))
        })
    }
}

impl Setting for String {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        text(node).map(str::to_owned)
    }
}

impl Setting for Prefix {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let legal = |b: u8| b.is_ascii_graphic() && !b"?#\"<>\\^`|".contains(&b);
        let segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(legal);
        let shaped = text
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(segment));
        match shaped {
            true => Ok(Self(text.to_owned())),
            false => Err(wrong(node, "it is not '/' and segments of a path")),
        }
    }
}

impl Setting for HostRule {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        match text {
            "preserve" => return Ok(Self::Preserve),
            "upstream" => return Ok(Self::Upstream),
            _ => {}
        }
        let authority = text.parse::<http::uri::Authority>().ok();
        let good = authority.is_some_and(|authority| {
            let name = authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']');
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
            !text.contains('@') && !name.is_empty() && name.bytes().all(legal)
        });
        match HeaderValue::from_str(text) {
            Ok(value) if good => Ok(Self::Name(value)),
            _ => Err(wrong(node, "it is not a host")),
        }
    }
}

fn name(node: &Node, text: &str) -> Result<HeaderName, Vec<Wrong>> {
    HeaderName::try_from(text).map_err(|_| wrong(node, format!("{text:?} is not a header name")))
}

/// A field that a rule may change.
fn rule_name(node: &Node, text: &str) -> Result<HeaderName, Vec<Wrong>> {
    let name = name(node, text)?;
    match fields::check(&name) {
        Ok(()) => Ok(name),
        Err(error) => Err(wrong(node, format!("`{text}` cannot be changed: {error}"))),
    }
}

impl Setting for RuleNames {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, |part| rule_name(part, text(part)?)).map(Self)
    }
}

impl Setting for NamesOrAll {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let names = several(node, |part| match text(part)? {
            "*" => Ok(None),
            text => name(part, text).map(Some),
        })?;
        if names.len() == 1 && names.contains(&None) {
            return Ok(Self(None));
        }
        match names.into_iter().collect::<Option<Vec<_>>>() {
            Some(names) => Ok(Self(Some(names))),
            None => Err(wrong(node, "\"*\" stands alone")),
        }
    }
}

impl Setting for Fields {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let Value::Table(table) = &node.value else {
            return Err(Wrong::kind(node));
        };
        let mut fields = Vec::new();
        let mut wrongs = Vec::new();
        for entry in &table.entries {
            let at = Node {
                at: entry.at.clone(),
                value: Value::Broken,
            };
            let values = several(&entry.node, |part| {
                let text = text(part)?;
                HeaderValue::from_str(text)
                    .map_err(|_| wrong(part, "a header value has no control characters"))
            });
            match (rule_name(&at, &entry.name), values) {
                (Ok(name), Ok(values)) => {
                    fields.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
                (name, values) => {
                    wrongs.extend(name.err().into_iter().chain(values.err()).flatten());
                }
            }
        }
        match wrongs.is_empty() {
            true => Ok(Self(fields)),
            false => Err(wrongs),
        }
    }
}

impl Setting for Methods {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let methods = several(node, |part| {
            let text = text(part)?;
            let upper = text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            match Method::from_bytes(text.as_bytes()) {
                Ok(method) if upper => Ok(method),
                _ => Err(wrong(part, format!("{text:?} is not a method"))),
            }
        });
        methods.map(Self)
    }
}

impl Setting for Origins {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let rules = several(node, |part| match text(part)? {
            "*" => Ok(None),
            text => match text.parse::<OriginRule>() {
                Ok(rule) => Ok(Some(rule)),
                Err(error) => Err(wrong(part, error.to_string())),
            },
        })?;
        if rules.len() == 1 && rules.contains(&None) {
            return Ok(Self::Any);
        }
        match rules.into_iter().collect::<Option<Vec<_>>>() {
            Some(rules) if rules.is_empty() => Err(wrong(node, "there is none")),
            Some(rules) => Ok(Self::Some(rules)),
            None => Err(wrong(node, "\"*\" stands alone")),
        }
    }
}

impl Setting for RedirectStatus {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let Count(status) = Count::<u16>::read(node)?;
        match Redirect::STATUSES.contains(&status) {
            true => Ok(Self(status)),
            false => Err(wrong(
                node,
                format!("{status} is not the status of a redirect"),
            )),
        }
    }
}

impl Setting for Status {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let Count(status) = Count::<u16>::read(node)?;
        match (200..=599).contains(&status) {
            true => Ok(Self(status)),
            false => Err(wrong(node, format!("{status} is out of range"))),
        }
    }
}
