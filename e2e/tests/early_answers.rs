//! Exchanges that end on one side before the other: an answer before the request was read, a
//! client that leaves, a backend that never stops. No socket may stay behind.

use raincheck_e2e::{Backend, Config, End, Event, Raincheck, Script, until};

/// Waits until the gateway has no connection to the backend any more, except idle ones that it
/// may keep for later.
async fn no_socket_left(app: &Raincheck, backend: &Backend) {
    let addr = backend.addr();
    until("the connections to the backend to be closed", || {
        app.sockets_to(addr) == 0
    })
    .await;
}

#[tokio::test]
async fn an_early_answer_to_a_streamed_upload_leaves_no_socket() {
    let never = Event::new("never");
    let script = Script::early()
        .respond("413 Content Too Large", &["x: 1"], "no")
        .pause(&never);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    for _ in 0..5 {
        let mut client = app.client().await;
        client
            .send("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n")
            .await;
        let _ = client.try_send(vec![0; 1 << 20]).await;
        let response = client.response().await.expect(413);
        assert_eq!(response.text(), "no");
    }
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn a_small_body_that_comes_after_its_answer_keeps_the_connection() {
    let backend = Backend::always(Script::early().ok("early")).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut client = app.client().await;
    let job = "/jobs/01997f6c-0000-7000-8000-000000000000";
    for (path, status) in [
        ("/sync/x", 200),
        ("/nowhere", 404),
        (job, 405),
        ("/sync/y", 200),
    ] {
        for framing in ["content-length: 5\r\n\r\nhe", "content-length: 5\r\n\r\n"] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}");
            let rest = if framing.ends_with('e') {
                "llo"
            } else {
                "hello"
            };
            client.send(head).await;
            let response = client.response().await.expect(status);
            assert_eq!(response.header("connection"), None, "{path}");
            client.send(rest).await;
        }
    }
}

#[tokio::test]
async fn an_early_answer_to_a_stored_upload_is_the_answer() {
    let never = Event::new("never");
    let script = Script::early()
        .respond("401 Unauthorized", &["x: 1"], "who?")
        .pause(&never);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let body = vec![b'a'; 32 << 20];
    let response = app
        .request("PUT", "/auto/x")
        .body(&body)
        .send()
        .await
        .expect(401);
    assert_eq!(response.text(), "who?");
    let ticket = raincheck_e2e::ticket(&app.request("PUT", "/async/x").body(&body).send().await);
    assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
    assert_eq!(app.result(&ticket.id).await.expect(401).text(), "who?");
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn a_reset_after_an_early_answer_does_not_lose_the_answer() {
    let script = Script::early()
        .read_some(1)
        .respond("413 Content Too Large", &[], "no")
        .close();
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let body = vec![b'a'; 1 << 20];
    // The backend closes with our bytes unread, so the kernel resets the connection and may take
    // the answer with it. Either the answer or a clear 502, and the client is never left waiting.
    for mode in ["sync", "auto"] {
        let response = app
            .request("PUT", &format!("/{mode}/x"))
            .body(&body)
            .send()
            .await;
        assert!(
            [413, 502].contains(&response.status),
            "{}",
            response.head.start
        );
        assert!(response.is_whole());
    }
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_sync_exchange_ends_it() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    for (index, reset) in [false, true].into_iter().enumerate() {
        let client = app.request("POST", "/").body("x").begin().await;
        backend.wait_for(index + 1).await;
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        backend.wait_closed(index).await;
    }
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_upload_never_looks_complete() {
    let started = Event::new("the upload reached the backend");
    let script = Script::early()
        .read_some(1)
        .signal(&started)
        .read_body()
        .ok("whole?");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for head in [
        "content-length: 10\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let before = backend.count();
        let mut client = app.client().await;
        client
            .send(format!("POST /sync/x HTTP/1.1\r\nhost: x\r\n{head}"))
            .await;
        started.wait().await;
        backend.wait_for(before + 1).await;
        drop(client);
        assert_ne!(
            backend.wait_body(before).await.body.end,
            End::Complete,
            "{head:?}"
        );

        // A stored mode needs the whole request first, so the backend never hears of it.
        for mode in ["auto", "async"] {
            let mut client = app.client().await;
            client
                .send(format!("POST /{mode}/x HTTP/1.1\r\nhost: x\r\n{head}"))
                .await;
            client.half_close().await;
            client.rest().await;
            assert_eq!(backend.count(), before + 1, "{mode}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_ends_with_its_client() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let backend = Backend::always(Script::new().send(head).endless()).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (index, mode) in ["sync", "auto"].into_iter().enumerate() {
        let mut client = app.request("GET", &format!("/{mode}/x")).begin().await;
        let mut response = client.start("GET").await;
        client.read_until(&mut response, 1 << 20).await;
        assert!(response.body.check.intact());
        drop(client);
        backend.wait_closed(index).await;
    }
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn timeouts_close_the_connection_to_the_backend() {
    let backend = Backend::silent().await;
    let config = Config::all_modes(&backend.url()).each("timeout = \"200ms\"");
    let app = Raincheck::start(&config).await;
    for (index, mode) in ["sync", "auto"].into_iter().enumerate() {
        app.post(&format!("/{mode}/x"), "x").await.expect(504);
        backend.wait_closed(index).await;
    }
    no_socket_left(&app, &backend).await;
}

#[tokio::test]
async fn sockets_of_clients_come_back() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    app.get("/sync/warm").await.expect(200);
    let before = app.sockets();
    for _ in 0..50 {
        app.post("/auto/x", "x").await.expect(200);
    }
    until("the clients' sockets to be closed", || {
        app.sockets() <= before
    })
    .await;
}
