//! Opening sockets: all of the plan, or none, with words for what went wrong.

mod passed;

use std::io::{Error, ErrorKind};

use raincheck_config::Plan;
use raincheck_config::plan::{Address, Listener};
use raincheck_gateway::server::Bound;

use crate::exit::{Code, Failure};
use passed::Passed;

/// Open sockets that nobody serves yet.
pub struct Ports {
    /// For clients, in the order of the plan.
    pub public: Vec<Bound>,
    /// For operators.
    pub admin: Option<Bound>,
    /// What the config calls each of them, in this order.
    names: Vec<String>,
}

impl Ports {
    /// Opens every socket of the plan, or none. Those that were passed to the process must all be
    /// in the plan; of those that a process before has, the plan takes what it names.
    pub fn open(plan: &Plan, mut inherited: Vec<(String, Bound)>) -> Result<Self, Failure> {
        let mut passed = Passed::from_environment();
        let mut open = |listener: &Listener, key| {
            let name = listener.address.to_string();
            match inherited.iter().position(|(known, _)| *known == name) {
                Some(index) => Ok(inherited.remove(index).1),
                None => open(listener, key, &mut passed),
            }
        };
        let public = plan.server.listen.iter();
        let public: Result<Vec<_>, _> = public
            .map(|listener| open(listener, "server.listen"))
            .collect();
        let admin = plan.admin.listen.as_ref();
        let admin = admin.map(|listener| open(listener, "admin.listen"));
        let ports = Self {
            public: public?,
            admin: admin.transpose()?,
            names: names(plan),
        };
        passed.refuse_rest()?;
        Ok(ports)
    }

    /// The same sockets once more.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        let public = self.public.iter().map(Bound::try_clone);
        Ok(Self {
            public: public.collect::<Result<_, _>>()?,
            admin: self.admin.as_ref().map(Bound::try_clone).transpose()?,
            names: self.names.clone(),
        })
    }

    /// Closes what is kept here.
    pub fn close(&mut self) {
        self.public.clear();
        self.admin = None;
        self.names.clear();
    }

    /// Each with what the config calls it.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Bound)> {
        let sockets = self.public.iter().chain(&self.admin);
        self.names.iter().map(String::as_str).zip(sockets)
    }

    /// What the config calls them.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn names(plan: &Plan) -> Vec<String> {
    let listeners = plan.server.listen.iter().chain(&plan.admin.listen);
    listeners
        .map(|listener| listener.address.to_string())
        .collect()
}

fn open(listener: &Listener, key: &str, passed: &mut Passed) -> Result<Bound, Failure> {
    let bound = match &listener.address {
        Address::Tcp(addr) => Bound::tcp(*addr),
        Address::Unix(path) => Bound::unix(path, listener.mode),
        Address::Passed(name) => return passed.take(name, key),
    };
    bound.map_err(|error| {
        let (address, why) = (&listener.address, why(&listener.address, &error));
        let message = format!("cannot listen on {address} ({key}): {why}");
        Failure::new(Code::PortInUse, message)
    })
}

/// What is wrong, and what to do.
fn why(address: &Address, error: &Error) -> String {
    let unix = matches!(address, Address::Unix(_));
    match error.kind() {
        ErrorKind::AddrInUse if unix => {
            "another process listens there; stop that one, or choose another path".to_owned()
        }
        ErrorKind::AddrInUse => {
            "another process has this port; stop that one, or choose another".to_owned()
        }
        ErrorKind::PermissionDenied if unix => {
            format!("{error}; may this user write to the directory?")
        }
        ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 need a privilege: choose another")
        }
        _ if unix => format!("{error}; choose another path, or remove what is there"),
        _ => format!("{error}; is it an address of this machine?"),
    }
}
