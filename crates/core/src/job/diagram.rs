//! Prints docs/state-machine.md from [`apply`], so that the picture cannot lie.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::{Event, Job, Status, Submission, Terms, apply, submit};
use crate::callback::{Try, TryOutcome};
use crate::id::{FencingToken, JobId, RouteName};
use crate::outcome::{Cause, Failure, Outcome, ResponseSummary, Seen};
use crate::route::RetryPolicy;
use crate::time::Timestamp;

/// The page: a mermaid diagram and a table of all arrows.
pub fn page() -> String {
    let mut page = String::from(
        "# The states of a job\n\nPrinted from `core::job` by `cargo xtask docs`; do not edit.\n\n\
         ```mermaid\nstateDiagram-v2\n    [*] --> queued: submit\n    \
         [*] --> processing: hold ended\n",
    );
    let arrows = arrows();
    for (from, event, to) in &arrows {
        _ = writeln!(page, "    {from} --> {to}: {event}");
    }
    page.push_str("```\n\n| from | event | to |\n| --- | --- | --- |\n");
    for (from, event, to) in &arrows {
        let to = if *to == "[*]" { "(forgotten)" } else { to };
        _ = writeln!(page, "| {from} | {event} | {to} |");
    }
    page
}

fn arrows() -> BTreeSet<(&'static str, String, &'static str)> {
    let mut arrows = BTreeSet::new();
    for job in specimens() {
        for event in events_of(job.token()) {
            let times = TIMES.into_iter().chain([Timestamp::MAX]);
            for transition in times.filter_map(|now| apply(&job, &event, now).ok()) {
                let to = transition.next.map_or("[*]", |next| next.status().as_str());
                arrows.insert((job.status().as_str(), word(&event), to));
            }
        }
    }
    arrows
}

fn word(event: &Event) -> String {
    format!("{:?}", event.kind())
        .chars()
        .fold(String::new(), |mut word, c| {
            if c.is_uppercase() && !word.is_empty() {
                word.push(' ');
            }
            word.push(c.to_ascii_lowercase());
            word
        })
}

/// One event of each kind, and of `Settle` one of each ending, all of the first attempt.
pub fn events() -> Vec<Event> {
    events_of(FencingToken(1))
}

/// The same of the attempt with this token.
pub fn events_of(token: FencingToken) -> Vec<Event> {
    let failed = |cause, seen| {
        Outcome::Failed(Failure {
            cause,
            seen,
            detail: "specimen".to_owned(),
        })
    };
    let answered = |status| Outcome::Answered {
        response: ResponseSummary {
            status,
            content_type: None,
            content_length: 0,
        },
        retry_after: None,
    };
    let mut events: Vec<Event> = [
        answered(200),
        answered(503),
        failed(Cause::Connect, Seen::Unreached),
        failed(Cause::Broken, Seen::Part),
        failed(Cause::Timeout, Seen::All),
        failed(Cause::Deadline, Seen::All),
        failed(Cause::TooLarge, Seen::Answering),
        failed(Cause::Storage, Seen::Answering),
        failed(Cause::Damaged, Seen::Part),
        failed(Cause::Cancelled, Seen::Unknown),
        failed(Cause::Drained, Seen::Unknown),
    ]
    .into_iter()
    .map(|outcome| Event::Settle {
        token,
        outcome,
        jitter: 0,
    })
    .collect();
    events.extend([
        Event::Start,
        Event::Cancel,
        Event::Retry,
        Event::Rescue { token },
        Event::HandBack {
            token,
            seen: Seen::Unsent,
        },
        Event::HandBack {
            token,
            seen: Seen::Unknown,
        },
        Event::Expire,
        Event::Forget,
        Event::RouteGone,
        Event::Tried {
            delivery: 1,
            made: Try {
                at: TIMES[0],
                took: Duration::ZERO,
                outcome: TryOutcome::Answered(200),
            },
            wait: None,
        },
        Event::Redeliver { delivery: 1 },
    ]);
    events.extend(damages(token));
    events
}

fn damages(token: FencingToken) -> [Event; 2] {
    let detail = || "specimen".to_owned();
    [
        Event::Damaged {
            token,
            detail: detail(),
        },
        Event::AnswerDamaged {
            token,
            detail: detail(),
        },
    ]
}

/// Jobs in every status, with and without attempts left, repeatable and not: all that some events
/// after each other lead to, one of each kind.
pub fn specimens() -> Vec<Job> {
    let mut all: Vec<Job> = Vec::new();
    for (attempts, repeatable) in [(1, false), (1, true), (3, false), (3, true)] {
        let mut kinds = BTreeSet::new();
        let mut wave: Vec<Job> = specimen(attempts, repeatable).into_iter().collect();
        for _ in 0..WAVES {
            let next = wave.iter().flat_map(followers);
            let next: Vec<Job> = next.filter(|job| kinds.insert(kind(job))).collect();
            all.append(&mut wave);
            wave = next;
        }
        all.append(&mut wave);
    }
    all
}

/// Events after each other that lead to a specimen: as many as three attempts and a retry need.
const WAVES: usize = 7;

/// When events happen to specimens: in time, and after every deadline and retention.
const TIMES: [Timestamp; 2] = [
    Timestamp::from_millis(1000),
    Timestamp::from_millis(1 << 40),
];

fn followers(job: &Job) -> Vec<Job> {
    let events = events_of(job.token());
    let at = |now| {
        events
            .iter()
            .filter_map(move |event| apply(job, event, now).ok()?.next)
    };
    TIMES.into_iter().flat_map(at).collect()
}

/// What makes two specimens alike: all that decides what may happen next, and why it ended.
fn kind(job: &Job) -> String {
    let f = job.fields();
    let code = f.error.as_ref().map(|error| error.code);
    let answer = f.response.as_ref().map(|response| response.status);
    let attempts = (f.attempt, f.attempts_max, f.executions, f.token.0);
    format!(
        "{:?}",
        (f.status, attempts, code, answer, f.due_at, f.deadline)
    )
}

fn specimen(attempts: u32, repeatable: bool) -> Option<Job> {
    let now = TIMES[0];
    let submission = Submission {
        id: JobId::from_parts(now, [7; 10]),
        route: "specimen".parse::<RouteName>().ok()?,
        terms: Terms {
            retry: RetryPolicy {
                attempts,
                ..RetryPolicy::default()
            },
            repeatable,
            retention: Duration::from_secs(60),
            deadline: Some(Duration::from_secs(60)),
        },
        callback: None,
    };
    submit(submission, now).next
}

/// Every status a specimen stands in; for tests that must see all of them.
pub fn statuses() -> BTreeSet<Status> {
    specimens().iter().map(Job::status).collect()
}
