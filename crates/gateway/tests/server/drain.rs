//! Letting clients go: what is in flight finishes, what is idle closes, what takes too long is cut.

use std::time::Duration;

use raincheck_gateway::server::{DrainReport, Heir, ServerOptions};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::rig::Rig;

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_close() {
    let rig = Rig::start();
    let mut idle = rig.client().await;
    idle.get("/a").await;
    let mut fresh = rig.client().await;
    let mut busy = rig.client().await;
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    rig.arrived().await;
    let draining = tokio::spawn({
        let server = rig.server.clone();
        async move { server.drain(LONG).await }
    });
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(TcpStream::connect(rig.addr()).await.is_err());
    assert!(!draining.is_finished());
    rig.paths.release.notify_one();
    let (head, body) = busy.answer().await;
    assert_eq!(body, "waited");
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert_eq!(busy.rest().await, "");
    let report = draining.await.unwrap();
    assert_eq!(
        report,
        DrainReport {
            finished: 3,
            cut: 0
        }
    );
    assert_eq!(rig.server.connections(), 0);
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let rig = Rig::start();
    let mut busy = rig.client().await;
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    rig.arrived().await;
    let report = rig.server.drain(Duration::from_millis(20)).await;
    assert_eq!(
        report,
        DrainReport {
            finished: 0,
            cut: 1
        }
    );
    rig.handler_dropped().await;
    assert!(busy.stream.read_to_end(&mut Vec::new()).await.is_err());
    // Draining again has nothing left to do.
    assert_eq!(rig.server.drain(LONG).await, report);
}

#[tokio::test]
async fn a_request_that_is_arriving_is_still_served() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.get("/a").await;
    client
        .send("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhel")
        .await;
    while rig.requests() < 2 {
        tokio::task::yield_now().await;
    }
    let server = rig.server.clone();
    let draining = tokio::spawn(async move { server.drain(LONG).await });
    while TcpStream::connect(rig.addr()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    client.send("lo").await;
    assert_eq!(client.answer().await.1, "hello");
    draining.await.unwrap();
}

/// Begins to drain, and waits until the server has noticed.
async fn drained(rig: &Rig) -> tokio::task::JoinHandle<DrainReport> {
    let server = rig.server.clone();
    let draining = tokio::spawn(async move { server.drain(LONG).await });
    while TcpStream::connect(rig.addr()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    draining
}

/// Options of a server that waits for last requests until they come.
fn patient() -> ServerOptions {
    ServerOptions {
        last_request_wait: LONG,
        ..ServerOptions::default()
    }
}

#[tokio::test]
async fn a_kept_connection_may_bring_a_last_request_and_is_told_that_it_was() {
    let rig = Rig::with(patient());
    let mut idle = rig.client().await;
    idle.get("/a").await;
    let mut fresh = rig.client().await;
    while rig.server.connections() < 2 {
        tokio::task::yield_now().await;
    }
    let draining = drained(&rig).await;
    for client in [&mut idle, &mut fresh] {
        client.send("GET /b HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let (head, body) = client.answer().await;
        assert_eq!(body, "GET /b");
        assert!(head.contains("\r\nconnection: close"), "{head}");
        assert_eq!(client.rest().await, "");
    }
    assert_eq!(draining.await.unwrap().cut, 0);
}

#[tokio::test]
async fn an_answer_that_promised_more_is_not_the_last_one() {
    let rig = Rig::with(patient());
    let mut client = rig.client().await;
    client.send("GET /halves HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("half ").await;
    let draining = drained(&rig).await;
    rig.paths.release.notify_waiters();
    let (head, body) = client.answer().await;
    assert_eq!(body, "half half ");
    assert!(!head.contains("connection:"), "{head}");
    client.send("GET /b HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (head, body) = client.answer().await;
    assert_eq!(body, "GET /b");
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert_eq!(client.rest().await, "");
    draining.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_promised_more_ends_before_its_connection_is_handed_over() {
    let (given, mut gives) = tokio::sync::mpsc::unbounded_channel();
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send("GET /halves HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("half ").await;
    rig.server.hand_over(Heir::new(move |socket| {
        given.send(socket).unwrap();
    }));
    rig.paths.release.notify_waiters();
    let (head, _) = client.answer().await;
    assert!(!head.contains("connection:"), "{head}");
    let next = Rig::start();
    next.server.inherit(gives.recv().await.unwrap());
    assert_eq!(client.get("/b").await, "GET /b");
    // And on to a third one, also from one that has made way itself.
    let (given, mut gives) = tokio::sync::mpsc::unbounded_channel();
    next.server.hand_over(Heir::new(move |socket| {
        given.send(socket).unwrap();
    }));
    let again = gives.recv().await.unwrap();
    next.server.inherit(again);
    let last = Rig::start();
    last.server.inherit(gives.recv().await.unwrap());
    assert_eq!(client.get("/c").await, "GET /c");
    assert_eq!((next.requests(), last.requests()), (1, 1));
}

#[tokio::test]
async fn a_full_server_drains_too() {
    let options = ServerOptions {
        connections_max: 1,
        ..ServerOptions::default()
    };
    let rig = Rig::with(options);
    let mut first = rig.client().await;
    first.get("/a").await;
    let mut queued = rig.client().await;
    let report = rig.server.drain(LONG).await;
    assert_eq!(report.cut, 0);
    assert_eq!(first.rest().await, "");
    // It was never accepted, so the close of the listener reset it.
    assert!(queued.stream.read_to_end(&mut Vec::new()).await.is_err());
}
