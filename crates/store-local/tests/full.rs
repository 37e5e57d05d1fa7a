//! A disk without room, or one that cannot be written: a start on it is refused with that cause, a
//! check of it works, and nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use raincheck_core::job::{Event, Job, Status, apply};
use raincheck_core::limits::BODY_MEMORY_BYTES;
use raincheck_store::conformance::make::{self, at};
use raincheck_store::{Bodies, Body, Change, Commit, Error, Jobs, Put, Store};
use raincheck_store_local::{BackupError, LocalStore, OpenError, Options, backup, verify};

/// A small disk of its own; unmounted when dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        superuser(
            "mount",
            &["-t", "tmpfs", "-o", "size=4m,mode=777", "none"],
            dir.path(),
        );
        Self { dir }
    }

    /// Lets nobody write any more, the superuser included.
    fn freeze(&self) {
        superuser("mount", &["-o", "remount,ro"], self.dir.path());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Takes all room but `spare` bytes.
    fn fill(&self, spare: u64) {
        let path = self.dir.path().join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(spare)).unwrap();
    }

    /// Takes what has become free meanwhile.
    fn fill_rest(&self) {
        let path = self.dir.path().join("filler");
        let mut file = File::options().append(true).open(&path).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.dir.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        superuser("umount", &[], self.dir.path());
    }
}

/// Mounts or unmounts. A test that cannot is a test that fails: it must not count as passed.
fn superuser(command: &str, args: &[&str], dir: &Path) {
    let run = |program: &str, first: &[&str]| {
        let output = Command::new(program)
            .args(first)
            .args(args)
            .arg(dir)
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    let done = run(command, &[]) || run("sudo", &["-n", command]);
    assert!(
        done || std::thread::panicking(),
        "{command} failed: these tests need a small disk of their own; run them as root, or allow sudo"
    );
}

async fn put(store: &LocalStore, number: u8) {
    let put = make::put(make::submitted(number, "r", at(5)));
    store.commit(Change::Put(Box::new(put))).await.unwrap();
}

fn open(path: &Path) -> Result<LocalStore, OpenError> {
    LocalStore::open(path, Options::default())
}

fn is_full(result: Result<LocalStore, OpenError>) -> bool {
    matches!(result, Err(OpenError::Full { .. }))
}

#[tokio::test]
async fn a_start_on_a_full_disk_is_refused_and_a_check_is_not() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    put(&store, 1).await;
    store.close().await.unwrap();
    for spare in [0, 4 << 10, 40 << 10, 512 << 10] {
        disk.fill(spare);
        assert!(is_full(open(&disk.data())), "with {spare} bytes");
        let report = verify(disk.data()).unwrap();
        assert!(report.is_whole(), "with {spare} bytes: {report:?}");
        assert_eq!(report.jobs, 1);
    }
    disk.free();
    let store = open(&disk.data()).unwrap();
    assert_eq!(store.counts(), [(make::route("r"), Status::Queued, 1)]);
    put(&store, 2).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_full_disk_needs_no_room_there_while_it_is_served() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    put(&store, 1).await;
    let target = tempfile::tempdir().unwrap();
    disk.fill(0);
    backup(disk.data(), target.path().join("served")).unwrap();
    disk.free();
    store.close().await.unwrap();
    drop(store);
    disk.fill(0);
    let refused = backup(disk.data(), target.path().join("closed"));
    assert!(matches!(
        refused,
        Err(BackupError::Source(OpenError::Full { .. }))
    ));
    disk.free();
    backup(disk.data(), target.path().join("freed")).unwrap();
}

#[tokio::test]
async fn the_index_of_the_log_has_its_room_before_it_is_needed() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    let metadata = fs::metadata(disk.data().join("jobs.db-shm")).unwrap();
    assert!(metadata.len() >= 256 << 10);
    assert_eq!(metadata.blocks() * 512, metadata.len());
    put(&store, 1).await;
    store.close().await.unwrap();
    assert!(!disk.data().join("jobs.db-shm").exists());
}

#[tokio::test]
async fn a_check_after_a_crash_changes_neither_database_nor_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for number in 0..20 {
        put(&store, number).await;
    }
    let crashed = tempfile::tempdir().unwrap();
    let names = ["jobs.db", "jobs.db-wal"];
    for name in names {
        fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    let read = || names.map(|name| fs::read(crashed.path().join(name)).unwrap());
    let before = read();
    let report = verify(crashed.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.jobs, 20);
    assert!(read() == before);
    assert!(!crashed.path().join("jobs.db-shm").exists());
}

#[tokio::test]
async fn a_check_works_while_somebody_else_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    put(&store, 1).await;
    store.close().await.unwrap();
    let other = rusqlite::Connection::open(dir.path().join("jobs.db")).unwrap();
    let count = |conn: &rusqlite::Connection| {
        conn.query_row("SELECT count(*) FROM jobs", (), |row| row.get::<_, i64>(0))
    };
    assert_eq!(count(&other), Ok(1));
    let report = verify(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.jobs, 1);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_told() {
    let disk = Disk::new();
    // A path that would mean something else in a URI.
    let data = disk.dir.path().join("a ?b#%2f=");
    let store = open(&data).unwrap();
    put(&store, 1).await;
    store.close().await.unwrap();
    drop(store);
    disk.freeze();
    assert!(matches!(open(&data), Err(OpenError::ReadOnly { .. })));
    let report = verify(&data).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.jobs, 1);
    let elsewhere = disk.dir.path().join("new");
    assert!(matches!(open(&elsewhere), Err(OpenError::ReadOnly { .. })));
}

#[tokio::test]
async fn a_check_of_what_cannot_be_written_reads_the_log_of_a_crash() {
    let disk = Disk::new();
    let served = tempfile::tempdir().unwrap();
    let store = open(served.path()).unwrap();
    put(&store, 1).await;
    fs::create_dir(disk.data()).unwrap();
    for name in ["jobs.db", "jobs.db-wal", "lock"] {
        fs::copy(served.path().join(name), disk.data().join(name)).unwrap();
    }
    disk.freeze();
    let report = verify(disk.data()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.jobs, 1, "it is in the log only");
    let lock = File::open(disk.data().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(verify(disk.data()), Err(OpenError::InUse { .. })));
}

/// Stores new jobs with requests of some bytes until there is no room for another; their states.
async fn stuff(store: &LocalStore, from: u8) -> Vec<Job> {
    let mut jobs = Vec::new();
    for number in from..=u8::MAX {
        let transition = make::submitted(number, "r", at(5));
        let job = transition.next.clone().unwrap();
        let body = Body::Inline(make::bytes(6000));
        let put = Put {
            request: Some(Arc::new(make::request(body))),
            ..make::put(transition)
        };
        match store.commit(Change::Put(Box::new(put))).await {
            Ok(()) => jobs.push(job),
            Err(Error::Full(_)) => return jobs,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk never was full");
}

/// Cancels a job, and forgets it.
async fn cancel_and_forget(store: &LocalStore, job: &Job) {
    let cancelled = apply(job, &Event::Cancel, at(6)).unwrap();
    let stored = cancelled.next.clone().unwrap();
    let change = make::change(job.id(), cancelled);
    store.commit(change).await.unwrap();
    let change = Change::Delete {
        job: job.id(),
        from: stored.revision(),
    };
    store.commit(change).await.unwrap();
}

#[tokio::test]
async fn jobs_can_be_cancelled_and_forgotten_on_a_full_disk() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    let reserve = disk.data().join("reserve");
    assert_eq!(fs::metadata(&reserve).unwrap().blocks() * 512, 1 << 20);
    put(&store, 1).await;
    disk.fill(400 << 10);
    let jobs = stuff(&store, 2).await;
    assert!(jobs.len() > 2, "only {}", jobs.len());
    let why = store.lacks_room();
    assert!(
        why.as_deref().is_some_and(|why| why.contains("full")),
        "{why:?}"
    );
    let more = make::put(make::submitted(254, "r", at(5)));
    let more = Change::Put(Box::new(more));
    // Those who free room are served although the rest of the disk is full, all of them.
    for job in &jobs[2..] {
        cancel_and_forget(&store, job).await;
    }
    // The pages that this has freed are room as well, if they are enough.
    disk.fill_rest();
    for job in &jobs[..2] {
        cancel_and_forget(&store, job).await;
    }
    disk.free();
    store.commit(more).await.unwrap();
    assert_eq!(store.lacks_room(), None);
    assert!(reserve.exists());
    store.close().await.unwrap();
    assert!(!reserve.exists());
    let report = verify(disk.data()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.jobs, 2);
}

#[tokio::test]
async fn a_body_without_room_is_told_and_so_is_room_again() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    put(&store, 1).await;
    disk.fill(40 << 10);
    let mut body = store.create();
    let refused = async {
        body.append(make::bytes(BODY_MEMORY_BYTES + 1)).await?;
        body.finish().await
    };
    let refused = refused.await;
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    let why = store.lacks_room().unwrap();
    assert!(why.contains("free at least 2 MiB"), "{why}");
    disk.free();
    put(&store, 2).await;
    assert_eq!(store.lacks_room(), None);
    let mut body = store.create();
    body.append(make::bytes(BODY_MEMORY_BYTES + 1))
        .await
        .unwrap();
    body.finish().await.unwrap();
}

#[tokio::test]
async fn what_a_dead_process_has_kept_is_room_for_the_next_start() {
    let disk = Disk::new();
    let store = open(&disk.data()).unwrap();
    put(&store, 1).await;
    store.close().await.unwrap();
    fs::write(disk.data().join("reserve"), vec![0; 1 << 20]).unwrap();
    disk.fill(512 << 10);
    let store = open(&disk.data()).unwrap();
    put(&store, 2).await;
    store.close().await.unwrap();
}
