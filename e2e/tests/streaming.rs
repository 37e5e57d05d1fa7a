//! Bodies in motion through a relaying route: chunks, trailers, one byte at a time, and no more
//! in memory than the two sides are apart.

use raincheck_e2e::{Backend, Client, Config, End, Event, Gate, Must, Raincheck, Script};

/// What may lie between the two sides of a relay: socket buffers of four ends and our own.
const BETWEEN_MAX: u64 = 32 << 20;

#[tokio::test]
async fn request_chunks_and_trailers_arrive() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        let mut client = app.client().await;
        let request = format!(
            "POST /{mode}/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
             trailer: x-sum, x-more\r\n\r\n\
             5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nx-sum: 11\r\nX-More: y\r\n\r\n"
        );
        client.exchange(request).await.expect(200);
        let seen = backend.requests().pop().must("the request");
        assert_eq!(seen.body.text(), "hello world");
        assert_eq!(seen.body.end, End::Complete);
        let sent = [
            ("x-sum".to_owned(), "11".to_owned()),
            ("x-more".to_owned(), "y".to_owned()),
        ];
        assert_eq!(seen.trailers(), sent);
    }
}

#[tokio::test]
async fn response_chunks_and_trailers_arrive() {
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, x-more\r\n\r\n")
        .send("3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\nx-more: 1\r\nx-more: 2\r\n\r\n");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        let request = app.request("GET", &format!("/{mode}/x"));
        let response = request
            .header("te", "trailers")
            .header("connection", "te")
            .send()
            .await;
        let response = response.expect(200);
        assert_eq!(response.text(), "abcdefg");
        let name = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let sent = [name("x-sum", "7"), name("x-more", "1"), name("x-more", "2")];
        assert_eq!(response.trailers(), sent);
    }
}

#[tokio::test]
async fn each_response_byte_arrives_before_the_next_is_sent() {
    let gate = Gate::new();
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .drip_through("1\r\na\r\n1\r\nb\r\n", &gate)
        .send("0\r\n\r\n");
    for mode in ["sync", "auto"] {
        let backend = Backend::always(script.clone()).await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        let mut client = app.request("GET", &format!("/{mode}/x")).begin().await;
        let mut response = client.start("GET").await;
        gate.open(6);
        client.read_until(&mut response, 1).await;
        assert_eq!(response.text(), "a");
        gate.open(6);
        client.finish(&mut response).await;
        assert_eq!(response.expect(200).text(), "ab");
    }
}

#[tokio::test]
async fn a_sync_request_streams_while_the_client_still_sends() {
    let (first, answer) = (
        Event::new("the first bytes at the backend"),
        Event::new("answer"),
    );
    let script = Script::early()
        .read_some(5)
        .signal(&first)
        .read_body()
        .wait(&answer)
        .ok("ok");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut client = app.client().await;
    client
        .send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\nhello")
        .await;
    first.wait().await;
    client.send(" world").await;
    assert_eq!(backend.wait_body(0).await.body.text(), "hello world");
    answer.fire();
    client.response().await.expect(200);
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let script = Script::early()
        .read_some(1)
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        .read_body()
        .send("1\r\nb\r\n0\r\n\r\n");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut client = app.client().await;
    client
        .send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n1")
        .await;
    let mut response = client.start("POST").await;
    client.read_until(&mut response, 1).await;
    client.send("2").await;
    client.finish(&mut response).await;
    assert_eq!(response.expect(200).text(), "ab");
    assert_eq!(backend.only().body.text(), "12");
}

#[tokio::test]
async fn a_slow_reader_slows_the_backend_down() {
    let len: u64 = 1 << 30;
    let script = Script::new()
        .send(format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n"))
        .pattern(len);
    let backend = Backend::start(move |seen| match seen.path() {
        "/sync/big" => script.clone(),
        _ => Script::new().ok("small"),
    })
    .await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut client = Client::connect_narrow(app.addr()).await;
    client
        .send("GET /sync/big HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let mut response = client.start("GET").await;
    for round in 1..=3 {
        client.read_until(&mut response, round << 18).await;
        // Time for a relay without back pressure to run away: other requests are served meanwhile.
        for _ in 0..20 {
            app.get("/sync/small").await.expect(200);
        }
        let sent = backend.requests()[0].sent();
        let ahead = sent - response.body.len();
        assert!(
            ahead <= BETWEEN_MAX,
            "{ahead} bytes are neither here nor there"
        );
    }
    assert!(response.body.check.intact());
    drop(client);
    backend.wait_closed(0).await;
    assert!(
        app.memory_peak() < 100 << 20,
        "{} bytes resident",
        app.memory_peak()
    );
}

#[tokio::test]
async fn a_slow_backend_slows_a_sync_client_down() {
    let (started, go) = (
        Event::new("the upload reached the backend"),
        Event::new("go"),
    );
    let script = Script::early()
        .read_some(1)
        .signal(&started)
        .pause(&go)
        .close();
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut client = app.client().await;
    client
        .send("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n")
        .await;
    client.send(vec![0; 1 << 16]).await;
    started.wait().await;
    // As much as the sockets and the gateway take; then writing would wait for the backend.
    let taken = client.send_until_stuck(BETWEEN_MAX).await;
    assert!(
        taken <= BETWEEN_MAX,
        "the gateway took {taken} bytes that the backend did not"
    );
    go.fire();
    drop(client);
    assert!(
        app.memory_peak() < 100 << 20,
        "{} bytes resident",
        app.memory_peak()
    );
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_whole_for_the_client() {
    let script = Script::new()
        .send("HTTP/1.0 200 OK\r\ncontent-type: a/b\r\n\r\nold style")
        .close();
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        assert_eq!(
            app.get(&format!("/{mode}/x")).await.expect(200).text(),
            "old style"
        );
    }
}

#[tokio::test]
async fn an_http_1_0_client_gets_no_chunks() {
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in ["sync", "auto"] {
        let mut client = app.client().await;
        client
            .send(format!("GET /{mode}/x HTTP/1.0\r\nhost: x\r\n\r\n"))
            .await;
        let response = client.response().await;
        assert!(!response.head.has("transfer-encoding"));
        assert_eq!((response.status, response.text().as_str()), (200, "abc"));
        client.expect_closed().await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut client = app.client().await;
    let one =
        |n: u32| format!("POST /sync/{n} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{n}");
    client.send([one(1), one(2), one(3)].concat()).await;
    for n in 1..=3 {
        let response = client.response().await.expect(200);
        assert_eq!(response.json()["target"], format!("/sync/{n}"));
    }
}
