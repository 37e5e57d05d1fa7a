//! Permits and room in the store.

use raincheck_core::job::Status;
use raincheck_core::route::{Mode, Route};
use raincheck_store::Error as StoreError;

use crate::backend::Backend;
use crate::rig::{Rig, auto, patient};

/// No exchange may begin before the end of the hold: the ticket is for a job that waits its turn.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_permit_the_hold_ends_with_a_ticket() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(Route {
        concurrency: 1,
        ..auto(&backend.upstream)
    });
    let first = rig.client().await.ask("POST", "", b"1").await.id();
    let call = backend.call().await;
    let second = rig.client().await.ask("POST", "", b"2").await.id();
    let job = rig.runner.job(second).await.unwrap();
    assert_eq!((job.status(), job.executions()), (Status::Queued, 0));
    assert!(!backend.was_called());
    call.answer(200, "", "first").await;
    assert_eq!(rig.response(first).await, (200, b"first".to_vec()));
    let call = backend.call().await;
    assert_eq!(call.body, b"2");
    call.answer(200, "", "second").await;
    assert_eq!(rig.response(second).await, (200, b"second".to_vec()));
}

/// A client that waits for a permit gets the answer if there is one in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_permit_within_the_hold_is_used() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(Route {
        concurrency: 1,
        ..patient(&backend.upstream)
    });
    let (mut first, mut second) = (rig.client().await, rig.client().await);
    first.send("POST", "", b"1").await;
    let call = backend.call().await;
    second.send("POST", "", b"2").await;
    call.answer(200, "", "first").await;
    assert_eq!(first.reply("POST").await.body, b"first");
    backend.call().await.answer(200, "", "second").await;
    assert_eq!(second.reply("POST").await.body, b"second");
    assert_eq!(rig.store.commits(), 0);
}

/// A relayed body is part of its exchange: the permit is free when it ends, and a job that waits
/// for it begins then.
#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_body_holds_its_permit() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(Route {
        concurrency: 1,
        ..auto(&backend.upstream)
    });
    let mut first = rig.client().await;
    first.send("GET", "", b"").await;
    let mut call = backend.call().await;
    call.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nha")
        .await;
    assert_eq!(first.head().await.status(), 200);
    let second = rig.client().await.ask("POST", "", b"2").await.id();
    assert!(!backend.was_called());
    call.raw("lf").await;
    backend.call().await.answer(200, "", "second").await;
    assert_eq!(rig.response(second).await, (200, b"second".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_is_told_and_nothing_is_left() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    rig.store
        .fail_commits(StoreError::Full("no room".to_owned()));
    // The backend had it: only what is idempotent is invited to come again.
    for (method, again) in [("POST", false), ("PUT", true)] {
        let reply = rig.client().await.ask(method, "", b"x").await;
        assert_eq!(
            (reply.status(), reply.field("raincheck-error")),
            (503, Some("gateway"))
        );
        assert_eq!(reply.field("retry-after").is_some(), again);
        let text = String::from_utf8_lossy(&reply.body);
        assert!(
            text.contains("the backend may have seen the request"),
            "{text}"
        );
        assert!(text.contains(&format!("\"retryable\":{again}")), "{text}");
        backend.call().await.closed().await;
    }
    let rig = Rig::new(Route {
        mode: Mode::Async,
        ..auto(&backend.upstream)
    });
    rig.store
        .fail_commits(StoreError::Full("no room".to_owned()));
    let reply = rig.client().await.ask("POST", "", b"x").await;
    assert_eq!(reply.status(), 503);
    assert!(!backend.was_called(), "nothing is sent before it is stored");
    assert_eq!(rig.runner.in_flight(), 0);
}

/// No spool, no exchange: a body that is too large for memory is refused before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_told() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    rig.store
        .fail_bodies(StoreError::Full("no room".to_owned()));
    let reply = rig.client().await.ask("POST", "", &[7; 200_000]).await;
    assert_eq!(reply.status(), 503);
    assert!(!backend.was_called());
}
