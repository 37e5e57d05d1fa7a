//! A disk that fails one call, at each of its first calls in turn, or all of them from one on: a
//! start is refused with its cause or the process ends with it, nothing that was acknowledged is
//! lost, and what a failed sync should have made durable is not believed to be.
//!
//! Calls are failed by the preloaded library; the calls by which bodies are written pass it by, and
//! are failed by strace in `disk_faults.rs`.

use std::collections::BTreeSet;

use raincheck_e2e::dice::Dice;
use raincheck_e2e::lives::{Doom, Lives};
use raincheck_e2e::power::{Disk, Fail, Loss};
use raincheck_e2e::process::{self, Child};

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
    at_each("unlink", EIO, &[1, 2, 3]).await;
}
