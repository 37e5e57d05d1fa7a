//! Opening: what is refused, with which cause, and that nothing is changed by it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use raincheck_core::job::Status;
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{Change, Commit, Error, Jobs, Store};
use raincheck_store_local::{LocalStore, OpenError, Options, verify};

fn open(path: &Path) -> Result<LocalStore, OpenError> {
    LocalStore::open(path, Options::default())
}

fn refused(path: &Path) -> OpenError {
    match open(path) {
        Ok(_) => unreachable!("it must not be opened"),
        Err(error) => error,
    }
}

/// A data directory with one job in it, not open.
async fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let put = make::put(make::submitted(1, "r", at(5)));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    store.close().await.unwrap();
    dir
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_new_directory_is_made_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("var/lib/raincheck");
    let store = open(&path).unwrap();
    let put = make::put(make::submitted(1, "r", at(5)));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    assert_eq!(mode(&path), 0o700);
    for name in ["jobs.db", "jobs.db-wal", "lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_says_by_whom() {
    let dir = filled().await;
    let store = open(dir.path()).unwrap();
    let own = std::process::id();
    let OpenError::InUse { pid, .. } = refused(dir.path()) else {
        unreachable!("another cause");
    };
    assert_eq!(pid, Some(own));
    assert!(matches!(verify(dir.path()), Err(OpenError::InUse { .. })));
    let text = refused(dir.path()).to_string();
    assert!(text.contains(&format!("(pid {own})")), "{text}");
    drop(store);
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_later_format_is_refused_and_left_alone() {
    let dir = filled().await;
    let path = dir.path().join("jobs.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    conn.close().unwrap();
    let before = fs::read(&path).unwrap();
    let OpenError::Newer { found, known, .. } = refused(dir.path()) else {
        unreachable!("another cause");
    };
    assert_eq!((found, known), (99, 4));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_is_no_data_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(refused(file.path()), OpenError::NotAStore { .. }));
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE recipes (name)").unwrap();
    conn.close().unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::NotAStore { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn text_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jobs.db"), "dear diary, ".repeat(1000)).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::NotAStore { .. }));
}

#[tokio::test]
async fn a_database_without_its_first_page_is_refused() {
    let dir = filled().await;
    let path = dir.path().join("jobs.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..4096].fill(0x5a);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Damaged { .. }));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_log_damaged_in_its_middle_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for number in 0..20 {
        let put = make::put(make::submitted(number, "r", at(5)));
        store.commit(Change::Put(Box::new(put))).await.unwrap();
    }
    // As a crash would leave it.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["jobs.db", "jobs.db-wal"] {
        fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    let path = crashed.path().join("jobs.db-wal");
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert!(matches!(refused(crashed.path()), OpenError::Damaged { .. }));
    assert_eq!(fs::read(&path).unwrap(), damaged);
    let report = verify(crashed.path()).unwrap();
    assert_eq!(report.findings[0].file, "jobs.db-wal");
    assert!(report.findings[0].offset.is_some());
    fs::write(&path, &whole).unwrap();
    let store = open(crashed.path()).unwrap();
    assert_eq!(store.counts(), [(make::route("r"), Status::Queued, 20)]);
}

#[tokio::test]
async fn a_store_without_room_refuses_and_goes_on_when_there_is_some() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        database_bytes_max: Some(64 * 4096),
        ..Options::default()
    };
    let store = LocalStore::open(dir.path(), options).unwrap();
    let mut stored = Vec::new();
    let refusal = loop {
        let number = u8::try_from(stored.len()).unwrap();
        let mut put = make::put(make::submitted(number, "r", at(5)));
        let body = raincheck_store::Body::Inline(make::bytes(8000));
        put.request = Some(std::sync::Arc::new(make::request(body)));
        match store.commit(Change::Put(Box::new(put.clone()))).await {
            Ok(()) => stored.push(put.job),
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, Error::Full(_)), "{refusal:?}");
    assert_eq!(store.fault(), None);
    assert!(stored.len() > 5);
    for job in &stored {
        assert_eq!(store.job(job.id()).await, Ok(Some(job.clone())));
    }
    let change = Change::Delete {
        job: stored[0].id(),
        from: stored[0].revision(),
    };
    store.commit(change).await.unwrap();
    let put = make::put(make::submitted(250, "r", at(5)));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    assert!(store.job(id(250)).await.unwrap().is_some());
    store.close().await.unwrap();
    assert!(verify(dir.path()).unwrap().is_whole());
}
