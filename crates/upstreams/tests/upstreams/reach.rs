//! Upstreams that are reached in other ways: a Unix socket, a certificate of ours, connections of
//! a certain age.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::route::upstream::{Protocol, Reach};
use raincheck_core::route::{Pattern, Route, RouteTable, Scheme, Upstream};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tempfile::{NamedTempFile, TempDir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;

use crate::backend::Backend;
use crate::client::{counts, get, pool, read_text, start, timeouts};
use crate::tls::{Authority, authority};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn reached(mut upstream: Upstream, reach: Reach) -> Upstream {
    upstream.reach = Some(Arc::new(reach));
    upstream
}

#[tokio::test]
async fn a_unix_socket_is_an_upstream() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("app.sock");
    let reach = Reach {
        socket: Some(path.clone()),
        ..Reach::default()
    };
    let upstream = reached(Upstream::new(Scheme::Http, "localhost", 80), reach);
    assert_eq!(upstream.url(), format!("unix:{}", path.display()));
    let pool = pool();
    let failure = pool.send(&upstream, get(), timeouts()).await.unwrap_err();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::Connect, Seen::Unreached)
    );
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        for _ in 0..2 {
            let bytes = peer.read(&mut head).await.unwrap();
            assert!(head[..bytes].starts_with(b"GET /path?query HTTP/1.1\r\n"));
            peer.write_all(OK.as_bytes()).await.unwrap();
        }
    });
    for _ in 0..2 {
        let answer = pool.send(&upstream, get(), timeouts()).await.unwrap();
        assert_eq!(read_text(answer).await, "ok");
    }
    serving.await.unwrap();
    let counted = counts(&pool, &upstream);
    assert_eq!((counted.opened, counted.reused), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_no_more_requests() {
    let backend = Backend::new().await;
    let reach = Reach {
        max_age: Some(Duration::from_secs(60)),
        ..Reach::default()
    };
    let upstream = reached(backend.upstream(), reach);
    let pool = pool();
    for turn in 1..=2 {
        let sent = start(&pool, &upstream, get(), timeouts());
        let (mut peer, _) = backend.request().await;
        tokio::time::advance(Duration::from_secs(61)).await;
        peer.write(OK).await;
        assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
        assert_eq!(counts(&pool, &upstream).opened, turn);
        assert_eq!(counts(&pool, &upstream).idle, 0);
    }
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A server for this name that talks only to those whom the authority knows.
fn acceptor(authority: &Authority, name: &str, protocol: &[u8]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let pem = authority.pem();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A certificate of a client, and its key, in files.
fn identity(authority: &Authority) -> (NamedTempFile, NamedTempFile) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["raincheck".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (file(&certificate.pem()), file(&key.serialize_pem()))
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_is_told_in_either_version() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let backend = Backend::new().await;
        let name = match protocol {
            Protocol::H1 | Protocol::Auto => &b"http/1.1"[..],
            Protocol::H2 => b"h2",
        };
        let authority = authority("mutual");
        let acceptor = acceptor(&authority, "app.internal", name);
        let ca = file(&authority.pem());
        let (cert, key) = identity(&authority);
        let with = |identity| {
            let reach = Reach {
                protocol,
                identity,
                ca_file: Some(ca.path().to_owned()),
                server_name: Some("app.internal".to_owned()),
                ..Reach::default()
            };
            let port = backend.address.port();
            reached(Upstream::new(Scheme::Https, "127.0.0.1", port), reach)
        };
        let known = with(Some((cert.path().to_owned(), key.path().to_owned())));
        let pool = pool();
        let sent = start(&pool, &known, get(), timeouts());
        let tls = acceptor.accept(backend.accept().await.tcp).await.unwrap();
        assert_eq!(tls.get_ref().1.peer_certificates().unwrap().len(), 1);
        let answer = match protocol {
            Protocol::H1 | Protocol::Auto => {
                let (mut tls, mut head) = (tls, vec![0; 4096]);
                assert_ne!(tls.read(&mut head).await.unwrap(), 0);
                tls.write_all(OK.as_bytes()).await.unwrap();
                sent.await.unwrap().unwrap()
            }
            Protocol::H2 => {
                let mut connection = h2::server::handshake(tls).await.unwrap();
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                tokio::spawn(async move { while connection.accept().await.is_some() {} });
                let mut body = respond
                    .send_response(http::Response::new(()), false)
                    .unwrap();
                body.send_data(bytes::Bytes::from_static(b"ok"), true)
                    .unwrap();
                sent.await.unwrap().unwrap()
            }
        };
        assert_eq!(read_text(answer).await, "ok");

        let unknown = with(None);
        let sent = start(&pool, &unknown, get(), timeouts());
        assert!(acceptor.accept(backend.accept().await.tcp).await.is_err());
        assert!(sent.await.unwrap().is_err());
    }
}

/// Files are read again at a reload; one that cannot be used leaves what there was.
#[tokio::test]
async fn a_certificate_that_does_not_load_leaves_the_old_one() {
    let backend = Backend::new().await;
    let authority = authority("mutual");
    let acceptor = acceptor(&authority, "localhost", b"http/1.1");
    let ca = file(&authority.pem());
    let (cert, key) = identity(&authority);
    let reach = Reach {
        ca_file: Some(ca.path().to_owned()),
        identity: Some((cert.path().to_owned(), key.path().to_owned())),
        ..Reach::default()
    };
    let port = backend.address.port();
    let upstream = reached(Upstream::new(Scheme::Https, "localhost", port), reach);
    let pool = pool();
    let mut shown = Vec::new();
    for change in ["none", "nonsense", "another"] {
        match change {
            "another" => {
                let (new_cert, new_key) = identity(&authority);
                std::fs::copy(new_cert.path(), cert.path()).unwrap();
                std::fs::copy(new_key.path(), key.path()).unwrap();
            }
            "nonsense" => std::fs::write(cert.path(), "nonsense").unwrap(),
            _ => {}
        }
        let route = Route::new(
            "r".parse().unwrap(),
            Pattern::everything(),
            upstream.clone(),
        );
        pool.follow(&RouteTable::new(vec![route]).unwrap());
        pool.drain();
        let sent = start(&pool, &upstream, get(), timeouts());
        let mut tls = acceptor.accept(backend.accept().await.tcp).await.unwrap();
        shown.push(tls.get_ref().1.peer_certificates().unwrap()[0].clone());
        let mut head = vec![0; 4096];
        assert_ne!(tls.read(&mut head).await.unwrap(), 0);
        tls.write_all(OK.as_bytes()).await.unwrap();
        assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "ok");
    }
    assert!(shown[0] == shown[1] && shown[1] != shown[2]);
}
