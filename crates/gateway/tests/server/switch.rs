//! Connections and streams that go on in another protocol.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::{Client, Rig, impatient};

const LONG: Duration = Duration::from_secs(3600);

fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: capitals\r\n\r\n"
    )
}

/// Reads the 101, and nothing after it.
async fn switched(client: &mut Client) {
    let (head, _) = client.answer().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("\r\nconnection: upgrade"), "{head}");
    assert!(head.contains("\r\nupgrade: capitals"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
}

#[tokio::test]
async fn a_connection_goes_on_in_another_protocol() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    assert_eq!(client.get("/a").await, "GET /a");
    client.send(upgrade("/loud")).await;
    rig.arrived().await;
    rig.paths.release.notify_one();
    switched(&mut client).await;
    client.send("hello ").await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut bytes = [0; 31];
    client.stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes[..], b"HELLO GET / HTTP/1.1\r\nHOST: X\r\n");
    assert_eq!(rig.server.connections(), 1);
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "\r\n");
    assert_eq!(rig.requests(), 2);
}

#[tokio::test]
async fn what_comes_before_the_101_waits_for_it() {
    let rig = Rig::start();
    for pieces in [1, 2] {
        let mut client = rig.client().await;
        // More than is held back: the rest stays with the kernel.
        let early = "early ".repeat(10_000);
        let all = format!("{}{early}", upgrade("/loud"));
        let mut sending = all.as_bytes().chunks(all.len() / pieces + 1);
        client.send(sending.next().unwrap()).await;
        rig.arrived().await;
        for piece in sending {
            client.send(piece).await;
        }
        rig.paths.release.notify_one();
        switched(&mut client).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.rest().await, early.to_ascii_uppercase());
    }
}

#[tokio::test]
async fn what_follows_a_refused_upgrade_is_the_next_request() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let next = "GET /next HTTP/1.1\r\nhost: x\r\n\r\n";
    client
        .send(format!(
            "{next}{}{next}{}{next}",
            upgrade("/a"),
            upgrade("/b")
        ))
        .await;
    for path in ["/next", "/a", "/next", "/b", "/next"] {
        assert_eq!(client.answer().await.1, format!("GET {path}"));
    }
    // In pieces, with a body in front, and with the answer before the end of what follows.
    let body = "POST /echo HTTP/1.1\r\nhost: x\r\nupgrade: any\r\ncontent-length: 2\r\n\r\nhi";
    for piece in format!("{body}{next}").as_bytes().chunks(7) {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.1, "hi");
    assert_eq!(client.answer().await.1, "GET /next");
    // What is no request is refused as ever.
    client.send(format!("{}\0\x01", upgrade("/a"))).await;
    let rest = client.rest().await;
    assert!(rest.contains("GET /a"), "{rest}");
    assert!(rest.contains("\r\n\r\n{\"type\""), "{rest}");
    assert!(rest.contains("\"code\":\"malformed-request\""), "{rest}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_101_takes_its_handler_along() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send(upgrade("/wait")).await;
    rig.arrived().await;
    client.stream.shutdown().await.unwrap();
    rig.handler_dropped().await;
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_no_answer() {
    let rig = Rig::start();
    assert_eq!(rig.talk(upgrade("/switch")).await, "");
    // HTTP/1.0 has no upgrades, and one that `Connection` does not name is not meant for us.
    for request in [
        upgrade("/loud")
            .replace("HTTP/1.1", "HTTP/1.0")
            .replace("keep-alive", "close"),
        upgrade("/loud").replace("connection: keep-alive, Upgrade", "connection: close"),
        upgrade("/loud").replace(
            "upgrade: capitals",
            "upgrade: h2c, TLS/1.3\r\nconnection: close",
        ),
    ] {
        let answer = rig.talk(request).await;
        assert!(answer.ends_with("GET /loud"), "{answer}");
    }
}

#[tokio::test]
async fn a_switched_connection_is_told_of_a_drain_and_cut_at_its_end() {
    let rig = Rig::start();
    let mut polite = rig.client().await;
    let mut loud = rig.client().await;
    for (client, path) in [(&mut polite, "/polite"), (&mut loud, "/loud")] {
        client.send(upgrade(path)).await;
        rig.arrived().await;
        rig.paths.release.notify_one();
        switched(client).await;
    }
    let server = rig.server.clone();
    let draining = tokio::spawn(async move { server.drain(LONG).await });
    assert_eq!(polite.rest().await, "bye");
    loud.send("still here").await;
    let mut bytes = [0; 10];
    loud.stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"STILL HERE");
    draining.abort();
    let report = rig.server.drain(Duration::ZERO).await;
    assert_eq!((report.finished, report.cut), (1, 1));
    assert_eq!(rig.server.connections(), 0);
}

/// An HTTP/2 client that may ask for another protocol.
async fn connect(rig: &Rig) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(rig.addr()).await.unwrap();
    let (send, conn) = Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(conn);
    send
}

fn extended(path: &str) -> Request<Empty<Bytes>> {
    Request::connect(format!("http://a.example{path}"))
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("capitals"))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn a_stream_goes_on_in_another_protocol() {
    // Its times are those of another protocol, whatever those of HTTP are.
    let rig = Rig::with(impatient());
    let mut send = connect(&rig).await;
    // The setting that allows it has come with the first answer.
    let plain = Request::get("http://a.example/a").body(Empty::new());
    let answer = send.send_request(plain.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let asked = send.send_request(extended("/loud"));
    rig.arrived().await;
    rig.paths.release.notify_one();
    let answer = asked.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut io = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    for _ in 0..3 {
        // An idle connection runs into its time-out meanwhile.
        assert_eq!(rig.talk("").await, "");
        io.write_all(b"hello").await.unwrap();
        let mut bytes = [0; 5];
        io.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"HELLO");
    }
    io.shutdown().await.unwrap();
    assert_eq!(io.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    // A refusal is an answer like any other.
    let refused = send.send_request(extended("/unread")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // A success that switches nothing is none.
    assert!(send.send_request(extended("/a")).await.is_err());
}
