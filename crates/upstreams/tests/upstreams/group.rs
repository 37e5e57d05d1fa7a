//! Several servers: the least busy gets the request, and one that cannot be reached is passed over.

use std::sync::Arc;

use bytes::Bytes;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::route::{Backends, Group, Member, Upstream};
use raincheck_upstreams::{Answer, Upstreams};
use tokio::task::JoinSet;

use crate::backend::{Backend, Peer};
use crate::client::{channel, get, pool, post, read_text, timeouts};

/// A route's backends of these servers with these weights.
pub fn group(members: &[(&Upstream, u32)]) -> Backends {
    let member = |(upstream, weight): &(&Upstream, u32)| Member {
        upstream: (*upstream).clone(),
        weight: *weight,
    };
    let members = members.iter().map(member).collect();
    Backends::Group(Arc::new(Group::new("test", members)))
}

/// An upstream that refuses connections.
async fn closed() -> Upstream {
    Backend::new().await.upstream()
}

/// Sends eight requests that are not answered; says how many each backend got.
async fn pile(
    pool: &Upstreams,
    backends: &Backends,
    [one, two]: [&Backend; 2],
) -> ([usize; 2], JoinSet<Result<Answer, Failure>>, Vec<Peer>) {
    let (mut counts, mut clients, mut peers) = ([0, 0], JoinSet::new(), Vec::new());
    for _ in 0..8 {
        let (pool, backends) = (pool.clone(), backends.clone());
        clients.spawn(async move { pool.send_to(&backends, get(), timeouts()).await });
        let (index, (peer, _)) = tokio::select! {
            came = one.request() => (0, came),
            came = two.request() => (1, came),
        };
        counts[index] += 1;
        peers.push(peer);
    }
    (counts, clients, peers)
}

#[tokio::test]
async fn the_least_busy_gets_the_request_and_who_is_gone_does_not_count() {
    let (one, two) = (Backend::new().await, Backend::new().await);
    let pool = pool();
    let backends = group(&[(&one.upstream(), 3), (&two.upstream(), 1)]);
    for _ in 0..2 {
        let (counts, mut clients, mut peers) = pile(&pool, &backends, [&one, &two]).await;
        assert_eq!(counts, [6, 2]);
        clients.shutdown().await;
        for peer in &mut peers {
            peer.closed().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_was_not_sent_goes_to_the_next() {
    let open = Backend::new().await;
    let pool = pool();
    let members = [closed().await, open.upstream(), closed().await];
    let backends = group(&members.each_ref().map(|upstream| (upstream, 1)));
    for _ in 0..6 {
        let (upload, body) = channel();
        upload.data(Bytes::from_static(b"once")).await;
        drop(upload);
        let sending = pool.send_to(&backends, post(body), timeouts());
        let serving = async {
            let (mut peer, _) = open.request().await;
            peer.until("once\r\n0\r\n\r\n").await;
            peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
                .await;
        };
        let (answer, ()) = tokio::join!(sending, serving);
        assert_eq!(read_text(answer.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn a_request_that_was_sent_goes_to_no_other() {
    let (one, two) = (Backend::new().await, Backend::new().await);
    let pool = pool();
    let backends = group(&[(&one.upstream(), 1), (&two.upstream(), 1)]);
    let serving = async {
        let (peer, _) = tokio::select! {
            came = one.request() => came,
            came = two.request() => came,
        };
        peer.reset();
    };
    let (sent, ()) = tokio::join!(pool.send_to(&backends, get(), timeouts()), serving);
    let failure = sent.unwrap_err();
    assert_eq!((failure.cause, failure.seen), (Cause::Broken, Seen::All));
}

#[tokio::test]
async fn nobody_there_is_an_unsent_request() {
    let members = [closed().await, closed().await];
    let backends = group(&members.each_ref().map(|upstream| (upstream, 1)));
    let failure = pool()
        .send_to(&backends, get(), timeouts())
        .await
        .unwrap_err();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::Connect, Seen::Unreached)
    );
    assert!(
        failure.detail.contains("connection refused"),
        "{}",
        failure.detail
    );
}
