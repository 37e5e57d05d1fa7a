//! Backends that cannot be reached, break, or do not speak HTTP: each with its cause, whether the
//! request may have been seen, and words that say which.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::route::{Scheme, Upstream};
use raincheck_upstreams::OutBody;

use crate::backend::Backend;
use crate::client::{channel, counts, get, pool, post, read, read_text, start, timeouts};

/// What comes of a request that the backend answers with these bytes and then closes.
async fn answered(bytes: &str) -> Result<Bytes, Failure> {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write(bytes).await;
    drop(peer);
    let answer = sent.await.unwrap()?;
    let read = read(answer.body).await;
    // After a whole answer the close may be seen a moment later.
    if read.is_err() {
        assert_eq!(counts(&pool, &upstream).idle, 0);
    }
    Ok(read?.data)
}

fn failure(cause: Cause, seen: Seen, detail: &str) -> Failure {
    let detail = detail.to_owned();
    Failure {
        cause,
        seen,
        detail,
    }
}

fn broken(seen: Seen, detail: &str) -> Result<Bytes, Failure> {
    Err(failure(Cause::Broken, seen, detail))
}

#[tokio::test]
async fn nobody_listens() {
    let upstream = Backend::new().await.upstream();
    let failed = pool().send(&upstream, get(), timeouts()).await.unwrap_err();
    let detail = format!("connection refused by 127.0.0.1:{}", upstream.port);
    assert_eq!(failed, failure(Cause::Connect, Seen::Unreached, &detail));
}

#[tokio::test]
async fn the_name_means_nothing() {
    let upstream = Upstream::new(Scheme::Http, "not a name", 80);
    let failed = pool().send(&upstream, get(), timeouts()).await.unwrap_err();
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Connect, Seen::Unreached)
    );
    let start = "the name not a name cannot be resolved: ";
    assert!(failed.detail.starts_with(start), "{}", failed.detail);
    assert!(!failed.detail.contains("lookup"), "{}", failed.detail);
}

#[tokio::test]
async fn closed_without_an_answer() {
    let closed = broken(
        Seen::All,
        "the backend closed the connection without an answer",
    );
    assert_eq!(answered("").await, closed);
    assert_eq!(answered("HTTP/1.1 20").await, closed);
    assert_eq!(answered("HTTP/1.1 100 Continue\r\n\r\n").await, closed);
}

#[tokio::test]
async fn reset_without_an_answer() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), timeouts());
    let (peer, _) = backend.request().await;
    peer.reset();
    let reset = "the backend reset the connection without an answer";
    let failed = sent.await.unwrap().unwrap_err();
    assert_eq!(failed, failure(Cause::Broken, Seen::All, reset));
}

#[tokio::test]
async fn heads_that_are_not_http() {
    for (head, detail) in [
        ("SSH-2.0-OpenSSH_9.9\r\n", "invalid HTTP version parsed"),
        (
            "HTTP/1.1 2000 OK\r\n\r\n",
            "invalid HTTP status-code parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\na b\r\n\r\n",
            "invalid HTTP header parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
            "invalid HTTP header parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
            "invalid HTTP header parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "invalid content-length parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            "invalid content-length parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "it has both Transfer-Encoding and Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "its Transfer-Encoding is something else than chunked",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "its Transfer-Encoding is something else than chunked",
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "unexpected transfer-encoding parsed",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
            "it switches protocols without being asked",
        ),
    ] {
        let detail = format!("the backend's answer is not HTTP: {detail}");
        assert_eq!(
            answered(head).await,
            broken(Seen::Answering, &detail),
            "{head}"
        );
    }
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let too_large = broken(
        Seen::Answering,
        "the backend's answer is not HTTP: its head is larger than 262144 bytes or 100 fields",
    );
    let many: String = (0..101).map(|n| format!("f{n}: v\r\n")).collect();
    let head = format!("HTTP/1.1 200 OK\r\n{many}\r\n");
    assert_eq!(answered(&head).await, too_large);
    let head = format!("HTTP/1.1 200 OK\r\nf: {}\r\n\r\n", "x".repeat(300 * 1024));
    assert_eq!(answered(&head).await, too_large);
    let many: String = (0..95).map(|n| format!("f{n}: {n:01500}\r\n")).collect();
    let head = format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\nok");
    assert_eq!(answered(&head).await.unwrap(), "ok");
}

#[tokio::test]
async fn bodies_that_are_cut() {
    let cut = broken(
        Seen::Answering,
        "the backend closed the connection before its answer was complete",
    );
    for body in [
        "content-length: 5\r\n\r\nhell",
        "content-length: 5\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhel",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nsome: trailer\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{body}");
        assert_eq!(answered(&text).await, cut, "{body}");
    }
}

#[tokio::test]
async fn chunks_that_are_not() {
    for body in [
        "x\r\n",
        "5\r\nhello!!",
        "-1\r\n",
        "5 5\r\nhello\r\n",
        "fffffffffffffffff\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}\r\n\r\n");
        let failed = answered(&text).await.unwrap_err();
        assert_eq!(
            (failed.cause, failed.seen),
            (Cause::Broken, Seen::Answering)
        );
        let start = "the backend's answer is not HTTP: ";
        assert!(
            failed.detail.starts_with(start),
            "{body}: {}",
            failed.detail
        );
    }
}

#[tokio::test]
async fn a_reset_is_no_end_even_where_the_end_is_the_end() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\n\r\nhello").await;
    let mut body = sent.await.unwrap().unwrap().body;
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "hello"
    );
    peer.reset();
    let reset = "the backend reset the connection before its answer was complete";
    // It stays that way: nobody who asks again gets a clean end.
    for _ in 0..2 {
        let failed = body.frame().await.unwrap().unwrap_err();
        assert_eq!(failed, failure(Cause::Broken, Seen::Answering, reset));
        assert!(!body.is_end_stream());
    }
}

#[tokio::test]
async fn an_early_answer_is_had_although_the_backend_closed_on_our_upload() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let (upload, body) = channel();
    let sent = start(&pool, &upstream, post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    let answer =
        "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno!";
    peer.write(answer).await;
    peer.reset();
    // The answer and the reset have arrived, but the next thing that happens here is a write.
    let more = Bytes::from(vec![0; 64 * 1024]);
    upload.data(more).await;
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.head.status, 413);
    assert_eq!(read_text(answer).await, "no!");
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn an_upload_that_is_reset_half_way_through_its_answer_ends_with_an_error() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\n\r\nhal").await;
    peer.reset();
    // The write takes the reset from the socket; the end that the read then sees is not clean.
    let more = Bytes::from(vec![0; 64 * 1024]);
    upload.data(more).await;
    let failed = match sent.await.unwrap() {
        Ok(answer) => read(answer.body).await.unwrap_err(),
        Err(failed) => failed,
    };
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Broken, Seen::Answering)
    );
}

#[tokio::test]
async fn a_request_body_that_fails_is_not_the_backends_fault() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    upload.fail("the client is gone").await;
    let failed = sent.await.unwrap().unwrap_err();
    let detail = "the request's body ended early: the client is gone";
    assert_eq!(failed, failure(Cause::Cancelled, Seen::Part, detail));
    peer.closed().await;

    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        .await;
    let answer = sent.await.unwrap().unwrap();
    upload.fail("the client is gone").await;
    let failed = read(answer.body).await.unwrap_err();
    assert_eq!(failed, failure(Cause::Cancelled, Seen::Part, detail));
    peer.closed().await;
}

#[tokio::test]
async fn a_request_body_shorter_than_announced_is_not_the_backends_fault() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let mut request = post(body);
    let headers = request.headers_mut();
    headers.insert("content-length", 5.into());
    let sent = start(&pool, &backend.upstream(), request, timeouts());
    let (mut peer, _) = backend.request().await;
    upload.data(Bytes::from_static(b"four")).await;
    drop(upload);
    let failed = sent.await.unwrap().unwrap_err();
    let detail = "the request's body was shorter than its Content-Length";
    assert_eq!(failed, failure(Cause::Cancelled, Seen::Part, detail));
    peer.closed().await;
}

#[tokio::test]
async fn a_body_in_memory_with_a_wrong_length_is_cut_to_it() {
    let (backend, pool) = (Backend::new().await, pool());
    let mut request = post(OutBody::Full(Bytes::from_static(b"hello")));
    request.headers_mut().insert("content-length", 4.into());
    let sent = start(&pool, &backend.upstream(), request, timeouts());
    let (mut peer, _) = backend.request().await;
    peer.until("hell").await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(sent.await.unwrap().unwrap().head.status, 204);
}
