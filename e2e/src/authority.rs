//! Certificates for tests, and how tools that renew them put them in place.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::bound::Must;

/// A certificate authority that lives as long as its test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl Authority {
    /// A new one of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).must("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().must("a key");
        let pem = params.self_signed(&key).must("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Writes a certificate for these names, and its key, to `NAME.pem` and `NAME.key`.
    pub fn issue(&self, dir: &Path, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let names = names.iter().map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).must("parameters");
        params.distinguished_name.push(DnType::CommonName, file);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Caf\u{e9}, Ltd");
        let key = KeyPair::generate().must("a key");
        let certificate = params.signed_by(&key, &self.issuer).must("a certificate");
        let (pem, secret) = (
            dir.join(file).with_extension("pem"),
            dir.join(file).with_extension("key"),
        );
        replace(&pem, &certificate.pem());
        replace(&secret, &key.serialize_pem());
        (pem, secret)
    }
}

/// In one step, as tools that renew certificates do it.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).must("writing a file");
    std::fs::rename(&new, path).must("renaming it");
}
