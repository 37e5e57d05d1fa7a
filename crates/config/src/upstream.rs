//! `[[upstream]]`: servers by a name, and what a route's `upstream` means.

mod reach;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_core::route::upstream::{EjectOn, Ejection, HealthCheck};
use raincheck_core::route::{Backends, Group, Member, Upstream};

use crate::error::{Code, Finding, Findings};
use crate::keys::{self, SectionName};
use crate::route;
use crate::section::{Given, Layer, Section, Strength, check_names, table_list};
use crate::tree::{Table, Value};
use crate::value::{Choice, Count, PathOnly, Positive, StatusRange, Word};
use reach::Reached;

/// What a route says of where its work is done.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// These servers.
    Servers(Vec<Upstream>),
    /// Those of an `[[upstream]]`.
    Named(String),
}

/// Every upstream that has a name.
#[derive(Debug, Default)]
pub(crate) struct Upstreams(Vec<(Given<RouteName>, Option<Backends>)>);

/// A kind of failure in `eject.on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EjectWord {
    Connect,
    Timeout,
    ServerError,
}

impl Word for EjectWord {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "connect" => Some(Self::Connect),
            "timeout" => Some(Self::Timeout),
            "5xx" => Some(Self::ServerError),
            _ => None,
        }
    }
}

/// Reads every `[[upstream]]`.
pub(crate) fn read(root: &Table, findings: &mut Findings) -> Upstreams {
    let mut all = Upstreams::default();
    for (index, node) in table_list(root, "upstream", findings).iter().enumerate() {
        let Value::Table(table) = &node.value else {
            continue;
        };
        let shown = match table.get("name").map(|node| &node.value) {
            Some(Value::Text(name)) => format!("upstream.{name}"),
            _ => format!("upstream.{}", index + 1),
        };
        let layer = Layer {
            table,
            shown: shown.clone(),
            strength: Strength::Own,
        };
        check_names(SectionName::Upstream, &layer, findings);
        let section = Section {
            name: SectionName::Upstream,
            layers: vec![layer],
        };
        for name in ["name", "servers"] {
            if table.get(name).is_none() {
                let missing = format!("an upstream has no `{name}`");
                let finding = Finding::error(Code::Missing, missing).at(&node.at);
                findings.push(finding.key(format!("{shown}.{name}")));
            }
        }
        all.add(&section, findings);
    }
    all
}

impl Upstreams {
    fn add(&mut self, section: &Section<'_>, findings: &mut Findings) {
        let name: Option<Given<RouteName>> = section.get("name", findings);
        let servers = section.get("servers", findings);
        let weights = section.get("weights", findings);
        let reach = Reached::read(section, findings);
        let slow_start: Option<Given<Duration>> = section.get("slow_start", findings);
        let ejection = ejection(section, findings);
        let health = health(section, findings);
        let Some(name) = name else { return };
        if let Some((first, _)) = self.0.iter().find(|(other, _)| other.value == name.value) {
            let message = format!("there are two upstreams named '{}'", name.value);
            let finding = Finding::error(Code::Conflict, message).about(&name);
            findings.push(finding.related(Some(&first.at), "the earlier upstream"));
        }
        let members = servers.and_then(|servers| members(servers, weights, findings));
        let members = members.map(|members| reach.apply(members, findings));
        let backends = members.map(|members| {
            let mut group = Group::new(name.value.as_str(), members);
            if let Some(slow_start) = slow_start {
                group.slow_start = slow_start.value;
            }
            group.health = health;
            // Where there is no other server, trying is better than refusing.
            let several = group.members.len() > 1;
            group.ejection = ejection.or(several.then(Ejection::default));
            Backends::Group(Arc::new(group))
        });
        self.0.push((name, backends));
    }

    /// The servers that a route means; none where that was reported.
    pub(crate) fn find(&self, target: &Target) -> Option<Backends> {
        match target {
            Target::Servers(servers) => Some(of_servers(servers)),
            Target::Named(name) => {
                let mut known = self.0.iter();
                let (_, found) = known.find(|(known, _)| known.value.as_str() == name)?;
                found.clone()
            }
        }
    }

    /// Reports the routes whose upstream has no `[[upstream]]`.
    pub(crate) fn check(&self, routes: &[route::Written], findings: &mut Findings) {
        let known = || self.0.iter().map(|(name, _)| name.value.as_str());
        for given in routes.iter().filter_map(|route| route.upstream.as_ref()) {
            let Target::Named(name) = &given.value else {
                continue;
            };
            if known().any(|known| known == name) {
                continue;
            }
            let message = format!("there is no [[upstream]] named '{name}'");
            let finding = Finding::error(Code::BadValue, message)
                .about(given)
                .nearest(keys::nearest(name, known()));
            findings.push(finding.help("a URL begins with http:// or https://"));
        }
    }
}

/// Servers without a name of their own.
fn of_servers(servers: &[Upstream]) -> Backends {
    if let [one] = servers {
        return one.clone().into();
    }
    let urls: Vec<String> = servers.iter().map(Upstream::url).collect();
    let members = servers.iter().cloned().map(|upstream| Member {
        upstream,
        weight: 1,
    });
    Backends::Group(Arc::new(Group::new(urls.join(","), members.collect())))
}

fn members(
    servers: Given<Vec<Upstream>>,
    weights: Option<Given<Vec<Count<u16>>>>,
    findings: &mut Findings,
) -> Option<Vec<Member>> {
    let count = servers.value.len();
    if let Some(weights) = &weights
        && weights.value.len() != count
    {
        let found = weights.value.len();
        let message = format!("there are {count} servers and {found} weights");
        let finding = Finding::error(Code::Conflict, message).about(weights);
        findings.push(finding.related(Some(&servers.at), "the servers"));
        return None;
    }
    let weights = weights.map_or_else(|| vec![Count(1); count], |given| given.value);
    let member = |(upstream, weight): (Upstream, Count<u16>)| Member {
        upstream,
        weight: u32::from(weight.0),
    };
    Some(servers.value.into_iter().zip(weights).map(member).collect())
}

/// `eject` as written; none where it is not.
fn ejection(section: &Section<'_>, findings: &mut Findings) -> Option<Ejection> {
    let eject = section.inner(SectionName::Eject, findings);
    let mut ejection = Ejection::default();
    let failures: Option<Given<Count<u32>>> = eject.get("failures", findings);
    let on: Option<Given<Vec<Choice<EjectWord>>>> = eject.get("on", findings);
    let time: Option<Given<Positive>> = eject.get("time", findings);
    let max_time: Option<Given<Positive>> = eject.get("max_time", findings);
    if let Some(failures) = failures {
        ejection.failures = failures.value.0;
    }
    if let Some(on) = on {
        let has = |word| on.value.iter().any(|choice| choice.0 == word);
        ejection.on = EjectOn {
            connect: has(EjectWord::Connect),
            timeout: has(EjectWord::Timeout),
            server_error: has(EjectWord::ServerError),
        };
    }
    if let Some(time) = time {
        ejection.time = time.value.0;
        ejection.max_time = ejection.max_time.max(time.value.0);
    }
    if let Some(max_time) = max_time {
        ejection.max_time = max_time.value.0;
        ejection.time = ejection.time.min(max_time.value.0);
    }
    (!eject.layers.is_empty()).then_some(ejection)
}

/// `health` as written; none where it is not.
fn health(section: &Section<'_>, findings: &mut Findings) -> Option<HealthCheck> {
    let health = section.inner(SectionName::Health, findings);
    let path: Option<Given<PathOnly>> = health.get("path", findings);
    let interval: Option<Given<Positive>> = health.get("interval", findings);
    let timeout: Option<Given<Positive>> = health.get("timeout", findings);
    let healthy: Option<Given<Count<u32>>> = health.get("healthy", findings);
    let unhealthy: Option<Given<Count<u32>>> = health.get("unhealthy", findings);
    let status: Option<Given<StatusRange>> = health.get("status", findings);
    let status: Option<RangeInclusive<u16>> = status.map(|given| given.value.0);
    let check = HealthCheck {
        path: path.map_or_else(|| "/".to_owned(), |given| given.value.0),
        interval: interval.map_or(Duration::from_secs(5), |given| given.value.0),
        timeout: timeout.map_or(Duration::from_secs(2), |given| given.value.0),
        healthy: healthy.map_or(2, |given| given.value.0),
        unhealthy: unhealthy.map_or(3, |given| given.value.0),
        status: status.unwrap_or(200..=399),
    };
    (!health.layers.is_empty()).then_some(check)
}
