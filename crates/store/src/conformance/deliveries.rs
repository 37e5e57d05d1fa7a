//! What is still to be told: written with the end that it tells of, found by time and across lives.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use std::time::Duration;

use raincheck_core::callback::{Try, TryError, TryOutcome};
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, submit};
use raincheck_core::time::Timestamp;

use super::make::{self, RETENTION, at, callback, id};
use super::{Bench, Engine};
use crate::{Change, ToTell};

/// A job whose end is to be told, queued.
async fn accept(bench: &Bench<impl Engine>, number: u8, receiver: u64) -> Job {
    let mut submission = make::submission(number, "r");
    submission.callback = Some(callback(receiver));
    let put = make::put(submit(submission, at(5)));
    let job = put.job.clone();
    bench.commit(Change::Put(Box::new(put))).await.unwrap();
    job
}

fn tried(number: u32, outcome: TryOutcome, wait: Option<u64>) -> Event {
    let made = Try {
        at: at(50),
        took: Duration::new(1, 999_999_999),
        outcome,
    };
    Event::Tried {
        delivery: number,
        made,
        wait: wait.map(Duration::from_millis),
    }
}

async fn told(bench: &Bench<impl Engine>, now: u64) -> Vec<(u64, JobId, u64)> {
    let all = bench.to_tell(None, at(now), 99).await.unwrap();
    let flat = |own: ToTell| (own.at.as_millis(), own.job, own.receiver);
    all.into_iter().map(flat).collect()
}

async fn next(bench: &Bench<impl Engine>, now: u64) -> Option<u64> {
    let next = bench.next_to_tell(at(now)).await.unwrap();
    next.map(Timestamp::as_millis)
}

pub async fn an_end_is_to_be_told_from_the_commit_that_ends_the_job(mut bench: Bench<impl Engine>) {
    for (number, receiver) in [(1, 7), (2, u64::MAX), (3, 0)] {
        accept(&bench, number, receiver).await;
    }
    bench.accept(4, "r", at(5)).await;
    assert_eq!(told(&bench, 1000).await, []);
    for (number, now) in [(1, 30), (2, 10), (3, 20), (4, 15)] {
        bench.happen(id(number), Event::Cancel, at(now)).await;
    }
    bench.pause().await;
    let all = [(10, id(2), u64::MAX), (20, id(3), 0), (30, id(1), 7)];
    assert_eq!(told(&bench, 1000).await, all);
    assert_eq!(told(&bench, 20).await, all[..2]);
    assert_eq!(told(&bench, 9).await, []);
    let times = [
        next(&bench, 0).await,
        next(&bench, 10).await,
        next(&bench, 30).await,
    ];
    assert_eq!(times, [Some(10), Some(20), None]);
}

pub async fn a_walk_meets_each_once(mut bench: Bench<impl Engine>) {
    for number in 1..=9 {
        accept(&bench, number, 1).await;
        // Three at each time: the order of jobs decides.
        let now = at(100 + u64::from(number % 3));
        bench.happen(id(number), Event::Cancel, now).await;
    }
    bench.pause().await;
    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let page = bench.to_tell(after, at(200), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.job));
        walked.extend(page);
    }
    let order = [3, 6, 9, 1, 4, 7, 2, 5, 8].map(id);
    let jobs: Vec<JobId> = walked.iter().map(|own| own.job).collect();
    assert_eq!(jobs, order);
}

pub async fn what_came_of_it_is_read_back_whole(mut bench: Bench<impl Engine>) {
    let job = accept(&bench, 1, 7).await;
    bench.becomes(&job, Event::Cancel, at(10)).await;
    let mut outcomes = vec![TryOutcome::Answered(0), TryOutcome::Answered(u16::MAX)];
    outcomes.extend(TryError::ALL.map(TryOutcome::Failed));
    let mut now = 100;
    for outcome in outcomes {
        let event = tried(1, outcome, Some(50));
        let next = bench.becomes(&job, event, at(now)).await;
        now += 50;
        bench.pause().await;
        assert_eq!(bench.job(id(1)).await, Ok(Some(next)));
        assert_eq!(told(&bench, now).await, [(now, id(1), 7)]);
        assert_eq!(told(&bench, now - 1).await, []);
    }
    for (event, ends) in [
        (tried(1, TryOutcome::Answered(200), None), true),
        (Event::Redeliver { delivery: 1 }, false),
        (tried(1, TryOutcome::Answered(410), None), true),
        (Event::Redeliver { delivery: 1 }, false),
        (tried(1, TryOutcome::Answered(500), None), true),
        (Event::Redeliver { delivery: 1 }, false),
        (Event::Retry, true),
    ] {
        now += 1;
        let next = bench.becomes(&job, event, at(now)).await;
        bench.pause().await;
        assert_eq!(bench.job(id(1)).await, Ok(Some(next)));
        assert_eq!(told(&bench, 9999).await.is_empty(), ends);
    }
    let second = bench.becomes(&job, Event::Cancel, at(now + 1)).await;
    assert_eq!(second.callback().unwrap().deliveries.len(), 2);
    bench.happen(id(1), Event::Forget, at(now + 2)).await;
    bench.pause().await;
    assert_eq!(told(&bench, 9999).await, []);
    assert_eq!(next(&bench, 0).await, None);
}

pub async fn a_job_is_not_overdue_while_its_end_is_to_be_told(mut bench: Bench<impl Engine>) {
    let job = accept(&bench, 1, 7).await;
    bench.becomes(&job, Event::Cancel, at(10)).await;
    bench.pause().await;
    assert_eq!(bench.overdue(Timestamp::MAX, 9).await, Ok(vec![]));
    assert_eq!(bench.next_overdue().await, Ok(None));
    let answered = tried(1, TryOutcome::Answered(204), None);
    bench.becomes(&job, answered, at(20)).await;
    bench.pause().await;
    let over = bench.overdue(at(10).after(RETENTION), 9).await.unwrap();
    assert_eq!(over.len(), 1);
    assert_eq!(
        bench.next_overdue().await,
        Ok(Some(at(10).after(RETENTION)))
    );
}
