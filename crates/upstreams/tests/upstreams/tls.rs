//! Upstreams over TLS: whom we trust, and what we say when we do not.

use std::io::Write;
use std::sync::Arc;

use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::route::{Scheme, Upstream};
use raincheck_upstreams::{Error, Options, Upstreams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::backend::Backend;
use crate::client::{counts, eventually, get, pool, read, read_text, start, timeouts};

/// What the backend speaks.
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

pub type Authority = CertifiedIssuer<'static, KeyPair>;

pub fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

pub fn acceptor(
    authority: &Authority,
    params: &CertificateParams,
    protocols: &[&[u8]],
) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn trusting(authority: &Authority) -> Upstreams {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();
    let options = Options {
        extra_ca_file: Some(file.path().to_owned()),
        ..Options::default()
    };
    Upstreams::new(options).unwrap()
}

fn https(backend: &Backend) -> Upstream {
    Upstream::new(Scheme::Https, "localhost", backend.address.port())
}

async fn request<S: AsyncReadExt + Unpin>(tls: &mut S) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(tls.read_u8().await.unwrap());
    }
}

async fn accept(
    backend: &Backend,
    acceptor: &TlsAcceptor,
) -> std::io::Result<TlsStream<tokio::net::TcpStream>> {
    acceptor.accept(backend.accept().await.tcp).await
}

#[tokio::test]
async fn a_trusted_backend_is_spoken_to_and_its_connection_used_again() {
    let authority = authority("ours");
    let acceptor = acceptor(&authority, &params("localhost"), BOTH);
    let (backend, pool) = (Backend::new().await, trusting(&authority));
    let upstream = https(&backend);
    let sent = start(&pool, &upstream, get(), timeouts());
    let mut tls = accept(&backend, &acceptor).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    request(&mut tls).await;
    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        .await
        .unwrap();
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "hello");
    eventually(|| counts(&pool, &upstream).idle == 1).await;

    let sent = start(&pool, &upstream, get(), timeouts());
    request(&mut tls).await;
    tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello")
        .await
        .unwrap();
    tls.shutdown().await.unwrap();
    assert_eq!(read_text(sent.await.unwrap().unwrap()).await, "hello");
    assert_eq!(counts(&pool, &upstream).opened, 1);
}

#[tokio::test]
async fn an_end_that_tls_does_not_confirm_is_no_end() {
    let authority = authority("ours");
    let acceptor = acceptor(&authority, &params("localhost"), BOTH);
    let (backend, pool) = (Backend::new().await, trusting(&authority));
    let sent = start(&pool, &https(&backend), get(), timeouts());
    let mut tls = accept(&backend, &acceptor).await.unwrap();
    request(&mut tls).await;
    tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello")
        .await
        .unwrap();
    tls.flush().await.unwrap();
    drop(tls);
    let answer = sent.await.unwrap().unwrap();
    let failed = read(answer.body).await.unwrap_err();
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Broken, Seen::Answering)
    );
    let detail = "the backend closed the connection before its answer was complete";
    assert_eq!(failed.detail, detail);
}

#[tokio::test]
async fn a_backend_that_is_not_trusted_gets_no_request() {
    let (ours, other) = (authority("ours"), authority("other"));
    let mut expired = params("localhost");
    expired.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let mut early = params("localhost");
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    for (issuer, params, why) in [
        (
            &other,
            params("localhost"),
            "its certificate was not issued by an authority that we trust",
        ),
        (
            &ours,
            params("example.org"),
            "its certificate is for another name",
        ),
        (&ours, expired, "its certificate has expired"),
        (&ours, early, "its certificate is not valid yet"),
    ] {
        let acceptor = acceptor(issuer, &params, BOTH);
        let (backend, pool) = (Backend::new().await, trusting(&ours));
        let upstream = https(&backend);
        let sent = start(&pool, &upstream, get(), timeouts());
        assert!(accept(&backend, &acceptor).await.is_err());
        let failed = sent.await.unwrap().unwrap_err();
        assert_eq!(
            (failed.cause, failed.seen),
            (Cause::Connect, Seen::Unreached)
        );
        let detail = format!("TLS with {} failed: {why}", upstream.authority());
        assert_eq!(failed.detail, detail);
    }
}

#[tokio::test]
async fn a_backend_without_tls_is_no_connection() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = https(&backend);
    let sent = start(&pool, &upstream, get(), timeouts());
    let mut peer = backend.accept().await;
    peer.write("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let failed = sent.await.unwrap().unwrap_err();
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Connect, Seen::Unreached)
    );
    let authority = upstream.authority();
    let detail = format!("TLS with {authority} failed: the peer does not speak TLS");
    assert_eq!(failed.detail, detail);
}

#[tokio::test]
async fn a_backend_with_another_protocol_is_no_connection() {
    let authority = authority("ours");
    let acceptor = acceptor(&authority, &params("localhost"), &[b"h2"]);
    let (backend, pool) = (Backend::new().await, trusting(&authority));
    let upstream = https(&backend);
    let sent = start(&pool, &upstream, get(), timeouts());
    assert!(accept(&backend, &acceptor).await.is_err());
    let failed = sent.await.unwrap().unwrap_err();
    assert_eq!(
        (failed.cause, failed.seen),
        (Cause::Connect, Seen::Unreached)
    );
    let authority = upstream.authority();
    let detail = format!("TLS with {authority} failed: the peer does not speak HTTP/1.1");
    assert_eq!(failed.detail, detail);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_an_error_at_the_start() {
    let with = |path: &std::path::Path| {
        Upstreams::new(Options {
            extra_ca_file: Some(path.to_owned()),
            ..Options::default()
        })
    };
    let missing = with(std::path::Path::new("/no/such/file"));
    assert!(matches!(missing, Err(Error::CaFile { .. })));
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(with(empty.path()), Err(Error::CaFileEmpty { .. })));
}
