//! Posts to URLs that callers named: through real sockets, and never where they must not go. What
//! must not be called is a listener here, which counts who comes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use raincheck_core::callback::{TryError, TryOutcome};
use raincheck_core::egress::{Denied, Rules, Target};
use raincheck_upstreams::egress::{Egress, EgressOptions, Posted, Resolve, Resolving};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers one list of addresses after the other, and the last for ever.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Vec<Vec<&'static str>>>>);

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, _name: &'a str) -> Resolving<'a> {
        let mut script = self.0.lock().unwrap();
        let answer = match script.len() {
            0 => Vec::new(),
            1 => script[0].clone(),
            _ => script.remove(0),
        };
        let parsed: Vec<IpAddr> = answer.iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async move { Ok(parsed) })
    }
}

fn scripted(script: &[&[&'static str]]) -> Box<Scripted> {
    let script = script.iter().map(|answer| answer.to_vec()).collect();
    Box::new(Scripted(Arc::new(Mutex::new(script))))
}

fn options(allow: &[&str]) -> EgressOptions {
    EgressOptions {
        rules: Rules {
            allow: allow.iter().map(|place| place.parse().unwrap()).collect(),
            ..Rules::default()
        },
        timeout: Duration::from_secs(60),
        proxy: None,
        ca_file: None,
    }
}

/// For those who wait in vain.
fn impatient(allow: &[&str]) -> EgressOptions {
    EgressOptions {
        timeout: Duration::from_millis(300),
        ..options(allow)
    }
}

/// A receiver that gives every connection this answer, and what it has seen.
struct Receiver {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn on(ip: &str, answer: &'static str) -> Self {
        let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0))
            .await
            .unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            came: Arc::default(),
            seen: Arc::default(),
        };
        let (came, seen) = (Arc::clone(&receiver.came), Arc::clone(&receiver.seen));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                came.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, answer, Arc::clone(&seen)));
            }
        });
        receiver
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    fn target(&self, host: &str) -> Target {
        Target::parse(&format!("http://{host}:{}/in?k=v", self.address.port())).unwrap()
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    answer: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut bytes = [0; 4096];
    let read = socket.read(&mut bytes).await.unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
    seen.lock().unwrap().push(text);
    _ = socket.write_all(answer.as_bytes()).await;
    // Until the other side has had enough.
    while socket.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

async fn post(egress: &Egress, target: &Target) -> Posted {
    egress
        .post(target, HeaderMap::new(), Bytes::from_static(b"{}"))
        .await
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_message_arrives_whole() {
    let receiver = Receiver::on("127.0.0.1", NO_CONTENT).await;
    let egress = Egress::new(options(&["127.0.0.1"])).unwrap();
    let target = receiver.target("127.0.0.1");
    let posted = post(&egress, &target).await;
    assert_eq!(posted.outcome, TryOutcome::Answered(204));
    let seen = receiver.seen.lock().unwrap().join("");
    let port = receiver.address.port();
    assert!(seen.starts_with("POST /in?k=v HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("host: 127.0.0.1:{port}\r\n")),
        "{seen}"
    );
    assert!(seen.contains("content-length: 2\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{}"), "{seen}");
}

/// The resolver of an attacker: public when the URL is looked at, and loopback when it is called.
#[tokio::test]
async fn a_name_that_leads_elsewhere_later_is_not_followed() {
    let receiver = Receiver::on("127.0.0.1", NO_CONTENT).await;
    let target = receiver.target("rebind.example.com");
    let egress = Egress::new(options(&[])).unwrap();
    let egress = egress.resolving(scripted(&[&["1.1.1.1"], &["127.0.0.1"]]));
    assert_eq!(egress.check(&target).await, Ok(()));
    let posted = post(&egress, &target).await;
    assert_eq!(posted, Posted::failed(TryError::Denied));
    assert_eq!(egress.check(&target).await, Err(Denied::Host));
    assert_eq!(receiver.came(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_those_are_dialled_that_may_be() {
    let denied = Receiver::on("127.0.0.1", NO_CONTENT).await;
    let port = denied.address.port();
    let listener = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let served = tokio::spawn(async move {
        let (socket, peer) = listener.accept().await.unwrap();
        serve(socket, NO_CONTENT, Arc::default()).await;
        peer
    });
    let egress = Egress::new(options(&["127.0.0.2/32"])).unwrap();
    let answers: [&[&str]; 1] = [&["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.2"]];
    let egress = egress.resolving(scripted(&answers));
    let target = denied.target("both.example.com");
    let posted = post(&egress, &target).await;
    assert_eq!(posted.outcome, TryOutcome::Answered(204));
    served.await.unwrap();
    assert_eq!(denied.came(), 0);
}

/// Each spelling is parsed and called with a resolver that, as the system's does, understands odd
/// forms: nobody comes to the listener.
#[tokio::test]
async fn no_spelling_reaches_a_listener_on_loopback() {
    let receiver = Receiver::on("127.0.0.1", NO_CONTENT).await;
    let egress = Egress::new(options(&[])).unwrap();
    let mut called = 0;
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
    ] {
        let url = format!("http://{host}:{}/", receiver.address.port());
        let Ok(target) = Target::parse(&url) else {
            continue;
        };
        called += 1;
        let posted = post(&egress, &target).await;
        assert_eq!(posted, Posted::failed(TryError::Denied), "{host}");
        assert_eq!(egress.check(&target).await, Err(Denied::Host), "{host}");
    }
    assert!(called >= 12, "{called}");
    assert_eq!(receiver.came(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let receiver = Receiver::on(
        "127.0.0.2",
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1/\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let egress = Egress::new(options(&["127.0.0.0/8"])).unwrap();
    let posted = post(&egress, &receiver.target("127.0.0.2")).await;
    assert_eq!(posted.outcome, TryOutcome::Answered(307));
    assert_eq!(posted.retry_after.unwrap(), "7");
    assert_eq!(receiver.came(), 1);
}

#[tokio::test]
async fn what_is_no_answer_says_which_kind() {
    let patient = Egress::new(options(&["127.0.0.1"])).unwrap();
    let impatient = Egress::new(impatient(&["127.0.0.1"])).unwrap();
    let cases = [
        (&impatient, "", TryError::Timeout),
        (&patient, "SSH-2.0-OpenSSH_9.2\r\n", TryError::Broken),
        (&impatient, "HTTP/1.1 200 OK\r\nx: ", TryError::Timeout),
    ];
    for (egress, answer, expected) in cases {
        let receiver = Receiver::on("127.0.0.1", answer).await;
        let posted = post(egress, &receiver.target("127.0.0.1")).await;
        assert_eq!(posted, Posted::failed(expected), "{answer:?}");
    }
    let receiver = Receiver::on("127.0.0.1", "").await;
    let closed = Target::parse(&format!("https://{}/", receiver.address)).unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let refused = Target::parse(&format!("http://{address}/")).unwrap();
    assert_eq!(
        post(&patient, &refused).await,
        Posted::failed(TryError::Connect)
    );
    assert_eq!(
        post(&impatient, &closed).await,
        Posted::failed(TryError::Timeout)
    );
}

/// A body without an end is not read to its end.
#[tokio::test]
async fn a_body_without_an_end_keeps_nobody() {
    let receiver = Receiver::on(
        "127.0.0.1",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nsecret",
    )
    .await;
    let egress = Egress::new(options(&["127.0.0.1"])).unwrap();
    let posted = post(&egress, &receiver.target("127.0.0.1")).await;
    assert_eq!(posted.outcome, TryOutcome::Answered(200));
}

#[tokio::test]
async fn a_proxy_gets_names_and_no_denied_address() {
    // What the proxy answers is taken for the tunnel and then for the receiver's answer.
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut socket, _) = proxy.accept().await.unwrap();
        let mut head = vec![0; 1024];
        let read = socket.read(&mut head).await.unwrap();
        head.truncate(read);
        let granted = b"HTTP/1.1 200 Connection established\r\n\r\n";
        socket.write_all(granted).await.unwrap();
        serve(socket, NO_CONTENT, Arc::default()).await;
        String::from_utf8(head).unwrap()
    });
    let proxied = EgressOptions {
        proxy: Some(("127.0.0.1".to_owned(), address.port())),
        ..options(&[])
    };
    let egress = Egress::new(proxied).unwrap().resolving(scripted(&[]));
    let literal = Target::parse("http://169.254.169.254/").unwrap();
    assert_eq!(
        post(&egress, &literal).await,
        Posted::failed(TryError::Denied)
    );
    let target = Target::parse("http://hooks.example.com/x").unwrap();
    assert_eq!(egress.check(&target).await, Ok(()));
    assert_eq!(
        post(&egress, &target).await.outcome,
        TryOutcome::Answered(204)
    );
    let asked = served.await.unwrap();
    let expected = "CONNECT hooks.example.com:80 HTTP/1.1\r\nHost: hooks.example.com:80\r\n\r\n";
    assert_eq!(asked, expected);
    assert_eq!(
        post(&egress, &target).await,
        Posted::failed(TryError::Proxy)
    );
}

#[tokio::test]
async fn tls_is_checked_against_the_name() {
    let certified = rcgen::generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
        certified.signing_key.serialize_der(),
    ));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(tls) = acceptor.accept(socket).await {
                tokio::spawn(serve(tls, NO_CONTENT, Arc::default()));
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, certified.cert.pem()).unwrap();
    let trusting = EgressOptions {
        ca_file: Some(ca_file),
        ..options(&["127.0.0.1"])
    };
    let loopback: [&[&str]; 1] = [&["127.0.0.1"]];
    let egress = Egress::new(trusting)
        .unwrap()
        .resolving(scripted(&loopback));
    let target = |host: &str| Target::parse(&format!("https://{host}:{port}/")).unwrap();
    let posted = post(&egress, &target("hooks.example.com")).await;
    assert_eq!(posted.outcome, TryOutcome::Answered(204));
    let other = post(&egress, &target("other.example.com")).await;
    assert_eq!(other, Posted::failed(TryError::Tls));
    let doubting = Egress::new(options(&["127.0.0.1"])).unwrap();
    let doubting = doubting.resolving(scripted(&loopback));
    let posted = post(&doubting, &target("hooks.example.com")).await;
    assert_eq!(posted, Posted::failed(TryError::Tls));
}
