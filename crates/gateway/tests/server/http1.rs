//! HTTP/1: one connection, many requests, and what ends it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::Rig;

const GET: &str = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";

/// The answer is a problem with this code, and the last thing on its connection.
fn is_refusal(text: &str, status: &str, code: &str) {
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    for line in [
        "content-type: application/problem+json",
        "raincheck-error: gateway",
        "connection: close",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
}

#[tokio::test]
async fn a_connection_serves_many_requests_also_pipelined() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/a").await, "GET /a");
    }
    client.send(GET.repeat(50)).await;
    for _ in 0..50 {
        assert_eq!(client.answer().await.1, "GET /a");
    }
    assert_eq!(rig.requests(), 53);
    assert_eq!(rig.server.connections(), 1);
    let peer = client.get("/peer").await;
    let ends = (client.stream.local_addr().unwrap(), rig.addr());
    assert_eq!(peer, format!("{} {}", ends.0, ends.1));
}

#[tokio::test]
async fn a_request_in_pieces_is_a_request() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.stream.set_nodelay(true).unwrap();
    let request = "PUT /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 1\r\n\r\n";
    for byte in request.bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.1, "hello!");
    assert_eq!(client.get("/a").await, "GET /a");
}

#[tokio::test]
async fn bad_heads_get_a_problem_and_a_close() {
    let rig = Rig::start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for (head, status, code) in [
        (
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n",
            "400",
            "malformed-request",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "400", "malformed-request"),
        ("\x16\x03\x01\x02", "400", "malformed-request"),
        (
            "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n",
            "501",
            "upgrade-not-supported",
        ),
    ] {
        let answer = rig.talk(format!("{head}{smuggled}")).await;
        is_refusal(&answer, status, code);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(20_000));
    is_refusal(&rig.talk(long).await, "414", "target-too-long");
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(1_000_000));
    is_refusal(&rig.talk(large).await, "431", "headers-too-large");
    assert_eq!(rig.requests(), 0);
}

#[tokio::test]
async fn answers_before_a_refusal_arrive_first() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let wait = "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n";
    client
        .send(format!("{wait}{GET}GET / HTTP/1.1\r\n\r\n{GET}"))
        .await;
    rig.arrived().await;
    rig.paths.release.notify_one();
    assert_eq!(client.answer().await.1, "waited");
    assert_eq!(client.answer().await.1, "GET /a");
    is_refusal(&client.rest().await, "400", "malformed-request");
    assert_eq!(rig.requests(), 2);
}

#[tokio::test]
async fn a_bad_chunk_is_an_error_of_the_body_that_says_why() {
    let rig = Rig::start();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = rig
        .talk(format!("{head}5\r\nhello\r\n5 \r\nhello\r\n0\r\n\r\n{GET}"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(
        answer.ends_with("a chunk does not begin with its size"),
        "{answer}"
    );
    assert_eq!(rig.requests(), 1);
}

#[tokio::test]
async fn a_refused_upload_gets_to_read_why() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let length = 8 * 1024 * 1024;
    client
        .send(format!(
            "POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
    // The client sends all of it before it reads, as many do.
    client.send(vec![b'a'; length]).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(rig.requests(), 1);
}

#[tokio::test]
async fn an_aborted_request_gets_nothing() {
    let rig = Rig::start();
    assert_eq!(rig.talk("GET /abort HTTP/1.1\r\nhost: x\r\n\r\n").await, "");
    assert_eq!(
        rig.talk("GET /switch HTTP/1.1\r\nhost: x\r\n\r\n").await,
        ""
    );
}

#[tokio::test]
async fn an_answer_that_breaks_never_looks_whole() {
    let rig = Rig::start();
    let chunked = rig.talk("GET /broken HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(chunked.ends_with("4\r\npart\r\n"), "{chunked}");
    // An HTTP/1.0 answer ends with the connection, so a clean end would lie.
    let mut client = rig.client().await;
    client.send("GET /broken HTTP/1.0\r\n\r\n").await;
    let ended = client.stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(
        ended.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_handler_along() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    rig.arrived().await;
    client.stream.shutdown().await.unwrap();
    rig.handler_dropped().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let options = raincheck_gateway::server::ServerOptions {
        connections_max: 1,
        ..Default::default()
    };
    let rig = Rig::with(options);
    let mut first = rig.client().await;
    assert_eq!(first.get("/a").await, "GET /a");
    let mut second = rig.client().await;
    second.send(GET).await;
    assert_eq!(first.get("/b").await, "GET /b");
    assert_eq!((rig.requests(), rig.server.connections()), (2, 1));
    drop(first);
    assert_eq!(second.answer().await.1, "GET /a");
}
