//! SIGHUP: what becomes of jobs, of metrics and of keys that need a restart, and what is said.

use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Child, Home, command};
use raincheck_e2e::{Backend, Client, Config, Must, Raincheck, expect, until};
use rustix::process::Signal;

fn route(config: Config, name: &str, url: &str) -> Config {
    let pattern = format!("/{name}/{{*path}}");
    let name = format!("name = {name:?}");
    config
        .route(&pattern, url, "async")
        .with(&name)
        .with("concurrency = 1")
}

/// The next line on stderr with this text, after so many of them.
async fn said(child: &Child, text: &str, before: usize) -> String {
    let nth = || {
        let all = child.stderr();
        let mut lines = all.lines().filter(|line| line.contains(text));
        lines.nth(before).map(str::to_owned)
    };
    until("what is said of the reload", || nth().is_some()).await;
    nth().must("the line")
}

#[tokio::test]
async fn jobs_that_wait_for_a_route_that_goes_fail_and_can_be_retried() {
    let backend = Backend::silent().await;
    let good = Backend::echo().await;
    let old = route(Config::new(), "old", &backend.url());
    let app = Raincheck::start(&old).await;
    let running = app.submit("/old/1", "running").await.id;
    backend.wait_for(1).await;
    let waiting = app.submit("/old/2", "waiting").await.id;

    let new = route(Config::new(), "new", &good.url()).limit("concurrency = 7");
    app.home.configure(&new);
    app.child.signal(Signal::HUP);
    let line = said(&app.child, "reloaded the routes", 0).await;
    for part in [r#"added=["new"]"#, r#"removed=["old"]"#, "changed=[]"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }

    assert_eq!(app.finished(&waiting).await["status"], "failed");
    expect::problem(&app.result(&waiting).await, 502, "route-gone");
    assert_eq!(app.status(&running).await["status"], "processing");
    expect::problem(&app.post("/old/3", "").await, 404, "route-not-found");
    let id = app.submit("/new/1", "new").await.id;
    assert_eq!(app.finished(&id).await["status"], "succeeded");
    let metrics = app.admin("GET", "/metrics").send().await.expect(200).text();
    let counted = r#"raincheck_attempts_total{route="new",outcome="answered"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");

    let both = route(route(new, "old", &good.url()), "third", &good.url());
    app.home.configure(&both);
    app.child.signal(Signal::HUP);
    said(&app.child, "reloaded the routes", 1).await;
    let retry = format!("/jobs/{waiting}/retry");
    assert!(app.post(&retry, "").await.status < 300);
    let status = &app.status(&waiting).await["status"];
    assert_eq!(status, "queued", "the one place is still taken");
    let running = format!("/jobs/{running}");
    assert!(app.request("DELETE", &running).send().await.status < 300);
    assert_eq!(app.finished(&waiting).await["status"], "succeeded");
    assert_eq!(good.requests_of(&waiting).len(), 1);
}

#[tokio::test]
async fn jobs_whose_route_went_with_a_restart_fail() {
    let backend = Backend::silent().await;
    let mut app = Raincheck::start(&route(Config::new(), "old", &backend.url())).await;
    app.submit("/old/1", "running").await;
    backend.wait_for(1).await;
    let waiting = app.submit("/old/2", "waiting").await.id;
    app.kill().await;
    let new = route(Config::new(), "new", &backend.url());
    app.home.configure(&new);
    app.restart().await;
    assert_eq!(app.finished(&waiting).await["status"], "failed");
    expect::problem(&app.result(&waiting).await, 502, "route-gone");
}

#[tokio::test]
async fn a_wrong_config_is_refused_as_a_whole() {
    let backend = Backend::echo().await;
    let good = Config::sync(&backend.url());
    let app = Raincheck::start(&good).await;
    let wrong = good
        .route("/other", &backend.url(), "sync")
        .with("hold = \"soon\"")
        .with("timeuot = \"1s\"");
    app.home.configure(&wrong);
    app.child.signal(Signal::HUP);
    said(&app.child, "everything stays as it was", 0).await;
    let said_all = app.child.stderr();
    for mistake in ["hold", "timeuot"] {
        assert!(said_all.contains(mistake), "{mistake}: {said_all}");
    }
    std::fs::remove_file(app.home.config()).must("removing the config");
    app.child.signal(Signal::HUP);
    said(&app.child, "everything stays as it was", 1).await;
    assert_eq!(app.get("/x").await.expect(200).json()["target"], "/x");
    app.home.configure(&Config::sync(&backend.url()));
    app.child.signal(Signal::HUP);
    let line = said(&app.child, "reloaded the routes", 0).await;
    assert!(line.contains("added=[] removed=[] changed=[]"), "{line}");
}

#[tokio::test]
async fn without_a_file_a_reload_changes_nothing() {
    let backend = Backend::echo().await;
    let home = Home::new(&Config::new());
    let mut serve = command();
    serve.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    serve.args(["--admin-listen", "off", "--upstream", &backend.url()]);
    serve.arg("--store-path").arg(home.data());
    let child = Child::spawn(serve);
    let line = child.line_with("\"ready\"").await;
    let event: serde_json::Value = serde_json::from_str(&line).must("JSON");
    let addr = event["listen"]
        .as_str()
        .and_then(|addr| addr.parse().ok())
        .must("an address");
    child.signal(Signal::HUP);
    let line = said(&child, "reloaded the routes", 0).await;
    assert!(line.contains("added=[] removed=[] changed=[]"), "{line}");
    assert!(!child.stderr().contains("restart"), "{}", child.stderr());
    let mut client = Client::connect(addr).await;
    client
        .exchange("GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned())
        .await
        .expect(200);
    child.signal(Signal::TERM);
    assert_eq!(child.exited().await.code, Some(exit::OK));
}

#[tokio::test]
async fn an_operator_reloads_and_reads_what_changed() {
    let backend = Backend::echo().await;
    let config = route(
        route(Config::new(), "a", &backend.url()),
        "b",
        &backend.url(),
    );
    let app = Raincheck::start(&config).await;
    let reload = || async { app.admin("POST", "/reload").send().await };
    let nothing = reload().await.expect(200).json();
    let none = serde_json::json!({ "added": [], "removed": [], "changed": [] });
    assert_eq!(nothing["routes"], none);
    assert_eq!(nothing["restart"], serde_json::json!([]));

    let silent = Backend::silent().await;
    let new = route(Config::new(), "b", &silent.url());
    let new = route(new, "c", &backend.url()).server("keep_alive = \"9s\"");
    app.home.configure(&new.limit("concurrency = 1"));
    let changed = reload().await.expect(200).json();
    let routes = serde_json::json!({ "added": ["c"], "removed": ["a"], "changed": ["b"] });
    assert_eq!(changed["routes"], routes);
    assert_eq!(changed["restart"], serde_json::json!(["server.keep_alive"]));
    // The new bound over all routes holds: the job of another route waits.
    app.submit("/b/1", "runs").await;
    silent.wait_for(1).await;
    let waits = app.submit("/c/1", "waits").await.id;
    assert_eq!(app.status(&waits).await["status"], "queued");

    std::fs::write(
        app.home.config(),
        "[server]\nlisten = 7\n[[route]]\nmatch = 1\n",
    )
    .must("a file");
    let refused = reload().await;
    let problem = expect::problem(&refused, 422, "config-invalid");
    let findings = problem["findings"].as_array().must("findings");
    assert!(findings.len() >= 2, "{findings:?}");
    assert_eq!(app.status(&waits).await["status"], "queued");
    let other = app.admin("GET", "/reload").send().await;
    expect::problem(&other, 405, "method-not-allowed");
    assert_eq!(other.header("allow").as_deref(), Some("POST"));
}
