//! The tools themselves, against each other: a test that fails must fail because of the gateway.

use raincheck_e2e::backend::Full;
use raincheck_e2e::raw::Close;
use raincheck_e2e::request::Request;
use raincheck_e2e::{Backend, Client, End, Event, Gate, Script, pattern};

#[tokio::test]
async fn a_request_is_recorded_as_it_was_sent() {
    let backend = Backend::echo().await;
    let mut client = Client::connect(backend.addr()).await;
    let first = client
        .exchange("POST /a?b HTTP/1.1\r\nHost: x\r\nA: 1\r\nA: 2\r\nContent-Length: 3\r\n\r\nabc")
        .await
        .expect(200);
    assert_eq!(first.json()["body"], "abc");
    let second = "PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                  2\r\nhi\r\n1;x=y\r\n!\r\n0\r\nsum: 5\r\n\r\n";
    client.exchange(second).await.expect(200);

    let seen = backend.requests();
    assert_eq!(seen[0].all("a"), ["1", "2"]);
    assert_eq!(
        (seen[0].method(), seen[0].target(), seen[0].path()),
        ("POST", "/a?b", "/a")
    );
    assert_eq!(seen[1].body.text(), "hi!");
    assert_eq!(seen[1].body.trailers, [("sum".to_owned(), b"5".to_vec())]);
    assert_eq!((seen[1].connection, seen[1].nth), (0, 1));
    drop(client);
    backend.wait_closed(1).await;
}

#[tokio::test]
async fn each_kind_of_end_is_told_apart() {
    let ends = [
        (Script::new().ok("x"), End::Complete),
        (
            Script::new().send("HTTP/1.1 200 OK\r\n\r\nx").close(),
            End::CloseDelimited,
        ),
        (
            Script::new()
                .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx")
                .close(),
            End::Cut,
        ),
        (
            Script::new().send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"),
            End::Cut,
        ),
        (
            Script::new().send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx"),
            End::Reset,
        ),
    ];
    for (script, end) in ends {
        let script = if end == End::Reset {
            script.reset()
        } else {
            script.close()
        };
        let backend = Backend::always(script).await;
        let response = Request::new(backend.addr(), "GET", "/").send().await;
        assert_eq!(response.end(), &end);
    }
}

#[tokio::test]
async fn steps_wait_for_the_test() {
    let (gate, reached) = (Gate::new(), Event::new("the head was sent"));
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
        .signal(&reached)
        .drip_through("abc", &gate)
        .half_close();
    let backend = Backend::always(script).await;
    let mut client = Client::connect(backend.addr()).await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    let mut response = client.start("GET").await;
    reached.wait().await;
    gate.open(1);
    client.read_until(&mut response, 1).await;
    assert_eq!(response.text(), "a");
    assert_eq!(backend.only().sent(), 38 + 1);
    gate.open(2);
    client.finish(&mut response).await;
    assert_eq!(response.text(), "abc");
    assert_eq!(client.rest().await, (Vec::new(), Close::Eof));
}

#[tokio::test]
async fn large_bodies_are_checked_as_they_pass() {
    let len = 8_000_000;
    let backend = Backend::bytes(len).await;
    let response = Request::new(backend.addr(), "GET", "/")
        .send()
        .await
        .expect(200);
    assert!(response.body.check.intact());
    assert_eq!(response.body.len(), len);

    let upload = pattern::bytes(0, 5_000_000);
    let echo = Backend::always(Script::new().ok("")).await;
    Request::new(echo.addr(), "PUT", "/")
        .body(upload)
        .send()
        .await
        .expect(200);
    assert!(echo.only().body.check.intact());
    assert_eq!(echo.only().body.len(), 5_000_000);
}

#[tokio::test]
async fn a_waiting_script_notices_that_the_peer_left() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let client = Request::new(backend.addr(), "GET", "/").begin().await;
    backend.wait_for(1).await;
    client.reset();
    backend.wait_closed(0).await;
}

#[tokio::test]
async fn a_full_backlog_leaves_connects_hanging() {
    let full = Full::new().await;
    let addr = full.url().trim_start_matches("http://").to_owned();
    let connect = tokio::net::TcpStream::connect(addr);
    let bound = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(bound, connect).await.is_err());
}
