//! Keys of `[[upstream]]`: servers, what takes them out, how they are checked.

use super::super::{
    Fallback::{Is, Otherwise, Required},
    Key, Kind, SectionName,
};

const EJECT_ON: [&str; 3] = ["connect", "timeout", "5xx"];

/// The keys in the order of the documentation.
pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Upstream,
        name: "name",
        kind: Kind::UpstreamName,
        default: Required {
            example: r#""app""#,
        },
        since: "0.1.0",
        doc: "By what routes say it: `upstream = \"app\"`. Also its name in metrics and logs. Unique.",
    },
    Key {
        section: SectionName::Upstream,
        name: "servers",
        kind: Kind::Servers,
        default: Required {
            example: r#"["http://127.0.0.1:9000", "http://127.0.0.1:9001"]"#,
        },
        since: "0.1.0",
        doc: "Servers that do the same work. A request goes to the one with the fewest in flight, \
              and to another if it cannot connect.",
    },
    Key {
        section: SectionName::Upstream,
        name: "weights",
        kind: Kind::Counts,
        default: Otherwise {
            text: "all alike",
            example: "[1, 1]",
        },
        since: "0.1.0",
        doc: "The share of each server, in their order.",
    },
    Key {
        section: SectionName::Upstream,
        name: "protocol",
        kind: Kind::Choice(&["h1", "h2", "auto"]),
        default: Is(r#""h1""#),
        since: "0.1.0",
        doc: "The version of HTTP. `h2` is asked for by ALPN over TLS, and spoken with prior \
              knowledge without; gRPC needs it. `auto` takes `h2` over TLS where the server offers it, \
              and `h1` everywhere else.",
    },
    Key {
        section: SectionName::Upstream,
        name: "connections",
        kind: Kind::Count,
        default: Is("10000"),
        since: "0.1.0",
        doc: "Connections to one server in use at once, over all routes; further requests wait as \
              long as connecting may take, and are refused with 503 then.",
    },
    Key {
        section: SectionName::Upstream,
        name: "max_connection_age",
        kind: Kind::DurationOrNone,
        default: Is(r#""10m""#),
        since: "0.1.0",
        doc: "How long a connection takes new requests. Names are looked up for each new one, so \
              changed addresses are followed by then.",
    },
    Key {
        section: SectionName::Upstream,
        name: "ca_file",
        kind: Kind::File,
        default: Otherwise {
            text: "the system's authorities",
            example: r#""/etc/raincheck/ca.pem""#,
        },
        since: "0.1.0",
        doc: "A PEM file of the only authorities that are trusted. Read again at a reload.",
    },
    Key {
        section: SectionName::Upstream,
        name: "client_cert",
        kind: Kind::File,
        default: Otherwise {
            text: "none is shown",
            example: r#""/etc/raincheck/client.pem""#,
        },
        since: "0.1.0",
        doc: "A PEM file of the certificate that is shown to servers, with what leads to its \
              authority. Needs `client_key`.",
    },
    Key {
        section: SectionName::Upstream,
        name: "client_key",
        kind: Kind::File,
        default: Otherwise {
            text: "none",
            example: r#""/etc/raincheck/client.key""#,
        },
        since: "0.1.0",
        doc: "A PEM file of the key of `client_cert`.",
    },
    Key {
        section: SectionName::Upstream,
        name: "server_name",
        kind: Kind::HostName,
        default: Otherwise {
            text: "the host of the URL",
            example: r#""app.internal""#,
        },
        since: "0.1.0",
        doc: "The name that certificates of the servers are for.",
    },
    Key {
        section: SectionName::Upstream,
        name: "slow_start",
        kind: Kind::DurationOrZero,
        default: Is(r#""10s""#),
        since: "0.1.0",
        doc: "How long a server that was out takes until it has its full share again.",
    },
    Key {
        section: SectionName::Upstream,
        name: "eject",
        kind: Kind::Table("{ failures = 5 }"),
        default: Otherwise {
            text: "as below for several servers, never for one",
            example: "{ failures = 5 }",
        },
        since: "0.1.0",
        doc: "When a server gets no requests for a while because earlier ones failed.",
    },
    Key {
        section: SectionName::Upstream,
        name: "health",
        kind: Kind::Table("{ path = \"/health\" }"),
        default: Otherwise {
            text: "no checks",
            example: r#"{ path = "/health" }"#,
        },
        since: "0.1.0",
        doc: "How servers are checked while they are in use and while they are not. A server counts \
              as healthy until its checks say otherwise.",
    },
    Key {
        section: SectionName::Eject,
        name: "failures",
        kind: Kind::Count,
        default: Is("5"),
        since: "0.1.0",
        doc: "Failures in a row that eject a server. One that is back after an ejection has one try.",
    },
    Key {
        section: SectionName::Eject,
        name: "on",
        kind: Kind::Choices(&EJECT_ON),
        default: Is(r#"["connect"]"#),
        since: "0.1.0",
        doc: "What is a failure: no or a broken connection, a timeout, a 5xx answer. Only a server \
              without connections is ejected if it is the last; `[]` ejects none.",
    },
    Key {
        section: SectionName::Eject,
        name: "time",
        kind: Kind::Duration,
        default: Is(r#""10s""#),
        since: "0.1.0",
        doc: "How long a server is out the first time; doubled with each ejection that follows.",
    },
    Key {
        section: SectionName::Eject,
        name: "max_time",
        kind: Kind::Duration,
        default: Is(r#""5m""#),
        since: "0.1.0",
        doc: "How long a server is out at most.",
    },
    Key {
        section: SectionName::Health,
        name: "path",
        kind: Kind::Target,
        default: Is(r#""/""#),
        since: "0.1.0",
        doc: "What is asked for, with GET.",
    },
    Key {
        section: SectionName::Health,
        name: "interval",
        kind: Kind::Duration,
        default: Is(r#""5s""#),
        since: "0.1.0",
        doc: "The time from one check to the next, give or take a tenth.",
    },
    Key {
        section: SectionName::Health,
        name: "timeout",
        kind: Kind::Duration,
        default: Is(r#""2s""#),
        since: "0.1.0",
        doc: "How long a check may take, connecting included.",
    },
    Key {
        section: SectionName::Health,
        name: "healthy",
        kind: Kind::Count,
        default: Is("2"),
        since: "0.1.0",
        doc: "Passed checks in a row that bring a server back.",
    },
    Key {
        section: SectionName::Health,
        name: "unhealthy",
        kind: Kind::Count,
        default: Is("3"),
        since: "0.1.0",
        doc: "Failed checks in a row that take a server out.",
    },
    Key {
        section: SectionName::Health,
        name: "status",
        kind: Kind::StatusRange,
        default: Is(r#""200-399""#),
        since: "0.1.0",
        doc: "The status codes of a passed check.",
    },
];
