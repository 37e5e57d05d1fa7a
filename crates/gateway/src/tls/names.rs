//! Which certificate a client gets, by the name it asks for (RFC 6066 section 3).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureScheme};

use super::certificate::Facts;
use super::{CertificateFiles, TlsError, files};

/// Certificates by their names. Several may have one name, as RSA and ECDSA.
pub(super) struct Names {
    all: Vec<Arc<CertifiedKey>>,
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`.
    wildcards: HashMap<String, Vec<Arc<CertifiedKey>>>,
    expires_at: u64,
}

impl Names {
    pub(super) fn load(
        pairs: &[CertificateFiles],
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let mut names = Self {
            all: Vec::new(),
            exact: HashMap::new(),
            wildcards: HashMap::new(),
            expires_at: u64::MAX,
        };
        for pair in pairs {
            names.add(pair, provider)?;
        }
        Ok(names)
    }

    fn add(&mut self, pair: &CertificateFiles, provider: &CryptoProvider) -> Result<(), TlsError> {
        let chain = files::certificates(&pair.certificate)?;
        let facts = chain.first().map(Facts::of).transpose();
        let facts = facts.map_err(|why| TlsError::unusable(&pair.certificate, &why))?;
        let key = files::key(&pair.key)?;
        let certified = CertifiedKey::from_der(chain, key, provider);
        let certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::Mismatch {
                certificate: pair.certificate.clone(),
                key: pair.key.clone(),
            },
            error => TlsError::unusable(&pair.key, &error),
        })?;
        let certified = Arc::new(certified);
        let facts = facts.unwrap_or_default();
        self.expires_at = self.expires_at.min(facts.expires_at);
        for name in facts.names {
            let name = name.to_ascii_lowercase();
            let (map, name) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcards, rest.to_owned()),
                None => (&mut self.exact, name),
            };
            map.entry(name).or_default().push(Arc::clone(&certified));
        }
        self.all.push(certified);
        Ok(())
    }

    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Those with this name: exactly, or by a wildcard for its first label.
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        let wild = || self.wildcards.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(wild)
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(schemes).is_some();
        let named = name.and_then(|name| self.named(name));
        let chosen = named.and_then(|named| named.iter().find(fits).or(named.first()));
        chosen.or(self.all.first()).cloned()
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names")
            .field("exact", &self.exact.keys())
            .field("wildcards", &self.wildcards.keys())
            .finish_non_exhaustive()
    }
}
