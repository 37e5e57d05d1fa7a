//! Everything a backend can do wrong, in each mode: the client gets a problem that names it or an
//! answer that is visibly cut, never a clean end of half an answer.

use raincheck_e2e::backend::{Down, Full};
use raincheck_e2e::{Backend, Config, End, Must, Raincheck, Response, Script, expect, ticket};

/// A fault and what the client is told when nothing of the answer has reached it.
struct Expected {
    status: u16,
    code: &'static str,
    executions: u64,
}

const UNREACHABLE: Expected = Expected {
    status: 502,
    code: "upstream-unreachable",
    executions: 0,
};
const BROKEN: Expected = Expected {
    status: 502,
    code: "upstream-broken",
    executions: 1,
};
const TIMEOUT: Expected = Expected {
    status: 504,
    code: "upstream-timeout",
    executions: 1,
};
const TOO_LARGE: Expected = Expected {
    status: 502,
    code: "response-too-large",
    executions: 1,
};

impl Expected {
    fn problem(&self, response: &Response) {
        let document = expect::problem(response, self.status, self.code);
        // All requests here are POSTs: only what the backend cannot have seen may be sent again.
        assert_eq!(document["retryable"], self.executions == 0, "{document}");
        if self.status == 504 {
            assert_eq!(document["message"], "Endpoint request timed out");
        }
    }

    /// The same fault seen through the job API.
    async fn failed_job(&self, app: &Raincheck, path: &str) {
        let ticket = ticket(&app.post(path, "work").await);
        let document = app.finished(&ticket.id).await;
        assert_eq!(document["status"], "failed", "{document}");
        assert_eq!(document["error"]["code"], self.code, "{document}");
        assert_eq!(document["executions"], self.executions, "{document}");
        assert_eq!(document["response"], serde_json::Value::Null, "{document}");
        self.problem(&app.result(&ticket.id).await);
    }
}

fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nwork")
}

/// A fault before the answer's head: the same problem in every mode, and nothing is sent twice.
async fn without_an_answer(url: &str, line: &str, expected: Expected) {
    let app = Raincheck::start(&Config::all_modes(url).each(line)).await;
    for mode in ["sync", "auto"] {
        let mut client = app.client().await;
        expected.problem(&client.exchange(post(&format!("/{mode}/x"))).await);
        // A fault of the backend is no reason to close the client's connection.
        expected.problem(&client.exchange(post(&format!("/{mode}/x"))).await);
    }
    expected.failed_job(&app, "/async/x").await;
}

#[tokio::test]
async fn nobody_listens() {
    without_an_answer(&Down::new().url(), "", UNREACHABLE).await;
}

#[tokio::test]
async fn the_name_does_not_exist() {
    without_an_answer(
        "http://no-such-name.invalid:80",
        "connect_timeout = \"1s\"",
        UNREACHABLE,
    )
    .await;
}

#[tokio::test]
async fn connecting_hangs() {
    let full = Full::new().await;
    without_an_answer(&full.url(), "connect_timeout = \"300ms\"", UNREACHABLE).await;
}

async fn answered_by(script: Script, line: &str, expected: Expected) {
    let backend = Backend::always(script).await;
    without_an_answer(&backend.url(), line, expected).await;
    assert_eq!(backend.count(), 5, "each request must be sent exactly once");
}

#[tokio::test]
async fn the_connection_is_closed_without_an_answer() {
    answered_by(Script::new().close(), "", BROKEN).await;
}

#[tokio::test]
async fn the_connection_is_reset_without_an_answer() {
    answered_by(Script::new().reset(), "", BROKEN).await;
}

#[tokio::test]
async fn the_sending_side_is_closed_without_an_answer() {
    answered_by(Script::new().half_close(), "", BROKEN).await;
}

#[tokio::test]
async fn the_head_is_cut() {
    answered_by(
        Script::new().send("HTTP/1.1 200 OK\r\ncontent-le").close(),
        "",
        BROKEN,
    )
    .await;
}

#[tokio::test]
async fn no_answer_comes() {
    answered_by(Script::new().until_closed(), "timeout = \"300ms\"", TIMEOUT).await;
}

#[tokio::test]
async fn no_byte_comes_for_too_long() {
    let script = Script::new().send("HTTP/1.1 200 OK\r\n").until_closed();
    answered_by(script, "idle_timeout = \"300ms\"", TIMEOUT).await;
}

#[tokio::test]
async fn the_head_is_not_http() {
    let heads = [
        "garbage\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 1000 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello!",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ];
    for head in heads {
        let backend = Backend::always(Script::new().send(head).half_close()).await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        for mode in ["sync", "auto"] {
            let response = app.post(&format!("/{mode}/x"), "work").await;
            assert_eq!(response.status, 502, "{head:?}: {}", response.head.start);
            BROKEN.problem(&response);
        }
        BROKEN.failed_job(&app, "/async/x").await;
    }
}

#[tokio::test]
async fn the_head_does_not_end() {
    let large = format!(
        "HTTP/1.1 200 OK\r\nx-large: {}\r\n\r\n",
        "a".repeat(600 << 10)
    );
    answered_by(Script::new().send(large).half_close(), "", BROKEN).await;
}

#[tokio::test]
async fn the_answer_is_larger_than_allowed() {
    let line = "max_response = \"10 B\"";
    answered_by(Script::new().ok("eleven byte"), line, TOO_LARGE).await;
}

/// Answers that break off after their head.
fn cut_answers() -> Vec<(&'static str, Script)> {
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let with = |head: &str, body: &str| Script::new().send(format!("{head}{body}"));
    vec![
        (
            "shorter than its length, closed",
            with(length, "hello").close(),
        ),
        (
            "shorter than its length, half closed",
            with(length, "hello").half_close(),
        ),
        (
            "shorter than its length, reset",
            with(length, "hello").reset(),
        ),
        ("no byte of its length, closed", with(length, "").close()),
        (
            "without a last chunk, closed",
            with(chunked, "5\r\nhello\r\n").close(),
        ),
        (
            "inside a chunk, closed",
            with(chunked, "a\r\nhello").close(),
        ),
        ("inside a chunk, reset", with(chunked, "a\r\nhello").reset()),
        (
            "inside the last chunk, closed",
            with(chunked, "5\r\nhello\r\n0\r\n").close(),
        ),
        (
            "inside the trailers, closed",
            with(chunked, "5\r\nhello\r\n0\r\nx: 1\r\n").close(),
        ),
        (
            "no chunk size",
            with(chunked, "5\r\nhello\r\nxyz\r\n0\r\n\r\n").half_close(),
        ),
        (
            "no line end after a chunk",
            with(chunked, "5\r\nhelloxx0\r\n\r\n").half_close(),
        ),
    ]
}

#[tokio::test]
async fn a_cut_answer_is_cut_for_the_client_too() {
    for (what, script) in cut_answers() {
        let backend = Backend::always(script).await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        for mode in ["sync", "auto"] {
            let response = app.post(&format!("/{mode}/x"), "work").await;
            // Where the fault is known before the head has gone out, a problem is better.
            if response.status == 502 {
                BROKEN.problem(&response);
            } else {
                assert_eq!(response.status, 200, "{what}");
                assert!(!response.is_whole(), "{what} ({mode}) looked whole");
                assert!(
                    "hello".starts_with(&response.text()),
                    "{what}: {}",
                    response.text()
                );
            }
        }
    }
}

#[tokio::test]
async fn a_cut_answer_is_never_a_result() {
    for (_, script) in cut_answers() {
        let backend = Backend::always(script).await;
        let config = Config::all_modes(&backend.url()).each("hold_until = \"complete\"");
        let app = Raincheck::start(&config).await;
        BROKEN.problem(&app.post("/auto/x", "work").await);
        BROKEN.failed_job(&app, "/async/x").await;
    }
}

#[tokio::test]
async fn an_answer_that_stops_is_cut_by_the_idle_timeout() {
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        .until_closed();
    let backend = Backend::always(script).await;
    let config = Config::all_modes(&backend.url()).each("idle_timeout = \"300ms\"");
    let app = Raincheck::start(&config).await;
    for (index, mode) in ["sync", "auto"].into_iter().enumerate() {
        let response = app.post(&format!("/{mode}/x"), "work").await;
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        assert!(
            matches!(response.end(), End::Cut | End::Reset),
            "{:?}",
            response.end()
        );
        backend.wait_closed(index).await;
    }
    TIMEOUT.failed_job(&app, "/async/x").await;
}

#[tokio::test]
async fn what_follows_an_answer_is_nobody_elses_answer() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let cases = [
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
    ];
    for (method, answer) in cases {
        let poisoned = Script::new().send(format!("{answer}{evil}"));
        let backend = Backend::start(move |seen| match seen.path() {
            "/sync/poison" => poisoned.clone(),
            _ => Script::new().ok("good"),
        })
        .await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        let mut client = app.client().await;
        for _ in 0..5 {
            let poison = format!("{method} /sync/poison HTTP/1.1\r\nhost: x\r\n\r\n");
            let response = client.exchange(poison).await;
            assert!(
                response.is_whole() && response.text().len() <= 2,
                "{}",
                response.text()
            );
            let next = client
                .exchange("GET /sync/next HTTP/1.1\r\nhost: x\r\n\r\n")
                .await;
            assert_eq!(next.expect(200).text(), "good", "after {method} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_backend_that_comes_up_is_found_at_once() {
    let down = Down::new();
    let app = Raincheck::start(&Config::all_modes(&down.url())).await;
    UNREACHABLE.problem(&app.get("/sync/x").await);
    let _backend = Backend::on(down.come_up(), |_| Script::new().ok("up"));
    assert_eq!(app.get("/sync/x").await.expect(200).text(), "up");
    let response = app.get("/auto/x").await.expect(200);
    assert_eq!(response.header("content-type").must("a type"), "text/plain");
}

#[tokio::test]
async fn a_dripping_head_is_waited_for() {
    let backend = Backend::always(
        Script::new().drip("HTTP/1.1 200 OK\r\nx-slow: yes\r\ncontent-length: 4\r\n\r\nslow"),
    )
    .await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        let response = app.get(&format!("/{mode}/x")).await.expect(200);
        assert_eq!(
            (response.header("x-slow").must("x-slow"), response.text()),
            ("yes".into(), "slow".into())
        );
    }
}

#[tokio::test]
async fn what_may_be_sent_twice_is_told_so() {
    let backend = Backend::always(Script::new().close()).await;
    let config = Config::all_modes(&backend.url()).each("retry = { unsafe = true }");
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let unsafe_app = Raincheck::start(&config).await;
    for mode in ["sync", "auto"] {
        let path = format!("/{mode}/x");
        for (answer, retryable) in [
            (app.get(&path).await, true),
            (app.request("PUT", &path).body("a").send().await, true),
            (app.post(&path, "a").await, false),
            (app.request("PATCH", &path).body("a").send().await, false),
            (unsafe_app.post(&path, "a").await, true),
        ] {
            let document = expect::problem(&answer, 502, "upstream-broken");
            assert_eq!(document["retryable"], retryable, "{mode} {document}");
        }
    }
    for (method, retryable) in [("PUT", true), ("POST", false)] {
        let request = app.request(method, "/async/x").body("a");
        let ticket = ticket(&request.send().await);
        app.finished(&ticket.id).await;
        let document = expect::problem(&app.result(&ticket.id).await, 502, "upstream-broken");
        assert_eq!(document["retryable"], retryable, "{document}");
    }
}
