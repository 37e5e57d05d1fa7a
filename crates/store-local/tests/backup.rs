//! A backup of a store that is being written to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raincheck_core::id::JobId;
use raincheck_core::limits::BODY_INLINE_BYTES;
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{Bodies, Change, Commit, Jobs, Store};
use raincheck_store_local::{BackupError, LocalStore, OpenError, Options, backup, verify};

fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Options::default()).unwrap()
}

/// Accepts a job with a body that has a file.
async fn accept(store: &LocalStore, id: JobId) -> Change {
    let mut writer = store.create();
    writer
        .append(make::bytes(BODY_INLINE_BYTES + 1))
        .await
        .unwrap();
    let mut submission = make::submission(0, "r");
    submission.id = id;
    let mut put = make::put(raincheck_core::job::submit(submission, at(5)));
    put.request = Some(Arc::new(make::request(writer.finish().await.unwrap())));
    let delete = Change::Delete {
        job: id,
        from: put.job.revision(),
    };
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    delete
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_store_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    for number in 1..=20 {
        accept(&store, id(number)).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let busy = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut count = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                count += 1;
                let delete = accept(&store, JobId::from_parts(at(count), [3; 10])).await;
                store.commit(delete).await.unwrap();
            }
            count
        }
    });
    let target = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let to = target.path().join(round.to_string());
        let from = dir.path().to_owned();
        let copied = tokio::task::spawn_blocking(move || backup(from, to).unwrap());
        let report = copied.await.unwrap();
        assert_eq!(report.missing, 0);
        assert!((20..=21).contains(&report.bodies), "{report:?}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(busy.await.unwrap() > 0);
    for round in 0..10 {
        let report = verify(target.path().join(round.to_string())).unwrap();
        assert!(report.is_whole(), "{report:?}");
        assert!((20..=21).contains(&report.jobs));
    }
    let restored = open(&target.path().join("0"));
    let request = restored.request(id(20)).await.unwrap().unwrap();
    assert!(Bodies::open(&restored, &request.body).await.is_ok());
}

#[tokio::test]
async fn a_store_that_nobody_serves_is_copied_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    accept(&store, id(1)).await;
    store.close().await.unwrap();
    let target = tempfile::tempdir().unwrap();
    assert_eq!(backup(dir.path(), target.path()).unwrap().bodies, 1);
    assert!(open(target.path()).job(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn bodies_stay_while_somebody_copies_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let delete = accept(&store, id(1)).await;
    let copier = std::fs::File::open(dir.path().join("keep.lock")).unwrap();
    copier.lock_shared().unwrap();
    store.commit(delete).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().unreferred, 1);
    copier.unlock().unwrap();
    // Each start looks for what was left behind, unless it ends before it has.
    while verify(dir.path()).unwrap().unreferred > 0 {
        open(dir.path()).close().await.unwrap();
    }
}

#[tokio::test]
async fn a_target_with_something_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await.unwrap();
    let target = tempfile::tempdir().unwrap();
    std::fs::write(target.path().join("letter"), "dear").unwrap();
    let refused = backup(dir.path(), target.path());
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))));
}

#[test]
fn what_is_no_store_is_not_copied() {
    let dir = tempfile::tempdir().unwrap();
    let refused = backup(dir.path(), dir.path().join("target"));
    assert!(matches!(
        refused,
        Err(BackupError::Source(OpenError::NotAStore { .. }))
    ));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
