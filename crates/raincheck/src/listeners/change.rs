//! What a reload does to listeners: new ones are opened and certificates loaded before anything
//! else changes; then, in one step, others take their place. Nobody who is connected notices.

use std::collections::VecDeque;
use std::fs::Permissions;
use std::io;
use std::mem;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use raincheck_config::Plan;
use raincheck_config::plan::{Address, Listener};
use raincheck_gateway::Tls;
use raincheck_gateway::server::{Bound, ServerHandle};

use super::{Listeners, Open, Role, Starts, State, failed, planned};
use crate::certificates::{self, Certificates};
use crate::exit::{Code, Failure};
use crate::listen::open;

/// The listeners as they are to be, with all in it that can fail slowly.
pub struct Change {
    /// In the order in which listeners are kept.
    next: Vec<Next>,
}

/// One as it is to be.
struct Next {
    role: Role,
    plan: Listener,
    /// A socket that was not open so far.
    fresh: Option<Bound>,
    /// What it speaks, where that was not loaded so far.
    tls: Option<Tls>,
}

/// What has changed, as the config calls it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// New listeners.
    pub added: Vec<String>,
    /// Those that are gone; their connections go on to their end.
    pub removed: Vec<String>,
    /// Those of which something else is said.
    pub changed: Vec<String>,
}

impl Changed {
    /// Whether nothing has.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Listeners {
    /// Loads and opens what a plan has and we do not. Blocks. Dropped, it leaves all as it was.
    ///
    /// # Errors
    /// A certificate does not load, a socket cannot be opened.
    pub fn prepare(&self, plan: &Plan) -> Result<Change, Failure> {
        let state = self.state();
        let mut known: VecDeque<_> = state.open.iter().map(|one| one.plan.clone()).collect();
        drop(state);
        let mut next = Vec::new();
        for (role, listener) in planned(plan) {
            let before = take(&mut known, |one| one.address == listener.address);
            let same_tls = before.as_ref().is_some_and(|one| one.tls == listener.tls);
            next.push(Next {
                role,
                plan: listener.clone(),
                fresh: None,
                tls: match same_tls {
                    true => None,
                    false => certificates::load(listener)?,
                },
            });
        }
        // Only once every certificate is known to be good.
        let mut known: VecDeque<_> = self.addresses();
        for one in &mut next {
            if take(&mut known, |address| *address == one.plan.address).is_none() {
                let opened = open(&one.plan, one.role.key(), None);
                one.fresh = Some(opened.map_err(|failure| self.explain(&one.plan, failure))?);
            }
        }
        Ok(Change { next })
    }

    /// Why a port cannot be had that is ours already, under another address.
    fn explain(&self, plan: &Listener, failure: Failure) -> Failure {
        let Address::Tcp(wanted) = &plan.address else {
            return failure;
        };
        let port = |one: &&Open| one.bound.address().tcp().map(|at| at.port());
        let state = self.state();
        let Some(ours) = state
            .open
            .iter()
            .find(|one| port(one) == Some(wanted.port()))
        else {
            return failure;
        };
        let ours = &ours.plan.address;
        let message = format!(
            "cannot listen on {wanted}: this process has the port for {ours}; reload once without \
             that one and then with this one, or restart"
        );
        Failure::new(Code::PortInUse, message)
    }

    /// Waits until nobody new meets a listener that is gone or changed. Cancel safe.
    pub async fn settled(&self) {
        let leaving: Vec<_> = self.state().leaving.clone();
        for (_, server) in leaving {
            server.closed().await;
        }
    }

    fn addresses(&self) -> VecDeque<Address> {
        let state = self.state();
        let all = state.open.iter().map(|one| one.plan.address.clone());
        all.collect()
    }

    /// Puts a change in place, or leaves all as it was. Must be called inside a runtime.
    ///
    /// # Errors
    /// The runtime cannot register a socket, or the listeners are no longer ours to change.
    pub fn commit(&self, change: Change) -> Result<Changed, Failure> {
        let mut state = self.state();
        if let Some(why) = state.frozen {
            return Err(Failure::new(Code::Usage, format!("not now: {why}")));
        }
        let Some(starts) = state.starts.take() else {
            return Err(Failure::new(Code::Usage, "not now: nothing is served yet"));
        };
        let known = mem::take(&mut state.open);
        let (open, outcome) = carry_out(change, known, &starts);
        state.open = open;
        state.starts = Some(starts);
        let (changed, gone) = outcome?;
        state.leave(gone);
        Ok(changed)
    }
}

impl State {
    /// Lets servers finish what they have, however long that takes.
    fn leave(&mut self, gone: Vec<(Role, ServerHandle)>) {
        self.leaving.retain(|(_, server)| server.connections() > 0);
        for (role, server) in gone {
            self.leaving.push((role, server.clone()));
            tokio::spawn(async move { server.drain(Duration::MAX).await });
        }
    }
}

/// The first that fits.
fn take<T>(all: &mut VecDeque<T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    let index = all.iter().position(fits)?;
    all.remove(index)
}

/// What came of it, with the servers of those that are gone.
type Outcome = Result<(Changed, Vec<(Role, ServerHandle)>), Failure>;

/// One on its way from what it was to what it is to be.
struct Step {
    next: Next,
    before: Option<Open>,
    /// The server it gets, where it does not keep the one it has.
    server: Option<ServerHandle>,
    certificates: Option<Arc<Certificates>>,
}

/// Starts whatever needs a server, and only then changes anything.
fn carry_out(change: Change, known: Vec<Open>, starts: &Starts) -> (Vec<Open>, Outcome) {
    let mut known: VecDeque<_> = known.into();
    let mut steps: Vec<_> = change.next.into_iter().map(Step::new).collect();
    for step in &mut steps {
        let address = &step.next.plan.address;
        step.before = take(&mut known, |one| one.plan.address == *address);
    }
    let started = steps.iter_mut().try_for_each(|step| step.start(starts));
    if let Err(failure) = started {
        let before = steps.into_iter().filter_map(Step::undo);
        return (before.chain(known).collect(), Err(failure));
    }
    let mut changed = Changed::default();
    let mut gone = Vec::new();
    for one in known {
        changed.removed.push(one.plan.address.to_string());
        one.certificates.iter().for_each(|those| those.retire());
        gone.extend(one.server.map(|server| (one.role, server)));
    }
    let open = steps
        .into_iter()
        .filter_map(|step| step.finish(&mut changed, &mut gone));
    let open = open.collect();
    (open, Ok((changed, gone)))
}

impl Step {
    fn new(next: Next) -> Self {
        Self {
            next,
            before: None,
            server: None,
            certificates: None,
        }
    }

    /// Starts a server where the one there is would speak something else.
    fn start(&mut self, starts: &Starts) -> Result<(), Failure> {
        let Next {
            role,
            plan,
            fresh,
            tls,
        } = &mut self.next;
        let alike = |one: &&Open| {
            one.role == *role
                && one.plan.tls.is_some() == plan.tls.is_some()
                && one.plan.proxy_protocol == plan.proxy_protocol
        };
        if self.before.as_ref().filter(alike).is_some() {
            return Ok(());
        }
        let known = self
            .before
            .as_ref()
            .and_then(|one| one.certificates.clone());
        self.certificates = match tls.take() {
            Some(tls) => Some(Certificates::new(plan, tls)),
            None => known.filter(|_| plan.tls.is_some()),
        };
        let lost = io::Error::other("its socket is gone");
        let bound = fresh.as_ref().or(self.before.as_ref().map(|b| &b.bound));
        let server = bound.ok_or(lost).and_then(|bound| {
            let certificates = self.certificates.as_deref();
            starts.serve(*role, plan, bound, certificates)
        });
        self.server = Some(server.map_err(|error| failed(plan, &error))?);
        Ok(())
    }

    /// Back to what was. A server that was started for nothing ends; it has served next to nobody.
    fn undo(self) -> Option<Open> {
        if let Some(server) = self.server {
            tokio::spawn(async move { server.drain(Duration::MAX).await });
        }
        self.before
    }

    fn finish(self, changed: &mut Changed, gone: &mut Vec<(Role, ServerHandle)>) -> Option<Open> {
        let Next {
            role,
            plan,
            fresh,
            tls,
            ..
        } = self.next;
        let name = plan.address.to_string();
        let Some(before) = self.before else {
            changed.added.push(name);
            return Some(Open {
                role,
                plan,
                bound: fresh?,
                certificates: self.certificates,
                server: self.server,
            });
        };
        if before.plan != plan || before.role != role {
            changed.changed.push(name);
        }
        if before.plan.mode != plan.mode {
            permit(&plan);
        }
        let mut open = Open {
            role,
            plan,
            ..before
        };
        match self.server {
            Some(server) => {
                if self.certificates.is_none() {
                    open.certificates.iter().for_each(|those| those.retire());
                }
                open.certificates = self.certificates;
                let old = open.server.replace(server);
                gone.extend(old.map(|server| (before.role, server)));
            }
            None => {
                if let (Some(certificates), Some(tls)) = (&open.certificates, tls) {
                    certificates.replace_with(tls);
                }
            }
        }
        Some(open)
    }
}

/// Sets the permissions of a Unix socket's file.
fn permit(plan: &Listener) {
    let Address::Unix(path) = &plan.address else {
        return;
    };
    if let Err(error) = std::fs::set_permissions(path, Permissions::from_mode(plan.mode)) {
        let path = path.display();
        tracing::error!(%path, %error, "the permissions of a socket stay as they were");
    }
}
