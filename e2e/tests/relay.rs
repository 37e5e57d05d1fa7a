//! What a fast answer looks like in sync and in auto: as if the gateway were not there, except for
//! the fields that a gateway must add or remove.

use raincheck_e2e::curl::curl;
use raincheck_e2e::{Backend, Config, Must, Raincheck, Script, expect};

/// Modes in which a fast answer is relayed.
const RELAYED: [&str; 2] = ["sync", "auto"];

#[tokio::test]
async fn target_method_fields_and_body_arrive_unchanged() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        let target = format!("/{mode}/a%2Fb//%7E?x=%20+&&=;%zz?&y");
        let response = app
            .request("PATCH", &target)
            .header("x-one", "1")
            .header("x-two", "a, \"b\"; c=1")
            .header("x-one", "2")
            .header("accept-encoding", "gzip, br")
            .header("content-type", "application/octet-stream")
            .body([0, 255, 13, 10, 0])
            .send()
            .await
            .expect(200);
        drop(response);
        let seen = backend.requests().pop().must("the request");
        assert_eq!((seen.method(), seen.target()), ("PATCH", target.as_str()));
        assert_eq!(seen.all("x-one"), ["1", "2"]);
        assert_eq!(seen.header("x-two").as_deref(), Some("a, \"b\"; c=1"));
        assert_eq!(seen.header("accept-encoding").as_deref(), Some("gzip, br"));
        assert_eq!(seen.body.bytes, [0, 255, 13, 10, 0]);
        assert_eq!(seen.header("content-length").as_deref(), Some("5"));
        assert!(!seen.head.has("transfer-encoding"));
        assert_eq!(seen.all("host").len(), 1);
    }
}

#[tokio::test]
async fn a_request_without_a_body_gets_no_framing() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (index, mode) in RELAYED.iter().enumerate() {
        app.get(&format!("/{mode}/x")).await.expect(200);
        let seen = &backend.requests()[index];
        assert!(!seen.head.has("transfer-encoding"));
        assert!(!seen.head.has("content-length"));
    }
    app.post("/sync/x", "").await.expect(200);
    assert_eq!(
        backend.requests()[2].header("content-length").as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn hop_by_hop_fields_of_the_client_stop_here() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for (index, mode) in RELAYED.iter().enumerate() {
        app.request("GET", &format!("/{mode}/x"))
            .header("connection", "keep-alive, X-Mine")
            .header("connection", "x-other")
            .header("x-mine", "1")
            .header("X-Other", "1")
            .header("keep-alive", "timeout=5")
            .header("proxy-connection", "keep-alive")
            .header("te", "trailers, deflate")
            .header("x-stays", "1")
            .send()
            .await
            .expect(200);
        let seen = &backend.requests()[index];
        for gone in ["x-mine", "x-other", "keep-alive", "proxy-connection"] {
            assert!(
                !seen.head.has(gone),
                "{gone} went through: {:?}",
                seen.head.names()
            );
        }
        assert!(
            seen.head.list("te").iter().all(|te| te == "trailers"),
            "{:?}",
            seen.all("te")
        );
        assert_eq!(seen.header("x-stays").as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn hop_by_hop_and_forged_fields_of_the_backend_stop_here() {
    let fields = [
        "connection: close, X-Internal",
        "x-internal: 1",
        "keep-alive: timeout=5",
        "proxy-connection: close",
        "raincheck-error: gateway",
        "x-stays: 1",
    ];
    let backend = Backend::always(Script::new().respond("200 OK", &fields, "body").close()).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        let mut client = app.client().await;
        let request = format!("GET /{mode}/x HTTP/1.1\r\nhost: x\r\n\r\n");
        let response = client.exchange(&request).await.expect(200);
        for gone in [
            "x-internal",
            "keep-alive",
            "proxy-connection",
            "raincheck-error",
        ] {
            assert!(
                !response.head.has(gone),
                "{gone} went through: {:?}",
                response.head.names()
            );
        }
        assert_eq!(response.header("x-stays").as_deref(), Some("1"));
        // The backend's `close` is about its own connection, not about the client's.
        client.exchange(&request).await.expect(200);
    }
}

#[tokio::test]
async fn response_fields_keep_their_order_and_their_duplicates() {
    let fields = [
        "connection: x-gone",
        "x-gone: 1",
        "x-a: 1",
        "set-cookie: a=1; Path=/",
        "date: Mon, 23 Nov 2026 08:00:00 GMT",
        "set-cookie: b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        "server: theirs/1",
        "x-b: \u{e9}",
        "set-cookie: a=3",
        "etag: \"own\"",
    ];
    let backend = Backend::always(Script::new().respond("299 Own", &fields, "x")).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        let response = app.get(&format!("/{mode}/x")).await.expect(299);
        assert_eq!(response.all("set-cookie").len(), 3);
        assert!(response.all("set-cookie")[2].starts_with("a=3"));
        assert_eq!(response.all("date"), ["Mon, 23 Nov 2026 08:00:00 GMT"]);
        assert_eq!(response.all("server"), ["theirs/1"]);
        assert_eq!(response.header("etag").as_deref(), Some("\"own\""));
        assert_eq!(response.header("x-b").as_deref(), Some("\u{e9}"));
        let mut first = response.head.names();
        let mut known = std::collections::HashSet::new();
        first.retain(|name| name != "via" && known.insert(name.clone()));
        let sent = [
            "x-a",
            "set-cookie",
            "date",
            "server",
            "x-b",
            "etag",
            "content-length",
        ];
        assert_eq!(first, sent, "order of first appearance");
    }
}

#[tokio::test]
async fn a_backend_learns_who_asked() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    app.request("GET", "/sync/x")
        .host("shop.example")
        .header("via", "1.0 fred")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "for=203.0.113.9;proto=https")
        .send()
        .await
        .expect(200);
    let seen = backend.only();
    let via = seen.head.list("via");
    assert_eq!(via[0], "1.0 fred");
    assert!(via[1].starts_with("1.1 "), "{via:?}");
    // A client that is not trusted cannot speak for others.
    assert_eq!(seen.head.list("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.all("x-forwarded-host"), ["shop.example"]);
    let forwarded = seen.all("forwarded").join(",");
    assert!(!forwarded.contains("203.0.113.9"), "{forwarded}");
    assert!(
        forwarded.to_ascii_lowercase().contains("for=127.0.0.1"),
        "{forwarded}"
    );
}

#[tokio::test]
async fn a_trace_is_continued_or_begun() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    app.request("GET", "/sync/x")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .header("tracestate", "a=1,b=2")
        .send()
        .await
        .expect(200);
    app.get("/auto/x").await.expect(200);
    app.request("GET", "/sync/x")
        .header("traceparent", "00-nonsense")
        .send()
        .await
        .expect(200);
    let seen = backend.requests();
    let parts = |index: usize| -> Vec<String> {
        let all = seen[index].all("traceparent");
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].split('-').map(Into::into).collect()
    };
    assert_eq!((parts(0)[1].as_str(), parts(0)[3].as_str()), (trace, "01"));
    assert_eq!(seen[0].all("tracestate"), ["a=1,b=2"]);
    for index in [1, 2] {
        let lengths: Vec<_> = parts(index).iter().map(String::len).collect();
        assert_eq!(lengths, [2, 32, 16, 2]);
    }
}

#[tokio::test]
async fn answers_without_a_body_stay_without_one() {
    let scripts = vec![
        Script::new().send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nx: 1\r\n\r\n"),
        Script::new().send("HTTP/1.1 204 No Content\r\nx: 2\r\n\r\n"),
        Script::new().send("HTTP/1.1 304 Not Modified\r\netag: \"v\"\r\nx: 3\r\n\r\n"),
        Script::new().ok("whole"),
    ];
    for mode in RELAYED {
        let backend = Backend::in_order(scripts.clone()).await;
        let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
        let mut client = app.client().await;
        let line = |method: &str| format!("{method} /{mode}/x HTTP/1.1\r\nhost: x\r\n\r\n");
        let head = client.exchange(line("HEAD")).await.expect(200);
        assert_eq!(head.header("content-length").as_deref(), Some("1234"));
        assert_eq!(
            client
                .exchange(line("GET"))
                .await
                .expect(204)
                .header("x")
                .must("x"),
            "2"
        );
        let unchanged = client.exchange(line("GET")).await.expect(304);
        assert_eq!(unchanged.header("etag").as_deref(), Some("\"v\""));
        assert_eq!(
            client.exchange(line("GET")).await.expect(200).text(),
            "whole"
        );
    }
}

#[tokio::test]
async fn connections_to_the_backend_are_used_again() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        for _ in 0..20 {
            app.post(&format!("/{mode}/x"), "again").await.expect(200);
        }
    }
    assert_eq!(backend.count(), 40);
    assert!(
        backend.connections() <= 10,
        "{} connections",
        backend.connections()
    );
}

#[tokio::test]
async fn a_connection_that_the_backend_closed_meanwhile_costs_nobody_an_error() {
    let backend = Backend::always(Script::new().ok("x").close()).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        for _ in 0..20 {
            app.get(&format!("/{mode}/x")).await.expect(200);
        }
    }
}

#[tokio::test]
async fn absolute_form_becomes_origin_form() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut client = app.client().await;
    let request = "GET http://shop.example/sync/x?y=%20 HTTP/1.1\r\nhost: shop.example\r\n\r\n";
    client.exchange(request).await.expect(200);
    assert_eq!(backend.only().target(), "/sync/x?y=%20");
    assert_eq!(backend.only().all("x-forwarded-host"), ["shop.example"]);
}

#[tokio::test]
async fn an_expecting_client_is_told_to_go_on() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        let mut client = app.client().await;
        let head = "host: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        client
            .send(format!("PUT /{mode}/x HTTP/1.1\r\n{head}"))
            .await;
        let interim = client.try_head().await.must("an interim response");
        assert!(
            interim.start.starts_with("HTTP/1.1 100"),
            "{}",
            interim.start
        );
        client.send("hello").await;
        assert_eq!(client.response().await.expect(200).json()["body"], "hello");
    }
}

#[tokio::test]
async fn an_expecting_client_without_a_route_is_not_made_to_send_its_body() {
    let backend = Backend::echo().await;
    let config = Config::new().route("/only/{*path}", &backend.url(), "sync");
    let app = Raincheck::start(&config).await;
    let mut client = app.client().await;
    let head = "host: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    client
        .send(format!("PUT /elsewhere HTTP/1.1\r\n{head}"))
        .await;
    let response = client.response().await;
    assert!(response.informational.is_empty());
    expect::problem(&response, 404, "route-not-found");
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn interim_answers_of_the_backend_do_not_become_the_answer() {
    let script = Script::new()
        .send("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n")
        .send("HTTP/1.1 102 Processing\r\n\r\n")
        .ok("final");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    for mode in RELAYED {
        assert_eq!(
            app.get(&format!("/{mode}/x")).await.expect(200).text(),
            "final"
        );
    }
}

#[tokio::test]
async fn http_2_clients_are_served_by_http_1_backends() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let url = format!("http://{}/auto/x?y=1", app.addr());
    let h2 = curl(&[
        "--http2-prior-knowledge",
        "-H",
        "cookie: a=1",
        "-d",
        "hi",
        &url,
    ])
    .await;
    assert!(
        h2.head.starts_with("HTTP/2 200"),
        "{} {}",
        h2.head,
        h2.stderr
    );
    let seen = backend.only();
    assert_eq!((seen.method(), seen.target()), ("POST", "/auto/x?y=1"));
    assert_eq!(seen.body.text(), "hi");
    assert_eq!(seen.all("x-forwarded-host"), [app.addr().to_string()]);
    // An offer to upgrade to h2c is an offer; plain HTTP/1.1 is a right answer to it.
    let offered = curl(&["--http2", &url]).await;
    assert_eq!(
        (offered.code, offered.status()),
        (0, 200),
        "{}",
        offered.stderr
    );
    assert!(!backend.requests()[1].head.has("upgrade"));
    assert!(!backend.requests()[1].head.has("http2-settings"));
}
