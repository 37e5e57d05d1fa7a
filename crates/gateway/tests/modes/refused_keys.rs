//! Keys that are refused, of somebody else, or nobody's business here.

use std::time::Duration;

use raincheck_core::route::{Duplicates, KeyUse, Mode, OnDuplicate, Route};

use crate::backend::Backend;
use crate::duplicates::{KEY, problem, replayed, second, with};
use crate::rig::{Rig, patient};

#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_the_key_is_told_so_and_learns_nothing() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let mut first = second(&rig, KEY).await;
    let call = backend.call().await;
    let mut other = rig.client().await;
    let reply = other.ask("POST", KEY, b"y").await;
    let found = (reply.status(), problem(&reply));
    assert_eq!(found, (422, "idempotency-key-reused".to_owned()));
    assert_eq!(reply.field("raincheck-job-id"), None);
    assert_eq!(other.ask("PUT", KEY, b"x").await.status(), 422);
    assert!(!backend.was_called());
    call.answer(200, "", "first").await;
    assert_eq!(first.reply("POST").await.body, b"first");
    let reply = rig.client().await.ask("POST", KEY, b"y").await;
    assert_eq!(reply.status(), 422, "a finished one too");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_see_each_others_jobs() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(with(
        patient(&backend.upstream),
        Duplicates {
            dedupe: Some(Duration::from_secs(600)),
            ..Duplicates::default()
        },
    ));
    for key in [KEY, ""] {
        let mut ids = Vec::new();
        for who in [
            "",
            "authorization: a\r\n",
            "authorization: b\r\n",
            "x-api-key: a\r\n",
        ] {
            let mut client = second(&rig, &format!("{key}{who}")).await;
            let call = backend.call().await;
            ids.push(call.field("raincheck-job-id").unwrap().to_owned());
            call.answer(200, "", who.trim()).await;
            let reply = client.reply("POST").await;
            assert_eq!(reply.body, who.trim().as_bytes());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
        let own = format!("{key}authorization: b\r\n");
        let again = second(&rig, &own).await.reply("POST").await;
        assert_eq!(again.body, b"authorization: b");
        assert!(replayed(&again));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_refuse_who_comes_too_early() {
    let mut backend = Backend::new().await;
    let duplicates = Duplicates {
        on_unfinished: OnDuplicate::Conflict,
        ..Duplicates::default()
    };
    let rig = Rig::new(with(patient(&backend.upstream), duplicates));
    let mut first = second(&rig, KEY).await;
    let call = backend.call().await;
    let refused = second(&rig, KEY).await.reply("POST").await;
    assert_eq!(refused.status(), 409);
    assert_eq!(problem(&refused), "duplicate-in-progress");
    assert!(refused.field("retry-after").is_some());
    call.answer(200, "", "done").await;
    let done = first.reply("POST").await;
    assert_eq!(done.body, b"done");
    rig.finished(rig.only_job().await.id()).await;
    let again = second(&rig, KEY).await.reply("POST").await;
    assert!(replayed(&again) && again.body == b"done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_require_a_key() {
    let backend = Backend::new().await;
    for mode in [Mode::Auto, Mode::Async, Mode::Sync] {
        let duplicates = Duplicates {
            key: KeyUse::Required,
            ..Duplicates::default()
        };
        let rig = Rig::new(with(
            Route {
                mode,
                ..patient(&backend.upstream)
            },
            duplicates,
        ));
        let none = rig.client().await.ask("POST", "", b"x").await;
        assert_eq!(
            (none.status(), problem(&none)),
            (400, "idempotency-key-required".to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused_before_anything_happens() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let long = "k".repeat(256);
    for value in [long.as_str(), "a\tb", "", "\"open", "\"\""] {
        let fields = format!("idempotency-key: {value}\r\n");
        let reply = rig.client().await.ask("POST", &fields, b"x").await;
        let found = (reply.status(), problem(&reply));
        assert_eq!(
            found,
            (400, "idempotency-key-invalid".to_owned()),
            "{value:?}"
        );
    }
    let twice = rig
        .client()
        .await
        .ask("POST", &format!("{KEY}{KEY}"), b"x")
        .await;
    assert_eq!(twice.status(), 400);
    assert!(!backend.was_called());
    assert_eq!(rig.store.commits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_the_backends_business_costs_nothing() {
    let mut backend = Backend::new().await;
    let duplicates = Duplicates {
        key: KeyUse::Ignored,
        ..Duplicates::default()
    };
    let rig = Rig::new(with(patient(&backend.upstream), duplicates));
    for answer in ["one", "two"] {
        let mut client = second(&rig, KEY).await;
        let call = backend.call().await;
        assert_eq!(call.field("idempotency-key"), Some("\"k-1\""));
        call.answer(200, "", answer).await;
        assert_eq!(client.reply("POST").await.body, answer.as_bytes());
    }
    assert_eq!(rig.store.commits(), 0);
}
