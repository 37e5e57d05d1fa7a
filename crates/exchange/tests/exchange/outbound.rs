//! The request of one attempt.

use http::{HeaderMap, Method, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::time::Timestamp;
use raincheck_exchange::{Outbound, RequestBody};
use raincheck_store::model::ModelStore;
use raincheck_store::{Bodies, Body};
use raincheck_upstreams::OutBody;

use crate::script::bytes;

fn head(method: Method) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "a.example"),
        ("x-a", "1"),
        ("x-b", "2"),
        ("x-a", "3"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    // What a client could try to pass for ours is replaced, however often it is there.
    headers.append("raincheck-attempt", "99".parse().unwrap());
    headers.append("raincheck-attempt", "98".parse().unwrap());
    RequestHead {
        method,
        target: "/a%2Fb?c=%20d".parse().unwrap(),
        headers,
    }
}

fn outbound(deadline: Option<Timestamp>) -> Outbound {
    let job = JobId::from_parts(Timestamp::from_millis(1), [7; 10]);
    Outbound {
        job,
        attempt: 3,
        deadline,
        progress: None,
    }
}

#[test]
fn an_attempt_is_marked_and_the_rest_is_left_alone() {
    let deadline = Timestamp::from_millis(1_700_000_000_123);
    let outbound = outbound(Some(deadline));
    let request = outbound.request(head(Method::POST), OutBody::Empty);
    assert_eq!(request.version(), Version::HTTP_11);
    assert_eq!(request.uri(), "/a%2Fb?c=%20d");
    let fields: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned()))
        .collect();
    let id = outbound.job.to_string();
    for expected in [
        ("host", "a.example"),
        ("x-a", "1"),
        ("x-a", "3"),
        ("x-b", "2"),
        ("raincheck-attempt", "3"),
        ("raincheck-job-id", &id),
        ("raincheck-deadline", "2023-11-14T22:13:20.123Z"),
        ("content-length", "0"),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert_eq!(
            fields.iter().filter(|field| **field == expected).count(),
            1,
            "{expected:?}"
        );
    }
    assert_eq!(fields.len(), 8);
}

#[test]
fn without_a_deadline_none_is_told_and_a_get_has_no_length() {
    let request = outbound(None).request(head(Method::GET), OutBody::Empty);
    assert!(!request.headers().contains_key("raincheck-deadline"));
    assert!(!request.headers().contains_key("content-length"));
}

/// However a body is held, the same bytes go out, with their exact length.
#[tokio::test]
async fn every_kind_of_body_goes_out_whole() {
    for len in [0, 1, 8 * 1024, 8 * 1024 + 1, 200_000] {
        let store = ModelStore::new();
        let mut writer = store.create();
        writer.append(bytes(len)).await.unwrap();
        let sealed = RequestBody::Sealed(writer.seal().await.unwrap());
        let memory = RequestBody::Bytes(bytes(len));
        for body in [sealed, memory] {
            let stored = body.persist(&store).await.unwrap();
            assert_eq!(stored.len(), len as u64);
            assert_eq!(matches!(stored, Body::Inline(_)), len <= 8 * 1024);
            let loaded = RequestBody::load(&stored, &store).await.unwrap();
            for body in [body, loaded] {
                for _ in 0..2 {
                    let out = body.outgoing(&HeaderMap::new());
                    assert_eq!(out.size_hint().exact(), Some(len as u64));
                    assert_eq!(out.collect().await.unwrap().to_bytes(), bytes(len));
                }
            }
        }
    }
}

#[tokio::test]
async fn trailers_go_out_after_every_kind_of_body() {
    let mut trailers = HeaderMap::new();
    trailers.append("x-sum", "1".parse().unwrap());
    for len in [0, 10] {
        let out = RequestBody::Bytes(bytes(len)).outgoing(&trailers);
        let collected = out.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), bytes(len));
    }
}

#[tokio::test]
async fn a_whole_body_has_its_trailers_announced() {
    let mut trailers = HeaderMap::new();
    let body = RequestBody::Bytes(bytes(10));
    let request = outbound(None).whole(head(Method::POST), &body, &trailers);
    assert!(!request.headers().contains_key("trailer"));
    for name in ["x-sum", "x-more", "x-sum"] {
        trailers.append(name, "1".parse().unwrap());
    }
    let mut said = head(Method::POST);
    said.headers.append("trailer", "X-Sum".parse().unwrap());
    for (head, announced) in [
        (head(Method::POST), &["x-sum, x-more"][..]),
        (said, &["X-Sum", "x-more"]),
    ] {
        let request = outbound(None).whole(head, &body, &trailers);
        let named: Vec<_> = request.headers().get_all("trailer").iter().collect();
        assert_eq!(named, announced);
        let collected = request.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
    }
}
