//! The keys of `[webhooks]`, and of `callback` in a route.

use super::super::{
    Fallback::{Is, Otherwise},
    Key, Kind, SectionName,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Webhooks,
        name: "keys",
        kind: Kind::SigningKeys,
        default: Otherwise {
            text: "none, and no route may have a `callback`",
            example: r#"["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]"#,
        },
        since: "0.1.0",
        doc: "What messages are signed with: a signature for each. With several, receivers can \
              change from one to the next. Who can check with a symmetric key can also sign with \
              it: where receivers do not trust each other, use Ed25519.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "format",
        kind: Kind::Choice(&["standard", "cloudevents"]),
        default: Is(r#""standard""#),
        since: "0.1.0",
        doc: "The shape of messages: that of Standard Webhooks, or CloudEvents 1.0 in structured \
              mode. Both have the same header fields and signatures.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "allow",
        kind: Kind::Places,
        default: Otherwise {
            text: "the public internet",
            example: r#"["10.1.0.0/16", "*.svc.cluster.local"]"#,
        },
        since: "0.1.0",
        doc: "Networks and names that may be called besides the public internet. Wins over `deny`. \
              The addresses of a name that is allowed are not looked at.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "deny",
        kind: Kind::Places,
        default: Otherwise {
            text: "what is not on the public internet",
            example: r#"["198.41.0.0/24", "*.example.com"]"#,
        },
        since: "0.1.0",
        doc: "Networks and names that may not be called either. With `[\"0.0.0.0/0\", \"::/0\"]` \
              only what is allowed may.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "ports",
        kind: Kind::Ports,
        default: Is(r#"["80", "443", "1024-65535"]"#),
        since: "0.1.0",
        doc: "Ports that may be called.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "https_only",
        kind: Kind::Flag,
        default: Is("false"),
        since: "0.1.0",
        doc: "Whether URLs of `http` are refused.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "proxy",
        kind: Kind::Proxy,
        default: Otherwise {
            text: "receivers are called directly",
            example: r#""http://egress.internal:4750""#,
        },
        since: "0.1.0",
        doc: "An HTTP proxy through which every message goes (`CONNECT`). It resolves the names, so \
              it has to refuse those that lead where they must not; addresses in URLs are still \
              looked at here.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "ca_file",
        kind: Kind::File,
        default: Otherwise {
            text: "the system's certificates",
            example: r#""/etc/raincheck/receivers.pem""#,
        },
        since: "0.1.0",
        doc: "A PEM file of certificates that are trusted besides the system's.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "timeout",
        kind: Kind::Duration,
        default: Is(r#""20s""#),
        since: "0.1.0",
        doc: "How long a try may take, from resolving the name to the head of the answer.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "schedule",
        kind: Kind::Durations,
        default: Is(r#"["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"]"#),
        since: "0.1.0",
        doc: "The waits before the second try and the later ones, each spread by a fifth to either \
              side. `Retry-After` makes one longer.",
    },
    Key {
        section: SectionName::Webhooks,
        name: "concurrency",
        kind: Kind::Count,
        default: Is("1024"),
        since: "0.1.0",
        doc: "Tries in flight at once. As many again may be in flight that have waited for more \
              than 2s; beyond that such a try is given up.",
    },
    Key {
        section: SectionName::Callback,
        name: "header",
        kind: Kind::FieldName,
        default: Otherwise {
            text: "none",
            example: r#""Callback-Url""#,
        },
        since: "0.1.0",
        doc: "The header in which a caller names the URL. The upstream does not get it.",
    },
    Key {
        section: SectionName::Callback,
        name: "query",
        kind: Kind::Text,
        default: Otherwise {
            text: "none",
            example: r#""callback""#,
        },
        since: "0.1.0",
        doc: "The parameter of the query with the URL, percent-encoded.",
    },
    Key {
        section: SectionName::Callback,
        name: "json_pointer",
        kind: Kind::JsonPointer,
        default: Otherwise {
            text: "none",
            example: r#""/options/callback_url""#,
        },
        since: "0.1.0",
        doc: "The place of the URL in a JSON body of at most 1 MiB (RFC 6901).",
    },
];
