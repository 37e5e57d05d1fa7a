//! What may be done to a store, by chance.

use proptest::prelude::*;
use raincheck_core::limits::{BODY_INLINE_BYTES, BODY_MEMORY_BYTES};

/// How many jobs a history is about.
pub(super) const JOBS: u8 = 6;
/// How many keys they may be stored under: fewer, so that they meet.
pub(super) const KEYS: u8 = 3;
/// The routes of those jobs.
pub(super) const ROUTES: [&str; 2] = ["a", "b"];

/// One thing to do to a store.
#[derive(Debug, Clone)]
pub enum Op {
    /// Accept a job, queued or already at work.
    Submit {
        /// Which.
        job: u8,
        /// Whether its first attempt has begun.
        started: bool,
        /// How large its request is.
        body: usize,
        /// Under which key, and whether from the job that has it.
        key: Option<(u8, bool)>,
    },
    /// Let something happen to a job, if its state allows that.
    Happen {
        /// Which.
        job: u8,
        /// What.
        what: What,
        /// From which view of the job.
        view: View,
    },
    /// Lease what is due.
    Lease {
        /// Of which route.
        route: usize,
        /// How far the clock is ahead of the history.
        ahead: u64,
        /// How many at most.
        limit: usize,
    },
    /// Lease one job.
    LeaseOne(u8),
    /// Move the end of a lease.
    Renew(u8),
    /// Give a lease back.
    Release(u8),
    /// Take leases off the books that ran out.
    Lapse,
    /// Close both stores and open them anew.
    Reopen,
}

/// What happens to a job.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as the events of core::job")]
pub enum What {
    Start,
    Answer { body: usize },
    Busy { seconds: u64 },
    Fail,
    Cancel,
    Retry,
    Rescue,
    HandBack,
    Expire,
    Forget,
    Tried { status: u16 },
    Redeliver,
}

/// From which view of a job a change is computed.
#[derive(Debug, Clone, Copy)]
pub enum View {
    /// As it is stored.
    Fresh,
    /// As it was one change ago.
    Stale,
    /// On behalf of the attempt before the latest.
    Fenced,
}

fn job() -> impl Strategy<Value = u8> {
    0..JOBS
}

fn body() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..100_usize,
        1 => BODY_INLINE_BYTES - 1..BODY_INLINE_BYTES + 2,
        1 => BODY_MEMORY_BYTES - 1..BODY_MEMORY_BYTES * 3,
    ]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        6 => Just(What::Start),
        4 => body().prop_map(|body| What::Answer { body }),
        2 => (0..100_u64).prop_map(|seconds| What::Busy { seconds }),
        1 => Just(What::Fail),
        1 => Just(What::Cancel),
        2 => Just(What::Retry),
        1 => Just(What::Rescue),
        1 => Just(What::HandBack),
        2 => Just(What::Expire),
        1 => Just(What::Forget),
        2 => proptest::sample::select(vec![200, 410, 500]).prop_map(|status| What::Tried { status }),
        1 => Just(What::Redeliver),
    ]
}

fn view() -> impl Strategy<Value = View> {
    prop_oneof![
        8 => Just(View::Fresh),
        1 => Just(View::Stale),
        1 => Just(View::Fenced),
    ]
}

/// One random operation.
pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (job(), any::<bool>(), body(), proptest::option::of((0..KEYS, any::<bool>())))
            .prop_map(|(job, started, body, key)| Op::Submit { job, started, body, key }),
        16 => (job(), what(), view()).prop_map(|(job, what, view)| Op::Happen { job, what, view }),
        4 => (0..ROUTES.len(), 0..100_u64, 0..4_usize)
            .prop_map(|(route, ahead, limit)| Op::Lease { route, ahead, limit }),
        1 => job().prop_map(Op::LeaseOne),
        1 => job().prop_map(Op::Renew),
        3 => job().prop_map(Op::Release),
        1 => Just(Op::Lapse),
        1 => Just(Op::Reopen),
    ]
}
