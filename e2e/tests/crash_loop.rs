//! `kill -9` again and again under load: every acknowledged job is there afterwards, ended once,
//! with the answer to its own request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use raincheck_e2e::bound::within_time;
use raincheck_e2e::request::Request;
use raincheck_e2e::wire::End;
use raincheck_e2e::{Backend, Config, Must, Raincheck, Script, until};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// How many times the process is killed. More than the default: `RAINCHECK_E2E_CRASHES=200`.
fn rounds() -> usize {
    let asked = std::env::var("RAINCHECK_E2E_CRASHES")
        .ok()
        .and_then(|text| text.parse().ok());
    asked.unwrap_or(8)
}

const CLIENTS: usize = 16;

/// A job that a client was promised, and what it asked for.
#[derive(Clone, Debug)]
struct Promise {
    id: String,
    repeatable: bool,
    body: String,
}

#[derive(Default)]
struct Load {
    promises: Mutex<Vec<Promise>>,
    acknowledged: AtomicUsize,
    sent: AtomicUsize,
}

impl Load {
    /// Sends requests, one after the other, until the server is gone.
    async fn client(self: Arc<Self>, addr: std::net::SocketAddr) {
        loop {
            let number = self.sent.fetch_add(1, Ordering::SeqCst);
            let method = if number.is_multiple_of(2) {
                "PUT"
            } else {
                "POST"
            };
            let mode = if number.is_multiple_of(3) {
                "auto"
            } else {
                "async"
            };
            // Some bodies are larger than what is kept in memory or in a row.
            let padding = [10, 100, 20_000, 150_000][number % 4];
            let body = format!("{number}:{}", "p".repeat(padding));
            let request = Request::new(addr, method, &format!("/{mode}/{number}")).body(&body);
            let Some(response) = request.try_send().await else {
                return;
            };
            // Held clients of a fast backend get the answer itself.
            assert!([200, 202].contains(&response.status), "{}", response.text());
            if response.status == 202 {
                let id = response.json()["job_id"].as_str().must("job_id").to_owned();
                let repeatable = method == "PUT";
                self.promises.lock().await.push(Promise {
                    id,
                    repeatable,
                    body,
                });
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Runs load until `more` jobs have been acknowledged, then kills the process under it.
    async fn until_killed(self: &Arc<Self>, app: &mut Raincheck, more: usize) {
        let target = self.acknowledged.load(Ordering::SeqCst) + more;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(self.clone().client(app.addr()));
        }
        let enough = || self.acknowledged.load(Ordering::SeqCst) >= target;
        until("enough acknowledged jobs", enough).await;
        app.kill().await;
        while let Some(client) = clients.join_next().await {
            client.must("a client should only ever see an answer or a dead server");
        }
    }
}

/// What must be true of every promise once everything has come to rest.
async fn keep(app: &Raincheck, backend: &Backend, promise: &Promise) {
    let document: Value = app.finished(&promise.id).await;
    let executions = document["executions"].as_u64().must("executions");
    let sent = backend.requests_of(&promise.id);
    assert!(
        sent.len() as u64 <= executions,
        "seen {} times: {document}",
        sent.len()
    );
    assert!(
        sent.iter()
            .all(|seen| promise.body.as_bytes().starts_with(&seen.body.bytes)
                && (seen.body.end != End::Complete || seen.body.text() == promise.body)),
        "{} was sent with another body",
        promise.id
    );
    let mut attempts: Vec<_> = sent.iter().map(|seen| seen.attempt()).collect();
    attempts.dedup();
    assert_eq!(
        attempts.len(),
        sent.len(),
        "an attempt was sent twice: {attempts:?}"
    );
    match document["status"].as_str() {
        Some("succeeded") => {
            let result = app.result(&promise.id).await.expect(200);
            assert!(
                result.text() == promise.body,
                "{} got another job's answer",
                promise.id
            );
        }
        Some("failed") => {
            assert!(!promise.repeatable, "{document}");
            assert_eq!(document["error"]["code"], "interrupted", "{document}");
            assert!(executions >= 1, "{document}");
        }
        other => panic!("{other:?}: {document}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_job_survives() {
    let backend = Backend::always(Script::new().mirror()).await;
    let mut config = Config::all_modes(&backend.url());
    config = config.each("concurrency = 4");
    // A hold that often ends before the queue of the backend does.
    config = config.each("hold = \"5ms\"");
    let mut app = Raincheck::start(&config).await;
    let load = Arc::new(Load::default());
    for round in 0..rounds() {
        load.until_killed(&mut app, 20 + 37 * (round % 5)).await;
        let promised = load.promises.lock().await.clone();
        app.restart().await;
        // The newest promises are the ones in doubt; the older ones are all checked at the end.
        for promise in promised.iter().rev().take(50) {
            let status = app.get(&format!("/jobs/{}", promise.id)).await;
            assert_eq!(status.status, 200, "round {round}: {} is lost", promise.id);
        }
    }
    let promised = load.promises.lock().await.clone();
    assert!(promised.len() >= 20 * rounds());
    within_time(Duration::from_secs(300), "all promises to be kept", async {
        for promise in &promised {
            keep(&app, &backend, promise).await;
        }
    })
    .await;

    // The store agrees with itself when nobody uses it.
    app.terminate();
    assert_eq!(app.child.exited().await.code, Some(0));
    let mut verify = raincheck_e2e::process::command();
    verify.args(["verify", "--store-path"]).arg(app.home.data());
    let verified = raincheck_e2e::process::Child::spawn(verify).exited().await;
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
}
