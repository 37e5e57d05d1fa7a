//! Bytes on which two servers could disagree about where a request ends. The oracle is the scripted
//! backend: what it counted, and which bytes it got.

use raincheck_e2e::{Backend, Client, Config, End, Must, Raincheck, Response, Seen, expect};

/// What follows every bad head: a body that is a request of its own if it is not read as a body.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

/// Sends bytes on a connection of their own and returns what came back.
async fn send(app: &Raincheck, bytes: impl AsRef<[u8]>) -> (Client, Response) {
    let mut client = app.client().await;
    // The gateway may answer and close before it has read everything.
    let _ = client.try_send(bytes).await;
    let response = client.response().await;
    (client, response)
}

/// Each of these lines makes a head that must be refused, followed by a closed connection.
async fn refused(lines: &[&str]) {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto", "async"] {
        for line in lines {
            let head = format!("POST /{mode}/x HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n");
            let (mut client, response) = send(&app, format!("{head}{SMUGGLED}")).await;
            assert_eq!(response.status, 400, "{line:?}: {}", response.text());
            expect::problem(&response, 400, "malformed-request");
            assert_eq!(
                response.header("connection").as_deref(),
                Some("close"),
                "{line:?}"
            );
            client.expect_closed().await;
            assert_eq!(backend.count(), 0, "{line:?} let something through");
        }
    }
    app.get("/sync/alive").await.expect(200);
}

#[tokio::test]
async fn length_and_chunks_together_are_refused() {
    refused(&[
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
    ])
    .await;
}

#[tokio::test]
async fn any_transfer_encoding_but_chunked_is_refused() {
    refused(&[
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: ,chunked",
        "transfer-encoding: chunked,",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding: ",
    ])
    .await;
}

#[tokio::test]
async fn any_doubtful_length_is_refused() {
    refused(&[
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4\r\ncontent-length: 4",
        "content-length: 4, 4",
        "content-length: 4, 5",
        "content-length: +4",
        "content-length: -4",
        "content-length: 4 4",
        "content-length: 0x4",
        "content-length: 4.0",
        "content-length: 4;",
        "content-length: ",
        "content-length: 18446744073709551616",
        "content-length: 99999999999999999999999999",
    ])
    .await;
}

#[tokio::test]
async fn malformed_field_lines_are_refused() {
    refused(&[
        "x-folded: a\r\n b",
        "x-folded: a\r\n\tcontent-length: 4",
        "content-length : 4",
        "transfer-encoding : chunked",
        "x-bare: a\nx-other: b",
        "x-cr: a\rb",
        "x-nul: a\0b",
        "x-control: a\u{1}b",
        "x-delete: a\u{7f}b",
        " x-indented: a",
        ": no name",
        "no colon",
        "x y: space in name",
        "x\u{e9}: not ASCII",
        "x(y): not a token",
    ])
    .await;
}

/// Whole requests that must be refused.
async fn refused_whole(requests: &[(&str, &[u16])]) {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    for (request, allowed) in requests {
        let (mut client, response) = send(&app, request).await;
        assert!(
            allowed.contains(&response.status),
            "{request:?}: {}",
            response.head.start
        );
        client.rest().await;
        assert_eq!(backend.count(), 0, "{request:?} reached the backend");
    }
    app.get("/alive").await.expect(200);
}

#[tokio::test]
async fn exactly_one_valid_host_is_needed() {
    refused_whole(&[
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a:b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: \r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost : b\r\n\r\n", &[400]),
    ])
    .await;
}

#[tokio::test]
async fn malformed_request_lines_are_refused() {
    refused_whole(&[
        ("GET / HTTP/1.1 \r\nhost: x\r\n\r\n", &[400]),
        ("GET  / HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("GET /a\0b HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("G@T / HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("GET / HTTP/9.9\r\nhost: x\r\n\r\n", &[400, 505]),
        ("GET / HTTP/2.0\r\nhost: x\r\n\r\n", &[400, 505]),
        ("GET / http/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("GET /\r\nhost: x\r\n\r\n", &[400]),
        ("GET x HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("GET ftp://x/ HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        (
            "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n",
            &[400, 405, 501],
        ),
        ("GET / HTTP/1.1\nhost: x\n\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: x\n\r\n", &[400]),
        (
            "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        ("{\"not\": \"http\"}\r\n\r\n", &[400]),
        (
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
            &[400],
        ),
    ])
    .await;
}

#[tokio::test]
async fn absolute_form_and_another_host_are_not_both_believed() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let request = "GET http://inner.example/x HTTP/1.1\r\nhost: outer.example\r\n\r\n";
    let (_client, response) = send(&app, request).await;
    if response.status == 400 {
        assert_eq!(backend.count(), 0);
    } else {
        let seen = backend.only();
        let raw = String::from_utf8_lossy(&seen.head.raw).into_owned();
        assert_eq!(seen.target(), "/x");
        assert!(!raw.contains("outer.example"), "{raw}");
    }
}

/// Bodies whose chunks are broken. Nothing after them may be read as a request.
const BROKEN_CHUNKS: [&str; 13] = [
    "xyz\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    ";ext\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhelloxx0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
];

#[tokio::test]
async fn broken_chunks_are_refused_before_a_stored_body_is_sent() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["auto", "async"] {
        for body in BROKEN_CHUNKS {
            let head = "host: x\r\ntransfer-encoding: chunked\r\n\r\n";
            let request = format!("POST /{mode}/x HTTP/1.1\r\n{head}{body}{SMUGGLED}");
            let (mut client, response) = send(&app, request).await;
            expect::problem(&response, 400, "malformed-request");
            client.expect_closed().await;
            assert_eq!(backend.count(), 0, "{mode} {body:?}");
        }
    }
}

#[tokio::test]
async fn broken_chunks_of_a_streamed_body_never_look_complete() {
    for body in BROKEN_CHUNKS {
        let backend = Backend::echo().await;
        let app = Raincheck::start(&Config::sync(&backend.url())).await;
        let mut client = app.client().await;
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = client.try_send(format!("{head}{body}{SMUGGLED}")).await;
        let response = client.response().await;
        expect::problem(&response, 400, "malformed-request");
        client.expect_closed().await;
        assert!(backend.count() <= 1, "{body:?} became two requests");
        if backend.count() == 1 {
            let seen = backend.wait_body(0).await;
            assert_ne!(seen.body.end, End::Complete, "{body:?} looked complete");
        }
    }
}

#[tokio::test]
async fn fields_that_only_the_gateway_may_set_are_stripped() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (index, mode) in ["sync", "auto"].into_iter().enumerate() {
        app.request("GET", &format!("/{mode}/x"))
            .header("Raincheck-Job-Id", "forged")
            .header("raincheck-attempt", "forged")
            .header("Raincheck-Deadline", "forged")
            .header("raincheck-progress", "http://forged/")
            .header("raincheck-error", "forged")
            .header("raincheck-anything", "forged")
            .header("raincheck_job_id", "forged")
            .send()
            .await
            .expect(200);
        let seen = &backend.requests()[index];
        let raw = String::from_utf8_lossy(&seen.head.raw).into_owned();
        assert!(!raw.contains("forged"), "{raw}");
        let ids = seen.all("raincheck-job-id");
        assert_eq!(ids.len(), 1, "{raw}");
        expect::job_id(&ids[0]);
        assert_eq!(seen.all("raincheck-attempt"), ["1"]);
    }
}

#[tokio::test]
async fn underscores_do_not_stand_in_for_hyphens() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let names = [
        "X_Forwarded_For",
        "x_forwarded_host",
        "content_length",
        "transfer_encoding",
    ];
    for name in names {
        let before = backend.count();
        let response = app
            .request("POST", "/")
            .header(name, "forged")
            .body("hi")
            .send()
            .await;
        match response.status {
            400 => assert_eq!(backend.count(), before),
            _ => {
                let seen = backend.requests().pop().must("the request");
                assert!(!seen.head.has(name), "{name} went through");
            }
        }
    }
}

#[tokio::test]
async fn bytes_after_an_upgrade_are_not_tunnelled() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let fields = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                  sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let request = format!("GET /ws HTTP/1.1\r\n{fields}{SMUGGLED}");
    let (mut client, response) = send(&app, request).await;
    // The backend does not switch, so this is an answer like any other.
    response.expect(200);
    // What came after is the client's next request, and comes in through the front door.
    client.response().await.expect(200);
    let seen = backend.requests();
    let paths: Vec<&str> = seen.iter().map(Seen::path).collect();
    assert_eq!(paths, ["/ws", "/smuggled"]);
    assert!(seen.iter().all(|seen| seen.head.has("via")), "{seen:?}");
}

#[tokio::test]
async fn a_request_that_comes_back_is_recognised() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    app.get("/sync/first").await.expect(200);
    let via = backend.only().all("via").join(", ");
    let looped = app
        .request("GET", "/sync/again")
        .header("via", &via)
        .send()
        .await;
    expect::problem(&looped, 508, "loop-detected");
    assert_eq!(backend.count(), 1);
    // Another gateway of the same make in front is no loop.
    let other = Raincheck::start(&Config::sync(&format!("http://{}", app.addr()))).await;
    other.get("/sync/chain").await.expect(200);
    assert_eq!(backend.requests()[1].head.list("via").len(), 2);
}
