//! The metrics themselves. Those of a route are resolved once, so that a request only counts.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use raincheck_core::id::RouteName;
use raincheck_core::job::Status;
use raincheck_core::problem::ProblemCode;

use crate::labels::{
    AnswerLabel, AttemptLabel, DuplicateLabel, JobsLabel, ProblemLabel, RouteLabel,
};
use crate::listener::{ListenerMetrics, Listeners};
use crate::names::{self, Name};
use crate::requests::RequestMetrics;
use crate::store::StoreMetrics;
use crate::tunnels::{TunnelMetrics, Tunnels};
use crate::upstreams::{ServerNow, Servers};
use crate::webhooks::WebhookMetrics;

/// From 1 ms to about an hour and a half.
const BUCKETS: [f64; 14] = [
    0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 300.0, 1800.0, 5400.0,
];

type Histograms = Family<RouteLabel, Histogram, fn() -> Histogram>;

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    families: Families,
    /// One entry for each route this process has had.
    routes: RwLock<HashMap<RouteName, Arc<RouteMetrics>>>,
    jobs: Family<JobsLabel, Gauge>,
    oldest: Family<RouteLabel, Gauge>,
    in_flight: Gauge,
    servers: Servers,
    problems: Family<ProblemLabel, Counter>,
    listeners: Listeners,
    webhooks: WebhookMetrics,
    requests: RequestMetrics,
}

/// What is counted elsewhere, as it is at a scrape.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Jobs of each route in each status; what is not named is none.
    pub jobs: Vec<(RouteName, Status, u64)>,
    /// How long the oldest due job of a route has been waiting, where there is one.
    pub oldest: Vec<(RouteName, Duration)>,
    /// Attempts that run.
    pub in_flight: usize,
    /// Tries to deliver webhooks that run, and deliveries that wait.
    pub webhooks: (usize, usize),
    /// Servers of upstreams with several or watched ones.
    pub servers: Vec<ServerNow>,
}

/// What is counted for each route.
struct Families {
    requests: Family<AnswerLabel, Counter>,
    answer_seconds: Histograms,
    attempts: Family<AttemptLabel, Counter>,
    attempt_seconds: Histograms,
    duplicates: Family<DuplicateLabel, Counter>,
    tunnels: Tunnels,
}

/// What kind of answer a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The upstream's, as it came.
    Relayed,
    /// A ticket.
    Ticket,
    /// A stored one.
    Replayed,
    /// A problem of ours.
    Problem,
    /// One that a route gives by itself: a redirect, a fixed answer, the answer to a preflight.
    Fixed,
}

/// What became of a request that was known to be a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// It waits for the run that is under way.
    Joined,
    /// It got the answer of a run that has ended.
    Replayed,
    /// It was refused while the run is under way.
    Conflict,
    /// Its key was used for another request.
    Mismatch,
}

impl Duplicate {
    const ALL: [Self; 4] = [Self::Joined, Self::Replayed, Self::Conflict, Self::Mismatch];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Replayed => "replayed",
            Self::Conflict => "conflict",
            Self::Mismatch => "mismatch",
        }
    }
}

const ANSWERS: [&str; 5] = ["relayed", "ticket", "replayed", "problem", "fixed"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The metrics of one route.
pub struct RouteMetrics {
    answers: [[Counter; 4]; 5],
    answer_seconds: Histogram,
    answered: Counter,
    failed: Counter,
    handed_back: Counter,
    attempt_seconds: Histogram,
    duplicates: [Counter; 4],
    tunnels: TunnelMetrics,
}

impl RouteMetrics {
    /// A request was known to be a repetition.
    pub fn duplicate(&self, outcome: Duplicate) {
        self.duplicates[outcome as usize].inc();
    }

    /// What is counted of its tunnels.
    pub fn tunnels(&self) -> &TunnelMetrics {
        &self.tunnels
    }

    /// A client got an answer.
    pub fn answer(&self, answer: Answer, status: u16, took: Duration) {
        let class = usize::from((status / 100).clamp(2, 5)) - 2;
        self.answers[answer as usize][class].inc();
        self.answer_seconds.observe(took.as_secs_f64());
    }

    /// An attempt ended, with a complete response or without.
    pub fn attempt(&self, answered: bool, took: Duration) {
        if answered {
            &self.answered
        } else {
            &self.failed
        }
        .inc();
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    /// An attempt was given up for a planned stop.
    pub fn handed_back(&self) {
        self.handed_back.inc();
    }
}

impl Families {
    fn registered(registry: &mut Registry) -> Self {
        let families = Self {
            requests: Family::default(),
            answer_seconds: Histograms::new_with_constructor(histogram),
            attempts: Family::default(),
            attempt_seconds: Histograms::new_with_constructor(histogram),
            duplicates: Family::default(),
            tunnels: Tunnels::registered(registry),
        };
        register(registry, names::REQUESTS, families.requests.clone());
        let answer_seconds = families.answer_seconds.clone();
        register(registry, names::ANSWER_SECONDS, answer_seconds);
        register(registry, names::ATTEMPTS, families.attempts.clone());
        let attempt_seconds = families.attempt_seconds.clone();
        register(registry, names::ATTEMPT_SECONDS, attempt_seconds);
        register(registry, names::DUPLICATES, families.duplicates.clone());
        families
    }

    fn of(&self, name: &RouteName) -> RouteMetrics {
        let route = name.as_str().to_owned();
        let outcome = |outcome| {
            let label = AttemptLabel {
                route: route.clone(),
                outcome,
            };
            self.attempts.get_or_create(&label).clone()
        };
        let label = RouteLabel {
            route: route.clone(),
        };
        RouteMetrics {
            tunnels: self.tunnels.of(&route),
            answers: answers(&self.requests, &route),
            answer_seconds: self.answer_seconds.get_or_create(&label).clone(),
            answered: outcome("answered"),
            failed: outcome("failed"),
            handed_back: outcome("handed_back"),
            attempt_seconds: self.attempt_seconds.get_or_create(&label).clone(),
            duplicates: Duplicate::ALL.map(|outcome| {
                let label = DuplicateLabel {
                    route: route.clone(),
                    outcome: outcome.as_str(),
                };
                self.duplicates.get_or_create(&label).clone()
            }),
        }
    }
}

impl Metrics {
    /// Metrics for these routes, with those of the store.
    pub fn with_store<'a>(
        routes: impl Iterator<Item = &'a RouteName>,
        store: &StoreMetrics,
    ) -> Self {
        let mut metrics = Self::new(routes);
        store.register(&mut metrics.registry);
        metrics
    }

    /// Metrics for these routes.
    pub fn new<'a>(routes: impl Iterator<Item = &'a RouteName>) -> Self {
        let mut registry = Registry::default();
        let families = Families::registered(&mut registry);
        let jobs = Family::<JobsLabel, Gauge>::default();
        let oldest = Family::<RouteLabel, Gauge>::default();
        let problems = Family::<ProblemLabel, Counter>::default();
        let in_flight = Gauge::default();
        register(&mut registry, names::JOBS, jobs.clone());
        register(&mut registry, names::OLDEST, oldest.clone());
        register(&mut registry, names::IN_FLIGHT, in_flight.clone());
        register(&mut registry, names::PROBLEMS, problems.clone());
        let listeners = Listeners::registered(&mut registry);
        let servers = Servers::registered(&mut registry);
        let webhooks = WebhookMetrics::registered(&mut registry);
        let requests = RequestMetrics::registered(&mut registry);
        let metrics = Self {
            registry,
            families,
            routes: RwLock::default(),
            jobs,
            oldest,
            in_flight,
            servers,
            problems,
            listeners,
            webhooks,
            requests,
        };
        metrics.cover(routes);
        metrics
    }

    /// Counts for these routes too. What has been counted stays, also for routes that are gone.
    pub fn cover<'a>(&self, routes: impl Iterator<Item = &'a RouteName>) {
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        for name in routes {
            known
                .entry(name.clone())
                .or_insert_with(|| Arc::new(self.families.of(name)));
        }
    }

    /// What is counted of all requests.
    pub fn requests(&self) -> &RequestMetrics {
        &self.requests
    }

    /// The metrics of a route; none if it is not covered.
    pub fn route(&self, name: &RouteName) -> Option<Arc<RouteMetrics>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(name).cloned()
    }

    /// A client was told a problem.
    pub fn problem(&self, code: ProblemCode) {
        self.problems
            .get_or_create(&ProblemLabel { code: code.slug() })
            .inc();
    }

    /// What is counted of webhooks.
    pub fn webhooks(&self) -> &WebhookMetrics {
        &self.webhooks
    }

    /// The metrics of a listener, by where the config says it listens.
    pub fn listener(&self, listener: &str) -> ListenerMetrics {
        self.listeners.of(listener)
    }

    /// All metrics as OpenMetrics text, with what is counted elsewhere as it is now. What is not
    /// named is zero, so that an alert on it has a series to look at.
    pub fn expose(&self, now: &Counted) -> String {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.jobs.clear();
        self.oldest.clear();
        for name in self.names() {
            let route = || name.as_str().to_owned();
            for status in Status::ALL.map(Status::as_str) {
                let label = JobsLabel {
                    route: route(),
                    status,
                };
                self.jobs.get_or_create(&label).set(0);
            }
            self.oldest
                .get_or_create(&RouteLabel { route: route() })
                .set(0);
        }
        for (name, status, count) in &now.jobs {
            let (route, status) = (name.as_str().to_owned(), status.as_str());
            let label = JobsLabel { route, status };
            self.jobs.get_or_create(&label).set(whole(*count));
        }
        for (name, waited) in &now.oldest {
            let label = RouteLabel {
                route: name.as_str().to_owned(),
            };
            self.oldest
                .get_or_create(&label)
                .set(whole(waited.as_secs()));
        }
        self.in_flight.set(whole(now.in_flight as u64));
        self.servers.set(&now.servers);
        self.webhooks.set(now.webhooks.0, now.webhooks.1);
        let mut text = String::new();
        // Writing to a String does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }

    fn names(&self) -> Vec<RouteName> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.keys().cloned().collect()
    }
}

/// Registers under the name without the suffix that the encoding adds.
pub(crate) fn register(
    registry: &mut Registry,
    name: Name,
    metric: impl prometheus_client::registry::Metric,
) {
    let bare = name.name.trim_end_matches("_total");
    registry.register(bare, name.meaning.trim_end_matches('.'), metric);
}

fn answers(requests: &Family<AnswerLabel, Counter>, route: &str) -> [[Counter; 4]; 5] {
    ANSWERS.map(|answer| {
        CLASSES.map(|class| {
            let label = AnswerLabel {
                route: route.to_owned(),
                answer,
                class,
            };
            requests.get_or_create(&label).clone()
        })
    })
}

#[cfg(test)]
mod tests {
    //! What is scraped is what the list of names says.

    use std::time::Duration;

    use super::{Answer, Counted, Metrics, ServerNow, Status};
    use crate::names;
    use crate::store::StoreMetrics;

    #[test]
    fn every_name_is_scraped() {
        let route = "render".parse().unwrap();
        let store = StoreMetrics::default();
        let metrics = Metrics::with_store([&route].into_iter(), &store);
        store.commit(3, Duration::from_millis(2));
        let own = metrics.route(&route).unwrap();
        own.answer(Answer::Ticket, 202, Duration::from_millis(3));
        own.attempt(true, Duration::from_secs(2));
        let listener = metrics.listener("[::]:80");
        listener.opened();
        listener.refused("tls");
        listener.certificates("ok", 2_000_000_000);
        metrics.problem(raincheck_core::problem::ProblemCode::QueueFull);
        metrics.webhooks().tried("2xx", Duration::from_millis(3));
        metrics.webhooks().ended("delivered");
        let server = ServerNow {
            upstream: "app".to_owned(),
            server: "http://a".to_owned(),
            usable: true,
            in_flight: 3,
            ejections: 2,
        };
        let text = metrics.expose(&Counted {
            jobs: vec![(route.clone(), Status::Queued, 7)],
            oldest: vec![(route, Duration::from_secs(61))],
            in_flight: 1,
            webhooks: (3, 4),
            servers: vec![server],
        });
        for name in names::ALL {
            assert!(text.contains(name.name), "{} is not in\n{text}", name.name);
        }
        for line in [
            "raincheck_jobs{route=\"render\",status=\"queued\"} 7",
            "raincheck_jobs{route=\"render\",status=\"failed\"} 0",
            "raincheck_oldest_due_seconds{route=\"render\"} 61",
            "raincheck_connections_open{listener=\"[::]:80\"} 1",
            "raincheck_upstream_in_flight{upstream=\"app\",server=\"http://a\"} 3",
            "raincheck_store_commit_changes_sum 3.0",
            "raincheck_store_commit_seconds_bucket{le=\"0.001\"} 0",
            "raincheck_store_commit_seconds_bucket{le=\"0.0025\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let ticket = "raincheck_requests_total{route=\"render\",answer=\"ticket\",class=\"2xx\"} 1";
        assert!(text.contains(ticket), "{text}");
    }

    #[test]
    fn a_route_that_comes_later_is_counted_and_none_is_forgotten() {
        let (first, second) = ("first".parse().unwrap(), "second".parse().unwrap());
        let metrics = Metrics::new([&first].into_iter());
        assert!(metrics.route(&second).is_none());
        metrics.route(&first).unwrap().handed_back();
        metrics.cover([&second].into_iter());
        metrics.cover([&first, &second].into_iter());
        metrics.route(&first).unwrap().handed_back();
        let text = metrics.expose(&Counted::default());
        for (route, count) in [("first", 2), ("second", 0)] {
            let line = format!(
                "raincheck_attempts_total{{route=\"{route}\",outcome=\"handed_back\"}} {count}"
            );
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }
}
