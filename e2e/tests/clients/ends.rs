//! Every way in which a job can end, to both clients and to `raincheck wait`.

use raincheck_e2e::expect::exit;
use raincheck_e2e::{Backend, Config, Event, Raincheck, Script, process};
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::{BOTH, url};

/// How a job ended, to those who ask for its response.
struct Ended {
    what: &'static str,
    id: String,
    status: u16,
    /// Whose answer it is.
    gateways: bool,
    exit: i32,
}

#[tokio::test]
async fn each_end_is_told_to_clients_and_by_exit_codes() {
    let never = Event::new("never");
    let backend = Backend::start(move |seen| match seen.path() {
        "/good" => Script::new().ok("good"),
        "/teapot" => Script::new().respond("418 I'm a teapot", &[], "short"),
        "/busy" => Script::new().respond("503 Busy", &[], "again busy"),
        "/broken" => Script::new().close(),
        _ => Script::new().wait(&never),
    })
    .await;
    let config = Config::new()
        .limit("concurrency = 1")
        .route("/late", &backend.url(), "async")
        .with("deadline = \"200ms\"")
        .route("/busy", &backend.url(), "async")
        .with("retry = { attempts = 2, backoff = \"1ms\", on = [\"5xx\"], unsafe = true }")
        .route("/{*path}", &backend.url(), "async");
    let mut app = Raincheck::start(&config).await;
    let mut all = Vec::new();
    let mut ended = |what, id: &str, status, gateways, exit| {
        let id = id.to_owned();
        all.push(Ended {
            what,
            id,
            status,
            gateways,
            exit,
        });
    };
    let cancelled = app.submit("/hangs", "").await.id;
    backend.wait_for(1).await;
    let late = app.submit("/late", "").await.id;
    app.finished(&late).await;
    app.delete(&cancelled).await.expect(200);
    ended("expired", &late, 410, true, exit::JOB_EXPIRED);
    ended("cancelled", &cancelled, 410, true, exit::JOB_CANCELLED);
    for (path, status, gateways, code) in [
        ("/good", 200, false, exit::OK),
        ("/teapot", 418, false, exit::ERROR_ANSWER),
        ("/busy", 503, false, exit::JOB_FAILED),
        ("/broken", 502, true, exit::JOB_FAILED),
    ] {
        let id = app.submit(path, "").await.id;
        app.finished(&id).await;
        ended(path, &id, status, gateways, code);
    }
    let forgotten = app.submit("/good", "").await.id;
    app.finished(&forgotten).await;
    app.delete(&forgotten).await.expect(204);
    ended("forgotten", &forgotten, 404, true, exit::JOB_NOT_FOUND);
    let seen = backend.count();
    let lost = app.submit("/hangs", "").await.id;
    backend.wait_for(seen + 1).await;
    app.restart().await;
    app.finished(&lost).await;
    ended("interrupted", &lost, 502, true, exit::JOB_FAILED);
    let looking: Vec<_> = all.iter().map(|end| (end, asked(&app, end))).collect();
    for (end, clients) in looking {
        look(&app, end, clients).await;
    }
}

/// Both clients, asking for the response.
fn asked(app: &Raincheck, end: &Ended) -> [Driver; 2] {
    let place = format!("{}/jobs/{}", url(app), end.id);
    BOTH.map(|kind| Driver::start(kind, &url(app), &json!({ "resume": place })))
}

async fn look(app: &Raincheck, end: &Ended, clients: [Driver; 2]) {
    let Ended { what, id, .. } = end;
    for (kind, client) in BOTH.iter().zip(clients) {
        let response = client.says("response").await;
        let error = if end.gateways {
            json!("gateway")
        } else {
            Value::Null
        };
        assert_eq!(
            (&response["status"], &response["error"]),
            (&json!(end.status), &error),
            "{what}, {kind:?}: {response}"
        );
    }
    let exit = process::run(&["wait", "--url", &url(app), id]).await;
    assert_eq!(exit.code, Some(end.exit), "{what}: {}", exit.stderr);
}
