//! Again, or not? When? And how long does a client wait before that is asked at all?

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, Submission, Terms, apply, submit};
use raincheck_core::outcome::{Cause, Failure, Outcome, ResponseSummary, Seen};
use raincheck_core::policy::retry::{Next, backoff, next};
use raincheck_core::route::{RetryOn, RetryPolicy};
use raincheck_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ALL: RetryOn = RetryOn {
    connect: true,
    timeout: true,
    server_error: true,
    too_many: true,
};
const NONE: RetryOn = RetryOn {
    connect: false,
    timeout: false,
    server_error: false,
    too_many: false,
};

fn policy(attempts: u32, on: RetryOn) -> RetryPolicy {
    RetryPolicy {
        attempts,
        on,
        ..RetryPolicy::default()
    }
}

/// A job at its first attempt, with ten minutes in all.
fn running(retry: RetryPolicy, repeatable: bool) -> Job {
    let submission = Submission {
        id: JobId::from_parts(NOW, [1; 10]),
        route: "r".parse().unwrap(),
        terms: Terms {
            retry,
            repeatable,
            retention: Duration::from_secs(60),
            deadline: Some(Duration::from_secs(600)),
        },
        callback: None,
    };
    let job = submit(submission, NOW).next.unwrap();
    apply(&job, &Event::Start, NOW).unwrap().next.unwrap()
}

fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
    Outcome::Answered {
        response: ResponseSummary {
            status,
            content_type: None,
            content_length: 0,
        },
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn failed(cause: Cause, seen: Seen) -> Outcome {
    Outcome::Failed(Failure {
        cause,
        seen,
        detail: String::new(),
    })
}

fn again(job: &Job, outcome: &Outcome) -> bool {
    matches!(next(job, outcome, 0, NOW), Next::Again { .. })
}

#[test]
fn an_answer_is_an_answer_unless_the_route_retries_it() {
    let job = running(policy(3, ALL), true);
    for status in [200, 204, 301, 400, 404, 409, 428, 430, 499, 600] {
        assert_eq!(next(&job, &answered(status, None), 0, NOW), Next::Answer);
    }
    for status in [429, 500, 502, 503, 504, 599] {
        assert!(again(&job, &answered(status, None)), "{status}");
    }
    let choosy = running(policy(3, NONE), true);
    for status in [429, 500, 503] {
        assert_eq!(next(&choosy, &answered(status, None), 0, NOW), Next::Answer);
    }
}

#[test]
fn each_kind_is_retried_by_its_own_word() {
    let only = |on| running(policy(3, on), true);
    let connect = only(RetryOn {
        connect: true,
        ..NONE
    });
    let timeout = only(RetryOn {
        timeout: true,
        ..NONE
    });
    let too_many = only(RetryOn {
        too_many: true,
        ..NONE
    });
    let server_error = only(RetryOn {
        server_error: true,
        ..NONE
    });
    for (outcome, wanted) in [
        (
            failed(Cause::Connect, Seen::Unreached),
            [true, false, false, false],
        ),
        (
            failed(Cause::Broken, Seen::Part),
            [true, false, false, false],
        ),
        (
            failed(Cause::Timeout, Seen::Unknown),
            [false, true, false, false],
        ),
        (answered(429, None), [false, false, true, false]),
        (answered(500, None), [false, false, false, true]),
        (failed(Cause::Storage, Seen::Unknown), [true; 4]),
        (failed(Cause::Drained, Seen::Unknown), [true; 4]),
        (failed(Cause::Deadline, Seen::Unknown), [false; 4]),
        (failed(Cause::TooLarge, Seen::Unknown), [false; 4]),
        (failed(Cause::Cancelled, Seen::Unknown), [false; 4]),
    ] {
        let found = [&connect, &timeout, &too_many, &server_error].map(|job| again(job, &outcome));
        assert_eq!(found, wanted, "{outcome:?}");
    }
}

#[test]
fn what_the_backend_may_have_seen_is_not_sent_again_unasked() {
    let job = running(policy(3, ALL), false);
    for cause in [
        Cause::Connect,
        Cause::Broken,
        Cause::Timeout,
        Cause::Storage,
        Cause::Drained,
    ] {
        for seen in [Seen::Unreached, Seen::Unsent] {
            assert!(again(&job, &failed(cause, seen)), "{cause:?}, {seen:?}");
        }
        for seen in [Seen::Part, Seen::All, Seen::Answering, Seen::Unknown] {
            let exhausted = next(&job, &failed(cause, seen), 0, NOW);
            assert_eq!(exhausted, Next::Exhausted, "{cause:?}, {seen:?}");
            let allowed = running(policy(3, ALL), true);
            assert!(again(&allowed, &failed(cause, seen)), "{cause:?}, {seen:?}");
        }
    }
    for status in [429, 500, 503] {
        assert_eq!(next(&job, &answered(status, None), 0, NOW), Next::Answer);
    }
}

#[test]
fn a_route_with_one_attempt_takes_every_answer() {
    let job = running(policy(1, ALL), true);
    assert_eq!(next(&job, &answered(503, None), 0, NOW), Next::Answer);
    let broken = failed(Cause::Connect, Seen::Unreached);
    assert_eq!(next(&job, &broken, 0, NOW), Next::Exhausted);
}

#[test]
fn attempts_run_out() {
    let mut job = running(policy(3, ALL), true);
    let event = |job: &Job| Event::Settle {
        token: job.token(),
        outcome: answered(503, None),
        jitter: 0,
    };
    for attempt in 1..3 {
        assert_eq!(job.attempt(), attempt);
        let waiting = apply(&job, &event(&job), NOW).unwrap().next.unwrap();
        job = apply(&waiting, &Event::Start, NOW).unwrap().next.unwrap();
    }
    assert_eq!(next(&job, &answered(503, None), 0, NOW), Next::Exhausted);
    assert_eq!(next(&job, &answered(200, None), 0, NOW), Next::Answer);
    let dead = apply(&job, &event(&job), NOW).unwrap().next.unwrap();
    assert_eq!(
        dead.response().unwrap().status,
        503,
        "the last answer is kept"
    );
    let detail = &dead.error().unwrap().detail;
    assert!(detail.contains("answered 503"), "{detail}");
}

#[test]
fn a_backend_that_asks_for_time_gets_it() {
    let job = running(policy(3, ALL), true);
    let at = |wait: u64| Next::Again {
        at: NOW.after(Duration::from_secs(wait)),
    };
    assert_eq!(next(&job, &answered(503, Some(7)), 0, NOW), at(7));
    assert_eq!(
        next(&job, &answered(429, Some(100)), 0, NOW),
        at(100),
        "over max_backoff"
    );
    let own = next(&job, &answered(503, Some(0)), u64::MAX, NOW);
    assert_eq!(own, at(1), "our own wait is kept where it is longer");
    let mut forever = job.fields().clone();
    forever.deadline = None;
    let forever = Job::restore(forever).unwrap();
    let bound = next(&forever, &answered(503, Some(u64::MAX)), 0, NOW);
    assert_eq!(bound, at(24 * 3600), "a backend cannot ask for years");
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let job = running(policy(3, ALL), true);
    let outcome = |wait| answered(503, Some(wait));
    assert!(again(&job, &outcome(599)));
    assert_eq!(next(&job, &outcome(600), 0, NOW), Next::Exhausted);
    let late = NOW.after(Duration::from_secs(600));
    assert_eq!(next(&job, &answered(503, None), 0, late), Next::Exhausted);
    assert_eq!(next(&job, &answered(200, None), 0, late), Next::Answer);
}

#[test]
fn waits_double_up_to_a_bound() {
    let policy = RetryPolicy {
        backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(10),
        ..RetryPolicy::default()
    };
    let longest = |attempt| backoff(&policy, attempt, u64::MAX).as_secs();
    assert_eq!([1, 2, 3, 4, 5, 6].map(longest), [1, 2, 4, 8, 10, 10]);
    assert_eq!([30, 31, 32, 33, 64, 1000, u32::MAX].map(longest), [10; 7]);
    assert_eq!(backoff(&policy, 9, 0), Duration::ZERO);
    let half = backoff(&policy, 1, u64::MAX / 2).as_millis();
    assert!((499..=501).contains(&half), "{half}");
}

proptest! {
    #[test]
    fn jitter_stays_within_the_wait(
        base in 0..100_000_u64, most in 0..100_000_u64, attempt in 1..100_u32, jitter: u64,
    ) {
        let policy = RetryPolicy {
            backoff: Duration::from_millis(base),
            max_backoff: Duration::from_millis(most),
            ..RetryPolicy::default()
        };
        let doubled = base.saturating_mul(1 << (attempt - 1).min(31));
        let wait = backoff(&policy, attempt, jitter);
        prop_assert!(wait <= Duration::from_millis(doubled.min(most)));
        prop_assert!(wait <= backoff(&policy, attempt, u64::MAX));
        prop_assert!(backoff(&policy, attempt, jitter / 2) <= wait, "more chance, more wait");
    }

    #[test]
    fn no_policy_makes_the_wait_panic(base: u64, most: u64, attempt: u32, jitter: u64) {
        let policy = RetryPolicy {
            backoff: Duration::from_secs(base),
            max_backoff: Duration::from_secs(most),
            ..RetryPolicy::default()
        };
        let wait = backoff(&policy, attempt, jitter);
        prop_assert!(wait <= policy.max_backoff);
        prop_assert!(NOW.after(wait) <= Timestamp::MAX);
    }
}
