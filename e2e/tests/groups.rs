//! Upstreams of several servers: who gets a request, who is out and why, and who comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use raincheck_e2e::backend::Down;
use raincheck_e2e::expect::{self, exit};
use raincheck_e2e::process::{Home, run};
use raincheck_e2e::{Backend, Config, Must, Raincheck, Script, within};
use serde_json::Value;

/// One sync route to an upstream of these servers.
fn group(servers: &[&str], lines: &str) -> Config {
    let lines = format!("slow_start = \"0s\"\n{lines}");
    Config::new()
        .upstream("app", servers, &lines)
        .route("/{*path}", "app", "sync")
}

/// What operators are told of the only upstream.
async fn upstream(app: &Raincheck) -> Value {
    let told = app
        .admin("GET", "/upstreams")
        .send()
        .await
        .expect(200)
        .json();
    told["upstreams"][0].clone()
}

/// What they are told of one of its servers.
async fn server(app: &Raincheck, url: &str) -> Value {
    let told = upstream(app).await;
    let servers = told["servers"].as_array().must("servers").clone();
    let address = url.trim_start_matches("http://");
    let named = |one: &Value| {
        one["server"]
            .as_str()
            .is_some_and(|at| at.contains(address))
    };
    servers.into_iter().find(named).must("the server")
}

/// Waits until a server may be used, or may not.
async fn until_usable(app: &Raincheck, url: &str, usable: bool) {
    let what = format!("usable = {usable}");
    let reached = async { while server(app, url).await["usable"] != usable {} };
    within(&what, reached).await;
}

/// The value of a gauge of a server; none if there is no such line.
async fn gauge(app: &Raincheck, name: &str, url: &str) -> Option<u64> {
    let metrics = app.admin("GET", "/metrics").send().await.expect(200).text();
    let address = url.trim_start_matches("http://");
    let line = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(address);
    let value = metrics.lines().find(line)?.rsplit(' ').next()?;
    value.parse().ok()
}

#[tokio::test]
async fn a_server_that_is_down_is_out_costs_no_request_and_comes_back() {
    let (good, down) = (Backend::echo().await, Down::new());
    let away = down.url();
    let config = group(
        &[&good.url(), &away],
        "eject = { failures = 2, time = \"200ms\", max_time = \"200ms\" }",
    );
    let app = Raincheck::start(&config).await;
    assert_eq!(upstream(&app).await["usable"], 2);
    for _ in 0..8 {
        app.get("/x").await.expect(200);
    }
    let out = server(&app, &away).await;
    assert!(out["ejections"].as_u64() >= Some(1), "{out}");
    assert_eq!(good.count(), 8);
    assert!(gauge(&app, "raincheck_upstream_ejections", &away).await >= Some(1));
    // It may be back and out again at any moment, so only what fits together is looked at.
    let told = async {
        loop {
            let out = server(&app, &away).await;
            if out["why"] == "ejected" {
                break out;
            }
            app.get("/x").await.expect(200);
        }
    };
    let out = within("an ejected server", told).await;
    assert_eq!(out["usable"], false);
    assert!(out["ejected_for_seconds"].as_f64() > Some(0.0), "{out}");

    let back = Backend::on(down.come_up(), |_| Script::new().echo());
    let served = async {
        while back.count() == 0 {
            app.get("/x").await.expect(200);
        }
    };
    within("a request at the server that is back", served).await;
    until_usable(&app, &away, true).await;
    assert_eq!(
        gauge(&app, "raincheck_upstream_usable", &away).await,
        Some(1)
    );
}

#[tokio::test]
async fn checks_take_servers_out_and_with_none_left_requests_are_refused_at_once() {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let sick = Backend::start(move |seen| match seen.path() {
        "/health" if !asked.load(SeqCst) => Script::new().respond("503 Away", &[], "not now"),
        _ => Script::new().ok("fine"),
    })
    .await;
    let health = "health = { path = \"/health\", interval = \"50ms\", unhealthy = 1, healthy = 1 }";
    let app = Raincheck::start(&group(&[&sick.url()], health)).await;
    until_usable(&app, &sick.url(), false).await;
    let told = server(&app, &sick.url()).await;
    assert_eq!(told["why"], "unhealthy");
    assert!(
        told["last_check_failed"]
            .as_str()
            .is_some_and(|why| why.contains("503")),
        "{told}"
    );
    assert_eq!(
        gauge(&app, "raincheck_upstream_usable", &sick.url()).await,
        Some(0)
    );

    // Before the body is there.
    let mut client = app.client().await;
    client
        .send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        .await;
    let refused = client.response_to("POST").await;
    expect::problem(&refused, 503, "no-upstream");
    assert!(refused.header("retry-after").is_some());

    well.store(true, SeqCst);
    until_usable(&app, &sick.url(), true).await;
    assert_eq!(app.get("/x").await.expect(200).text(), "fine");
}

#[tokio::test]
async fn the_next_attempt_of_a_job_goes_to_another_server() {
    let fails = Backend::always(Script::new().respond("500 Oops", &[], "no")).await;
    let good = Backend::echo().await;
    let config = Config::new()
        .upstream(
            "app",
            &[&fails.url(), &good.url()],
            "eject = { failures = 1, on = [\"5xx\"], time = \"1h\", max_time = \"1h\" }",
        )
        .route("/{*path}", "app", "async")
        .with("retry = { attempts = 2, backoff = \"10ms\", on = [\"5xx\"], unsafe = true }");
    let app = Raincheck::start(&config).await;
    for _ in 0..2 {
        let id = app.submit("/x", "work").await.id;
        assert_eq!(app.finished(&id).await["response"]["status"], 200);
    }
    // One of the first two met the server that fails, and nobody after it.
    assert_eq!((fails.count(), good.count()), (1, 2));
    assert_eq!(server(&app, &fails.url()).await["why"], "ejected");
    assert_eq!(upstream(&app).await["usable"], 1);
}

#[tokio::test]
async fn what_a_reload_takes_out_of_a_group_is_let_go_and_the_rest_is_known_still() {
    let (stays, goes, fails) = (Backend::echo().await, Backend::echo().await, Down::new());
    let out = fails.url();
    let eject = "eject = { failures = 1, time = \"1h\", max_time = \"1h\" }";
    let app = Raincheck::start(&group(&[&stays.url(), &goes.url(), &out], eject)).await;
    for _ in 0..6 {
        app.get("/x").await.expect(200);
    }
    assert!(stays.count() > 0 && goes.count() > 0);
    assert_eq!(server(&app, &out).await["why"], "ejected");

    app.home.configure(&group(&[&stays.url(), &out], eject));
    app.admin("POST", "/reload").send().await.expect(200);
    goes.wait_closed(goes.count() - 1).await;
    let told = upstream(&app).await;
    assert_eq!(told["servers"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(server(&app, &out).await["why"], "ejected");
    assert_eq!(
        gauge(&app, "raincheck_upstream_usable", &goes.url()).await,
        None
    );
    let before = goes.count();
    for _ in 0..4 {
        app.get("/x").await.expect(200);
    }
    assert_eq!(goes.count(), before);
}

#[tokio::test]
async fn weights_that_do_not_fit_the_servers_are_a_mistake() {
    let servers = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
    let home = Home::new(&group(&servers, "weights = [2, 1, 1]"));
    let exit = run(&["check", &home.config().display().to_string()]).await;
    assert_eq!(exit.code, Some(exit::USAGE), "{exit:?}");
    let said = format!("{}{}", exit.stdout, exit.stderr);
    assert!(said.contains("there are 2 servers and 3 weights"), "{said}");
}
