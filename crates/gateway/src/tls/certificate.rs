//! What certificates say: for which names, until when, of whom.

use std::fmt::Write as _;

use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Bytes of a subject as a backend is told it; a longer one is not told.
const SUBJECT_BYTES_MAX: usize = 4 * 1024;

/// What a server's certificate says.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The host names it is for, wildcards as `*.example.com`.
    pub(super) names: Vec<String>,
    /// Seconds since 1970.
    pub(super) expires_at: u64,
}

impl Facts {
    pub(super) fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
        let certificate = certificate.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>();
        let names = names.map_err(|error| error.to_string())?;
        let names = names.map(|(_, names)| names.0).unwrap_or_default();
        let host = |name: GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        };
        let until = certificate.validity().not_after.to_unix_duration();
        Ok(Self {
            names: names.into_iter().filter_map(host).collect(),
            expires_at: until.as_secs(),
        })
    }
}

/// The subject of a client's certificate as RFC 4514 writes it, in ASCII: all other bytes are
/// written in its own way as `\` and two digits.
pub(super) fn subject(der: &CertificateDer<'static>) -> Option<HeaderValue> {
    let certificate = Certificate::from_der(der).ok()?;
    let written = certificate.tbs_certificate().subject().to_string();
    let mut ascii = String::with_capacity(written.len());
    for byte in written.bytes() {
        match byte {
            b' '..=b'~' => ascii.push(char::from(byte)),
            // Writing to a String does not fail.
            other => _ = write!(ascii, "\\{other:02X}"),
        }
    }
    if ascii.len() > SUBJECT_BYTES_MAX {
        return None;
    }
    HeaderValue::from_str(&ascii).ok()
}
