//! The clients for browsers and for Python against the real binary: each scenario is gone through by
//! both, side by side.

mod browser;
mod driver;
mod ends;
mod relay;

use driver::{Driver, Kind};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, loopback, pattern};
use relay::{Fault, Relay};
use serde_json::{Value, json};

const BOTH: [Kind; 2] = [Kind::Node, Kind::Python];

fn url(app: &Raincheck) -> String {
    format!("http://{}", app.addr())
}

/// A gateway whose jobs answer once the event is fired.
async fn slow(answer: &Event) -> (Raincheck, Backend) {
    let backend = Backend::slow(answer).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    (app, backend)
}

fn id(ticket: &Value) -> &str {
    ticket["id"].as_str().must("an id")
}

#[tokio::test]
async fn an_ordinary_answer_is_what_it_was() {
    let backend = Backend::start(|seen| match seen.path() {
        "/own" => {
            let id = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";
            let lines = [
                &*format!("raincheck-job-id: {id}"),
                "location: /elsewhere",
                "x-mine: 1",
            ];
            Script::new().respond("202 Accepted", &lines, "taken")
        }
        "/broken" => Script::new()
            .send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            .close(),
        _ => Script::new().respond("404 Not Found", &["x-mine: 2"], "no"),
    })
    .await;
    let app = Raincheck::start(&Config::auto(&backend.url())).await;
    for kind in BOTH {
        let start = |path: &str| Driver::start(kind, &url(&app), &json!({ "path": path }));
        let (own, none, broken) = (start("/own"), start("/none"), start("/broken"));
        let response = own.says("response").await;
        assert_eq!(
            (&response["status"], &response["mine"]),
            (&json!(202), &json!("1"))
        );
        assert_eq!(
            (&response["text"], &response["path"]),
            (&json!("taken"), &json!("/own"))
        );
        let response = none.says("response").await;
        assert_eq!(
            (&response["status"], &response["mine"]),
            (&json!(404), &json!("2"))
        );
        assert!(
            broken.says("raised").await.is_string(),
            "half an answer is none"
        );
        let said = own.all() + &none.all() + &broken.all();
        assert!(!said.contains("ticket"), "{said}");
    }
    assert_eq!(backend.count(), 6, "nothing was sent twice");
}

#[tokio::test]
async fn a_ticket_is_followed_and_its_progress_told() {
    for kind in BOTH {
        let answer = Event::new("answer");
        let script = Script::new()
            .wait(&answer)
            .respond("201 Created", &["x-mine: 3"], "made");
        let backend = Backend::always(script).await;
        let config = Config::auto(&backend.url()).with("hold = \"200ms\"");
        let app = Raincheck::start(&config).await;
        let init = json!({ "method": "POST", "body": "order" });
        let task = json!({ "path": "/order", "init": init, "progress": true });
        let client = Driver::start(kind, &url(&app), &task);
        let ticket = client.says("ticket").await;
        let seen = backend.wait_body(0).await;
        assert_eq!(seen.body.text(), "order");
        let report_to = seen.head.get("raincheck-progress").must("where to report");
        let path = report_to.strip_prefix(&url(&app)).must("our own address");
        let report = app.request("PUT", path).body(r#"{"percent": 40}"#);
        assert_eq!(report.send().await.status, 204);
        let told = r#"progress: {"status":"processing","percent":40}"#;
        client.0.line_with(told).await;
        answer.fire();
        let response = client.says("response").await;
        assert_eq!(
            (&response["status"], &response["mine"]),
            (&json!(201), &json!("3"))
        );
        assert_eq!(
            (&response["text"], &response["job"]),
            (&json!("made"), &ticket["id"])
        );
        assert_eq!(backend.count(), 1);
    }
}

#[tokio::test]
async fn lost_connections_are_survived_and_a_cut_body_goes_on() {
    tokio::join!(loses(Kind::Node), loses(Kind::Python));
}

async fn loses(kind: Kind) {
    const LEN: usize = 1_500_000;
    let backend = Backend::bytes(LEN as u64).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let faults = [
        ("?wait=", Fault::Cuts(0)),
        ("?wait=", Fault::TimesOut),
        ("/result", Fault::TimesOut),
        ("/result", Fault::Cuts(400_000)),
        ("bytes=", Fault::CutsBody),
        ("bytes=", Fault::CutsBody),
        ("/result", Fault::Cuts(700_000)),
    ];
    let relay = Relay::start(app.addr(), &faults).await;
    let out = app.home.path().join("body");
    let task = json!({ "path": "/bytes", "out": out, "init": { "method": "POST" } });
    let client = Driver::start(kind, &relay.url(), &task);
    let response = client.says("response").await;
    assert_eq!(response["status"], 200);
    let body = std::fs::read(&out).must("the body");
    assert!(body == pattern::bytes(0, LEN), "{response}");
    assert_eq!(relay.left(), 0, "every fault was met");
    assert_eq!(backend.count(), 1);
}

/// An answer in two pieces, the second once the event is fired.
fn in_two(more: &Event) -> Script {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = Script::new().send(format!("{head}6\r\nfirst,\r\n"));
    first.wait(more).send("6\r\nsecond\r\n0\r\n\r\n")
}

#[tokio::test]
async fn a_live_answer_is_read_as_it_comes_and_survives_a_cut() {
    tokio::join!(reads_live(Kind::Node), reads_live(Kind::Python));
}

async fn reads_live(kind: Kind) {
    let more = [Event::new("ticketed"), Event::new("resumed")];
    let scripts = more.each_ref().map(in_two);
    let backend = Backend::in_order(scripts.into()).await;
    let config = Config::new()
        .route("/queued", &backend.url(), "async")
        .route("/stream", &backend.url(), "sync")
        .with("resume = true");
    let app = Raincheck::start(&config).await;
    let task = |path: &str| json!({ "path": path, "live": true, "init": { "method": "POST" } });

    let relay = Relay::start(app.addr(), &[]).await;
    let client = Driver::start(kind, &relay.url(), &task("/queued"));
    assert_eq!(client.says("piece").await, "first,");
    more[0].fire();
    assert_eq!(client.says("response").await["text"], "first,second");

    // All of the head and some of the body, then the connection ends.
    let relay = Relay::start(app.addr(), &[("POST /stream", Fault::CutsAfter("first"))]).await;
    let client = Driver::start(kind, &relay.url(), &task("/stream"));
    assert_eq!(client.says("piece").await, "first,");
    more[1].fire();
    let response = client.says("response").await;
    assert_eq!(
        (&response["text"], relay.left()),
        (&json!("first,second"), 0)
    );
    assert_eq!(backend.count(), 2);
}

#[tokio::test]
async fn a_killed_gateway_that_comes_back_is_waited_for() {
    tokio::join!(outlives(Kind::Node), outlives(Kind::Python));
}

async fn outlives(kind: Kind) {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::queued(&backend.url()).listen(loopback::free());
    let mut app = Raincheck::start(&config).await;
    let task = json!({ "path": "/x", "progress": true });
    let client = Driver::start(kind, &url(&app), &task);
    let ticket = client.says("ticket").await;
    client.says("progress").await;
    app.kill().await;
    answer.fire();
    app.restart().await;
    let response = client.says("response").await;
    let wanted = (&json!("done"), &ticket["id"]);
    assert_eq!((&response["text"], &response["job"]), wanted);
}

#[tokio::test]
async fn a_job_that_ends_otherwise_is_a_response_too() {
    let answer = Event::new("answer");
    let (app, _backend) = slow(&answer).await;
    for kind in BOTH {
        let start = || Driver::start(kind, &url(&app), &json!({ "path": "/x" }));
        let (cancelled, forgotten) = (start(), start());
        let ticket = cancelled.says("ticket").await;
        app.delete(id(&ticket)).await.expect(200);
        let response = cancelled.says("response").await;
        assert_eq!(
            (&response["status"], &response["error"]),
            (&json!(410), &json!("gateway"))
        );

        let ticket = forgotten.says("ticket").await;
        let place = ticket["url"].as_str().must("a URL").to_owned();
        app.delete(id(&ticket)).await.expect(200);
        app.delete(id(&ticket)).await.expect(204);
        // Whether the one that waits saw the 410 or the 404 is a race; who comes later sees 404.
        forgotten.says("response").await;
        let late = Driver::start(kind, &url(&app), &json!({ "resume": place }));
        assert_eq!(late.says("response").await["status"], 404);
    }
    answer.fire();
}

#[tokio::test]
async fn who_stops_waiting_decides_what_becomes_of_the_job() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let mut kept = Vec::new();
    for kind in BOTH {
        let start = |more: Value| {
            let mut task = json!({ "path": "/x", "abort": true });
            task["cancel"] = more;
            Driver::start(kind, &url(&app), &task)
        };
        let (leaves, cancels) = (start(json!(false)), start(json!(true)));
        let [name, cancelled] = match kind {
            Kind::Node => ["AbortError", "AbortError"],
            Kind::Python => ["Timeout", "Cancelled"],
        };
        assert_eq!(cancels.says("raised").await, cancelled);
        let ticket = cancels.says("ticket").await;
        app.wait_status(id(&ticket), &["cancelled"]).await;

        assert_eq!(leaves.says("raised").await, name);
        let ticket = leaves.says("ticket").await;
        assert_eq!(app.status(id(&ticket)).await["status"], "processing");
        let again = json!({ "resume": ticket["url"] });
        kept.push(Driver::start(kind, &url(&app), &again));
    }
    backend.wait_for(4).await;
    answer.fire();
    for client in kept {
        assert_eq!(client.says("response").await["text"], "done");
    }
    assert_eq!(backend.count(), 4, "nobody asked anew");
}

#[tokio::test]
async fn with_a_key_a_lost_answer_is_asked_for_again_and_the_work_done_once() {
    tokio::join!(repeats(Kind::Node), repeats(Kind::Python));
}

async fn repeats(kind: Kind) {
    let backend = Backend::always(Script::new().ok("once")).await;
    let app = Raincheck::start(&Config::auto(&backend.url())).await;
    let faults = [
        ("POST /pay", Fault::Cuts(0)),
        ("POST /pay", Fault::TimesOut),
    ];
    let relay = Relay::start(app.addr(), &faults).await;
    let init = json!({ "method": "POST", "body": "7 EUR" });
    let task = json!({ "path": "/pay", "init": init, "key": true });
    let client = Driver::start(kind, &relay.url(), &task);
    assert_eq!(client.says("response").await["text"], "once");
    assert_eq!(relay.left(), 0);
    let seen = backend.only();
    let key = seen.head.get("idempotency-key").must("a key");
    assert!(key.len() >= 32, "{key}");
}

#[tokio::test]
async fn the_module_is_served_as_one() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let module = app.get("/_raincheck/client.js").await.expect(200);
    for (name, value) in [
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(module.header(name).as_deref(), Some(value), "{name}");
    }
    let source = module.text();
    assert!(
        !source.contains("import ") && source.len() < 12_000,
        "{}",
        source.len()
    );
    let tag = module.header("etag").must("ETag");
    let again = app
        .request("GET", "/_raincheck/client.js")
        .header("if-none-match", &tag);
    assert_eq!(again.send().await.status, 304);
}
