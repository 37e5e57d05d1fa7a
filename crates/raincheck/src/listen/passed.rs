//! Sockets that whoever started the process passed on, as systemd does (sd_listen_fds(3)): their
//! number in `LISTEN_FDS`, for whom in `LISTEN_PID`, their names in `LISTEN_FDNAMES`.

use listenfd::ListenFd;
use raincheck_gateway::server::Bound;

use crate::exit::{Code, Failure};

/// The number of the first descriptor that is passed.
const FIRST: usize = 3;

/// Sockets that were passed.
pub struct Passed {
    sockets: ListenFd,
    /// The name of each, where it has one, and whether it was taken.
    names: Vec<(Option<String>, bool)>,
}

impl Passed {
    /// What was passed to this process.
    pub fn from_environment() -> Self {
        // Read first: the names may be gone once the sockets are known.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let sockets = ListenFd::from_env();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let names = (0..sockets.len()).map(|_| (names.next().map(str::to_owned), false));
        Self {
            names: names.collect(),
            sockets,
        }
    }

    /// Takes the socket with this name or number. Of several with one name, the first that is left.
    pub fn take(&mut self, name: &str, key: &str) -> Result<Bound, Failure> {
        let refused = |why: String| {
            Failure::new(
                Code::PortInUse,
                format!("cannot listen on fd:{name} ({key}): {why}"),
            )
        };
        let Some(index) = self.find(name) else {
            return Err(refused(format!(
                "no such socket was passed; {}",
                self.told()
            )));
        };
        let bound = self
            .bound(index)
            .map_err(|error| refused(error.to_string()))?;
        self.names[index].1 = true;
        Ok(bound)
    }

    fn find(&self, name: &str) -> Option<usize> {
        let named = self
            .names
            .iter()
            .position(|(known, taken)| !taken && known.as_deref() == Some(name));
        named.or_else(|| {
            let index = name.parse::<usize>().ok()?.checked_sub(FIRST)?;
            self.names.get(index).filter(|(_, taken)| !taken)?;
            Some(index)
        })
    }

    fn bound(&mut self, index: usize) -> std::io::Result<Bound> {
        // A socket of the other kind is an error, and stays where it is.
        if let Ok(Some(listener)) = self.sockets.take_unix_listener(index) {
            return Bound::from_unix(listener);
        }
        match self.sockets.take_tcp_listener(index)? {
            Some(listener) => Bound::from_tcp(listener),
            None => Err(std::io::Error::other("it was taken already")),
        }
    }

    /// Refuses to run with sockets that nobody would ever be accepted from.
    pub fn refuse_rest(&self) -> Result<(), Failure> {
        let Some(index) = self.names.iter().position(|(_, taken)| !taken) else {
            return Ok(());
        };
        let name = self.shown(index);
        let message = format!(
            "the socket fd:{name} was passed and no listener takes it; write listen = \"fd:{name}\" \
             in [server] or [admin]"
        );
        Err(Failure::new(Code::Usage, message))
    }

    fn shown(&self, index: usize) -> String {
        match self.names.get(index) {
            Some((Some(name), _)) => name.clone(),
            _ => (FIRST + index).to_string(),
        }
    }

    /// What was passed, in words.
    fn told(&self) -> String {
        match self.names.len() {
            0 => "none was: LISTEN_FDS is not set for this process".to_owned(),
            count => {
                let shown = (0..count).map(|index| format!("fd:{}", self.shown(index)));
                format!("those are: {}", shown.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
