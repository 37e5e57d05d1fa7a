//! `keepalive`: bytes that keep what stands in front from cutting, then the result.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::curl::curl;
use raincheck_e2e::nginx::Nginx;
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::request::Request;
use raincheck_e2e::wire::Piece;
use raincheck_e2e::{
    Backend, Client, Config, Event, Must, Raincheck, Response, Script, expect, within,
};
use serde_json::{Value, json};

/// A gateway that keeps clients in this way after a moment, in front of a backend that answers when
/// the event is fired.
async fn keeping(filler: &str, answer: &Event) -> (Raincheck, Backend) {
    let script = Script::new().wait(answer).respond(
        "201 Created",
        &[
            "x-made: here",
            "x-made: there",
            "content-type: application/json",
        ],
        "{\"pages\":10}",
    );
    let backend = Backend::always(script).await;
    let config = Config::auto(&backend.url())
        .server("grace = \"1s\"")
        .with("hold = \"200ms\"")
        .with("keepalive_interval = \"300ms\"")
        .with(&format!("keepalive = {filler:?}"));
    (Raincheck::start(&config).await, backend)
}

/// The head of a response that is kept.
async fn kept(client: &mut Client, method: &str) -> Response {
    let response = client.start(method).await;
    assert_eq!(response.status, 200);
    assert!(response.header("raincheck-keepalive").is_some());
    response
}

/// Reads until the body of a kept response has so many bytes.
async fn bytes(client: &mut Client, response: &mut Response, count: usize) {
    while response.text().len() < count {
        assert!(matches!(client.piece(response).await, Piece::Data(_)));
    }
}

fn client(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules());
    command
}

#[tokio::test]
async fn whitespace_keeps_the_connection_and_the_document_tells_the_rest() {
    let answer = Event::new("answer");
    let (app, backend) = keeping("json-whitespace", &answer).await;
    let mut client = app.request("POST", "/report").body("x").begin().await;
    let mut response = kept(&mut client, "POST").await;
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("raincheck-keepalive", "json-whitespace"),
    ] {
        assert_eq!(response.header(name).as_deref(), Some(value));
    }
    let id = response.header("raincheck-job-id").must("a job id");
    let monitor = format!("</jobs/{id}>; rel=\"monitor\"");
    assert_eq!(response.header("link"), Some(monitor));
    bytes(&mut client, &mut response, 3).await;
    assert_eq!(response.text().trim(), "");
    answer.fire();
    client.finish(&mut response).await;
    let document = response.json();
    assert_eq!(
        (
            &document["job_id"],
            &document["status"],
            &document["result"]
        ),
        (&json!(id), &json!("succeeded"), &json!({"pages": 10}))
    );
    assert_eq!(document["response"]["status"], 201);
    let fields = document["response"]["headers"].as_array().must("fields");
    for field in [json!(["x-made", "here"]), json!(["x-made", "there"])] {
        assert!(fields.contains(&field), "{fields:?}");
    }
    let exact = app
        .get(document["links"]["result"].as_str().must("a link"))
        .await;
    assert_eq!(
        (exact.status, exact.text().as_str()),
        (201, "{\"pages\":10}")
    );
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_failure_is_told_in_the_document() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).reset()).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"100ms\"")
        .with("keepalive = \"json-whitespace\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.request("POST", "/report").body("x").begin().await;
    let mut response = kept(&mut client, "POST").await;
    answer.fire();
    client.finish(&mut response).await;
    let document = response.json();
    assert_eq!(
        (
            &document["status"],
            &document["error"]["code"],
            &document["error"]["status"]
        ),
        (&json!("failed"), &json!("upstream-broken"), &json!(502))
    );
}

#[tokio::test]
async fn who_cannot_be_kept_gets_a_ticket() {
    let answer = Event::new("answer");
    let (app, _backend) = keeping("sse", &answer).await;
    let ask = |name: &str, value: &str| app.request("POST", "/x").header(name, value).body("x");
    for request in [
        ask("accept", "application/json"),
        ask("accept", "text/event-stream;q=0, */*"),
        ask("prefer", "respond-async, wait=0"),
    ] {
        let ticket = request.send().await.expect(202);
        assert!(ticket.header("retry-after").is_some());
    }
    let head = app.request("HEAD", "/x").send().await;
    assert_eq!((head.status, head.text().as_str()), (202, ""));
    answer.fire();
}

#[tokio::test]
async fn a_repetition_under_its_key_is_kept_as_well() {
    let answer = Event::new("answer");
    let (app, backend) = keeping("json-whitespace", &answer).await;
    let ask = || {
        app.request("POST", "/x")
            .header("idempotency-key", "k")
            .body("x")
    };
    let (mut first, mut second) = (ask().begin().await, ask().begin().await);
    let mut one = kept(&mut first, "POST").await;
    let mut other = kept(&mut second, "POST").await;
    assert_eq!(
        one.header("raincheck-job-id"),
        other.header("raincheck-job-id")
    );
    answer.fire();
    first.finish(&mut one).await;
    second.finish(&mut other).await;
    assert_eq!(one.json(), other.json());
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_client_that_went_finds_its_result() {
    let answer = Event::new("answer");
    let (app, backend) = keeping("json-whitespace", &answer).await;
    let mut client = app.request("POST", "/x").body("x").begin().await;
    let response = kept(&mut client, "POST").await;
    let id = response.header("raincheck-job-id").must("a job id");
    drop(client);
    answer.fire();
    assert_eq!(app.result(&id).await.status, 201);
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_stop_ends_with_the_links() {
    let answer = Event::new("answer");
    let (app, _backend) = keeping("json-whitespace", &answer).await;
    let mut client = app.request("POST", "/x").body("x").begin().await;
    let mut response = kept(&mut client, "POST").await;
    app.terminate();
    client.finish(&mut response).await;
    let document = response.json();
    assert_eq!(document["status"], "processing");
    assert!(document["links"]["result"].is_string());
    answer.fire();
}

#[tokio::test]
async fn a_proxy_that_cuts_on_silence_does_not_cut() {
    for (filler, beat) in [("json-whitespace", " "), ("sse", "still here")] {
        let answer = Event::new("answer");
        let (app, backend) = keeping(filler, &answer).await;
        let url = format!("http://{}", app.addr());
        let nginx = Nginx::in_front_of(&url, "proxy_read_timeout 2s;").await;
        let mut client = Request::new(nginx.addr(), "POST", "/report")
            .body("x")
            .begin()
            .await;
        let mut response = kept(&mut client, "POST").await;
        // Eight pauses of 300 ms are more than the proxy waits for.
        while response.text().matches(beat).count() < 8 {
            assert!(matches!(client.piece(&mut response).await, Piece::Data(_)));
        }
        answer.fire();
        client.finish(&mut response).await;
        let text = response.text();
        assert!(text.contains("\"succeeded\""), "{text}");
        assert_eq!(backend.count(), 1);
    }
}

#[tokio::test]
async fn curl_and_requests_read_the_document() {
    let answer = Event::new("answer");
    let (app, backend) = keeping("json-whitespace", &answer).await;
    let url = format!("http://{}/report", app.addr());
    let mut command = client(process::python());
    command.args(["kept.py", "json", &url]);
    let python = Child::spawn(command);
    let fired = async {
        backend.wait_for(2).await;
        // Both are kept once both are jobs.
        within("two jobs", async {
            while app.admin("GET", "/jobs").send().await.json()["jobs"]
                .as_array()
                .must("jobs")
                .len()
                < 2
            {}
        })
        .await;
        answer.fire();
    };
    let args = ["-d", "order 7", url.as_str()];
    let (told, ()) = tokio::join!(curl(&args), fired);
    assert_eq!(told.status(), 200);
    let document: Value = serde_json::from_slice(&told.body).must("JSON");
    assert_eq!(document["result"], json!({"pages": 10}));
    let line = python.line_with("200 {").await;
    assert!(line.contains("\"result\": {\"pages\": 10}"), "{line}");
}

/// What a real reader of events prints of a whole life; the work is done once, although it comes
/// again to the same address.
async fn followed(mut command: Command, args: &[&str]) {
    let answer = Event::new("answer");
    let (app, backend) = keeping("sse", &answer).await;
    let url = format!("http://{}/report", app.addr());
    command.args(args).arg(&url);
    let reader = Child::spawn(command);
    reader.line_with("event: status").await;
    answer.fire();
    let line = reader.line_with("event: result").await;
    assert!(line.contains("\"result\":{\"pages\":10}"), "{line}");
    reader.line_with("closed").await;
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn an_event_source_has_its_result_once() {
    followed(client("node"), &["events.mjs"]).await;
}

#[tokio::test]
async fn httpx_sse_has_its_result_once() {
    followed(client(process::python()), &["kept.py", "sse"]).await;
}

#[tokio::test]
async fn a_reader_that_comes_again_goes_on_where_it_was() {
    let answer = Event::new("answer");
    let (app, backend) = keeping("sse", &answer).await;
    let mut client = app.request("GET", "/report").begin().await;
    let mut response = kept(&mut client, "GET").await;
    while !response.text().contains("event: status") {
        assert!(matches!(client.piece(&mut response).await, Piece::Data(_)));
    }
    let text = response.text();
    let id = text.lines().find_map(|line| line.strip_prefix("id: "));
    let id = id.must("an id").to_owned();
    drop(client);
    let again = || app.request("GET", "/report").header("last-event-id", &id);
    let mut client = again().begin().await;
    let mut response = kept(&mut client, "GET").await;
    answer.fire();
    client.finish(&mut response).await;
    let text = response.text();
    assert!(
        !text.contains("event: status") && text.contains("event: result"),
        "{text}"
    );
    assert_eq!(backend.count(), 1);
    // A job that is gone is not run again, and neither is one of another route.
    let (job, _) = id.split_once('.').must("a job id");
    app.request("DELETE", &format!("/jobs/{job}")).send().await;
    expect::problem(&again().send().await, 404, "job-not-found");
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_proxy_that_compresses_passes_each_byte_on() {
    let all = "gzip_types *; gzip_min_length 0; gzip_proxied any; proxy_http_version 1.1;";
    for filler in ["json-whitespace", "sse"] {
        let answer = Event::new("answer");
        let (app, _backend) = keeping(filler, &answer).await;
        let url = format!("http://{}", app.addr());
        let nginx = Nginx::in_front_of(&url, all).await;
        let mut client = Request::new(nginx.addr(), "POST", "/report")
            .header("accept-encoding", "gzip")
            .body("x")
            .begin()
            .await;
        let mut response = kept(&mut client, "POST").await;
        let coding = response.header("content-encoding");
        assert_eq!(coding.as_deref(), Some("gzip"), "{filler}");
        // They come while the job runs: what compresses keeps nothing back.
        for _ in 0..4 {
            let piece = client.piece(&mut response).await;
            assert!(matches!(piece, Piece::Data(_)), "{filler}: {piece:?}");
        }
        answer.fire();
        client.finish(&mut response).await;
        assert!(response.is_whole(), "{filler}");
    }
}
