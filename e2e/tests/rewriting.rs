//! What a route changes of requests and answers, through the binary.

use raincheck_e2e::curl::curl;
use raincheck_e2e::process::{Home, command, run};
use raincheck_e2e::request::Request;
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect, ticket};

#[tokio::test]
async fn the_upstream_sees_another_path_host_and_other_fields() {
    let backend = Backend::echo().await;
    let config = Config::new()
        .route("/api/{*rest}", &backend.url(), "sync")
        .with("strip_prefix = \"/api\"\nadd_prefix = \"/v2\"\nhost = \"app.internal\"")
        .with("request_headers = { set = { X-Env = \"test\" }, add = { X-Two = \"b\" }, remove = [\"Cookie\"] }")
        .route("/own/{*rest}", &backend.url(), "auto")
        .with("host = \"upstream\"");
    let app = Raincheck::start(&config).await;
    app.request("GET", "/api/a%2Fb//c?x=1")
        .host("shop.example")
        .header("x-env", "forged")
        .header("x-two", "a")
        .header("cookie", "secret")
        .header("x-forwarded-prefix", "/forged")
        .send()
        .await
        .expect(200);
    let seen = backend.only();
    assert_eq!(seen.target(), "/v2/a%2Fb//c?x=1");
    assert_eq!(seen.all("host"), ["app.internal"]);
    assert_eq!(
        seen.header("x-forwarded-host").as_deref(),
        Some("shop.example")
    );
    assert_eq!(seen.all("x-forwarded-prefix"), ["/api"]);
    assert_eq!(seen.all("x-env"), ["test"]);
    assert_eq!(seen.all("x-two"), ["a", "b"]);
    assert!(!seen.head.has("cookie"));

    app.request("GET", "/own/x")
        .host("shop.example")
        .send()
        .await
        .expect(200);
    let seen = &backend.requests()[1];
    assert_eq!(seen.all("host"), [backend.addr().to_string()]);
}

#[tokio::test]
async fn a_path_that_could_leave_its_prefix_goes_nowhere() {
    let backend = Backend::echo().await;
    let config = Config::new()
        .route("/api/{*rest}", &backend.url(), "sync")
        .with("strip_prefix = \"/api\"");
    let app = Raincheck::start(&config).await;
    for path in [
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/..%2fadmin",
        "/api/..;/admin",
    ] {
        let response = app.get(path).await;
        expect::problem(&response, 400, "malformed-request");
    }
    assert_eq!(backend.count(), 0);
}

/// A ticketed client gets what an unticketed one would have got.
#[tokio::test]
async fn answers_are_changed_the_same_whether_stored_or_not() {
    let answer = Event::new("answer");
    let script = Script::new().wait(&answer).respond(
        "200 OK",
        &["server: secret", "x-frame-options: ALLOW", "x-kept: 1"],
        "done",
    );
    let backend = Backend::always(script).await;
    let config = Config::all_modes(&backend.url())
        .each("hold = \"1s\"")
        .each("response_headers = { set = { X-Frame-Options = \"DENY\" }, add = { X-By = \"edge\" }, remove = [\"Server\"] }");
    let app = Raincheck::start(&config).await;
    let ticketed = ticket(&app.get("/auto/x").await);
    let queued = app.submit("/async/x", "").await;
    answer.fire();
    let answers = [
        app.get("/sync/x").await,
        app.get("/auto/x").await,
        app.result(&ticketed.id).await,
        app.result(&queued.id).await,
    ];
    for response in answers {
        let response = response.expect(200);
        assert_eq!(response.header("server"), None);
        assert_eq!(response.all("x-frame-options"), ["DENY"]);
        assert_eq!(response.all("x-by"), ["edge"]);
        assert_eq!(response.header("x-kept").as_deref(), Some("1"));
        assert_eq!(response.text(), "done");
    }
}

#[tokio::test]
async fn networks_that_are_not_served_get_403_before_their_body_is_read() {
    let backend = Backend::echo().await;
    let config = Config::new()
        .route("/{*path}", &backend.url(), "sync")
        .route("/admin/{*path}", &backend.url(), "sync")
        .with("allow = [\"192.0.2.0/24\"]\ndeny = [\"192.0.2.66\"]")
        .server("trusted_proxies = [\"127.0.0.1\"]");
    let app = Raincheck::start(&config).await;
    let from =
        |client: &str, path: &str| app.request("GET", path).header("x-forwarded-for", client);
    from("192.0.2.1", "/admin/x").send().await.expect(200);
    from("203.0.113.1, 192.0.2.1", "/admin/x")
        .send()
        .await
        .expect(200);
    from("203.0.113.1", "/other").send().await.expect(200);
    assert_eq!(backend.count(), 3);
    for (client, path) in [
        ("203.0.113.1", "/admin/x"),
        ("192.0.2.1, 203.0.113.1", "/admin/x"),
        ("192.0.2.66", "/admin/x"),
        ("unknown", "/admin/x"),
        // Another route takes these, and its backend might read them as /admin/x.
        ("203.0.113.1", "/other/../admin/x"),
        ("203.0.113.1", "/%61dmin/x"),
        ("203.0.113.1", "//admin/x"),
    ] {
        let response = from(client, path).send().await;
        expect::problem(&response, 403, "access-denied");
    }
    let mut client = app.client().await;
    client
        .send("POST /admin/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
        .await;
    let response = client.start("POST").await;
    assert_eq!(response.status, 403);
    assert_eq!(backend.count(), 3);
}

#[tokio::test]
async fn routes_answer_by_themselves() {
    let backend = Backend::echo().await;
    let home = Home::with_text("");
    let page = home.path().join("down.html");
    std::fs::write(&page, "<p>down</p>").must("a file");
    let config = Config::new()
        .route("/{*path}", &backend.url(), "auto")
        .with("redirect = { to = \"https://{host}{uri}\", status = 308 }")
        .bare("/old/{*rest}")
        .with("redirect = { to = \"/new/{rest}{query}\" }")
        .bare("/down")
        .with(&format!(
            "respond = {{ status = 503, file = {page:?}, headers = {{ Retry-After = \"9\" }} }}"
        ))
        .bare("/hello")
        .with("respond = { body = \"hello\" }")
        .server("trusted_proxies = [\"127.0.0.1\"]");
    home.configure(&config);
    let app = Raincheck::start_in(home).await;

    let response = app
        .request("POST", "/x?y=1")
        .host("a.example:8080")
        .send()
        .await
        .expect(308);
    assert_eq!(
        response.header("location").as_deref(),
        Some("https://a.example/x?y=1")
    );
    let https = app
        .request("GET", "/x")
        .host("a.example")
        .header("x-forwarded-proto", "https");
    https.send().await.expect(200);
    assert_eq!(backend.count(), 1);

    let response = app.get("/old//evil.example/?a").await.expect(307);
    assert_eq!(
        response.header("location").as_deref(),
        Some("/new//evil.example/?a")
    );
    let response = app.get("/down").await.expect(503);
    assert_eq!(response.header("retry-after").as_deref(), Some("9"));
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.text(), "<p>down</p>");
    assert_eq!(response.header("raincheck-error"), None);
    assert_eq!(app.get("/hello").await.expect(200).text(), "hello");
    let head = app.request("HEAD", "/hello").send().await.expect(200);
    assert_eq!(
        (
            head.header("content-length").as_deref(),
            head.text().as_str()
        ),
        (Some("5"), "")
    );
    assert_eq!(backend.count(), 1);
    let scraped = app.admin("GET", "/metrics").send().await.text();
    assert!(
        scraped.contains("answer=\"fixed\",class=\"5xx\"} 1"),
        "{scraped}"
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_by_check_and_by_serve() {
    let config = Config::new()
        .bare("/x")
        .with("respond = { file = \"/nowhere/x.html\" }");
    let home = Home::new(&config);
    let config = home.config();
    let exit = run(&["check", config.to_str().must("a path")]).await;
    assert_ne!(exit.code, Some(0));
    assert!(exit.stderr.contains("/nowhere/x.html"), "{}", exit.stderr);
    let serve = command()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .output()
        .must("it ran");
    assert!(!serve.status.success());
    assert!(String::from_utf8_lossy(&serve.stderr).contains("/nowhere/x.html"));
}

const ORIGIN: &str = "https://app.example";

const CORS: &str = r#"cors = { origins = ["https://app.example", "https://*.example.com"], expose = ["X-Total"], credentials = true }"#;

/// A gateway that lets two origins in, in front of a backend that answers when the event is fired
/// and has rules of its own for origins.
async fn let_in(answer: &Event) -> (Raincheck, Backend) {
    let own = "access-control-allow-origin: https://backend.example";
    let script = Script::new()
        .wait(answer)
        .respond("200 OK", &[own, "x-total: 7"], "done");
    let backend = Backend::always(script).await;
    let config = Config::new()
        .route("POST /work", &backend.url(), "auto")
        .with("hold = \"1s\"")
        .with(CORS)
        .server(CORS);
    (Raincheck::start(&config).await, backend)
}

fn preflight(app: &Raincheck, path: &str, origin: &str, method: &str) -> Request {
    app.request("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "content-type,prefer")
}

#[tokio::test]
async fn preflights_end_here() {
    let (app, backend) = let_in(&Event::new("answer")).await;
    let ask = |origin| preflight(&app, "/work", origin, "POST");
    let leave = ask(ORIGIN).send().await.expect(204);
    let said = |name| leave.header(name);
    assert_eq!(said("access-control-allow-origin").as_deref(), Some(ORIGIN));
    assert_eq!(
        said("access-control-allow-headers").as_deref(),
        Some("content-type,prefer")
    );
    assert_eq!(
        said("access-control-allow-credentials").as_deref(),
        Some("true")
    );
    let refused = ask("https://evil.example").send().await;
    expect::problem(&refused, 403, "access-denied");
    assert_eq!(refused.header("access-control-allow-origin"), None);
    ask("https://b.a.example.com").send().await.expect(204);
    assert_eq!(backend.count(), 0);
    // The route takes POST alone.
    let missing = app
        .request("GET", "/work")
        .header("origin", ORIGIN)
        .send()
        .await;
    expect::problem(&missing, 404, "route-not-found");
}

#[tokio::test]
async fn a_browser_on_another_origin_gets_its_ticket_and_its_result() {
    let answer = Event::new("answer");
    let (app, _backend) = let_in(&answer).await;
    let posted = app
        .request("POST", "/work")
        .header("origin", ORIGIN)
        .body("x");
    let response = posted.send().await;
    let job = ticket(&response);
    assert_eq!(
        response.header("access-control-allow-origin").as_deref(),
        Some(ORIGIN)
    );
    let exposed = response
        .header("access-control-expose-headers")
        .must("exposed");
    for name in [
        "Location",
        "Retry-After",
        "Link",
        "Raincheck-Job-Id",
        "X-Total",
    ] {
        let mut shown = exposed.split(", ");
        assert!(
            shown.any(|shown| shown.eq_ignore_ascii_case(name)),
            "{name}: {exposed}"
        );
    }
    answer.fire();
    let path = format!("/jobs/{}/result?wait=20", job.id);
    preflight(&app, &path, ORIGIN, "GET")
        .send()
        .await
        .expect(204);
    let result = app
        .request("GET", &path)
        .header("origin", ORIGIN)
        .send()
        .await
        .expect(200);
    assert_eq!(result.all("access-control-allow-origin"), [ORIGIN]);
    assert_eq!(result.text(), "done");
}

fn json(len: usize) -> Script {
    let text = "{\"n\":1},".repeat(len / 8);
    Script::new().respond(
        "200 OK",
        &["content-type: application/json", "etag: \"v1\""],
        &text,
    )
}

#[tokio::test]
async fn answers_are_compressed_where_the_client_asks_and_stored_as_they_came() {
    let answer = Event::new("answer");
    let waiting = answer.clone();
    let backend = Backend::start(move |seen| match seen.path() {
        "/slow" => Script::new().wait(&waiting).respond(
            "200 OK",
            &["content-type: text/plain"],
            &"x".repeat(9000),
        ),
        "/events" => Script::new().respond(
            "200 OK",
            &["content-type: text/event-stream"],
            &"data: x\n\n".repeat(500),
        ),
        "/small" => json(100),
        _ => json(80_000),
    })
    .await;
    let config = Config::auto(&backend.url())
        .with("compress = [\"zstd\", \"gzip\"]")
        .with("hold = \"1s\"");
    let app = Raincheck::start(&config).await;
    let plain = app.get("/x").await.expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary").as_deref(), Some("Accept-Encoding"));

    let url = format!("http://{}/x", app.addr());
    for coding in ["gzip", "zstd"] {
        let header = format!("accept-encoding: {coding}");
        let unpacked = curl(&["--compressed", "-H", &header, &url]).await;
        assert_eq!(unpacked.all("content-encoding"), [coding]);
        assert_eq!(unpacked.all("etag"), ["W/\"v1\""]);
        assert_eq!(unpacked.text(), plain.text(), "{coding}");
    }
    let ask = |path: &str| {
        app.request("GET", path)
            .header("accept-encoding", "gzip, zstd")
    };
    for path in ["/events", "/small"] {
        assert_eq!(
            ask(path)
                .send()
                .await
                .expect(200)
                .header("content-encoding"),
            None,
            "{path}"
        );
    }
    let head = app
        .request("HEAD", "/x")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect(200);
    assert_eq!(head.header("content-encoding"), None);

    let job = ticket(&ask("/slow").send().await);
    answer.fire();
    app.finished(&job.id).await;
    let result = ask(&format!("/jobs/{}/result", job.id))
        .send()
        .await
        .expect(200);
    assert_eq!(result.header("content-encoding"), None);
    assert_eq!(result.text(), "x".repeat(9000));
}
