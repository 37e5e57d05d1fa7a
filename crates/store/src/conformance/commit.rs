//! What a commit promises: all or nothing, never over a change that was not seen, and never on
//! behalf of an attempt that is over.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::id::{FencingToken, Revision};
use raincheck_core::job::{Event, Fields, Job, Status, diagram};
use raincheck_core::limits::{BODY_INLINE_BYTES, DETAIL_BYTES};
use raincheck_core::time::Timestamp;
use tokio::task::JoinSet;

use super::make::{self, at, id};
use super::{Bench, Engine};
use crate::{Body, Change, Error, Put};

fn boxed(put: Put) -> Change {
    Change::Put(Box::new(put))
}

/// A job as if it had just been accepted.
fn as_new(job: Job) -> Put {
    Put {
        job,
        from: None,
        fence: None,
        request: None,
        key: None,
        response: None,
        drops_response: false,
    }
}

pub async fn a_new_job_is_read_back_whole(mut bench: Bench<impl Engine>) {
    let request = make::request(Body::Inline(make::bytes(100)));
    let job = bench.accept_with(1, "r", at(5), request.clone()).await;
    bench.pause().await;
    assert_eq!(bench.job(job.id()).await, Ok(Some(job.clone())));
    let stored = bench.request(job.id()).await.unwrap().unwrap();
    assert_eq!(*stored, request);
    let names = |fields: &http::HeaderMap| {
        let name = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.clone(), value.as_bytes().to_vec())
        };
        fields.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&stored.head.headers), names(&request.head.headers));
    assert_eq!(bench.response(job.id()).await, Ok(None));
    assert_eq!(bench.job(id(2)).await, Ok(None));
    assert_eq!(bench.request(id(2)).await, Ok(None));
}

pub async fn every_kind_of_job_is_read_back(mut bench: Bench<impl Engine>) {
    let mut jobs: Vec<Job> = Vec::new();
    for specimen in diagram::specimens() {
        let alike = |job: &&Job| {
            job.status() == specimen.status()
                && job.attempt() == specimen.attempt()
                && job.error().map(|error| error.code) == specimen.error().map(|error| error.code)
                && job.response() == specimen.response()
        };
        if jobs.len() < 200 && !jobs.iter().any(|job| alike(&job)) {
            let mut fields = specimen.fields().clone();
            fields.id = id(u8::try_from(jobs.len()).unwrap());
            jobs.push(Job::restore(fields).unwrap());
        }
    }
    assert!(jobs.len() > 10, "specimens of many kinds");
    for job in &jobs {
        bench.commit(boxed(as_new(job.clone()))).await.unwrap();
    }
    bench.pause().await;
    for job in jobs {
        assert_eq!(bench.job(job.id()).await, Ok(Some(job)));
    }
}

pub async fn extreme_values_are_read_back(mut bench: Bench<impl Engine>) {
    let century = Duration::from_millis(3_155_760_000_001);
    let mut fields: Fields = make::submitted(1, "r", at(1))
        .next
        .unwrap()
        .fields()
        .clone();
    fields.route = make::route(&"n".repeat(64));
    fields.revision = Revision(u64::MAX >> 1);
    fields.token = FencingToken(u64::MAX >> 1);
    fields.attempt = u32::MAX - 1;
    fields.attempts_max = u32::MAX;
    fields.executions = u32::MAX;
    fields.due_at = Some(Timestamp::MAX);
    fields.created_at = at(0);
    fields.started_at = Some(Timestamp::MAX);
    fields.deadline = None;
    fields.terms.retention = century;
    fields.terms.repeatable = false;
    fields.terms.retry.attempts = u32::MAX;
    fields.terms.retry.backoff = Duration::ZERO;
    fields.terms.retry.max_backoff = century;
    fields.terms.retry.repeat_unsafe = true;
    fields.terms.retry.on.timeout = false;
    fields.terms.retry.on.too_many = false;
    let waiting = Job::restore(fields.clone()).unwrap();
    fields.id = id(2);
    fields.status = Status::Failed;
    fields.due_at = None;
    fields.finished_at = Some(at(3));
    fields.expires_at = Some(Timestamp::MAX);
    fields.error = Some(raincheck_core::job::JobError {
        code: raincheck_core::problem::ProblemCode::InvalidParameter,
        detail: "é".repeat(DETAIL_BYTES / 2),
    });
    let failed = Job::restore(fields).unwrap();
    for job in [&waiting, &failed] {
        bench.commit(boxed(as_new(job.clone()))).await.unwrap();
    }
    bench.pause().await;
    for job in [waiting, failed] {
        assert_eq!(bench.job(job.id()).await, Ok(Some(job)));
    }
}

pub async fn a_change_replaces_the_job(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    bench.pause().await;
    let started = bench.becomes(&job, Event::Start, at(6)).await;
    assert_eq!(started.status(), Status::Processing);
    bench.pause().await;
    assert_eq!(bench.job(job.id()).await, Ok(Some(started)));
    assert!(bench.request(job.id()).await.unwrap().is_some(), "it stays");
}

pub async fn an_id_is_taken_once(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    bench.pause().await;
    let mut again = make::put(make::submitted(1, "other", at(9)));
    again.request = Some(Arc::new(make::request(Body::EMPTY)));
    assert_eq!(bench.commit(boxed(again)).await, Err(Error::Exists(id(1))));
    bench.pause().await;
    assert_eq!(bench.job(id(1)).await, Ok(Some(job)));
    let request = bench.request(id(1)).await.unwrap().unwrap();
    assert!(!request.body.is_empty(), "the first request stays");
}

pub async fn a_stale_revision_is_refused(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let stale = raincheck_core::job::apply(&job, &Event::Cancel, at(6)).unwrap();
    let started = bench.becomes(&job, Event::Start, at(6)).await;
    bench.pause().await;
    let conflict = Err(Error::Conflict {
        job: id(1),
        expected: job.revision(),
        found: Some(started.revision()),
    });
    assert_eq!(bench.commit(boxed(make::put(stale))).await, conflict);
    let delete = Change::Delete {
        job: id(1),
        from: job.revision(),
    };
    assert_eq!(bench.commit(delete).await, conflict);
    bench.pause().await;
    assert_eq!(bench.job(id(1)).await, Ok(Some(started)));
}

pub async fn a_change_of_no_job_is_refused(bench: Bench<impl Engine>) {
    let job = make::submitted(1, "r", at(5)).next.unwrap();
    let change = raincheck_core::job::apply(&job, &Event::Start, at(6)).unwrap();
    let conflict = Err(Error::Conflict {
        job: id(1),
        expected: job.revision(),
        found: None,
    });
    let mut fenced = make::put(change.clone());
    fenced.fence = Some(FencingToken(1));
    assert_eq!(bench.commit(boxed(make::put(change))).await, conflict);
    assert_eq!(bench.commit(boxed(fenced)).await, conflict);
    let delete = Change::Delete {
        job: id(1),
        from: job.revision(),
    };
    assert_eq!(bench.commit(delete).await, conflict);
    assert_eq!(bench.job(id(1)).await, Ok(None));
}

pub async fn an_older_attempt_is_fenced(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let first = bench.becomes(&job, Event::Start, at(6)).await;
    let answer = make::settle(&first, make::answered(200, 0));
    let late = raincheck_core::job::apply(&first, &answer, at(9)).unwrap();
    let token = first.token();
    bench.becomes(&first, Event::Rescue { token }, at(7)).await;
    let second = bench.becomes(&first, Event::Start, at(8)).await;
    bench.pause().await;
    let mut put = make::put(late);
    put.fence = Some(first.token());
    put.response = Some(Arc::new(make::response(1, Body::EMPTY)));
    let fenced = Err(Error::Fenced(id(1)));
    assert_eq!(bench.commit(boxed(put)).await, fenced, "told so");

    let own = make::settle(&second, make::answered(200, 0));
    let mut put = make::put(raincheck_core::job::apply(&second, &own, at(9)).unwrap());
    put.fence = Some(first.token());
    let forged = bench.commit(boxed(put.clone())).await;
    assert_eq!(forged, fenced, "a fresh revision does not help");
    assert_eq!(bench.response(id(1)).await, Ok(None));
    bench.pause().await;
    put.fence = Some(second.token());
    bench.commit(boxed(put)).await.unwrap();
}

pub async fn a_refused_change_changes_nothing(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let cancelled = raincheck_core::job::apply(&job, &Event::Cancel, at(6)).unwrap();
    let started = bench.becomes(&job, Event::Start, at(6)).await;
    bench.pause().await;
    let mut put = make::put(cancelled);
    put.response = Some(Arc::new(make::response(1, Body::EMPTY)));
    put.drops_response = true;
    bench.commit(boxed(put)).await.unwrap_err();
    bench.pause().await;
    assert_eq!(bench.response(id(1)).await, Ok(None));
    assert_eq!(bench.job(id(1)).await, Ok(Some(started)));
    assert_eq!(bench.next_overdue().await, Ok(None), "it is not finished");
    let counts = [(make::route("r"), Status::Processing, 1)];
    assert_eq!(super::jobs::counts(&bench), counts);
}

/// A job with its first answer, over the retried status it was given.
async fn settled(bench: &Bench<impl Engine>, job: &Job, status: u16, body: Body) -> Job {
    let started = bench.becomes(job, Event::Start, at(6)).await;
    let event = make::settle(&started, make::answered(status, body.len()));
    let mut put = make::put(raincheck_core::job::apply(&started, &event, at(7)).unwrap());
    put.fence = Some(started.token());
    put.response = Some(Arc::new(make::response(started.attempt(), body)));
    let job = put.job.clone();
    bench.commit(boxed(put)).await.unwrap();
    job
}

pub async fn a_response_is_read_back_whole(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let body = Body::Inline(make::bytes(9));
    let job = settled(&bench, &job, 404, body.clone()).await;
    bench.pause().await;
    let response = bench.response(id(1)).await.unwrap().unwrap();
    assert_eq!(*response, make::response(1, body));
    assert_eq!(bench.job(id(1)).await, Ok(Some(job)));
    assert!(bench.request(id(1)).await.unwrap().is_some(), "it stays");
}

pub async fn a_response_is_replaced(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let first = bench.body(BODY_INLINE_BYTES + 1).await;
    settled(&bench, &job, 503, first.clone()).await;
    bench.pause().await;
    let response = bench.response(id(1)).await.unwrap().unwrap();
    assert_eq!((response.attempt, &response.body), (1, &first));
    assert_eq!(
        bench.bytes_of(&first).await,
        make::bytes(BODY_INLINE_BYTES + 1)
    );
    let second = bench.body(BODY_INLINE_BYTES + 2).await;
    settled(&bench, &job, 200, second.clone()).await;
    bench.pause().await;
    let response = bench.response(id(1)).await.unwrap().unwrap();
    assert_eq!((response.attempt, &response.body), (2, &second));
    assert_eq!(
        bench.bytes_of(&second).await,
        make::bytes(BODY_INLINE_BYTES + 2)
    );
    assert!(bench.open(&first).await.is_err(), "the old body is deleted");
}

pub async fn a_response_is_dropped(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let body = bench.body(BODY_INLINE_BYTES + 1).await;
    let mut job = settled(&bench, &job, 503, body.clone()).await;
    while !job.status().is_finished() {
        let body = bench.body(BODY_INLINE_BYTES + 1).await;
        job = settled(&bench, &job, 503, body).await;
    }
    bench.pause().await;
    let response = bench.response(id(1)).await.unwrap().unwrap();
    bench.becomes(&job, Event::Retry, at(8)).await;
    bench.pause().await;
    assert_eq!(bench.response(id(1)).await, Ok(None));
    assert!(bench.open(&response.body).await.is_err(), "it is deleted");
    assert!(bench.request(id(1)).await.unwrap().is_some(), "it stays");
}

pub async fn a_job_is_forgotten(mut bench: Bench<impl Engine>) {
    let request = make::request(bench.body(BODY_INLINE_BYTES + 1).await);
    let job = bench.accept_with(1, "r", at(5), request.clone()).await;
    let other = bench.accept(2, "r", at(5)).await;
    let answer = bench.body(BODY_INLINE_BYTES + 1).await;
    let job = settled(&bench, &job, 200, answer.clone()).await;
    bench.pause().await;
    assert_eq!(bench.happen(job.id(), Event::Forget, at(8)).await, None);
    bench.pause().await;
    assert_eq!(bench.job(id(1)).await, Ok(None));
    assert_eq!(bench.request(id(1)).await, Ok(None));
    assert_eq!(bench.response(id(1)).await, Ok(None));
    assert!(bench.open(&request.body).await.is_err(), "it is deleted");
    assert!(bench.open(&answer).await.is_err(), "it is deleted");
    assert_eq!(bench.job(id(2)).await, Ok(Some(other)), "others stay");
}

pub async fn of_two_changes_at_once_one_wins(mut bench: Bench<impl Engine>) {
    let job = bench.accept(1, "r", at(5)).await;
    let change = |event| {
        let transition = raincheck_core::job::apply(&job, &event, at(6)).unwrap();
        boxed(make::put(transition))
    };
    let (start, cancel) = tokio::join!(
        bench.commit(change(Event::Start)),
        bench.commit(change(Event::Cancel)),
    );
    let status = match (start, cancel) {
        (Ok(()), Err(Error::Conflict { .. })) => Status::Processing,
        (Err(Error::Conflict { .. }), Ok(())) => Status::Cancelled,
        other => panic!("exactly one must win: {other:?}"),
    };
    bench.pause().await;
    let stored = bench.job(id(1)).await.unwrap().unwrap();
    assert_eq!((stored.status(), stored.revision()), (status, Revision(2)));
}

pub async fn many_changes_at_once_all_stand(mut bench: Bench<impl Engine>) {
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let store = bench.handle();
        tasks.spawn(async move {
            let put = make::put(make::submitted(number, "r", at(5)));
            store.commit(boxed(put)).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    bench.pause().await;
    assert_eq!(bench.waiting(&make::route("r")), 200);
    for number in 0..200 {
        assert!(bench.job(id(number)).await.unwrap().is_some());
    }
}
