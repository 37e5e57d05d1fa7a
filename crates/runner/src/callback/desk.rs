//! Who waits to be told, by receiver. A receiver gets one try at a time until it answers well, then
//! more; those with something to do take turns, so that many messages for one delay no other's.
//!
//! What waits here is bounded, over all and for each receiver; the rest waits in the store, and is
//! looked for again when there is room.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use raincheck_core::limits::{DELIVERIES_WAITING, RECEIVER_TRIES, RECEIVER_WAITING};
use raincheck_core::time::Timestamp;

use super::TellingNow;

/// The desk.
#[derive(Debug, Default)]
pub(super) struct Desk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    receivers: HashMap<u64, Receiver>,
    /// Receivers that have something to do and may do it, those longest here first.
    ready: VecDeque<u64>,
    /// Jobs that wait here or are under way.
    known: HashSet<JobId>,
    in_flight: usize,
    /// Something was left in the store for want of room.
    left: bool,
    /// When something more is due.
    next: Option<Timestamp>,
}

#[derive(Debug)]
struct Receiver {
    waiting: VecDeque<JobId>,
    in_flight: usize,
    /// Tries it may have in flight.
    window: usize,
    /// Whether it is in `ready`.
    ready: bool,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            in_flight: 0,
            window: 1,
            ready: false,
        }
    }
}

/// What a try said of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It has the message.
    Good,
    /// It has not.
    Bad,
    /// Nothing.
    Unknown,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job whose end is due to be told; false: there is no room, and it will be looked for.
    pub(super) fn offer(&self, job: JobId, receiver: u64) -> bool {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.known.contains(&job) {
            return true;
        }
        if state.known.len() >= DELIVERIES_WAITING {
            state.left = true;
            return false;
        }
        let own = state.receivers.entry(receiver).or_default();
        if own.waiting.len() >= RECEIVER_WAITING {
            state.left = true;
            return false;
        }
        own.waiting.push_back(job);
        state.known.insert(job);
        own.make_ready(receiver, &mut state.ready);
        true
    }

    /// The next one whose turn it is, with its receiver. [`Desk::done`] must follow.
    pub(super) fn next(&self) -> Option<(u64, JobId)> {
        let mut guard = self.state();
        let state = &mut *guard;
        let receiver = state.ready.pop_front()?;
        let own = state.receivers.get_mut(&receiver)?;
        own.ready = false;
        let job = own.waiting.pop_front()?;
        own.in_flight += 1;
        state.in_flight += 1;
        own.make_ready(receiver, &mut state.ready);
        Some((receiver, job))
    }

    /// A try has ended and is written down.
    pub(super) fn done(&self, receiver: u64, job: JobId, health: Health) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.known.remove(&job);
        state.in_flight -= 1;
        let Some(own) = state.receivers.get_mut(&receiver) else {
            return;
        };
        own.in_flight -= 1;
        own.window = match health {
            Health::Good => (2 * own.window).min(RECEIVER_TRIES),
            Health::Bad => 1,
            Health::Unknown => own.window,
        };
        own.make_ready(receiver, &mut state.ready);
        if own.waiting.is_empty() && own.in_flight == 0 {
            state.receivers.remove(&receiver);
        }
    }

    /// Look into the store at this time.
    pub(super) fn look_at(&self, at: Timestamp) {
        let next = &mut self.state().next;
        *next = Some(next.map_or(at, |next| next.min(at)));
    }

    /// Whether something was left in the store since this was last asked, and when more is due.
    pub(super) fn take_outlook(&self) -> (bool, Option<Timestamp>) {
        let mut state = self.state();
        (std::mem::take(&mut state.left), state.next.take())
    }

    pub(super) fn now(&self) -> TellingNow {
        let state = self.state();
        TellingNow {
            in_flight: state.in_flight,
            waiting: state.known.len() - state.in_flight,
        }
    }
}

impl Receiver {
    fn make_ready(&mut self, number: u64, ready: &mut VecDeque<u64>) {
        if !self.ready && !self.waiting.is_empty() && self.in_flight < self.window {
            self.ready = true;
            ready.push_back(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: usize) -> JobId {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        JobId::from_parts(Timestamp::from_millis(1), random)
    }

    #[test]
    fn receivers_take_turns_and_a_new_one_gets_one_try() {
        let desk = Desk::default();
        for number in 0..100 {
            assert!(desk.offer(job(number), 1));
        }
        assert!(desk.offer(job(100), 2));
        assert_eq!(desk.next(), Some((1, job(0))));
        assert_eq!(desk.next(), Some((2, job(100))));
        assert_eq!(desk.next(), None, "both have one in flight");
        desk.done(1, job(0), Health::Good);
        assert_eq!(desk.next(), Some((1, job(1))));
        assert_eq!(desk.next(), Some((1, job(2))), "it may have two now");
        assert_eq!(desk.next(), None);
        desk.done(1, job(1), Health::Bad);
        assert_eq!(desk.next(), None, "it may have one again");
        desk.done(1, job(2), Health::Unknown);
        assert_eq!(desk.next(), Some((1, job(3))));
        desk.done(2, job(100), Health::Good);
        assert_eq!(
            desk.state().receivers.len(),
            1,
            "who has nothing is forgotten"
        );
    }

    #[test]
    fn a_job_is_there_once() {
        let desk = Desk::default();
        assert!(desk.offer(job(1), 1) && desk.offer(job(1), 1));
        assert_eq!(desk.next(), Some((1, job(1))));
        assert!(desk.offer(job(1), 1));
        assert_eq!(desk.next(), None);
        let now = TellingNow {
            in_flight: 1,
            waiting: 0,
        };
        assert_eq!(desk.now(), now);
        desk.done(1, job(1), Health::Good);
        assert!(desk.offer(job(1), 1));
        assert_eq!(desk.next(), Some((1, job(1))));
    }

    #[test]
    fn what_waits_has_bounds_and_one_receiver_does_not_take_all_room() {
        let desk = Desk::default();
        for number in 0..2 * RECEIVER_WAITING {
            let room = desk.offer(job(number), 1);
            assert_eq!(room, number < RECEIVER_WAITING);
        }
        assert_eq!(desk.take_outlook(), (true, None));
        assert_eq!(desk.take_outlook(), (false, None));
        let mut number = 2 * RECEIVER_WAITING;
        let mut receiver = 2;
        while desk.offer(job(number), receiver) {
            number += 1;
            receiver += 1;
        }
        assert_eq!(desk.now().waiting, DELIVERIES_WAITING);
        desk.look_at(Timestamp::from_millis(9));
        desk.look_at(Timestamp::from_millis(7));
        assert_eq!(desk.take_outlook(), (true, Some(Timestamp::from_millis(7))));
    }
}
