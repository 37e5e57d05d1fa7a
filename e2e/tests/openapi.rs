//! The OpenAPI documents: valid, as they are in docs/reference, and true of what the binary answers.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Response, Script, expect};
use serde_json::{Value, json};

fn beside(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A gateway with a route of jobs that end or, below `/work/slow`, do not, and one whose jobs fail.
async fn gateway() -> (Raincheck, Backend) {
    let never = Event::new("never");
    let backend = Backend::start(move |seen| match seen.path() {
        "/work/slow" => Script::new().wait(&never).ok("never"),
        "/work/teapot" => Script::new().respond(
            "418 I'm a teapot",
            &["content-type: text/plain"],
            "short and stout",
        ),
        "/work/bytes" => Script::new()
            .send("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n")
            .pattern(100_000),
        _ => Script::new().json(r#"{"pages":10}"#),
    })
    .await;
    let config = Config::new()
        .route("/work/{*path}", &backend.url(), "async")
        .route("/dead/{*path}", "http://127.0.0.1:1", "async");
    (Raincheck::start(&config).await, backend)
}

/// Jobs in every state that lasts, by name; `spare` ones for who changes them.
async fn jobs(app: &Raincheck) -> Value {
    let submit = async |path: &str| app.submit(path, "x").await.id;
    let mut jobs = json!({});
    for (name, path) in [
        ("succeeded", "/work/json"),
        ("refused", "/work/teapot"),
        ("large", "/work/bytes"),
        ("failed", "/dead/x"),
    ] {
        let id = submit(path).await;
        app.finished(&id).await;
        jobs[name] = id.into();
    }
    let cancelled = submit("/work/slow").await;
    app.delete(&cancelled).await.expect(200);
    jobs["cancelled"] = cancelled.into();
    jobs["processing"] = submit("/work/slow").await.into();
    let mut spare = Vec::new();
    for _ in 0..10 {
        spare.push(submit("/work/json").await);
        spare.push(submit("/work/slow").await);
    }
    jobs["spare"] = spare.into();
    jobs
}

/// Every check of schemathesis on the API that this document describes.
async fn schemathesis(jobs: &Value, url: &str) {
    let home = tempfile::tempdir().must("a directory");
    let mut command = Command::new(process::python());
    command
        .args(["-m", "schemathesis.cli"])
        .current_dir(home.path())
        .env("JOBS", jobs.to_string())
        .env("SCHEMATHESIS_HOOKS", "openapi")
        .env("PYTHONPATH", beside("clients"))
        .arg("--config-file")
        .arg(beside("clients/schemathesis.toml"))
        .args([
            "run",
            url,
            "--checks",
            "all",
            "--warnings",
            "off",
            "--no-color",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "5",
        ])
        .args(["--generation-deterministic", "--request-timeout", "20"]);
    let exit = Child::spawn(command)
        .exited_within(Duration::from_secs(120))
        .await;
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    assert!(exit.stdout.contains("No issues found"), "{}", exit.stdout);
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_the_job_api() {
    let (app, _backend) = gateway().await;
    let url = format!("http://{}/_raincheck/openapi.json", app.addr());
    schemathesis(&jobs(&app).await, &url).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_the_admin_api() {
    let (app, _backend) = gateway().await;
    let url = format!("http://{}/openapi.json", app.admin_addr());
    schemathesis(&jobs(&app).await, &url).await;
}

#[tokio::test]
async fn the_documents_are_valid_and_so_are_their_examples() {
    let mut command = Command::new(process::python());
    command
        .arg(beside("clients/openapi_valid.py"))
        .arg(beside("../docs/reference/openapi.json"))
        .arg(beside("../docs/reference/openapi-admin.json"));
    let exit = Child::spawn(command).exited().await;
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    assert_eq!(exit.stdout.lines().count(), 2, "{}", exit.stdout);
}

/// What is the same in every version of the document.
fn expect_document(response: &Response, path: &str, methods: &str) {
    assert_eq!(response.status, 200);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-cache"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(response.header(name).as_deref(), Some(value), "{name}");
    }
    let document = response.json();
    let operations = document["paths"][path].as_object().must(path);
    for method in methods.split(' ') {
        assert!(operations.contains_key(method), "{method} {path}");
    }
}

#[tokio::test]
async fn documents_say_where_this_gateway_has_its_jobs() {
    let backend = Backend::echo().await;
    let config = Config::sync(&backend.url())
        .server("jobs_path = \"/tickets\"")
        .server("public_url = \"https://api.example.com/prod\"");
    let app = Raincheck::start(&config).await;
    let document = app.get("/_raincheck/openapi.json").await;
    expect_document(&document, "/tickets/{id}", "get delete");
    assert_eq!(
        document.json()["servers"][0]["url"],
        "https://api.example.com/prod"
    );
    let admin = app.admin("GET", "/openapi.json").send().await;
    expect_document(&admin, "/reload", "post");

    let tag = document.header("etag").must("ETag");
    let again = app
        .request("GET", "/_raincheck/openapi.json")
        .header("if-none-match", &tag);
    assert_eq!(again.send().await.status, 304);
    let refused = app.post("/_raincheck/openapi.json", "").await;
    expect::problem(&refused, 405, "method-not-allowed");
    assert_eq!(refused.header("allow").as_deref(), Some("GET, HEAD"));
    assert_eq!(backend.count(), 0);
}
