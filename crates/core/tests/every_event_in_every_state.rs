//! Every event in every state, none sampled: what must become of the job, restated here as tables
//! without a wildcard, against what the core does.

use raincheck_core::id::FencingToken;
use raincheck_core::job::{Action, Event, Job, Refused, Status, Transition, apply, diagram};
use raincheck_core::limits::RESCUES;
use raincheck_core::outcome::{Cause, Failure, Outcome, Seen};
use raincheck_core::problem::ProblemCode as Code;
use raincheck_core::time::Timestamp;

/// What must become of a job.
#[derive(Debug, PartialEq, Eq)]
enum Becomes {
    Refused,
    Fenced,
    NotYet,
    NoDelivery,
    Queued,
    Processing,
    Succeeded,
    Failed(Code),
    Cancelled,
    Expired,
    Forgotten,
}

const EARLY: Timestamp = Timestamp::from_millis(2000);
const LATE: Timestamp = Timestamp::from_millis(1 << 40);
const TIMES: [Timestamp; 3] = [EARLY, LATE, Timestamp::MAX];

fn all_tokens(job: &Job) -> [FencingToken; 3] {
    let own = job.token();
    [FencingToken(own.0.wrapping_sub(1)), own, own.next()]
}

/// Calls `check` with every job, event and time.
fn everything(mut check: impl FnMut(&Job, &Event, Timestamp)) {
    let mut pairs = 0;
    for job in diagram::specimens() {
        for event in all_tokens(&job).into_iter().flat_map(diagram::events_of) {
            for now in TIMES {
                check(&job, &event, now);
                pairs += 1;
            }
        }
    }
    assert!(pairs > 100_000, "only {pairs} cases");
}

fn expected(job: &Job, event: &Event, now: Timestamp) -> Becomes {
    match event {
        Event::Start => queued_only(job, Becomes::Processing),
        Event::Settle { token, outcome, .. } => running(job, *token, settled(job, outcome, now)),
        Event::Cancel => match job.status() {
            Status::Queued | Status::Processing => Becomes::Cancelled,
            Status::Succeeded | Status::Failed | Status::Cancelled | Status::Expired => {
                Becomes::Refused
            }
        },
        Event::Retry => match job.status() {
            Status::Failed | Status::Cancelled | Status::Expired => Becomes::Queued,
            Status::Queued | Status::Processing | Status::Succeeded => Becomes::Refused,
        },
        Event::Rescue { token } => running(job, *token, rescued(job)),
        Event::HandBack { token, seen } => running(job, *token, handed_back(job, *seen)),
        Event::Expire => expired(job, now),
        Event::Forget => match job.status() {
            Status::Queued | Status::Processing => Becomes::Refused,
            Status::Succeeded | Status::Failed | Status::Cancelled | Status::Expired => {
                Becomes::Forgotten
            }
        },
        Event::Damaged { token, .. } => running(job, *token, Becomes::Failed(Code::StorageDamaged)),
        Event::AnswerDamaged { token, .. } => answer_damaged(job, *token),
        Event::RouteGone => queued_only(job, Becomes::Failed(Code::RouteGone)),
        // These specimens have nobody to tell; tests/deliveries.rs is about those that have.
        Event::Tried { .. } | Event::Redeliver { .. } => Becomes::NoDelivery,
    }
}

fn queued_only(job: &Job, becomes: Becomes) -> Becomes {
    match job.status() {
        Status::Queued => becomes,
        Status::Processing
        | Status::Succeeded
        | Status::Failed
        | Status::Cancelled
        | Status::Expired => Becomes::Refused,
    }
}

fn answer_damaged(job: &Job, token: FencingToken) -> Becomes {
    match job.status() {
        Status::Queued | Status::Processing | Status::Cancelled | Status::Expired => {
            Becomes::Refused
        }
        Status::Succeeded | Status::Failed if job.response().is_none() => Becomes::Refused,
        Status::Succeeded | Status::Failed if token == job.token() => {
            Becomes::Failed(Code::StorageDamaged)
        }
        Status::Succeeded | Status::Failed => Becomes::Fenced,
    }
}

fn running(job: &Job, token: FencingToken, becomes: Becomes) -> Becomes {
    match job.status() {
        Status::Processing if token == job.token() => becomes,
        Status::Processing => Becomes::Fenced,
        Status::Queued
        | Status::Succeeded
        | Status::Failed
        | Status::Cancelled
        | Status::Expired => Becomes::Refused,
    }
}

fn settled(job: &Job, outcome: &Outcome, now: Timestamp) -> Becomes {
    match outcome {
        Outcome::Answered { response, .. } => match response.status {
            200 => Becomes::Succeeded,
            503 if !job.terms().repeatable => Becomes::Succeeded,
            503 if job.terms().retry.attempts == 1 => Becomes::Succeeded,
            503 => again_or(job, now, Code::RetriesExhausted),
            other => panic!("no specimen is answered {other}"),
        },
        Outcome::Failed(Failure { cause, seen, .. }) => failed(job, *cause, *seen, now),
    }
}

fn failed(job: &Job, cause: Cause, seen: Seen, now: Timestamp) -> Becomes {
    let (code, retried) = match cause {
        Cause::Connect => (Code::UpstreamUnreachable, true),
        Cause::NoUpstream => (Code::NoUpstream, true),
        Cause::Busy => (Code::Overloaded, true),
        Cause::Broken => (Code::UpstreamBroken, true),
        Cause::Timeout => (Code::UpstreamTimeout, true),
        Cause::Deadline => (Code::DeadlineExceeded, false),
        Cause::TooLarge => (Code::ResponseTooLarge, false),
        Cause::Storage => (Code::StoreUnavailable, true),
        Cause::Damaged => (Code::StorageDamaged, false),
        Cause::Cancelled => (Code::JobCancelled, false),
        Cause::Drained => (Code::Interrupted, true),
    };
    let harmless = !seen.maybe() || job.terms().repeatable;
    if retried && harmless {
        again_or(job, now, code)
    } else {
        Becomes::Failed(code)
    }
}

fn again_or(job: &Job, now: Timestamp, code: Code) -> Becomes {
    let in_time = job.deadline().is_none_or(|deadline| now < deadline);
    if job.attempt() < job.attempts_max() && in_time {
        Becomes::Queued
    } else {
        Becomes::Failed(code)
    }
}

fn rescued(job: &Job) -> Becomes {
    let added = job.attempts_max() - job.terms().retry.attempts;
    let allowed = job.attempt() < job.attempts_max() || added < RESCUES;
    if job.terms().repeatable && allowed {
        Becomes::Queued
    } else {
        Becomes::Failed(Code::Interrupted)
    }
}

fn handed_back(job: &Job, seen: Seen) -> Becomes {
    match seen.maybe() {
        false => Becomes::Queued,
        true if job.terms().repeatable => Becomes::Queued,
        true => Becomes::Failed(Code::Interrupted),
    }
}

fn expired(job: &Job, now: Timestamp) -> Becomes {
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    match job.status() {
        Status::Queued if over(job.deadline()) => Becomes::Expired,
        Status::Queued => Becomes::NotYet,
        Status::Processing => Becomes::Refused,
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::Expired => {
            if over(job.expires_at()) {
                Becomes::Forgotten
            } else {
                Becomes::NotYet
            }
        }
    }
}

fn found(job: &Job, event: &Event, now: Timestamp) -> Becomes {
    let next = match apply(job, event, now) {
        Err(Refused::Status {
            status,
            event: told,
        }) => {
            assert_eq!((status, told), (job.status(), event.kind()));
            return Becomes::Refused;
        }
        Err(Refused::Fenced { latest, .. }) => {
            assert_eq!(latest, job.token());
            return Becomes::Fenced;
        }
        Err(Refused::NotYet) => return Becomes::NotYet,
        Err(Refused::Delivery { .. }) => return Becomes::NoDelivery,
        Ok(transition) => transition.next,
    };
    let Some(next) = next else {
        return Becomes::Forgotten;
    };
    let code = next.error().map(|error| error.code);
    match (next.status(), code) {
        (Status::Queued, None) => Becomes::Queued,
        (Status::Processing, None) => Becomes::Processing,
        (Status::Succeeded, None) => Becomes::Succeeded,
        (Status::Failed, Some(code)) => Becomes::Failed(code),
        (Status::Cancelled, Some(Code::JobCancelled)) => Becomes::Cancelled,
        (Status::Expired, Some(Code::JobExpired)) => Becomes::Expired,
        other => panic!("status and error do not go together: {other:?}"),
    }
}

/// Calls `check` with every change that is not refused.
fn every_change(mut check: impl FnMut(&Job, &Event, Timestamp, &Transition)) {
    everything(|job, event, now| {
        if let Ok(transition) = apply(job, event, now) {
            check(job, event, now, &transition);
        }
    });
}

#[test]
fn there_are_specimens_of_every_state() {
    assert_eq!(diagram::statuses(), Status::ALL.into());
    for specimen in diagram::specimens() {
        assert_eq!(specimen.check(), Ok(()), "{specimen:?}");
        assert_eq!(Job::restore(specimen.fields().clone()), Ok(specimen));
    }
}

#[test]
fn every_event_in_every_state_leads_where_it_must() {
    everything(|job, event, now| {
        let context = || format!("{event:?} at {now:?} to {job:?}");
        assert_eq!(
            found(job, event, now),
            expected(job, event, now),
            "{}",
            context()
        );
    });
}

#[test]
fn every_change_leads_to_a_possible_job() {
    every_change(|job, event, _, change| {
        if let Some(next) = &change.next {
            assert_eq!(next.check(), Ok(()), "{event:?} to {job:?}");
            assert_eq!(next.id(), job.id());
            assert_eq!(next.route(), job.route());
            assert_eq!(next.created_at(), job.created_at());
            assert_eq!(next.terms(), job.terms());
        }
    });
}

#[test]
fn every_change_counts_the_revision_up() {
    every_change(|job, _, _, change| {
        assert_eq!(change.from, Some(job.revision()));
        if let Some(next) = &change.next {
            assert_eq!(next.revision().0, job.revision().0 + 1);
        }
    });
}

#[test]
fn only_a_start_makes_a_new_token() {
    every_change(|job, event, _, change| {
        let Some(next) = &change.next else { return };
        let started = u64::from(matches!(event, Event::Start));
        assert_eq!(next.token().0, job.token().0 + started, "{event:?}");
    });
}

#[test]
fn executions_are_counted_at_the_start_and_taken_back_where_nothing_was_sent() {
    every_change(|job, event, _, change| {
        let Some(next) = &change.next else { return };
        let difference = i64::from(next.executions()) - i64::from(job.executions());
        assert_eq!(difference, executed(event), "{event:?}");
    });
}

fn executed(event: &Event) -> i64 {
    match event {
        Event::Start => 1,
        Event::Settle { outcome, .. } => match outcome {
            Outcome::Answered { .. } => 0,
            Outcome::Failed(failure) => unsent(failure.seen),
        },
        Event::HandBack { seen, .. } => unsent(*seen),
        Event::Damaged { .. } => -1,
        Event::AnswerDamaged { .. }
        | Event::Cancel
        | Event::Retry
        | Event::Rescue { .. }
        | Event::Expire
        | Event::Forget
        | Event::RouteGone
        | Event::Tried { .. }
        | Event::Redeliver { .. } => 0,
    }
}

fn unsent(seen: Seen) -> i64 {
    match seen {
        Seen::Unreached | Seen::Unsent => -1,
        Seen::Part | Seen::All | Seen::Answering | Seen::Unknown => 0,
    }
}

#[test]
fn a_response_is_kept_until_it_is_dropped() {
    every_change(|job, event, _, change| {
        let retried = matches!(event, Event::Retry);
        assert_eq!(change.drops_response, retried || change.next.is_none());
        let Some(next) = &change.next else { return };
        let answered = match event {
            Event::Settle {
                outcome: Outcome::Answered { response, .. },
                ..
            } => Some(response),
            _ => None,
        };
        let ends = next.status().is_finished();
        assert_eq!(next.response(), answered.filter(|_| ends), "{job:?}");
    });
}

#[test]
fn what_must_be_done_follows_from_the_change() {
    every_change(|job, event, _, change| {
        let mut actions = vec![Action::Notify(job.id())];
        let next = change.next.as_ref();
        if let Some(at) = next.and_then(Job::due_at) {
            actions.push(Action::Dispatch {
                route: job.route().clone(),
                at,
            });
        }
        if matches!(event, Event::Cancel) && job.status() == Status::Processing {
            actions.push(Action::Close {
                job: job.id(),
                token: job.token(),
            });
        }
        assert_eq!(change.actions, actions, "{event:?} to {job:?}");
    });
}

#[test]
fn a_job_comes_back_no_earlier_than_now() {
    every_change(|_, event, now, change| {
        if let Some(at) = change.next.as_ref().and_then(Job::due_at) {
            assert!(at >= now, "{event:?}");
        }
    });
}

#[test]
fn the_picture_shows_every_arrow() {
    let page = diagram::page();
    let mut missing = Vec::new();
    every_change(|job, event, _, change| {
        let from = job.status().as_str();
        let to = change
            .next
            .as_ref()
            .map_or("[*]", |next| next.status().as_str());
        let arrow = format!("    {from} --> {to}: ");
        if !page.contains(&arrow) {
            missing.push(format!("{arrow}{:?}", event.kind()));
        }
    });
    missing.dedup();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(page.contains("    expired --> [*]: expire\n"), "{page}");
    assert!(
        page.contains("    processing --> queued: settle\n"),
        "{page}"
    );
}
