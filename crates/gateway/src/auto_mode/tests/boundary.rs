//! The response and the end of the hold at the same moment, thousands of times.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use raincheck_core::route::{HoldUntil, OnDisconnect};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::rig::{Got, Rig, saying};

/// How far from the end of the hold, and after how many turns of the runtime, an exchange ends.
#[derive(Debug, Clone, Copy)]
struct When {
    millis: i64,
    turns: usize,
    /// Whether the commit of the ticket takes until after the exchange has ended.
    stalled: bool,
    /// Whether the exchange waits for a timer of its own, or is woken by another task.
    own_timer: bool,
    /// Whether its body comes in pieces, after pauses.
    pauses: bool,
}

fn cases() -> impl Iterator<Item = When> {
    (0..4_000_usize).map(|number| When {
        millis: [-1, 0, 0, 0, 1][number % 5],
        turns: number / 5 % 10,
        stalled: number / 50 % 2 == 0,
        own_timer: number / 100 % 2 == 0,
        pauses: number / 200 % 2 == 0,
    })
}

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// One request; says whether it was answered with a ticket.
async fn race(rig: &Rig, when: When) -> bool {
    let begun = Instant::now();
    let until = begun + Duration::from_millis(10);
    let at = begun + Duration::from_millis(10u64.checked_add_signed(when.millis).unwrap());
    let (said, heard) = oneshot::channel();
    let ending = tokio::spawn(async move {
        sleep_until(at).await;
        turns(when.turns).await;
        _ = said.send(());
    });
    let inner = rig.request(async move {
        if when.own_timer {
            sleep_until(at).await;
            turns(when.turns).await;
        } else {
            heard.await.unwrap();
        }
        Ok(saying("the one answer", when.pauses))
    });
    let id = inner.accepted.id;
    let (sent, commits) = (rig.sent.load(SeqCst), rig.store.commits());
    let stalled = when.stalled.then(|| rig.store.hold_commits());
    let releasing = async {
        ending.await.unwrap();
        turns(5).await;
        drop(stalled);
    };
    let (got, ()) = tokio::join!(rig.serve(inner, until), releasing);
    let answer = Got::Response(207, b"the one answer".to_vec());
    let is_ticket = match got {
        Got::Ticket(ticket) => {
            assert_eq!(ticket, id);
            assert!(rig.is_stored(id).await, "a ticket before its job");
            assert_eq!(rig.result(id).await, answer, "{when:?}");
            true
        }
        got => {
            assert_eq!(got, answer, "{when:?}");
            assert!(!rig.is_stored(id).await, "{when:?}: an answer and a job");
            false
        }
    };
    rig.nothing_is_left(id).await;
    let writes = if is_ticket { 2 } else { 0 };
    assert_eq!(rig.store.commits() - commits, writes, "{when:?}");
    assert_eq!(rig.sent.load(SeqCst) - sent, 1, "{when:?}: sent once");
    assert_eq!(
        rig.closed.load(SeqCst),
        0,
        "{when:?}: closed before its end"
    );
    is_ticket
}

async fn race_all(hold_until: HoldUntil) {
    let rig = Rig::new(hold_until, OnDisconnect::Cancel);
    let mut ties = [0, 0];
    for when in cases() {
        let is_ticket = race(&rig, when).await;
        match (when.millis, hold_until) {
            (-1, HoldUntil::Head) => assert!(!is_ticket, "{when:?}: it was there in time"),
            (1, _) => assert!(is_ticket, "{when:?}: it was late"),
            (0, _) => ties[usize::from(is_ticket)] += 1,
            _ => {}
        }
    }
    assert!(
        ties.iter().all(|count| *count >= 50),
        "the race was none: {ties:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_head_at_the_end_of_the_hold() {
    race_all(HoldUntil::Head).await;
}

#[tokio::test(start_paused = true)]
async fn the_whole_response_at_the_end_of_the_hold() {
    race_all(HoldUntil::Complete).await;
}

/// The same on several threads: what decides is the order in which they really come.
async fn race_threads(hold_until: HoldUntil) {
    let rig = Rig::new(hold_until, OnDisconnect::Cancel);
    for round in 0..2_000_usize {
        let (said, heard) = oneshot::channel();
        let inner = rig.request(async move {
            heard.await.unwrap();
            Ok(saying("the one answer", round % 3 == 0))
        });
        let id = inner.accepted.id;
        let ending = tokio::spawn(async move {
            for _ in 0..round % 64 * 4 {
                std::hint::spin_loop();
            }
            _ = said.send(());
        });
        let answer = Got::Response(207, b"the one answer".to_vec());
        match rig.serve(inner, Instant::now()).await {
            Got::Ticket(ticket) => {
                assert_eq!(ticket, id);
                assert_eq!(rig.result(id).await, answer);
            }
            got => {
                assert_eq!(got, answer);
                assert!(!rig.is_stored(id).await);
            }
        }
        ending.await.unwrap();
        while rig.runner().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        while rig.runner().try_permit(&rig.route).is_none() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(rig.sent.load(SeqCst), 2_000);
    assert_eq!(rig.closed.load(SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_head_on_another_thread() {
    race_threads(HoldUntil::Head).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_whole_response_on_another_thread() {
    race_threads(HoldUntil::Complete).await;
}
