//! SIGHUP: the config is loaded again, and its routes take the place of those that hold.

use std::convert::Infallible;
use std::io;

use raincheck_config::Plan;
use raincheck_config::plan::{Admin, Format, Limits, Log, Server, Store};
use raincheck_core::route::{Route, RouteTable};
use raincheck_runner::Runner;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ConfigArgs;
use crate::cli::load::warn;
use crate::output::Output;
use crate::report::report;
use crate::wire;

/// Reloads when it is asked to.
pub struct Reloads {
    hangups: Signal,
    config: ConfigArgs,
    /// The plan this process was started with; what is not a route stays as it says.
    started: Plan,
    out: Output,
}

impl Reloads {
    /// Begins to listen for SIGHUP.
    pub fn listen(config: ConfigArgs, started: Plan, out: Output) -> io::Result<Self> {
        let hangups = signal(SignalKind::hangup())?;
        // Where log lines are for programs, mistakes are too.
        let json = out.is_json() || started.log.format == Format::Json;
        Ok(Self {
            hangups,
            config,
            started,
            out: Output::new(json),
        })
    }

    /// Reloads at each signal, until dropped. Signals during a reload are one reload more.
    pub async fn run(mut self, runner: &Runner) -> Infallible {
        while self.hangups.recv().await.is_some() {
            self.reload(runner).await;
        }
        std::future::pending().await
    }

    /// All of the new routes, or none where anything at all is wrong.
    async fn reload(&self, runner: &Runner) {
        let (plan, routes) = match self.load().await {
            Ok(loaded) => loaded,
            Err(error) => {
                report(&error, None, self.out);
                tracing::error!("not reloaded: the config is wrong; the routes stay as they are");
                return;
            }
        };
        warn(&plan, self.out);
        let Difference {
            added,
            removed,
            changed,
        } = Difference::between(&runner.routes(), &routes);
        runner.reload(routes);
        tracing::info!(?added, ?removed, ?changed, "reloaded the routes");
        let keys = settled(&self.started, &plan);
        if !keys.is_empty() {
            tracing::warn!(?keys, "these differ from the start and need a restart");
        }
    }

    async fn load(&self) -> anyhow::Result<(Plan, RouteTable)> {
        let config = self.config.clone();
        // Files may be slow, and exchanges go on meanwhile.
        let plan = tokio::task::spawn_blocking(move || config.load()).await??;
        let routes = wire::table(plan.routes.clone())?;
        Ok((plan, routes))
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
    let Admin { listen } = &now.admin;
    let Store { path } = &now.store;
    let Log { level, format } = &now.log;
    let Limits { concurrency } = &now.limits;
    let others = [
        ("admin.listen", *listen == started.admin.listen),
        ("store.path", *path == started.store.path),
        ("log.level", *level == started.log.level),
        ("log.format", *format == started.log.format),
        (
            "limits.concurrency",
            *concurrency == started.limits.concurrency,
        ),
    ];
    let all = server(&started.server, &now.server)
        .into_iter()
        .chain(others);
    all.filter(|(_, same)| !same).map(|(key, _)| key).collect()
}

/// Every key of the section, and whether it says the same.
fn server(was: &Server, now: &Server) -> [(&'static str, bool); 11] {
    let Server {
        listen,
        // What it presets is in the routes.
        behind: _,
        jobs_path,
        public_url,
        trusted_proxies: proxies,
        grace,
        header_timeout: header,
        body_timeout: body,
        write_timeout: write,
        keep_alive,
        max_connections: connections,
        max_request_head: head,
    } = now;
    [
        ("server.listen", *listen == was.listen),
        ("server.jobs_path", *jobs_path == was.jobs_path),
        ("server.public_url", *public_url == was.public_url),
        ("server.trusted_proxies", *proxies == was.trusted_proxies),
        ("server.grace", *grace == was.grace),
        ("server.header_timeout", *header == was.header_timeout),
        ("server.body_timeout", *body == was.body_timeout),
        ("server.write_timeout", *write == was.write_timeout),
        ("server.keep_alive", *keep_alive == was.keep_alive),
        (
            "server.max_connections",
            *connections == was.max_connections,
        ),
        ("server.max_request_head", *head == was.max_request_head),
    ]
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
        trusted_proxies = ["10.0.0.0/8"]
        grace = "1s"
        header_timeout = "1s"
        body_timeout = "1s"
        write_timeout = "1s"
        keep_alive = "1s"
        max_connections = 7
        max_request_head = "9KiB"
        [admin]
        listen = "off"
        [store]
        path = "elsewhere"
        [log]
        level = "warn"
        format = "json"
        [limits]
        concurrency = 7
    "#;

    #[test]
    fn every_key_that_needs_a_restart_is_named() {
        let (was, now) = (
            plan(&route("a", "")),
            plan(&(OTHERS.to_owned() + &route("a", ""))),
        );
        assert_eq!(settled(&was, &was), Vec::<&str>::new());
        let keys = KEYS
            .iter()
            .filter(|key| !matches!(key.section, SectionName::Route | SectionName::Retry))
            .map(|key| format!("{}.{}", key.section.as_str(), key.name))
            .filter(|key| key != "server.behind");
        assert_eq!(settled(&was, &now), keys.collect::<Vec<_>>());
    }
}
