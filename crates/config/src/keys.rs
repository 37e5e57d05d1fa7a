//! Every key there is: name, kind, default, meaning, since when. The parser takes a key if and only
//! if it stands here, and the printed documentation is made from here; tests hold both to it.

mod kind;
mod table;

pub use kind::Kind;
pub use table::KEYS;

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The section.
    pub section: SectionName,
    /// Its name in the section.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds when it is not written.
    pub default: Fallback,
    /// The version that brought it.
    pub since: &'static str,
    /// What it means, in one sentence or two.
    pub doc: &'static str,
}

/// What holds when a key is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, as TOML.
    Is(&'static str),
    /// Something that depends on other keys or is no value at all.
    Otherwise {
        /// In words.
        text: &'static str,
        /// A value that could be written, as TOML.
        example: &'static str,
    },
    /// Nothing: it must be written.
    Required {
        /// A value that could be written, as TOML.
        example: &'static str,
    },
}

/// A section of a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionName {
    /// `[server]`
    Server,
    /// `[[server.listen]]`
    Listener,
    /// `tls` of a listener
    Certificate,
    /// `[admin]`
    Admin,
    /// `[store]`
    Store,
    /// `[log]`
    Log,
    /// `[limits]`
    Limits,
    /// `[webhooks]`
    Webhooks,
    /// Each `[[upstream]]`
    Upstream,
    /// `eject` of an upstream
    Eject,
    /// `health` of an upstream
    Health,
    /// `[defaults]` and each `[[route]]`
    Route,
    /// `retry` of a route
    Retry,
    /// `callback` of a route
    Callback,
    /// `request_headers` of a route
    RequestHeaders,
    /// `response_headers` of a route
    ResponseHeaders,
    /// `redirect` of a route
    Redirect,
    /// `respond` of a route
    Respond,
    /// `cors` of a route or of `[server]`
    Cors,
}

impl SectionName {
    /// Every section in the order of the documentation.
    pub const ALL: [Self; 19] = [
        Self::Server,
        Self::Listener,
        Self::Certificate,
        Self::Admin,
        Self::Store,
        Self::Log,
        Self::Limits,
        Self::Webhooks,
        Self::Upstream,
        Self::Eject,
        Self::Health,
        Self::Route,
        Self::Retry,
        Self::Callback,
        Self::RequestHeaders,
        Self::ResponseHeaders,
        Self::Redirect,
        Self::Respond,
        Self::Cors,
    ];

    /// Its name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Listener => "listen",
            Self::Certificate => "tls",
            Self::Admin => "admin",
            Self::Store => "store",
            Self::Log => "log",
            Self::Limits => "limits",
            Self::Webhooks => "webhooks",
            Self::Upstream => "upstream",
            Self::Eject => "eject",
            Self::Health => "health",
            Self::Route => "route",
            Self::Retry => "retry",
            Self::Callback => "callback",
            Self::RequestHeaders => "request_headers",
            Self::ResponseHeaders => "response_headers",
            Self::Redirect => "redirect",
            Self::Respond => "respond",
            Self::Cors => "cors",
        }
    }

    /// Whether it is a table that does something by being there: none is there unless it is
    /// written.
    pub fn is_optional(self) -> bool {
        match self {
            Self::RequestHeaders
            | Self::ResponseHeaders
            | Self::Redirect
            | Self::Respond
            | Self::Cors => true,
            Self::Server
            | Self::Admin
            | Self::Store
            | Self::Log
            | Self::Limits
            | Self::Webhooks
            | Self::Callback
            | Self::Listener
            | Self::Certificate
            | Self::Upstream
            | Self::Eject
            | Self::Health
            | Self::Route
            | Self::Retry => false,
        }
    }

    /// Its keys in the order of the documentation.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self)
    }

    /// The key with this name.
    pub fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// What may stand at the top of a file.
pub(crate) const TOP: [&str; 9] = [
    "server", "admin", "store", "log", "limits", "webhooks", "upstream", "defaults", "route",
];

/// Keys of a route that say which requests it is for: not for `[defaults]`.
pub(crate) const OWN: [&str; 2] = ["name", "match"];

/// Keys that the design has and this version has not.
pub(crate) fn unsupported(section: SectionName, name: &str) -> bool {
    match section {
        SectionName::Route => {
            matches!(name, "cache" | "auth")
        }
        SectionName::Server
        | SectionName::Admin
        | SectionName::Listener
        | SectionName::Certificate
        | SectionName::Store
        | SectionName::Log
        | SectionName::Limits
        | SectionName::Webhooks
        | SectionName::Callback
        | SectionName::Upstream
        | SectionName::Eject
        | SectionName::Health
        | SectionName::Retry
        | SectionName::RequestHeaders
        | SectionName::ResponseHeaders
        | SectionName::Redirect
        | SectionName::Respond
        | SectionName::Cors => false,
    }
}

/// The name that is most like the one written, if one is like it at all.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| {
            let plain = name.to_ascii_lowercase().replace('-', "_");
            (strsim::jaro_winkler(&written, &plain), name)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
