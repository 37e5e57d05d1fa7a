//! The listeners of the process: opened together before anything is served, changed together by a
//! reload, passed on together to a successor.

mod change;

use std::convert::Infallible;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_config::Plan;
use raincheck_config::plan::{Listener, Peers};
use raincheck_core::rate::Rate;
use raincheck_gateway::server::{Bound, Front, ServerHandle};
use raincheck_gateway::service::Service;
use raincheck_gateway::{PerClient, Trusted};
use raincheck_telemetry::Metrics;

use crate::certificates::{self, Certificates};
use crate::exit::{Code, Failure};
use crate::listen::{Passed, open};
pub use change::{Change, Changed};

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Clients.
    Public,
    /// Operators.
    Admin,
}

/// The listeners of the process.
pub struct Listeners {
    state: Mutex<State>,
}

struct State {
    /// Those for clients in the order of the config, then the one for operators.
    open: Vec<Open>,
    /// What served listeners that are gone or changed, as long as it has connections.
    leaving: Vec<(Role, ServerHandle)>,
    /// How they are served, once they are.
    starts: Option<Starts>,
    /// Why they are to stay as they are, where they are.
    frozen: Option<&'static str>,
}

/// One that is open.
struct Open {
    role: Role,
    plan: Listener,
    bound: Bound,
    certificates: Option<Arc<Certificates>>,
    server: Option<ServerHandle>,
}

/// One that serves, as it is passed on.
pub struct Served {
    /// What the config calls it.
    pub name: String,
    /// The same socket once more.
    pub bound: Bound,
    /// What serves it.
    pub server: ServerHandle,
}

/// Starts a server of a listener for clients or operators.
pub type ServeRole = Box<dyn Fn(Role, Bound, Front) -> io::Result<ServerHandle> + Send + Sync>;

/// How the process serves its listeners.
pub struct Starts {
    /// Starts a server.
    pub server: ServeRole,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// The connections of each client, over all listeners for clients.
    pub per_client: Arc<PerClient>,
    /// What answers clients.
    pub service: Arc<Service>,
}

/// The bounds of what comes in that may change while it does.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    connections_per_client: Option<NonZeroUsize>,
    requests: usize,
    client_rate: Option<Rate>,
}

impl Bounds {
    /// Those of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            connections_per_client: plan.server.max_connections_per_client,
            requests: plan.limits.requests,
            client_rate: plan.limits.client_rate,
        }
    }
}

impl Starts {
    fn keep(&self, bounds: &Bounds) {
        self.per_client.set_max(bounds.connections_per_client);
        self.service.set_requests_max(bounds.requests);
        self.service.set_client_rate(bounds.client_rate);
    }

    fn serve(
        &self,
        role: Role,
        plan: &Listener,
        bound: &Bound,
        certificates: Option<&Certificates>,
    ) -> io::Result<ServerHandle> {
        if let Some(certificates) = certificates {
            certificates.count(&self.metrics);
        }
        let front = Front {
            metrics: self.metrics.listener(&plan.address.to_string()),
            tls: certificates.map(Certificates::tls),
            proxies: plan.proxy_protocol.as_ref().map(trusted),
            per_client: (role == Role::Public).then(|| Arc::clone(&self.per_client)),
        };
        (self.server)(role, bound.try_clone()?, front)
    }
}

/// As the data plane knows those that are believed.
pub fn trusted(peers: &Peers) -> Trusted {
    Trusted {
        networks: peers.networks.clone(),
        unix: peers.unix,
    }
}

/// Those of a plan, in order.
fn planned(plan: &Plan) -> impl Iterator<Item = (Role, &Listener)> {
    let public = plan.server.listen.iter().map(|one| (Role::Public, one));
    let admin = plan.admin.listen.iter().map(|one| (Role::Admin, one));
    public.chain(admin)
}

impl Listeners {
    /// Loads every certificate and opens every socket of the plan, or fails. Sockets that were
    /// passed to the process must all be in the plan; of those that a process before has, the plan
    /// takes what it names.
    ///
    /// # Errors
    /// In words, with what to do.
    pub fn open(plan: &Plan, mut inherited: Vec<(String, Bound)>) -> Result<Self, Failure> {
        let mut secured = Vec::new();
        for (_, listener) in planned(plan) {
            secured.push(certificates::load(listener)?);
        }
        let mut passed = Passed::from_environment();
        let mut all = Vec::new();
        for ((role, listener), tls) in planned(plan).zip(secured) {
            let name = listener.address.to_string();
            let bound = match inherited.iter().position(|(known, _)| *known == name) {
                Some(index) => inherited.remove(index).1,
                None => open(listener, role.key(), Some(&mut passed))?,
            };
            all.push(Open {
                role,
                plan: listener.clone(),
                bound,
                certificates: tls.map(|tls| Certificates::new(listener, tls)),
                server: None,
            });
        }
        passed.refuse_rest()?;
        let state = State {
            open: all,
            leaving: Vec::new(),
            starts: None,
            frozen: None,
        };
        Ok(Self {
            state: Mutex::new(state),
        })
    }

    /// Serves all of them from now on, within these bounds. Must be called inside a runtime.
    ///
    /// # Errors
    /// The runtime cannot register a socket.
    pub fn start(&self, starts: Starts, bounds: &Bounds) -> io::Result<()> {
        starts.keep(bounds);
        let mut state = self.state();
        for one in &mut state.open {
            let certificates = one.certificates.as_deref();
            let server = starts.serve(one.role, &one.plan, &one.bound, certificates)?;
            one.server = Some(server);
        }
        state.starts = Some(starts);
        state.frozen = None;
        Ok(())
    }

    /// Changes the bounds of what comes in. What is beyond them ends as it would have.
    pub fn bound(&self, bounds: &Bounds) {
        if let Some(starts) = &self.state().starts {
            starts.keep(bounds);
        }
    }

    /// Those that serve, for clients first.
    pub fn served(&self) -> io::Result<Vec<Served>> {
        let state = self.state();
        let served = state.open.iter().filter_map(|one| {
            let server = one.server.clone()?;
            Some(one.bound.try_clone().map(|bound| Served {
                name: one.plan.address.to_string(),
                bound,
                server,
            }))
        });
        served.collect()
    }

    /// The first address for clients that is one of TCP.
    pub fn first_tcp(&self) -> Option<std::net::SocketAddr> {
        let state = self.state();
        let mut public = state.open.iter().filter(|one| one.role == Role::Public);
        public.find_map(|one| one.bound.address().tcp())
    }

    /// What serves the listeners that are open, for clients or for operators.
    pub fn servers(&self, role: Role) -> Vec<ServerHandle> {
        let state = self.state();
        let open = state.open.iter().filter(|one| one.role == role);
        open.filter_map(|one| one.server.clone()).collect()
    }

    /// The same, and what still serves connections of those that are gone.
    pub fn all_servers(&self, role: Role) -> Vec<ServerHandle> {
        let mut servers = self.servers(role);
        let state = self.state();
        let leaving = state.leaving.iter().filter(|(of, _)| *of == role);
        servers.extend(leaving.map(|(_, server)| server.clone()));
        servers
    }

    /// No reload changes them from now on; why, in words.
    pub fn freeze(&self, why: &'static str) {
        self.state().frozen = Some(why);
    }

    /// Reloads may change them again.
    pub fn thaw(&self) {
        self.state().frozen = None;
    }

    /// Lets go of the sockets: as long as anybody has them open, the kernel takes connections.
    pub fn close(&self) {
        let mut state = self.state();
        state.frozen = Some("the process stops");
        let State { open, leaving, .. } = &mut *state;
        leaving.extend(
            open.drain(..)
                .filter_map(|one| Some((one.role, one.server?))),
        );
    }

    /// Loads certificate files that have changed, until dropped.
    pub async fn watch(&self, interval: Duration) -> Infallible {
        loop {
            tokio::time::sleep(interval).await;
            // What is wrong has been said.
            _ = self.load_where(Certificates::is_changed).await;
        }
    }

    /// Loads all certificate files again. Returns what is wrong with any: those listeners keep what
    /// they have.
    pub async fn load_certificates(&self) -> Vec<String> {
        self.load_where(|_| true).await
    }

    async fn load_where(&self, must: fn(&Certificates) -> bool) -> Vec<String> {
        let all = self.certificates();
        if all.is_empty() {
            return Vec::new();
        }
        // Files may be slow, and exchanges go on meanwhile.
        let work = move || {
            let all = all.iter().filter(|one| must(one));
            all.filter_map(|one| one.reload()).collect()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    fn certificates(&self) -> Vec<Arc<Certificates>> {
        let state = self.state();
        let all = state.open.iter().filter_map(|one| one.certificates.clone());
        all.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    /// The key in the config.
    fn key(self) -> &'static str {
        match self {
            Self::Public => "server.listen",
            Self::Admin => "admin.listen",
        }
    }
}

/// A listener that cannot be had.
fn failed(listener: &Listener, error: &io::Error) -> Failure {
    let message = format!("cannot serve {}: {error}", listener.address);
    Failure::new(Code::PortInUse, message)
}
