//! The model's switches do what the tests of the crates above count on.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use raincheck_core::id::JobId;
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::model::ModelStore;
use raincheck_store::{Bodies, Change, Commit, Error, Jobs, Queue, Store};

fn submit(number: u8) -> Change {
    Change::Put(Box::new(make::put(make::submitted(number, "r", at(1)))))
}

async fn has(store: &ModelStore, job: JobId) -> bool {
    store.job(job).await.unwrap().is_some()
}

#[tokio::test]
async fn held_commits_wait_and_are_then_carried_out() {
    let store = ModelStore::new();
    let held = store.hold_commits();
    let other = store.clone();
    let commit = tokio::spawn(async move { other.commit(submit(1)).await });
    store.until_held(1).await;
    assert!(!has(&store, id(1)).await);
    held.release();
    commit.await.unwrap().unwrap();
    assert!(has(&store, id(1)).await);
    assert_eq!(store.commits(), 1);
}

#[tokio::test]
async fn giving_up_the_answer_does_not_give_up_the_change() {
    let store = ModelStore::new();
    let held = store.hold_commits();
    tokio::select! {
        biased;
        _ = store.commit(submit(1)) => panic!("it is held back"),
        () = store.until_held(1) => {}
    }
    held.release();
    assert!(has(&store, id(1)).await);
}

#[tokio::test]
async fn commits_fail_as_told() {
    let store = ModelStore::new();
    let full = Error::Full("no room".to_owned());
    store.fail_commits(full.clone());
    assert_eq!(store.commit(submit(1)).await, Err(full));
    assert!(!has(&store, id(1)).await);
    store.allow_commits();
    store.commit(submit(1)).await.unwrap();
    assert_eq!(store.commits(), 1, "only what stands is counted");
}

#[tokio::test]
async fn bodies_fail_as_told() {
    let store = ModelStore::new();
    let full = Error::Full("no room".to_owned());
    let mut writer = store.create();
    writer.append(make::bytes(10)).await.unwrap();
    store.fail_bodies(full.clone());
    assert_eq!(writer.append(make::bytes(10)).await, Err(full.clone()));
    assert_eq!(writer.finish().await, Err(full));
    store.allow_bodies();
    store.create().finish().await.unwrap();
}

#[tokio::test]
async fn a_crash_leaves_only_what_was_committed() {
    let store = ModelStore::new();
    store.commit(submit(1)).await.unwrap();
    assert!(store.lease_one(id(1), at(1), at(100)));
    let mut writer = store.create();
    writer.append(make::bytes(100_000)).await.unwrap();
    let body = writer.finish().await.unwrap();
    assert_eq!(store.files(), 1);
    let held = store.hold_commits();
    let other = store.clone();
    let commit = tokio::spawn(async move { other.commit(submit(2)).await });
    store.until_held(1).await;

    let next = store.crash();
    drop(held);
    let lost = commit.await.unwrap();
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    assert!(has(&next, id(1)).await);
    assert!(!has(&next, id(2)).await, "it was in flight");
    assert!(next.lease_one(id(1), at(1), at(100)), "leases are gone");
    assert!(next.open(&body).await.is_err(), "nothing refers to it");
    assert_eq!(next.files(), 0);
    let late = store.commit(submit(3)).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "it is dead");
}

#[tokio::test]
async fn a_breakdown_is_announced() {
    let store = ModelStore::new();
    assert_eq!(store.fault(), None);
    store.break_down("a sync failed");
    assert_eq!(store.faulted().await, "a sync failed");
    assert_eq!(store.fault().as_deref(), Some("a sync failed"));
    let refused = store.commit(submit(1)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_sealed_body_that_no_commit_refers_to_goes_when_dropped() {
    let store = ModelStore::new();
    let mut writer = store.create();
    writer.append(make::bytes(100_000)).await.unwrap();
    let sealed = writer.seal().await.unwrap();
    assert_eq!(store.files(), 0, "not durable yet");
    sealed.persist().await.unwrap();
    assert_eq!(store.files(), 1);
    drop(sealed);
    assert_eq!(store.files(), 0);
}
