//! HTTP/2 to upstreams: streams, limits, trailers, resets and goodbyes, against a scripted server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;
use raincheck_core::route::upstream::{Protocol, Reach};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::backend::Backend;
use crate::client::{channel, get, pool, post, read, read_text, start, timeouts};

/// A request, and where its answer goes.
type Call = (Request<RecvStream>, SendResponse<Bytes>);

/// A server: each call comes with the number of its connection.
struct Server {
    upstream: Upstream,
    calls: mpsc::UnboundedReceiver<(usize, Call)>,
    /// Says goodbye on a connection.
    goodbye: tokio::sync::broadcast::Sender<usize>,
}

fn h2(mut upstream: Upstream, connections: Option<u32>) -> Upstream {
    upstream.reach = Some(Arc::new(Reach {
        protocol: Protocol::H2,
        connections,
        ..Reach::default()
    }));
    upstream
}

impl Server {
    async fn new(streams_max: u32, connections: Option<u32>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, calls) = mpsc::unbounded_channel();
        let goodbye = tokio::sync::broadcast::channel(8).0;
        let goodbyes = goodbye.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut builder = h2::server::Builder::new();
                builder.max_concurrent_streams(streams_max);
                let connection = builder.handshake::<_, Bytes>(tcp).await.unwrap();
                let (sender, goodbyes) = (sender.clone(), goodbyes.subscribe());
                tokio::spawn(serve(connection, number, sender, goodbyes));
            }
        });
        let scheme = raincheck_core::route::Scheme::Http;
        Self {
            upstream: h2(Upstream::new(scheme, "127.0.0.1", port), connections),
            calls,
            goodbye,
        }
    }

    async fn call(&mut self) -> (usize, Call) {
        self.calls.recv().await.unwrap()
    }
}

async fn serve(
    mut connection: Connection<TcpStream, Bytes>,
    number: usize,
    sender: mpsc::UnboundedSender<(usize, Call)>,
    mut goodbyes: tokio::sync::broadcast::Receiver<usize>,
) {
    loop {
        tokio::select! {
            call = connection.accept() => match call {
                Some(Ok(call)) => _ = sender.send((number, call)),
                _ => return,
            },
            Ok(meant) = goodbyes.recv() => {
                if meant == number {
                    connection.graceful_shutdown();
                }
            }
        }
    }
}

fn answer(respond: &mut SendResponse<Bytes>, text: &'static str) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::from_static(text.as_bytes()), true)
        .unwrap();
}

#[tokio::test]
async fn another_connection_is_opened_at_the_stream_limit() {
    let mut server = Server::new(2, None).await;
    let pool = pool();
    let mut sent = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..5 {
        sent.push(start(&pool, &server.upstream, get(), timeouts()));
        calls.push(server.call().await);
    }
    let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 0, 1, 1, 2]);
    for (_, (request, respond)) in &mut calls {
        assert_eq!(request.uri().authority().unwrap(), "backend");
        assert_eq!(request.uri().path_and_query().unwrap(), "/path?query");
        assert_eq!(request.headers()["te"], "trailers");
        assert!(!request.headers().contains_key("host"));
        answer(respond, "ok");
    }
    for sent in sent {
        assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
    }
    // All are free again.
    let sent = start(&pool, &server.upstream, get(), timeouts());
    let (number, (_, mut respond)) = server.call().await;
    assert_eq!(number, 0);
    answer(&mut respond, "ok");
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
}

#[tokio::test]
async fn bodies_stream_both_ways_and_trailers_pass() {
    let mut server = Server::new(100, None).await;
    let pool = pool();
    let (upload, body) = channel();
    let sent = start(&pool, &server.upstream, post(body), timeouts());
    let (_, (mut request, mut respond)) = server.call().await;
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    let mut answer = sent.await.unwrap().unwrap().body;
    // One after the other, each way: nothing waits for the end of the other side.
    for turn in 0..3 {
        let text = Bytes::from(format!("turn {turn}"));
        upload.data(text.clone()).await;
        assert_eq!(request.body_mut().data().await.unwrap().unwrap(), text);
        body.send_data(text.clone(), false).unwrap();
        assert_eq!(crate::client::data(&mut answer).await, text);
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    upload.trailers(trailers.clone()).await;
    drop(upload);
    assert!(request.body_mut().data().await.is_none());
    assert_eq!(
        request.body_mut().trailers().await.unwrap().unwrap(),
        trailers
    );
    body.send_trailers(trailers.clone()).unwrap();
    assert_eq!(read(answer).await.unwrap().trailers, Some(trailers));
}

#[tokio::test]
async fn who_gives_up_resets_its_stream_and_no_other() {
    let mut server = Server::new(100, None).await;
    let pool = pool();
    let given_up = start(&pool, &server.upstream, get(), timeouts());
    let (_, (_first, mut first)) = server.call().await;
    let kept = start(&pool, &server.upstream, get(), timeouts());
    let (number, (_second, mut second)) = server.call().await;
    assert_eq!(number, 0);
    given_up.abort();
    let reason = std::future::poll_fn(|cx| first.poll_reset(cx))
        .await
        .unwrap();
    assert_eq!(reason, Reason::CANCEL);
    // The same in the middle of an answer.
    let mut body = second.send_response(Response::new(()), false).unwrap();
    let answered = kept.await.unwrap().unwrap();
    drop(answered);
    let reason = std::future::poll_fn(|cx| body.poll_reset(cx))
        .await
        .unwrap();
    assert_eq!(reason, Reason::CANCEL);
    let sent = start(&pool, &server.upstream, get(), timeouts());
    let (number, (_, mut third)) = server.call().await;
    assert_eq!(number, 0);
    answer(&mut third, "ok");
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
}

#[tokio::test]
async fn after_a_goodbye_streams_end_and_others_go_elsewhere() {
    let mut server = Server::new(100, None).await;
    let pool = pool();
    let sent = start(&pool, &server.upstream, get(), timeouts());
    let (_, (_request, mut respond)) = server.call().await;
    server.goodbye.send(0).unwrap();
    let mut number = 0;
    // Until the goodbye has come here, requests may still be taken by the old connection.
    while number == 0 {
        let sent = start(&pool, &server.upstream, get(), timeouts());
        let (at, (_, mut respond)) = server.call().await;
        number = at;
        answer(&mut respond, "ok");
        assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
    }
    answer(&mut respond, "late");
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "late");
}

#[tokio::test]
async fn a_refused_stream_was_not_seen_and_is_sent_again_where_it_can_be() {
    let mut server = Server::new(100, None).await;
    let pool = pool();
    let whole = post(raincheck_upstreams::OutBody::Full(Bytes::from_static(
        b"abc",
    )));
    let sent = start(&pool, &server.upstream, whole, timeouts());
    let (_, (_request, mut respond)) = server.call().await;
    respond.send_reset(Reason::REFUSED_STREAM);
    let (_, (mut request, mut respond)) = server.call().await;
    assert_eq!(request.body_mut().data().await.unwrap().unwrap(), "abc");
    answer(&mut respond, "ok");
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");

    let (_upload, body) = channel();
    let sent = start(&pool, &server.upstream, post(body), timeouts());
    let (_, (_request, mut respond)) = server.call().await;
    respond.send_reset(Reason::REFUSED_STREAM);
    let failure = sent.await.unwrap().unwrap_err();
    assert_eq!((failure.cause, failure.seen), (Cause::Broken, Seen::Unsent));

    // Any other reset may have come after the work.
    let sent = start(&pool, &server.upstream, get(), timeouts());
    let (_, (_request, mut respond)) = server.call().await;
    respond.send_reset(Reason::INTERNAL_ERROR);
    let failure = sent.await.unwrap().unwrap_err();
    assert_eq!((failure.cause, failure.seen), (Cause::Broken, Seen::All));
}

#[tokio::test]
async fn with_all_streams_taken_a_request_waits_its_turn() {
    let mut server = Server::new(1, Some(1)).await;
    let pool = pool();
    let first = start(&pool, &server.upstream, get(), timeouts());
    let (_, (_request, mut respond)) = server.call().await;
    let hasty = Timeouts {
        connect: Duration::from_millis(20),
        ..timeouts()
    };
    let failure = pool.send(&server.upstream, get(), hasty).await.unwrap_err();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::Busy, Seen::Unreached)
    );
    let second = start(&pool, &server.upstream, get(), timeouts());
    answer(&mut respond, "first");
    assert_eq!(read_text(first.await.unwrap().unwrap()).await, "first");
    let (number, (_, mut respond)) = server.call().await;
    assert_eq!(number, 0);
    answer(&mut respond, "second");
    assert_eq!(read_text(second.await.unwrap().unwrap()).await, "second");
}

#[tokio::test]
async fn who_does_not_speak_it_gets_no_request() {
    let backend = Backend::new().await;
    let upstream = h2(backend.upstream(), None);
    let sent = start(&pool(), &upstream, get(), timeouts());
    let mut peer = backend.accept().await;
    assert_eq!(peer.until("\r\n\r\n").await, "PRI * HTTP/2.0\r\n\r\n");
    peer.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        .await;
    let failure = sent.await.unwrap().unwrap_err();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::Connect, Seen::Unreached)
    );
    assert!(failure.detail.contains("HTTP/2"), "{}", failure.detail);
}
