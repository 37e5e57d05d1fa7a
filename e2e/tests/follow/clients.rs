//! Clients that nobody here wrote, over a network that breaks: each byte and each event once.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::curl::curl;
use raincheck_e2e::cutter::Cutter;
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script};

use super::{Reading, chunk, follow};

const EVENTS: usize = 40;
const BEGINNING: &str = "retry: 10\n\n";

/// Events in a script that goes on as soon as `more` has fired; without ids, with ids, or both.
fn events(more: &Event, own_id: impl Fn(usize) -> bool) -> Script {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let text = |number: usize| match own_id(number) {
        true => format!("id: own {number}\ndata: number {number}\n\n"),
        false => format!("data: number {number}\n\n"),
    };
    // Browsers would wait for seconds before they come again.
    let half: String = (0..EVENTS / 2).map(text).collect();
    let half = BEGINNING.to_owned() + &half;
    let rest: String = (EVENTS / 2..EVENTS).map(text).collect();
    Script::new()
        .send(head)
        .send(chunk(&half))
        .wait(more)
        .send(chunk(&rest) + "0\r\n\r\n")
}

/// All that is sent where no event has an id of its own.
fn whole() -> String {
    let events = (0..EVENTS).map(|number| format!("data: number {number}\n\n"));
    BEGINNING.to_owned() + &events.collect::<String>()
}

fn node(args: [&str; 2]) -> Command {
    let mut command = Command::new("node");
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
        .arg("resume.mjs")
        .args(args);
    command
}

fn python(args: [&str; 2]) -> Command {
    let mut command = Command::new(process::python());
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .arg("resume.py")
        .args(args);
    command
}

/// What a client says has happened must be each event, once, in order.
async fn each_event_once(client: Child, more: &Event) {
    client
        .line_with(&format!("number {}", EVENTS / 2 - 1))
        .await;
    more.fire();
    client.line_with("closed").await;
    let all = client.stdout();
    let said: Vec<_> = all
        .lines()
        .filter(|line| line.starts_with("data: "))
        .collect();
    let sent: Vec<_> = (0..EVENTS)
        .map(|number| format!("data: number {number}"))
        .collect();
    assert_eq!(said, sent);
}

#[tokio::test]
async fn an_event_source_and_httpx_sse_resume_a_result() {
    for (own, cuts) in [
        (1, vec![900, 700, 950]),
        (2, vec![1200, 800]),
        (usize::MAX, vec![1100]),
    ] {
        for make in [node, python] {
            let more = Event::new("more");
            let script = events(&more, move |number| number % own == 0);
            let backend = Backend::always(script).await;
            let app = Raincheck::start(&Config::queued(&backend.url())).await;
            let id = app.submit("/x", "").await.id;
            let cutter = Cutter::start(app.addr(), cuts.clone()).await;
            let url = format!("http://{}/jobs/{id}/result?follow", cutter.addr());
            each_event_once(Child::spawn(make(["events", &url])), &more).await;
            assert_eq!(backend.count(), 1);
        }
    }
}

#[tokio::test]
async fn an_event_source_resumes_at_the_route_itself() {
    let more = Event::new("more");
    let backend = Backend::always(events(&more, |_| false)).await;
    let config = Config::sync(&backend.url()).with("resume = true");
    let app = Raincheck::start(&config).await;
    let cutter = Cutter::start(app.addr(), vec![1000, 900, 1300]).await;
    let url = format!("http://{}/ask", cutter.addr());
    each_event_once(Child::spawn(node(["events", &url])), &more).await;
    assert_eq!(backend.count(), 1, "one exchange for all connections");
}

#[tokio::test]
async fn fetch_and_requests_resume_by_ranges() {
    for make in [node, python] {
        let more = Event::new("more");
        let backend = Backend::always(events(&more, |_| false)).await;
        let app = Raincheck::start(&Config::queued(&backend.url())).await;
        let id = app.submit("/x", "").await.id;
        let cutter = Cutter::start(app.addr(), vec![500, 450]).await;
        let url = format!("http://{}/jobs/{id}/result?follow", cutter.addr());
        let client = Child::spawn(make(["ranges", &url]));
        client.line_with("broke").await;
        more.fire();
        client.line_with("closed").await;
        let all = client.stdout();
        let (_, text) = all.rsplit_once("broke").must("it broke");
        let (_, text) = text.split_once('\n').must("a line");
        let sent = whole();
        assert_eq!(text, sent + "closed\n");
    }
}

#[tokio::test]
async fn curl_continues_and_follows_over_http2() {
    let more = Event::new("more");
    let backend = Backend::always(events(&more, |_| false)).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let url = format!("http://{}/jobs/{id}/result?follow", app.addr());
    let mut first = Reading::of(follow(&app, &id)).await;
    let begun = first.until(100).await;
    let file = tempfile::NamedTempFile::new().must("a file");
    std::fs::write(file.path(), &begun).must("what was there");
    let place = file.path().to_str().must("a path");
    let continues = ["-N", "-C", "-", "-o", place, url.as_str()];
    let over_http2 = ["-N", "--http2-prior-knowledge", url.as_str()];
    let (continued, over_http2, ()) = tokio::join!(curl(&continues), curl(&over_http2), async {
        first.until(begun.len()).await;
        more.fire();
    });
    let sent = whole();
    assert_eq!(
        (continued.code, continued.status()),
        (0, 206),
        "{}",
        continued.stderr
    );
    assert_eq!(std::fs::read_to_string(file.path()).must("the file"), sent);
    assert_eq!((over_http2.code, over_http2.status()), (0, 200));
    assert_eq!(over_http2.text(), sent);
}
