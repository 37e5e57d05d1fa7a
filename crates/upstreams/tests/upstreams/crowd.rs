//! Many exchanges at once on many threads: none is lost, none gets another's answer, and the
//! connections are used again.

use bytes::Bytes;
use raincheck_core::route::Upstream;
use raincheck_upstreams::{Options, OutBody, Upstreams};
use tokio::task::JoinSet;

use crate::backend::{Backend, Peer};
use crate::client::{channel, counts, pool, post, read_text, timeouts};

const CLIENTS: usize = 32;
const EXCHANGES: usize = 50;

/// Answers each request with its own body, in one of the ways in which bodies are framed.
async fn echo(mut peer: Peer) {
    for turn in 0.. {
        let Some(head) = peer.next_head().await else {
            return;
        };
        let end = if head.contains("chunked") {
            "\r\n0\r\n\r\n"
        } else {
            "!"
        };
        let body = peer.until(end).await;
        let text = body.split("\r\n").find(|part| part.ends_with('!')).unwrap();
        let (length, half) = (text.len(), text.len() / 2);
        let (first, second) = text.split_at(half);
        let answer = if turn % 2 == 0 {
            format!("content-length: {length}\r\n\r\n{text}")
        } else {
            let (one, two) = (first.len(), second.len());
            format!(
                "transfer-encoding: chunked\r\n\r\n{one:x}\r\n{first}\r\n{two:x}\r\n{second}\r\n0\r\n\r\n"
            )
        };
        peer.write(&format!("HTTP/1.1 200 OK\r\n{answer}")).await;
    }
}

async fn client(pool: Upstreams, upstream: Upstream, name: usize) {
    for turn in 0..EXCHANGES {
        let text = format!("this is exchange {turn} of client {name}!");
        let body = if turn % 3 == 0 {
            let (sender, body) = channel();
            let bytes = Bytes::from(text.clone());
            tokio::spawn(async move { sender.data(bytes).await });
            body
        } else {
            OutBody::Full(Bytes::from(text.clone()))
        };
        let answer = pool.send(&upstream, post(body), timeouts()).await.unwrap();
        assert_eq!(read_text(answer).await, text);
    }
}

async fn crowd(pool: Upstreams) -> u64 {
    let backend = Backend::new().await;
    let upstream = backend.upstream();
    let mut clients = JoinSet::new();
    for name in 0..CLIENTS {
        clients.spawn(client(pool.clone(), upstream.clone(), name));
    }
    let mut peers = JoinSet::new();
    loop {
        tokio::select! {
            peer = backend.accept() => {
                peers.spawn(echo(peer));
            }
            ended = clients.join_next() => match ended {
                Some(ended) => ended.unwrap(),
                None => break,
            },
        }
    }
    let counted = counts(&pool, &upstream);
    let exchanges = u64::try_from(CLIENTS * EXCHANGES).unwrap();
    assert_eq!(counted.opened + counted.reused, exchanges);
    eprintln!("loop over {counted:?}");
    drop(pool);
    while let Some(ended) = peers.join_next().await {
        ended.unwrap();
    }
    counted.opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_limit() {
    let opened = crowd(pool()).await;
    assert!(opened < 400, "{opened}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_a_limit() {
    let options = Options {
        connections_per_upstream: Some(4),
        ..Options::default()
    };
    let opened = crowd(Upstreams::new(options).unwrap()).await;
    assert!(opened < 100, "{opened}");
}
