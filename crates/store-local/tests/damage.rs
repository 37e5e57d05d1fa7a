//! Damage on disk: named where it is, and nothing else suffers from it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{
    Bodies, Body, Change, Commit, Error, Filter, Jobs, Queue, Store, StoredRequest,
};
use raincheck_store_local::{LocalStore, Options, verify};

/// Bytes of the large bodies in these tests: three frames, the last of them short.
const LARGE: usize = 2 * SEGMENT_FRAME_BYTES + 5;

fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Options::default()).unwrap()
}

async fn accept(store: &LocalStore, number: u8, request: StoredRequest) {
    let mut put = make::put(make::submitted(number, "r", at(u64::from(number))));
    put.request = Some(Arc::new(request));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
}

async fn body(store: &LocalStore, len: usize) -> Body {
    let mut writer = store.create();
    writer.append(make::bytes(len)).await.unwrap();
    writer.finish().await.unwrap()
}

/// A data directory with jobs 1 to 3, each with a large body.
async fn three() -> (tempfile::TempDir, Vec<Body>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut bodies = Vec::new();
    for number in 1..=3 {
        let body = body(&store, LARGE).await;
        accept(&store, number, make::request(body.clone())).await;
        bodies.push(body);
    }
    store.close().await.unwrap();
    (dir, bodies)
}

fn edit(dir: &Path, statement: &str, number: u8) {
    let conn = rusqlite::Connection::open(dir.join("jobs.db")).unwrap();
    let changed = conn.execute(statement, (id(number).as_bytes(),)).unwrap();
    assert_eq!(changed, 1);
}

fn flip_in_record(dir: &Path, table: &str, number: u8) {
    let conn = rusqlite::Connection::open(dir.join("jobs.db")).unwrap();
    let query = format!("SELECT record FROM {table} WHERE id = ?1");
    let key = id(number);
    let mut record: Vec<u8> = conn
        .query_row(&query, (key.as_bytes(),), |row| row.get(0))
        .unwrap();
    let middle = record.len() / 2;
    record[middle] ^= 0x10;
    let update = format!("UPDATE {table} SET record = ?2 WHERE id = ?1");
    conn.execute(&update, (key.as_bytes(), record)).unwrap();
}

fn file_of(dir: &Path, body: &Body) -> PathBuf {
    let Body::File { id, .. } = body else {
        unreachable!("it is large");
    };
    let name = id.to_string();
    dir.join("bodies")
        .join(&name[30..])
        .join(format!("{name}.body"))
}

#[tokio::test]
async fn a_damaged_job_is_named_and_the_others_are_served() {
    let (dir, _) = three().await;
    flip_in_record(dir.path(), "jobs", 2);
    let store = open(dir.path());
    let Err(Error::Corrupt(text)) = store.job(id(2)).await else {
        unreachable!("it is damaged");
    };
    assert!(
        text.contains("jobs") && text.contains(&id(2).to_string()),
        "{text}"
    );
    assert!(store.job(id(1)).await.unwrap().is_some());
    let filter = Filter {
        limit: 10,
        ..Filter::default()
    };
    let page = store.list(filter).await.unwrap();
    assert_eq!(page.damaged, [id(2)]);
    let listed: Vec<_> = page.jobs.iter().map(|job| job.id()).collect();
    assert_eq!(listed, [id(3), id(1)]);
    let leased = store.lease(make::route("r"), at(10), 10, at(20)).await;
    assert_eq!(leased.unwrap().len(), 3);
    store.close().await.unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].job, Some(id(2).to_string()));
    assert_eq!((report.jobs, report.requests, report.bodies), (3, 3, 3));
}

#[tokio::test]
async fn what_is_left_of_a_damaged_job_is_told_and_kept() {
    let (dir, _) = three().await;
    flip_in_record(dir.path(), "jobs", 2);
    let store = open(dir.path());
    assert_eq!(store.remains(id(1)).await, Ok(None), "it is whole");
    assert_eq!(store.remains(id(9)).await, Ok(None), "there is none");
    let remains = store.remains(id(2)).await.unwrap().unwrap();
    assert_eq!((remains.id, remains.route.as_str()), (id(2), "r"));
    let from = remains.revision;
    let kept = dir
        .path()
        .join("damaged")
        .join(format!("{}.{}", id(2), from.0));
    assert!(fs::metadata(&kept).unwrap().len() > 0);
    let job = raincheck_core::job::damaged(remains, "it was", at(9));
    let mut put = make::put(make::submitted(2, "r", at(2)));
    (put.job, put.from) = (job.clone(), Some(from));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    assert_eq!(store.job(id(2)).await, Ok(Some(job)));
    store.close().await.unwrap();
    let report = verify(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert!(kept.exists());
}

#[tokio::test]
async fn a_column_that_contradicts_the_record_is_noticed() {
    let (dir, _) = three().await;
    edit(dir.path(), "UPDATE jobs SET status = 3 WHERE id = ?1", 1);
    edit(dir.path(), "UPDATE jobs SET due_at = 77 WHERE id = ?1", 2);
    let store = open(dir.path());
    assert!(matches!(store.job(id(1)).await, Err(Error::Corrupt(_))));
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().findings.len(), 2);
}

#[tokio::test]
async fn a_damaged_request_leaves_its_job_readable() {
    let (dir, _) = three().await;
    flip_in_record(dir.path(), "requests", 3);
    let store = open(dir.path());
    assert!(store.job(id(3)).await.unwrap().is_some());
    assert!(matches!(store.request(id(3)).await, Err(Error::Corrupt(_))));
    assert!(store.request(id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_damaged_frame_is_named_and_the_frames_before_it_are_read() {
    let (dir, bodies) = three().await;
    let path = file_of(dir.path(), &bodies[0]);
    let mut bytes = fs::read(&path).unwrap();
    let second = 32 + 8 + SEGMENT_FRAME_BYTES;
    bytes[second + 1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = open(dir.path());
    let reader = Bodies::open(&store, &bodies[0]).await.unwrap();
    let frame = SEGMENT_FRAME_BYTES as u64;
    assert_eq!(
        reader.read(0, 1 << 20).await.unwrap().len(),
        SEGMENT_FRAME_BYTES
    );
    assert!(matches!(
        reader.read(frame, 10).await,
        Err(Error::Corrupt(_))
    ));
    assert_eq!(reader.read(2 * frame, 10).await.unwrap().len(), 5);
    drop(reader);
    store.close().await.unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!(finding.offset, Some(second as u64));
    assert_eq!(dir.path().join(&finding.file), path);
    assert_eq!(finding.job, Some(id(1).to_string()));
}

#[tokio::test]
async fn missing_and_cut_bodies_are_told() {
    let (dir, bodies) = three().await;
    fs::remove_file(file_of(dir.path(), &bodies[0])).unwrap();
    let cut = fs::OpenOptions::new()
        .write(true)
        .open(file_of(dir.path(), &bodies[1]))
        .unwrap();
    cut.set_len(70_000).unwrap();
    let store = open(dir.path());
    for body in &bodies[..2] {
        assert!(matches!(
            Bodies::open(&store, body).await.err(),
            Some(Error::Corrupt(_))
        ));
    }
    assert!(Bodies::open(&store, &bodies[2]).await.is_ok());
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().findings.len(), 2);
}

/// Puts a body file there that nothing refers to.
fn leave_behind(dir: &Path, bodies: &[Body]) -> PathBuf {
    let source = file_of(dir, &bodies[0]);
    let target = dir.join("bodies/00").join(format!("{:032x}.body", 0x100));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(source, &target).unwrap();
    target
}

/// Waits until a store that was opened and closed has looked for what was left behind.
async fn opened_and_closed(dir: &Path, gone: &Path) -> bool {
    for _ in 0..1000 {
        open(dir).close().await.unwrap();
        if !gone.exists() {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn what_nothing_refers_to_is_deleted() {
    let (dir, bodies) = three().await;
    let left = leave_behind(dir.path(), &bodies);
    assert_eq!(verify(dir.path()).unwrap().unreferred, 1);
    assert!(opened_and_closed(dir.path(), &left).await);
    let report = verify(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.unreferred, 0);
}

#[tokio::test]
async fn on_doubt_nothing_is_deleted() {
    let (dir, bodies) = three().await;
    let left = leave_behind(dir.path(), &bodies);
    flip_in_record(dir.path(), "requests", 2);
    for _ in 0..20 {
        open(dir.path()).close().await.unwrap();
    }
    assert!(left.exists());
}

#[tokio::test]
async fn a_body_whose_change_is_refused_is_deleted_at_once() {
    let (dir, _) = three().await;
    let store = open(dir.path());
    let body = body(&store, LARGE).await;
    let path = file_of(dir.path(), &body);
    assert!(path.exists());
    let mut put = make::put(make::submitted(2, "r", at(2)));
    put.request = Some(Arc::new(make::request(body)));
    let refused = store.commit(Change::Put(Box::new(put))).await;
    assert_eq!(refused, Err(Error::Exists(id(2))));
    // Another thread deletes it.
    let gone = async {
        while path.exists() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    assert!(tokio::time::timeout(limit, gone).await.is_ok());
    store.close().await.unwrap();
    assert!(verify(dir.path()).unwrap().is_whole());
}
