//! What a client may ask for and how slow it may be: each limit has its own answer, and a client
//! that owes bytes is not waited for without end.

use raincheck_e2e::{Backend, Client, Config, End, Event, Raincheck, Script, expect};

#[tokio::test]
async fn a_large_head_is_refused_with_431() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let large = "a".repeat(70 << 10);
    let response = app
        .request("GET", "/sync/x")
        .header("x-large", &large)
        .send()
        .await;
    expect::problem(&response, 431, "headers-too-large");
    let mut many = app.request("GET", "/sync/x");
    for n in 0..200 {
        many = many.header(&format!("x-{n}"), "1");
    }
    expect::problem(&many.send().await, 431, "headers-too-large");
    assert_eq!(backend.count(), 0);
    let fits = app
        .request("GET", "/sync/x")
        .header("x-large", "a".repeat(30 << 10))
        .send()
        .await;
    fits.expect(200);
}

#[tokio::test]
async fn a_long_target_is_refused_with_414() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let response = app.get(&format!("/sync/{}", "a".repeat(17 << 10))).await;
    expect::problem(&response, 414, "target-too-long");
    assert_eq!(backend.count(), 0);
    app.get(&format!("/sync/{}", "a".repeat(15 << 10)))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_large_body_is_refused_with_413() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url()).each("max_request = \"1 KiB\"");
    let app = Raincheck::start(&config).await;
    for mode in ["sync", "auto", "async"] {
        let path = format!("/{mode}/x");
        let announced = app
            .request("POST", &path)
            .body(vec![b'a'; 1025])
            .send()
            .await;
        expect::problem(&announced, 413, "request-too-large");

        // Told before the body is sent, a client need not send it.
        let mut client = app.client().await;
        let head = "host: x\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
        client.send(format!("POST {path} HTTP/1.1\r\n{head}")).await;
        let response = client.response().await;
        assert!(response.informational.is_empty());
        expect::problem(&response, 413, "request-too-large");

        let head = "host: x\r\ntransfer-encoding: chunked\r\n\r\n401\r\n";
        let request = format!(
            "POST {path} HTTP/1.1\r\n{head}{}\r\n0\r\n\r\n",
            "a".repeat(0x401)
        );
        let mut client = app.client().await;
        let _ = client.try_send(request).await;
        expect::problem(&client.response().await, 413, "request-too-large");
    }
    // A streamed body can be found too large only after its start has gone through.
    for seen in backend.requests() {
        assert_eq!(seen.path(), "/sync/x");
        assert_ne!(seen.body.end, End::Complete);
    }
    app.request("POST", "/sync/x")
        .body(vec![b'a'; 1024])
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_dropped() {
    let backend = Backend::echo().await;
    let config = Config::sync(&backend.url()).server("header_timeout = \"300ms\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.client().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    let (answer, _) = client.rest().await;
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 408 "),
        "{text}"
    );
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_body_gets_408() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url()).server("body_timeout = \"300ms\"");
    let app = Raincheck::start(&config).await;
    for mode in ["auto", "async", "sync"] {
        let mut client = app.client().await;
        client
            .send(format!(
                "POST /{mode}/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhi"
            ))
            .await;
        let response = client.response().await;
        expect::problem(&response, 408, "request-timeout");
        client.expect_closed().await;
        let expected = usize::from(mode == "sync");
        assert_eq!(backend.count(), expected);
    }
    assert_eq!(backend.wait_body(0).await.body.end, End::Cut);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let backend = Backend::always(
        Script::new()
            .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .endless(),
    )
    .await;
    let config = Config::sync(&backend.url()).server("write_timeout = \"500ms\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.request("GET", "/").begin().await;
    client.start("GET").await;
    backend.wait_closed(0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_waiting_one_is_not() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::sync(&backend.url())
        .server("keep_alive = \"300ms\"")
        .server("header_timeout = \"300ms\"")
        .server("body_timeout = \"300ms\"")
        .server("write_timeout = \"300ms\"");
    let app = Raincheck::start(&config).await;
    let mut waiting = app.request("GET", "/").begin().await;
    backend.wait_for(1).await;
    // An idle connection outlives its time entirely while the other waits for its answer.
    app.client().await.expect_closed().await;
    let mut idle = app.client().await;
    idle.send("GET /none HTTP/1.0\r\nconnection: keep-alive\r\n")
        .await;
    idle.rest().await;
    answer.fire();
    assert_eq!(waiting.response().await.expect(200).text(), "done");
    waiting.expect_closed().await;
}

/// Begins an upload of ten bytes, and sends two of them.
async fn upload(app: &Raincheck) -> Client {
    let mut client = app.client().await;
    let head = "POST /app/x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab";
    client.send(head).await;
    client
}

#[tokio::test]
async fn what_a_client_takes_for_its_upload_is_no_time_of_the_backends() {
    let never = Event::new("never");
    let slow = Backend::slow(&never).await;
    let (one, other) = (Backend::echo().await, Backend::echo().await);
    let group = format!(
        "\n[[upstream]]\nname = \"app\"\nservers = [{:?}, {:?}]\neject = {{ failures = 1, on = [\"timeout\"] }}\n",
        one.url(),
        other.url()
    );
    let config = Config::new()
        .server("body_timeout = \"6s\"")
        .route("/app/{*path}", "app", "sync")
        .with("timeout = \"2s\"")
        .route("/hang", &slow.url(), "sync")
        .with("timeout = \"2s\"")
        .with(&group);
    let app = Raincheck::start(&config).await;
    let mut moving = upload(&app).await;
    let gone = upload(&app).await;
    let mut stalled = upload(&app).await;
    for part in ["cdef", "ghij"] {
        // A backend that takes its time is cut at the end of it, each time anew.
        expect::problem(&app.get("/hang").await, 504, "upstream-timeout");
        moving.send(part).await;
    }
    let echo = moving.response().await.expect(200).json();
    assert_eq!(echo["body"], "abcdefghij");
    drop(gone);
    expect::problem(&stalled.response().await, 408, "request-timeout");
    let servers = app.admin("GET", "/upstreams").send().await;
    let servers = servers.expect(200).json();
    let servers = servers["upstreams"].to_string();
    assert!(servers.contains("\"usable\":true"), "{servers}");
    assert!(!servers.contains("\"usable\":false"), "{servers}");
}
