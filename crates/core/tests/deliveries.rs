//! A job's end is told: when, how often, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use raincheck_core::callback::{Callback, DeliveryState, Try, TryError, TryOutcome};
use raincheck_core::id::JobId;
use raincheck_core::job::{
    Action, Event, Job, Refused, Status, Submission, Terms, apply, diagram, submit,
};
use raincheck_core::limits::{DELIVERIES_KEPT, RETRY_AFTER_MAX, TRIES_KEPT};
use raincheck_core::policy::delivery::{SCHEDULE, wait};
use raincheck_core::route::RetryPolicy;
use raincheck_core::time::Timestamp;

const RETENTION: Duration = Duration::from_secs(60);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn job() -> Job {
    let submission = Submission {
        id: JobId::from_parts(at(1000), [7; 10]),
        route: "r".parse().unwrap(),
        terms: Terms {
            retry: RetryPolicy::default(),
            repeatable: true,
            retention: RETENTION,
            deadline: None,
        },
        callback: Some(Box::new(Callback::new("https://example.com/".into(), 9))),
    };
    submit(submission, at(1000)).next.unwrap()
}

fn happen(job: &Job, event: &Event, now: Timestamp) -> Job {
    apply(job, event, now).unwrap().next.unwrap()
}

fn ended(now: Timestamp) -> Job {
    happen(&job(), &Event::Cancel, now)
}

fn tried(outcome: TryOutcome, wait: Option<Duration>) -> Event {
    let made = Try {
        at: at(5000),
        took: Duration::from_millis(3),
        outcome,
    };
    Event::Tried {
        delivery: 1,
        made,
        wait,
    }
}

fn state(job: &Job) -> DeliveryState {
    job.callback().unwrap().deliveries.last().unwrap().state
}

const SOON: Option<Duration> = Some(Duration::from_secs(5));

#[test]
fn every_end_is_told_at_once() {
    let mut ends = 0;
    for event in diagram::events() {
        for start in [job(), happen(&job(), &Event::Start, at(1500))] {
            let Ok(change) = apply(&start, &event, at(2000)) else {
                continue;
            };
            let next = change.next.unwrap();
            assert_eq!(next.check(), Ok(()));
            let told = change.actions.iter().find_map(|action| match action {
                Action::Tell { job, receiver, at } => Some((*job, *receiver, *at)),
                _ => None,
            });
            let expected = next.status().is_finished();
            assert_eq!(
                told,
                expected.then_some((next.id(), 9, at(2000))),
                "{event:?}"
            );
            assert_eq!(next.tell_at(), expected.then_some(at(2000)));
            ends += u32::from(expected);
        }
    }
    assert!(ends >= 8, "{ends}");
}

#[test]
fn only_200_to_299_is_delivered_and_410_ends_it() {
    let ended = ended(at(2000));
    for status in [
        100, 101, 199, 200, 202, 299, 300, 301, 302, 400, 404, 410, 429, 500, 503, 999,
    ] {
        let next = happen(&ended, &tried(TryOutcome::Answered(status), SOON), at(3000));
        let expected = match status {
            200..=299 => DeliveryState::Delivered,
            410 => DeliveryState::Gone,
            _ => DeliveryState::Pending { due_at: at(8000) },
        };
        assert_eq!(state(&next), expected, "{status}");
    }
    for error in TryError::ALL {
        let next = happen(&ended, &tried(TryOutcome::Failed(error), None), at(3000));
        assert_eq!(state(&next), DeliveryState::Failed);
    }
}

#[test]
fn a_job_is_kept_until_its_end_is_told() {
    let ended = ended(at(2000));
    let late = at(2000).after(RETENTION);
    assert_eq!(apply(&ended, &Event::Expire, late), Err(Refused::NotYet));
    assert_eq!(ended.over_at(), None);
    let prompt = happen(&ended, &tried(TryOutcome::Answered(200), SOON), at(2500));
    assert_eq!(prompt.over_at(), Some(late));
    assert_eq!(apply(&prompt, &Event::Expire, late).unwrap().next, None);
    let again = happen(&ended, &tried(TryOutcome::Answered(500), SOON), late);
    assert_eq!(again.over_at(), None);
    let told = happen(&again, &tried(TryOutcome::Answered(200), SOON), late);
    // Whoever hears of it late has as long to fetch the result.
    assert_eq!(told.over_at(), Some(late.after(RETENTION)));
    // A client may forget it all the same.
    assert_eq!(apply(&ended, &Event::Forget, at(2500)).unwrap().next, None);
}

#[test]
fn a_job_that_runs_again_has_nothing_to_tell_until_it_ends() {
    let ended = ended(at(2000));
    let again = happen(&ended, &Event::Retry, at(3000));
    assert_eq!(state(&again), DeliveryState::Withdrawn);
    assert_eq!((again.status(), again.tell_at()), (Status::Queued, None));
    let late = apply(&again, &tried(TryOutcome::Answered(200), SOON), at(3001));
    assert!(matches!(late, Err(Refused::Delivery { .. })), "{late:?}");
    let second = happen(&again, &Event::Cancel, at(4000));
    let deliveries = &second.callback().unwrap().deliveries;
    assert_eq!(deliveries.len(), 2);
    let ids: Vec<String> = deliveries
        .iter()
        .map(|delivery| delivery.webhook_id(second.id()))
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| !id.contains('.')), "{ids:?}");
}

#[test]
fn who_is_gone_hears_no_more_unless_somebody_asks() {
    let gone = happen(
        &ended(at(2000)),
        &tried(TryOutcome::Answered(410), SOON),
        at(2100),
    );
    let again = happen(&gone, &Event::Retry, at(3000));
    let second = happen(&again, &Event::Cancel, at(4000));
    assert_eq!(second.callback().unwrap().deliveries.len(), 1);
    assert_eq!(second.tell_at(), None);
    let asked = happen(&second, &Event::Redeliver { delivery: 1 }, at(5000));
    assert_eq!(asked.tell_at(), Some(at(5000)));
}

#[test]
fn a_delivery_is_sent_again_under_the_same_id_and_with_a_new_schedule() {
    let ended = ended(at(2000));
    let redeliver = Event::Redeliver { delivery: 1 };
    let early = apply(&ended, &redeliver, at(2100));
    assert!(matches!(early, Err(Refused::Delivery { .. })), "{early:?}");
    let told = happen(&ended, &tried(TryOutcome::Answered(200), SOON), at(2200));
    let before = told.callback().unwrap().deliveries[0].webhook_id(told.id());
    let again = happen(&told, &redeliver, at(9000));
    let delivery = &again.callback().unwrap().deliveries[0];
    assert_eq!(delivery.webhook_id(again.id()), before);
    assert_eq!((delivery.tries_made, delivery.tries.len()), (0, 1));
    for other in [0, 2] {
        let event = Event::Redeliver { delivery: other };
        assert!(apply(&told, &event, at(9000)).is_err());
    }
}

#[test]
fn what_is_kept_has_bounds() {
    let mut job = ended(at(2000));
    for round in 0..2 * DELIVERIES_KEPT as u64 {
        for _ in 0..2 * TRIES_KEPT {
            let number = job.callback().unwrap().deliveries.last().unwrap().number;
            let Event::Tried { made, .. } = tried(TryOutcome::Answered(500), SOON) else {
                unreachable!()
            };
            let event = Event::Tried {
                delivery: number,
                made,
                wait: SOON,
            };
            job = happen(&job, &event, at(3000));
        }
        let callback = job.callback().unwrap();
        assert!(callback.deliveries.len() <= DELIVERIES_KEPT);
        assert_eq!(callback.deliveries.last().unwrap().number, round as u32 + 1);
        assert_eq!(callback.deliveries.last().unwrap().tries.len(), TRIES_KEPT);
        job = happen(&job, &Event::Retry, at(4000));
        job = happen(&job, &Event::Cancel, at(5000));
    }
}

#[test]
fn the_schedule_is_that_of_the_standard() {
    let whole: Duration = SCHEDULE.iter().sum();
    assert_eq!(whole, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    let outcome = TryOutcome::Answered(500);
    let middle = |made| wait(&SCHEDULE, made, outcome, None, 1 << 63).unwrap();
    for (made, expected) in (1..).zip(SCHEDULE) {
        assert_eq!(middle(made), expected);
    }
    assert_eq!(wait(&SCHEDULE, 10, outcome, None, 0), None);
    assert_eq!(wait(&SCHEDULE, 0, outcome, None, 0), None);
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let minute = Duration::from_secs(60);
    let of = |status, asked| wait(&SCHEDULE, 1, TryOutcome::Answered(status), asked, 1 << 63);
    assert_eq!(of(503, Some(minute)), Some(minute));
    assert_eq!(of(503, Some(Duration::from_secs(1))), SOON);
    assert_eq!(of(500, Some(Duration::MAX)), Some(RETRY_AFTER_MAX));
    for status in [429, 502, 504] {
        assert_eq!(of(status, None), Some(minute));
    }
    let timeout = TryOutcome::Failed(TryError::Timeout);
    assert_eq!(wait(&SCHEDULE, 1, timeout, None, 0), Some(minute));
    // A schedule that is quicker than that altogether is meant to be.
    let quick = [Duration::from_secs(1)];
    assert_eq!(wait(&quick, 1, timeout, None, 1 << 63), Some(quick[0]));
}

proptest! {
    #[test]
    fn a_wait_is_spread_by_a_fifth(jitter: u64, made in 1..10_u32) {
        let own = SCHEDULE[made as usize - 1].as_millis();
        let got = wait(&SCHEDULE, made, TryOutcome::Answered(500), None, jitter).unwrap().as_millis();
        prop_assert!(got * 5 >= own * 4 && got * 5 <= own * 6, "{got} of {own}");
    }

    /// Whatever happens in whatever order, a job stays possible, and is under way to be told only
    /// of its present end.
    #[test]
    fn any_history_keeps_the_rules(steps in proptest::collection::vec((0..40_usize, any::<u16>(), any::<bool>()), 0..60)) {
        let mut job = job();
        let mut now = 2000;
        for (step, status, more) in steps {
            now += 10;
            let number = job.callback().unwrap().deliveries.last().map_or(0, |own| own.number);
            let mut events = diagram::events_of(job.token());
            let Event::Tried { made, .. } = tried(TryOutcome::Answered(status % 600), None) else { unreachable!() };
            for _ in 0..8 {
                events.push(Event::Tried { delivery: number, made, wait: more.then_some(RETENTION) });
                events.push(Event::Redeliver { delivery: number });
            }
            let event = &events[step % events.len()];
            let Ok(change) = apply(&job, event, at(now)) else { continue };
            let Some(next) = change.next else { break };
            prop_assert_eq!(next.check(), Ok(()));
            prop_assert!(next.tell_at().is_none() || next.status().is_finished());
            let deliveries = &next.callback().unwrap().deliveries;
            let earlier = deliveries.len().saturating_sub(1);
            prop_assert!(deliveries[..earlier].iter().all(|own| own.due_at().is_none()));
            job = next;
        }
    }
}
