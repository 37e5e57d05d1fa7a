//! How the servers of an upstream are reached: version of HTTP, TLS, bounds on connections.

use std::path::PathBuf;
use std::sync::Arc;

use raincheck_core::limits::UPSTREAM_CONNECTION_AGE;
use raincheck_core::route::upstream::{Protocol, Reach};
use raincheck_core::route::{Member, Scheme};

use crate::error::{Code, Finding, Findings};
use crate::section::{Given, Section};
use crate::value::{Choice, Count, HostName, OrNone, Word};

/// What is written of it.
pub(super) struct Reached {
    protocol: Option<Given<Choice<Protocol>>>,
    connections: Option<Given<Count<u32>>>,
    max_age: Option<Given<OrNone>>,
    ca_file: Option<Given<PathBuf>>,
    client_cert: Option<Given<PathBuf>>,
    client_key: Option<Given<PathBuf>>,
    server_name: Option<Given<HostName>>,
}

impl Word for Protocol {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "h1" => Some(Self::H1),
            "h2" => Some(Self::H2),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

impl Reached {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            protocol: section.get("protocol", findings),
            connections: section.get("connections", findings),
            max_age: section.get("max_connection_age", findings),
            ca_file: section.get("ca_file", findings),
            client_cert: section.get("client_cert", findings),
            client_key: section.get("client_key", findings),
            server_name: section.get("server_name", findings),
        }
    }

    /// The same servers, reached in this way.
    pub(super) fn apply(self, mut members: Vec<Member>, findings: &mut Findings) -> Vec<Member> {
        self.check(&members, findings);
        let identity = self.client_cert.zip(self.client_key);
        let common = Reach {
            socket: None,
            protocol: self.protocol.map_or(Protocol::H1, |given| given.value.0),
            connections: self.connections.map(|given| given.value.0),
            max_age: match self.max_age {
                Some(given) => given.value.0,
                None => Some(UPSTREAM_CONNECTION_AGE),
            },
            ca_file: self.ca_file.map(|given| given.value),
            identity: identity.map(|(cert, key)| (cert.value, key.value)),
            server_name: self.server_name.map(|given| given.value.0),
        };
        for member in &mut members {
            let socket = member.upstream.socket().map(PathBuf::from);
            let reach = Reach {
                socket,
                ..common.clone()
            };
            member.upstream.reach = Some(Arc::new(reach));
        }
        members
    }

    /// Reports a certificate without its key, and TLS settings where no TLS is spoken.
    fn check(&self, members: &[Member], findings: &mut Findings) {
        let (cert, key) = (&self.client_cert, &self.client_key);
        if let (Some(given), None) | (None, Some(given)) = (cert, key) {
            let message = "a client certificate needs `client_cert` and `client_key`";
            findings.push(Finding::error(Code::Missing, message).about(given));
        }
        let https = |member: &Member| member.upstream.scheme == Scheme::Https;
        if members.iter().any(https) {
            return;
        }
        let name = self.server_name.as_ref();
        let files = [&self.ca_file, cert, key].into_iter().flatten();
        let files = files.map(|given| (&given.at, &given.key));
        for (at, key) in files.chain(name.map(|given| (&given.at, &given.key))) {
            let message = "it says how TLS is spoken, and no server has an https:// URL";
            findings.push(Finding::warning(Code::Conflict, message).at(at).key(key));
        }
    }
}
