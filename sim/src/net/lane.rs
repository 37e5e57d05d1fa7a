//! A connection between two ends: one lane of packets in each direction.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::{Host, Net};

/// Bytes on their way in one direction at most, as a kernel's buffers would hold.
const WINDOW_BYTES: usize = 128 * 1024;

/// A connection.
pub(crate) struct Line {
    net: Net,
    state: Mutex<State>,
}

pub(crate) struct State {
    /// What goes to end 0, and what goes to end 1.
    lanes: [Lane; 2],
    hosts: [Option<Host>; 2],
    /// Packets until it breaks.
    packets_left: Option<u64>,
}

#[derive(Default)]
struct Lane {
    packets: VecDeque<(Instant, Bytes)>,
    buffered: usize,
    last: Option<Instant>,
    /// When its reader sees the end.
    fin: Option<Instant>,
    /// When its reader sees that the connection broke.
    reset: Option<Instant>,
    /// Whether its reader is gone.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a reader finds.
pub(crate) enum Found {
    Bytes(Bytes),
    End,
    Broken(Error),
    /// Nothing yet; something at this time.
    Later(Option<Instant>),
}

impl Line {
    pub(crate) fn new(net: Net, from: Host, packets_left: Option<u64>) -> Self {
        Self {
            net,
            state: Mutex::new(State {
                lanes: <[Lane; 2]>::default(),
                hosts: [Some(from), None],
                packets_left,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine on which an end is.
    pub(crate) fn host(&self, end: usize) -> Option<Host> {
        self.state().hosts[end].clone()
    }

    pub(crate) fn accepted(&self, host: Host) {
        self.state().hosts[1] = Some(host);
    }

    /// What lies there for `end`, at most `limit` bytes of it.
    pub(crate) fn read(&self, end: usize, limit: usize, waker: &Waker) -> Found {
        let now = Instant::now();
        let mut state = self.state();
        let lane = &mut state.lanes[end];
        if lane.reset.is_some_and(|at| at <= now) {
            return Found::Broken(ErrorKind::ConnectionReset.into());
        }
        let next = lane.packets.front().map(|(at, _)| *at);
        match next {
            Some(at) if at <= now => {}
            Some(at) => {
                lane.reader = Some(waker.clone());
                return Found::Later(Some(lane.reset.map_or(at, |reset| reset.min(at))));
            }
            None if lane.fin.is_some_and(|at| at <= now) => return Found::End,
            None => {
                lane.reader = Some(waker.clone());
                return Found::Later(lane.fin.into_iter().chain(lane.reset).min());
            }
        }
        let Some((at, mut bytes)) = lane.packets.pop_front() else {
            return Found::Later(None);
        };
        let piece = bytes.copy_to_bytes(bytes.len().min(limit));
        if !bytes.is_empty() {
            lane.packets.push_front((at, bytes));
        }
        lane.buffered -= piece.len();
        wake(&mut lane.writer);
        Found::Bytes(piece)
    }

    /// Sends bytes from `end`; says how many were taken. None: no room, the task will be woken.
    pub(crate) fn write(
        &self,
        end: usize,
        bytes: &[u8],
        waker: &Waker,
    ) -> Result<Option<usize>, Error> {
        let now = Instant::now();
        let delay = self.net.delay();
        let mut state = self.state();
        if state.lanes[end].reset.is_some_and(|at| at <= now) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if let Some(left) = &mut state.packets_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                drop(state);
                self.reset_both(delay);
                return Err(ErrorKind::ConnectionReset.into());
            }
        }
        let lane = &mut state.lanes[1 - end];
        if lane.deaf {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = WINDOW_BYTES - lane.buffered.min(WINDOW_BYTES);
        if room == 0 {
            lane.writer = Some(waker.clone());
            return Ok(None);
        }
        let piece = Bytes::copy_from_slice(&bytes[..bytes.len().min(room)]);
        let count = piece.len();
        lane.push(now + delay, piece);
        Ok(Some(count))
    }

    /// Whether anything lies unread for `end`.
    pub(crate) fn has_news(&self, end: usize) -> bool {
        let now = Instant::now();
        let state = self.state();
        let lane = &state.lanes[end];
        let next = lane.packets.front().map(|(at, _)| *at);
        next.into_iter()
            .chain(lane.fin)
            .chain(lane.reset)
            .any(|at| at <= now)
    }

    /// No more bytes from `end`.
    pub(crate) fn finish(&self, end: usize) {
        let at = Instant::now() + self.net.delay();
        self.state().lanes[1 - end].finish(at);
    }

    /// `end` is closed: with a reset if it says so, or if it leaves bytes unread.
    pub(crate) fn close(&self, end: usize, reset: bool) {
        let at = Instant::now() + self.net.delay();
        let mut state = self.state();
        let own = &mut state.lanes[end];
        own.deaf = true;
        let unread = !own.packets.is_empty();
        own.packets.clear();
        wake(&mut own.writer);
        let peer = &mut state.lanes[1 - end];
        if reset || unread {
            peer.break_at(at);
        } else {
            peer.finish(at);
        }
    }

    /// The machine `host` is gone: its peer sees a reset.
    pub(crate) fn cut(&self, host: &Host) {
        let delay = self.net.delay();
        let gone = |end: &usize| {
            let state = self.state();
            state.hosts[*end]
                .as_ref()
                .is_some_and(|other| other.is(host))
        };
        let at = Instant::now() + delay;
        for end in [0, 1].iter().filter(|end| gone(end)) {
            self.state().lanes[1 - end].break_at(at);
        }
    }

    /// Both ends see a reset.
    pub(crate) fn reset_both(&self, delay: Duration) {
        let at = Instant::now() + delay;
        let mut state = self.state();
        for lane in &mut state.lanes {
            lane.break_at(at);
        }
    }
}

impl Lane {
    fn push(&mut self, at: Instant, bytes: Bytes) {
        let at = self.last.map_or(at, |last| last.max(at));
        self.last = Some(at);
        self.buffered += bytes.len();
        self.packets.push_back((at, bytes));
        wake(&mut self.reader);
    }

    fn finish(&mut self, at: Instant) {
        let at = self.last.map_or(at, |last| last.max(at));
        self.fin.get_or_insert(at);
        wake(&mut self.reader);
    }

    fn break_at(&mut self, at: Instant) {
        self.reset.get_or_insert(at);
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
