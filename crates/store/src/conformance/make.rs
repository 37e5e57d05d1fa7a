//! The values that tests store: jobs made by the core's own rules, requests, responses, bytes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use raincheck_core::callback::Callback;
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::{Event, Job, Submission, Terms, Transition, submit};
use raincheck_core::outcome::{Cause, Failure, Outcome, ResponseSummary, Seen};
use raincheck_core::route::RetryPolicy;
use raincheck_core::time::Timestamp;

use crate::{Body, Change, Put, StoredRequest, StoredResponse};

/// How long jobs made here may wait.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How long jobs made here are kept once finished.
pub const RETENTION: Duration = Duration::from_millis(30_001);

/// A time.
pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A job's id; higher numbers are newer.
pub fn id(number: u8) -> JobId {
    JobId::from_parts(at(1_700_000_000_000 + u64::from(number)), [number; 10])
}

/// A route's name.
pub fn route(name: &str) -> RouteName {
    name.parse().unwrap()
}

/// A job that enters the queue, with three attempts and a request that may be repeated.
pub fn submitted(number: u8, name: &str, now: Timestamp) -> Transition {
    submit(submission(number, name), now)
}

/// What such a job is made from.
pub fn submission(number: u8, name: &str) -> Submission {
    Submission {
        id: id(number),
        route: route(name),
        terms: Terms {
            retry: RetryPolicy {
                attempts: 3,
                ..RetryPolicy::default()
            },
            repeatable: true,
            retention: RETENTION,
            deadline: Some(DEADLINE),
        },
        callback: None,
    }
}

/// Where a job's end is told.
pub fn callback(receiver: u64) -> Box<Callback> {
    let url = "https://hooks.example.com/a?b=%20".into();
    Box::new(Callback::new(url, receiver))
}

/// The change that carries out a transition of a job that stays.
pub fn put(transition: Transition) -> Put {
    Put {
        job: transition.next.unwrap(),
        from: transition.from,
        fence: None,
        request: None,
        key: None,
        response: None,
        drops_response: transition.drops_response,
    }
}

/// The change that carries out any transition of a stored job.
pub fn change(job: JobId, transition: Transition) -> Change {
    match (&transition.next, transition.from) {
        (None, from) => Change::Delete {
            job,
            from: from.unwrap(),
        },
        (Some(_), _) => Change::Put(Box::new(put(transition))),
    }
}

/// The end of a job's latest attempt.
pub fn settle(job: &Job, outcome: Outcome) -> Event {
    Event::Settle {
        token: job.token(),
        outcome,
        jitter: 0,
    }
}

/// An answer of `length` bytes with `status`.
pub fn answered(status: u16, length: u64) -> Outcome {
    Outcome::Answered {
        response: ResponseSummary {
            status,
            content_type: Some("text/plain".to_owned()),
            content_length: length,
        },
        retry_after: None,
    }
}

/// An answer that asks for a wait before the next attempt.
pub fn busy(wait: Duration) -> Outcome {
    Outcome::Answered {
        response: ResponseSummary {
            status: 503,
            content_type: None,
            content_length: 0,
        },
        retry_after: Some(wait),
    }
}

/// A failure that no attempt can mend.
pub fn hopeless() -> Outcome {
    Outcome::Failed(Failure {
        cause: Cause::TooLarge,
        seen: Seen::Answering,
        detail: "larger than 10 bytes".to_owned(),
    })
}

/// A request with everything that is easily lost: an uncommon method, a target with escapes, fields
/// in order and twice, values that are not text, and trailers.
pub fn request(body: Body) -> StoredRequest {
    StoredRequest {
        head: RequestHead {
            method: Method::from_bytes(b"PURGE").unwrap(),
            target: "/a%2Fb//c?q=%00&q=&&".parse().unwrap(),
            headers: fields(),
        },
        body,
        trailers: trailers(),
    }
}

/// A response with everything that is easily lost.
pub fn response(attempt: u32, body: Body) -> StoredResponse {
    StoredResponse {
        head: ResponseHead {
            status: 299,
            reason: Some(Bytes::from_static(b"Mostly \xfcseful")),
            headers: fields(),
        },
        body,
        trailers: trailers(),
        attempt,
    }
}

fn fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in [
        ("zebra", &b"1"[..]),
        ("set-cookie", b"a=1; Path=/"),
        ("alpha", b""),
        ("set-cookie", b"b=2"),
        ("x-bytes", b"\xff\xfe caf\xc3\xa9"),
        ("zebra", b"2"),
    ] {
        let value = HeaderValue::from_bytes(value).unwrap();
        fields.append(HeaderName::from_static(name), value);
    }
    fields
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.append("x-checksum", HeaderValue::from_static("abc"));
    trailers.append("x-checksum", HeaderValue::from_static("def"));
    trailers
}

/// `len` bytes of which no two places look alike.
pub fn bytes(len: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}
