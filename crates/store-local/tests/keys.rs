//! Keys on disk: damage to one is named and hurts nobody else, and a directory of the format
//! before them is brought up to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{Change, Commit, Error, Idempotency, Jobs, KeyEntry, NewKey, Put, Store};
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
    let flip = "UPDATE keys
        SET record = CAST(substr(record, 1, 20) || x'00' || substr(record, 22) AS BLOB)
        WHERE digest = x'02020202020202020202020202020202'";
    edit(dir.path(), flip);
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.keys, report.findings.len()), (3, 1), "{report:?}");
    let problem = &report.findings[0].problem;
    let named = "table keys: 02020202020202020202020202020202: its checksum does not match";
    assert_eq!(problem, named);

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
async fn a_key_and_a_job_that_do_not_name_each_other_are_findings() {
    let dir = three().await;
    let gone = "DELETE FROM keys WHERE digest = x'01010101010101010101010101010101'";
    edit(dir.path(), gone);
    let given_up = "UPDATE jobs SET key = NULL WHERE key = x'03030303030303030303030303030303'";
    edit(dir.path(), given_up);
    let report = verify(dir.path()).unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.job.clone(), finding.problem.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(id(1).to_string()), "its key is missing"),
            (
                Some(id(3).to_string()),
                "a key is stored that leads to no job"
            ),
        ]
    );
}

#[tokio::test]
async fn a_directory_without_keys_is_brought_up_to_date() {
    let dir = three().await;
    // Format 1, as it was written by whoever knew no later one.
    let conn = rusqlite::Connection::open(dir.path().join("jobs.db")).unwrap();
    conn.execute_batch(
        "DROP TABLE keys; ALTER TABLE jobs DROP COLUMN key; DROP INDEX jobs_tell;
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
