//! Config files for tests: free ports and a private data directory always, the rest as the test
//! says.

use std::net::SocketAddr;
use std::path::Path;

/// A config file in the making.
#[derive(Clone, Debug, Default)]
pub struct Config {
    listen: Option<SocketAddr>,
    admin_listen: Option<SocketAddr>,
    server: Vec<String>,
    limits: Vec<String>,
    webhooks: Vec<String>,
    log: Vec<String>,
    upstreams: Vec<String>,
    routes: Vec<Vec<String>>,
}

impl Config {
    /// A config without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One catch-all sync route to this URL.
    #[must_use]
    pub fn sync(url: &str) -> Self {
        Self::new().route("/{*path}", url, "sync")
    }

    /// One catch-all auto route to this URL.
    #[must_use]
    pub fn auto(url: &str) -> Self {
        Self::new().route("/{*path}", url, "auto")
    }

    /// One catch-all async route to this URL.
    #[must_use]
    pub fn queued(url: &str) -> Self {
        Self::new().route("/{*path}", url, "async")
    }

    /// Routes `/sync/…`, `/auto/…` and `/async/…`, named after their modes, to the same URL.
    #[must_use]
    pub fn all_modes(url: &str) -> Self {
        ["sync", "auto", "async"]
            .iter()
            .fold(Self::new(), |config, mode| {
                config
                    .route(&format!("/{mode}/{{*path}}"), url, mode)
                    .with(&format!("name = {mode:?}"))
            })
    }

    /// Adds a line such as `jobs_path = "/tickets"` to `[server]`.
    #[must_use]
    pub fn server(mut self, line: &str) -> Self {
        self.server.push(line.into());
        self
    }

    /// Listens for clients on this address instead of a free port.
    #[must_use]
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = Some(addr);
        self
    }

    /// Listens for operators on this address instead of a free port.
    #[must_use]
    pub fn admin_listen(mut self, addr: SocketAddr) -> Self {
        self.admin_listen = Some(addr);
        self
    }

    /// Adds a line to `[limits]`.
    #[must_use]
    pub fn limit(mut self, line: &str) -> Self {
        self.limits.push(line.into());
        self
    }

    /// Adds a line to `[log]`.
    #[must_use]
    pub fn log(mut self, line: &str) -> Self {
        self.log.push(line.into());
        self
    }

    /// Adds a line such as `https_only = true` to `[webhooks]`.
    #[must_use]
    pub fn webhooks(mut self, line: &str) -> Self {
        self.webhooks.push(line.into());
        self
    }

    /// Adds an upstream of these servers, with lines such as `slow_start = "0s"`.
    #[must_use]
    pub fn upstream(mut self, name: &str, servers: &[&str], lines: &str) -> Self {
        self.upstreams
            .push(format!("name = {name:?}\nservers = {servers:?}\n{lines}"));
        self
    }

    /// Adds a route; without a `name` line it is called `r0`, `r1` and so on.
    #[must_use]
    pub fn route(mut self, pattern: &str, url: &str, mode: &str) -> Self {
        self.routes.push(vec![
            format!("match = {pattern:?}"),
            format!("upstream = {url:?}"),
            format!("mode = {mode:?}"),
        ]);
        self
    }

    /// Adds a route without an upstream and without a mode.
    #[must_use]
    pub fn bare(mut self, pattern: &str) -> Self {
        self.routes.push(vec![format!("match = {pattern:?}")]);
        self
    }

    /// Adds a line such as `hold = "1s"` to the last route.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        if let Some(route) = self.routes.last_mut() {
            route.push(line.into());
        }
        self
    }

    /// Adds a line to every route.
    #[must_use]
    pub fn each(mut self, line: &str) -> Self {
        for route in &mut self.routes {
            route.push(line.into());
        }
        self
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self, data: &Path) -> String {
        let mut out = String::new();
        let mut section = |title: &str, first: &[String], rest: &[String]| {
            out.push_str(title);
            for line in first.iter().chain(rest) {
                out.push('\n');
                out.push_str(line);
            }
            out.push_str("\n\n");
        };
        let listen = |addr: Option<SocketAddr>| {
            let any_port = || SocketAddr::from(([127, 0, 0, 1], 0));
            [format!("listen = \"{}\"", addr.unwrap_or_else(any_port))]
        };
        let path = [format!("path = {:?}", data.display().to_string())];
        section("[server]", &listen(self.listen), &self.server);
        section("[admin]", &listen(self.admin_listen), &[]);
        section("[store]", &path, &[]);
        section("[limits]", &[], &self.limits);
        section("[webhooks]", &[], &self.webhooks);
        section("[log]", &[], &self.log);
        for upstream in &self.upstreams {
            section("[[upstream]]", std::slice::from_ref(upstream), &[]);
        }
        for (index, route) in self.routes.iter().enumerate() {
            let named = route.iter().any(|line| line.starts_with("name ="));
            let name = if named {
                vec![]
            } else {
                vec![format!("name = \"r{index}\"")]
            };
            section("[[route]]", &name, route);
        }
        out
    }
}
