//! Letting clients go: what is in flight finishes, what is idle closes, what takes too long is cut.

use std::time::Duration;

use raincheck_gateway::server::{DrainReport, ServerOptions};
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
