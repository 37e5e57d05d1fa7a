//! `kill -9` again and again under load, at any call that writes, syncs or sends, or at any moment:
//! every acknowledged job is there afterwards, ends once, and has the answer to its own request, and
//! what is sent again under its key is not run again.
//!
//! `RAINCHECK_E2E_SEED` and `RAINCHECK_E2E_ROUNDS` choose other rounds; a failure names both.

use raincheck_e2e::dice::Dice;
use raincheck_e2e::lives::{Doom, Lives};
use raincheck_e2e::power::Disk;

/// Deaths of one data directory.
const DEATHS: u64 = 20;

fn rounds() -> u64 {
    let asked = std::env::var("RAINCHECK_E2E_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// In the first calls it starts and recovers; later ones belong to jobs.
fn doom(dice: &mut Dice) -> Doom {
    let mut doom = Doom {
        call: 0,
        acknowledged: dice.of(5..30),
        arrived: u64::MAX >> 1,
    };
    match dice.of(0..4) {
        0 => doom.arrived = dice.of(0..40),
        1 => doom.call = dice.of(1..60),
        2 => doom.call = dice.of(1..600),
        _ => {}
    }
    doom
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_job_survives() {
    let first = Dice::seed("RAINCHECK_E2E_SEED");
    let rounds = rounds();
    let (mut acknowledged, mut finished, mut repeated) = (0, 0, 0);
    let (mut followed, mut resumed, mut told) = (0, 0, 0);
    for (life, start) in (0..rounds).step_by(DEATHS as usize).enumerate() {
        let seed = first + life as u64;
        let deaths = DEATHS.min(rounds - start);
        println!(
            "seed {seed}, {deaths} deaths; again: RAINCHECK_E2E_SEED={seed} \
             RAINCHECK_E2E_ROUNDS={deaths} cargo xtask e2e --test crash_loop"
        );
        let mut dice = Dice::new(seed);
        let mut lives = Lives::new().await;
        for _ in 0..deaths {
            let doom = doom(&mut dice);
            lives.live(doom, Disk::default(), &mut dice).await;
        }
        acknowledged += lives.acknowledged();
        repeated += lives.repeated();
        resumed += lives.resumed();
        let history = lives.end().await;
        let broken = history.broken(true);
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
        finished += history.promises.len();
        followed += history.followed.len();
        told += history.told.len();
    }
    println!(
        "{rounds} deaths, {acknowledged} jobs acknowledged, {finished} checked, \
         {repeated} requests sent again under their keys, {followed} answers followed, \
         {resumed} of them from where a follower was, {told} messages about ends"
    );
    assert!(finished as u64 >= rounds, "too little was done");
    assert!(
        rounds < DEATHS || repeated >= rounds / 4,
        "too few came again"
    );
    let little = |count: u64| rounds >= DEATHS && count < rounds / 4;
    assert!(
        !little(resumed) && !little(told as u64),
        "too little was followed or told"
    );
}
