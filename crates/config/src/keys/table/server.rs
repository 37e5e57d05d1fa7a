//! The keys of the sections that stand once: server, admin, store, log, limits.

use super::super::{
    Fallback::{Is, Otherwise},
    Key, Kind, SectionName,
};

const BEHIND: [&str; 11] = [
    "alb",
    "apache",
    "api-gateway",
    "azure",
    "cloudflare",
    "cloudfront",
    "envoy",
    "gcp-lb",
    "heroku",
    "http-api",
    "nginx",
];

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Server,
        name: "listen",
        kind: Kind::Listeners,
        default: Is(r#""0.0.0.0:8080""#),
        since: "0.1.0",
        doc: "Where clients connect: addresses, or tables with the keys below. Port 0 takes any free \
              one.",
    },
    Key {
        section: SectionName::Server,
        name: "behind",
        kind: Kind::Choice(&BEHIND),
        default: Otherwise {
            text: "nothing",
            example: r#""api-gateway""#,
        },
        since: "0.1.0",
        doc: "What stands in front of raincheck: sets `hold` and `hold_until` a safe margin \
              below its own timeout, and warns where times contradict it.",
    },
    Key {
        section: SectionName::Server,
        name: "jobs_path",
        kind: Kind::UrlPath,
        default: Is(r#""/jobs""#),
        since: "0.1.0",
        doc: "Where the job API is. Only paths whose next segment is a well-formed job id, in \
              either case and whatever follows it, \
              belong to it; all others go to the routes.",
    },
    Key {
        section: SectionName::Server,
        name: "public_url",
        kind: Kind::PublicUrl,
        default: Otherwise {
            text: "links are relative",
            example: r#""https://api.example.com""#,
        },
        since: "0.1.0",
        doc: "How clients reach this gateway; links to jobs begin with it.",
    },
    Key {
        section: SectionName::Server,
        name: "internal_url",
        kind: Kind::PublicUrl,
        default: Otherwise {
            text: "`http` and the first port of `listen`, on loopback where it listens everywhere",
            example: r#""http://raincheck.internal:8080""#,
        },
        since: "0.1.0",
        doc: "How upstreams reach this gateway; the `Raincheck-Progress` URL that they are told \
              begins with it.",
    },
    Key {
        section: SectionName::Server,
        name: "trusted_proxies",
        kind: Kind::Networks,
        default: Is("[]"),
        since: "0.1.0",
        doc: "Peers whose `Forwarded` and `X-Forwarded-*` headers are believed; those of all \
              others are dropped. `\"unix\"` stands for whoever comes through a Unix socket.",
    },
    Key {
        section: SectionName::Server,
        name: "grace",
        kind: Kind::DurationOrZero,
        default: Is(r#""30s""#),
        since: "0.1.0",
        doc: "How long open exchanges may go on after a signal to stop. Jobs that are cut go \
              on by their retry rules at the next start.",
    },
    Key {
        section: SectionName::Server,
        name: "header_timeout",
        kind: Kind::Duration,
        default: Is(r#""30s""#),
        since: "0.1.0",
        doc: "How long a client may take to send the head of a request.",
    },
    Key {
        section: SectionName::Server,
        name: "handshake_timeout",
        kind: Kind::Duration,
        default: Is(r#""10s""#),
        since: "0.1.0",
        doc: "How long a client may take for what comes before HTTP: TLS, the PROXY protocol.",
    },
    Key {
        section: SectionName::Server,
        name: "tls_reload",
        kind: Kind::Duration,
        default: Is(r#""10s""#),
        since: "0.1.0",
        doc: "How often certificate files are looked at. Those that have changed are loaded for new \
              connections; if they cannot be, the old ones stay.",
    },
    Key {
        section: SectionName::Server,
        name: "body_timeout",
        kind: Kind::Duration,
        default: Is(r#""1m""#),
        since: "0.1.0",
        doc: "How long a client may send nothing while it owes body bytes. An upload that \
              moves is never cut.",
    },
    Key {
        section: SectionName::Server,
        name: "write_timeout",
        kind: Kind::Duration,
        default: Is(r#""1m""#),
        since: "0.1.0",
        doc: "How long a client may take nothing while there are bytes for it. A download that \
              moves is never cut.",
    },
    Key {
        section: SectionName::Server,
        name: "keep_alive",
        kind: Kind::Duration,
        default: Is(r#""1m15s""#),
        since: "0.1.0",
        doc: "How long an idle connection of a client is kept open. Keep it above the idle \
              timeout of what stands in front.",
    },
    Key {
        section: SectionName::Server,
        name: "max_connections",
        kind: Kind::Count,
        default: Is("50000"),
        since: "0.1.0",
        doc: "Open client connections; further ones wait to be accepted.",
    },
    Key {
        section: SectionName::Server,
        name: "max_connections_per_client",
        kind: Kind::CountOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "Open connections of one client over all listeners; further ones are closed before a \
              byte is read. A client is a network address, behind the PROXY protocol the one that it \
              tells; of IPv6 the first 64 bits count. Unix sockets have no bound. Behind a proxy \
              that speaks HTTP all clients are one.",
    },
    Key {
        section: SectionName::Server,
        name: "max_request_head",
        kind: Kind::HeadSize,
        default: Is(r#""64 KiB""#),
        since: "0.1.0",
        doc: "Bytes of a request line and its header section; beyond it: 431.",
    },
    Key {
        section: SectionName::Server,
        name: "cors",
        kind: Kind::Table(r#"{ origins = ["https://app.example.com"] }"#),
        default: Otherwise {
            text: "no other origin",
            example: r#"{ origins = ["https://app.example.com"] }"#,
        },
        since: "0.1.0",
        doc: "Which browsers on other origins may use the job API; see the section on `cors`.",
    },
    Key {
        section: SectionName::Admin,
        name: "listen",
        kind: Kind::ListenerOrOff,
        default: Is(r#""127.0.0.1:9090""#),
        since: "0.1.0",
        doc: "Where operators connect: every job, health, metrics. It asks for no password: \
              keep it private.",
    },
    Key {
        section: SectionName::Store,
        name: "path",
        kind: Kind::Directory,
        default: Is(r#""raincheck-data""#),
        since: "0.1.0",
        doc: "The data directory, made if it is not there. One process has it at a time. \
              Whatever was acknowledged is synced to it.",
    },
    Key {
        section: SectionName::Log,
        name: "level",
        kind: Kind::Choice(&LEVELS),
        default: Is(r#""info""#),
        since: "0.1.0",
        doc: "From which level on things are logged.",
    },
    Key {
        section: SectionName::Log,
        name: "format",
        kind: Kind::Choice(&["text", "json"]),
        default: Is(r#""text""#),
        since: "0.1.0",
        doc: "The shape of a log line: for people, or one JSON object.",
    },
    Key {
        section: SectionName::Limits,
        name: "concurrency",
        kind: Kind::Count,
        default: Is("10000"),
        since: "0.1.0",
        doc: "Attempts of jobs in flight at once, over all routes.",
    },
    Key {
        section: SectionName::Limits,
        name: "client_rate",
        kind: Kind::RateOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "How often one client may ask, over all routes; counted as `rate` of a route is.",
    },
    Key {
        section: SectionName::Limits,
        name: "requests",
        kind: Kind::Count,
        default: Is("40000"),
        since: "0.1.0",
        doc: "Requests of clients in flight at once, over all routes, from the head to the last byte \
              of the answer; a held one counts, a job whose client has its ticket does not. Further \
              ones are answered with 503 and `Retry-After` before their body is read. The job API \
              and the admin listener have no part in it.",
    },
];
