//! Request bodies that nobody reads: a small one costs the client nothing, a large one its
//! connection, and then it is told so where that can still be said.

use std::time::Duration;

use raincheck_gateway::server::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{Client, Rig};

/// A POST that is refused before its body is sent; its answer's head.
async fn refused(client: &mut Client, fields: &str) -> String {
    let post = format!("POST /unread HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n");
    client.send(post).await;
    let (head, body) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(body, "no");
    head
}

#[tokio::test]
async fn a_small_body_that_comes_after_its_answer_is_dropped() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    for _ in 0..3 {
        let head = refused(&mut client, "content-length: 5").await;
        assert!(!head.contains("connection:"), "{head}");
        client.send("he").await;
        client.send("llo").await;
        assert_eq!(client.get("/a").await, "GET /a");
    }
    // What stands behind the body is the next request, also when it comes with it.
    refused(&mut client, "content-length: 65536").await;
    let next = "GET /b HTTP/1.1\r\nhost: x\r\n\r\n";
    client.send("a".repeat(65536) + next).await;
    assert_eq!(client.answer().await.1, "GET /b");
    assert_eq!(rig.server.connections(), 1);
}

#[tokio::test]
async fn a_small_body_in_chunks_is_dropped_after_an_answer_that_refuses_nothing() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let (head, body) = client.answer().await;
    assert!(!head.contains("connection:"), "{head}");
    assert_eq!(body, "POST /a");
    client.send("5\r\nhello\r\n").await;
    client.send("6\r\n again\r\n0\r\nx-sum: 1\r\n\r\n").await;
    assert_eq!(client.get("/a").await, "GET /a");
    // All of it at once, in more chunks than one.
    let chunks = "1\r\na\r\n".repeat(50);
    client
        .send(format!(
            "POST /unread HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        ))
        .await;
    client.answer().await;
    assert_eq!(client.get("/b").await, "GET /b");
}

#[tokio::test]
async fn a_refused_body_that_is_long_or_may_be_ends_the_connection_and_says_so() {
    let rig = Rig::start();
    for fields in ["content-length: 65537", "transfer-encoding: chunked"] {
        let mut client = rig.client().await;
        let head = refused(&mut client, fields).await;
        assert!(head.contains("\r\nconnection: close"), "{head}");
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_told_not_to() {
    let rig = Rig::start();
    for path in ["/unread", "/a"] {
        let mut client = rig.client().await;
        client
            .send(format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
            ))
            .await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!(!answer.starts_with("HTTP/1.1 100"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let mut client = rig.client().await;
    client
        .send("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await;
    assert!(client.answer().await.0.starts_with("HTTP/1.1 100"));
    client.send("hello").await;
    assert_eq!(client.answer().await.1, "hello");
    assert_eq!(client.get("/a").await, "GET /a");
}

#[tokio::test]
async fn chunks_beyond_the_bound_end_the_connection() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    client.answer().await;
    let chunk = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
    client.send(chunk.repeat(3)).await;
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert_eq!(rig.requests(), 1);
}

#[tokio::test]
async fn a_rest_that_does_not_come_ends_the_connection_after_a_while() {
    let rig = Rig::with(ServerOptions {
        linger_timeout: Duration::from_millis(50),
        ..ServerOptions::default()
    });
    let mut client = rig.client().await;
    refused(&mut client, "content-length: 5").await;
    // On a slow machine the while is over by now.
    let _ = client.stream.write_all(b"hell").await;
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert_eq!(rig.requests(), 1);
}
