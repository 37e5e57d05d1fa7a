//! `[webhooks]`, and `callback` of a route.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use raincheck_core::callback::{MessageFormat, SigningKey};
use raincheck_core::egress::{Place, Rules};
use raincheck_core::policy::delivery::SCHEDULE;
use raincheck_core::route::{CallbackSource, Mode, Route};

use crate::error::{Code, Finding, Findings};
use crate::plan::Webhooks;
use crate::route;
use crate::section::{Given, Section};
use crate::value::{Choice, Count, JsonPointer, Ports, Positive, Proxy, Word};

/// `[webhooks]`.
pub(crate) fn read(section: &Section<'_>, findings: &mut Findings) -> Webhooks {
    let keys: Option<Given<Vec<SigningKey>>> = section.get("keys", findings);
    let format: Option<Given<Choice<MessageFormat>>> = section.get("format", findings);
    let allow: Option<Given<Vec<Place>>> = section.get("allow", findings);
    let deny: Option<Given<Vec<Place>>> = section.get("deny", findings);
    let ports: Option<Given<Ports>> = section.get("ports", findings);
    let https_only: Option<Given<bool>> = section.get("https_only", findings);
    let proxy: Option<Given<Proxy>> = section.get("proxy", findings);
    let ca_file: Option<Given<PathBuf>> = section.get("ca_file", findings);
    let timeout: Option<Given<Positive>> = section.get("timeout", findings);
    let schedule: Option<Given<Vec<Positive>>> = section.get("schedule", findings);
    let concurrency: Option<Given<Count<usize>>> = section.get("concurrency", findings);
    let rules = Rules::default();
    Webhooks {
        keys: keys.map(|given| given.value).unwrap_or_default(),
        format: format.map(|given| given.value.0).unwrap_or_default(),
        rules: Rules {
            allow: allow.map(|given| given.value).unwrap_or_default(),
            deny: deny.map(|given| given.value).unwrap_or_default(),
            ports: ports.map_or(rules.ports, |given| given.value.0),
            https_only: https_only.is_some_and(|given| given.value),
        },
        proxy: proxy.map(|given| given.value.0),
        ca_file: ca_file.map(|given| given.value),
        timeout: timeout.map_or(Duration::from_secs(20), |given| given.value.0),
        schedule: schedule.map_or(SCHEDULE.to_vec(), |given| {
            given.value.iter().map(|wait| wait.0).collect()
        }),
        concurrency: concurrency.map_or(1024, |given| given.value.0),
    }
}

/// `callback` of a route as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenCallback {
    header: Option<Given<HeaderName>>,
    query: Option<Given<String>>,
    json_pointer: Option<Given<JsonPointer>>,
}

impl WrittenCallback {
    pub(crate) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            header: section.get("header", findings),
            query: section.get("query", findings),
            json_pointer: section.get("json_pointer", findings),
        }
    }

    /// Where the URL is found; none: nowhere.
    pub(crate) fn resolve(&self) -> Option<Box<CallbackSource>> {
        let source = CallbackSource {
            header: self.header.as_ref().map(|given| given.value.clone()),
            query: self.query.as_ref().map(|given| given.value.clone()),
            json_pointer: self
                .json_pointer
                .as_ref()
                .map(|given| given.value.0.clone()),
        };
        (source != CallbackSource::default()).then(|| Box::new(source))
    }

    fn finding(&self, message: String) -> Finding {
        let places = [
            self.header.as_ref().map(|given| (&given.at, &given.key)),
            self.query.as_ref().map(|given| (&given.at, &given.key)),
            self.json_pointer
                .as_ref()
                .map(|given| (&given.at, &given.key)),
        ];
        let finding = Finding::error(Code::Conflict, message);
        match places.into_iter().flatten().next() {
            Some((at, key)) => finding.at(at).key(key),
            None => finding,
        }
    }
}

/// Whether a route may have its `callback`.
pub(crate) fn check(
    webhooks: &Webhooks,
    written: &route::Written,
    route: &Route,
    findings: &mut Findings,
) {
    if route.callback.is_none() {
        return;
    }
    if route.mode == Mode::Sync {
        let message = format!(
            "route '{}' is sync and makes no jobs, so nobody is told of their end",
            route.name
        );
        let help = "leave `callback` out, or set `mode = \"auto\"`";
        findings.push(written.callback.finding(message).help(help));
    } else if webhooks.keys.is_empty() {
        let message = format!(
            "route '{}' has a `callback`, and `webhooks.keys` has no key to sign messages with",
            route.name
        );
        let help = "add [webhooks] with `keys`: whsec_ and 32 random bytes in base64, such as from \
                    `openssl rand -base64 32`";
        findings.push(written.callback.finding(message).help(help));
    }
}

impl Word for MessageFormat {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "standard" => Some(Self::Standard),
            "cloudevents" => Some(Self::CloudEvents),
            _ => None,
        }
    }
}
