//! `on_hold = "redirect"`: clients that follow redirects and know nothing else get the response,
//! however long it takes.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::nginx::Nginx;
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Response, Script, expect, within};

/// A gateway whose clients are redirected after a second, in front of a backend that answers when
/// the event is fired.
async fn slow(answer: &Event) -> (Raincheck, Backend) {
    let script = Script::new()
        .wait(answer)
        .respond("201 Created", &["x-made: here"], "the report");
    let backend = Backend::always(script).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"1s\"")
        .with("on_hold = \"redirect\"")
        .with("redirect_hold = \"2s\"");
    (Raincheck::start(&config).await, backend)
}

#[track_caller]
fn location(response: &Response) -> String {
    assert_eq!(response.status, 303, "{}", response.text());
    assert!(response.json()["job_id"].is_string());
    response.header("location").must("Location")
}

#[tokio::test]
async fn each_redirect_leads_to_one_that_waits_longer() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let first = location(&app.post("/report", "order 7").await);
    let (path, query) = first.split_once('?').must("a query");
    assert!(
        path.starts_with("/jobs/") && path.ends_with("/result"),
        "{path}"
    );
    assert_eq!(query, "wait=1&hop=1");
    let second = location(&app.get(&first).await);
    assert_eq!(second, format!("{path}?wait=2&hop=2"));
    let third = location(&app.get(&second).await);
    assert_eq!(
        third,
        format!("{path}?wait=2&hop=3"),
        "no longer than redirect_hold"
    );
    let mut held = app.request("GET", &third).begin().await;
    answer.fire();
    let response = held.response().await.expect(201);
    assert_eq!(response.text(), "the report");
    assert_eq!(response.header("x-made").as_deref(), Some("here"));
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn who_asks_for_a_ticket_gets_one() {
    let answer = Event::new("answer");
    let (app, _backend) = slow(&answer).await;
    let ask = app
        .request("POST", "/report")
        .prefer("respond-async, wait=1");
    let ticket = raincheck_e2e::jobs::ticket(&ask.body("order 7").send().await);
    answer.fire();
    assert_eq!(app.result(&ticket.id).await.status, 201);
}

#[tokio::test]
async fn an_async_route_redirects_at_once() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::queued(&backend.url()).with("on_hold = \"redirect\"");
    let app = Raincheck::start(&config).await;
    let first = location(&app.post("/report", "order 7").await);
    assert!(first.ends_with("/result?wait=25&hop=1"), "{first}");
    let mut held = app.request("GET", &first).begin().await;
    backend.wait_for(1).await;
    answer.fire();
    assert_eq!(held.response().await.expect(200).text(), "done");
}

#[tokio::test]
async fn a_job_that_fails_ends_the_chain_with_its_problem() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).reset()).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"1s\"")
        .with("on_hold = \"redirect\"");
    let app = Raincheck::start(&config).await;
    let first = location(&app.post("/report", "order 7").await);
    let mut held = app.request("GET", &first).begin().await;
    answer.fire();
    expect::problem(&held.response().await, 502, "upstream-broken");
}

#[tokio::test]
async fn a_strange_hop_is_named() {
    let answer = Event::new("answer");
    let (app, _backend) = slow(&answer).await;
    let first = location(&app.post("/report", "order 7").await);
    let (path, _) = first.split_once('?').must("a query");
    for query in [
        "hop=0",
        "hop=x",
        "hop=-1",
        "hop=99999999999",
        "hop=1&wait=x",
    ] {
        let response = app.get(&format!("{path}?{query}")).await;
        expect::problem(&response, 400, "invalid-parameter");
    }
    // Nobody is made to wait longer than the route says.
    assert!(
        location(&app.get(&format!("{path}?wait=86400&hop=4294967295")).await)
            .ends_with("hop=4294967295")
    );
    answer.fire();
}

/// What a client printed: status, whether it was redirected, body.
async fn run(mut command: Command) -> String {
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = within("the client", run)
        .await
        .must("a thread")
        .must("a client");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout)
        .must("text")
        .trim()
        .to_owned()
}

fn client(program: impl Into<PathBuf>, args: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .args(args);
    command
}

/// The clients that people have, each told nothing but the URL, and to follow redirects where they
/// do not do so by themselves.
fn clients(url: &str) -> Vec<(&'static str, Command)> {
    let python = raincheck_e2e::process::python();
    let curl = [
        "-q",
        "-sSL",
        "--noproxy",
        "*",
        "--max-time",
        "60",
        "-d",
        "order 7",
        "-w",
        "\n%{http_code} %{num_redirects}",
        url,
    ];
    vec![
        ("curl -L", client("curl", &curl)),
        ("requests", client(&python, &["follow.py", "requests", url])),
        ("httpx", client(&python, &["follow.py", "httpx", url])),
        ("fetch", client("node", &["follow.mjs", url])),
        (
            "HttpClient",
            client("java", &["-Xshare:auto", "Follow.java", url]),
        ),
    ]
}

#[tokio::test]
async fn unmodified_clients_get_the_response() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let url = format!("http://{}/report", app.addr());
    let running: Vec<_> = clients(&url)
        .into_iter()
        .map(|(name, command)| (name, tokio::spawn(run(command))))
        .collect();
    // Each has its job before its first redirect; the two waits here outlast that one.
    backend.wait_for(running.len()).await;
    let mut next = location(&app.post("/report", "order 7").await);
    for _ in 0..2 {
        next = location(&app.get(&next).await);
    }
    let sent = running.len() + 1;
    answer.fire();
    for (name, client) in running {
        let printed = client.await.must(name);
        let printed = printed.replace('\n', " ");
        for word in ["201", "the report"] {
            assert!(printed.contains(word), "{name}: {printed}");
        }
        assert!(
            !printed.contains(" 0"),
            "{name} was not redirected: {printed}"
        );
    }
    assert_eq!(backend.count(), sent, "nobody sent its request again");
}

#[tokio::test]
async fn an_edge_that_cuts_sooner_than_the_work_ends_is_outlived() {
    let answer = Event::new("answer");
    let script = Script::new()
        .wait(&answer)
        .respond("201 Created", &[], "the report");
    let backend = Backend::always(script).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"1s\"")
        .with("on_hold = \"redirect\"");
    let app = Raincheck::start(&config).await;
    let url = format!("http://{}", app.addr());
    // Each redirect is there long before the edge would cut.
    let nginx = Nginx::in_front_of(&url, "proxy_read_timeout 3s;").await;
    let url = format!("{}/report", nginx.url);
    let running: Vec<_> = clients(&url)
        .into_iter()
        .map(|(name, command)| (name, tokio::spawn(run(command))))
        .collect();
    backend.wait_for(running.len()).await;
    // Four waits of a second are more than the edge allows.
    let mut next = location(&app.post("/report", "order 7").await);
    for _ in 0..3 {
        next = location(&app.get(&next).await);
    }
    let sent = running.len() + 1;
    answer.fire();
    for (name, client) in running {
        let printed = client.await.must(name).replace('\n', " ");
        for word in ["201", "the report"] {
            assert!(printed.contains(word), "{name}: {printed}");
        }
    }
    assert_eq!(backend.count(), sent, "nobody sent its request again");
}
