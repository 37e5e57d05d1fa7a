//! Backends that nobody wrote for raincheck: Python's own file server, nginx in front of something
//! slow, a Flask application, a Node application. The client is curl.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::curl::{Answer, curl};
use raincheck_e2e::nginx::Nginx;
use raincheck_e2e::process::{self, Child};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, pattern, within};
use serde_json::Value;

/// A server that prints a line with `port N` when it is ready.
struct Server {
    _child: Child,
    url: String,
}

impl Server {
    async fn start(mut command: Command) -> Self {
        command.env("PYTHONUNBUFFERED", "1");
        let child = Child::spawn(command);
        let line = child.line_with("port ").await;
        let digits = line.split("port ").nth(1).must("a port").trim_start();
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        Self {
            _child: child,
            url: format!("http://127.0.0.1:{}", &digits[..end]),
        }
    }
}

fn app(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("apps")
        .join(name)
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).must(&format!("JSON in {answer:?}"))
}

/// Follows a ticket as the README tells it: curl, the `Location`, the result.
async fn result_of(gateway: &Raincheck, ticket: &Answer) -> Answer {
    assert_eq!(ticket.status(), 202, "{}", ticket.text());
    let location = ticket.all("location").pop().must("Location");
    let url = format!("http://{}{location}/result?wait=15", gateway.addr());
    within("the result", async {
        loop {
            let answer = curl(&["--raw", "-H", "TE: trailers", "-H", "Connection: TE", &url]).await;
            if answer.status() != 202 {
                return curl(&[&url]).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn pythons_file_server() {
    let files = tempfile::tempdir().must("a directory");
    fs::write(
        files.path().join("report.bin"),
        pattern::bytes(0, 3_000_000),
    )
    .must("a file");
    let mut command = Command::new(process::python());
    command.args([
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
    ]);
    let server = Server::start({
        command.arg(files.path());
        command
    })
    .await;
    let gateway = Raincheck::start(&Config::all_modes(&server.url)).await;
    let direct = Raincheck::start(&Config::auto(&server.url)).await;
    let url = format!("http://{}/report.bin", direct.addr());
    let answer = curl(&[&url]).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body == pattern::bytes(0, 3_000_000));
    assert_eq!(answer.all("content-length"), ["3000000"]);
    assert!(
        answer.all("server")[0].starts_with("SimpleHTTP"),
        "{}",
        answer.head
    );

    let head = curl(&["-I", &url]).await;
    assert_eq!(
        (head.status(), head.all("content-length")),
        (200, vec!["3000000".to_owned()])
    );
    let ticket = curl(&["-H", "Prefer: respond-async", &url]).await;
    let result = result_of(&direct, &ticket).await;
    assert!(result.status() == 200 && result.body == pattern::bytes(0, 3_000_000));
    for mode in ["sync", "auto"] {
        let url = format!("http://{}/{mode}/missing", gateway.addr());
        assert_eq!(curl(&[&url]).await.status(), 404);
        assert_eq!(curl(&["-X", "POST", "-d", "x", &url]).await.status(), 501);
    }
}

/// A gateway whose hold no answer outlives that is given at once, however busy the machine is.
async fn patient(url: &str) -> Raincheck {
    Raincheck::start(&Config::auto(url)).await
}

#[tokio::test]
async fn nginx_in_front_of_something_slow() {
    let answer = Event::new("answer");
    let body = "a line of a report\n".repeat(5_000);
    let script = Script::new()
        .wait(&answer)
        .respond("200 OK", &["x-made-by: backend"], &body);
    let slow = Backend::always(script).await;
    let nginx = Nginx::in_front_of(&slow.url(), "proxy_read_timeout 1h;").await;
    let gateway = Raincheck::start(&Config::auto(&nginx.url).with("hold = \"300ms\"")).await;
    let url = format!("http://{}/report?year=2026", gateway.addr());
    let ticket = curl(&["-d", "a=1", &url]).await;
    answer.fire();
    let result = result_of(&gateway, &ticket).await;
    assert_eq!((result.status(), result.text()), (200, body.clone()));
    assert!(
        result.all("server")[0].starts_with("nginx"),
        "{}",
        result.head
    );
    assert_eq!(result.all("x-made-by"), ["backend"]);
    assert_eq!(slow.only().target(), "/report?year=2026");
    // Now it is fast, and nobody would know that there is a gateway.
    let gateway = patient(&nginx.url).await;
    let url = format!("http://{}/report?year=2026", gateway.addr());
    let fast = curl(&["--compressed", "-d", "a=1", &url]).await;
    assert_eq!((fast.status(), fast.text()), (200, body));
}

#[tokio::test]
async fn a_flask_application() {
    let mut command = Command::new(process::python());
    command.arg(app("flask_app.py"));
    let server = Server::start(command).await;
    let gateway = Raincheck::start(&Config::auto(&server.url).with("hold = \"300ms\"")).await;
    let base = format!("http://{}", gateway.addr());
    let report = format!("{base}/report");
    let ticket = curl(&["--json", "{\"year\":2026}", &report]).await;
    assert_eq!(
        curl(&["-X", "POST", &format!("{base}/release")])
            .await
            .status(),
        204
    );
    let result = result_of(&gateway, &ticket).await;
    assert_eq!(result.status(), 201);
    assert_eq!(
        json(&result),
        serde_json::json!({"total": 42, "asked": {"year": 2026}})
    );
    assert_eq!(result.all("set-cookie").len(), 2);

    let gateway = patient(&server.url).await;
    let base = format!("http://{}", gateway.addr());
    let upload = tempfile::NamedTempFile::new().must("a file");
    fs::write(upload.path(), pattern::bytes(0, 5_000_000)).must("an upload");
    let file = upload.path().display().to_string();
    let answer = curl(&["-T", &file, &format!("{base}/upload")]).await;
    assert_eq!(json(&answer)["size"], 5_000_000, "{}", answer.text());

    let lines = curl(&[&format!("{base}/stream")]).await.text();
    assert!(lines.starts_with("line 0\n") && lines.ends_with("line 999\n"));
    // The backend's own error is the backend's answer.
    let broken = curl(&[&format!("{base}/broken")]).await;
    assert_eq!(broken.status(), 500);
    assert!(broken.all("raincheck-error").is_empty());
}

#[tokio::test]
async fn a_node_application() {
    let mut command = Command::new("node");
    command.arg(app("node_app.js"));
    let server = Server::start(command).await;
    let gateway = Raincheck::start(&Config::auto(&server.url).with("hold = \"300ms\"")).await;
    let base = format!("http://{}", gateway.addr());
    let fast = patient(&server.url).await;
    let any = format!("http://{}/any?x=1", fast.addr());
    for http in ["--http1.1", "--http2-prior-knowledge"] {
        let echo = curl(&[http, "-d", "hello", &any]).await;
        let seen = serde_json::json!({"method": "POST", "url": "/any?x=1", "body": "hello"});
        assert_eq!(json(&echo), seen, "{http}: {}", echo.stderr);
    }
    let ticket = curl(&["-X", "POST", &format!("{base}/slow")]).await;
    assert_eq!(
        curl(&["-X", "POST", &format!("{base}/release")])
            .await
            .status(),
        204
    );
    let result = result_of(&gateway, &ticket).await;
    assert_eq!(
        (result.status(), result.text().as_str()),
        (200, "slow answer")
    );
}
