//! WebSockets of one job and of many, through the binary, with clients that nobody here wrote.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect};
use serde_json::{Value, json};

/// A gateway with jobs that run until the event is fired.
async fn running(answer: &Event) -> (Raincheck, Backend) {
    let script = Script::new().wait(answer).json(r#"{"pages":10}"#);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    (app, backend)
}

fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn many(app: &Raincheck) -> String {
    format!("ws://{}/_raincheck/events", app.addr())
}

fn one(app: &Raincheck, id: &str) -> String {
    format!("ws://{}/jobs/{id}/events", app.addr())
}

/// Python's `websockets`.
fn python(args: &[&str]) -> Child {
    let mut command = Command::new(process::python());
    command.current_dir(clients()).arg("sockets.py").args(args);
    Child::spawn(command)
}

/// npm's `ws`, or Chromium.
fn node(args: &[&str]) -> Child {
    let mut command = Command::new("node");
    command
        .current_dir(clients())
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
        .arg("sockets.mjs")
        .args(args);
    Child::spawn(command)
}

fn frames(client: &Child) -> Vec<Value> {
    let all = client.stdout();
    let frames = all.lines().filter_map(|line| line.strip_prefix("frame: "));
    frames
        .map(|text| serde_json::from_str(text).must("JSON"))
        .collect()
}

/// The head of a handshake.
fn handshake(app: &Raincheck, path: &str) -> raincheck_e2e::request::Request {
    app.request("GET", path)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test]
async fn one_job_from_how_it_stands_to_its_end() {
    let answer = Event::new("answer");
    let (app, backend) = running(&answer).await;
    let id = app.submit("/report", "").await.id;
    backend.wait_for(1).await;
    let both = [python(&[&one(&app, &id)]), node(&["ws", &one(&app, &id)])];
    for client in &both {
        client.line_with("\"processing\"").await;
    }
    let url = backend.requests()[0].head.get("raincheck-progress");
    let url = url.must("Raincheck-Progress");
    let path = url.split_once("/jobs/").must("a path").1;
    let put = app.request("PUT", &format!("/jobs/{path}"));
    assert_eq!(
        put.body(r#"{"percent": 40, "message": "page 4"}"#)
            .send()
            .await
            .status,
        204
    );
    for client in &both {
        client.line_with("page 4").await;
    }
    answer.fire();
    for client in &both {
        client.line_with("closed: 1000").await;
        let frames = frames(client);
        let last = frames.last().must("a frame");
        assert_eq!(
            (
                &last["event"],
                &last["data"]["status"],
                &last["data"]["result"]
            ),
            (&json!("status"), &json!("succeeded"), &json!({"pages": 10}))
        );
        let told: Vec<_> = frames.iter().map(|frame| &frame["event"]).collect();
        assert_eq!(told, ["status", "progress", "status"]);
        assert_eq!(frames[1]["data"]["percent"], 40);
    }
    // Whoever comes after the end is told at once.
    let late = python(&[&one(&app, &id)]);
    late.line_with("closed: 1000").await;
    assert_eq!(frames(&late).len(), 1);
}

#[tokio::test]
async fn many_jobs_on_one_socket() {
    let answer = Event::new("answer");
    let (app, backend) = running(&answer).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.submit("/report", "").await.id);
    }
    backend.wait_for(3).await;
    let cancel = format!("cancel:{}", ids[2]);
    let url = many(&app);
    let client = python(&[&url, &ids[0], &ids[1], &ids[2], &cancel]);
    client.line_with("\"cancelled\"").await;
    answer.fire();
    client.line_with("done").await;
    let frames = frames(&client);
    for (id, status) in ids.iter().zip(["succeeded", "succeeded", "cancelled"]) {
        let last = frames.iter().rfind(|frame| frame["job_id"] == id.as_str());
        assert_eq!(last.must("frames")["data"]["status"], status);
    }
}

#[tokio::test]
async fn messages_that_nobody_should_send_leave_the_socket_open() {
    let answer = Event::new("answer");
    let (app, _backend) = running(&answer).await;
    let client = python(&[&many(&app), "odd"]);
    client.line_with("done").await;
    answer.fire();
}

#[tokio::test]
async fn frames_that_break_the_rules_are_answered_as_the_rules_say() {
    let answer = Event::new("answer");
    let (app, _backend) = running(&answer).await;
    let id = app.submit("/report", "").await.id;
    let (host, path) = (app.addr().to_string(), format!("/jobs/{id}/events"));
    let mut command = Command::new(process::python());
    let args = [host.as_str(), &path, &id];
    command.current_dir(clients()).arg("frames.py").args(args);
    let client = Child::spawn(command);
    client.line_with("cases ").await;
    let said = client.stdout();
    assert!(said.trim_end().ends_with(" done"), "{said}");
    // The gateway has taken no harm, and lets nobody out who was in order.
    let still = python(&[&one(&app, &id)]);
    still.line_with("\"processing\"").await;
    answer.fire();
    still.line_with("closed: 1000").await;
}

#[tokio::test]
async fn both_sockets_over_http_2() {
    let answer = Event::new("answer");
    let (app, backend) = running(&answer).await;
    let id = app.submit("/report", "").await.id;
    backend.wait_for(1).await;
    let subscribe = json!({ "subscribe": [id] }).to_string();
    let of_one = node(&["h2", &one(&app, &id)]);
    let of_many = node(&["h2", &many(&app), &subscribe]);
    for client in [&of_one, &of_many] {
        client.line_with("allowed: true").await;
        client.line_with("answered: 200").await;
        client.line_with("\"processing\"").await;
        client.line_with("pong: still there").await;
    }
    answer.fire();
    for client in [&of_one, &of_many] {
        client.line_with("\"succeeded\"").await;
    }
    of_one.line_with("closed: 1000").await;
    of_one.line_with("ended").await;
    let strange = node(&["h2", &many(&app), "no json"]);
    strange.line_with("\"invalid-parameter\"").await;
    strange.line_with("pong: still there").await;
    let nobody = node(&["h2", &one(&app, "01997f6c-0000-7000-8000-000000000000")]);
    nobody.line_with("answered: 404").await;
    app.terminate();
    of_many.line_with("closed: 1001").await;
    of_many.line_with("ended").await;
}

#[tokio::test]
async fn a_stop_closes_with_going_away() {
    let answer = Event::new("answer");
    let (app, _backend) = running(&answer).await;
    let id = app.submit("/report", "").await.id;
    let clients = [python(&[&many(&app), &id]), node(&["ws", &one(&app, &id)])];
    for client in &clients {
        client.line_with("frame: ").await;
    }
    app.terminate();
    for client in &clients {
        client.line_with("closed: 1001").await;
    }
    answer.fire();
}

#[tokio::test]
async fn pages_of_the_gateway_may_and_pages_from_elsewhere_may_not() {
    let answer = Event::new("answer");
    let (app, backend) = running(&answer).await;
    let id = app.submit("/report", "").await.id;
    backend.wait_for(1).await;
    let own = format!("http://{}/_raincheck/openapi.json", app.addr());
    let page = node(&["chromium", &one(&app, &id), &own]);
    page.line_with("\"processing\"").await;
    let elsewhere = "data:text/html,a page from elsewhere";
    let foreign = node(&["chromium", &one(&app, &id), elsewhere]);
    foreign.line_with("closed: 1006").await;
    assert_eq!(frames(&foreign), [Value::Null; 0]);
    answer.fire();
    page.line_with("closed: 1000").await;
    let from = |origin: &str| handshake(&app, "/_raincheck/events").header("origin", origin);
    let refused = from("https://evil.example").send().await;
    expect::problem(&refused, 403, "access-denied");
    let mut let_in = from(&format!("http://{}", app.addr())).begin().await;
    let head = let_in.try_head().await.must("a head");
    assert_eq!(head.start, "HTTP/1.1 101 Switching Protocols");
}

#[tokio::test]
async fn a_handshake_that_is_none_is_a_problem() {
    let answer = Event::new("answer");
    let (app, _backend) = running(&answer).await;
    let plain = app.get("/_raincheck/events").await;
    expect::problem(&plain, 426, "upgrade-required");
    for (name, value) in [("upgrade", "websocket"), ("sec-websocket-version", "13")] {
        assert_eq!(plain.header(name).as_deref(), Some(value));
    }
    let ask = || {
        app.request("GET", "/_raincheck/events")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
    };
    let old = ask()
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    expect::problem(&old.send().await, 426, "upgrade-required");
    let keyless = ask().header("sec-websocket-version", "13");
    expect::problem(&keyless.send().await, 400, "malformed-request");
    let short = ask()
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "short");
    expect::problem(&short.send().await, 400, "malformed-request");
    let two = handshake(&app, "/_raincheck/events");
    let two = two.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    expect::problem(&two.send().await, 400, "malformed-request");
    let nobody = "/jobs/01997f6c-0000-7000-8000-000000000000/events";
    let none = handshake(&app, nobody).send().await;
    expect::problem(&none, 404, "job-not-found");
    answer.fire();
}
