//! Any job, request or response, for the round-trip properties.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::{FencingToken, JobId, Revision};
use raincheck_core::job::{Fields, Job, JobError, Status, Terms};
use raincheck_core::outcome::ResponseSummary;
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{RetryOn, RetryPolicy};
use raincheck_core::time::Timestamp;
use raincheck_store::{Body, BodyId, StoredRequest, StoredResponse};

/// Any job id.
pub fn job_id() -> impl Strategy<Value = JobId> {
    (0..1_u64 << 48, any::<[u8; 10]>())
        .prop_map(|(millis, random)| JobId::from_parts(Timestamp::from_millis(millis), random))
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_millis)
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
}

fn terms() -> impl Strategy<Value = Terms> {
    let on = any::<[bool; 4]>().prop_map(|[connect, timeout, server_error, too_many]| RetryOn {
        connect,
        timeout,
        server_error,
        too_many,
    });
    let retry = (any::<u32>(), duration(), duration(), on, any::<bool>()).prop_map(
        |(attempts, backoff, max_backoff, on, repeat_unsafe)| RetryPolicy {
            attempts,
            backoff,
            max_backoff,
            on,
            repeat_unsafe,
        },
    );
    (retry, any::<bool>(), duration(), option::of(duration())).prop_map(
        |(retry, repeatable, retention, deadline)| Terms {
            retry,
            repeatable,
            retention,
            deadline,
        },
    )
}

fn summary() -> impl Strategy<Value = ResponseSummary> {
    (any::<u16>(), option::of(".{0,30}"), any::<u64>()).prop_map(
        |(status, content_type, content_length)| ResponseSummary {
            status,
            content_type,
            content_length,
        },
    )
}

fn error() -> impl Strategy<Value = JobError> {
    (proptest::sample::select(&ProblemCode::ALL[..]), ".{0,60}")
        .prop_map(|(code, detail)| JobError { code, detail })
}

/// Any job that a history can lead to, by the invariants of its status.
pub fn job() -> impl Strategy<Value = Job> {
    let names = (job_id(), "[a-zA-Z0-9_.-]{1,64}", any::<u64>(), any::<u64>());
    let status = proptest::sample::select(&Status::ALL[..]);
    let counts = (1..100_u32, 0..100_u32, any::<u32>());
    let times = (
        time(),
        option::of(time()),
        option::of(time()),
        time(),
        time(),
    );
    let rest = (
        terms(),
        option::of(summary()),
        summary(),
        error(),
        any::<bool>(),
        option::of(super::callback::arbitrary(true)),
        option::of(super::callback::arbitrary(false)),
    );
    (names, status, counts, times, rest).prop_map(|(names, status, counts, times, rest)| {
        let (id, route, revision, token) = names;
        let (attempt, spare, executions) = counts;
        let (created_at, started_at, deadline, a, b) = times;
        let (terms, maybe, sure, error, failed, told, untold) = rest;
        let finished = status.is_finished();
        let fields = Fields {
            id,
            revision: Revision(revision),
            route: route.parse().unwrap(),
            status,
            due_at: (status == Status::Queued).then_some(a),
            token: FencingToken(token),
            attempt,
            attempts_max: attempt + spare,
            executions,
            created_at,
            started_at,
            finished_at: finished.then_some(a),
            expires_at: finished.then_some(b),
            deadline,
            terms,
            response: match status {
                Status::Succeeded => Some(sure),
                _ if finished => maybe,
                _ => None,
            },
            error: match status {
                Status::Failed => Some(error),
                Status::Cancelled | Status::Expired => failed.then_some(error),
                _ => None,
            },
            callback: if finished { told } else { untold }.map(Box::new),
        };
        Job::restore(fields).unwrap()
    })
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let value = vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8], 0..40);
    vec(("[a-z][a-z0-9-]{0,20}", value), 0..12).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        headers
    })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        vec(any::<u8>(), 0..3000).prop_map(|bytes| Body::Inline(Bytes::from(bytes))),
        any::<(u128, u64)>().prop_map(|(id, len)| Body::File {
            id: BodyId(id),
            len
        }),
    ]
}

/// Any request.
pub fn request() -> impl Strategy<Value = StoredRequest> {
    (
        "[A-Z]{1,12}",
        "/[a-z0-9/%_~.-]{0,40}(\\?[a-z0-9=&]{0,20})?",
        headers(),
        body(),
        headers(),
    )
        .prop_map(|(method, target, headers, body, trailers)| StoredRequest {
            head: RequestHead {
                method: Method::from_bytes(method.as_bytes()).unwrap(),
                target: target.parse().unwrap(),
                headers,
            },
            body,
            trailers,
        })
}

/// Any response.
pub fn response() -> impl Strategy<Value = StoredResponse> {
    (
        any::<u16>(),
        option::of(vec(any::<u8>(), 0..30)),
        headers(),
        body(),
        headers(),
        any::<u32>(),
    )
        .prop_map(
            |(status, reason, headers, body, trailers, attempt)| StoredResponse {
                head: ResponseHead {
                    status,
                    reason: reason.map(Bytes::from),
                    headers,
                },
                body,
                trailers,
                attempt,
            },
        )
}
