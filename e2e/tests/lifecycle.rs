//! Starting, stopping and reloading: what a supervisor sees.

use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Child, Home, command};
use raincheck_e2e::{
    Backend, Client, Config, Event, Must, Raincheck, Script, expect, ticket, until, within,
};
use rustix::process::Signal;

#[tokio::test]
async fn one_flag_is_enough_to_start() {
    let backend = Backend::echo().await;
    let home = Home::new(&Config::new());
    let mut serve = command();
    serve.args([
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    serve
        .args(["--upstream", &backend.url(), "--store-path"])
        .arg(home.data());
    let child = Child::spawn(serve);
    let line = child.line_with("\"ready\"").await;
    assert_eq!(
        child.stdout(),
        format!("{line}\n"),
        "one line on stdout, and nothing else"
    );
    let event: serde_json::Value = serde_json::from_str(&line).must("JSON");
    let addr = event["listen"]
        .as_str()
        .and_then(|addr| addr.parse().ok())
        .must("an address");
    let mut client = Client::connect(addr).await;
    for target in ["/", "/any/path", "/jobs"] {
        let response = client
            .exchange(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        assert_eq!(response.expect(200).json()["target"], target);
    }
    child.signal(Signal::TERM);
    assert_eq!(child.exited().await.code, Some(exit::OK));
}

#[tokio::test]
async fn a_stop_lets_exchanges_finish() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut sync = app.request("GET", "/sync/x").begin().await;
    let mut auto = app.request("GET", "/auto/x").begin().await;
    let queued = ticket(&app.post("/async/x", "").await);
    let mut idle = app.client().await;
    backend.wait_for(3).await;
    app.terminate();
    idle.expect_closed().await;
    within("new connections to be refused", async {
        while tokio::net::TcpStream::connect(app.addr()).await.is_ok() {}
    })
    .await;
    answer.fire();
    for client in [&mut sync, &mut auto] {
        let response = client.response().await.expect(200);
        assert_eq!(response.text(), "done");
        assert_eq!(response.header("connection").as_deref(), Some("close"));
        client.expect_closed().await;
    }
    let exit = app.child.exited().await;
    assert_eq!(exit.code, Some(exit::OK), "{}", exit.stderr);

    let app = Raincheck::start_in(app.home).await;
    assert_eq!(app.status(&queued.id).await["status"], "succeeded");
    assert_eq!(app.result(&queued.id).await.expect(200).text(), "done");
    assert_eq!(backend.count(), 3);
}

#[tokio::test]
async fn a_draining_gateway_is_live_but_not_ready() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut client = app.request("GET", "/x").begin().await;
    backend.wait_for(1).await;
    app.terminate();
    within("readiness to end", async {
        while app.admin("GET", "/health/ready").send().await.status == 200 {}
    })
    .await;
    let ready = app.admin("GET", "/health/ready").send().await.expect(503);
    assert_eq!(ready.json()["status"], "draining");
    app.admin("GET", "/health/live").send().await.expect(200);
    answer.fire();
    client.response().await.expect(200);
    assert_eq!(app.child.exited().await.code, Some(exit::OK));
}

#[tokio::test]
async fn what_does_not_finish_in_time_goes_on_by_its_own_rules_later() {
    let backend = Backend::silent().await;
    let config = Config::queued(&backend.url())
        .server("grace = \"200ms\"")
        .with("concurrency = 2");
    let app = Raincheck::start(&config).await;
    let once = app.submit("/x", "post").await.id;
    let again = ticket(&app.request("PUT", "/x").body("put").send().await).id;
    backend.wait_for(2).await;
    let waiting = app.submit("/x", "waiting").await.id;
    app.terminate();
    assert_eq!(app.child.exited().await.code, Some(exit::OK));
    backend.wait_closed(0).await;
    backend.wait_closed(1).await;
    assert_eq!(backend.count(), 2, "nothing new starts while draining");

    let good = Backend::echo().await;
    let home = app.home;
    home.configure(&Config::queued(&good.url()));
    let app = Raincheck::start_in(home).await;
    let interrupted = app.finished(&once).await;
    assert_eq!(interrupted["status"], "failed");
    assert_eq!(interrupted["error"]["code"], "interrupted");
    expect::problem(&app.result(&once).await, 502, "interrupted");
    for id in [&again, &waiting] {
        assert_eq!(app.finished(id).await["status"], "succeeded");
        assert_eq!(good.requests_of(id).len(), 1);
    }
    assert_eq!(app.status(&again).await["executions"], 2);
    assert_eq!(app.status(&again).await["attempt"], 1, "uncounted");
    assert_eq!(app.status(&waiting).await["executions"], 1);
    assert!(good.requests_of(&once).is_empty());
}

/// Of two attempts one is used up, the second runs at the stop: it is the second again afterwards,
/// and no third follows.
#[tokio::test]
async fn a_run_that_a_stop_takes_back_uses_up_no_attempt() {
    let unavailable = Script::new().respond("503 Service Unavailable", &[], "no");
    let backend = Backend::in_order(vec![
        unavailable.clone(),
        Script::new().until_closed(),
        Script::new().until_closed(),
        unavailable,
    ])
    .await;
    let retry = "retry = { attempts = 2, backoff = \"1ms\", on = [\"5xx\"] }";
    let config = Config::queued(&backend.url())
        .server("grace = \"200ms\"")
        .with(retry);
    let mut app = Raincheck::start(&config).await;
    let put = app.request("PUT", "/x").body("order").send().await;
    let id = ticket(&put).id;
    for seen in [2, 3] {
        backend.wait_for(seen).await;
        app.terminate();
        assert_eq!(app.child.exited().await.code, Some(exit::OK));
        app = Raincheck::start_in(app.home).await;
    }
    let ended = app.finished(&id).await;
    assert_eq!(
        (&ended["status"], &ended["attempt"]),
        (&"failed".into(), &2.into())
    );
    assert_eq!(ended["executions"], 4);
    assert_eq!(app.result(&id).await.expect(503).text(), "no");
    assert_eq!(backend.count(), 4);
}

#[tokio::test]
async fn a_held_client_gets_its_ticket_when_the_gateway_stops() {
    let backend = Backend::silent().await;
    let config = Config::auto(&backend.url()).server("grace = \"500ms\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.request("PUT", "/x").body("a").begin().await;
    backend.wait_for(1).await;
    app.terminate();
    let response = client.response().await;
    assert!(response.is_whole());
    // A ticket is best, as the work can go on after the restart; a clear problem is acceptable.
    if response.status == 202 {
        let id = ticket(&response).id;
        app.child.exited().await;
        let good = Backend::echo().await;
        let home = app.home;
        home.configure(&Config::queued(&good.url()));
        let app = Raincheck::start_in(home).await;
        assert_eq!(app.finished(&id).await["status"], "succeeded");
    } else {
        let code = response.json()["code"].as_str().must("a code").to_owned();
        assert!(
            ["interrupted", "draining"].contains(&code.as_str()),
            "{code}"
        );
        assert_eq!(app.child.exited().await.code, Some(exit::OK));
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let config = Config::sync(&backend.url()).server("grace = \"1h\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.request("GET", "/x").begin().await;
    backend.wait_for(1).await;
    app.terminate();
    within("draining to begin", async {
        while app.admin("GET", "/health/ready").send().await.status == 200 {}
    })
    .await;
    app.child.signal(Signal::INT);
    app.child.exited().await;
    client.rest().await;
}

#[tokio::test]
async fn a_reload_changes_routes_and_drops_nothing() {
    let answer = Event::new("answer");
    let old = Backend::slow(&answer).await;
    let new = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&old.url())).await;
    let mut client = app.request("GET", "/x").begin().await;
    old.wait_for(1).await;
    app.home.configure(&Config::sync(&new.url()));
    app.child.signal(Signal::HUP);
    within("the new route", async {
        loop {
            // A request that still meets the old route is abandoned.
            let before = old.count();
            let mut probe = app.request("GET", "/probe").begin().await;
            tokio::select! {
                _ = probe.response() => return,
                () = old.wait_for(before + 1) => {}
            }
        }
    })
    .await;
    answer.fire();
    assert_eq!(client.response().await.expect(200).text(), "done");

    // A wrong config changes nothing.
    std::fs::write(app.home.config(), "[[route]]\nnonsense = 1\n").must("writing the config");
    app.child.signal(Signal::HUP);
    until("the complaint", || app.child.stderr().contains("nonsense")).await;
    assert_eq!(
        app.get("/still").await.expect(200).json()["target"],
        "/still"
    );
}

#[tokio::test]
async fn the_log_never_shows_what_clients_could_forge() {
    let backend = Backend::always(Script::new().close()).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let nasty = "/%1b[31mred%0afake%e2%80%aeline?x=%0d%0a";
    let response = app
        .request("GET", nasty)
        .header("x-a", "\u{1b}[31m")
        .send()
        .await;
    assert!(response.status >= 400);
    app.terminate();
    let exit = app.child.exited().await;
    let forged = ['\u{1b}', '\u{202e}', '\r', '\0'];
    assert!(!exit.stderr.contains(forged), "{:?}", exit.stderr);
}
