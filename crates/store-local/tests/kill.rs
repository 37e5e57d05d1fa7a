//! A process that is killed while it works, again and again: whatever it acknowledged is there
//! afterwards, and nothing is damaged.
//!
//! The page cache survives a killed process, so this shows nothing about syncs; the black-box tests
//! look at those. It shows that no acknowledged change is torn, lost or dangling.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use raincheck_core::id::{JobId, Revision};
use raincheck_core::job::{Event, Status};
use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_core::limits::BODY_INLINE_BYTES;
use raincheck_store::conformance::make::{self, at};
use raincheck_store::{Bodies, Change, Commit, Idempotency, Jobs, NewKey, Queue};
use raincheck_store_local::{LocalStore, Options, verify};

const DIR: &str = "RAINCHECK_TEST_KILL_DIR";
const ROUND: &str = "RAINCHECK_TEST_KILL_ROUND";
const ROUNDS: u64 = 12;
const CLIENTS: u64 = 8;

/// Not a test by itself: the process that is killed.
#[test]
fn victim() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else {
        return;
    };
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(LocalStore::open(Path::new(&dir), Options::default()).unwrap());
        let clients = (0..CLIENTS).map(|client| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { work(&store, round, client).await })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    });
}

/// Accepts, starts and settles jobs for ever and says what was acknowledged.
async fn work(store: &LocalStore, round: u64, client: u64) {
    for number in 0.. {
        let id = JobId::from_parts(at(round << 32 | client << 24 | number), [9; 10]);
        let mut submission = make::submission(0, "r");
        submission.id = id;
        let mut put = make::put(raincheck_core::job::submit(submission, at(5)));
        let len = if number % 4 == 0 {
            BODY_INLINE_BYTES + 1
        } else {
            100
        };
        let mut writer = store.create();
        writer.append(make::bytes(len)).await.unwrap();
        put.request = Some(Arc::new(make::request(writer.finish().await.unwrap())));
        put.key = Some(NewKey {
            digest: digest(id),
            fingerprint: Fingerprint(*id.as_bytes()),
            replaces: None,
        });
        let mut job = put.job.clone();
        store.commit(Change::Put(Box::new(put))).await.unwrap();
        say(id, 1);
        for _ in 0..number % 3 {
            let event = match job.status() {
                Status::Queued => Event::Start,
                _ => make::settle(&job, make::answered(200, 3)),
            };
            let mut put = make::put(raincheck_core::job::apply(&job, &event, at(7)).unwrap());
            if put.job.status() == Status::Succeeded {
                let body = raincheck_store::Body::Inline(make::bytes(3));
                put.response = Some(Arc::new(make::response(1, body)));
            }
            job = put.job.clone();
            store.commit(Change::Put(Box::new(put))).await.unwrap();
            say(id, job.revision().0);
        }
    }
}

/// A key of this job's own.
fn digest(id: JobId) -> KeyDigest {
    let mut digest = *id.as_bytes();
    digest.reverse();
    KeyDigest(digest)
}

/// One write, so that a kill cannot mix lines.
fn say(id: JobId, revision: u64) {
    let line = format!("\nacknowledged {id} {revision}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

fn acknowledged(line: &str) -> Option<(JobId, u64)> {
    let (id, revision) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
}

/// Runs the victim, kills it after `count` acknowledgements, and gives all that it had said.
fn killed(dir: &Path, round: u64, count: usize) -> Vec<(JobId, u64)> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(victim.stdout.take().unwrap());
    let mut said = Vec::new();
    for line in stdout.lines() {
        said.extend(acknowledged(&line.unwrap()));
        if said.len() == count {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    said
}

#[tokio::test]
async fn what_was_acknowledged_survives() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = BTreeMap::new();
    for round in 1..=ROUNDS {
        let said = killed(dir.path(), round, 40 * round as usize);
        assert!(said.len() >= 40);
        for (id, revision) in said {
            let latest = all.entry(id).or_insert(revision);
            *latest = revision.max(*latest);
        }
        let report = verify(dir.path()).unwrap();
        assert!(report.is_whole(), "round {round}: {report:?}");
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        for (id, revision) in &all {
            check(&store, *id, Revision(*revision)).await;
        }
        let orphans = store.orphans(usize::MAX).await.unwrap();
        for (id, token) in orphans {
            let job = store.job(id).await.unwrap().unwrap();
            assert_eq!((job.status(), job.token()), (Status::Processing, token));
        }
    }
}

async fn check(store: &LocalStore, id: JobId, revision: Revision) {
    let job = store.job(id).await.unwrap().unwrap();
    // What was not acknowledged any more may have been written all the same.
    assert!(job.revision() == revision || job.revision() == revision.next());
    let entry = store.key(digest(id)).await.unwrap().unwrap();
    assert_eq!((entry.job, entry.fingerprint.0), (id, *id.as_bytes()));
    let request = store.request(id).await.unwrap().unwrap();
    let reader = Bodies::open(store, &request.body).await.unwrap();
    let len = usize::try_from(request.body.len()).unwrap();
    assert_eq!(reader.read(0, len).await.unwrap(), make::bytes(len));
    if job.status() == Status::Succeeded {
        assert!(store.response(id).await.unwrap().is_some());
    }
}
