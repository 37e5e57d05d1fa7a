//! TLS to upstreams: whom we trust, and what failed in words. The only place that knows which
//! crypto provider is used.

pub(super) mod own;

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use raincheck_core::route::Upstream;
use raincheck_core::route::upstream::Protocol;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, pem};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::options::Error;
use own::Own;

/// Makes TLS connections. The system's certificates are read when the first is made.
pub(super) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    connector: OnceCell<TlsConnector>,
    own: Own,
}

impl Tls {
    /// Trusts the system's certificates and those in a PEM file.
    pub(super) fn new(extra_ca_file: Option<&Path>) -> Result<Self, Error> {
        let extra = match extra_ca_file {
            Some(path) => read(path)?,
            None => Vec::new(),
        };
        Ok(Self {
            extra,
            connector: OnceCell::new(),
            own: Own::default(),
        })
    }

    /// Speaks TLS on a connected socket.
    ///
    /// Cancel safety: dropping the future closes the socket.
    pub(super) async fn handshake(
        &self,
        upstream: &Upstream,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let reach = upstream.reach.as_deref();
        let name = reach.and_then(|reach| reach.server_name.as_ref());
        let name = name.unwrap_or(&upstream.host);
        let name = ServerName::try_from(name.clone())
            .map_err(|_| format!("{name} is not a name that TLS can check"))?;
        let connector = match reach.filter(|reach| own::is_needed(reach)) {
            Some(reach) => self.own.connector(reach, &self.extra).await?,
            None => self
                .connector
                .get_or_try_init(|| self.prepare())
                .await?
                .clone(),
        };
        let failed = |why: String| format!("TLS with {} failed: {why}", upstream.authority());
        let version = match upstream.protocol() {
            Protocol::H1 => "HTTP/1.1",
            Protocol::H2 => "HTTP/2",
            Protocol::Auto => "HTTP/2 or HTTP/1.1",
        };
        let shaken = connector.connect(name, tcp).await;
        let tls = shaken.map_err(|error| failed(why(&error, version)))?;
        if upstream.protocol() == Protocol::H2 && tls.get_ref().1.alpn_protocol() != Some(own::H2) {
            return Err(failed(format!("the peer does not speak {version}")));
        }
        Ok(tls)
    }

    /// Connectors of upstreams with TLS settings of their own.
    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    async fn prepare(&self) -> Result<TlsConnector, String> {
        let extra = self.extra.clone();
        let prepared = tokio::task::spawn_blocking(move || config(extra)).await;
        match prepared {
            Ok(Ok(config)) => Ok(TlsConnector::from(Arc::new(config))),
            Ok(Err(error)) => Err(format!("TLS cannot be set up: {error}")),
            Err(error) => Err(format!("TLS cannot be set up: {error}")),
        }
    }
}

/// Bytes of a PEM file; what is behind them is not read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The certificates of a PEM file, of which one at least can be used.
pub(crate) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |source| Error::CaFile {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text))
        .map_err(unreadable)?;
    let parsed: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = parsed.map_err(|error| unreadable(io::Error::other(error.to_string())))?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(Error::CaFileEmpty {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// TLS with HTTP/1.1 to whom the system trusts, and these.
pub(crate) fn config(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(extra))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's certificates, or Mozilla's where the system has none (images without CA files),
/// and the extra ones.
fn roots(extra: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(native.certs);
    if usable == 0 {
        tracing::info!("no CA certificates on this system, using the built-in ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra);
    roots
}

/// Why a handshake failed.
fn why(error: &io::Error, version: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(certificate)) => certificate_problem(certificate),
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            format!("the peer does not speak {version}")
        }
        Some(rustls::Error::InvalidMessage(_)) => "the peer does not speak TLS".to_owned(),
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection".to_owned()
        }
        None => error.to_string(),
    }
}

fn certificate_problem(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate was not issued by an authority that we trust".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        error => format!("its certificate is not valid: {error}"),
    }
}
