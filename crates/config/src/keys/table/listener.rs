//! The keys of a table in `listen`, and of a certificate in its `tls`.

use super::super::{
    Fallback::{Is, Otherwise, Required},
    Key, Kind, SectionName,
};

const CLIENT_AUTH: [&str; 2] = ["required", "optional"];

pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Listener,
        name: "address",
        kind: Kind::Address,
        default: Required {
            example: r#""0.0.0.0:8443""#,
        },
        since: "0.1.0",
        doc: "Where it is: an IP address and a port, the path of a Unix socket, or a socket that \
              was passed on by systemd, by name (`FileDescriptorName`) or number.",
    },
    Key {
        section: SectionName::Listener,
        name: "mode",
        kind: Kind::FileMode,
        default: Is(r#""0660""#),
        since: "0.1.0",
        doc: "The permissions of a Unix socket's file: who may write to it may connect.",
    },
    Key {
        section: SectionName::Listener,
        name: "tls",
        kind: Kind::Certificates,
        default: Otherwise {
            text: "plain text",
            example: r#"{ certificate = "site.pem", key = "site.key" }"#,
        },
        since: "0.1.0",
        doc: "The certificates of the listener, which then speaks TLS 1.2 and 1.3 with HTTP/2 and \
              HTTP/1.1. Clients get the one for the name they ask for, and the first otherwise.",
    },
    Key {
        section: SectionName::Listener,
        name: "client_ca",
        kind: Kind::File,
        default: Otherwise {
            text: "clients are not asked for a certificate",
            example: r#""clients.pem""#,
        },
        since: "0.1.0",
        doc: "Who may sign certificates of clients. The subject of a client's certificate is told \
              to the upstream as `Raincheck-Client-Subject`.",
    },
    Key {
        section: SectionName::Listener,
        name: "client_auth",
        kind: Kind::Choice(&CLIENT_AUTH),
        default: Is(r#""required""#),
        since: "0.1.0",
        doc: "Whether a client must have a certificate, where there is a `client_ca`.",
    },
    Key {
        section: SectionName::Listener,
        name: "proxy_protocol",
        kind: Kind::Networks,
        default: Otherwise {
            text: "nobody sends a header",
            example: r#"["10.0.0.0/8"]"#,
        },
        since: "0.1.0",
        doc: "Peers that send a PROXY protocol header, version 1 or 2, before anything else. No \
              other peer may connect.",
    },
    Key {
        section: SectionName::Certificate,
        name: "certificate",
        kind: Kind::File,
        default: Required {
            example: r#""site.pem""#,
        },
        since: "0.1.0",
        doc: "A certificate, followed by what leads to a root, as PEM. Its host names say which \
              clients it is for.",
    },
    Key {
        section: SectionName::Certificate,
        name: "key",
        kind: Kind::File,
        default: Required {
            example: r#""site.key""#,
        },
        since: "0.1.0",
        doc: "The private key of the certificate, as PEM.",
    },
];
