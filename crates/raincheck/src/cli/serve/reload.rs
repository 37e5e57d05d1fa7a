//! SIGHUP and `POST /reload`: the config is loaded again, and what it says takes the place of what
//! holds, as far as that needs no restart.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use raincheck_api::{Refused, Reload};
use raincheck_config::plan::{Address, Admin, Format, Limits, Log, Server, Store, Webhooks};
use raincheck_config::{Errors, Plan};
use raincheck_core::egress::Rules;
use raincheck_core::route::{Route, RouteTable};
use raincheck_runner::Runner;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::cli::ConfigArgs;
use crate::cli::load::warn;
use crate::listeners::{Bounds, Change, Changed, Listeners};
use crate::output::Output;
use crate::report::report;
use crate::wire;

/// Loads the config again, once at a time.
pub struct Reloader {
    config: ConfigArgs,
    /// The plan this process was started with; what needs a restart stays as it says.
    started: Plan,
    listeners: Arc<Listeners>,
    out: Output,
    /// One reload at a time: of two at once, the later one is the last in all of it.
    turn: Mutex<()>,
}

/// What a reload has done.
struct Done {
    plan: Plan,
    routes: Difference,
    listeners: Changed,
    /// What is wrong with certificate files: the old ones stay.
    certificates: Vec<String>,
    /// Keys that say something else now and hold until a restart.
    restart: Vec<&'static str>,
}

impl Reloader {
    /// For the process that was started with this.
    pub fn new(config: ConfigArgs, started: Plan, listeners: Arc<Listeners>, out: Output) -> Self {
        // Where log lines are for programs, mistakes are too.
        let json = out.is_json() || started.log.format == Format::Json;
        Self {
            config,
            started,
            listeners,
            out: Output::new(json),
            turn: Mutex::new(()),
        }
    }

    /// Begins to listen for SIGHUP.
    pub fn listen() -> io::Result<Signal> {
        signal(SignalKind::hangup())
    }

    /// Reloads at each signal, until dropped. Signals during a reload are one reload more.
    pub async fn run(&self, mut hangups: Signal, runner: &Runner) -> Infallible {
        while hangups.recv().await.is_some() {
            // What went wrong has been said.
            _ = self.apply(runner).await;
        }
        std::future::pending().await
    }

    /// All of the new config, or nothing where anything at all is wrong. Says either.
    async fn apply(&self, runner: &Runner) -> anyhow::Result<Done> {
        let _turn = self.turn.lock().await;
        let loaded = self.load().await.and_then(|(plan, table, change)| {
            let listeners = self.listeners.commit(change)?;
            Ok((plan, table, listeners))
        });
        let (plan, table, listeners) = loaded.inspect_err(|error| {
            report(error, None, self.out);
            tracing::error!("not reloaded: everything stays as it was");
        })?;
        warn(&plan, self.out);
        self.listeners.bound(&Bounds::of(&plan));
        let routes = Difference::between(&runner.routes(), &table);
        runner.bound_attempts(wire::attempts(&plan));
        runner.reload(table);
        let Difference {
            added,
            removed,
            changed,
        } = &routes;
        tracing::info!(?added, ?removed, ?changed, "reloaded the routes");
        self.listeners.settled().await;
        if !listeners.is_nothing() {
            let Changed {
                added,
                removed,
                changed,
            } = &listeners;
            tracing::info!(?added, ?removed, ?changed, "reloaded the listeners");
        }
        let certificates = self.listeners.load_certificates().await;
        let restart = settled(&self.started, &plan);
        if !restart.is_empty() {
            tracing::warn!(keys = ?restart, "these differ from the start and need a restart");
        }
        Ok(Done {
            plan,
            routes,
            listeners,
            certificates,
            restart,
        })
    }

    /// All of it that may be wrong or slow, with nothing changed yet.
    async fn load(&self) -> anyhow::Result<(Plan, RouteTable, Change)> {
        let config = self.config.clone();
        let listeners = Arc::clone(&self.listeners);
        // Files may be slow, and exchanges go on meanwhile.
        let loaded = tokio::task::spawn_blocking(move || {
            let plan = config.load()?;
            let routes = wire::table(plan.routes.clone())?;
            let change = listeners.prepare(&plan)?;
            anyhow::Ok((plan, routes, change))
        });
        loaded.await?
    }
}

impl Reload for Reloader {
    fn reload<'a>(
        &'a self,
        runner: &'a Runner,
    ) -> Pin<Box<dyn Future<Output = Result<Value, Refused>> + Send + 'a>> {
        Box::pin(async move {
            match self.apply(runner).await {
                Ok(done) => Ok(done.document()),
                Err(error) => Err(refused(&error)),
            }
        })
    }
}

impl Done {
    fn document(&self) -> Value {
        let Difference {
            added,
            removed,
            changed,
        } = &self.routes;
        let listeners = &self.listeners;
        json!({
            "reloaded": true,
            "routes": { "added": added, "removed": removed, "changed": changed },
            "listeners": {
                "added": listeners.added, "removed": listeners.removed, "changed": listeners.changed,
            },
            "certificates": { "not_loaded": self.certificates },
            "restart": self.restart,
            "warnings": self.plan.warnings,
        })
    }
}

fn refused(error: &anyhow::Error) -> Refused {
    let errors = error.downcast_ref::<Errors>();
    Refused {
        why: match errors {
            Some(_) => "the config has mistakes; everything stays as it was".to_owned(),
            None => format!("{error:#}"),
        },
        findings: json!(errors.map(Errors::findings).unwrap_or_default()),
    }
}

/// What another route table changes, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Difference {
    fn between(old: &RouteTable, new: &RouteTable) -> Self {
        let mut difference = Self::default();
        let name = |route: &Route| route.name.as_str().to_owned();
        for route in new.iter() {
            match old.named(&route.name) {
                None => difference.added.push(name(route)),
                Some(known) if known != route => difference.changed.push(name(route)),
                Some(_) => {}
            }
        }
        let gone = old.iter().filter(|route| new.named(&route.name).is_none());
        difference.removed = gone.map(|route| name(route)).collect();
        difference
    }
}

/// The keys that say something else now but hold until the process ends.
fn settled(started: &Plan, now: &Plan) -> Vec<&'static str> {
    // Reloaded with the routes, as are bounds of what comes in.
    let Admin { listen: _ } = &now.admin;
    let Store { path } = &now.store;
    let Log { level, format } = &now.log;
    let Limits {
        concurrency: _,
        client_rate: _,
        requests: _,
    } = &now.limits;
    let others = [
        ("store.path", *path == started.store.path),
        ("log.level", *level == started.log.level),
        ("log.format", *format == started.log.format),
    ];
    let all = server(&started.server, &now.server)
        .into_iter()
        .chain(others)
        .chain(webhooks(&started.webhooks, &now.webhooks));
    all.filter(|(_, same)| !same).map(|(key, _)| key).collect()
}

/// Every key of the section, and whether it says the same.
fn webhooks(was: &Webhooks, now: &Webhooks) -> [(&'static str, bool); 11] {
    let Webhooks {
        keys,
        format,
        rules,
        proxy,
        ca_file,
        timeout,
        schedule,
        concurrency,
    } = now;
    let Rules {
        allow,
        deny,
        ports,
        https_only,
    } = rules;
    [
        ("webhooks.keys", *keys == was.keys),
        ("webhooks.format", *format == was.format),
        ("webhooks.allow", *allow == was.rules.allow),
        ("webhooks.deny", *deny == was.rules.deny),
        ("webhooks.ports", *ports == was.rules.ports),
        ("webhooks.https_only", *https_only == was.rules.https_only),
        ("webhooks.proxy", *proxy == was.proxy),
        ("webhooks.ca_file", *ca_file == was.ca_file),
        ("webhooks.timeout", *timeout == was.timeout),
        ("webhooks.schedule", *schedule == was.schedule),
        ("webhooks.concurrency", *concurrency == was.concurrency),
    ]
}

/// Every key of the section, and whether it says the same.
fn server(was: &Server, now: &Server) -> [(&'static str, bool); 14] {
    let Server {
        listen: _,
        // What it presets is in the routes.
        behind: _,
        jobs_path,
        public_url,
        // See `reached_alike`.
        internal_url: _,
        trusted_proxies: proxies,
        grace,
        header_timeout: header,
        handshake_timeout: handshake,
        tls_reload,
        body_timeout: body,
        write_timeout: write,
        keep_alive,
        max_connections: connections,
        max_connections_per_client: _,
        max_request_head: head,
        cors,
    } = now;
    [
        ("server.jobs_path", *jobs_path == was.jobs_path),
        ("server.public_url", *public_url == was.public_url),
        ("server.internal_url", reached_alike(was, now)),
        ("server.trusted_proxies", *proxies == was.trusted_proxies),
        ("server.grace", *grace == was.grace),
        ("server.header_timeout", *header == was.header_timeout),
        (
            "server.handshake_timeout",
            *handshake == was.handshake_timeout,
        ),
        ("server.tls_reload", *tls_reload == was.tls_reload),
        ("server.body_timeout", *body == was.body_timeout),
        ("server.write_timeout", *write == was.write_timeout),
        ("server.keep_alive", *keep_alive == was.keep_alive),
        (
            "server.max_connections",
            *connections == was.max_connections,
        ),
        ("server.max_request_head", *head == was.max_request_head),
        ("server.cors", *cors == was.cors),
    ]
}

/// Whether backends are to reach us where they did: without a word of the operator, that is the
/// first TCP port for clients.
fn reached_alike(was: &Server, now: &Server) -> bool {
    let tcp = |server: &Server| {
        let mut addresses = server.listen.iter().map(|one| one.address.clone());
        addresses.find(|address| matches!(address, Address::Tcp(_)))
    };
    match (&was.internal_url, &now.internal_url) {
        (None, None) => tcp(was) == tcp(now),
        (was, now) => was == now,
    }
}

#[cfg(test)]
mod tests {
    //! What is said of a reload.

    use raincheck_config::keys::{KEYS, SectionName};
    use raincheck_config::{Overrides, Plan, load};

    use super::*;

    fn plan(text: &str) -> Plan {
        load(
            Some(("test.toml", text)),
            std::iter::empty(),
            &Overrides::default(),
        )
        .unwrap()
    }

    fn routes(text: &str) -> RouteTable {
        wire::table(plan(text).routes).unwrap()
    }

    fn route(name: &str, more: &str) -> String {
        format!(
            "[[route]]\nname = \"{name}\"\nmatch = \"/{name}\"\n\
             upstream = \"http://127.0.0.1:9000\"\n{more}\n"
        )
    }

    #[test]
    fn routes_are_compared_by_name() {
        let old = routes(&(route("a", "") + &route("b", "") + &route("c", "")));
        let again = routes(&(route("c", "") + &route("a", "") + &route("b", "")));
        assert_eq!(Difference::between(&old, &again), Difference::default());
        let new = routes(&(route("b", "concurrency = 7") + &route("c", "") + &route("d", "")));
        let expected = Difference {
            added: vec!["d".to_owned()],
            removed: vec!["a".to_owned()],
            changed: vec!["b".to_owned()],
        };
        assert_eq!(Difference::between(&old, &new), expected);
    }

    /// Every key outside of routes, each with a value that is not its default.
    const OTHERS: &str = r#"
        [server]
        listen = "127.0.0.1:1"
        behind = "alb"
        jobs_path = "/tickets"
        public_url = "https://a.example"
        internal_url = "http://b.example"
        trusted_proxies = ["10.0.0.0/8"]
        grace = "1s"
        header_timeout = "1s"
        handshake_timeout = "1s"
        tls_reload = "1s"
        body_timeout = "1s"
        write_timeout = "1s"
        keep_alive = "1s"
        max_connections = 7
        max_connections_per_client = 7
        max_request_head = "9KiB"
        cors = { origins = ["https://a.example"] }
        [admin]
        listen = "off"
        [store]
        path = "elsewhere"
        [log]
        level = "warn"
        format = "json"
        [limits]
        concurrency = 7
        client_rate = "9/s"
        requests = 7
        [webhooks]
        keys = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        format = "cloudevents"
        allow = ["10.0.0.0/8"]
        deny = ["a.example"]
        ports = ["443"]
        https_only = true
        proxy = "http://proxy.example:3128"
        ca_file = "Cargo.toml"
        timeout = "7s"
        schedule = ["7s"]
        concurrency = 7
    "#;

    /// Those that a reload changes.
    const LIVE: [&str; 7] = [
        "server.behind",
        "server.listen",
        "server.max_connections_per_client",
        "admin.listen",
        "limits.concurrency",
        "limits.client_rate",
        "limits.requests",
    ];

    #[test]
    fn every_key_that_needs_a_restart_is_named() {
        let (was, now) = (
            plan(&route("a", "")),
            plan(&(OTHERS.to_owned() + &route("a", ""))),
        );
        assert_eq!(settled(&was, &was), Vec::<&str>::new());
        let keys = KEYS
            .iter()
            .filter(|key| {
                let inner = matches!(
                    key.section,
                    SectionName::Listener
                        | SectionName::Certificate
                        | SectionName::Upstream
                        | SectionName::Eject
                        | SectionName::Health
                        | SectionName::Route
                        | SectionName::Retry
                        | SectionName::Callback
                );
                !inner && !key.section.is_optional()
            })
            .map(|key| format!("{}.{}", key.section.as_str(), key.name))
            .filter(|key| !LIVE.contains(&key.as_str()));
        assert_eq!(settled(&was, &now), keys.collect::<Vec<_>>());
    }
}
