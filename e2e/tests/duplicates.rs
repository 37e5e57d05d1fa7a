//! Clients that repeat their requests, across kills and with the tools people use: one run each.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::curl::curl;
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect, ticket};

const KEY: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

/// Sends the request of every test here.
async fn post(app: &Raincheck, key: &str, body: &str) -> raincheck_e2e::Response {
    app.request("POST", "/x?y=1")
        .header("idempotency-key", key)
        .body(body)
        .send()
        .await
}

#[tokio::test]
async fn keys_answer_after_a_kill() {
    let backend = Backend::always(Script::new().respond("201 Created", &["x-a: 1"], "made")).await;
    let mut app = Raincheck::start(&Config::auto(&backend.url())).await;
    let first = post(&app, KEY, "order").await;
    assert_eq!((first.status, first.text()), (201, "made".to_owned()));
    assert_eq!(
        backend.only().header("idempotency-key").as_deref(),
        Some(KEY)
    );
    let id = backend.only().header("raincheck-job-id").must("a job id");
    app.finished(&id).await;
    for _ in 0..3 {
        app.restart().await;
        let again = post(&app, KEY, "order").await;
        assert_eq!((again.status, again.text()), (201, "made".to_owned()));
        assert_eq!(again.all("x-a"), ["1"]);
        assert_eq!(again.all("idempotency-replayed"), ["true"]);
        assert_eq!(again.all("raincheck-job-id"), [id.as_str()]);
        expect::problem(
            &post(&app, KEY, "other").await,
            422,
            "idempotency-key-reused",
        );
    }
    assert_eq!(backend.count(), 1);
}

/// The backend may have run what was in flight at the kill: no repetition runs it again.
#[tokio::test]
async fn what_ran_at_a_kill_is_not_run_again_by_its_client() {
    let never = Event::new("never");
    let backend = Backend::always(Script::new().wait(&never)).await;
    let mut app = Raincheck::start(&Config::auto(&backend.url())).await;
    let request = app
        .request("POST", "/x?y=1")
        .header("idempotency-key", KEY)
        .body("order");
    let _held = request.begin().await;
    backend.wait_for(1).await;
    app.restart().await;
    let id = backend.only().header("raincheck-job-id").must("a job id");
    assert_eq!(app.finished(&id).await["error"]["code"], "interrupted");
    for _ in 0..2 {
        let again = post(&app, KEY, "order").await;
        expect::problem(&again, 502, "interrupted");
        assert_eq!(again.all("idempotency-replayed"), ["true"]);
    }
    assert_eq!(backend.count(), 1);
}

/// A key lives as long as the result, and is free with it.
#[tokio::test]
async fn a_key_is_forgotten_with_its_result() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let first = ticket(&post(&app, KEY, "order").await).id;
    app.finished(&first).await;
    let again = post(&app, KEY, "order").await.expect(202);
    assert_eq!(again.all("raincheck-job-id"), [first.as_str()]);
    assert_eq!(again.json()["status"], "succeeded");
    app.delete(&first).await;
    let second = ticket(&post(&app, KEY, "order").await).id;
    assert_ne!(second, first);
    app.finished(&second).await;
    assert_eq!(backend.count(), 2);
}

/// `curl --retry` that gives up on each attempt before the backend is done.
#[tokio::test]
async fn curl_in_a_retry_loop() {
    let done = Event::new("done");
    let backend = Backend::always(Script::new().wait(&done).ok("finished")).await;
    let app = Raincheck::start(&Config::auto(&backend.url())).await;
    let url = format!("http://{}/x", app.addr());
    let key = format!("Idempotency-Key: \"{KEY}\"");
    let hasty = [
        "--max-time",
        "0.3",
        "--retry",
        "2",
        "--retry-all-errors",
        "--retry-delay",
        "0",
        "-H",
        &key,
        "--data",
        "order",
        &url,
    ];
    let given_up = curl(&hasty).await;
    assert_eq!(given_up.code, 28, "{given_up:?}");
    done.fire();
    let patient = curl(&["-H", &key, "--data", "order", &url]).await;
    assert_eq!(
        (patient.status(), patient.text()),
        (200, "finished".to_owned())
    );
    assert_eq!(patient.all("idempotency-replayed"), ["true"]);
    assert_eq!(backend.count(), 1);
}

/// Python's `requests` with its own retries, with a key and, on a route that knows repetitions by
/// what they ask, without.
#[tokio::test]
async fn pythons_requests_in_a_retry_loop() {
    for key in [KEY, ""] {
        let done = Event::new("done");
        let backend = Backend::always(Script::new().wait(&done).ok("finished")).await;
        let config = Config::auto(&backend.url()).with("dedupe = \"10m\"");
        let app = Raincheck::start(&config).await;
        let mut command = Command::new(process::python());
        command
            .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
            .args(["retries.py", &format!("http://{}/x", app.addr()), key]);
        let client = Child::spawn(command);
        backend.wait_for(1).await;
        // It has given up at least once when the gateway knows of a repetition.
        raincheck_e2e::within("a repetition", async {
            while !repeated(&app).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        done.fire();
        let line = client.line_with("answer ").await;
        assert_eq!(line.trim(), "answer 200 finished true");
        assert_eq!(backend.count(), 1);
    }
}

/// Whether the metrics tell of a run that did not happen twice.
async fn repeated(app: &Raincheck) -> bool {
    let text = app.admin("GET", "/metrics").send().await.text();
    text.lines().any(|line| {
        line.starts_with("raincheck_duplicates_total")
            && line.contains("joined")
            && !line.ends_with(" 0")
    })
}
