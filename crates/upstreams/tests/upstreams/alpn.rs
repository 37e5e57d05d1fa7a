//! Servers that pick the version of HTTP by ALPN: what they pick is spoken and remembered, and a
//! server that changes its mind costs no request.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use raincheck_core::route::upstream::{Protocol, Reach};
use raincheck_core::route::{Scheme, Upstream};
use raincheck_upstreams::Switches;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::backend::Backend;
use crate::client::{get, pool, read_text, start, timeouts};
use crate::tls::{Authority, acceptor, authority, params};

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// A server whose connections can be ended, and which may speak something else after that.
struct Server {
    authority: Authority,
    ca: NamedTempFile,
    address: SocketAddr,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    /// What was agreed on with each connection, in their order.
    agreed: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(protocols: &[&[u8]]) -> Self {
        let authority = authority("alpn");
        let mut ca = NamedTempFile::new().unwrap();
        ca.write_all(authority.pem().as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let made = acceptor(&authority, &params("localhost"), protocols);
        let server = Self {
            ca,
            authority,
            address: listener.local_addr().unwrap(),
            acceptor: Arc::new(Mutex::new(made)),
            connections: Arc::default(),
            agreed: Arc::default(),
        };
        let (acceptor, agreed) = (server.acceptor.clone(), server.agreed.clone());
        let connections = server.connections.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let serving = serve(acceptor.lock().unwrap().clone(), tcp, agreed.clone());
                connections.lock().unwrap().spawn(serving);
            }
        });
        server
    }

    /// Ends all connections; new ones agree on one of these.
    async fn change(&self, protocols: &[&[u8]]) {
        let made = acceptor(&self.authority, &params("localhost"), protocols);
        *self.acceptor.lock().unwrap() = made;
        let mut ended = std::mem::take(&mut *self.connections.lock().unwrap());
        ended.shutdown().await;
    }

    fn upstream(&self) -> Upstream {
        let reach = Reach {
            protocol: Protocol::Auto,
            ca_file: Some(self.ca.path().to_owned()),
            ..Reach::default()
        };
        let mut upstream = Upstream::new(Scheme::Https, "localhost", self.address.port());
        upstream.reach = Some(Arc::new(reach));
        upstream
    }

    fn agreed(&self) -> Vec<String> {
        self.agreed.lock().unwrap().clone()
    }
}

/// Speaks what was agreed on; each answer says what that is, and which host was asked for.
async fn serve(acceptor: TlsAcceptor, tcp: TcpStream, agreed: Arc<Mutex<Vec<String>>>) {
    let Ok(tls) = acceptor.accept(tcp).await else {
        return;
    };
    let protocol = tls.get_ref().1.alpn_protocol().unwrap_or(b"none").to_vec();
    let protocol = String::from_utf8(protocol).unwrap();
    agreed.lock().unwrap().push(protocol.clone());
    match &*protocol {
        "h2" => over_http2(tls).await,
        _ => over_http1(tls).await,
    }
}

async fn over_http2(tls: TlsStream<TcpStream>) {
    let mut connection = h2::server::handshake(tls).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let host = request.uri().authority().unwrap().to_string();
        let mut body = respond
            .send_response(http::Response::new(()), false)
            .unwrap();
        body.send_data(Bytes::from(format!("h2 {host}")), true)
            .unwrap();
    }
}

async fn over_http1(mut tls: TlsStream<TcpStream>) {
    let mut read = Vec::new();
    while tls.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
        assert!(!head.contains("\r\nte: "), "{head}");
        if head.contains("\r\nupgrade: chat") {
            let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat";
            tls.write_all(format!("{switch}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            read.clear();
            continue;
        }
        let host = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("host: "));
        let body = format!("h1 {}", host.unwrap());
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        tls.write_all(answer.as_bytes()).await.unwrap();
        read.clear();
    }
}

#[tokio::test]
async fn what_the_server_picks_is_asked_once_and_spoken() {
    for (protocols, agreed, answer) in [
        (BOTH, "h2", "h2 backend"),
        (HTTP1, "http/1.1", "h1 backend"),
        (&[][..], "none", "h1 backend"),
    ] {
        let server = Server::start(protocols).await;
        let (pool, upstream) = (pool(), server.upstream());
        // All at once: one asks, the others wait for what it learns.
        let sent: Vec<_> = (0..4)
            .map(|_| start(&pool, &upstream, get(), timeouts()))
            .collect();
        for sent in sent {
            assert_eq!(read_text(sent.await.unwrap().unwrap()).await, answer);
        }
        let http2 = agreed == "h2";
        let connections = server.agreed();
        assert!(
            connections.iter().all(|one| one == agreed),
            "{connections:?}"
        );
        assert!(!http2 || connections.len() == 1, "{connections:?}");
        let again = pool.send(&upstream, get(), timeouts()).await.unwrap();
        assert_eq!(read_text(again).await, answer);
        assert_eq!(server.agreed().len(), connections.len());
    }
}

#[tokio::test]
async fn a_server_that_changes_its_mind_costs_no_request() {
    let server = Server::start(BOTH).await;
    let (pool, upstream) = (pool(), server.upstream());
    for (protocols, answer) in [
        (BOTH, "h2 backend"),
        (HTTP1, "h1 backend"),
        (BOTH, "h2 backend"),
        (&[][..], "h1 backend"),
    ] {
        server.change(protocols).await;
        // What was ended is used by nobody, whether its end was seen yet or not.
        pool.drain();
        for _ in 0..2 {
            let sent = pool.send(&upstream, get(), timeouts()).await.unwrap();
            assert_eq!(read_text(sent).await, answer);
        }
    }
}

#[tokio::test]
async fn what_may_switch_is_sent_over_http1_whatever_the_server_picks() {
    let server = Server::start(BOTH).await;
    let (pool, upstream) = (pool(), server.upstream());
    let switching = || {
        let mut request = get();
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("chat"));
        request.extensions_mut().insert(Switches);
        request
    };
    let mut connections = Vec::new();
    // Before anything is known of the server, and after.
    for _ in 0..2 {
        let switched = pool.send(&upstream, switching(), timeouts()).await;
        assert_eq!(switched.unwrap().head.status, 101);
        connections.push("http/1.1");
        assert_eq!(server.agreed(), connections);
        let sent = pool.send(&upstream, get(), timeouts()).await.unwrap();
        assert_eq!(read_text(sent).await, "h2 backend");
        if connections.len() == 1 {
            connections.push("h2");
        }
        assert_eq!(server.agreed(), connections);
    }
}

#[tokio::test]
async fn without_tls_there_is_nothing_to_pick() {
    let backend = Backend::new().await;
    let mut upstream = backend.upstream();
    upstream.reach = Some(Arc::new(Reach {
        protocol: Protocol::Auto,
        ..Reach::default()
    }));
    assert_eq!(upstream.protocol(), Protocol::H1);
    let pool = pool();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, head) = backend.request().await;
    assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"));
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
}
