//! What ends with a store and what does not: leases and bodies without a job do, and jobs that were
//! at work are named to whoever opens it next.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Status};

use super::make::{self, at, id, route};
use super::{Bench, Engine};
use crate::{Body, Change, Error, Filter};

pub async fn an_empty_store_is_opened_again(mut bench: Bench<impl Engine>) {
    bench.reopen().await;
    assert_eq!(bench.list(Filter::default()).await.unwrap().jobs, []);
    assert_eq!(bench.orphans(9).await, Ok(Vec::new()));
    assert_eq!(bench.next_overdue().await, Ok(None));
    assert_eq!(bench.fault(), None);
}

pub async fn a_store_is_opened_many_times(mut bench: Bench<impl Engine>) {
    for number in 0..5 {
        bench.accept(number, "r", at(u64::from(number))).await;
        bench.reopen().await;
        assert_eq!(bench.waiting(&route("r")), u64::from(number) + 1);
    }
}

pub async fn leases_end(mut bench: Bench<impl Engine>) {
    bench.accept(1, "r", at(1)).await;
    assert!(bench.lease_one(id(1), at(1), at(100)));
    bench.reopen().await;
    assert!(!bench.renew(id(1), at(200)));
    assert_eq!(bench.lapsed(at(999)), []);
    let leases = bench.lease(route("r"), at(2), 9, at(100)).await.unwrap();
    assert_eq!(leases.len(), 1);
}

async fn orphans(bench: &Bench<impl Engine>) -> Vec<JobId> {
    let mut orphans = bench.orphans(99).await.unwrap();
    orphans.sort();
    orphans.into_iter().map(|(job, _)| job).collect()
}

pub async fn jobs_at_work_are_orphans(mut bench: Bench<impl Engine>) {
    let mut at_work = Vec::new();
    for number in 1..=4 {
        let job = bench.accept(number, "r", at(1)).await;
        if number > 1 {
            at_work.push(bench.becomes(&job, Event::Start, at(2)).await);
        }
    }
    assert_eq!(orphans(&bench).await, [], "they are at work here");
    bench.reopen().await;
    assert_eq!(orphans(&bench).await, [2, 3, 4].map(id));
    assert_eq!(bench.orphans(2).await.unwrap().len(), 2);
    let (job, token) = bench.orphans(1).await.unwrap()[0];
    let stored = bench.job(job).await.unwrap().unwrap();
    assert_eq!(token, stored.token());

    let late = bench.accept(5, "r", at(3)).await;
    bench.becomes(&late, Event::Start, at(4)).await;
    assert_eq!(
        orphans(&bench).await,
        [2, 3, 4].map(id),
        "5 is at work here"
    );
    for job in at_work {
        let token = job.token();
        bench.becomes(&job, Event::Rescue { token }, at(5)).await;
    }
    assert_eq!(orphans(&bench).await, [], "all have changed since");
    let again = bench.job(id(2)).await.unwrap().unwrap();
    bench.becomes(&again, Event::Start, at(6)).await;
    assert_eq!(orphans(&bench).await, [], "2 is at work here");
    bench.reopen().await;
    assert_eq!(orphans(&bench).await, [2, 5].map(id));
}

pub async fn bodies_without_a_job_are_gone(mut bench: Bench<impl Engine>) {
    let kept = bench.body(200_000).await;
    let request = make::request(kept.clone());
    bench.accept_with(1, "r", at(1), request).await;
    let finished = bench.body(200_000).await;
    let mut writer = bench.create();
    writer.append(make::bytes(200_000)).await.unwrap();
    let sealed = writer.seal().await.unwrap();
    let persisted = sealed.persist().await.unwrap();
    drop(sealed);
    let mut unfinished = bench.create();
    unfinished.append(make::bytes(200_000)).await.unwrap();
    drop(unfinished);
    bench.reopen().await;
    for body in [finished, persisted] {
        assert!(bench.open(&body).await.is_err());
    }
    assert_eq!(bench.bytes_of(&kept).await, make::bytes(200_000));
}

pub async fn a_new_body_does_not_take_the_place_of_an_old_one(mut bench: Bench<impl Engine>) {
    let mut bodies: Vec<Body> = Vec::new();
    for number in 0..4 {
        let body = bench.body(100_000 + usize::from(number)).await;
        assert!(!bodies.contains(&body));
        let request = make::request(body.clone());
        bench.accept_with(number, "r", at(1), request).await;
        bodies.push(body);
        bench.reopen().await;
    }
    for (number, body) in bodies.iter().enumerate() {
        assert_eq!(bench.bytes_of(body).await, make::bytes(100_000 + number));
    }
}

pub async fn what_was_handed_over_before_the_end_is_kept(mut bench: Bench<impl Engine>) {
    let commits = (0..50).map(|number| {
        let store = bench.handle();
        let put = make::put(make::submitted(number, "r", at(1)));
        tokio::spawn(async move { store.commit(Change::Put(Box::new(put))).await })
    });
    let commits: Vec<_> = commits.collect();
    tokio::task::yield_now().await;
    bench.close().await.unwrap();
    let mut kept = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(()) => kept += 1,
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("a commit at the end: {other}"),
        }
    }
    bench.open_anew().await;
    assert_eq!(bench.waiting(&route("r")), kept, "what was acknowledged");
}

pub async fn a_closed_store_takes_no_calls(bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    let mut writer = bench.create();
    bench.close().await.unwrap();
    let change = make::put(make::submitted(2, "r", at(1)));
    let commit = bench.commit(Change::Put(Box::new(change))).await;
    assert!(matches!(commit, Err(Error::Unavailable(_))), "{commit:?}");
    let read = bench.job(job.id()).await;
    assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    let leased = bench.lease(route("r"), at(2), 9, at(100)).await;
    assert!(matches!(leased, Err(Error::Unavailable(_))), "{leased:?}");
    let listed = bench.list(Filter::default()).await;
    assert!(matches!(listed, Err(Error::Unavailable(_))), "{listed:?}");
    let large = make::bytes(200_000);
    let written = match writer.append(large).await {
        Ok(()) => writer.finish().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
}

pub async fn a_store_is_closed_twice(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(1)).await;
    bench.close().await.unwrap();
    _ = bench.close().await;
    bench.open_anew().await;
    let stored = bench.job(job.id()).await.unwrap().unwrap();
    assert_eq!(stored.status(), Status::Queued);
}
