//! Requests that are repeated: one run, the same answer, in every state its job may be in.

use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use raincheck_core::job::Status;
use raincheck_core::rewrite::{FieldRules, Rewrite};
use raincheck_core::route::{Duplicates, HoldUntil, Mode, OnDisconnect, Route};
use raincheck_store::Jobs;

use crate::backend::{Backend, Call};
use crate::client::{Client, Reply};
use crate::rig::{Rig, auto, patient, soon};

pub const KEY: &str = "idempotency-key: \"k-1\"\r\n";
const BARE: &str = "idempotency-key: k-1\r\n";

pub fn replayed(reply: &Reply) -> bool {
    reply.field("idempotency-replayed") == Some("true")
}

pub fn problem(reply: &Reply) -> String {
    assert_eq!(reply.field("raincheck-error"), Some("gateway"), "{reply:?}");
    let text = String::from_utf8(reply.body.clone()).unwrap();
    let (_, rest) = text.split_once("\"code\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The second client sends the same; it has joined once it watches the job.
pub async fn second(rig: &Rig, fields: &str) -> Client {
    let mut client = rig.client().await;
    client.send("POST", fields, b"x").await;
    client
}

pub fn with(route: Route, duplicates: Duplicates) -> Route {
    Route {
        duplicates,
        ..route
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_is_stored_before_the_backend_sees_it_and_relayed_as_it_comes() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let stalled = rig.store.hold_commits();
    let mut client = second(&rig, KEY).await;
    soon(rig.store.until_held(1)).await;
    assert!(!backend.was_called(), "it is not durable");
    drop(stalled);
    let mut call = backend.call().await;
    assert_eq!(rig.store.commits(), 1);
    assert_eq!(call.field("idempotency-key"), Some("\"k-1\""));
    let job = rig.only_job().await;
    let id = job.id().to_string();
    assert_eq!(call.field("raincheck-job-id"), Some(id.as_str()));
    // The head and the first bytes reach the client while the backend still works.
    call.write("HTTP/1.1 201 Made\r\nx-a: 1\r\ncontent-length: 8\r\n\r\nhalf")
        .await;
    let head = client.head().await;
    assert_eq!((head.status(), head.field("x-a")), (201, Some("1")));
    assert_eq!(head.field("content-length"), Some("8"));
    assert!(!replayed(&head));
    assert_eq!(client.take_bytes(4).await, b"half");
    call.write("half").await;
    assert_eq!(client.take_bytes(4).await, b"half");
    assert_eq!(rig.response(job.id()).await, (201, b"halfhalf".to_vec()));
    assert_eq!(rig.store.commits(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_the_first_is_held_gets_what_it_gets() {
    let mut backend = Backend::new().await;
    for hold_until in [HoldUntil::Head, HoldUntil::Complete] {
        let rig = Rig::new(Route {
            hold_until,
            ..patient(&backend.upstream)
        });
        let mut first = second(&rig, KEY).await;
        let mut call = backend.call().await;
        let mut joined = second(&rig, BARE).await;
        call.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
        // A third comes in the middle of the answer.
        if hold_until == HoldUntil::Head {
            let head = joined.head().await;
            assert!(replayed(&head), "{head:?}");
            assert_eq!(joined.chunk().await, b"hello");
        }
        let mut late = second(&rig, KEY).await;
        if hold_until == HoldUntil::Head {
            assert!(replayed(&late.head().await));
            assert_eq!(late.chunk().await, b"hello");
        }
        call.write("6\r\n world\r\n0\r\n\r\n").await;
        let reply = first.reply("POST").await;
        assert_eq!(
            (reply.status(), &reply.body[..]),
            (200, &b"hello world"[..])
        );
        assert!(!replayed(&reply));
        for client in [&mut joined, &mut late] {
            if hold_until == HoldUntil::Head {
                assert_eq!(client.chunk().await, b" world");
                assert_eq!(client.chunk().await, b"");
            } else {
                let reply = client.reply("POST").await;
                assert_eq!(reply.body, b"hello world");
                assert!(replayed(&reply));
            }
        }
        assert!(!backend.was_called());
        assert_eq!(rig.only_job().await.executions(), 1);
    }
}

/// Each has its own hold, and all tickets are for one job.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_past_its_hold_gets_the_same_ticket() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    let mut first = second(&rig, KEY).await;
    let call = backend.call().await;
    let mut joined = second(&rig, KEY).await;
    let (one, two) = (first.reply("POST").await, joined.reply("POST").await);
    assert_eq!(one.id(), two.id());
    assert!(!replayed(&one) && replayed(&two));
    // Now it is ticketed; who comes is held again, and has a hold of its own.
    let mut third = second(&rig, KEY).await;
    let late = third.reply("POST").await;
    assert_eq!(late.id(), one.id());
    let fields = format!("{KEY}prefer: respond-async\r\n");
    let at_once = second(&rig, &fields).await.reply("POST").await;
    assert_eq!(at_once.id(), one.id());
    let mut waits = second(&rig, KEY).await;
    call.answer(200, "", "at last").await;
    let answer = waits.reply("POST").await;
    match answer.status() {
        200 => assert_eq!(answer.body, b"at last"),
        // The hold of a hundred milliseconds may have ended first.
        _ => assert_eq!(answer.id(), one.id()),
    }
    rig.finished(one.id()).await;
    let again = second(&rig, KEY).await.reply("POST").await;
    assert_eq!((again.status(), &again.body[..]), (200, &b"at last"[..]));
    assert!(replayed(&again));
    let id = one.id().to_string();
    assert_eq!(again.field("raincheck-job-id"), Some(id.as_str()));
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_client_gets_the_same_ticket_whatever_became_of_the_job() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(Route {
        mode: Mode::Async,
        concurrency: 1,
        ..auto(&backend.upstream)
    });
    let blocker = second(&rig, "idempotency-key: other\r\n")
        .await
        .reply("POST")
        .await;
    let running = backend.call().await;
    // Queued behind it, at work, finished.
    let first = second(&rig, KEY).await.reply("POST").await;
    assert_ne!(first.id(), blocker.id());
    assert_eq!(
        rig.runner.job(first.id()).await.unwrap().status(),
        Status::Queued
    );
    let queued = second(&rig, KEY).await.reply("POST").await;
    running.answer(200, "", "other").await;
    let call = backend.call().await;
    let at_work = second(&rig, KEY).await.reply("POST").await;
    call.answer(200, "", "done").await;
    rig.finished(first.id()).await;
    let finished = second(&rig, KEY).await.reply("POST").await;
    for reply in [queued, at_work, finished] {
        assert_eq!(reply.id(), first.id());
        assert!(replayed(&reply));
    }
    let fields = format!("{KEY}prefer: wait=10\r\n");
    let waited = second(&rig, &fields).await.reply("POST").await;
    assert_eq!((waited.status(), &waited.body[..]), (200, &b"done"[..]));
    assert!(!backend.was_called());
}

/// What a route says of itself to its backend says nothing of who asks.
#[tokio::test(flavor = "multi_thread")]
async fn two_callers_with_one_key_stay_apart_where_the_route_sets_their_authorization() {
    let mut backend = Backend::new().await;
    let token = HeaderValue::from_static("Bearer of-the-route");
    let rewrite = Rewrite {
        request_fields: FieldRules {
            set: vec![(AUTHORIZATION, token)],
            ..FieldRules::default()
        },
        ..Rewrite::default()
    };
    let rig = Rig::new(Route {
        rewrite: Some(Box::new(rewrite)),
        ..patient(&backend.upstream)
    });
    for caller in ["alice", "bob"] {
        let fields = format!("{KEY}authorization: Bearer {caller}\r\n");
        let mut first = second(&rig, &fields).await;
        let call = backend.call().await;
        assert_eq!(call.field("authorization"), Some("Bearer of-the-route"));
        call.answer(200, "", caller).await;
        let reply = first.reply("POST").await;
        assert_eq!(
            (&reply.body[..], replayed(&reply)),
            (caller.as_bytes(), false)
        );
        let again = second(&rig, &fields).await.reply("POST").await;
        assert_eq!(
            (&again.body[..], replayed(&again)),
            (caller.as_bytes(), true)
        );
    }
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_route_may_know_repetitions_by_what_they_ask() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(with(
        patient(&backend.upstream),
        Duplicates {
            dedupe: Some(Duration::from_secs(600)),
            ..Duplicates::default()
        },
    ));
    let mut first = second(&rig, "").await;
    let call = backend.call().await;
    drop(first);
    // Its connection is gone, its job is not.
    let mut again = second(&rig, "").await;
    let mut other = rig.client().await;
    other.send("POST", "", b"other").await;
    let second_call = backend.call().await;
    assert_eq!(second_call.body, b"other");
    call.answer(200, "", "kept").await;
    let reply = again.reply("POST").await;
    assert_eq!(reply.body, b"kept");
    assert!(replayed(&reply));
    second_call.answer(200, "", "other").await;
    assert_eq!(other.reply("POST").await.body, b"other");
    first = second(&rig, "").await;
    assert_eq!(first.reply("POST").await.body, b"kept");
    assert!(!backend.was_called());
}

/// What was not run, or may run twice, runs again; what may have run is told again.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_again_unless_nothing_was_run() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let mut first = second(&rig, KEY).await;
    drop(backend.call().await);
    let failed = first.reply("POST").await;
    assert_eq!(
        (failed.status(), problem(&failed)),
        (502, "upstream-broken".to_owned())
    );
    let again = second(&rig, KEY).await.reply("POST").await;
    assert_eq!(
        (again.status(), problem(&again)),
        (502, "upstream-broken".to_owned())
    );
    assert!(replayed(&again));
    assert!(!backend.was_called());
    // A method that may be repeated.
    let fields = "idempotency-key: put\r\n";
    let mut put = rig.client().await;
    put.send("PUT", fields, b"x").await;
    drop(backend.call().await);
    assert_eq!(put.reply("PUT").await.status(), 502);
    put.send("PUT", fields, b"x").await;
    backend.call().await.answer(200, "", "now").await;
    let reply = put.reply("PUT").await;
    assert_eq!((reply.status(), replayed(&reply)), (200, false));
    let again = put.ask("PUT", fields, b"x").await;
    assert_eq!(again.body, b"now");
    assert!(replayed(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_told_again() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    let id = second(&rig, KEY).await.reply("POST").await.id();
    let call = backend.call().await;
    rig.runner.cancel(id).await.unwrap();
    call.closed().await;
    let again = second(&rig, KEY).await.reply("POST").await;
    assert_eq!(
        (again.status(), problem(&again)),
        (410, "job-cancelled".to_owned())
    );
    assert!(replayed(&again));
    // Once it is forgotten, the key is free.
    rig.runner.forget(id).await.unwrap();
    let mut fresh = second(&rig, KEY).await;
    backend.call().await.answer(200, "", "new").await;
    assert_eq!(fresh.reply("POST").await.body, b"new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_leaves_its_job_unless_the_route_says_otherwise() {
    let mut backend = Backend::new().await;
    for on_disconnect in [OnDisconnect::Continue, OnDisconnect::Cancel] {
        let duplicates = Duplicates {
            on_disconnect,
            ..Duplicates::default()
        };
        let rig = Rig::new(with(patient(&backend.upstream), duplicates));
        let client = second(&rig, KEY).await;
        let call = backend.call().await;
        drop(client);
        match on_disconnect {
            OnDisconnect::Continue => {
                let mut again = second(&rig, KEY).await;
                call.answer(200, "", "kept").await;
                assert_eq!(again.reply("POST").await.body, b"kept");
            }
            OnDisconnect::Cancel => {
                call.closed().await;
                let id = rig.only_job().await.id();
                assert_eq!(rig.finished(id).await.status(), Status::Cancelled);
            }
        }
    }
}

/// On a route where the client's going cancels: not if another came for the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_joined_keeps_what_the_first_left() {
    let mut backend = Backend::new().await;
    let duplicates = Duplicates {
        on_disconnect: OnDisconnect::Cancel,
        ..Duplicates::default()
    };
    let rig = Rig::new(with(patient(&backend.upstream), duplicates));
    let first = second(&rig, KEY).await;
    let call = backend.call().await;
    let mut joined = rig.client().await;
    let fields = format!("{KEY}prefer: respond-async\r\n");
    joined.send("POST", &fields, b"x").await;
    let ticket = joined.reply("POST").await;
    drop(first);
    call.answer(200, "", "kept").await;
    assert_eq!(rig.response(ticket.id()).await, (200, b"kept".to_vec()));
}

/// While the first is being stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_in_the_commit_leaves_what_the_route_says() {
    let mut backend = Backend::new().await;
    for on_disconnect in [OnDisconnect::Continue, OnDisconnect::Cancel] {
        let duplicates = Duplicates {
            on_disconnect,
            ..Duplicates::default()
        };
        let rig = Rig::new(with(patient(&backend.upstream), duplicates));
        let stalled = rig.store.hold_commits();
        let client = second(&rig, KEY).await;
        soon(rig.store.until_held(1)).await;
        drop(client);
        rig.nobody().await;
        drop(stalled);
        let id = rig.only_job().await.id();
        match on_disconnect {
            OnDisconnect::Continue => {
                backend.call().await.answer(200, "", "kept").await;
                assert_eq!(rig.response(id).await, (200, b"kept".to_vec()));
            }
            OnDisconnect::Cancel => {
                assert_eq!(rig.finished(id).await.status(), Status::Cancelled);
            }
        }
    }
}

/// Many at once, again and again: one run each time, and everybody has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_requests_at_once_one_runs() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    const CLIENTS: usize = 16;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(rig.client().await);
    }
    for round in 0..50 {
        let fields = format!("idempotency-key: round-{round}\r\n");
        let mut sending = tokio::task::JoinSet::new();
        for mut client in clients.drain(..) {
            let fields = fields.clone();
            sending.spawn(async move {
                let reply = client.ask("POST", &fields, b"x").await;
                (client, reply)
            });
        }
        let call: Call = backend.call().await;
        call.answer(200, "", &format!("answer {round}")).await;
        let mut fresh = 0;
        while let Some(done) = sending.join_next().await {
            let (client, reply) = done.unwrap();
            assert_eq!(reply.body, format!("answer {round}").into_bytes());
            fresh += usize::from(!replayed(&reply));
            clients.push(client);
        }
        assert_eq!(fresh, 1, "round {round}");
        assert!(!backend.was_called(), "round {round}");
    }
    let counts = rig.store.counts();
    assert_eq!(counts.iter().map(|(_, _, count)| count).sum::<u64>(), 50);
}
