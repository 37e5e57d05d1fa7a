//! Random histories: whatever happens in whatever order, a job stays possible, ends once, and is
//! never sent a second time against the rules.
//!
//! The histories have an honest backend in them: each attempt either reached it or not, what is
//! reported of an attempt is never a lie, and the test counts for itself.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::job::{
    Event, EventKind, Job, Refused, Status, Submission, Terms, apply, submit, submit_started,
};
use raincheck_core::limits::RESCUES;
use raincheck_core::outcome::{Cause, Failure, Outcome, ResponseSummary, Seen};
use raincheck_core::route::{RetryOn, RetryPolicy};
use raincheck_core::time::Timestamp;

/// Something that happens, before it is known to which attempt.
#[derive(Debug, Clone)]
enum Step {
    /// An attempt begins; whether it reaches the backend.
    Start(bool),
    Answer(u16, Option<Duration>),
    /// The attempt fails; whether we can tell that nothing was sent, if nothing was.
    Fail(Cause, bool),
    Rescue,
    HandBack(bool),
    Cancel,
    Retry,
    Expire,
    Forget,
    Damaged,
    AnswerDamaged,
    RouteGone,
    /// An attempt that is over reports an end.
    Late(u64),
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Connect),
        Just(Cause::Broken),
        Just(Cause::Timeout),
        Just(Cause::Deadline),
        Just(Cause::TooLarge),
        Just(Cause::Storage),
        Just(Cause::Damaged),
        Just(Cause::Cancelled),
        Just(Cause::Drained),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = proptest::option::of((0..100_000_u64).prop_map(Duration::from_millis));
    let status = prop_oneof![Just(200), Just(404), Just(429), Just(500), Just(503)];
    prop_oneof![
        8 => any::<bool>().prop_map(Step::Start),
        3 => (status, wait).prop_map(|(status, wait)| Step::Answer(status, wait)),
        4 => (cause(), any::<bool>()).prop_map(|(cause, told)| Step::Fail(cause, told)),
        3 => Just(Step::Rescue),
        2 => any::<bool>().prop_map(Step::HandBack),
        1 => Just(Step::Cancel),
        3 => Just(Step::Retry),
        1 => Just(Step::Expire),
        1 => Just(Step::Forget),
        1 => Just(Step::Damaged),
        1 => Just(Step::AnswerDamaged),
        1 => Just(Step::RouteGone),
        2 => (0..5_u64).prop_map(Step::Late),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let on = any::<[bool; 4]>().prop_map(|[connect, timeout, server_error, too_many]| RetryOn {
        connect,
        timeout,
        server_error,
        too_many,
    });
    (1..4_u32, on, any::<bool>()).prop_map(|(attempts, on, repeatable)| Terms {
        retry: RetryPolicy {
            attempts,
            on,
            ..RetryPolicy::default()
        },
        repeatable,
        retention: Duration::from_secs(60),
        deadline: Some(Duration::from_secs(600)),
    })
}

/// A job and what really happened to it.
struct World {
    job: Job,
    now: Timestamp,
    /// How often the backend saw the request.
    arrivals: u32,
    /// Whether the running attempt reached the backend.
    reached: bool,
    /// Attempts begun since somebody last asked for a run.
    starts: u32,
    hand_backs: u32,
    /// Runs that somebody asked for, the first included.
    runs: u32,
    forgotten: bool,
}

impl World {
    fn new(terms: Terms, started: bool) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let submission = Submission {
            id: JobId::from_parts(now, [3; 10]),
            route: "r".parse().unwrap(),
            terms,
            callback: None,
        };
        let accepted = if started {
            submit_started(submission, now)
        } else {
            submit(submission, now)
        };
        Self {
            job: accepted.next.unwrap(),
            now,
            arrivals: u32::from(started),
            reached: started,
            starts: u32::from(started),
            hand_backs: 0,
            runs: 1,
            forgotten: false,
        }
    }

    /// What may honestly be said of the running attempt.
    fn seen(&self, told: bool) -> Seen {
        if !self.reached && told {
            Seen::Unsent
        } else {
            Seen::Unknown
        }
    }

    fn event(&self, step: &Step, jitter: u64) -> Event {
        let token = self.job.token();
        let settle = |token, outcome| Event::Settle {
            token,
            outcome,
            jitter,
        };
        let answer = |status, retry_after| Outcome::Answered {
            response: ResponseSummary {
                status,
                content_type: None,
                content_length: 0,
            },
            retry_after,
        };
        match step {
            Step::Start(_) => Event::Start,
            Step::Answer(status, wait) => settle(token, answer(*status, *wait)),
            Step::Fail(cause, told) => settle(
                token,
                Outcome::Failed(Failure {
                    cause: *cause,
                    seen: self.seen(*told),
                    detail: "so it goes".to_owned(),
                }),
            ),
            Step::Rescue => Event::Rescue { token },
            Step::HandBack(told) => Event::HandBack {
                token,
                seen: self.seen(*told),
            },
            Step::Cancel => Event::Cancel,
            Step::Retry => Event::Retry,
            Step::Expire => Event::Expire,
            Step::Forget => Event::Forget,
            Step::AnswerDamaged => Event::AnswerDamaged {
                token,
                detail: "so it goes".to_owned(),
            },
            Step::Damaged => Event::Damaged {
                token,
                detail: "so it goes".to_owned(),
            },
            Step::RouteGone => Event::RouteGone,
            Step::Late(by) => {
                let old = FencingToken(token.0.saturating_sub(by + 1));
                settle(old, answer(200, None))
            }
        }
    }

    /// Whether the step can happen in a world where attempts do not lie: only what reached the
    /// backend is answered, and a request that could not be read was not sent.
    fn possible(&self, step: &Step) -> bool {
        match step {
            Step::Answer(..) => self.reached,
            Step::Damaged => !self.reached,
            _ => true,
        }
    }

    fn take(&mut self, step: &Step, jitter: u64) {
        let event = self.event(step, jitter);
        let before = self.job.clone();
        let transition = match apply(&before, &event, self.now) {
            Err(refused) => return self.check_refusal(step, refused),
            Ok(transition) => transition,
        };
        assert!(
            !matches!(step, Step::Late(_)),
            "an old attempt changed a job"
        );
        if before.status().is_finished() {
            let allowed = [
                EventKind::Retry,
                EventKind::Expire,
                EventKind::Forget,
                EventKind::AnswerDamaged,
            ];
            assert!(allowed.contains(&event.kind()), "{event:?} to {before:?}");
        }
        let Some(next) = transition.next else {
            self.forgotten = true;
            return;
        };
        self.job = next;
        self.count(step);
        self.check(&before);
    }

    fn check_refusal(&self, step: &Step, refused: Refused) {
        if matches!(step, Step::Late(_)) && self.job.status() == Status::Processing {
            let fenced = matches!(refused, Refused::Fenced { .. });
            assert!(fenced, "{refused:?} to {:?}", self.job);
        }
    }

    fn count(&mut self, step: &Step) {
        match step {
            Step::Start(reaches) => {
                self.starts += 1;
                self.reached = *reaches;
                self.arrivals += u32::from(*reaches);
            }
            Step::Retry => {
                self.runs += 1;
                self.starts = 0;
                self.hand_backs = 0;
            }
            Step::HandBack(_) => self.hand_backs += 1,
            _ => {}
        }
    }

    fn check(&self, before: &Job) {
        let job = &self.job;
        assert_eq!(job.check(), Ok(()));
        assert_eq!(job.revision(), before.revision().next());
        assert!(job.token() >= before.token(), "a token shrank");
        assert!(u64::from(job.executions()) <= job.token().0);
        assert!(u64::from(job.attempt()) <= job.token().0);
        assert!(
            job.executions() >= self.arrivals,
            "the backend saw it {} times, and we say {}",
            self.arrivals,
            job.executions(),
        );
        if !job.terms().repeatable {
            assert!(self.arrivals <= self.runs, "sent again against the rules");
        }
        let allowed = job.terms().retry.attempts + RESCUES + self.hand_backs;
        assert!(self.starts <= allowed, "{} starts", self.starts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_a_job_keeps_its_promises(
        terms in terms(),
        started in any::<bool>(),
        steps in proptest::collection::vec((step(), any::<u64>(), 0..40_000_u64), 0..120),
    ) {
        let mut world = World::new(terms, started);
        for (step, jitter, later) in steps {
            if world.possible(&step) {
                world.take(&step, jitter);
            }
            if world.forgotten {
                break;
            }
            world.now = world.now.after(Duration::from_millis(later));
        }
    }

    #[test]
    fn a_job_that_the_gateway_dies_of_is_given_up(attempts in 1..5_u32) {
        let policy = RetryPolicy { attempts, ..RetryPolicy::default() };
        let terms = Terms {
            retry: policy,
            repeatable: true,
            retention: Duration::ZERO,
            deadline: Some(Duration::from_secs(600)),
        };
        let mut world = World::new(terms, false);
        let mut deaths = 0;
        while !world.job.status().is_finished() {
            world.take(&Step::Start(true), 0);
            world.take(&Step::Rescue, 0);
            deaths += 1;
        }
        prop_assert_eq!(deaths, attempts + RESCUES);
        prop_assert_eq!(world.job.executions(), deaths);
    }
}
