//! Keys: one winner of a race, written and forgotten with its job, and never another's.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, submit, submit_started};
use raincheck_core::key::{Fingerprint, KeyDigest};
use tokio::task::JoinSet;

use super::make::{self, RETENTION, at, id};
use super::{Bench, Engine};
use crate::{Change, Error, KeyEntry, NewKey, Put, Store};

/// Races of each test of races, and how many run side by side.
const RACES: u64 = 2_000;
const SIDE_BY_SIDE: u64 = 250;
/// Who takes part in each.
const RACERS: u64 = 4;

/// A key; its bytes are spread like those of a digest.
fn digest(number: u64) -> KeyDigest {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&spread);
    KeyDigest(bytes)
}

fn new_key(number: u64, replaces: Option<JobId>) -> NewKey {
    NewKey {
        digest: digest(number),
        fingerprint: fingerprint(number),
        replaces,
    }
}

fn fingerprint(number: u64) -> Fingerprint {
    Fingerprint([number.to_be_bytes()[7]; 16])
}

fn entry(job: JobId, number: u64) -> KeyEntry {
    KeyEntry {
        job,
        fingerprint: fingerprint(number),
    }
}

/// A new job under a key.
fn keyed(job: u8, key: NewKey) -> Change {
    let put = Put {
        key: Some(key),
        ..make::put(make::submitted(job, "r", at(5)))
    };
    Change::Put(Box::new(put))
}

pub async fn a_key_leads_to_its_job(mut bench: Bench<impl Engine>) {
    for number in 1..=3 {
        let key = new_key(number.into(), None);
        bench.commit(keyed(number, key)).await.unwrap();
    }
    bench.accept(4, "r", at(5)).await;
    for _ in 0..2 {
        for number in 1..=3 {
            let found = bench.key(digest(number.into())).await;
            assert_eq!(found, Ok(Some(entry(id(number), number.into()))));
        }
        assert_eq!(bench.key(digest(4)).await, Ok(None));
        bench.pause().await;
    }
}

pub async fn what_is_in_memory_is_what_is_stored(mut bench: Bench<impl Engine>) {
    bench.commit(keyed(1, new_key(1, None))).await.unwrap();
    for _ in 0..2 {
        let found = bench.key_in_memory(digest(1));
        assert!(found.is_none_or(|found| found == entry(id(1), 1)));
        bench.pause().await;
    }
    assert_eq!(bench.key_in_memory(digest(2)), None);
}

pub async fn a_key_that_is_taken_changes_nothing(mut bench: Bench<impl Engine>) {
    bench.commit(keyed(1, new_key(1, None))).await.unwrap();
    bench.pause().await;
    for replaces in [None, Some(id(2)), Some(id(9))] {
        let second = bench.commit(keyed(2, new_key(1, replaces))).await;
        assert_eq!(second, Err(Error::Taken(entry(id(1), 1))), "{replaces:?}");
    }
    bench.pause().await;
    assert_eq!(bench.job(id(2)).await, Ok(None));
    assert_eq!(bench.waiting(&make::route("r")), 1);
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(1), 1))));
}

pub async fn a_job_that_is_there_keeps_its_key(mut bench: Bench<impl Engine>) {
    bench.commit(keyed(1, new_key(1, None))).await.unwrap();
    bench.pause().await;
    let again = bench.commit(keyed(1, new_key(2, None))).await;
    assert_eq!(again, Err(Error::Exists(id(1))));
    assert_eq!(bench.key(digest(2)).await, Ok(None));
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(1), 1))));
}

pub async fn a_key_is_given_up_by_the_job_that_was_looked_at(mut bench: Bench<impl Engine>) {
    bench.commit(keyed(1, new_key(1, None))).await.unwrap();
    bench.happen(id(1), Event::Cancel, at(6)).await;
    bench.pause().await;
    let second = bench.commit(keyed(2, new_key(1, Some(id(1)))));
    second.await.unwrap();
    bench.pause().await;
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(2), 1))));
    // What the first job leads to is not its own any more.
    bench.happen(id(1), Event::Forget, at(7)).await;
    bench.pause().await;
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(2), 1))));
    let third = bench.commit(keyed(3, new_key(1, Some(id(1))))).await;
    assert_eq!(third, Err(Error::Taken(entry(id(2), 1))));
    bench.happen(id(2), Event::Cancel, at(8)).await;
    bench.happen(id(2), Event::Forget, at(9)).await;
    assert_eq!(bench.key(digest(1)).await, Ok(None));
}

/// It is there as long as the result, through all that happens to the job, and no longer.
pub async fn a_key_goes_with_its_job(mut bench: Bench<impl Engine>) {
    bench.commit(keyed(1, new_key(1, None))).await.unwrap();
    let now = at(6);
    for event in [Event::Start, Event::Cancel, Event::Retry, Event::Cancel] {
        bench.happen(id(1), event, now).await;
        bench.pause().await;
        assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(1), 1))));
    }
    let expiry = now.after(RETENTION);
    assert!(bench.happen(id(1), Event::Expire, expiry).await.is_none());
    assert_eq!(bench.key_in_memory(digest(1)), None);
    assert_eq!(bench.key(digest(1)).await, Ok(None));
    bench.pause().await;
    assert_eq!(bench.key(digest(1)).await, Ok(None));
    bench.commit(keyed(2, new_key(1, None))).await.unwrap();
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(2), 1))));
}

/// Thousands of races for a key: exactly one job each, and everybody else is told which.
pub async fn of_many_claims_at_once_one_wins(mut bench: Bench<impl Engine>) {
    let mut winners = Vec::new();
    for wave in (0..RACES).step_by(usize::try_from(SIDE_BY_SIDE).unwrap()) {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            for race in wave..wave + SIDE_BY_SIDE {
                let store = bench.handle();
                let job = racer_id(race, racer);
                racers.spawn(async move { (race, job, claim(&*store, race, job).await) });
            }
        }
        let mut won: Vec<Option<JobId>> = vec![None; usize::try_from(SIDE_BY_SIDE).unwrap()];
        let mut lost = Vec::new();
        while let Some(done) = racers.join_next().await {
            let (race, job, result) = done.unwrap();
            let winner = &mut won[usize::try_from(race - wave).unwrap()];
            match result {
                Ok(()) => assert_eq!(winner.replace(job), None, "two won race {race}"),
                Err(Error::Taken(entry)) => lost.push((race, job, entry.job)),
                Err(error) => panic!("{error}"),
            }
        }
        for (race, loser, told) in lost {
            let winner = won[usize::try_from(race - wave).unwrap()];
            assert_eq!(Some(told), winner, "race {race}");
            assert_eq!(bench.job(loser).await, Ok(None));
        }
        winners.extend(won);
    }
    bench.pause().await;
    assert_eq!(bench.waiting(&make::route("r")), RACES);
    for (race, winner) in (0..).zip(winners) {
        let found = bench.key(digest(race)).await.unwrap();
        assert_eq!(found.map(|found| found.job), winner, "race {race}");
    }
}

fn racer_id(race: u64, racer: u64) -> JobId {
    let bytes = (race * RACERS + racer).to_be_bytes();
    let mut random = [0; 10];
    random[2..].copy_from_slice(&bytes);
    JobId::from_parts(at(1_700_000_000_000), random)
}

async fn claim(store: &dyn Store, race: u64, job: JobId) -> Result<(), Error> {
    let submission = raincheck_core::job::Submission {
        id: job,
        ..make::submission(1, "r")
    };
    let put = Put {
        key: Some(new_key(race, None)),
        ..make::put(submit(submission, at(5)))
    };
    store.commit(Change::Put(Box::new(put))).await
}

/// A key of a job whose attempt has begun in the same commit is a key like any other.
pub async fn a_job_that_begins_at_once_has_its_key(mut bench: Bench<impl Engine>) {
    let put = Put {
        key: Some(new_key(1, None)),
        ..make::put(submit_started(make::submission(1, "r"), at(5)))
    };
    bench.commit(Change::Put(Box::new(put))).await.unwrap();
    bench.pause().await;
    assert_eq!(bench.key(digest(1)).await, Ok(Some(entry(id(1), 1))));
}
