//! What the queue promises: the right jobs, in the order in which they are due, each to one taker
//! at a time; and that nothing is overdue unseen.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use std::time::Duration;

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};
use raincheck_core::time::Timestamp;

use super::make::{self, DEADLINE, RETENTION, at, id, route};
use super::{Bench, Engine};
use crate::{Lease, Overdue};

/// The end of most leases here.
const UNTIL: u64 = 1_000_000;

async fn lease(bench: &Bench<impl Engine>, name: &str, now: u64, limit: usize) -> Vec<JobId> {
    let name = route(name);
    let leases = bench.lease(name, at(now), limit, at(UNTIL)).await.unwrap();
    let job = |lease: &Lease| {
        assert_eq!(lease.until, at(UNTIL));
        lease.job
    };
    leases.iter().map(job).collect()
}

/// Runs one attempt of a job that is told to come back after `wait`.
async fn put_off(bench: &Bench<impl Engine>, job: &Job, now: u64, wait: u64) -> Job {
    let started = bench.becomes(job, Event::Start, at(now)).await;
    let event = make::settle(&started, make::busy(Duration::from_millis(wait)));
    bench.becomes(&started, event, at(now)).await
}

pub async fn those_due_longest_come_first(mut bench: Bench<impl Engine>) {
    for (number, due) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        bench.accept(number, "r", at(due)).await;
    }
    bench.pause().await;
    assert_eq!(lease(&bench, "r", 100, 3).await, [2, 3, 1].map(id));
    assert_eq!(lease(&bench, "r", 100, 3).await, [id(4)]);
    assert_eq!(lease(&bench, "r", 100, 3).await, []);
}

pub async fn nothing_comes_before_it_is_due(mut bench: Bench<impl Engine>) {
    bench.accept(1, "r", at(20)).await;
    bench.accept(2, "r", at(10)).await;
    bench.pause().await;
    assert_eq!(lease(&bench, "r", 9, 9).await, []);
    assert_eq!(lease(&bench, "r", 19, 9).await, [id(2)]);
    assert_eq!(lease(&bench, "r", 20, 9).await, [id(1)]);
}

pub async fn routes_have_queues_of_their_own(mut bench: Bench<impl Engine>) {
    bench.accept(1, "a", at(1)).await;
    bench.accept(2, "ab", at(1)).await;
    bench.pause().await;
    assert_eq!(lease(&bench, "a", 9, 9).await, [id(1)]);
    assert_eq!(lease(&bench, "b", 9, 9).await, []);
    assert_eq!(bench.waiting(&route("ab")), 1);
    assert_eq!(bench.waiting(&route("b")), 0);
    assert_eq!(bench.next_due(route("ab")).await, Ok(Some(at(1))));
    assert_eq!(bench.next_due(route("b")).await, Ok(None));
}

pub async fn a_job_has_one_lease_at_a_time(bench: Bench<impl Engine>) {
    bench.accept(1, "r", at(1)).await;
    assert_eq!(lease(&bench, "r", 9, 0).await, [], "no room, no lease");
    assert_eq!(lease(&bench, "r", 9, 9).await, [id(1)]);
    assert_eq!(lease(&bench, "r", 9, 9).await, []);
    assert!(!bench.lease_one(id(1), at(9), at(UNTIL)));
    bench.release(id(1));
    bench.release(id(1));
    assert!(bench.lease_one(id(1), at(9), at(UNTIL)));
    assert_eq!(lease(&bench, "r", 9, 9).await, []);
    bench.release(id(1));
    assert_eq!(lease(&bench, "r", 9, 9).await, [id(1)]);
}

pub async fn one_job_is_leased_whatever_its_due_time(bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(500)).await;
    assert!(bench.lease_one(id(1), at(9), at(UNTIL)));
    bench.release(id(1));
    bench.becomes(&job, Event::Start, at(9)).await;
    assert!(bench.lease_one(id(1), at(9), at(UNTIL)));
    assert!(!bench.lease_one(id(1), at(9), at(UNTIL)));
}

pub async fn a_lease_outlives_the_attempts_of_its_job(bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    assert_eq!(lease(&bench, "r", 9, 9).await, [id(1)]);
    put_off(&bench, &job, 10, 5).await;
    assert_eq!(lease(&bench, "r", 99, 9).await, [], "still held");
    bench.release(id(1));
    assert_eq!(lease(&bench, "r", 99, 9).await, [id(1)]);
}

pub async fn leased_jobs_do_not_hide_others(bench: Bench<impl Engine>) {
    for number in 0..100 {
        bench.accept(number, "r", at(u64::from(number))).await;
    }
    for number in 0..100 {
        let due = at(u64::from(number));
        assert_eq!(bench.next_due(route("r")).await, Ok(Some(due)));
        assert_eq!(lease(&bench, "r", 200, 1).await, [id(number)]);
    }
    assert_eq!(bench.next_due(route("r")).await, Ok(None));
    bench.release(id(40));
    assert_eq!(bench.next_due(route("r")).await, Ok(Some(at(40))));
    assert_eq!(lease(&bench, "r", 200, 9).await, [id(40)]);
}

pub async fn a_lease_runs_out(bench: Bench<impl Engine>) {
    bench.accept(1, "r", at(1)).await;
    assert!(bench.lease_one(id(1), at(9), at(100)));
    assert_eq!(bench.lapsed(at(100)), [], "it holds to its last moment");
    assert_eq!(bench.lapsed(at(101)), [id(1)]);
    assert_eq!(bench.lapsed(at(101)), [], "named once");
    assert!(!bench.renew(id(1), at(UNTIL)), "the work must stop");
    assert_eq!(lease(&bench, "r", 101, 9).await, [id(1)]);
}

pub async fn a_renewed_lease_holds_longer(bench: Bench<impl Engine>) {
    bench.accept(1, "r", at(1)).await;
    assert!(!bench.renew(id(1), at(100)), "there is none");
    assert!(bench.lease_one(id(1), at(9), at(100)));
    assert!(bench.renew(id(1), at(200)));
    assert_eq!(bench.lapsed(at(150)), []);
    assert_eq!(bench.lapsed(at(201)), [id(1)]);
    assert!(bench.lease_one(id(1), at(201), at(300)));
    bench.release(id(1));
    assert_eq!(bench.lapsed(at(999)), [], "given back in time");
}

pub async fn takers_at_once_share_the_queue(bench: Bench<impl Engine>) {
    for number in 0..60 {
        bench.accept(number, "r", at(1)).await;
    }
    let takers = (0..6).map(|_| {
        let store = bench.handle();
        tokio::spawn(async move { store.lease(route("r"), at(9), 10, at(UNTIL)).await })
    });
    let mut taken = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        taken.extend(taker.await.unwrap().unwrap().iter().map(|lease| lease.job));
    }
    taken.sort();
    let all: Vec<JobId> = (0..60).map(id).collect();
    assert_eq!(taken, all, "each once, none left");
}

pub async fn a_job_put_off_comes_when_it_is_due_again(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    bench.accept(2, "r", at(2)).await;
    put_off(&bench, &job, 10, 5000).await;
    bench.pause().await;
    assert_eq!(bench.waiting(&route("r")), 2);
    assert_eq!(bench.next_due(route("r")).await, Ok(Some(at(2))));
    assert_eq!(lease(&bench, "r", 10, 9).await, [id(2)]);
    let next = bench.next_due(route("r")).await.unwrap().unwrap();
    assert!(next >= at(5010), "as it was asked to wait");
    assert_eq!(lease(&bench, "r", next.as_millis() - 1, 9).await, []);
    assert_eq!(lease(&bench, "r", next.as_millis(), 9).await, [id(1)]);
}

pub async fn only_queued_jobs_wait(mut bench: Bench<impl Engine>) {
    let waiting = |bench: &Bench<_>| bench.waiting(&route("r"));
    let first = bench.accept(1, "r", at(1)).await;
    let second = bench.accept(2, "r", at(2)).await;
    assert_eq!(waiting(&bench), 2);
    assert_eq!(lease(&bench, "r", 9, 1).await, [id(1)]);
    assert_eq!(waiting(&bench), 2, "leased ones included");
    bench.becomes(&first, Event::Start, at(9)).await;
    assert_eq!(waiting(&bench), 1);
    let second = bench.becomes(&second, Event::Cancel, at(9)).await;
    assert_eq!(waiting(&bench), 0);
    bench.release(id(1));
    bench.pause().await;
    assert_eq!(waiting(&bench), 0);
    assert_eq!(lease(&bench, "r", 99, 9).await, []);
    assert_eq!(bench.next_due(route("r")).await, Ok(None));
    bench.becomes(&second, Event::Retry, at(20)).await;
    bench.pause().await;
    assert_eq!(waiting(&bench), 1);
    assert_eq!(lease(&bench, "r", 99, 9).await, [id(2)]);
}

async fn overdue(bench: &Bench<impl Engine>, now: Timestamp) -> Vec<Overdue> {
    bench.overdue(now, 99).await.unwrap()
}

pub async fn a_job_that_waits_past_its_deadline_is_overdue(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    bench.pause().await;
    let end = at(1).after(DEADLINE);
    assert_eq!(bench.next_overdue().await, Ok(Some(end)));
    assert_eq!(overdue(&bench, at(end.as_millis() - 1)).await, []);
    let expected = Overdue {
        job: id(1),
        revision: job.revision(),
        finished: false,
    };
    assert_eq!(overdue(&bench, end).await, [expected]);
    let expired = bench.becomes(&job, Event::Expire, end).await;
    assert_eq!(overdue(&bench, end).await, [], "its retention begins");
    bench.pause().await;
    assert_eq!(bench.next_overdue().await, Ok(expired.expires_at()));
}

pub async fn a_job_at_work_is_not_overdue(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    bench.becomes(&job, Event::Start, at(2)).await;
    bench.pause().await;
    assert_eq!(bench.next_overdue().await, Ok(None));
    assert_eq!(overdue(&bench, Timestamp::MAX).await, []);
}

pub async fn a_finished_job_is_overdue_after_its_retention(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    let started = bench.becomes(&job, Event::Start, at(2)).await;
    let event = make::settle(&started, make::hopeless());
    let failed = bench.becomes(&started, event, at(3)).await;
    bench.pause().await;
    let end = at(3).after(RETENTION);
    assert_eq!(bench.next_overdue().await, Ok(Some(end)));
    assert_eq!(overdue(&bench, at(end.as_millis() - 1)).await, []);
    let expected = Overdue {
        job: id(1),
        revision: failed.revision(),
        finished: true,
    };
    assert_eq!(overdue(&bench, end).await, [expected]);
    assert_eq!(bench.happen(id(1), Event::Expire, end).await, None);
    bench.pause().await;
    assert_eq!(bench.next_overdue().await, Ok(None));
    assert_eq!(overdue(&bench, Timestamp::MAX).await, []);
}

pub async fn a_second_run_is_not_overdue_with_the_first(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    let cancelled = bench.becomes(&job, Event::Cancel, at(2)).await;
    let again = bench.becomes(&cancelled, Event::Retry, at(3)).await;
    bench.pause().await;
    assert_eq!(bench.next_overdue().await, Ok(again.deadline()));
    assert_eq!(overdue(&bench, at(2).after(RETENTION)).await, []);
}

pub async fn overdue_jobs_come_in_portions(mut bench: Bench<impl Engine>) {
    for number in 0..30 {
        let job = bench.accept(number, "r", at(1)).await;
        if number % 2 == 0 {
            bench.becomes(&job, Event::Cancel, at(2)).await;
        }
    }
    bench.pause().await;
    let late = at(1).after(DEADLINE);
    let mut seen = Vec::new();
    loop {
        let portion = bench.overdue(late, 7).await.unwrap();
        assert!(portion.len() <= 7, "more jobs than asked for");
        for over in &portion {
            assert_eq!(over.finished, over.job.as_bytes()[15] % 2 == 0);
            seen.push(over.job);
            bench.happen(over.job, Event::Expire, late).await;
        }
        if portion.is_empty() {
            break;
        }
    }
    seen.sort();
    let all: Vec<JobId> = (0..30).map(id).collect();
    assert_eq!(seen, all, "each once, none left");
}
