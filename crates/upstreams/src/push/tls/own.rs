//! TLS as one upstream wants it: authorities, a certificate of ours, HTTP/2.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::route::upstream::{Protocol, Reach};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// HTTP/2 in ALPN.
pub(in crate::push) const H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
const H1: &[u8] = b"http/1.1";

/// The connectors that were made, by what they were made of: one for each such upstream.
#[derive(Default)]
pub(in crate::push) struct Own(Mutex<HashMap<Reach, Made>>);

struct Made {
    connector: TlsConnector,
    /// Whether its files may say something else now.
    stale: bool,
}

/// Whether an upstream needs more than what all others have.
pub(super) fn is_needed(reach: &Reach) -> bool {
    reach.ca_file.is_some() || reach.identity.is_some() || reach.protocol != Protocol::H1
}

impl Own {
    /// Forgets those that are not used, and reads the files of others again when they are needed
    /// next.
    pub(in crate::push) fn read_again(&self, is_used: impl Fn(&Reach) -> bool) {
        self.lock().retain(|reach, made| {
            made.stale = true;
            is_used(reach)
        });
    }

    /// The connector of an upstream. Files that changed and cannot be used leave the old one.
    pub(super) async fn connector(
        &self,
        reach: &Reach,
        extra: &[CertificateDer<'static>],
    ) -> Result<TlsConnector, String> {
        let old = self.get(reach);
        if let Some((connector, false)) = old {
            return Ok(connector);
        }
        let (wanted, extra) = (reach.clone(), extra.to_vec());
        let made = tokio::task::spawn_blocking(move || config(&wanted, extra)).await;
        let made = made.map_err(|error| error.to_string());
        let connector = match (made.and_then(|made| made), old) {
            (Ok(config), _) => TlsConnector::from(Arc::new(config)),
            (Err(error), Some((connector, _))) => {
                tracing::error!(error, "certificates of an upstream are not changed");
                connector
            }
            (Err(error), None) => return Err(format!("TLS cannot be set up: {error}")),
        };
        let made = Made {
            connector: connector.clone(),
            stale: false,
        };
        self.lock().insert(reach.clone(), made);
        Ok(connector)
    }

    fn get(&self, reach: &Reach) -> Option<(TlsConnector, bool)> {
        let known = self.lock();
        let made = known.get(reach)?;
        Some((made.connector.clone(), made.stale))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reach, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(reach: &Reach, extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, String> {
    let roots = match &reach.ca_file {
        Some(path) => trusted(path)?,
        None => super::roots(extra),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match &reach.identity {
        Some((chain, key)) => {
            let chain = certificates(chain)?;
            let unusable = |error: &dyn std::fmt::Display| {
                format!("the key {} cannot be used: {error}", key.display())
            };
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
            let authenticated = config.with_client_auth_cert(chain, key);
            authenticated.map_err(|error| unusable(&error))?
        }
        None => config.with_no_client_auth(),
    };
    let protocols: &[&[u8]] = match reach.protocol {
        Protocol::H1 => &[H1],
        Protocol::H2 => &[H2],
        Protocol::Auto => &[H2, H1],
    };
    config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    Ok(config)
}

fn trusted(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates(path)?);
    match usable {
        0 => Err(format!("no certificate of {} can be used", path.display())),
        _ => Ok(roots),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found: Result<Vec<_>, _> = found.collect();
    match found.map_err(unreadable)? {
        none if none.is_empty() => Err(format!("there is no certificate in {}", path.display())),
        some => Ok(some),
    }
}
