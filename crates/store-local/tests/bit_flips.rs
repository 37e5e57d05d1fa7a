//! A flipped bit in any file of the store: it is found by a check and told at the opening or the
//! read that meets it, what is read is right, and no other job suffers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, apply};
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::conformance::make::{self, at, id};
use raincheck_store::{
    Bodies, Body, Change, Commit, Error, Jobs, Store, StoredRequest, StoredResponse,
};
use raincheck_store_local::{LocalStore, OpenError, Options, verify};

const JOBS: u8 = 12;
/// Flips in each file.
const FLIPS: u64 = 24;
/// Bytes at the end of the log in which the last transaction lies. Damage to it cannot be told from
/// a write that a power cut tore, which is dropped.
const LAST: usize = 12 * (4096 + 24);

/// A frame of the log: its header and a page.
const FRAME: usize = 24 + 4096;

/// Whether files are cut at every byte, which takes minutes: `RAINCHECK_EVERY_BYTE=1`.
fn every_byte() -> bool {
    std::env::var_os("RAINCHECK_EVERY_BYTE").is_some()
}

/// A directory in memory, where there is some for files: there are hundreds, and syncs would cost.
fn directory_of_its_own() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

fn open(path: &Path) -> Result<LocalStore, OpenError> {
    LocalStore::open(path, Options::default())
}

/// All that is stored of a job.
#[derive(Debug, Clone, PartialEq)]
struct Whole {
    job: Option<Job>,
    request: Option<Arc<StoredRequest>>,
    response: Option<Arc<StoredResponse>>,
    bodies: Vec<Vec<u8>>,
}

async fn bytes_of(store: &LocalStore, body: &Body) -> Result<Vec<u8>, Error> {
    let reader = Bodies::open(store, body).await?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < body.len() {
        let piece = reader.read(bytes.len() as u64, 1 << 20).await?;
        assert!(!piece.is_empty(), "a body ends early without a word");
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn read(store: &LocalStore, id: JobId) -> Result<Whole, Error> {
    let whole = Whole {
        job: store.job(id).await?,
        request: store.request(id).await?,
        response: store.response(id).await?,
        bodies: Vec::new(),
    };
    let mut bodies = Vec::new();
    let request = whole.request.as_ref().map(|request| &request.body);
    let response = whole.response.as_ref().map(|response| &response.body);
    for body in [request, response].into_iter().flatten() {
        bodies.push(bytes_of(store, body).await?);
    }
    Ok(Whole { bodies, ..whole })
}

async fn body(store: &LocalStore, number: u8) -> Body {
    let len = [10, 3000, 2 * SEGMENT_FRAME_BYTES + 5][usize::from(number % 3)];
    let mut writer = store.create();
    writer.append(make::bytes(len)).await.unwrap();
    writer.finish().await.unwrap()
}

/// Some jobs wait, some are at work, some are answered.
async fn fill(store: &LocalStore) {
    for number in 0..JOBS {
        let mut put = make::put(make::submitted(number, "r", at(u64::from(number))));
        put.request = Some(Arc::new(make::request(body(store, number).await)));
        let mut job = put.job.clone();
        store.commit(Change::Put(Box::new(put))).await.unwrap();
        for step in 0..number / 4 {
            let event = match step {
                0 => Event::Start,
                _ => make::settle(&job, make::answered(200, 3)),
            };
            let mut put = make::put(apply(&job, &event, at(50)).unwrap());
            if step == 1 {
                let body = body(store, number + 1).await;
                put.response = Some(Arc::new(make::response(1, body)));
            }
            job = put.job.clone();
            store.commit(Change::Put(Box::new(put))).await.unwrap();
        }
    }
}

/// A data directory as a stop leaves it, or as a crash does: with a log.
async fn directory(crashed: bool) -> (tempfile::TempDir, BTreeMap<JobId, Whole>) {
    let dir = directory_of_its_own();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    let mut all = BTreeMap::new();
    for number in 0..JOBS {
        all.insert(id(number), read(&store, id(number)).await.unwrap());
    }
    if crashed {
        let copy = directory_of_its_own();
        copy_dir(dir.path(), copy.path());
        return (copy, all);
    }
    store.close().await.unwrap();
    (dir, all)
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else if !entry.path().ends_with("jobs.db-shm") {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files with something in them, as seen from the directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if fs::metadata(&path).unwrap().len() > 0 {
                found.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// What a flip did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The start was refused.
    refused: bool,
    /// Jobs that are not what they were, all of them told.
    hit: usize,
    /// Jobs that are gone, or older than they were, without a word at the read.
    silent: usize,
    /// A check finds something.
    found: bool,
}

async fn look(dir: &Path, all: &BTreeMap<JobId, Whole>) -> Seen {
    let mut seen = Seen {
        found: verify(dir).map_or(true, |report| !report.is_whole()),
        ..Seen::default()
    };
    let store = match open(dir) {
        Ok(store) => store,
        Err(error) => {
            let told = matches!(
                error,
                OpenError::Damaged { .. } | OpenError::NotAStore { .. } | OpenError::Newer { .. }
            );
            assert!(told, "{error}");
            seen.refused = true;
            return seen;
        }
    };
    for (id, before) in all {
        match read(&store, *id).await {
            Ok(now) if now == *before => {}
            Err(Error::Corrupt(_)) => seen.hit += 1,
            Err(other) => unreachable!("{other}"),
            Ok(_) => seen.silent += 1,
        }
    }
    store.close().await.unwrap();
    seen
}

/// Flips one bit in a copy of the directory and looks at it.
async fn flipped(
    dir: &Path,
    file: &Path,
    at: usize,
    bit: u8,
    all: &BTreeMap<JobId, Whole>,
) -> Seen {
    let copy = directory_of_its_own();
    copy_dir(dir, copy.path());
    let path = copy.path().join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(&path, bytes).unwrap();
    look(copy.path(), all).await
}

/// The same numbers each time: places spread over a file.
fn place(number: u64, len: usize) -> (usize, u8) {
    let word = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number << 7);
    ((word >> 8) as usize % len, (word & 7) as u8)
}

async fn flip_everywhere(crashed: bool) {
    let (dir, all) = directory(crashed).await;
    for file in files(dir.path()) {
        let len = usize::try_from(fs::metadata(dir.path().join(&file)).unwrap().len()).unwrap();
        let mut found = 0;
        for number in 0..FLIPS {
            let (at, bit) = place(number, len);
            let seen = flipped(dir.path(), &file, at, bit, &all).await;
            let what = format!("{} byte {at} bit {bit}: {seen:?}", file.display());
            let torn = file.ends_with("jobs.db-wal") && at + LAST > len && seen.silent <= 1;
            let silent = seen.silent > 0 && !torn;
            let changed = seen.refused || seen.hit > 0 || silent;
            assert!(seen.found || !changed, "not found by a check: {what}");
            let body = file.starts_with("bodies");
            assert!(!body || (seen.hit == 1 && seen.found), "{what}");
            assert!(!body || seen.silent == 0, "{what}");
            found += u64::from(seen.found);
        }
        println!(
            "{}: {found} of {FLIPS} flips meant something",
            file.display()
        );
    }
}

#[tokio::test]
async fn in_a_directory_that_was_closed() {
    flip_everywhere(false).await;
}

#[tokio::test]
async fn in_a_directory_that_a_crash_left() {
    flip_everywhere(true).await;
}

/// Where the record of a job is in the database, to flip every bit of it.
#[tokio::test]
async fn every_byte_of_a_record_hits_its_job_alone() {
    let (dir, all) = directory(false).await;
    let conn = rusqlite::Connection::open(dir.path().join("jobs.db")).unwrap();
    let record: Vec<u8> = conn
        .query_row(
            "SELECT record FROM jobs WHERE id = ?1",
            (id(5).as_bytes(),),
            |row| row.get(0),
        )
        .unwrap();
    conn.close().unwrap();
    let database = fs::read(dir.path().join("jobs.db")).unwrap();
    let start = database
        .windows(record.len())
        .position(|window| window == record)
        .unwrap();
    for at in start..start + record.len() {
        let seen = flipped(dir.path(), Path::new("jobs.db"), at, (at % 8) as u8, &all).await;
        let only = Seen {
            hit: 1,
            found: true,
            ..Seen::default()
        };
        assert_eq!(seen, only, "byte {at}");
    }
    let copy = directory_of_its_own();
    copy_dir(dir.path(), copy.path());
    let mut bytes = database;
    bytes[start + 3] ^= 1;
    fs::write(copy.path().join("jobs.db"), bytes).unwrap();
    let report = verify(copy.path()).unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    let finding = &report.findings[0];
    assert_eq!(finding.file, "jobs.db");
    assert_eq!(finding.offset, Some(start as u64));
    assert_eq!(finding.job, Some(id(5).to_string()));
}

/// Cut at every byte, the last body is damaged and nobody else is.
#[tokio::test]
async fn a_body_that_is_cut_anywhere_is_told() {
    let (dir, all) = directory(false).await;
    let bodies = dir.path().join("bodies");
    let file = files(&bodies).pop().unwrap();
    let path = bodies.join(&file);
    let whole = fs::read(&path).unwrap();
    let store = open(dir.path()).unwrap();
    // Every byte of the last frame and of the first, and some between; or every byte.
    let edge = |at: &usize| *at < 64 || *at + 64 > whole.len() || at.is_multiple_of(4001);
    let places = (0..whole.len()).filter(|at| every_byte() || edge(at));
    let mut owner = None;
    for at in places {
        fs::write(&path, &whole[..at]).unwrap();
        let mut hit = 0;
        // Between the edges only whose it is is looked at.
        let known: Option<JobId> = owner;
        let others = |id: &JobId| edge(&at) || known.is_none_or(|known| known == *id);
        for (id, before) in all.iter().filter(|(id, _)| others(id)) {
            match read(&store, *id).await {
                Ok(now) => assert_eq!(now, *before),
                Err(Error::Corrupt(_)) => {
                    hit += 1;
                    owner = Some(*id);
                }
                Err(other) => unreachable!("{other}"),
            }
        }
        assert_eq!(hit, 1, "cut at {at}");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    store.close().await.unwrap();
    assert_eq!(verify(dir.path()).unwrap().findings.len(), 1);
}

/// A flipped bit in any byte of a body of two frames is met by whoever reads it.
#[tokio::test]
async fn a_bit_of_any_byte_of_a_body_is_told() {
    let dir = directory_of_its_own();
    let store = open(dir.path()).unwrap();
    let mut writer = store.create();
    let len = SEGMENT_FRAME_BYTES + 5;
    writer.append(make::bytes(len)).await.unwrap();
    let stored = writer.finish().await.unwrap();
    let before = bytes_of(&store, &stored).await.unwrap();
    let bodies = dir.path().join("bodies");
    let path = bodies.join(files(&bodies).pop().unwrap());
    let whole = fs::read(&path).unwrap();
    let edge = |at: &usize| *at < 64 || *at + 64 > whole.len() || at.is_multiple_of(997);
    let file = fs::File::options().write(true).open(&path).unwrap();
    for at in (0..whole.len()).filter(|at| every_byte() || edge(at)) {
        file.write_all_at(&[whole[at] ^ (1 << (at % 8))], at as u64)
            .unwrap();
        let read = bytes_of(&store, &stored).await;
        assert!(
            matches!(read, Err(Error::Corrupt(_))),
            "byte {at}: {:?}",
            read.map(|_| ())
        );
        file.write_all_at(&whole[at..=at], at as u64).unwrap();
    }
    assert!(bytes_of(&store, &stored).await.unwrap() == before);
}

/// A log that is cut at any byte of its last transaction loses that one and nothing else.
#[tokio::test]
async fn a_log_that_is_cut_anywhere_loses_its_last_transaction_only() {
    let dir = directory_of_its_own();
    let store = open(dir.path()).unwrap();
    for number in 0..5 {
        let put = make::put(make::submitted(number, "r", at(5)));
        store.commit(Change::Put(Box::new(put))).await.unwrap();
    }
    let log = dir.path().join("jobs.db-wal");
    let before = fs::read(&log).unwrap().len();
    let put = make::put(make::submitted(5, "r", at(5)));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    let whole = fs::read(&log).unwrap();
    assert!(whole.len() > before);
    // Each boundary of a frame and its neighbours, the last bytes, and some between; or every byte.
    let chosen = |at: &usize| {
        let into = (at - before) % FRAME;
        every_byte()
            || at.is_multiple_of(61)
            || into <= 1
            || into == FRAME - 1
            || at + 200 > whole.len()
    };
    let places: Vec<usize> = (before..whole.len()).filter(chosen).collect();
    println!("cut at {} of {} bytes", places.len(), whole.len() - before);
    for at in places {
        let crashed = directory_of_its_own();
        fs::copy(dir.path().join("jobs.db"), crashed.path().join("jobs.db")).unwrap();
        fs::write(crashed.path().join("jobs.db-wal"), &whole[..at]).unwrap();
        let store = open(crashed.path()).unwrap();
        for number in 0..6 {
            let there = store.job(id(number)).await.unwrap().is_some();
            assert_eq!(there, number < 5, "job {number}, cut at {at}");
        }
    }
}
