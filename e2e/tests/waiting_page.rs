//! The page that a browser shows while its request is being worked on: with scripts, without them,
//! and when the person behind it has had enough.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect};
use serde_json::Value;

const NAVIGATION: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn slow(answer: &Event) -> (Raincheck, Backend) {
    let script = Script::new().wait(answer).respond(
        "200 OK",
        &["content-type: text/html"],
        "<p>the report</p>",
    );
    let backend = Backend::always(script).await;
    let config = Config::auto(&backend.url())
        .with("name = \"yearly-report\"")
        .with("hold = \"300ms\"");
    (Raincheck::start(&config).await, backend)
}

/// How often the report was asked for; a browser asks for icons too.
fn reports(backend: &Backend) -> usize {
    let requests = backend.requests();
    let wanted = requests
        .iter()
        .filter(|seen| seen.head.start.contains("/report"));
    wanted.count()
}

/// Chromium on its way to a URL.
struct Browser(Child);

impl Browser {
    fn open(app: &Raincheck, task: &str) -> Self {
        let url = format!("http://{}/report", app.addr());
        let mut command = Command::new("node");
        command
            .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
            .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
            .args(["page.mjs", &url, task]);
        Self(Child::spawn(command))
    }

    /// What it says of something.
    async fn says(&self, what: &str) -> Value {
        let start = format!("{what}: ");
        let line = self.0.line_with(&start).await;
        let json = line.strip_prefix(&start).must("the line's start");
        serde_json::from_str(json).must("JSON")
    }
}

#[tokio::test]
async fn a_browser_shows_how_far_it_is_and_then_the_response() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let browser = Browser::open(&app, "wait");
    assert_eq!(browser.says("page").await, "Still working");
    assert_eq!(browser.says("violations").await, Value::Array(Vec::new()));
    answer.fire();
    assert_eq!(browser.says("end").await, "the report");
    assert_eq!(browser.says("complaints").await, Value::Array(Vec::new()));
    assert_eq!(reports(&backend), 1, "the page asked for the result");
}

#[tokio::test]
async fn it_works_without_scripts() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let browser = Browser::open(&app, "wait-without-scripts");
    assert_eq!(browser.says("page").await, "Still working");
    answer.fire();
    assert_eq!(browser.says("end").await, "the report");
    assert_eq!(reports(&backend), 1);
}

#[tokio::test]
async fn a_person_can_cancel() {
    let answer = Event::new("answer");
    let (app, backend) = slow(&answer).await;
    let browser = Browser::open(&app, "cancel");
    assert_eq!(browser.says("end").await, "Cancelled");
    assert_eq!(reports(&backend), 1);
    answer.fire();
}

#[tokio::test]
async fn only_a_browser_that_opens_a_page_gets_it() {
    let answer = Event::new("answer");
    let (app, _backend) = slow(&answer).await;
    let navigation = app.request("POST", "/report").header("accept", NAVIGATION);
    let sent_on = navigation.body("x").send().await.expect(303);
    assert!(!sent_on.head.has("retry-after"));
    let result = sent_on.header("location").must("Location");

    let ask = || app.request("GET", &result).header("accept", NAVIGATION);
    let page = ask().send().await.expect(202);
    assert_eq!(
        page.header("content-type").as_deref(),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    let policy = page.header("content-security-policy").must("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text();
    assert!(
        text.contains("yearly-report") && text.contains("Still working"),
        "{text}"
    );
    assert!(!text.contains("{{"), "{text}");

    let script = ask()
        .header("sec-fetch-mode", "cors")
        .send()
        .await
        .expect(202);
    assert_eq!(script.json()["status"], "processing");
    let program = app.get(&result).await.expect(202);
    assert_eq!(program.json()["status"], "processing");
    answer.fire();
    let held = app.request("GET", &format!("{result}?wait=20"));
    assert_eq!(held.send().await.expect(200).text(), "<p>the report</p>");
    assert_eq!(ask().send().await.expect(200).text(), "<p>the report</p>");
}

#[tokio::test]
async fn a_job_that_failed_is_a_page_for_a_browser_and_a_problem_for_a_program() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).reset()).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with("hold = \"300ms\"")).await;
    let navigation = app.request("GET", "/report").header("accept", NAVIGATION);
    let result = navigation.send().await.header("location").must("Location");
    answer.fire();
    let id = result.split('/').nth(2).must("an id").to_owned();
    assert_eq!(app.finished(&id).await["status"], "failed");
    expect::problem(&app.get(&result).await, 502, "upstream-broken");
    let page = app.request("GET", &result).header("accept", NAVIGATION);
    let page = page.send().await.expect(502);
    assert_eq!(page.header("raincheck-error").as_deref(), Some("gateway"));
    assert!(page.text().contains("It did not work"), "{}", page.text());
}

#[tokio::test]
async fn cancel_is_a_post_for_programs_too() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let path = format!("/jobs/{id}/cancel");
    let cancelled = app.post(&path, "").await.expect(200);
    assert_eq!(cancelled.json()["status"], "cancelled");
    expect::problem(&app.post(&path, "").await, 409, "job-state-conflict");
    expect::problem(&app.get(&path).await, 405, "method-not-allowed");
}
