//! The keys of `[[route]]`, `[defaults]` and `retry`.

use super::super::{
    Fallback::{Is, Otherwise, Required},
    Key, Kind, SectionName,
};

const RETRY_ON: [&str; 4] = ["connect", "timeout", "5xx", "429"];

pub(super) const KEYS: &[Key] = &[
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
        kind: Kind::Upstreams,
        default: Required {
            example: r#""http://127.0.0.1:9000""#,
        },
        since: "0.1.0",
        doc: "What does the work: a server, several that are alike, or the name of an `[[upstream]]`. \
              Of several, the one with the fewest requests in flight gets each, and another if it \
              cannot connect. The path of a request is passed on as it is, but for \
              `strip_prefix` and `add_prefix`.",
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
        doc: "How long a client of an auto route waits before it gets a ticket; the most that \
              `Prefer: wait` is heeded, and how long `?follow` waits for a response to begin.",
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
        kind: Kind::Choice(&["ticket", "redirect"]),
        default: Is(r#""ticket""#),
        since: "0.1.0",
        doc: "What a client gets when the hold ends: a ticket, or a redirect (303) to the result, \
              which redirects to itself until the response is there, so that a client which \
              follows redirects needs no change.",
    },
    Key {
        section: SectionName::Route,
        name: "redirect_hold",
        kind: Kind::Duration,
        default: Otherwise {
            text: "`hold`",
            example: r#""4m""#,
        },
        since: "0.1.0",
        doc: "The longest wait of one redirect: the first waits `hold`, each later one twice as \
              long, up to this. At most 1h. Clients follow about 20.",
    },
    Key {
        section: SectionName::Route,
        name: "keepalive",
        kind: Kind::Choice(&["none", "sse", "json-whitespace"]),
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "What keeps the connection of a client that outlives the hold: a 200 whose body is \
              comments of a stream of events, or whitespace before a JSON document, until the job \
              has ended; then its status document with the result. For edges that cut on silence. \
              Clients that do not accept the type get what `on_hold` says.",
    },
    Key {
        section: SectionName::Route,
        name: "keepalive_interval",
        kind: Kind::Duration,
        default: Is(r#""15s""#),
        since: "0.1.0",
        doc: "How long `keepalive` lets there be silence. At least 100ms.",
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
        doc: "How long one attempt may take, all of it; time in which a client is waited for, with \
              its upload or as it reads, is not counted.",
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
        name: "upgrade_idle_timeout",
        kind: Kind::DurationOrNone,
        default: Is(r#""1h""#),
        since: "0.1.0",
        doc: "How long nothing may pass either way after an Upgrade, such as on a WebSocket.",
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
        default: Otherwise {
            text: "`continue` where the request can be found again, by its key or by `dedupe`; \
                   `cancel` otherwise",
            example: r#""cancel""#,
        },
        since: "0.1.0",
        doc: "What happens to the exchange of a client that goes away before its answer or \
              ticket.",
    },
    Key {
        section: SectionName::Route,
        name: "resume",
        kind: Kind::Flag,
        default: Is("false"),
        since: "0.1.0",
        doc: "Whether a streamed response is recorded from its first byte, as a job that goes on \
              without its client: one that lost its connection goes on where it was, at the \
              `Content-Location` of the response or, with `Last-Event-ID`, at the route itself. \
              Answers of a known length of up to 64 KiB are relayed as they are.",
    },
    Key {
        section: SectionName::Route,
        name: "retry",
        kind: Kind::Table(r#"{ attempts = 3, backoff = "1s" }"#),
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
        name: "callback",
        kind: Kind::Table(r#"{ header = "Callback-Url" }"#),
        default: Otherwise {
            text: "nobody is told",
            example: r#"{ header = "Callback-Url" }"#,
        },
        since: "0.1.0",
        doc: "Where in a request its caller names a URL that is told of the job's end; see the \
              section on callback.",
    },
    Key {
        section: SectionName::Route,
        name: "idempotency_key",
        kind: Kind::Choice(&["optional", "required", "ignored"]),
        default: Is(r#""optional""#),
        since: "0.1.0",
        doc: "What an `Idempotency-Key` means on auto and async routes. `optional`: a request with \
              one is stored before the backend sees it, and a repetition gets the same job; \
              `required`: without one it is refused with 400, on sync routes too; `ignored`: it is \
              the backend's business alone.",
    },
    Key {
        section: SectionName::Route,
        name: "duplicate",
        kind: Kind::Choice(&["join", "conflict"]),
        default: Is(r#""join""#),
        since: "0.1.0",
        doc: "What a repetition gets while its job has not ended: what the first client gets, or \
              409. Once the job has ended it gets the stored answer either way.",
    },
    Key {
        section: SectionName::Route,
        name: "dedupe",
        kind: Kind::DurationOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "Requests without a key are known again by caller, method, path, query and body: \
              while their job runs, and for so long after its end.",
    },
    Key {
        section: SectionName::Route,
        name: "fingerprint_headers",
        kind: Kind::HeaderNames,
        default: Is("[]"),
        since: "0.1.0",
        doc: "Header fields that belong to what is asked: a repetition has the same.",
    },
    Key {
        section: SectionName::Route,
        name: "caller_headers",
        kind: Kind::HeaderNames,
        default: Is(r#"["authorization", "cookie", "x-api-key"]"#),
        since: "0.1.0",
        doc: "Header fields by which callers are told apart. Callers never see each other's jobs \
              through a key; `[]` makes all clients one caller.",
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
        section: SectionName::Route,
        name: "rate",
        kind: Kind::RateOrNone,
        default: Is(r#""none""#),
        since: "0.1.0",
        doc: "How often one client may ask, counted by network address (behind `trusted_proxies` \
              the one they tell); all may come at once. Beyond it: 429 with `Retry-After`.",
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
