//! Bodies larger than memory should be, both ways, in every mode that takes them: intact, and with
//! resident memory that does not follow their size.
//!
//! The size is 256 MiB unless `RAINCHECK_E2E_BIG_BYTES` says otherwise; the benchmark runs 2 GiB.

use std::time::Duration;

use raincheck_e2e::bound::within_time;
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, ticket};

const MEMORY_MAX: u64 = 100 << 20;

const BOUND: Duration = Duration::from_secs(900);

fn size() -> u64 {
    let asked = std::env::var("RAINCHECK_E2E_BIG_BYTES")
        .ok()
        .and_then(|text| text.parse().ok());
    asked.unwrap_or(256 << 20)
}

fn config(backend: &Backend) -> Config {
    Config::all_modes(&backend.url())
        .each("max_request = \"8 GiB\"")
        .each("timeout = \"15m\"")
        .each("hold = \"10m\"")
}

fn memory_is_small(app: &Raincheck) {
    let peak = app.memory_peak();
    assert!(peak < MEMORY_MAX, "{} MiB were resident", peak >> 20);
}

async fn download(app: &Raincheck, target: &str) {
    let mut client = app.client().await.with_bound(BOUND);
    client
        .send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"))
        .await;
    let response = client.response().await;
    assert_eq!(response.status, 200);
    assert!(response.is_whole() && response.body.check.intact());
    assert_eq!(response.body.len(), size());
}

#[tokio::test]
async fn a_big_answer_is_relayed() {
    let backend = Backend::bytes(size()).await;
    let app = Raincheck::start(&config(&backend)).await;
    for mode in ["sync", "auto"] {
        download(&app, &format!("/{mode}/x")).await;
        memory_is_small(&app);
    }
}

#[tokio::test]
async fn a_big_answer_is_recorded_and_replayed() {
    let answer = Event::new("answer");
    let len = size();
    let script = Script::new()
        .wait(&answer)
        .send(format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n"))
        .pattern(len);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&config(&backend)).await;
    let waiting = app
        .request("POST", "/auto/x")
        .body("")
        .prefer("respond-async, wait=0");
    let ids = [
        ticket(&waiting.send().await).id,
        app.submit("/async/x", "").await.id,
    ];
    answer.fire();
    for id in ids {
        within_time(BOUND, "the job to be finished", async {
            loop {
                let document = app.status(&id).await;
                if document["finished_at"].is_string() {
                    assert_eq!(document["response"]["content_length"], len, "{document}");
                    return;
                }
            }
        })
        .await;
        download(&app, &format!("/jobs/{id}/result")).await;
        memory_is_small(&app);
    }
}

#[tokio::test]
async fn a_big_request_is_sent_on() {
    let backend = Backend::always(Script::new().ok("thanks")).await;
    let app = Raincheck::start(&config(&backend)).await;
    for (index, mode) in ["sync", "auto", "async"].into_iter().enumerate() {
        let mut client = app.client().await.with_bound(BOUND);
        let head = format!("host: x\r\ncontent-length: {}\r\n\r\n", size());
        client
            .send(format!("PUT /{mode}/x HTTP/1.1\r\n{head}"))
            .await;
        client.send_pattern(size()).await;
        let response = client.response().await;
        if mode == "async" {
            let id = ticket(&response).id;
            within_time(BOUND, "the job to be finished", async {
                while !app.status(&id).await["finished_at"].is_string() {}
            })
            .await;
        } else {
            assert_eq!(response.expect(200).text(), "thanks");
        }
        let seen = backend
            .requests()
            .into_iter()
            .nth(index)
            .must("the request");
        assert!(seen.body.check.intact(), "{mode}");
        assert_eq!(seen.body.len(), size(), "{mode}");
        memory_is_small(&app);
    }
}
