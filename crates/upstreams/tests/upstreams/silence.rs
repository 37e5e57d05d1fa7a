//! How long an upstream may be silent. Each test runs in real time until everything is where it
//! belongs and then stops the clock, which from there on jumps to whatever is waited for.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::route::Scheme;
use tokio::time::{Instant, advance, pause, resume};

use crate::backend::Backend;
use crate::client::{channel, data, get, idle, pool, post, read, read_text, start};

const LIMIT: Duration = Duration::from_secs(20);
const PART: Duration = Duration::from_secs(15);

fn silent(seen: Seen, detail: &str) -> Failure {
    Failure {
        cause: Cause::Timeout,
        seen,
        detail: detail.to_owned(),
    }
}

fn about(time: Duration, expected: Duration) {
    let slack = Duration::from_millis(900);
    assert!(
        time >= expected - slack && time <= expected + slack,
        "{time:?}"
    );
}

#[tokio::test]
async fn no_answer_at_all() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    pause();
    let begun = Instant::now();
    let failed = sent.await.unwrap().unwrap_err();
    about(begun.elapsed(), LIMIT);
    assert_eq!(
        failed,
        silent(
            Seen::All,
            "the backend sent no answer and was silent for 20s"
        )
    );
    peer.closed().await;
}

#[tokio::test]
async fn between_two_parts_of_a_body() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        .await;
    let mut body = sent.await.unwrap().unwrap().body;
    assert_eq!(data(&mut body).await, "hello");
    pause();
    let begun = Instant::now();
    let failed = read(body).await.unwrap_err();
    about(begun.elapsed(), LIMIT);
    let detail = "the backend was silent for 20s in the middle of its answer";
    assert_eq!(failed, silent(Seen::Answering, detail));
    peer.closed().await;
}

#[tokio::test]
async fn each_part_begins_a_new_silence() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    pass(PART).await;
    peer.write("HTTP/1.1 102 Processing\r\n\r\n").await;
    settle().await;
    pass(PART).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        .await;
    let answer = sent.await.unwrap().unwrap();
    let reading = tokio::spawn(read_text(answer));
    for part in ["hello", "world"] {
        settle().await;
        pass(PART).await;
        peer.write(part).await;
    }
    assert_eq!(reading.await.unwrap(), "helloworld");
}

#[tokio::test]
async fn the_next_exchange_on_a_connection_has_all_of_its_own_time() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    pass(PART).await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    sent.await.unwrap().unwrap();
    settle().await;

    let sent = start(&pool, &upstream, get(), idle(LIMIT));
    peer.head().await;
    pass(PART).await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    sent.await.unwrap().unwrap();
    settle().await;

    // A shorter limit than the one the timer was armed with counts as well.
    let sent = start(&pool, &upstream, get(), idle(Duration::from_secs(2)));
    peer.head().await;
    pause();
    let begun = Instant::now();
    let failed = sent.await.unwrap().unwrap_err();
    about(begun.elapsed(), Duration::from_secs(2));
    assert_eq!(
        failed,
        silent(
            Seen::All,
            "the backend sent no answer and was silent for 2s"
        )
    );
}

#[tokio::test]
async fn waiting_for_our_own_upload_is_not_its_silence() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    for _ in 0..3 {
        pass(10 * LIMIT).await;
        upload.data(Bytes::from_static(b"hello")).await;
        peer.until("hello").await;
    }
    drop(upload);
    peer.until("0\r\n\r\n").await;
    pause();
    let begun = Instant::now();
    let failed = sent.await.unwrap().unwrap_err();
    about(begun.elapsed(), LIMIT);
    assert_eq!(failed.cause, Cause::Timeout);
}

#[tokio::test]
async fn a_slow_reader_is_not_its_silence() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        .await;
    let mut body = sent.await.unwrap().unwrap().body;
    pass(10 * LIMIT).await;
    assert_eq!(data(&mut body).await, "hello");
    pass(10 * LIMIT).await;
    peer.write("world").await;
    assert_eq!(data(&mut body).await, "world");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_too_slow_to_connect() {
    let (backend, pool) = (Backend::new().await, pool());
    let mut upstream = backend.upstream();
    upstream.scheme = Scheme::Https;
    let sent = start(&pool, &upstream, get(), idle(LIMIT));
    let mut peer = backend.accept().await;
    peer.tcp.readable().await.unwrap();
    pause();
    let failed = sent.await.unwrap().unwrap_err();
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Connect, Seen::Unreached)
    );
    let detail = format!("no connection to {} within 5s", upstream.authority());
    assert_eq!(failed.detail, detail);
    peer.closed().await;
}

/// Lets time pass for everybody.
async fn pass(time: Duration) {
    pause();
    advance(time).await;
    settle().await;
    resume();
}

/// Lets others see what has come.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
