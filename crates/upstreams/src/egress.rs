//! Posts to URLs that callers named: where a request would make this gateway reach into a network
//! that its caller cannot, nothing is sent.
//!
//! The [`Rules`] are applied to the address that is dialled, in the connector: a name is resolved,
//! what may not be called is filtered out, and one of what is left is connected to, so that a name
//! cannot lead elsewhere between a check and its use. Each post has a connection of its own, so
//! none is used whose address was checked for something else. Redirects are answers like any other.
//! Proxies of the environment are not looked at; one of the config resolves names itself.

mod connect;
mod post;
mod resolve;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::egress::{Denied, Host, Rules, Target};
use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

pub use post::Posted;
pub use resolve::{Resolve, Resolving};

use crate::Error;
use crate::push::tls;
use resolve::System;

/// How long a name may take to resolve before a request is accepted.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be set.
#[derive(Debug, Clone)]
pub struct EgressOptions {
    /// What may be called.
    pub rules: Rules,
    /// How long a post may take, from resolving to the head of its answer.
    pub timeout: Duration,
    /// Host and port of an HTTP proxy through which everything goes (`CONNECT`).
    pub proxy: Option<(String, u16)>,
    /// A PEM file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Posts to URLs that callers named.
pub struct Egress {
    rules: Rules,
    timeout: Duration,
    proxy: Option<(String, u16)>,
    extra: Vec<CertificateDer<'static>>,
    tls: OnceCell<TlsConnector>,
    resolver: Box<dyn Resolve>,
}

impl Egress {
    /// With the system's resolver.
    ///
    /// # Errors
    /// The file of certificates cannot be read, or has none.
    pub fn new(options: EgressOptions) -> Result<Self, Error> {
        let EgressOptions {
            rules,
            timeout,
            proxy,
            ca_file,
        } = options;
        let extra = ca_file.as_deref().map(tls::read).transpose()?;
        Ok(Self {
            rules,
            timeout,
            proxy,
            extra: extra.unwrap_or_default(),
            tls: OnceCell::new(),
            resolver: Box::new(System::default()),
        })
    }

    /// With another resolver.
    #[must_use]
    pub fn resolving(mut self, resolver: Box<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Whether a target may be called, as far as can be said now; what it resolves to later is
    /// looked at then. Behind a proxy names are not resolved here.
    ///
    /// # Errors
    /// It may not, or does not resolve.
    pub async fn check(&self, target: &Target) -> Result<(), Denied> {
        self.rules.check(target)?;
        if self.proxy.is_some() {
            return Ok(());
        }
        let resolved = tokio::time::timeout(RESOLVE_TIMEOUT, self.addresses(target)).await;
        match resolved {
            Ok(addresses) if !addresses.is_empty() => Ok(()),
            _ => Err(Denied::Host),
        }
    }

    /// The addresses of a target that may be called; none too where it does not resolve.
    async fn addresses(&self, target: &Target) -> Vec<std::net::SocketAddr> {
        let found = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolver.resolve(name).await.unwrap_or_default(),
        };
        found
            .into_iter()
            .filter(|address| self.rules.allows(&target.host, *address))
            .take(connect::ADDRESSES)
            .map(|address| (address, target.port).into())
            .collect()
    }

    async fn connector(&self) -> Option<TlsConnector> {
        let prepared = self.tls.get_or_try_init(|| async {
            let extra = self.extra.clone();
            let config = tokio::task::spawn_blocking(move || tls::config(extra)).await;
            match config {
                Ok(Ok(config)) => Ok(TlsConnector::from(Arc::new(config))),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        });
        match prepared.await {
            Ok(connector) => Some(connector.clone()),
            Err(error) => {
                tracing::error!(error, "TLS for webhooks cannot be set up");
                None
            }
        }
    }
}
