//! The keys that change requests and answers, and those that answer without an upstream.

use super::super::{
    Fallback::{Is, Otherwise, Required},
    Key, Kind, SectionName,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Route,
        name: "strip_prefix",
        kind: Kind::Prefix,
        default: Otherwise {
            text: "nothing",
            example: r#""/api""#,
        },
        since: "0.1.0",
        doc: "The first segments of the path, which the upstream does not get. `match` must begin with them. The upstream is told what came off as `X-Forwarded-Prefix`. Paths with dot segments are refused.",
    },
    Key {
        section: SectionName::Route,
        name: "add_prefix",
        kind: Kind::Prefix,
        default: Otherwise {
            text: "nothing",
            example: r#""/v2""#,
        },
        since: "0.1.0",
        doc: "What the upstream gets before the path, or in the place of `strip_prefix`.",
    },
    Key {
        section: SectionName::Route,
        name: "host",
        kind: Kind::Host,
        default: Is(r#""preserve""#),
        since: "0.1.0",
        doc: "The `Host` that the upstream gets: the client's, the upstream's own, or this one. `X-Forwarded-Host` always has the client's.",
    },
    table(
        "request_headers",
        "unchanged",
        r#"{ set = { X-Environment = "test" }, remove = ["Cookie"] }"#,
        "Changes of request headers; see the section on it.",
    ),
    table(
        "response_headers",
        "unchanged",
        r#"{ set = { X-Frame-Options = "DENY" }, remove = ["Server"] }"#,
        "Changes of response headers; see the section on it.",
    ),
    Key {
        section: SectionName::Route,
        name: "allow",
        kind: Kind::Clients,
        default: Is("[]"),
        since: "0.1.0",
        doc: "Networks whose clients are served, all others get 403; none: everybody. The client is who the trusted proxies say it is.",
    },
    Key {
        section: SectionName::Route,
        name: "deny",
        kind: Kind::Clients,
        default: Is("[]"),
        since: "0.1.0",
        doc: "Networks whose clients get 403, also where `allow` has them.",
    },
    Key {
        section: SectionName::Route,
        name: "compress",
        kind: Kind::Choices(&["zstd", "gzip"]),
        default: Is("[]"),
        since: "0.1.0",
        doc: "Codings in which answers are compressed where the client accepts them and the media type gets smaller, the preferred first. What is stored, and results of jobs, stay as the upstream sent them.",
    },
    table(
        "cors",
        "left to the upstream",
        r#"{ origins = ["https://app.example.com"] }"#,
        "What browsers on other origins may do; see the section on it. A browser that gets a ticket needs `server.cors` as well.",
    ),
    table(
        "redirect",
        "none",
        r#"{ to = "https://{host}{uri}", status = 308 }"#,
        "Where requests are sent instead; see the section on it.",
    ),
    table(
        "respond",
        "none",
        r#"{ status = 503, body = "back at noon" }"#,
        "One answer to every request, without an upstream; see the section on it.",
    ),
    fields_set(
        SectionName::RequestHeaders,
        "Headers that the request has with this value and no other.",
    ),
    fields_added(SectionName::RequestHeaders),
    fields_removed(SectionName::RequestHeaders),
    fields_set(
        SectionName::ResponseHeaders,
        "Headers that the response has with this value and no other.",
    ),
    fields_added(SectionName::ResponseHeaders),
    fields_removed(SectionName::ResponseHeaders),
    Key {
        section: SectionName::Redirect,
        name: "to",
        kind: Kind::Place,
        default: Required {
            example: r#""https://{host}{uri}""#,
        },
        since: "0.1.0",
        doc: "The place: a path or URL. `{host}` is the host without port, `{uri}` path and query, `{query}` the query with its `?`, and `{name}` what a placeholder of `match` took. What a client wrote cannot change the host.",
    },
    Key {
        section: SectionName::Redirect,
        name: "status",
        kind: Kind::RedirectStatus,
        default: Otherwise {
            text: "307",
            example: r#"308"#,
        },
        since: "0.1.0",
        doc: "The status. 307 and 308 keep the method; browsers remember 301 and 308.",
    },
    Key {
        section: SectionName::Respond,
        name: "status",
        kind: Kind::Status,
        default: Otherwise {
            text: "200",
            example: r#"503"#,
        },
        since: "0.1.0",
        doc: "The status.",
    },
    Key {
        section: SectionName::Respond,
        name: "body",
        kind: Kind::Text,
        default: Otherwise {
            text: "empty",
            example: r#""back at noon""#,
        },
        since: "0.1.0",
        doc: "The body, as `text/plain` unless `headers` say otherwise.",
    },
    Key {
        section: SectionName::Respond,
        name: "file",
        kind: Kind::File,
        default: Otherwise {
            text: "none",
            example: r#""maintenance.html""#,
        },
        since: "0.1.0",
        doc: "The file that is the body, at most 1 MiB, read at start and at each reload. Its name says the media type unless `headers` do.",
    },
    Key {
        section: SectionName::Respond,
        name: "headers",
        kind: Kind::Fields,
        default: Otherwise {
            text: "none",
            example: r#"{ Retry-After = "3600" }"#,
        },
        since: "0.1.0",
        doc: "Headers of the answer.",
    },
    Key {
        section: SectionName::Cors,
        name: "origins",
        kind: Kind::Origins,
        default: Required {
            example: r#"["https://app.example.com"]"#,
        },
        since: "0.1.0",
        doc: "Origins that are let in: exact ones, all below a domain as in `https://*.example.com`, or every one with `*`.",
    },
    Key {
        section: SectionName::Cors,
        name: "methods",
        kind: Kind::Methods,
        default: Otherwise {
            text: "GET, HEAD, POST, PUT, PATCH, DELETE",
            example: r#"["GET", "PUT"]"#,
        },
        since: "0.1.0",
        doc: "Methods that are let in.",
    },
    Key {
        section: SectionName::Cors,
        name: "headers",
        kind: Kind::FieldNamesOrAll,
        default: Otherwise {
            text: "`[\"*\"]`",
            example: r#"["Content-Type", "Authorization"]"#,
        },
        since: "0.1.0",
        doc: "Request headers that are let in; `*`: whichever the browser asks for.",
    },
    Key {
        section: SectionName::Cors,
        name: "expose",
        kind: Kind::FieldNames,
        default: Otherwise {
            text: "none",
            example: r#"["X-Total-Count"]"#,
        },
        since: "0.1.0",
        doc: "Response headers that scripts may read beside those they need for tickets, which they always may: `Location`, `Retry-After`, `Link` and others.",
    },
    Key {
        section: SectionName::Cors,
        name: "credentials",
        kind: Kind::Flag,
        default: Otherwise {
            text: "false",
            example: r#"true"#,
        },
        since: "0.1.0",
        doc: "Whether cookies and client certificates go along. Not together with `*`.",
    },
    Key {
        section: SectionName::Cors,
        name: "max_age",
        kind: Kind::DurationOrZero,
        default: Otherwise {
            text: "10m",
            example: r#""1h""#,
        },
        since: "0.1.0",
        doc: "How long a browser may remember the answer to a preflight.",
    },
];

/// A table of a route; left out it is as `text` says.
const fn table(
    name: &'static str,
    text: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        section: SectionName::Route,
        name,
        kind: Kind::Table(example),
        default: Otherwise { text, example },
        since: "0.1.0",
        doc,
    }
}

const fn fields_set(section: SectionName, doc: &'static str) -> Key {
    let example = r#"{ X-Environment = "test" }"#;
    fields(section, "set", Kind::Fields, example, doc)
}

const fn fields_added(section: SectionName) -> Key {
    let example = r#"{ X-Seen-By = "edge" }"#;
    let doc = "Headers that come beside those of the same name.";
    fields(section, "add", Kind::Fields, example, doc)
}

const fn fields_removed(section: SectionName) -> Key {
    let example = r#"["X-Debug"]"#;
    fields(
        section,
        "remove",
        Kind::FieldNames,
        example,
        "Headers that go.",
    )
}

/// What becomes of some fields; left out: nothing.
const fn fields(
    section: SectionName,
    name: &'static str,
    kind: Kind,
    example: &'static str,
    doc: &'static str,
) -> Key {
    let text = "none";
    Key {
        section,
        name,
        kind,
        default: Otherwise { text, example },
        since: "0.1.0",
        doc,
    }
}
