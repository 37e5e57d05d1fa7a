//! The certificates of a listener: loaded before its port opens, and again when their files
//! change. What does not load changes nothing, and is said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_config::Plan;
use raincheck_config::plan::{self, ClientAuth, Listener};
use raincheck_gateway::{CertificateFiles, Tls, TlsFiles};
use raincheck_telemetry::{ListenerMetrics, Metrics};

use crate::exit::{Code, Failure};

/// The certificates of one listener.
pub struct Certificates {
    /// Its address, for people.
    listener: String,
    tls: Arc<Tls>,
    metrics: Mutex<ListenerMetrics>,
}

/// Loads those of every listener of a plan, to see whether they could be used.
pub fn check(plan: &Plan) -> Result<(), Failure> {
    let mut listeners = plan.server.listen.iter().chain(&plan.admin.listen);
    listeners.try_for_each(|listener| load(listener).map(drop))
}

/// Loads those of a listener, if it has any. Blocks.
///
/// # Errors
/// Any of them cannot be read or used.
pub fn load(listener: &Listener) -> Result<Option<Tls>, Failure> {
    let Some(plan::Tls {
        certificates,
        client_ca,
        client_auth,
    }) = listener.tls.clone()
    else {
        return Ok(None);
    };
    let pair = |pair: plan::Certificate| CertificateFiles {
        certificate: pair.certificate,
        key: pair.key,
    };
    let files = TlsFiles {
        certificates: certificates.into_iter().map(pair).collect(),
        client_ca,
        client_required: client_auth == ClientAuth::Required,
    };
    let loaded = Tls::load(files).map_err(|error| {
        let message = format!("no TLS on {}: {error}", listener.address);
        Failure::new(Code::Usage, message)
    });
    loaded.map(Some)
}

impl Certificates {
    /// Those of a listener, as they were loaded.
    pub fn new(listener: &Listener, tls: Tls) -> Arc<Self> {
        Arc::new(Self {
            listener: listener.address.to_string(),
            tls: Arc::new(tls),
            metrics: Mutex::default(),
        })
    }

    /// What new connections use.
    pub fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Counts here from now on.
    pub fn count(&self, metrics: &Metrics) {
        let counts = metrics.listener(&self.listener);
        counts.certificates("ok", self.tls.expires_at());
        *self.metrics() = counts;
    }

    /// Uses others from now on.
    pub fn replace_with(&self, tls: Tls) {
        self.tls.replace_with(tls);
        self.metrics().certificates("ok", self.tls.expires_at());
    }

    /// Nothing uses them any more: when they expire is of no interest.
    pub fn retire(&self) {
        self.metrics().no_certificates();
    }

    /// Whether a file has changed. Blocks.
    pub fn is_changed(&self) -> bool {
        self.tls.is_changed()
    }

    /// Loads the files again; returns what is wrong, if anything is: all stays as it was. Blocks.
    pub fn reload(&self) -> Option<String> {
        let done = self.tls.reload();
        let result = done.as_ref().map_or_else(|error| error.kind(), |()| "ok");
        self.metrics().certificates(result, self.tls.expires_at());
        let listener = &self.listener;
        match done {
            Ok(()) => {
                tracing::info!(listener, "certificates loaded");
                None
            }
            Err(error) => {
                let why = error.to_string();
                tracing::error!(listener, why, "certificates not loaded; the old ones stay");
                Some(format!("{listener}: {why}"))
            }
        }
    }

    fn metrics(&self) -> MutexGuard<'_, ListenerMetrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
