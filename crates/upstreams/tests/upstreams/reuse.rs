//! Connections that are used again, and those that must not be.

use std::time::Duration;

use bytes::Bytes;
use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_upstreams::{Options, OutBody, Upstreams};

use crate::backend::Backend;
use crate::client::{counts, eventually, get, pool, post, read_text, start, timeouts};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let serve = async {
        let mut peer = backend.accept().await;
        for _ in 0..3 {
            let head = peer.head().await;
            assert!(head.starts_with("GET /path?query HTTP/1.1\r\nhost: backend\r\n"));
            peer.write(HELLO).await;
        }
        peer
    };
    let ask = async {
        for _ in 0..3 {
            let answer = pool.send(&upstream, get(), timeouts()).await.unwrap();
            assert_eq!(answer.head.status, 200);
            assert_eq!(read_text(answer).await, "hello");
            eventually(|| counts(&pool, &upstream).idle == 1).await;
        }
    };
    let (mut peer, ()) = tokio::join!(serve, ask);
    let counted = counts(&pool, &upstream);
    assert_eq!((counted.opened, counted.reused), (1, 2));
    pool.drain();
    peer.closed().await;
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn empty_answers_give_their_connection_back() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let serve = async {
        let mut peer = backend.accept().await;
        for head in ["204 No Content\r\n", "200 OK\r\ncontent-length: 0\r\n"] {
            peer.head().await;
            peer.write(&format!("HTTP/1.1 {head}\r\n")).await;
        }
        peer
    };
    let ask = async {
        for _ in 0..2 {
            let answer = pool.send(&upstream, get(), timeouts()).await.unwrap();
            assert_eq!(read_text(answer).await, "");
            eventually(|| counts(&pool, &upstream).idle == 1).await;
        }
    };
    tokio::join!(serve, ask);
    assert_eq!(counts(&pool, &upstream).opened, 1);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_only_another_connection() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let serve = async {
        let (mut first, _) = backend.request().await;
        first.write(HELLO).await;
        first
    };
    let ask = pool.send(&upstream, get(), timeouts());
    let (first, answer) = tokio::join!(serve, ask);
    assert_eq!(read_text(answer.unwrap()).await, "hello");
    eventually(|| counts(&pool, &upstream).idle == 1).await;
    // The connection is not young any more, and it is closed, but nobody has seen it yet.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    drop(first);

    let serve = async {
        let (mut second, head) = backend.request().await;
        assert!(second.until("body").await.ends_with("body"));
        second.write(HELLO).await;
        head
    };
    let request = post(OutBody::Full(Bytes::from_static(b"body")));
    let (head, answer) = tokio::join!(serve, pool.send(&upstream, request, timeouts()));
    assert!(head.contains("content-length: 4\r\n"));
    assert_eq!(read_text(answer.unwrap()).await, "hello");
    assert_eq!(counts(&pool, &upstream).opened, 2);
}

#[tokio::test]
async fn a_connection_that_gets_bytes_while_idle_is_not_used_again() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let serve = async {
        let (mut first, _) = backend.request().await;
        first.write(HELLO).await;
        first
    };
    let ask = pool.send(&upstream, get(), timeouts());
    let (mut first, answer) = tokio::join!(serve, ask);
    assert_eq!(read_text(answer.unwrap()).await, "hello");
    eventually(|| counts(&pool, &upstream).idle == 1).await;
    first.write("HTTP/1.1 408 Request Timeout\r\n\r\n").await;
    first.closed().await;

    let serve = async {
        let (mut second, _) = backend.request().await;
        second.write(HELLO).await;
    };
    let ((), answer) = tokio::join!(serve, pool.send(&upstream, get(), timeouts()));
    assert_eq!(read_text(answer.unwrap()).await, "hello");
}

#[tokio::test]
async fn answers_that_end_the_connection_are_not_followed_on_it() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n",
    ] {
        let (backend, pool) = (Backend::new().await, pool());
        let upstream = backend.upstream();
        let serve = async {
            let (mut peer, _) = backend.request().await;
            peer.write(&format!("{head}\r\nhello")).await;
            peer.closed().await;
        };
        let ask = async {
            let answer = pool.send(&upstream, get(), timeouts()).await.unwrap();
            assert_eq!(read_text(answer).await, "hello");
        };
        tokio::join!(serve, ask);
        assert_eq!(counts(&pool, &upstream).idle, 0, "{head}");
    }
}

#[tokio::test]
async fn no_more_are_kept_idle_than_allowed_and_none_for_too_long() {
    let options = Options {
        idle_per_upstream: 2,
        idle_timeout: Duration::from_secs(30),
        ..Options::default()
    };
    let (backend, pool) = (Backend::new().await, Upstreams::new(options).unwrap());
    let upstream = backend.upstream();
    let serve = async {
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(backend.request().await.0);
        }
        for peer in &mut peers {
            peer.write(HELLO).await;
        }
        peers
    };
    let ask = async {
        let send = || pool.send(&upstream, get(), timeouts());
        let answers = tokio::join!(send(), send(), send());
        for answer in [answers.0, answers.1, answers.2] {
            assert_eq!(read_text(answer.unwrap()).await, "hello");
        }
        eventually(|| counts(&pool, &upstream).idle == 2).await;
    };
    let (mut peers, ()) = tokio::join!(serve, ask);
    let counted = counts(&pool, &upstream);
    assert_eq!((counted.opened, counted.reused), (3, 0));

    // From here the clock jumps to whatever is waited for.
    tokio::time::pause();
    for peer in &mut peers {
        peer.closed().await;
    }
    assert_eq!(counts(&pool, &upstream).idle, 0);
}

#[tokio::test]
async fn a_limit_on_connections_makes_the_next_exchange_wait_for_its_turn() {
    let options = Options {
        connections_per_upstream: Some(1),
        ..Options::default()
    };
    let (backend, pool) = (Backend::new().await, Upstreams::new(options).unwrap());
    let upstream = backend.upstream();
    let first = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        .await;
    let first = first.await.unwrap().unwrap();

    let hasty = Timeouts {
        connect: Duration::from_millis(10),
        ..timeouts()
    };
    let refused = pool.send(&upstream, get(), hasty).await.unwrap_err();
    assert_eq!(
        (refused.cause, refused.seen),
        (Cause::Busy, Seen::Unreached)
    );
    let detail = format!(
        "all connections allowed to {} were busy for 10ms",
        upstream.authority()
    );
    assert_eq!(refused.detail, detail);

    let second = start(&pool, &upstream, get(), timeouts());
    peer.write("hello").await;
    assert_eq!(read_text(first).await, "hello");
    peer.head().await;
    peer.write(HELLO).await;
    assert_eq!(read_text(second.await.unwrap().unwrap()).await, "hello");
    assert_eq!(counts(&pool, &upstream).opened, 1);
}
