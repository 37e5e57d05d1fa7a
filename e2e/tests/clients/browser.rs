//! The client in Chromium: on the gateway's own origin, on another one, and over a reload.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::bound::until;
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, pattern};
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::relay::{Fault, Relay};

/// A gateway that holds for a moment and lets these origins in, if any.
async fn gateway(answer: &Event, origins: Option<&str>) -> (Raincheck, Backend) {
    let backend = Backend::slow(answer).await;
    let mut config = Config::auto(&backend.url()).with("hold = \"200ms\"");
    if let Some(origin) = origins {
        let cors = format!("cors = {{ origins = [{origin:?}] }}");
        config = config.with(&cors).server(&cors);
    }
    (Raincheck::start(&config).await, backend)
}

/// The file that says that the backend has seen the work.
fn seen(gateway: &Raincheck) -> PathBuf {
    gateway.home.path().join("seen")
}

fn open(page: &Raincheck, gateway: &Raincheck, task: &str) -> Driver {
    let url = format!("http://{}", gateway.addr());
    open_at(page, gateway, &url, task)
}

/// The same, where pages reach the gateway at this URL.
fn open_at(page: &Raincheck, gateway: &Raincheck, url: &str, task: &str) -> Driver {
    let mut command = Command::new("node");
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
        .arg("browser.mjs")
        .arg(format!("http://{}/_raincheck/problems/RC0001", page.addr()))
        .args([url, task])
        .arg(seen(gateway));
    Driver(Child::spawn(command))
}

/// How often the work was asked for; a browser asks for icons too.
fn worked(backend: &Backend) -> usize {
    let requests = backend.requests();
    requests
        .iter()
        .filter(|seen| seen.path() == "/work")
        .count()
}

fn expect(response: &Value, ticket: &Value, kind: &str) {
    let job = ticket.as_str();
    let wanted = json!({
        "status": 200, "text": "done", "type": kind, "job": job, "kept": 0
    });
    assert_eq!(*response, wanted);
}

#[tokio::test]
async fn a_page_of_the_gateway_waits_over_a_reload() {
    let answer = Event::new("answer");
    let (app, backend) = gateway(&answer, None).await;
    let browser = open(&app, &app, "reload");
    let ticket = browser.says("ticket").await;
    browser.says("reloaded").await;
    answer.fire();
    expect(&browser.says("response").await, &ticket, "basic");
    assert_eq!(worked(&backend), 1, "the reloaded page sent nothing");
}

#[tokio::test]
async fn a_page_that_is_reloaded_before_its_ticket_joins_under_its_key() {
    let answer = Event::new("answer");
    let backend = Backend::start({
        let answer = answer.clone();
        move |seen| match seen.path() {
            "/work" => Script::new().wait(&answer).ok("done"),
            _ => Script::new().respond("404 Not Found", &[], ""),
        }
    })
    .await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with("hold = \"30s\"")).await;
    let browser = open(&app, &app, "held");
    until("the work to begin", || worked(&backend) == 1).await;
    std::fs::write(seen(&app), "").must("the file");
    browser.says("reloaded").await;
    answer.fire();
    let response = browser.says("response").await;
    assert_eq!(
        (&response["text"], &response["kept"]),
        (&json!("done"), &json!(0))
    );
    assert_eq!(worked(&backend), 1, "the work was done once");
}

#[tokio::test]
async fn a_page_of_another_origin_sends_a_key_and_sees_the_progress() {
    let answer = Event::new("answer");
    let backend = Backend::echo().await;
    let page = Raincheck::start(&Config::sync(&backend.url())).await;
    let origin = format!("http://{}", page.addr());
    let (app, backend) = gateway(&answer, Some(&origin)).await;
    let browser = open(&page, &app, "key");
    let ticket = browser.says("ticket").await;
    browser.says("progress").await;
    answer.fire();
    expect(&browser.says("response").await, &ticket, "cors");
    assert_eq!(worked(&backend), 1);
}

#[tokio::test]
async fn a_body_that_is_cut_goes_on_across_origins() {
    const LEN: usize = 1_500_000;
    let backend = Backend::echo().await;
    let page = Raincheck::start(&Config::sync(&backend.url())).await;
    let cors = format!("cors = {{ origins = [\"http://{}\"] }}", page.addr());
    let backend = Backend::bytes(LEN as u64).await;
    let config = Config::queued(&backend.url()).with(&cors).server(&cors);
    let app = Raincheck::start(&config).await;
    // The second is met by a request that says where to go on, not by what asks whether it may.
    let faults = [
        ("/result", Fault::Cuts(400_000)),
        ("bytes=", Fault::Cuts(500_000)),
    ];
    let relay = Relay::start(app.addr(), &faults).await;
    let browser = open_at(&page, &app, &relay.url(), "cut");
    let response = browser.says("response").await;
    let sum = |sum: u32, byte: &u8| sum.wrapping_mul(31).wrapping_add(u32::from(*byte));
    let wanted = json!({
        "status": 200, "type": response["type"], "length": LEN,
        "sum": pattern::bytes(0, LEN).iter().fold(0, sum),
    });
    assert_eq!(response, wanted);
    assert_eq!(relay.left(), 0, "both cuts were met");
    assert_eq!(worked(&backend), 1);
}
