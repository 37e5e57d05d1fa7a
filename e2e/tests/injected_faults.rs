//! A disk that fails one call, at each of its first calls in turn, or all of them from one on: a
//! start is refused with its cause or the process ends with it, nothing that was acknowledged is
//! lost, and what a failed sync should have made durable is not believed to be.
//!
//! Calls are failed by the preloaded library.

use std::collections::BTreeSet;

use raincheck_e2e::dice::Dice;
use raincheck_e2e::lives::{Doom, Lives};
use raincheck_e2e::power::{Disk, Fail, Loss, Power};
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Must, Raincheck};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What is kept of a disk that failed: the machine may have lost what it could not write.
const LOSSES: [Loss; 3] = [Loss::Nothing, Loss::Whole, Loss::Blocks(4096)];

/// One life with this failure and what came of it: how the process ended.
async fn failed(fail: Fail, dice: &mut Dice) -> Option<i32> {
    let mut lives = Lives::new().await;
    let doom = |acknowledged| Doom {
        call: 0,
        acknowledged,
        arrived: u64::MAX >> 1,
    };
    // Something is there before, most times.
    if !fail.first.is_multiple_of(3) {
        lives.live(doom(4), Disk::default(), dice).await;
    }
    let disk = Disk {
        fail: Some(fail),
        ..Disk::default()
    };
    let exit = lives.live(doom(12), disk, dice).await;
    if exit.code.is_some() {
        assert!(exit.stderr.contains("ERROR") || exit.stderr.contains("\"error\""));
    }
    let loss = dice.one(&LOSSES);
    lives.power.cut(&lives.data(), loss, dice);
    if lives.acknowledged() > 0 {
        let mut verify = process::command();
        verify.args(["verify", "--store-path"]).arg(lives.data());
        let verified = Child::spawn(verify).exited().await;
        let said = format!("{}{}", verified.stdout, verified.stderr);
        assert_eq!(verified.code, Some(0), "{fail:?}, {loss:?}: {said}");
    }
    let broken = lives.end().await.broken(true);
    assert!(broken.is_empty(), "{fail:?}, {loss:?}: {broken:#?}");
    exit.code
}

/// The first calls one by one, then some of the later ones; once, and from there on.
async fn at_each(call: &'static str, errno: i32, numbers: &[u64]) -> BTreeSet<Option<i32>> {
    let mut dice = Dice::new(Dice::seed("RAINCHECK_E2E_SEED"));
    let mut ends = BTreeSet::new();
    for first in numbers {
        for last in [*first, u64::MAX >> 1] {
            let fail = Fail {
                call,
                errno,
                first: *first,
                last,
            };
            println!("{fail:?}");
            ends.insert(failed(fail, &mut dice).await);
        }
    }
    ends
}

const EARLY_AND_LATE: [u64; 12] = [1, 2, 3, 4, 5, 6, 8, 11, 16, 25, 40, 70];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_writes() {
    let ends = at_each("pwrite64", EIO, &EARLY_AND_LATE).await;
    assert!(ends.contains(&Some(74)), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_without_room() {
    at_each("pwrite64", ENOSPC, &EARLY_AND_LATE).await;
}

/// Bodies that need a file are written by this call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_writes_of_bodies() {
    at_each("pwritev64", EIO, &[1, 2, 3, 5, 8, 13]).await;
    at_each("pwritev64", ENOSPC, &[1, 2, 5]).await;
}

/// Room is asked for at the start: for the index of the log, then to be kept for making room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_that_is_not_given() {
    let ends = at_each("fallocate64", ENOSPC, &[1, 2]).await;
    assert!(ends.contains(&Some(79)), "{ends:?}");
    let ends = at_each("fallocate64", EIO, &[1, 2]).await;
    assert!(ends.contains(&Some(74)), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_syncs() {
    let ends = at_each("fdatasync", EIO, &EARLY_AND_LATE).await;
    assert!(ends.contains(&Some(74)), "{ends:?}");
    at_each("fsync", EIO, &[1, 2, 3, 4, 5, 6]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_without_room() {
    at_each("fdatasync", ENOSPC, &[1, 2, 3, 5, 8, 13]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_cuts_and_deletions() {
    at_each("ftruncate64", EIO, &[1, 2, 3]).await;
    at_each("ftruncate", EIO, &[1, 2]).await;
    let ends = at_each("unlink", EIO, &[1, 2, 3]).await;
    // A journal that stays is no log.
    assert!(ends.contains(&Some(74)), "{ends:?}");
}

/// The store renames nothing; `wait -o` does.
#[tokio::test]
async fn a_result_that_cannot_be_written_or_named_leaves_nothing_behind() {
    let backend = Backend::bytes(100_000).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "a").await.id;
    app.finished(&id).await;
    let dir = tempfile::tempdir().must("a directory");
    let file = dir.path().join("result");
    let wait = async |fail: Option<Fail>| {
        let mut command = process::command();
        let url = format!("http://{}", app.addr());
        command.args(["wait", "--url", &url, &id, "-o"]).arg(&file);
        let disk = Disk {
            fail,
            ..Disk::default()
        };
        Power::new().watch(&mut command, dir.path(), 0, disk);
        Child::spawn(command).exited().await
    };
    let names = || std::fs::read_dir(dir.path()).must("the directory").count();
    for (call, first) in [("write", 1), ("write", 2), ("rename", 1)] {
        for (errno, cause) in [(EIO, "Input/output error"), (ENOSPC, "No space left")] {
            let fail = Fail {
                call,
                errno,
                first,
                last: u64::MAX >> 1,
            };
            let exit = wait(Some(fail)).await;
            assert_ne!(exit.code, Some(0), "{fail:?}");
            assert!(exit.stderr.contains(cause), "{fail:?}: {}", exit.stderr);
            assert_eq!(names(), 0, "{fail:?}");
        }
    }
    assert_eq!(wait(None).await.code, Some(0));
    assert_eq!(std::fs::read(&file).must("the result").len(), 100_000);
}
