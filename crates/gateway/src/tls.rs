//! TLS for clients: certificates from files, chosen by the name a client asks for, and loaded
//! again without dropping a connection.
//!
//! A connection keeps what it was made with. New ones get what was loaded last; what does not load
//! changes nothing.

mod certificate;
mod error;
mod files;
mod names;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

pub use error::TlsError;
use files::Stamps;
use names::Names;

/// Where the certificates of a listener are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates with their keys. The first is for clients that name none of the others.
    pub certificates: Vec<CertificateFiles>,
    /// Who may sign the certificates of clients; none: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must have a certificate.
    pub client_required: bool,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by what leads to a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The TLS of one listener.
#[derive(Debug)]
pub struct Tls {
    loaded: RwLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    files: Arc<TlsFiles>,
    config: Arc<ServerConfig>,
    expires_at: u64,
    /// What the files were like when they were last looked at, loaded or not.
    stamps: Stamps,
}

/// What TLS knows of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Secure {
    /// The subject of its certificate.
    pub(crate) subject: Option<HeaderValue>,
}

impl Tls {
    /// Loads certificates.
    ///
    /// # Errors
    /// Any of them cannot be read or used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before the files are read: what changes meanwhile is loaded again.
        let stamps = Stamps::of(&files);
        let (config, expires_at) = config(&files)?;
        Ok(Self {
            loaded: RwLock::new(Loaded {
                files: Arc::new(files),
                config: Arc::new(config),
                expires_at,
                stamps,
            }),
        })
    }

    /// Loads the files again. Blocks.
    ///
    /// # Errors
    /// Any of them cannot be read or used: all stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let files = self.files();
        let stamps = Stamps::of(&files);
        let made = config(&files);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have taken their place meanwhile.
        if !Arc::ptr_eq(&files, &loaded.files) {
            return Ok(());
        }
        loaded.stamps = stamps;
        let (config, expires_at) = made?;
        loaded.config = Arc::new(config);
        loaded.expires_at = expires_at;
        Ok(())
    }

    /// Takes the files and certificates of another in place of its own. Connections keep what they
    /// were made with.
    pub fn replace_with(&self, other: Self) {
        let other = other.loaded.into_inner();
        let other = other.unwrap_or_else(PoisonError::into_inner);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// Whether a file has changed since the files were last loaded, or found to be wrong. Blocks.
    pub fn is_changed(&self) -> bool {
        let now = Stamps::of(&self.files());
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.stamps != now
    }

    fn files(&self) -> Arc<TlsFiles> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.files)
    }

    /// When the first of the certificates in use expires, in seconds since 1970.
    pub fn expires_at(&self) -> u64 {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.expires_at
    }

    /// What a new connection uses.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.config)
    }
}

impl Secure {
    /// What the handshake has told.
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            subject: certificates.first().and_then(certificate::subject),
        }
    }
}

/// TLS as the files say, with the moment at which the first certificate expires. Sessions are not
/// resumed over a reload: whose certificate was accepted is asked again.
fn config(files: &TlsFiles) -> Result<(ServerConfig, u64), TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let names = Names::load(&files.certificates, &provider)?;
    let expires_at = names.expires_at();
    let unusable = |why: &dyn std::fmt::Display| TlsError::Provider(why.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in files::certificates(path)? {
                let added = roots.add(root);
                added.map_err(|error| TlsError::unusable(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match files.client_required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let built = verifier.build();
            builder
                .with_client_cert_verifier(built.map_err(|error| TlsError::unusable(path, &error))?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| unusable(&error))?;
    Ok((config, expires_at))
}
