//! The power goes out at any call that writes, syncs or sends: what had not been synced is lost,
//! whole or block by block. Every acknowledged job is there afterwards, and nothing is damaged.
//!
//! `RAINCHECK_E2E_SEED` and `RAINCHECK_E2E_ROUNDS` choose other cuts; a failure names both.

use std::collections::BTreeSet;

use raincheck_e2e::dice::Dice;
use raincheck_e2e::history::Breach;
use raincheck_e2e::lives::{Doom, Lives};
use raincheck_e2e::power::{Disk, Loss};
use raincheck_e2e::process::{self, Child, Exit};

/// Cuts of one data directory.
const CUTS: u64 = 10;

fn rounds() -> u64 {
    let asked = std::env::var("RAINCHECK_E2E_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(100)
}

fn doom(dice: &mut Dice) -> Doom {
    let last = dice.one(&[80, 300, 900]);
    Doom {
        call: dice.of(1..last),
        acknowledged: dice.of(10..40),
        arrived: u64::MAX >> 1,
    }
}

fn loss(dice: &mut Dice) -> Loss {
    dice.one(&[
        Loss::Whole,
        Loss::Blocks(4096),
        Loss::Blocks(4096),
        Loss::Blocks(512),
    ])
}

async fn verify(lives: &Lives) -> Exit {
    let mut command = process::command();
    command.args(["verify", "--store-path"]).arg(lives.data());
    Child::spawn(command).exited().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_job_survives_a_power_cut() {
    let first = Dice::seed("RAINCHECK_E2E_SEED");
    let rounds = rounds();
    let mut acknowledged = 0;
    for (life, start) in (0..rounds).step_by(CUTS as usize).enumerate() {
        let seed = first + life as u64;
        let cuts = CUTS.min(rounds - start);
        println!(
            "seed {seed}, {cuts} cuts; again: RAINCHECK_E2E_SEED={seed} \
             RAINCHECK_E2E_ROUNDS={cuts} cargo xtask e2e --test power_cut"
        );
        let mut dice = Dice::new(seed);
        let mut lives = Lives::new().await;
        for cut in 0..cuts {
            let (doom, loss) = (doom(&mut dice), loss(&mut dice));
            lives.live(doom, Disk::default(), &mut dice).await;
            lives.power.cut(&lives.data(), loss, &mut dice);
            if lives.acknowledged() > 0 {
                let exit = verify(&lives).await;
                let said = format!("{}{}", exit.stdout, exit.stderr);
                assert_eq!(exit.code, Some(0), "cut {cut}, {doom:?}, {loss:?}: {said}");
            }
        }
        acknowledged += lives.acknowledged();
        let broken = lives.end().await.broken(true);
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
    println!("{rounds} cuts, {acknowledged} jobs acknowledged and checked");
    assert!(acknowledged >= rounds, "too little was done");
}

/// The power goes out at the first call of this name, and right after the second; gives how often
/// the process died of that.
async fn cut_at(call: &str) -> u64 {
    let mut dice = Dice::new(1);
    let mut lives = Lives::new().await;
    let disk = Disk {
        only: Some(call),
        ..Disk::default()
    };
    let mut cuts = 0;
    for number in [1, 2] {
        let doom = Doom {
            call: number,
            acknowledged: 60,
            arrived: u64::MAX >> 1,
        };
        lives.live(doom, disk, &mut dice).await;
        cuts += u64::from(lives.power.cut_by().as_deref() == Some(call));
        lives.power.cut(&lives.data(), Loss::Whole, &mut dice);
    }
    let broken = lives.end().await.broken(true);
    assert!(broken.is_empty(), "{call}: {broken:#?}");
    cuts
}

/// What changes the disk, and what tells others of it, goes through the library.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_passes_the_library_by() {
    for call in [
        "pwrite64",
        "pwritev64",
        "fallocate64",
        "fdatasync",
        "fsync",
        "unlink",
        "writev",
    ] {
        assert_eq!(cut_at(call).await, 2, "{call}");
    }
}

/// One life on a disk that lies about files of this kind, cut once, and what was broken.
async fn lied_to(lie: &str) -> (Exit, BTreeSet<Breach>) {
    let mut dice = Dice::new(1);
    let mut lives = Lives::new().await;
    let doom = Doom {
        call: 0,
        acknowledged: 40,
        arrived: u64::MAX >> 1,
    };
    let disk = Disk {
        lie: Some(lie),
        ..Disk::default()
    };
    lives.live(doom, disk, &mut dice).await;
    lives.power.cut(&lives.data(), Loss::Whole, &mut dice);
    let exit = verify(&lives).await;
    let broken = lives.end().await.broken(true);
    (
        exit,
        broken.into_iter().map(|broken| broken.promise).collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_not_synced_loses_jobs() {
    let (_, broken) = lied_to("-wal").await;
    assert!(broken.contains(&Breach::Lost), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_not_synced_are_missed() {
    let (verified, broken) = lied_to(".body").await;
    assert_eq!(verified.code, Some(65), "{}", verified.stderr);
    let missed = [Breach::Failed, Breach::OtherAnswer];
    let missed = missed.iter().any(|breach| broken.contains(breach));
    assert!(missed, "{broken:?}");
}
