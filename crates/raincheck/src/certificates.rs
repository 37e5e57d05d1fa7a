//! The certificates of all listeners: loaded before a port opens, and again when their files
//! change. What does not load changes nothing, and is said.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use raincheck_config::Plan;
use raincheck_config::plan::{self, ClientAuth, Listener};
use raincheck_gateway::{CertificateFiles, Tls, TlsFiles};
use raincheck_telemetry::{ListenerMetrics, Metrics};

use crate::exit::{Code, Failure};

/// The certificates of all listeners.
#[derive(Default)]
pub struct Certificates {
    all: Vec<One>,
}

struct One {
    plan: Listener,
    /// Its address, for people.
    listener: String,
    tls: Arc<Tls>,
    metrics: Mutex<ListenerMetrics>,
}

impl Certificates {
    /// Loads those of a plan, or none.
    pub fn load(plan: &Plan) -> Result<Self, Failure> {
        let listeners = plan.server.listen.iter().chain(&plan.admin.listen);
        let loaded: Result<_, Failure> = listeners.filter_map(load).collect();
        Ok(Self { all: loaded? })
    }

    /// Those of a listener.
    pub fn of(&self, listener: &Listener) -> Option<Arc<Tls>> {
        // Not by address alone: two may both have asked for any free port.
        let one = self.all.iter().find(|one| one.plan == *listener);
        one.map(|one| Arc::clone(&one.tls))
    }

    /// Counts here from now on.
    pub fn count(&self, metrics: &Metrics) {
        for one in &self.all {
            let counts = metrics.listener(&one.listener);
            counts.certificates("ok", one.tls.expires_at());
            *one.metrics.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        }
    }

    /// Loads all files again. Returns what is wrong with any: those listeners keep what they have.
    pub async fn reload(self: &Arc<Self>) -> Vec<String> {
        self.reload_where(|_| true).await
    }

    /// Loads files that have changed, until dropped.
    pub async fn watch(self: &Arc<Self>, interval: Duration) -> Infallible {
        if self.all.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(interval).await;
            // What is wrong has been said.
            _ = self.reload_where(Tls::is_changed).await;
        }
    }

    async fn reload_where(self: &Arc<Self>, must: fn(&Tls) -> bool) -> Vec<String> {
        let own = Arc::clone(self);
        // Files may be slow, and exchanges go on meanwhile.
        let work = move || {
            let all = own.all.iter().filter(|one| must(&one.tls));
            all.filter_map(One::reload).collect()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }
}

impl One {
    /// Returns what is wrong, if anything is.
    fn reload(&self) -> Option<String> {
        let done = self.tls.reload();
        let result = done.as_ref().map_or_else(|error| error.kind(), |()| "ok");
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.certificates(result, self.tls.expires_at());
        drop(metrics);
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
}

fn load(plan: &Listener) -> Option<Result<One, Failure>> {
    let plan::Tls {
        certificates,
        client_ca,
        client_auth,
    } = plan.tls.clone()?;
    let pair = |pair: plan::Certificate| CertificateFiles {
        certificate: pair.certificate,
        key: pair.key,
    };
    let files = TlsFiles {
        certificates: certificates.into_iter().map(pair).collect(),
        client_ca,
        client_required: client_auth == ClientAuth::Required,
    };
    let listener = plan.address.to_string();
    Some(match Tls::load(files) {
        Ok(tls) => Ok(One {
            plan: plan.clone(),
            listener,
            tls: Arc::new(tls),
            metrics: Mutex::default(),
        }),
        Err(error) => {
            let message = format!("no TLS on {listener}: {error}");
            Err(Failure::new(Code::Usage, message))
        }
    })
}
