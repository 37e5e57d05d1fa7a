//! Clients that owe us something for too long are let go; those that wait for us are not.

use std::time::Duration;

use tokio::time::Instant;

use crate::rig::{Rig, impatient};

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_silence() {
    let rig = Rig::with(impatient());
    assert_eq!(rig.talk("").await, "");
    let mut idle = rig.client().await;
    assert_eq!(idle.get("/a").await, "GET /a");
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn a_head_that_does_not_end_gets_408() {
    let rig = Rig::with(impatient());
    for head in [
        "G",
        "GET / HTTP/1.1\r\nhost: x\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ",
    ] {
        let answer = rig.talk(head).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{head:?}: {answer}");
        assert!(answer.contains("\"code\":\"request-timeout\""), "{answer}");
    }
    let mut second = rig.client().await;
    assert_eq!(second.get("/a").await, "GET /a");
    second.send("GET /").await;
    assert!(second.rest().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn dripping_a_head_does_not_help() {
    let rig = Rig::with(impatient());
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n").await;
    let began = Instant::now();
    let mut drip = tokio::time::interval(Duration::from_millis(20));
    let mut answer = Vec::new();
    // The head timeout counts from its first byte, whatever comes after.
    while answer.is_empty() {
        tokio::select! {
            _ = drip.tick() => client.send("x: y\r\n").await,
            _ = tokio::io::AsyncReadExt::read_buf(&mut client.stream, &mut answer) => {}
        }
    }
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408 "));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn nobody_is_hurried_who_waits_for_us() {
    let rig = Rig::with(impatient());
    let mut waiting = rig.client().await;
    waiting.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    rig.arrived().await;
    // Three others run into their timeouts one after another meanwhile.
    for _ in 0..3 {
        assert_eq!(rig.talk("").await, "");
    }
    // Part of the next request changes nothing about that.
    waiting.send("GET /a HTTP/1.1\r\n").await;
    for _ in 0..3 {
        assert_eq!(rig.talk("").await, "");
    }
    rig.paths.release.notify_one();
    assert_eq!(waiting.answer().await.1, "waited");
    waiting.send("host: x\r\n\r\n").await;
    assert_eq!(waiting.answer().await.1, "GET /a");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let rig = Rig::with(impatient());
    let mut client = rig.client().await;
    client
        .send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    // Not read: the socket fills, and after a while the connection is reset.
    client.stream.readable().await.unwrap();
    while rig.server.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let rest = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut Vec::new()).await;
    assert!(rest.is_err());
}
