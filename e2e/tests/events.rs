//! Server-Sent Events of a job, and the progress that its backend reports.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::process::{self, Child};
use raincheck_e2e::raw::Client;
use raincheck_e2e::request::Request;
use raincheck_e2e::wire::{End, Piece};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Response, Script, expect};
use serde_json::{Value, json};

/// A gateway with one job that runs until the event is fired, and where its backend reports.
struct Running {
    app: Raincheck,
    _backend: Backend,
    answer: Event,
    id: String,
    report_to: String,
}

impl Running {
    async fn start() -> Self {
        let answer = Event::new("answer");
        let script = Script::new().wait(&answer).json(r#"{"pages":10}"#);
        let backend = Backend::always(script).await;
        let app = Raincheck::start(&Config::queued(&backend.url())).await;
        let id = app.submit("/report", "").await.id;
        backend.wait_for(1).await;
        let url = backend.requests()[0].head.get("raincheck-progress");
        let url = url.must("Raincheck-Progress");
        let base = format!("http://{}", app.addr());
        let report_to = url.strip_prefix(&base).must("our own address").to_owned();
        Self {
            app,
            _backend: backend,
            answer,
            id,
            report_to,
        }
    }

    async fn report(&self, body: &str) -> Response {
        self.app
            .request("PUT", &self.report_to)
            .body(body)
            .send()
            .await
    }

    fn events(&self) -> Request {
        self.app
            .request("GET", &format!("/jobs/{}/events", self.id))
    }

    fn url(&self) -> String {
        format!("http://{}/jobs/{}/events", self.app.addr(), self.id)
    }
}

/// A stream of events that is being read.
struct Stream {
    client: Client,
    response: Response,
    read: usize,
}

impl Stream {
    async fn open(request: Request) -> Self {
        let mut client = request.begin().await;
        let response = client.start("GET").await;
        assert_eq!(response.status, 200);
        Self {
            client,
            response,
            read: 0,
        }
    }

    /// Id, name and data of the next event, comments and `retry` left out; none at a clean end.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            let text = self.response.text();
            let Some((block, _)) = text[self.read..].split_once("\n\n") else {
                match self.client.piece(&mut self.response).await {
                    Piece::Data(_) => continue,
                    Piece::End(end) => {
                        assert_eq!(end, End::Complete);
                        return None;
                    }
                }
            };
            self.read += block.len() + 2;
            let lines: Vec<_> = block.lines().map(|line| line.split_once(": ")).collect();
            if let [
                Some(("id", id)),
                Some(("event", name)),
                Some(("data", data)),
            ] = lines[..]
            {
                let data = serde_json::from_str(data).must("JSON");
                return Some((id.to_owned(), name.to_owned(), data));
            }
        }
    }

    async fn event(&mut self) -> (String, String, Value) {
        self.next().await.must("another event")
    }
}

#[tokio::test]
async fn a_stream_tells_how_the_job_stands_until_its_end() {
    let job = Running::start().await;
    let mut stream = Stream::open(job.events()).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(stream.response.header(name).as_deref(), Some(value));
    }
    let (first, name, document) = stream.event().await;
    assert_eq!(
        (name.as_str(), &document["status"]),
        ("status", &json!("processing"))
    );
    assert_eq!(
        document["links"]["events"],
        format!("/jobs/{}/events", job.id).as_str()
    );

    assert_eq!(
        job.report(r#"{"percent": 40, "message": "page 4 of 10"}"#)
            .await
            .status,
        204
    );
    let (second, name, progress) = stream.event().await;
    assert_eq!(name, "progress");
    assert_eq!(
        progress,
        json!({"percent": 40, "message": "page 4 of 10", "data": null})
    );
    let document = job.app.status(&job.id).await;
    assert_eq!(document["progress"], progress);

    job.answer.fire();
    let (last, name, document) = stream.event().await;
    assert_eq!(
        (name.as_str(), &document["status"]),
        ("status", &json!("succeeded"))
    );
    assert_eq!(
        (&document["result"], &document["progress"]),
        (&json!({"pages": 10}), &Value::Null)
    );
    assert_eq!(stream.next().await, None, "the stream ends with the job");
    assert!(first != second && second != last);

    // Whoever comes again goes on where it was; whoever has seen the end is told to stop.
    let mut again = Stream::open(job.events().header("last-event-id", &second)).await;
    assert_eq!(
        again.event().await,
        (last.clone(), "status".to_owned(), document)
    );
    let stop = job.events().header("last-event-id", &last).send().await;
    assert_eq!(stop.status, 204);
    let anew = job
        .events()
        .header("last-event-id", "what?")
        .send()
        .await
        .expect(200);
    assert!(anew.text().contains("\"succeeded\""), "{}", anew.text());
}

#[tokio::test]
async fn a_stream_of_a_job_that_is_not_there_is_a_problem() {
    let job = Running::start().await;
    let none = "/jobs/01997f6c-0000-7000-8000-000000000000/events";
    expect::problem(&job.app.get(none).await, 404, "job-not-found");
    let path = format!("/jobs/{}/events", job.id);
    expect::problem(&job.app.post(&path, "").await, 405, "method-not-allowed");
    job.answer.fire();
}

#[tokio::test]
async fn a_stop_ends_streams_so_that_readers_come_again() {
    let job = Running::start().await;
    let mut stream = Stream::open(job.events()).await;
    stream.event().await;
    job.app.terminate();
    assert_eq!(stream.next().await, None);
    job.answer.fire();
}

#[tokio::test]
async fn only_the_attempt_that_runs_may_report() {
    let job = Running::start().await;
    let forged = job.report_to.replace("/1-", "/2-");
    let refused = job.app.request("PUT", &forged).body("{}").send().await;
    expect::problem(&refused, 409, "job-state-conflict");
    for (body, word) in [("", "JSON"), (r#"{"percent": 400}"#, "from 0 to 100")] {
        let refused = expect::problem(&job.report(body).await, 400, "invalid-parameter");
        let detail = refused["detail"].as_str().must("a detail");
        assert!(detail.contains(word), "{detail}");
    }
    let large = format!("{{\"data\": \"{}\"}}", "x".repeat(9000));
    expect::problem(&job.report(&large).await, 413, "request-too-large");
    expect::problem(
        &job.app.get(&job.report_to).await,
        405,
        "method-not-allowed",
    );
    // One digit short.
    let cut = &job.report_to[..job.report_to.len() - 1];
    let report = job.app.request("PUT", cut).body("{}").send().await;
    let document = expect::problem(&report, 400, "invalid-parameter");
    let detail = document["detail"].as_str().must("a detail");
    assert!(detail.contains("Raincheck-Progress"), "{detail}");
    assert_eq!(job.app.status(&job.id).await["progress"], Value::Null);
    job.answer.fire();
    job.app.finished(&job.id).await;
    expect::problem(
        &job.report(r#"{"percent": 100}"#).await,
        409,
        "job-state-conflict",
    );
}

#[tokio::test]
async fn a_report_of_a_held_request_is_in_its_ticket() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with("hold = \"1s\"")).await;
    let forged = app
        .request("POST", "/x")
        .header("raincheck-progress", "http://elsewhere/");
    let mut held = forged.body("x").begin().await;
    backend.wait_for(1).await;
    let url = backend.requests()[0].head.get("raincheck-progress");
    let url = url.must("Raincheck-Progress");
    assert!(!url.contains("elsewhere"), "{url}");
    let path = url.split_once("/jobs/").must("a path").1;
    let put = app
        .request("PUT", &format!("/jobs/{path}"))
        .body(r#"{"percent": 10}"#);
    assert_eq!(put.send().await.status, 204);
    let ticket = held.response().await.expect(202).json();
    assert_eq!(ticket["progress"]["percent"], 10);
    answer.fire();
}

/// What a real client prints of a whole life, and that it stops by itself.
async fn followed(job: &Running, command: Command) {
    let client = Child::spawn(command);
    client.line_with("\"processing\"").await;
    assert_eq!(job.report(r#"{"percent": 50}"#).await.status, 204);
    client.line_with("event: progress").await;
    job.answer.fire();
    client.line_with("\"succeeded\"").await;
    client.line_with("closed").await;
    let all = client.stdout();
    let ids: Vec<_> = all
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(ids, once, "no event came twice: {all}");
}

#[tokio::test]
async fn an_event_source_follows_and_stops() {
    let job = Running::start().await;
    let mut command = Command::new("node");
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .env("RAINCHECK_TEST_NODE_MODULES", process::node_modules())
        .args(["events.mjs", &job.url()]);
    followed(&job, command).await;
}

#[tokio::test]
async fn httpx_sse_follows_and_stops() {
    let job = Running::start().await;
    let mut command = Command::new(process::python());
    command
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
        .args(["events.py", &job.url()]);
    followed(&job, command).await;
}
