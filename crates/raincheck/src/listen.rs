//! Opening ports: all of the plan, or none, with words for what went wrong.

use std::io::ErrorKind;
use std::net::SocketAddr;

use raincheck_config::Plan;
use raincheck_gateway::server::{Bound, Server};

use crate::exit::{Code, Failure};

/// Open ports that nobody serves yet.
pub struct Ports {
    /// For clients.
    pub public: Vec<Bound>,
    /// For operators.
    pub admin: Option<Bound>,
}

impl Ports {
    /// Opens every port of the plan, or none.
    pub fn open(plan: &Plan) -> Result<Self, Failure> {
        let public: Result<Vec<_>, _> = plan
            .server
            .listen
            .iter()
            .map(|addr| bind(*addr, "server.listen"))
            .collect();
        let admin = plan
            .admin
            .listen
            .map(|addr| bind(addr, "admin.listen"))
            .transpose()?;
        Ok(Self {
            public: public?,
            admin,
        })
    }
}

fn bind(addr: SocketAddr, key: &str) -> Result<Bound, Failure> {
    Server::bind(addr).map_err(|error| {
        let next = match error.kind() {
            ErrorKind::AddrInUse => {
                "another process has this port: stop that one, or choose another"
            }
            ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose another",
            _ => "is it an address of this machine?",
        };
        Failure::new(
            Code::PortInUse,
            format!("cannot listen on {addr} ({key}): {error}; {next}"),
        )
    })
}
