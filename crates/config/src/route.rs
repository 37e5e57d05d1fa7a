//! `[[route]]` and `[defaults]`: each key of a route as written, and the route it makes.

mod duplicates;
pub(crate) mod rewrite;
mod words;

use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_core::limits::KEEPALIVE_INTERVAL;
use raincheck_core::route::{
    Backends, HoldUntil, Keepalive, Mode, OnDisconnect, OnHold, Pattern, RetryOn, RetryPolicy,
    Route,
};

use crate::behind::Behind;
use crate::error::{Code, Finding, Findings};
use crate::keys::SectionName;
use crate::section::{Given, Layer, Section, Strength, check_names, table_list, top_table};
use crate::tree::{Node, Origin, Table, Value};
use crate::upstream::{Target, Upstreams};
use crate::value::{Choice, Count, OrNone, Positive, RateOrNone, Size, SizeOrNone};
use crate::webhooks::WrittenCallback;
use duplicates::WrittenDuplicates;
use rewrite::WrittenRewrite;
use words::{KeepaliveWord, OnHold as OnHoldWord, RetryWord};

/// A route as written: what was given, with its places.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) header: Option<Origin>,
    pub(crate) shown: String,
    pub(crate) name: Option<Given<RouteName>>,
    pub(crate) pattern: Option<Given<Pattern>>,
    pub(crate) upstream: Option<Given<Target>>,
    pub(crate) mode: Option<Given<Choice<Mode>>>,
    pub(crate) hold: Option<Given<Positive>>,
    pub(crate) hold_until: Option<Given<Choice<HoldUntil>>>,
    pub(crate) on_hold: Option<Given<Choice<OnHoldWord>>>,
    pub(crate) redirect_hold: Option<Given<Positive>>,
    pub(crate) keepalive: Option<Given<Choice<KeepaliveWord>>>,
    pub(crate) keepalive_interval: Option<Given<Positive>>,
    pub(crate) timeout: Option<Given<OrNone>>,
    pub(crate) connect_timeout: Option<Given<Positive>>,
    pub(crate) idle_timeout: Option<Given<OrNone>>,
    upgrade_idle_timeout: Option<Given<OrNone>>,
    pub(crate) deadline: Option<Given<OrNone>>,
    pub(crate) on_disconnect: Option<Given<Choice<OnDisconnect>>>,
    pub(crate) resume: Option<Given<bool>>,
    pub(crate) duplicates: WrittenDuplicates,
    pub(crate) concurrency: Option<Given<Count<u32>>>,
    pub(crate) queue: Option<Given<Count<u64>>>,
    pub(crate) retention: Option<Given<Positive>>,
    pub(crate) max_request: Option<Given<Size>>,
    pub(crate) max_response: Option<Given<SizeOrNone>>,
    rate: Option<Given<RateOrNone>>,
    pub(crate) retry: WrittenRetry,
    pub(crate) rewrite: WrittenRewrite,
    pub(crate) callback: WrittenCallback,
    /// Whether the route is made up because the config has none.
    pub(crate) implied: bool,
}

/// `retry` as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenRetry {
    pub(crate) attempts: Option<Given<Count<u32>>>,
    pub(crate) backoff: Option<Given<Duration>>,
    pub(crate) max_backoff: Option<Given<Duration>>,
    pub(crate) on: Option<Given<Vec<Choice<RetryWord>>>>,
    pub(crate) repeat_unsafe: Option<Given<bool>>,
}

/// Every route of a config. With none written, an upstream for all makes one that takes everything.
pub(crate) fn read(root: &Table, for_all: &Table, findings: &mut Findings) -> Vec<Written> {
    let empty = Table::default();
    let defaults = top_table(root, "defaults", findings).unwrap_or(&empty);
    let over = layer(for_all, "route.*", Strength::Override);
    let common = layer(defaults, "defaults", Strength::Defaults);
    check_names(SectionName::Route, &common, findings);
    // Read once on its own: a mistake in it counts even where every route overrides the key.
    Written::read(vec![common.clone()], findings);

    let mut routes = Vec::new();
    for (index, node) in nodes(root, findings).iter().enumerate() {
        let Value::Table(table) = &node.value else {
            continue;
        };
        let own = layer(table, &shown(table, index), Strength::Own);
        check_names(SectionName::Route, &own, findings);
        let mut route = Written::read(vec![over.clone(), own, common.clone()], findings);
        route.header = Some(node.at.clone());
        route.require(table, findings);
        routes.push(route);
    }
    if root.get("route").is_none() {
        routes.extend(implied(vec![over, common], findings));
    }
    routes
}

fn layer<'a>(table: &'a Table, shown: &str, strength: Strength) -> Layer<'a> {
    Layer {
        table,
        shown: shown.to_owned(),
        strength,
    }
}

/// How a route is called in key paths: by its name, or by its number from 1.
fn shown(table: &Table, index: usize) -> String {
    match table.get("name").map(|node| &node.value) {
        Some(Value::Text(name)) => format!("route.{name}"),
        _ => format!("route.{}", index + 1),
    }
}

/// The tables of `[[route]]`.
fn nodes<'a>(root: &'a Table, findings: &mut Findings) -> &'a [Node] {
    let list = table_list(root, "route", findings);
    if let Some(node) = root.get("route")
        && matches!(&node.value, Value::List(list) if list.is_empty())
    {
        findings.push(no_route().at(&node.at));
    }
    list
}

fn no_route() -> Finding {
    Finding::error(Code::Missing, "there is no route")
        .key("route")
        .help("add a [[route]] to the file, or say --upstream http://127.0.0.1:9000 for one that takes every request")
}

fn implied(layers: Vec<Layer<'_>>, findings: &mut Findings) -> Option<Written> {
    let said = layers
        .iter()
        .any(|layer| layer.table.get("upstream").is_some());
    if !said {
        findings.push(no_route());
        return None;
    }
    let mut route = Written::read(layers, findings);
    "route.default".clone_into(&mut route.shown);
    route.implied = true;
    Some(route)
}

impl Written {
    fn read(layers: Vec<Layer<'_>>, findings: &mut Findings) -> Self {
        let shown = layers.iter().find(|layer| layer.strength == Strength::Own);
        let shown = shown.map(|layer| layer.shown.clone()).unwrap_or_default();
        let section = Section {
            name: SectionName::Route,
            layers,
        };
        let retry = section.inner(SectionName::Retry, findings);
        let callback = section.inner(SectionName::Callback, findings);
        Self {
            header: None,
            shown,
            name: section.get("name", findings),
            pattern: section.get("match", findings),
            upstream: section.get("upstream", findings),
            mode: section.get("mode", findings),
            hold: section.get("hold", findings),
            hold_until: section.get("hold_until", findings),
            on_hold: section.get("on_hold", findings),
            redirect_hold: section.get("redirect_hold", findings),
            keepalive: section.get("keepalive", findings),
            keepalive_interval: section.get("keepalive_interval", findings),
            timeout: section.get("timeout", findings),
            connect_timeout: section.get("connect_timeout", findings),
            idle_timeout: section.get("idle_timeout", findings),
            upgrade_idle_timeout: section.get("upgrade_idle_timeout", findings),
            deadline: section.get("deadline", findings),
            on_disconnect: section.get("on_disconnect", findings),
            resume: section.get("resume", findings),
            duplicates: WrittenDuplicates::read(&section, findings),
            concurrency: section.get("concurrency", findings),
            queue: section.get("queue", findings),
            retention: section.get("retention", findings),
            max_request: section.get("max_request", findings),
            max_response: section.get("max_response", findings),
            rate: section.get("rate", findings),
            retry: WrittenRetry::read(&retry, findings),
            rewrite: WrittenRewrite::read(&section, findings),
            callback: WrittenCallback::read(&callback, findings),
            implied: false,
        }
    }

    /// Reports the keys that must be there. One that is there but wrong has been reported.
    fn require(&self, own: &Table, findings: &mut Findings) {
        let absent = |name: &str, given: bool| !given && own.get(name).is_none();
        let missing = [
            ("name", absent("name", self.name.is_some())),
            ("match", absent("match", self.pattern.is_some())),
            (
                "upstream",
                absent(
                    "upstream",
                    self.upstream.is_some() || self.rewrite.answers(),
                ),
            ),
        ];
        for (name, _) in missing.iter().filter(|(_, missing)| *missing) {
            let mut finding = Finding::error(Code::Missing, format!("a route has no `{name}`"))
                .at_option(self.header.as_ref())
                .key(format!("{}.{name}", self.shown));
            if let Some(key) = SectionName::Route.key(name) {
                finding = finding.expected(format!("`{name}`: {}", key.kind.expecting()));
            }
            findings.push(finding);
        }
    }

    /// The route that holds; none if something it cannot be without is missing.
    pub(crate) fn resolve(&self, behind: Option<Behind>, upstreams: &Upstreams) -> Option<Route> {
        self.resolve_to(behind, self.backends(upstreams)?)
    }

    /// The same for checks, which a missing or bad upstream does not keep from the rest.
    pub(crate) fn sketch(&self, behind: Option<Behind>, upstreams: &Upstreams) -> Option<Route> {
        let backends = self.backends(upstreams).unwrap_or(Backends::Nobody);
        self.resolve_to(behind, backends)
    }

    fn backends(&self, upstreams: &Upstreams) -> Option<Backends> {
        match &self.upstream {
            Some(given) => upstreams.find(&given.value),
            None => self.rewrite.answers().then_some(Backends::Nobody),
        }
    }

    fn resolve_to(&self, behind: Option<Behind>, upstream: Backends) -> Option<Route> {
        let name = match (&self.name, self.implied) {
            (Some(given), _) => given.value.clone(),
            (None, true) => "default".parse().ok()?,
            (None, false) => return None,
        };
        let pattern = match (&self.pattern, self.implied) {
            (Some(given), _) => given.value.clone(),
            (None, true) => Pattern::everything(),
            (None, false) => return None,
        };
        let rewrite = self.rewrite.resolve(&pattern);
        let mut route = Route::new(name, pattern, upstream);
        route.rewrite = rewrite;
        route.callback = self.callback.resolve();
        set(&mut route.mode, &self.mode, |mode| mode.0);
        route.timeout = Some(route.mode.timeout());
        set(&mut route.timeout, &self.timeout, |timeout| timeout.0);
        route.idle_timeout = route.timeout;
        if let Some(behind) = behind {
            route.hold = behind.hold();
            route.hold_until = behind.hold_until();
        }
        set(&mut route.hold, &self.hold, |hold| hold.0);
        set(&mut route.hold_until, &self.hold_until, |until| until.0);
        let longest = self.redirect_hold.as_ref().map(|given| given.value.0);
        let longest = longest.unwrap_or(route.hold);
        set(&mut route.on_hold, &self.on_hold, |word| match word.0 {
            OnHoldWord::Ticket => OnHold::Ticket,
            OnHoldWord::Redirect => OnHold::Redirect { longest },
        });
        let interval = self.keepalive_interval.as_ref().map(|given| given.value.0);
        let interval = interval.unwrap_or(KEEPALIVE_INTERVAL);
        set(&mut route.keepalive, &self.keepalive, |word| match word.0 {
            KeepaliveWord::None => None,
            KeepaliveWord::By(filler) => Some(Keepalive { filler, interval }),
        });
        set(&mut route.connect_timeout, &self.connect_timeout, |t| t.0);
        set(&mut route.idle_timeout, &self.idle_timeout, |idle| idle.0);
        set(&mut route.upgrade_idle, &self.upgrade_idle_timeout, |t| t.0);
        set(&mut route.deadline, &self.deadline, |deadline| deadline.0);
        set(&mut route.on_disconnect, &self.on_disconnect, |on| on.0);
        set(&mut route.resume, &self.resume, |resume| resume);
        route.resume &= route.mode != Mode::Async && route.hold_until == HoldUntil::Head;
        let on_disconnect = self.on_disconnect.as_ref().map(|given| given.value.0);
        route.duplicates = self.duplicates.resolve(on_disconnect);
        set(&mut route.concurrency, &self.concurrency, |count| count.0);
        set(&mut route.queue, &self.queue, |count| count.0);
        set(&mut route.retention, &self.retention, |time| time.0);
        set(&mut route.max_request, &self.max_request, |size| size.0);
        set(&mut route.max_response, &self.max_response, |size| size.0);
        set(&mut route.rate, &self.rate, |rate| rate.0);
        route.retry = self.retry.resolve();
        Some(route)
    }
}

/// Puts what was given in the place of the default.
fn set<T, G: Clone>(place: &mut T, given: &Option<Given<G>>, value: impl Fn(G) -> T) {
    if let Some(given) = given {
        *place = value(given.value.clone());
    }
}

impl WrittenRetry {
    fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            attempts: section.get("attempts", findings),
            backoff: section.get("backoff", findings),
            max_backoff: section.get("max_backoff", findings),
            on: section.get("on", findings),
            repeat_unsafe: section.get("unsafe", findings),
        }
    }

    /// A bound that was not given gives way to one that was.
    fn resolve(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        let backoff = self.backoff.as_ref().map(|given| given.value);
        let max = self.max_backoff.as_ref().map(|given| given.value);
        let (backoff, max_backoff) = match (backoff, max) {
            (Some(backoff), Some(max)) => (backoff, max),
            (Some(backoff), None) => (backoff, backoff.max(default.max_backoff)),
            (None, Some(max)) => (default.backoff.min(max), max),
            (None, None) => (default.backoff, default.max_backoff),
        };
        RetryPolicy {
            attempts: self
                .attempts
                .as_ref()
                .map_or(default.attempts, |given| given.value.0),
            backoff,
            max_backoff,
            on: self
                .on
                .as_ref()
                .map_or(default.on, |given| retry_on(&given.value)),
            repeat_unsafe: self
                .repeat_unsafe
                .as_ref()
                .map_or(default.repeat_unsafe, |given| given.value),
        }
    }
}

fn retry_on(words: &[Choice<RetryWord>]) -> RetryOn {
    let has = |word| words.iter().any(|choice| choice.0 == word);
    RetryOn {
        connect: has(RetryWord::Connect),
        timeout: has(RetryWord::Timeout),
        server_error: has(RetryWord::ServerError),
        too_many: has(RetryWord::TooMany),
    }
}
