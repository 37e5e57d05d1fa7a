//! HTTP/2 with prior knowledge on the same port.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::rig::{Rig, impatient};

type Connection = JoinHandle<hyper::Result<()>>;

async fn connect(rig: &Rig) -> (SendRequest<Full<Bytes>>, Connection) {
    let stream = TcpStream::connect(rig.addr()).await.unwrap();
    let (send, conn) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    (send, tokio::spawn(conn))
}

fn request(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let uri = format!("http://a.example{path}");
    Request::post(uri)
        .version(Version::HTTP_2)
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test]
async fn streams_are_served_side_by_side() {
    let rig = Rig::start();
    let (mut send, _conn) = connect(&rig).await;
    let waiting = send.send_request(request("/wait", ""));
    rig.arrived().await;
    let echo = send.send_request(request("/echo", "hello")).await.unwrap();
    assert_eq!(echo.status(), StatusCode::OK);
    assert_eq!(
        echo.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
    rig.paths.release.notify_one();
    let waited = waiting.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(waited.to_bytes(), "waited");
    assert_eq!(rig.server.connections(), 1);
}

#[tokio::test]
async fn an_abort_resets_one_stream_only() {
    let rig = Rig::start();
    let (mut send, _conn) = connect(&rig).await;
    assert!(send.send_request(request("/abort", "")).await.is_err());
    let broken = send.send_request(request("/broken", "")).await.unwrap();
    assert!(broken.into_body().collect().await.is_err());
    assert!(send.send_request(request("/a", "")).await.is_ok());
}

#[tokio::test]
async fn a_reset_stream_takes_its_handler_along() {
    let rig = Rig::start();
    let (mut send, _conn) = connect(&rig).await;
    let waiting = send.send_request(request("/wait", ""));
    rig.arrived().await;
    drop(waiting);
    rig.handler_dropped().await;
}

#[tokio::test]
async fn a_drain_lets_streams_finish_and_takes_no_more() {
    let rig = Rig::start();
    let (mut send, conn) = connect(&rig).await;
    let waiting = send.send_request(request("/wait", ""));
    rig.arrived().await;
    let server = rig.server.clone();
    let draining = tokio::spawn(async move { server.drain(Duration::from_secs(3600)).await });
    while TcpStream::connect(rig.addr()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    rig.paths.release.notify_one();
    let waited = waiting.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(waited.to_bytes(), "waited");
    assert_eq!(draining.await.unwrap().finished, 1);
    conn.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_let_go_and_a_waiting_one_is_not() {
    let rig = Rig::with(impatient());
    let (mut busy, _busy_conn) = connect(&rig).await;
    let waiting = busy.send_request(request("/wait", ""));
    rig.arrived().await;
    let (mut idle, conn) = connect(&rig).await;
    idle.send_request(request("/a", "")).await.unwrap();
    conn.await.unwrap().unwrap();
    let (_send, conn) = connect(&rig).await;
    let _ = conn.await.unwrap();
    rig.paths.release.notify_one();
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_upgrade_to_h2c_is_answered_in_http1() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.1, "GET /a");
    assert_eq!(client.get("/b").await, "GET /b");
}

#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset_and_others_live_on() {
    let rig = Rig::with(impatient());
    let (mut send, _conn) = connect(&rig).await;
    let endless = send.send_request(request("/endless", "")).await.unwrap();
    let waiting = send.send_request(request("/wait", ""));
    rig.arrived().await;
    // Three clients run into their timeouts one after another meanwhile.
    for _ in 0..3 {
        assert_eq!(rig.talk("").await, "");
    }
    // The answer has no end of its own.
    assert!(endless.into_body().collect().await.is_err());
    rig.paths.release.notify_one();
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}
