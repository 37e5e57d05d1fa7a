//! Keys on disk: damage to one is named and hurts nobody else, and a directory of the format
//! before them is brought up to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use raincheck_core::job::{Event, apply};
use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{
    Bodies, Change, Commit, Error, Idempotency, Jobs, KeyEntry, NewKey, Put, Store,
};
use raincheck_store_local::{LocalStore, Options, verify};

fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Options::default()).unwrap()
}

fn digest(number: u8) -> KeyDigest {
    KeyDigest([number; 16])
}

fn entry(number: u8) -> KeyEntry {
    KeyEntry {
        job: id(number),
        fingerprint: Fingerprint([number; 16]),
    }
}

/// Accepts a job under the key of this number.
async fn accept(store: &LocalStore, job: u8, key: u8) -> Result<(), Error> {
    let put = Put {
        key: Some(NewKey {
            digest: digest(key),
            fingerprint: Fingerprint([key; 16]),
            replaces: None,
        }),
        ..make::put(make::submitted(job, "r", at(1)))
    };
    store.commit(Change::Put(Box::new(put))).await
}

/// A data directory with jobs 1 to 3, each with a key.
async fn three() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        accept(&store, number, number).await.unwrap();
    }
    store.close().await.unwrap();
    dir
}

fn edit(dir: &Path, statement: &str) {
    let conn = rusqlite::Connection::open(dir.join("jobs.db")).unwrap();
    assert_eq!(conn.execute(statement, ()).unwrap(), 1);
}

#[tokio::test]
async fn a_damaged_key_is_named_and_the_others_lead_where_they_did() {
    let dir = three().await;
    let flip = "UPDATE jobs SET key = CAST(substr(key, 1, 20) || x'00' || substr(key, 22) AS BLOB)
        WHERE substr(key, 1, 16) = x'02020202020202020202020202020202'";
    edit(dir.path(), flip);
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.keys, report.findings.len()), (3, 1), "{report:?}");
    let problem = &report.findings[0].problem;
    assert_eq!(problem, "table jobs: its key: its checksum does not match");
    assert_eq!(report.findings[0].job, Some(id(2).to_string()));
    assert!(report.findings[0].offset.is_some(), "{report:?}");

    let store = open(dir.path());
    let read = store.key(digest(2)).await;
    assert!(matches!(read, Err(Error::Corrupt(_))), "{read:?}");
    // Nobody can tell whether the request ran: it does not run again.
    let claimed = accept(&store, 4, 2).await;
    assert!(matches!(claimed, Err(Error::Corrupt(_))), "{claimed:?}");
    assert_eq!(store.job(id(4)).await, Ok(None));
    assert_eq!(store.key(digest(1)).await, Ok(Some(entry(1))));
    assert_eq!(accept(&store, 5, 3).await, Err(Error::Taken(entry(3))));
    accept(&store, 6, 6).await.unwrap();
}

#[tokio::test]
async fn a_key_of_two_jobs_is_a_finding() {
    let dir = three().await;
    let stolen = format!(
        "UPDATE jobs SET key = (SELECT key FROM jobs WHERE id = x'{}') WHERE id = x'{}'",
        id(1).to_string().replace('-', ""),
        id(3).to_string().replace('-', ""),
    );
    edit(dir.path(), &stolen);
    let report = verify(dir.path()).unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.job.clone(), finding.problem.as_str()))
        .collect();
    let third = || Some(id(3).to_string());
    assert_eq!(
        found,
        [
            (third(), "table jobs: its key: its checksum does not match"),
            (third(), "its key leads to another job as well"),
        ]
    );
    let store = open(dir.path());
    assert_eq!(store.key(digest(1)).await, Ok(Some(entry(1))));
    assert_eq!(store.key(digest(3)).await, Ok(None));
}

/// A directory as format 2 left it: keys in a table of their own.
fn format_2(dir: &Path) {
    let conn = rusqlite::Connection::open(dir.join("jobs.db")).unwrap();
    // `x'01'` is the version of the record; its checksum is that of the key.
    conn.execute_batch(
        "CREATE TABLE keys (digest BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
         INSERT INTO keys SELECT substr(key, 1, 16),
                CAST(x'01' || id || substr(key, 17) AS BLOB) FROM jobs WHERE key IS NOT NULL;
         DROP INDEX jobs_key;
         UPDATE jobs SET key = substr(key, 1, 16) WHERE key IS NOT NULL;
         DROP INDEX jobs_tell;
         ALTER TABLE jobs DROP COLUMN tell_at; ALTER TABLE jobs DROP COLUMN receiver;
         PRAGMA user_version = 2;",
    )
    .unwrap();
}

#[tokio::test]
async fn a_directory_with_a_table_of_keys_is_brought_up_to_date() {
    let dir = three().await;
    format_2(dir.path());
    // One that is damaged is not taken for a request that never came.
    edit(
        dir.path(),
        "UPDATE keys SET record = x'01' WHERE digest = x'02020202020202020202020202020202'",
    );
    let store = open(dir.path());
    assert_eq!(store.key(digest(1)).await, Ok(Some(entry(1))));
    assert_eq!(accept(&store, 5, 3).await, Err(Error::Taken(entry(3))));
    let damaged = accept(&store, 6, 2).await;
    assert!(matches!(damaged, Err(Error::Corrupt(_))), "{damaged:?}");
    accept(&store, 7, 7).await.unwrap();
    store.close().await.unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.keys, report.findings.len()), (4, 1), "{report:?}");
}

#[tokio::test]
async fn a_directory_without_keys_is_brought_up_to_date() {
    let dir = three().await;
    // Format 1, as it was written by whoever knew no later one.
    let conn = rusqlite::Connection::open(dir.path().join("jobs.db")).unwrap();
    conn.execute_batch(
        "DROP INDEX jobs_key; ALTER TABLE jobs DROP COLUMN key; DROP INDEX jobs_tell;
        ALTER TABLE jobs DROP COLUMN tell_at; ALTER TABLE jobs DROP COLUMN receiver;
        PRAGMA user_version = 1;",
    )
    .unwrap();
    conn.close().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        assert!(store.job(id(number)).await.unwrap().is_some());
        assert_eq!(store.key(digest(number)).await, Ok(None));
    }
    accept(&store, 4, 1).await.unwrap();
    store.close().await.unwrap();
    assert!(verify(dir.path()).unwrap().is_whole());
    let store = open(dir.path());
    let found = store.key(digest(1)).await.unwrap().unwrap();
    assert_eq!(found.job, id(4));
}

/// How many body files there are.
fn files(dir: &Path) -> usize {
    let dirs = std::fs::read_dir(dir.join("bodies")).unwrap();
    let files = dirs.map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap().count());
    files.sum()
}

#[tokio::test]
async fn beyond_the_most_keys_a_new_one_is_refused_until_one_is_forgotten() {
    let dir = three().await;
    let options = Options {
        keys_max: Some(4),
        ..Options::default()
    };
    let store = LocalStore::open(dir.path(), options).unwrap();
    accept(&store, 4, 4).await.unwrap();
    // Its body goes with it, so that nothing is left on the disk.
    let mut body = store.create();
    body.append(make::bytes(100_000)).await.unwrap();
    let put = Put {
        key: Some(NewKey {
            digest: digest(5),
            fingerprint: Fingerprint([5; 16]),
            replaces: None,
        }),
        request: Some(Arc::new(make::request(body.finish().await.unwrap()))),
        ..make::put(make::submitted(5, "r", at(1)))
    };
    assert_eq!(files(dir.path()), 1);
    let refused = store.commit(Change::Put(Box::new(put))).await;
    let told = matches!(&refused, Err(Error::Full(why)) if why.contains("4 idempotency keys"));
    assert!(told, "{refused:?}");
    assert_eq!(store.job(id(5)).await, Ok(None));
    let mut looks = 0;
    while files(dir.path()) > 0 {
        looks += 1;
        assert!(looks < 1_000_000, "the refused body stays");
        std::thread::yield_now();
    }
    // What has none is accepted, and a known one leads where it did.
    let without = make::put(make::submitted(6, "r", at(1)));
    store.commit(Change::Put(Box::new(without))).await.unwrap();
    assert_eq!(store.key(digest(1)).await, Ok(Some(entry(1))));
    forget(&store, 1).await;
    accept(&store, 7, 7).await.unwrap();
}

async fn forget(store: &LocalStore, number: u8) {
    let job = store.job(id(number)).await.unwrap().unwrap();
    let cancelled = apply(&job, &Event::Cancel, at(2)).unwrap();
    let from = cancelled.next.clone().unwrap().revision();
    store
        .commit(make::change(id(number), cancelled))
        .await
        .unwrap();
    let job = id(number);
    store.commit(Change::Delete { job, from }).await.unwrap();
}
