//! The client goes before, at and after the end of the hold; and the store that will not.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use raincheck_core::job::Status;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::route::{HoldUntil, OnDisconnect};
use raincheck_store::Error as StoreError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::rig::{Got, Rig, saying};

const HOLD: Duration = Duration::from_secs(25);
const LESS: Duration = Duration::from_secs(24);
const BOTH: [HoldUntil; 2] = [HoldUntil::Head, HoldUntil::Complete];

/// A request that ends when the sender says so.
fn request(rig: &Rig) -> (oneshot::Sender<&'static str>, super::super::Inner) {
    let (said, heard) = oneshot::channel();
    let inner = rig.request(async move {
        match heard.await {
            Ok(text) => Ok(saying(text, true)),
            Err(_) => std::future::pending().await,
        }
    });
    (said, inner)
}

fn answer(text: &str) -> Got {
    Got::Response(207, text.as_bytes().to_vec())
}

#[tokio::test(start_paused = true)]
async fn before_the_hold_a_client_that_goes_cancels() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Cancel);
        let (_said, inner) = request(&rig);
        let id = inner.accepted.id;
        let serving = rig.serve(inner, Instant::now() + HOLD);
        assert!(timeout(LESS, serving).await.is_err());
        assert_eq!(rig.closed.load(SeqCst), 1);
        assert!(!rig.is_stored(id).await);
        rig.nothing_is_left(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_hold_a_client_that_goes_continues_where_the_route_says_so() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Continue);
        let (said, inner) = request(&rig);
        let id = inner.accepted.id;
        let serving = rig.serve(inner, Instant::now() + HOLD);
        assert!(timeout(LESS, serving).await.is_err());
        while !rig.is_stored(id).await {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.closed.load(SeqCst), 0);
        _ = said.send("nobody listens");
        assert_eq!(rig.result(id).await, answer("nobody listens"));
        assert_eq!(rig.sent.load(SeqCst), 1);
        rig.nothing_is_left(id).await;
    }
}

/// While the ticket's job is being stored, it is too late to be sure that nobody gets the ticket.
#[tokio::test(start_paused = true)]
async fn at_the_hold_a_client_that_goes_leaves_a_job() {
    for hold_until in BOTH {
        for on_disconnect in [OnDisconnect::Cancel, OnDisconnect::Continue] {
            let rig = Rig::new(hold_until, on_disconnect);
            let (said, inner) = request(&rig);
            let id = inner.accepted.id;
            let stalled = rig.store.hold_commits();
            let serving = rig.serve(inner, Instant::now() + HOLD);
            assert!(timeout(HOLD * 2, serving).await.is_err());
            rig.store.until_held(1).await;
            assert_eq!(rig.closed.load(SeqCst), 0);
            drop(stalled);
            _ = said.send("kept");
            assert_eq!(rig.result(id).await, answer("kept"));
            assert_eq!(rig.sent.load(SeqCst), 1);
            rig.nothing_is_left(id).await;
        }
    }
}

/// The job of an exchange that is tried again within the hold: nobody could ever find it.
#[tokio::test(start_paused = true)]
async fn while_a_second_attempt_is_stored_a_client_that_goes_does_as_the_route_says() {
    for (on_disconnect, status) in [
        (OnDisconnect::Cancel, Status::Cancelled),
        (OnDisconnect::Continue, Status::Queued),
    ] {
        let rig = Rig::retrying(on_disconnect);
        let failure = Failure {
            cause: Cause::Connect,
            seen: Seen::Unreached,
            detail: "as the test says".to_owned(),
        };
        let inner = rig.request(std::future::ready(Err(failure)));
        let id = inner.accepted.id;
        let stalled = rig.store.hold_commits();
        let serving = rig.serve(inner, Instant::now() + HOLD);
        tokio::select! {
            biased;
            got = serving => panic!("{got:?} before the commit"),
            () = rig.store.until_held(1) => {}
        }
        drop(stalled);
        while !rig.is_stored(id).await || rig.runner().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        let mut watch = rig.runner().watch(id);
        while rig.runner().job(id).await.unwrap().status() != status {
            watch.changed().await;
        }
        rig.nothing_is_left(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_hold_nothing_depends_on_the_client() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Cancel);
        let (said, inner) = request(&rig);
        let id = inner.accepted.id;
        assert_eq!(
            rig.serve(inner, Instant::now() + HOLD).await,
            Got::Ticket(id)
        );
        let job = rig.runner().job(id).await.unwrap();
        assert_eq!((job.status(), job.attempt()), (Status::Processing, 1));
        assert_eq!(job.started_at(), Some(job.created_at()));
        _ = said.send("later");
        assert_eq!(rig.result(id).await, answer("later"));
        rig.nothing_is_left(id).await;
    }
}

/// The exchange ends while its job is being stored: the ticket is the answer, and it has a result.
#[tokio::test(start_paused = true)]
async fn an_exchange_that_ends_during_the_commit() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Cancel);
        let (said, inner) = request(&rig);
        let id = inner.accepted.id;
        let stalled = rig.store.hold_commits();
        let ending = async {
            rig.store.until_held(1).await;
            _ = said.send("in between");
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            drop(stalled);
        };
        let (got, ()) = tokio::join!(rig.serve(inner, Instant::now() + HOLD), ending);
        assert_eq!(got, Got::Ticket(id));
        assert_eq!(rig.result(id).await, answer("in between"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_store_at_the_end_of_the_hold_is_a_503_and_nothing_else() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Continue);
        rig.store
            .fail_commits(StoreError::Full("no room".to_owned()));
        let (_said, inner) = request(&rig);
        let id = inner.accepted.id;
        assert_eq!(
            rig.serve(inner, Instant::now() + HOLD).await,
            Got::Problem(503)
        );
        rig.nothing_is_left(id).await;
        assert_eq!(rig.closed.load(SeqCst), 1, "the backend is told");
        assert!(!rig.is_stored(id).await);
        assert_eq!(rig.store.files(), 0);
    }
}

/// An answer in time needs no store.
#[tokio::test(start_paused = true)]
async fn a_full_store_does_not_matter_within_the_hold() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Cancel);
        rig.store
            .fail_commits(StoreError::Full("no room".to_owned()));
        let (said, inner) = request(&rig);
        _ = said.send("quick");
        assert_eq!(
            rig.serve(inner, Instant::now() + HOLD).await,
            answer("quick")
        );
        assert_eq!(rig.store.commits(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_within_the_hold_is_a_problem_and_no_job() {
    for hold_until in BOTH {
        let rig = Rig::new(hold_until, OnDisconnect::Continue);
        for (cause, status) in [
            (Cause::Connect, 502),
            (Cause::Broken, 502),
            (Cause::Timeout, 504),
        ] {
            let detail = "as the test says".to_owned();
            let failure = Failure {
                cause,
                seen: Seen::All,
                detail,
            };
            let inner = rig.request(std::future::ready(Err(failure)));
            let id = inner.accepted.id;
            let got = rig.serve(inner, Instant::now() + HOLD).await;
            assert_eq!(got, Got::Problem(status));
            assert!(!rig.is_stored(id).await);
            rig.nothing_is_left(id).await;
        }
    }
}

/// The last call before a stop: whoever waits gets a ticket now.
#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_hold() {
    let rig = Rig::new(HoldUntil::Head, OnDisconnect::Cancel);
    let (_said, inner) = request(&rig);
    let id = inner.accepted.id;
    let begun = Instant::now();
    let stopping = async {
        tokio::task::yield_now().await;
        rig.runner().begin_drain();
        rig.runner().call_last();
    };
    let (got, ()) = tokio::join!(rig.serve(inner, begun + HOLD), stopping);
    assert_eq!(got, Got::Ticket(id));
    // Told within the time for which a wait does not listen for stops.
    assert!(begun.elapsed() < HOLD / 2, "{:?}", begun.elapsed());
}
