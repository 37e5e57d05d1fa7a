//! What becomes of a repetition, in every state its job may be in.

use std::time::Duration;

use raincheck_core::job::diagram::specimens;
use raincheck_core::job::{Job, Status};
use raincheck_core::key::{Claim, ClaimedBy, Fingerprint, KeyDigest};
use raincheck_core::policy::dedup::{Decision, Found, decide};
use raincheck_core::route::{Duplicates, OnDuplicate};
use raincheck_core::time::Timestamp;

const WINDOW: Duration = Duration::from_secs(600);
const BOTH: [ClaimedBy; 2] = [ClaimedBy::Key, ClaimedBy::Fingerprint];

fn route() -> Duplicates {
    Duplicates {
        dedupe: Some(WINDOW),
        ..Duplicates::default()
    }
}

fn claim(by: ClaimedBy) -> Claim {
    Claim {
        digest: KeyDigest([1; 16]),
        fingerprint: Fingerprint([2; 16]),
        by,
    }
}

fn found(job: &Job) -> Option<Found<'_>> {
    Some(Found {
        fingerprint: Fingerprint([2; 16]),
        job,
    })
}

/// Right after the job's end, where it has one.
fn now(job: &Job) -> Timestamp {
    job.finished_at().unwrap_or(job.created_at())
}

#[test]
fn the_first_is_fresh() {
    for by in BOTH {
        let decision = decide(&route(), &claim(by), None, Timestamp::from_millis(1));
        assert_eq!(decision, Decision::Fresh { replaces: None });
    }
}

#[test]
fn another_request_under_the_key_is_a_mismatch_in_every_state() {
    for job in specimens() {
        let other = Found {
            fingerprint: Fingerprint([3; 16]),
            job: &job,
        };
        let decision = decide(&route(), &claim(ClaimedBy::Key), Some(other), now(&job));
        assert_eq!(decision, Decision::Mismatch);
    }
}

#[test]
fn a_repetition_in_every_state() {
    let jobs = specimens();
    for by in BOTH {
        for job in &jobs {
            let run_again = Decision::Fresh {
                replaces: Some(job.id()),
            };
            let harmless = job.executions() == 0 || job.terms().repeatable;
            let expected = match job.status() {
                Status::Queued | Status::Processing => Decision::Join,
                Status::Succeeded => Decision::Replay,
                _ if job.response().is_some() => Decision::Replay,
                Status::Cancelled if by == ClaimedBy::Fingerprint => run_again,
                Status::Failed | Status::Cancelled | Status::Expired if harmless => run_again,
                Status::Failed | Status::Cancelled | Status::Expired => Decision::Replay,
            };
            let decision = decide(&route(), &claim(by), found(job), now(job));
            assert_eq!(decision, expected, "{by:?}: {job:?}");
        }
    }
    let seen: std::collections::BTreeSet<_> = jobs.iter().map(Job::status).collect();
    assert_eq!(seen.len(), Status::ALL.len());
}

#[test]
fn a_route_may_refuse_repetitions_of_what_still_runs() {
    let route = Duplicates {
        on_unfinished: OnDuplicate::Conflict,
        ..route()
    };
    for by in BOTH {
        for job in specimens() {
            let decision = decide(&route, &claim(by), found(&job), now(&job));
            let conflict = decision == Decision::Conflict;
            assert_eq!(conflict, !job.status().is_finished(), "{job:?}");
        }
    }
}

/// A key is known as long as its job is stored; without one a route says for how long, from the
/// end of the job on, however long it took.
#[test]
fn without_a_key_repetitions_are_known_for_a_time() {
    for job in specimens() {
        let by_key = decide(
            &route(),
            &claim(ClaimedBy::Key),
            found(&job),
            now(&job).after(100 * WINDOW),
        );
        let at_once = decide(&route(), &claim(ClaimedBy::Key), found(&job), now(&job));
        assert_eq!(by_key, at_once, "{job:?}");
        let late = |after: Duration| {
            let at = now(&job).after(after);
            decide(&route(), &claim(ClaimedBy::Fingerprint), found(&job), at)
        };
        if job.status() == Status::Succeeded {
            assert_eq!(late(WINDOW - Duration::from_millis(1)), Decision::Replay);
        }
        let over = match job.status().is_finished() {
            true => Decision::Fresh {
                replaces: Some(job.id()),
            },
            false => Decision::Join,
        };
        assert_eq!(late(WINDOW), over, "{job:?}");
    }
}
