//! Upgrades byte by byte: what an upstream sees, when, and what becomes of an answer that is no
//! `101` or a wrong one.

use raincheck_e2e::{Client, Config, Must, Raincheck, expect, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An upstream that is played by the test.
struct Upstream(TcpListener);

impl Upstream {
    async fn with_gateway() -> (Self, Raincheck) {
        let listener = TcpListener::bind("127.0.0.1:0").await.must("a port");
        let url = format!("http://{}", listener.local_addr().must("an address"));
        let app = Raincheck::start(&Config::all_modes(&url)).await;
        (Self(listener), app)
    }

    /// The next connection, and the head of its request: nothing may have come behind it.
    async fn request(&self) -> (TcpStream, String) {
        within("a request at the upstream", async {
            let (mut stream, _) = self.0.accept().await.must("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let read = stream.read_buf(&mut head).await.must("a head");
                assert!(read > 0, "closed within a head");
            }
            (stream, String::from_utf8(head).must("text"))
        })
        .await
    }
}

fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: capitals/1\r\n{more}\r\n"
    )
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.must("to be read");
}

async fn received(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    within("bytes at the upstream", stream.read_exact(&mut bytes))
        .await
        .must("bytes");
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

/// The head of an answer to a client.
async fn head(client: &mut Client) -> String {
    let head = client.try_head().await.must("a head");
    head.start
}

const SWITCH: &str = "HTTP/1.1 101 Go on\r\nConnection: Upgrade\r\nUpgrade: capitals/1\r\nx-made-by: upstream\r\n\r\n";

#[tokio::test]
async fn nothing_reaches_the_upstream_before_its_101() {
    let (upstream, app) = Upstream::with_gateway().await;
    for mode in ["sync", "auto"] {
        let mut client = app.client().await;
        let request = upgrade(&format!("/{mode}/x"), "");
        client.send(format!("{request}early ")).await;
        let (mut stream, seen) = upstream.request().await;
        let lower = seen.to_ascii_lowercase();
        assert!(lower.contains("\r\nconnection: upgrade\r\n"), "{seen}");
        assert!(lower.contains("\r\nupgrade: capitals/1\r\n"), "{seen}");
        assert!(lower.contains("\r\nraincheck-job-id: "), "{seen}");
        client.send("and earlier ").await;
        // A whole request of somebody else goes through meanwhile.
        let mut other = app.client().await;
        other
            .send(format!("GET /{mode}/y HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        let (mut plain, _) = upstream.request().await;
        send(&mut plain, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(other.response().await.status, 200);
        drop(plain);
        let early = stream.try_read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
        send(&mut stream, SWITCH).await;
        let answered = client.try_head().await.must("a head");
        assert!(answered.start.contains(" 101 Go on"), "{}", answered.start);
        assert_eq!(answered.get("x-made-by").as_deref(), Some("upstream"));
        assert_eq!(answered.get("upgrade").as_deref(), Some("capitals/1"));
        received(&mut stream, "early and earlier ").await;
        send(&mut stream, "EARLY").await;
        assert_eq!(client.exactly(5).await, b"EARLY");
        // One side has said all, the other goes on.
        client.half_close().await;
        assert_eq!(stream.read(&mut [0; 1]).await.must("an end"), 0);
        send(&mut stream, "THE REST").await;
        drop(stream);
        assert_eq!(client.rest().await.0, b"THE REST");
    }
}

#[tokio::test]
async fn what_follows_a_refused_upgrade_is_a_request_through_the_front_door() {
    let (upstream, app) = Upstream::with_gateway().await;
    let mut client = app.client().await;
    let smuggled = "GET /sync/next HTTP/1.1\r\nhost: x\r\n\r\n";
    client
        .send(format!("{}{smuggled}", upgrade("/sync/x", "")))
        .await;
    let (mut first, _) = upstream.request().await;
    send(&mut first, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").await;
    let answer = client.response().await;
    assert_eq!((answer.status, answer.text()), (200, "no".to_owned()));
    // The connection that was offered for another protocol serves nobody else.
    assert_eq!(first.read(&mut [0; 1]).await.must("an end"), 0);
    let (mut second, seen) = upstream.request().await;
    assert!(seen.starts_with("GET /sync/next HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("raincheck-"), "{seen}");
    send(&mut second, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn only_what_was_asked_for_is_switched_to() {
    let (upstream, app) = Upstream::with_gateway().await;
    for wrong in [
        SWITCH.replace("Upgrade: capitals/1", "Upgrade: h2c"),
        SWITCH.replace("Upgrade: capitals/1", "Upgrade: capitals/1, other"),
        SWITCH.replace("Upgrade: capitals/1\r\n", ""),
    ] {
        let mut client = app.client().await;
        client.send(upgrade("/sync/x", "")).await;
        let (mut stream, _) = upstream.request().await;
        send(&mut stream, &wrong).await;
        expect::problem(&client.response().await, 502, "upstream-broken");
        let mut rest = Vec::new();
        // A close or a reset, and in either case not a byte.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    }
    // HTTP in another version is never offered, what stands beside it is.
    let mut client = app.client().await;
    let offers =
        "connection: http2-settings\r\nhttp2-settings: AAMAAABk\r\nupgrade: h2c, HTTP/2.0\r\n";
    client.send(upgrade("/sync/x", offers)).await;
    let (mut stream, seen) = upstream.request().await;
    assert!(seen.contains("\r\nupgrade: capitals/1\r\n"), "{seen}");
    assert!(!seen.contains("h2") && !seen.contains("http2"), "{seen}");
    send(&mut stream, SWITCH).await;
    assert!(head(&mut client).await.contains(" 101 "));
    // A plain request that is answered with 101.
    let mut client = app.client().await;
    client.send("GET /sync/x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (mut stream, _) = upstream.request().await;
    send(&mut stream, SWITCH).await;
    expect::problem(&client.response().await, 502, "upstream-broken");
}

#[tokio::test]
async fn a_body_comes_before_the_other_protocol() {
    let (upstream, app) = Upstream::with_gateway().await;
    let mut client = app.client().await;
    let request = upgrade("/sync/exec", "content-length: 4\r\n").replace("GET", "POST");
    client.send(format!("{request}bo")).await;
    client.send("dyearly").await;
    let (mut stream, seen) = within("a request", async {
        let (mut stream, _) = upstream.0.accept().await.must("a connection");
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\nbody") {
            let read = stream.read_buf(&mut seen).await.must("a request");
            assert!(read > 0, "closed within a request");
        }
        (stream, String::from_utf8(seen).must("text"))
    })
    .await;
    assert!(seen.contains("\r\ncontent-length: 4\r\n"), "{seen}");
    send(&mut stream, SWITCH).await;
    assert!(head(&mut client).await.contains(" 101 "));
    received(&mut stream, "early").await;
    // Too much of it is refused before the upstream is asked.
    let mut client = app.client().await;
    let request = upgrade("/sync/exec", "content-length: 70000\r\n").replace("GET", "POST");
    client.send(request).await;
    expect::problem(&client.response().await, 413, "request-too-large");
}
