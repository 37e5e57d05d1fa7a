//! Opening sockets, with words for what went wrong.

mod passed;

use std::io::{Error, ErrorKind};

use raincheck_config::plan::{Address, Listener};
use raincheck_gateway::server::Bound;

use crate::exit::{Code, Failure};
pub use passed::Passed;

/// Opens one, or takes it from those that were passed to the process, while there are any.
///
/// # Errors
/// In words, with what to do.
pub fn open(listener: &Listener, key: &str, passed: Option<&mut Passed>) -> Result<Bound, Failure> {
    let bound = match (&listener.address, passed) {
        (Address::Tcp(addr), _) => Bound::tcp(*addr),
        (Address::Unix(path), _) => Bound::unix(path, listener.mode),
        (Address::Passed(name), Some(passed)) => return passed.take(name, key),
        (Address::Passed(name), None) => {
            let why = "sockets are passed only at the start: restart the process";
            let message = format!("cannot listen on fd:{name} ({key}): {why}");
            return Err(Failure::new(Code::PortInUse, message));
        }
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
