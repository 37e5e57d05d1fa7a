//! What a route changes, as written, and what it comes to.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use ipnet::IpNet;
use raincheck_core::rewrite::cors::Origins;
use raincheck_core::rewrite::redirect::RedirectError;
use raincheck_core::rewrite::{
    Access, Coding, Cors, FieldRules, Fixed, HostRule, Prefix, Redirect, Rewrite,
};
use raincheck_core::route::Pattern;

use crate::error::Findings;
use crate::keys::SectionName;
use crate::section::{Given, Section};
use crate::tree::Origin;
use crate::value::{
    Choice, Fields, Methods, NamesOrAll, Prefix as WrittenPrefix, RedirectStatus, RuleNames,
    Status, Word,
};

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The keys of a route that change something, as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenRewrite {
    pub(crate) strip_prefix: Option<Given<WrittenPrefix>>,
    add_prefix: Option<Given<WrittenPrefix>>,
    host: Option<Given<HostRule>>,
    request: WrittenFields,
    response: WrittenFields,
    allow: Option<Given<Vec<IpNet>>>,
    deny: Option<Given<Vec<IpNet>>>,
    compress: Option<Given<Vec<Choice<Coding>>>>,
    pub(crate) redirect: WrittenRedirect,
    pub(crate) respond: WrittenRespond,
    pub(crate) cors: WrittenCors,
}

/// `request_headers` or `response_headers` as written.
#[derive(Debug, Default)]
struct WrittenFields {
    set: Option<Given<Fields>>,
    add: Option<Given<Fields>>,
    remove: Option<Given<RuleNames>>,
}

/// `redirect` as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenRedirect {
    /// The table's place, where there is one.
    pub(crate) at: Option<Origin>,
    /// Whether nobody said where to.
    pub(crate) is_silent: bool,
    pub(crate) to: Option<Given<String>>,
    status: Option<Given<RedirectStatus>>,
}

/// `respond` as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenRespond {
    /// The table's place, where there is one.
    pub(crate) at: Option<Origin>,
    status: Option<Given<Status>>,
    pub(crate) body: Option<Given<String>>,
    pub(crate) file: Option<Given<PathBuf>>,
    headers: Option<Given<Fields>>,
}

/// `cors` as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenCors {
    /// The table's place, where there is one.
    pub(crate) at: Option<Origin>,
    /// How its keys are called in messages.
    pub(crate) shown: String,
    /// Whether nobody said which origins.
    pub(crate) is_silent: bool,
    pub(crate) origins: Option<Given<Origins>>,
    methods: Option<Given<Methods>>,
    headers: Option<Given<NamesOrAll>>,
    expose: Option<Given<NamesOrAll>>,
    pub(crate) credentials: Option<Given<bool>>,
    max_age: Option<Given<Duration>>,
}

impl WrittenRewrite {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        let request = section.inner(SectionName::RequestHeaders, findings);
        let response = section.inner(SectionName::ResponseHeaders, findings);
        Self {
            strip_prefix: section.get("strip_prefix", findings),
            add_prefix: section.get("add_prefix", findings),
            host: section.get("host", findings),
            request: WrittenFields::read(&request, findings),
            response: WrittenFields::read(&response, findings),
            allow: section.get("allow", findings),
            deny: section.get("deny", findings),
            compress: section.get("compress", findings),
            redirect: WrittenRedirect::read(section, findings),
            respond: WrittenRespond::read(section, findings),
            cors: WrittenCors::read(section, findings),
        }
    }

    /// Whether no request needs an upstream.
    pub(crate) fn answers(&self) -> bool {
        self.redirect.at.is_some() || self.respond.at.is_some()
    }

    /// What it comes to; none: nothing is changed.
    pub(crate) fn resolve(&self, pattern: &Pattern) -> Option<Box<Rewrite>> {
        let list = |given: &Option<Given<Vec<IpNet>>>| {
            given.as_ref().map(|g| g.value.clone()).unwrap_or_default()
        };
        let codings = |codes: &[Choice<Coding>]| codes.iter().map(|code| code.0).collect();
        let rewrite = Rewrite {
            access: Access {
                allow: list(&self.allow),
                deny: list(&self.deny),
            },
            prefix: self.prefix(pattern),
            host: self
                .host
                .as_ref()
                .map(|g| g.value.clone())
                .unwrap_or_default(),
            request_fields: self.request.resolve(),
            response_fields: self.response.resolve(),
            cors: self.cors.resolve(),
            compress: self
                .compress
                .as_ref()
                .map_or_else(Vec::new, |g| codings(&g.value)),
            redirect: self.redirect.resolve(pattern).and_then(Result::ok),
            respond: self.respond.resolve(),
        };
        (rewrite != Rewrite::default()).then(|| Box::new(rewrite))
    }

    fn prefix(&self, pattern: &Pattern) -> Prefix {
        let text = |given: &Option<Given<WrittenPrefix>>| given.as_ref().map(|g| g.value.0.clone());
        let strip = text(&self.strip_prefix);
        Prefix {
            strip: strip
                .and_then(|prefix| pattern.segments_of_prefix(&prefix))
                .unwrap_or(0),
            add: text(&self.add_prefix).unwrap_or_default(),
        }
    }
}

impl WrittenFields {
    fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            set: section.get("set", findings),
            add: section.get("add", findings),
            remove: section.get("remove", findings),
        }
    }

    fn resolve(&self) -> FieldRules {
        let list = |given: &Option<Given<Fields>>| given.as_ref().map(|g| g.value.0.clone());
        FieldRules {
            remove: self
                .remove
                .as_ref()
                .map(|g| g.value.0.clone())
                .unwrap_or_default(),
            set: list(&self.set).unwrap_or_default(),
            add: list(&self.add).unwrap_or_default(),
        }
    }
}

impl WrittenRedirect {
    fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        let inner = section.inner(SectionName::Redirect, findings);
        Self {
            at: section.place("redirect"),
            is_silent: inner.place("to").is_none(),
            to: inner.get("to", findings),
            status: inner.get("status", findings),
        }
    }

    /// The redirect, if one is written as far as that.
    pub(crate) fn resolve(&self, pattern: &Pattern) -> Option<Result<Redirect, RedirectError>> {
        let status = self.status.as_ref().map_or(307, |given| given.value.0);
        let to = self.to.as_ref()?;
        Some(Redirect::new(&to.value, status, pattern))
    }
}

impl WrittenRespond {
    fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        let inner = section.inner(SectionName::Respond, findings);
        Self {
            at: section.place("respond"),
            status: inner.get("status", findings),
            body: inner.get("body", findings),
            file: inner.get("file", findings),
            headers: inner.get("headers", findings),
        }
    }

    fn resolve(&self) -> Option<Fixed> {
        self.at.as_ref()?;
        let mut fields = self
            .headers
            .as_ref()
            .map_or_else(HeaderMap::new, |g| g.value.map());
        let file = self.file.as_ref().map(|given| given.value.clone());
        let kind = match (&file, &self.body) {
            (Some(file), _) => Some(media_type(file.extension().and_then(|e| e.to_str()))),
            (None, Some(_)) => Some("text/plain; charset=utf-8"),
            (None, None) => None,
        };
        if let Some(kind) = kind {
            let kind = HeaderValue::from_static(kind);
            fields.entry(CONTENT_TYPE).or_insert(kind);
        }
        Some(Fixed {
            status: self.status.as_ref().map_or(200, |given| given.value.0),
            fields,
            body: self
                .body
                .as_ref()
                .map(|g| g.value.clone().into())
                .unwrap_or_default(),
            file,
        })
    }
}

/// The media type of a file, by how its name ends.
fn media_type(extension: Option<&str>) -> &'static str {
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

impl WrittenCors {
    /// Reads `cors` of a section that has it.
    pub(crate) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        let inner = section.inner(SectionName::Cors, findings);
        Self {
            at: section.place("cors"),
            shown: inner
                .layers
                .first()
                .map(|layer| layer.shown.clone())
                .unwrap_or_default(),
            is_silent: inner.place("origins").is_none(),
            origins: inner.get("origins", findings),
            methods: inner.get("methods", findings),
            headers: inner.get("headers", findings),
            expose: inner.get("expose", findings),
            credentials: inner.get("credentials", findings),
            max_age: inner.get("max_age", findings),
        }
    }

    /// The rules, if there are any.
    pub(crate) fn resolve(&self) -> Option<Cors> {
        let names = |given: &Option<Given<NamesOrAll>>| given.as_ref().map(|g| g.value.0.clone());
        Some(Cors {
            origins: self.origins.as_ref()?.value.clone(),
            methods: self
                .methods
                .as_ref()
                .map(|g| g.value.0.clone())
                .unwrap_or_default(),
            headers: names(&self.headers).flatten(),
            expose: names(&self.expose).flatten().unwrap_or_default(),
            credentials: self.credentials.as_ref().is_some_and(|given| given.value),
            max_age: self.max_age.as_ref().map_or(MAX_AGE, |given| given.value),
        })
    }
}

impl Word for Coding {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Zstd, Self::Gzip]
            .into_iter()
            .find(|coding| coding.as_str() == word)
    }
}
