//! Events of every kind in any order, lies included, against the state machine: a job stays
//! possible, ends once, and an attempt that is over changes nothing.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use raincheck_core::callback::{Callback, Try, TryOutcome};
use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::job::{
    Event, EventKind, Job, Refused, Submission, Terms, apply, submit, submit_started,
};
use raincheck_core::outcome::{Cause, Failure, Outcome, ResponseSummary, Seen};
use raincheck_core::route::{RetryOn, RetryPolicy};
use raincheck_core::time::Timestamp;

#[derive(Debug, Arbitrary)]
struct Input {
    started: bool,
    repeatable: bool,
    unsafe_too: bool,
    on: [bool; 4],
    attempts: u32,
    backoff: Duration,
    max_backoff: Duration,
    retention: Duration,
    deadline: Option<Duration>,
    begins: u64,
    steps: Vec<(Step, Jump)>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Step {
    Start,
    Answer {
        token: Token,
        status: u16,
        wait: Option<Duration>,
        jitter: u64,
    },
    Fail {
        token: Token,
        cause: u8,
        seen: u8,
        jitter: u64,
    },
    Cancel,
    Retry,
    Rescue(Token),
    HandBack(Token, u8),
    Expire,
    Forget,
    Damaged(Token),
    RouteGone,
    Tried {
        delivery: u32,
        status: u16,
        wait: Option<Duration>,
    },
    Redeliver(u32),
    AnswerDamaged(Token),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Token {
    Latest,
    Before(u8),
    Any(u64),
}

/// How the clock moves; it may step back.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Jump {
    Stay,
    On(u32),
    Back(u32),
    To(u64),
}

/// Terms, then steps.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let mut now = Timestamp::from_millis(input.begins >> 1);
    let mut job = accepted(&input, now);
    assert_eq!(job.check(), Ok(()));
    for (step, jump) in &input.steps {
        now = moved(now, *jump);
        let event = event(*step, &job);
        match apply(&job, &event, now) {
            Err(refused) => check_refusal(&job, &event, &refused),
            Ok(transition) => {
                let from = transition.from;
                assert_eq!(from, Some(job.revision()), "computed from another revision");
                let Some(next) = transition.next else {
                    assert!(job.status().is_finished(), "an unfinished job is forgotten");
                    return;
                };
                check(&job, &event, &next);
                job = next;
            }
        }
    }
}

fn accepted(input: &Input, now: Timestamp) -> Job {
    let [connect, timeout, server_error, too_many] = input.on;
    let submission = Submission {
        id: JobId::from_parts(now, [3; 10]),
        route: "r".parse().unwrap(),
        terms: Terms {
            retry: RetryPolicy {
                attempts: input.attempts.max(1),
                backoff: input.backoff,
                max_backoff: input.max_backoff,
                on: RetryOn {
                    connect,
                    timeout,
                    server_error,
                    too_many,
                },
                repeat_unsafe: input.unsafe_too,
            },
            repeatable: input.repeatable,
            retention: input.retention,
            deadline: input.deadline,
        },
        callback: input.repeatable.then(|| {
            let url = "https://hooks.example.com/".into();
            Box::new(Callback::new(url, 7))
        }),
    };
    let transition = match input.started {
        true => submit_started(submission, now),
        false => submit(submission, now),
    };
    transition.next.unwrap()
}

fn moved(now: Timestamp, jump: Jump) -> Timestamp {
    let millis = now.as_millis();
    Timestamp::from_millis(match jump {
        Jump::Stay => millis,
        Jump::On(by) => millis.saturating_add(by.into()),
        Jump::Back(by) => millis.saturating_sub(by.into()),
        Jump::To(to) => to >> 1,
    })
}

fn event(step: Step, job: &Job) -> Event {
    let token = |token| match token {
        Token::Latest => job.token(),
        Token::Before(by) => FencingToken(job.token().0.saturating_sub(by.into())),
        Token::Any(any) => FencingToken(any),
    };
    let seen = |seen: u8| Seen::ALL[usize::from(seen) % Seen::ALL.len()];
    let detail = "so it goes".to_owned();
    match step {
        Step::Start => Event::Start,
        Step::Answer {
            token: of,
            status,
            wait,
            jitter,
        } => Event::Settle {
            token: token(of),
            outcome: Outcome::Answered {
                response: ResponseSummary {
                    status,
                    content_type: None,
                    content_length: jitter,
                },
                retry_after: wait,
            },
            jitter,
        },
        Step::Fail {
            token: of,
            cause,
            seen: reached,
            jitter,
        } => Event::Settle {
            token: token(of),
            outcome: Outcome::Failed(Failure {
                cause: CAUSES[usize::from(cause) % CAUSES.len()],
                seen: seen(reached),
                detail,
            }),
            jitter,
        },
        Step::Cancel => Event::Cancel,
        Step::Retry => Event::Retry,
        Step::Rescue(of) => Event::Rescue { token: token(of) },
        Step::HandBack(of, reached) => Event::HandBack {
            token: token(of),
            seen: seen(reached),
        },
        Step::Expire => Event::Expire,
        Step::Forget => Event::Forget,
        Step::Damaged(of) => Event::Damaged {
            token: token(of),
            detail,
        },
        Step::AnswerDamaged(of) => Event::AnswerDamaged {
            token: token(of),
            detail,
        },
        Step::RouteGone => Event::RouteGone,
        Step::Tried {
            delivery,
            status,
            wait,
        } => tried(delivery % 16, status, wait),
        Step::Redeliver(delivery) => Event::Redeliver {
            delivery: delivery % 16,
        },
    }
}

fn tried(delivery: u32, status: u16, wait: Option<Duration>) -> Event {
    let made = Try {
        at: Timestamp::default(),
        took: Duration::ZERO,
        outcome: TryOutcome::Answered(status),
    };
    Event::Tried {
        delivery,
        made,
        wait,
    }
}

const CAUSES: [Cause; 9] = [
    Cause::Connect,
    Cause::Broken,
    Cause::Timeout,
    Cause::Deadline,
    Cause::TooLarge,
    Cause::Storage,
    Cause::Cancelled,
    Cause::Drained,
    Cause::Damaged,
];

/// The attempt that an event reports of.
fn reports(event: &Event) -> Option<FencingToken> {
    match event {
        Event::Settle { token, .. }
        | Event::Rescue { token }
        | Event::HandBack { token, .. }
        | Event::Damaged { token, .. } => Some(*token),
        _ => None,
    }
}

fn check_refusal(job: &Job, event: &Event, refused: &Refused) {
    if matches!(refused, Refused::Fenced { .. }) {
        assert_ne!(
            reports(event),
            Some(job.token()),
            "the latest attempt is fenced off"
        );
    }
}

fn check(job: &Job, event: &Event, next: &Job) {
    assert_eq!(next.check(), Ok(()), "{event:?} to {job:?}");
    assert_eq!(next.revision(), job.revision().next());
    assert_eq!(next.id(), job.id());
    assert!(next.token() >= job.token(), "a token shrank");
    assert!(u64::from(next.executions()) <= next.token().0);
    if let Event::AnswerDamaged { token, .. } = event {
        assert_eq!(*token, job.token(), "an answer of another attempt");
        assert!(job.response().is_some() && next.response().is_none());
    }
    if let Some(token) = reports(event) {
        assert_eq!(token, job.token(), "an old attempt changed a job");
        assert!(!job.status().is_finished(), "a job ended twice");
    }
    if job.status().is_finished() {
        let again = [
            EventKind::Retry,
            EventKind::Expire,
            EventKind::Tried,
            EventKind::Redeliver,
            EventKind::AnswerDamaged,
        ];
        assert!(again.contains(&event.kind()), "{event:?} to {job:?}");
    }
}
