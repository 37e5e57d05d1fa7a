//! The kill switch: no socket outlives the interest in it.

use bytes::Bytes;
use raincheck_upstreams::OutBody;

use crate::backend::Backend;
use crate::client::{
    channel, counts, data, eventually, get, pool, post, read_text, start, timeouts,
};

const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";

#[tokio::test]
async fn an_early_answer_to_an_upload_leaks_no_socket() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let (_upload, body) = channel();
    let sent = start(&pool, &upstream, post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write(TOO_LARGE).await;
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.head.status, 413);
    assert_eq!(read_text(answer).await, "no");
    peer.closed().await;
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn an_early_answer_to_a_body_in_memory_leaks_no_socket() {
    // More than the sockets take: hyper has all of it, the backend reads none.
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let body = OutBody::Full(Bytes::from(vec![0; 32 << 20]));
    let sent = start(&pool, &upstream, post(body), timeouts());
    let mut peer = backend.accept().await;
    peer.tcp.readable().await.unwrap();
    peer.write(TOO_LARGE).await;
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(read_text(answer).await, "no");
    // The connection is given a moment, then closed; the peer still reads nothing.
    while peer.tcp.take_error().unwrap().is_none() {
        let ready = peer.tcp.ready(tokio::io::Interest::ERROR).await.unwrap();
        if ready.is_error() {
            break;
        }
    }
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        .await;
    let mut body = sent.await.unwrap().unwrap().body;
    assert_eq!(data(&mut body).await, "hello");
    drop(body);
    peer.closed().await;
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), timeouts());
    let (mut peer, _) = backend.request().await;
    sent.abort();
    peer.closed().await;

    let (_upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    sent.abort();
    peer.closed().await;
}

#[tokio::test]
async fn dropping_the_pool_closes_idle_connections() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    let answer = sent.await.unwrap().unwrap();
    eventually(|| counts(&pool, &upstream).idle == 1).await;
    drop(pool);
    peer.closed().await;
    drop(answer);
}
