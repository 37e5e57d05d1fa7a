//! How far a request had come when its exchange failed.

use bytes::Bytes;
use raincheck_core::outcome::Seen;
use raincheck_upstreams::OutBody;

use crate::backend::Backend;
use crate::client::{channel, pool, post, read, start, timeouts};

#[tokio::test]
async fn a_request_that_found_nobody() {
    let upstream = Backend::new().await.upstream();
    let sent = start(&pool(), &upstream, post(OutBody::Empty), timeouts());
    assert_eq!(sent.await.unwrap().unwrap_err().seen, Seen::Unreached);
}

#[tokio::test]
async fn a_part_of_a_request() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, body) = channel();
    let sent = start(&pool, &backend.upstream(), post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    upload.data(Bytes::from_static(b"half of it")).await;
    peer.until("half of it").await;
    peer.reset();
    assert_eq!(sent.await.unwrap().unwrap_err().seen, Seen::Part);
    drop(upload);
}

#[tokio::test]
async fn all_of_a_request() {
    let (backend, pool) = (Backend::new().await, pool());
    let (upload, streamed) = channel();
    upload.data(Bytes::from_static(b"all of it")).await;
    drop(upload);
    let full = OutBody::Full(Bytes::from_static(b"all of it"));
    for (body, end) in [(full, "all of it"), (streamed, "\r\n0\r\n\r\n")] {
        let sent = start(&pool, &backend.upstream(), post(body), timeouts());
        let (mut peer, _) = backend.request().await;
        peer.until(end).await;
        peer.reset();
        assert_eq!(sent.await.unwrap().unwrap_err().seen, Seen::All, "{end}");
    }
}

#[tokio::test]
async fn a_request_whose_answer_is_lost() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), post(OutBody::Empty), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal")
        .await;
    drop(peer);
    let answer = sent.await.unwrap().unwrap();
    let lost = read(answer.body).await.unwrap_err();
    assert_eq!(lost.seen, Seen::Answering);
}
