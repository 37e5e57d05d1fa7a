//! The table of keys itself.

use super::{
    Fallback::{Is, Otherwise, Required},
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

const RETRY_ON: [&str; 4] = ["connect", "timeout", "5xx", "429"];

/// Every key, by section, in the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        section: SectionName::Server,
        name: "listen",
        kind: Kind::Addresses,
        default: Is(r#""0.0.0.0:8080""#),
        since: "0.1.0",
        doc: "Where clients connect. Port 0 takes any free one.",
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
        doc: "Where the job API is. Only paths whose next segment is a well-formed job id \
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
        name: "trusted_proxies",
        kind: Kind::Networks,
        default: Is("[]"),
        since: "0.1.0",
        doc: "Peers whose `Forwarded` and `X-Forwarded-*` headers are believed; those of all \
              others are dropped.",
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
        name: "max_request_head",
        kind: Kind::HeadSize,
        default: Is(r#""64 KiB""#),
        since: "0.1.0",
        doc: "Bytes of a request line and its header section; beyond it: 431.",
    },
    Key {
        section: SectionName::Admin,
        name: "listen",
        kind: Kind::AddressOrOff,
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
        section: SectionName::Route,
        name: "name",
        kind: Kind::Name,
        default: Required {
            example: r#""default""#,
        },
        since: "0.1.0",
        doc: "The route's name in status documents, metrics and logs. Unique.",
    },
    Key {
        section: SectionName::Route,
        name: "match",
        kind: Kind::Pattern,
        default: Required {
            example: r#""/{*path}""#,
        },
        since: "0.1.0",
        doc: "Which requests the route is for: methods, host and path, with `{name}` for a \
              segment and `{*name}` for the rest. The most specific route wins.",
    },
    Key {
        section: SectionName::Route,
        name: "upstream",
        kind: Kind::Upstream,
        default: Required {
            example: r#""http://127.0.0.1:9000""#,
        },
        since: "0.1.0",
        doc: "The server that does the work. The path of a request is passed on as it is.",
    },
    Key {
        section: SectionName::Route,
        name: "mode",
        kind: Kind::Choice(&["sync", "auto", "async"]),
        default: Is(r#""auto""#),
        since: "0.1.0",
        doc: "`sync` relays and stores nothing; `auto` relays what is ready within `hold` and \
              hands out a ticket otherwise; `async` stores the request and hands out a ticket \
              at once.",
    },
    Key {
        section: SectionName::Route,
        name: "hold",
        kind: Kind::Duration,
        default: Otherwise {
            text: "25s, or by `server.behind`",
            example: r#""25s""#,
        },
        since: "0.1.0",
        doc: "How long a client of an auto route waits before it gets a ticket.",
    },
    Key {
        section: SectionName::Route,
        name: "hold_until",
        kind: Kind::Choice(&["head", "complete"]),
        default: Otherwise {
            text: "`\"head\"`, or by `server.behind`",
            example: r#""head""#,
        },
        since: "0.1.0",
        doc: "What must be there before the hold ends: the response head, or all of the \
              response. `complete` is right behind an edge that limits whole responses.",
    },
    Key {
        section: SectionName::Route,
        name: "on_hold",
        kind: Kind::Choice(&["ticket"]),
        default: Is(r#""ticket""#),
        since: "0.1.0",
        doc: "What a client gets when the hold ends.",
    },
    Key {
        section: SectionName::Route,
        name: "timeout",
        kind: Kind::DurationOrNone,
        default: Otherwise {
            text: "29s for sync, 15m otherwise",
            example: r#""15m""#,
        },
        since: "0.1.0",
        doc: "How long one attempt may take, all of it; time in which a client keeps a streamed answer \
              waiting is not counted.",
    },
    Key {
        section: SectionName::Route,
        name: "connect_timeout",
        kind: Kind::Duration,
        default: Is(r#""5s""#),
        since: "0.1.0",
        doc: "How long connecting to the upstream may take, TLS included.",
    },
    Key {
        section: SectionName::Route,
        name: "idle_timeout",
        kind: Kind::DurationOrNone,
        default: Otherwise {
            text: "`timeout`",
            example: r#""15m""#,
        },
        since: "0.1.0",
        doc: "How long the upstream may be silent while it owes bytes.",
    },
    Key {
        section: SectionName::Route,
        name: "deadline",
        kind: Kind::DurationOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "How long a job may take from its acceptance to its end, queue and retries \
              included.",
    },
    Key {
        section: SectionName::Route,
        name: "on_disconnect",
        kind: Kind::Choice(&["cancel", "continue"]),
        default: Is(r#""cancel""#),
        since: "0.1.0",
        doc: "What happens to the exchange of a client that goes away before its answer or \
              ticket.",
    },
    Key {
        section: SectionName::Route,
        name: "retry",
        kind: Kind::Retry,
        default: Otherwise {
            text: "one attempt",
            example: r#"{ attempts = 3, backoff = "1s" }"#,
        },
        since: "0.1.0",
        doc: "When an attempt without a final answer is followed by another; see the section \
              on retry.",
    },
    Key {
        section: SectionName::Route,
        name: "concurrency",
        kind: Kind::Count,
        default: Is("256"),
        since: "0.1.0",
        doc: "Attempts in flight at once.",
    },
    Key {
        section: SectionName::Route,
        name: "queue",
        kind: Kind::Count,
        default: Is("100000"),
        since: "0.1.0",
        doc: "Jobs waiting; beyond it new requests get 503 before anything is stored.",
    },
    Key {
        section: SectionName::Route,
        name: "retention",
        kind: Kind::Duration,
        default: Is(r#""24h""#),
        since: "0.1.0",
        doc: "How long a finished job and its response are kept.",
    },
    Key {
        section: SectionName::Route,
        name: "max_request",
        kind: Kind::Size,
        default: Is(r#""1 GiB""#),
        since: "0.1.0",
        doc: "Bytes of a request body; beyond it: 413.",
    },
    Key {
        section: SectionName::Route,
        name: "max_response",
        kind: Kind::SizeOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "Bytes of a response body.",
    },
    Key {
        section: SectionName::Retry,
        name: "attempts",
        kind: Kind::Count,
        default: Is("1"),
        since: "0.1.0",
        doc: "Attempts in all, the first included.",
    },
    Key {
        section: SectionName::Retry,
        name: "backoff",
        kind: Kind::DurationOrZero,
        default: Is(r#""1s""#),
        since: "0.1.0",
        doc: "The wait before the second attempt; doubled for each later one, then spread \
              evenly between zero and itself. `Retry-After` of the upstream is obeyed.",
    },
    Key {
        section: SectionName::Retry,
        name: "max_backoff",
        kind: Kind::DurationOrZero,
        default: Is(r#""1m""#),
        since: "0.1.0",
        doc: "The longest wait.",
    },
    Key {
        section: SectionName::Retry,
        name: "on",
        kind: Kind::Choices(&RETRY_ON),
        default: Is(r#"["connect", "timeout", "5xx", "429"]"#),
        since: "0.1.0",
        doc: "What is retried: no or a broken connection, a timeout, a 5xx answer, a 429 \
              answer.",
    },
    Key {
        section: SectionName::Retry,
        name: "unsafe",
        kind: Kind::Flag,
        default: Is("false"),
        since: "0.1.0",
        doc: "Whether requests with a method that is not idempotent (POST, PATCH) are sent \
              again although the upstream may have seen them.",
    },
];
