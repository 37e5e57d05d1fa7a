//! Attempts within the hold.

use std::time::Duration;

use raincheck_core::job::Status;
use raincheck_core::route::{HoldUntil, OnDisconnect, RetryPolicy, Route};

use crate::backend::Backend;
use crate::rig::{Rig, auto, patient};

fn retried(route: Route) -> Route {
    let retry = RetryPolicy {
        attempts: 3,
        backoff: Duration::ZERO,
        ..RetryPolicy::default()
    };
    Route { retry, ..route }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_within_the_hold_is_the_answer() {
    let mut backend = Backend::new().await;
    for hold_until in [HoldUntil::Head, HoldUntil::Complete] {
        let rig = Rig::new(Route {
            hold_until,
            ..retried(patient(&backend.upstream))
        });
        let mut client = rig.client().await;
        client.send("PUT", "", b"x").await;
        backend.call().await.answer(503, "", "not now").await;
        let second = backend.call().await;
        assert_eq!(second.field("raincheck-attempt"), Some("2"));
        second.answer(200, "", "now").await;
        let reply = client.reply("PUT").await;
        assert_eq!((reply.status(), &reply.body[..]), (200, &b"now"[..]));
        let job = rig.only_job().await;
        assert_eq!((job.status(), job.executions()), (Status::Succeeded, 2));
    }
}

/// The last answer of a dead letter is what the client gets, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_is_the_answer() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(retried(patient(&backend.upstream)));
    let mut client = rig.client().await;
    client.send("PUT", "", b"x").await;
    for text in ["one", "two", "three"] {
        backend.call().await.answer(500, "", text).await;
    }
    let reply = client.reply("PUT").await;
    assert_eq!((reply.status(), &reply.body[..]), (500, &b"three"[..]));
    assert_eq!(rig.only_job().await.status(), Status::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_past_the_hold_is_a_ticket() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(retried(auto(&backend.upstream)));
    let mut client = rig.client().await;
    client.send("PUT", "", b"x").await;
    backend
        .call()
        .await
        .answer(503, "retry-after: 3600\r\n", "")
        .await;
    let id = client.reply("PUT").await.id();
    assert_eq!(rig.runner.job(id).await.unwrap().status(), Status::Queued);
}

/// Nobody could find the job of a client that goes before it has a ticket.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_meanwhile() {
    let mut backend = Backend::new().await;
    for on_disconnect in [OnDisconnect::Cancel, OnDisconnect::Continue] {
        let rig = Rig::new(Route {
            on_disconnect,
            ..retried(patient(&backend.upstream))
        });
        let mut client = rig.client().await;
        client.send("PUT", "", b"x").await;
        backend.call().await.answer(503, "", "").await;
        let second = backend.call().await;
        drop(client);
        let id = rig.only_job().await.id();
        match on_disconnect {
            OnDisconnect::Cancel => {
                second.closed().await;
                assert_eq!(rig.finished(id).await.status(), Status::Cancelled);
            }
            OnDisconnect::Continue => {
                second.answer(200, "", "kept").await;
                assert_eq!(rig.response(id).await, (200, b"kept".to_vec()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_safe_is_not_sent_again() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(retried(patient(&backend.upstream)));
    let mut client = rig.client().await;
    client.send("POST", "", b"x").await;
    backend.call().await.answer(503, "", "no").await;
    let reply = client.reply("POST").await;
    assert_eq!((reply.status(), &reply.body[..]), (503, &b"no"[..]));
    client.send("POST", "", b"x").await;
    drop(backend.call().await);
    assert_eq!(client.reply("POST").await.status(), 502);
    assert!(!backend.was_called());
    assert_eq!(rig.store.commits(), 0);
}
