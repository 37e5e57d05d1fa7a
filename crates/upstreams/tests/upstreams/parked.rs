//! A long wait for an answer is spent without hyper. What comes after it is what would have come.
//! The clock is stopped once everything is where it belongs, see `silence`.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_upstreams::{OutBody, Upstreams};
use tokio::time::{advance, pause, resume};

use crate::backend::{Backend, Peer};
use crate::client::{channel, counts, eventually, get, idle, pool, post, read, read_text, start};

const LIMIT: Duration = Duration::from_secs(60);

/// Long enough for a wait to be a long one.
const LONG: Duration = Duration::from_secs(3);

/// Lets time pass, and others do what they do then.
async fn wait() {
    pause();
    for _ in 0..2 {
        advance(LONG).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    resume();
}

struct Held {
    backend: Backend,
    pool: Upstreams,
    peer: Peer,
    sent: tokio::task::JoinHandle<Result<raincheck_upstreams::Answer, Failure>>,
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// A request that waits for long, which it does without the task that runs hyper.
async fn held(request: Request<OutBody>) -> Held {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), request, idle(LIMIT));
    let (mut peer, head) = backend.request().await;
    if head.starts_with("POST") {
        peer.until("hello").await;
    }
    let before = tasks();
    wait().await;
    assert_eq!(tasks(), before - 1);
    Held {
        backend,
        pool,
        peer,
        sent,
    }
}

#[tokio::test]
async fn the_answer_comes_and_the_connection_serves_the_next() {
    let body = OutBody::Full(Bytes::from_static(b"hello"));
    let mut held = held(post(body)).await;
    held.peer
        .write("HTTP/1.1 201 Made\r\nx-one: 1\r\ncontent-length: 5\r\n\r\nworld")
        .await;
    let answer = held.sent.await.unwrap().unwrap();
    assert_eq!(answer.head.status, 201);
    assert_eq!(answer.head.headers["x-one"], "1");
    assert_eq!(read_text(answer).await, "world");

    let upstream = held.backend.upstream();
    eventually(|| counts(&held.pool, &upstream).idle == 1).await;
    let next = start(&held.pool, &upstream, get(), idle(LIMIT));
    // The very next bytes: nothing of what was given to another hyper has left.
    let head = held.peer.head().await;
    assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
    held.peer
        .write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    assert_eq!(read_text(next.await.unwrap().unwrap()).await, "ok");
    assert_eq!(counts(&held.pool, &upstream).opened, 1);
}

#[tokio::test]
async fn an_answer_in_pieces_larger_than_one_read() {
    let mut held = held(get()).await;
    let long = "x".repeat(3_000);
    held.peer.write("HT").await;
    wait().await;
    held.peer
        .write(&format!(
            "TP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nx-long: {long}\r\n\
             transfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n5\r\nhello\r\n"
        ))
        .await;
    let answer = held.sent.await.unwrap().unwrap();
    assert_eq!(answer.head.headers["x-long"].len(), 3_000);
    held.peer.write("0\r\nx-end: 7\r\n\r\n").await;
    let read = read(answer.body).await.unwrap();
    assert_eq!(read.data, "hello");
    assert_eq!(read.trailers.unwrap()["x-end"], "7");
}

#[tokio::test]
async fn an_answer_may_end_with_the_connection() {
    let mut held = held(get()).await;
    held.peer.write("HTTP/1.1 200 OK\r\n\r\nhello").await;
    drop(held.peer);
    let answer = held.sent.await.unwrap().unwrap();
    assert_eq!(read_text(answer).await, "hello");
}

#[tokio::test]
async fn bytes_behind_the_answer_are_no_answer_to_the_next() {
    let mut held = held(get()).await;
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".to_owned();
    held.peer.write(&format!("{twice}ok{twice}no")).await;
    let answer = held.sent.await.unwrap().unwrap();
    assert_eq!(read_text(answer).await, "ok");
    held.peer.closed().await;
    let upstream = held.backend.upstream();
    let next = start(&held.pool, &upstream, get(), idle(LIMIT));
    let (mut peer, _) = held.backend.request().await;
    peer.write(&format!("{twice}ok")).await;
    assert_eq!(read_text(next.await.unwrap().unwrap()).await, "ok");
}

#[tokio::test]
async fn what_is_not_http_is_said() {
    let mut held = held(get()).await;
    held.peer.write("SSH-2.0-x\r\n").await;
    let failure = held.sent.await.unwrap().unwrap_err();
    assert_eq!(failure.cause, Cause::Broken);
    let detail = "the backend's answer is not HTTP: ";
    assert!(failure.detail.starts_with(detail), "{failure:?}");
    held.peer.closed().await;
}

#[tokio::test]
async fn after_an_interim_answer_it_is_waited_for_as_before() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\nHTTP")
        .await;
    wait().await;
    peer.write("/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
}

#[tokio::test]
async fn the_answer_to_a_head_request_has_no_body() {
    let head = Request::head("/path").header("host", "backend");
    let mut held = held(head.body(OutBody::Empty).unwrap()).await;
    held.peer
        .write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        .await;
    let answer = held.sent.await.unwrap().unwrap();
    let upstream = held.backend.upstream();
    assert!(answer.body.collect().await.unwrap().to_bytes().is_empty());
    eventually(|| counts(&held.pool, &upstream).idle == 1).await;
}

#[tokio::test]
async fn a_backend_that_leaves_meanwhile_has_given_no_answer() {
    let held = held(get()).await;
    drop(held.peer);
    let failure = held.sent.await.unwrap().unwrap_err();
    let expected = Failure {
        cause: Cause::Broken,
        seen: Seen::All,
        detail: "the backend closed the connection without an answer".to_owned(),
    };
    assert_eq!(failure, expected);
}

#[tokio::test]
async fn a_backend_that_resets_meanwhile_has_given_no_answer() {
    let held = held(get()).await;
    held.peer.tcp.set_zero_linger().unwrap();
    drop(held.peer);
    let failure = held.sent.await.unwrap().unwrap_err();
    assert_eq!((failure.cause, failure.seen), (Cause::Broken, Seen::All));
    let detail = "the backend reset the connection without an answer";
    assert_eq!(failure.detail, detail);
}

#[tokio::test]
async fn silence_goes_on_being_counted() {
    let held = held(get()).await;
    pause();
    let failure = held.sent.await.unwrap().unwrap_err();
    assert_eq!((failure.cause, failure.seen), (Cause::Timeout, Seen::All));
    let mut peer = held.peer;
    peer.closed().await;
}

#[tokio::test]
async fn silence_after_the_first_bytes_is_silence() {
    let mut held = held(get()).await;
    held.peer.write("HTTP/1.1 200").await;
    wait().await;
    pause();
    let failure = held.sent.await.unwrap().unwrap_err();
    assert_eq!(failure.cause, Cause::Timeout);
    held.peer.closed().await;
}

#[tokio::test]
async fn who_gives_up_resets_the_connection() {
    let mut held = held(get()).await;
    held.sent.abort();
    let read = tokio::io::AsyncReadExt::read(&mut held.peer.tcp, &mut [0; 8]).await;
    let kind = read.unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_request_that_is_not_wholly_sent_goes_on() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), idle(LIMIT));
    let (mut peer, _) = backend.request().await;
    upload.data(Bytes::from_static(b"hello")).await;
    peer.until("hello").await;
    wait().await;
    upload.data(Bytes::from_static(b"world")).await;
    peer.until("world").await;
    drop(upload);
    peer.until("0\r\n\r\n").await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
}
