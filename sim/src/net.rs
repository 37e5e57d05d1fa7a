//! The simulated network: connections with delay, loss and resets, between hosts that die or freeze.
//!
//! What is lost on the way of a TCP connection is sent again, so loss here is delay; what a program
//! sees beyond that is a reset, or nothing at all. Bytes are handed over one packet at a time, in
//! order, after a delay that chance decides.

mod host;
mod lane;
mod pipe;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::chance::Chance;
pub use host::Host;
pub use pipe::Pipe;

/// Connections that wait to be accepted at one door.
const BACKLOG: usize = 4096;

/// Where connections go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The gateway's public port.
    Gateway,
    /// The backend's.
    Backend,
}

/// How the network is.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// The delay of a packet, in microseconds.
    pub delay_micros: (u64, u64),
    /// Packets of a hundred that have to be sent again.
    pub loss_percent: u64,
    /// What that costs.
    pub resend: Duration,
    /// Connections of a thousand that break at some packet.
    pub reset_permille: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay_micros: (50, 2_000),
            loss_percent: 0,
            resend: Duration::from_millis(220),
            reset_permille: 0,
        }
    }
}

/// The network. Clones are the same.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    chance: Chance,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    weather: Weather,
    doors: BTreeMap<Place, Door>,
    /// Clients so far, for addresses of their own.
    clients: u16,
}

#[derive(Default)]
struct Door {
    open: bool,
    waiting: VecDeque<(Pipe, SocketAddr)>,
    acceptors: Vec<Waker>,
}

impl Net {
    /// A network without doors.
    pub fn new(chance: Chance) -> Self {
        Self(Arc::new(Shared {
            chance,
            state: Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the weather, for packets sent from now on.
    pub fn weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Opens a door: connections wait there until somebody accepts them.
    pub fn open(&self, place: Place) {
        self.state().doors.entry(place).or_default().open = true;
    }

    /// Closes a door: who waited there is turned away, who comes is refused.
    pub fn close(&self, place: Place) {
        let mut state = self.state();
        let door = state.doors.entry(place).or_default();
        door.open = false;
        let waiting = std::mem::take(&mut door.waiting);
        drop(state);
        for (pipe, _) in waiting {
            pipe.reset();
        }
    }

    /// Connects from one host to the door of another.
    ///
    /// # Errors
    /// Nobody is there, or the backlog is full.
    pub fn connect(&self, from: &Host, to: Place) -> io::Result<Pipe> {
        let mut state = self.state();
        let packets = match state.weather.reset_permille {
            0 => None,
            permille if self.0.chance.within(0..=999) < permille => {
                Some(self.0.chance.within(1..=12))
            }
            _ => None,
        };
        state.clients = state.clients.wrapping_add(1);
        let [high, low] = state.clients.to_be_bytes();
        let addr = SocketAddr::from(([10, 0, high, low], 40_000));
        let door = state.doors.entry(to).or_default();
        if !door.open || door.waiting.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = Pipe::pair(self.clone(), from.clone(), packets);
        door.waiting.push_back((theirs, addr));
        door.acceptors.drain(..).for_each(Waker::wake);
        Ok(ours)
    }

    /// The next connection at a door, for a program on `host`.
    pub fn poll_accept(
        &self,
        place: Place,
        host: &Host,
        cx: &mut Context<'_>,
    ) -> Poll<(Pipe, SocketAddr)> {
        if host.stands_still(cx) {
            return Poll::Pending;
        }
        let mut state = self.state();
        let door = state.doors.entry(place).or_default();
        match door.waiting.pop_front() {
            Some((pipe, addr)) => {
                pipe.belongs_to(host.clone());
                Poll::Ready((pipe, addr))
            }
            None => {
                door.acceptors.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How long the next packet takes.
    fn delay(&self) -> Duration {
        let weather = self.state().weather;
        let (least, most) = weather.delay_micros;
        let delay = Duration::from_micros(self.0.chance.within(least..=most));
        match weather.loss_percent > 0 && self.0.chance.percent(weather.loss_percent) {
            true => delay + weather.resend,
            false => delay,
        }
    }
}
