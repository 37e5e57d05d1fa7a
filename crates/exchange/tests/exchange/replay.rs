//! A recorded response is the same response again.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use raincheck_core::head::ResponseHead;
use raincheck_exchange::{Payload, Recorder, replay};
use raincheck_store::model::ModelStore;

use crate::script::{Step, bytes, head, opened};

fn names(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect()
}

/// These trailers and some that only a head may bring.
fn with_more(trailers: &HeaderMap) -> HeaderMap {
    let mut more = trailers.clone();
    for name in ["content-length", "connection", "raincheck_error"] {
        more.append(name, "5".parse().unwrap());
    }
    more
}

#[tokio::test]
async fn head_bytes_and_trailers_are_the_same() {
    let store = ModelStore::new();
    let mut trailers = HeaderMap::new();
    trailers.append("x-sum", "1".parse().unwrap());
    trailers.append("x-sum", "2".parse().unwrap());
    let steps = [
        Step::Bytes(bytes(10)),
        Step::Bytes(bytes(100_000)),
        Step::Trailers(with_more(&trailers)),
    ];
    let mut opened = opened(&store, steps);
    opened.head.reason = Some(Bytes::from_static(b"Quite All Right"));
    let sent = opened.head.clone();
    let recorded = Recorder::new(&store).record(opened).await.ok().unwrap();
    for _ in 0..2 {
        let response = replay::recorded(recorded.clone());
        assert_eq!(response.status(), 200);
        assert_eq!(
            names(&sent.headers),
            [("x-a", "1"), ("x-a", "3"), ("x-b", "2")]
        );
        let announced = [&names(&sent.headers)[..], &[("trailer", "x-sum")]].concat();
        assert_eq!(names(response.headers()), announced);
        let reason = response
            .extensions()
            .get::<hyper::ext::ReasonPhrase>()
            .unwrap();
        assert_eq!(reason.as_bytes(), b"Quite All Right");
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), [bytes(10), bytes(100_000)].concat());
    }
}

#[tokio::test]
async fn a_response_without_a_body_has_none() {
    let store = ModelStore::new();
    let recorded = Recorder::new(&store)
        .record(opened(&store, []))
        .await
        .ok()
        .unwrap();
    let response = replay::recorded(recorded);
    assert!(response.body().is_end_stream());
    assert_eq!(response.body().size_hint().exact(), Some(0));
}

fn with_length(status: u16, length: &str, body: Payload) -> Response<Payload> {
    let mut head: ResponseHead = head(status);
    head.headers.insert(CONTENT_LENGTH, length.parse().unwrap());
    replay::with_head(head, body)
}

/// The length that a response tells is that of the body it has for this method.
#[test]
fn a_length_is_told_only_where_it_is_true() {
    let full = || Payload::Full(bytes(5));
    let length = |method, response| {
        let response = replay::fit(response, &method);
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.map(|length| length.to_str().unwrap().to_owned());
        (length, response.body().is_end_stream())
    };
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(
        length(Method::GET, with_length(200, "5", full())),
        (told("5"), false)
    );
    assert_eq!(
        length(Method::GET, with_length(200, "0", Payload::Empty)),
        (told("0"), true)
    );
    // The answer to a HEAD request, shown to a GET: it has no bytes.
    assert_eq!(
        length(Method::GET, with_length(200, "5", Payload::Empty)),
        (None, true)
    );
    assert_eq!(
        length(Method::GET, with_length(304, "5", Payload::Empty)),
        (None, true)
    );
    // A HEAD is told what a GET would get, and gets none of it.
    assert_eq!(
        length(Method::HEAD, with_length(200, "5", Payload::Empty)),
        (told("5"), true)
    );
    assert_eq!(
        length(Method::HEAD, with_length(200, "5", full())),
        (told("5"), true)
    );
    let bare = replay::with_head(head(200), full());
    assert_eq!(length(Method::HEAD, bare), (told("5"), true));
    let empty = replay::with_head(head(204), Payload::Empty);
    assert_eq!(length(Method::HEAD, empty), (None, true));
}
