//! What a key takes, in words.

use crate::units;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Listeners, one or several.
    Listeners,
    /// A listener or `"off"`.
    ListenerOrOff,
    /// Where a listener is.
    Address,
    /// The permissions of a file.
    FileMode,
    /// Certificates, one or several.
    Certificates,
    /// A directory.
    Directory,
    /// A prefix of URL paths.
    UrlPath,
    /// The URL of a site.
    PublicUrl,
    /// What does a route's work: the name of an `[[upstream]]`, or URLs of servers.
    Upstreams,
    /// The name of an upstream.
    UpstreamName,
    /// A file.
    File,
    /// A host name or address.
    HostName,
    /// The URLs of servers, at least one.
    Servers,
    /// Whole numbers of at least one.
    Counts,
    /// A path, maybe with a query.
    Target,
    /// A status code, or a range of them.
    StatusRange,
    /// Networks of clients, one or several.
    Clients,
    /// Networks, one or several.
    Networks,
    /// Names of header fields.
    HeaderNames,
    /// A route's name.
    Name,
    /// What a route matches.
    Pattern,
    /// A duration above zero.
    Duration,
    /// A duration, maybe zero.
    DurationOrZero,
    /// A duration above zero or `"none"`.
    DurationOrNone,
    /// A number of bytes.
    Size,
    /// A number of bytes or `"none"`.
    SizeOrNone,
    /// Requests per second, minute or hour, or `"none"`.
    RateOrNone,
    /// A number of bytes for a request head.
    HeadSize,
    /// A whole number of at least one.
    Count,
    /// A whole number of at least one, or `"none"`.
    CountOrNone,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words.
    Choices(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// A table with keys of its own, such as this one.
    Table(&'static str),
    /// A path prefix, as the route's pattern may have it.
    Prefix,
    /// `"preserve"`, `"upstream"` or a host.
    Host,
    /// A table of field names and values.
    Fields,
    /// Field names.
    FieldNames,
    /// Field names, or `"*"`.
    FieldNamesOrAll,
    /// A place with placeholders.
    Place,
    /// One of the statuses of a redirect.
    RedirectStatus,
    /// The status of an answer.
    Status,
    /// Any text.
    Text,
    /// Origins, or `"*"`.
    Origins,
    /// Methods.
    Methods,
    /// Keys to sign with.
    SigningKeys,
    /// Networks and names.
    Places,
    /// Ports and ranges of them.
    Ports,
    /// Durations above zero.
    Durations,
    /// The URL of an HTTP proxy.
    Proxy,
    /// The name of a header field.
    FieldName,
    /// A place in a JSON document.
    JsonPointer,
}

const PLACE: &str = "a path or URL, maybe with {host}, {uri}, {query} and placeholders of `match`";
const ORIGINS: &str =
    r#"origins such as ["https://app.example.com", "https://*.example.com"], or ["*"]"#;

impl Kind {
    /// What would be right, as in "expected ...".
    pub fn expecting(self) -> String {
        match self {
            Self::Listeners => {
                r#"an address such as "0.0.0.0:8080" or "unix:/run/raincheck.sock", a table with the keys of a listener, or an array of them"#.into()
            }
            Self::ListenerOrOff => {
                r#"an address such as "127.0.0.1:9090", a table with the keys of a listener, or "off""#.into()
            }
            Self::Address => {
                r#"an address such as "0.0.0.0:8080", "[::]:8080", "unix:/run/raincheck.sock" or "fd:raincheck.socket""#.into()
            }
            Self::Certificates => {
                "a table such as { certificate = \"site.pem\", key = \"site.key\" }, or an array of them"
                    .into()
            }
            Self::FileMode => r#"octal permissions such as "0660""#.into(),
            Self::UpstreamName => "1 to 64 letters, digits, '-', '_' or '.'".into(),
            Self::Servers => {
                r#"an array of URLs of scheme, host and maybe port, such as ["http://127.0.0.1:9000"], or of Unix sockets, such as ["unix:/run/app.sock"]"#.into()
            }
            Self::File => r#"a file such as "/etc/raincheck/ca.pem""#.into(),
            Self::HostName => r#"a host name such as "app.internal""#.into(),
            Self::Counts => "an array of whole numbers of at least 1".into(),
            Self::Target => r#"a path such as "/health""#.into(),
            Self::StatusRange => r#"a status code or a range such as "200-399""#.into(),
            Self::Table(example) => format!("a table such as {example}"),
            Self::Directory => r#"a directory such as "raincheck-data""#.into(),
            Self::UrlPath => {
                r#"a path such as "/jobs", not the root, without a slash at its end"#.into()
            }
            Self::PublicUrl => r#"a URL such as "https://api.example.com""#.into(),
            Self::Upstreams => {
                r#"a URL of scheme, host and maybe port, such as "http://127.0.0.1:9000" or "unix:/run/app.sock", an array of them, or the name of an [[upstream]]"#.into()
            }
            Self::Clients => r#"networks such as ["10.0.0.0/8", "192.0.2.7"]"#.into(),
            Self::Networks => r#"networks such as ["10.0.0.0/8", "192.0.2.7", "unix"]"#.into(),
            Self::HeaderNames => {
                r#"names of header fields such as ["content-type"], or one of them"#.into()
            }
            Self::Name => "1 to 64 letters, digits, '-', '_' or '.'".into(),
            Self::Pattern => {
                r#""[METHOD[,METHOD]] [host]/path", such as "POST /render/{*path}""#.into()
            }
            Self::Duration => format!("{}, above zero", units::DURATION),
            Self::DurationOrZero => units::DURATION.into(),
            Self::DurationOrNone => format!(r#"{}, or "none""#, units::DURATION),
            Self::Size => units::SIZE.into(),
            Self::SizeOrNone => format!(r#"{}, or "none""#, units::SIZE),
            Self::RateOrNone => r#"a rate such as "100/s", "600/m" or "5000/h", or "none""#.into(),
            Self::HeadSize => r#"a size from "8 KiB" to "1 MiB""#.into(),
            Self::Count => "a whole number of at least 1".into(),
            Self::CountOrNone => r#"a whole number of at least 1, or "none""#.into(),
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::Choices(words) => format!("an array of some of {}", quoted(words)),
            Self::Flag => "true or false".into(),
            Self::Prefix => {
                r#"a path such as "/api", not the root, without a slash at its end"#.into()
            }
            Self::Host => r#""preserve", "upstream", or a host such as "app.internal""#.into(),
            Self::Fields => r#"a table such as { X-Environment = "test" }"#.into(),
            Self::FieldNames => r#"header names such as ["X-Powered-By"]"#.into(),
            Self::FieldNamesOrAll => r#"header names such as ["X-Token"], or ["*"]"#.into(),
            Self::Place => PLACE.into(),
            Self::Origins => ORIGINS.into(),
            Self::Methods => r#"methods such as ["GET", "PUT"]"#.into(),
            other => other.expecting_more().into(),
        }
    }

    /// The same of the kinds that are left: short texts, and what webhooks take.
    fn expecting_more(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Status => "a status from 200 to 599",
            Self::RedirectStatus => "301, 302, 303, 307 or 308",
            Self::SigningKeys => {
                "keys such as \"whsec_\" or \"whsk_\" and base64, one or an array of them"
            }
            Self::Places => r#"networks and names such as ["10.1.0.0/16", "*.internal"]"#,
            Self::Ports => r#"ports and ranges such as ["443", "8000-8999"]"#,
            Self::Durations => r#"durations such as ["5s", "5m", "1h"]"#,
            Self::Proxy => r#"a URL such as "http://egress.internal:4750""#,
            Self::FieldName => r#"the name of a header field such as "Callback-Url""#,
            _ => r#"a place such as "/options/callback_url""#,
        }
    }

    /// A short name for tables.
    pub fn label(self) -> String {
        match self {
            Self::Listeners => "listener or listeners".into(),
            Self::ListenerOrOff => "listener or `\"off\"`".into(),
            Self::Address => "address".into(),
            Self::FileMode => "octal permissions".into(),
            Self::Certificates => "table or tables".into(),
            Self::Directory => "directory".into(),
            Self::UrlPath => "path".into(),
            Self::PublicUrl => "URL".into(),
            Self::Upstreams => "URL or URLs, or name".into(),
            Self::UpstreamName => "name".into(),
            Self::Servers => "URLs".into(),
            Self::File => "file".into(),
            Self::HostName => "host name".into(),
            Self::Counts => "whole numbers".into(),
            Self::Target => "path".into(),
            Self::StatusRange => "status codes".into(),
            Self::Table(_) => "table".into(),
            Self::Clients | Self::Networks => "network or networks".into(),
            Self::HeaderNames => "names of header fields".into(),
            Self::Name => "name".into(),
            Self::Pattern => "pattern".into(),
            Self::Duration | Self::DurationOrZero => "duration".into(),
            Self::DurationOrNone => "duration or `\"none\"`".into(),
            Self::Size | Self::HeadSize => "bytes".into(),
            Self::SizeOrNone => "bytes or `\"none\"`".into(),
            Self::RateOrNone => "rate or `\"none\"`".into(),
            Self::Count => "whole number".into(),
            Self::CountOrNone => "whole number or `\"none\"`".into(),
            Self::Choice(words) => format!("`{}`", quoted(words)),
            Self::Choices(words) => format!("some of `{}`", quoted(words)),
            Self::Flag => "`true` or `false`".into(),
            Self::Prefix => "path".into(),
            Self::Host => "`\"preserve\"`, `\"upstream\"` or a host".into(),
            Self::Fields => "names and values".into(),
            Self::FieldNames => "header names".into(),
            Self::FieldNamesOrAll => "header names or `[\"*\"]`".into(),
            Self::Place => "path or URL".into(),
            Self::RedirectStatus | Self::Status => "status".into(),
            Self::Text => "text".into(),
            Self::Origins => "origins or `[\"*\"]`".into(),
            Self::Methods => "methods".into(),
            Self::SigningKeys => "key or keys".into(),
            Self::Places => "networks and names".into(),
            Self::Ports => "ports".into(),
            Self::Durations => "durations".into(),
            Self::Proxy => "URL".into(),
            Self::FieldName => "name of a header field".into(),
            Self::JsonPointer => "place".into(),
        }
    }

    /// The words it takes, if it takes words.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Choice(words) | Self::Choices(words) => words,
            _ => &[],
        }
    }
}

fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ")
}
