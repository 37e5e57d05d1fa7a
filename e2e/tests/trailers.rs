//! Trailers keep to the rules of heads, in both directions, and those that may pass do.

use raincheck_e2e::curl::curl;
use raincheck_e2e::{Backend, Config, Raincheck, Script, ticket};

/// Trailers that would be a head's field, ours or of one hop, and two that are just trailers.
const REQUEST_TRAILERS: &str = "x-sum: 5\r\nRaincheck-Job-Id: forged\r\nraincheck_attempt: 9\r\n\
    Raincheck-Deadline: never\r\nX-Forwarded-For: 1.2.3.4\r\nx_forwarded_for: 1.2.3.4\r\n\
    X-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nVia: 1.1 forged\r\nConnection: close\r\n\
    Keep-Alive: timeout=9\r\nUpgrade: websocket\r\nTE: gzip\r\nExpect: 100-continue\r\n\
    Proxy-Authorization: Basic eDp5\r\nAuthorization: Basic eDp5\r\nCookie: a=1\r\n\
    X-Forwarded-Host: elsewhere\r\nx_sum: fine\r\nContent-Type: a/b\r\nMax-Forwards: 1\r\n\
    Idempotency-Key: forged\r\n";

/// The same for a response.
const RESPONSE_TRAILERS: &str = "x-sum: 7\r\nContent-Length: 5\r\nConnection: close\r\n\
    Keep-Alive: timeout=9\r\nRaincheck-Error: forged\r\nraincheck_job_id: forged\r\n\
    Upgrade: h3\r\nSet-Cookie: a=1\r\nContent-Type: a/b\r\nLocation: /\r\nx-more: 1\r\n";

/// The names in a block of fields.
fn names(fields: &str) -> String {
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.to_owned());
    fields
        .lines()
        .filter_map(name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A response with trailers, announced or not.
fn response(announced: bool) -> Script {
    let trailer = match announced {
        true => format!("trailer: {}\r\n", names(RESPONSE_TRAILERS)),
        false => String::new(),
    };
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{trailer}\r\n");
    let body = format!("3\r\nabc\r\n0\r\n{RESPONSE_TRAILERS}\r\n");
    Script::new().send(head).send(body)
}

#[tokio::test]
async fn request_trailers_are_sieved_in_every_mode() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (count, mode) in ["sync", "auto", "async"].into_iter().enumerate() {
        let mut client = app.client().await;
        let announced = names(REQUEST_TRAILERS);
        let request = format!(
            "POST /{mode}/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
             trailer: {announced}\r\n\r\n5\r\nhello\r\n0\r\n{REQUEST_TRAILERS}\r\n"
        );
        let response = client.exchange(request).await;
        assert!(response.status < 300, "{mode}: {}", response.text());
        let seen = backend.wait_body(count).await;
        assert_eq!(seen.body.text(), "hello", "{mode}");
        let kept = [pair("x-sum", "5"), pair("x_sum", "fine")];
        assert_eq!(seen.trailers(), kept, "{mode}");
        assert_eq!(seen.attempt(), Some(1), "{mode}");
    }
}

#[tokio::test]
async fn request_trailers_that_nobody_announced_go_with_a_body_that_is_whole() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (count, mode) in ["auto", "async"].into_iter().enumerate() {
        let request = format!(
            "POST /{mode}/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\nx-sum: 5\r\nX-More: y\r\nvia: 1.1 forged\r\n\r\n"
        );
        app.client().await.exchange(request).await;
        let seen = backend.wait_body(count).await;
        assert_eq!(seen.all("trailer"), ["x-sum, x-more"], "{mode}");
        let sent = [pair("x-sum", "5"), pair("x-more", "y")];
        assert_eq!(seen.trailers(), sent, "{mode}");
    }
}

#[tokio::test]
async fn response_trailers_are_sieved_on_their_way() {
    let backend = Backend::always(response(true)).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        let request = app
            .request("GET", &format!("/{mode}/x"))
            .header("te", "trailers")
            .header("connection", "te");
        let response = request.send().await.expect(200);
        assert_eq!(response.text(), "abc");
        let kept = [pair("x-sum", "7"), pair("x-more", "1")];
        assert_eq!(response.trailers(), kept, "{mode}");
    }
}

#[tokio::test]
async fn an_http2_client_gets_all_that_may_pass() {
    for announced in [true, false] {
        let backend = Backend::always(response(announced)).await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        for mode in ["sync", "auto"] {
            let url = format!("http://{}/{mode}/x", app.addr());
            let answer = curl(&["--http2-prior-knowledge", &url]).await;
            assert_eq!(answer.code, 0, "{mode}: {}", answer.stderr);
            assert_eq!(answer.text(), "abc");
            // curl writes trailers after the empty line that ends the head.
            assert_eq!(answer.head, "x-sum: 7\r\nx-more: 1", "{mode}");
        }
    }
}

#[tokio::test]
async fn only_trailers_that_may_not_pass_are_none() {
    let backend = Backend::always(
        Script::new()
            .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .send("3\r\nabc\r\n0\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"),
    )
    .await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for http in ["--http1.1", "--http2-prior-knowledge"] {
        let url = format!("http://{}/sync/x", app.addr());
        let answer = curl(&[http, "-H", "TE: trailers", &url]).await;
        assert_eq!(answer.code, 0, "{http}: {}", answer.stderr);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "abc"));
    }
}

#[tokio::test]
async fn a_recorded_response_is_replayed_with_trailers_that_nobody_announced() {
    for announced in [true, false] {
        let backend = Backend::always(response(announced)).await;
        let app = Raincheck::start(&Config::queued(&backend.url())).await;
        let ticket = ticket(&app.post("/x", "").await);
        assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
        let path = format!("/jobs/{}/result", ticket.id);
        let request = app
            .request("GET", &path)
            .header("te", "trailers")
            .header("connection", "te");
        let result = request.send().await.expect(200);
        assert_eq!(result.text(), "abc");
        let kept = [pair("x-sum", "7"), pair("x-more", "1")];
        assert_eq!(result.trailers(), kept, "announced: {announced}");
        if !announced {
            assert_eq!(result.all("trailer"), ["x-sum, x-more"]);
        }
        // A client that does not ask for trailers gets a whole response without them.
        let plain = app.request("GET", &path).send().await.expect(200);
        assert_eq!((plain.text().as_str(), plain.trailers().len()), ("abc", 0));
        let url = format!("http://{}{path}", app.addr());
        let curled = curl(&["--http2-prior-knowledge", &url]).await;
        assert_eq!(
            (curled.code, curled.text().as_str()),
            (0, "abc"),
            "{}",
            curled.stderr
        );
        assert_eq!(curled.head, "x-sum: 7\r\nx-more: 1");
    }
}

#[tokio::test]
async fn a_backend_that_wants_to_be_asked_for_trailers_is_asked() {
    let backend = Backend::always(response(true)).await;
    let inner = Raincheck::start(&Config::sync(&backend.url())).await;
    // A gateway of ours is such a backend, as are all that stand on hyper.
    let outer = Raincheck::start(&Config::all_modes(&format!("http://{}", inner.addr()))).await;
    for mode in ["sync", "auto"] {
        for (asks, wanted) in [(true, 2), (false, 0)] {
            let path = format!("/{mode}/x");
            let request = outer.request("GET", &path);
            let request = match asks {
                true => request.header("te", "trailers").header("connection", "te"),
                false => request,
            };
            let response = request.send().await.expect(200);
            assert_eq!(response.text(), "abc");
            assert_eq!(response.trailers().len(), wanted, "{mode} {asks}");
        }
    }
    assert_eq!(
        backend.requests()[0].head.get("te").as_deref(),
        Some("trailers")
    );
}
