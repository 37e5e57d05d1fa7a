//! Keys as clients really send them: in every form, over both protocols and all listeners, and what
//! becomes of who comes again when the job meanwhile ends in another way than with an answer.

use raincheck_e2e::curl::{Answer, curl};
use raincheck_e2e::process::{Child, Home};
use raincheck_e2e::{
    Backend, Client, Config, Event, Must, Raincheck, Response, Script, expect, ticket, within,
};

const KEY: &str = "\"8e03978e\"";

/// Sends the request of most tests here.
async fn post(app: &Raincheck, key: &str, body: &str) -> Response {
    keyed(app, key, body).send().await
}

fn keyed(app: &Raincheck, key: &str, body: &str) -> raincheck_e2e::request::Request {
    app.request("POST", "/x?y=1")
        .header("idempotency-key", key)
        .body(body)
}

/// The same with curl, which is told more about it.
async fn by_curl(at: &str, more: &[&str], fields: &[&str]) -> Answer {
    let url = format!("http://{at}/x?y=1");
    let mut args = [more, &["-H", "content-type:"]].concat();
    for field in fields {
        args.extend(["-H", *field]);
    }
    args.push(&url);
    curl(&args).await
}

/// How many repetitions of this outcome the metrics tell of.
async fn repetitions(app: &Raincheck, outcome: &str) -> u64 {
    let text = app.admin("GET", "/metrics").send().await.text();
    let lines = text.lines().filter(|line| {
        line.starts_with("raincheck_duplicates_total") && line.contains(&format!("{outcome:?}"))
    });
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// Waits until so many clients have joined the first.
async fn joined(app: &Raincheck, count: u64) {
    within("clients to join", async {
        while repetitions(app, "joined").await < count {}
    })
    .await;
}

#[tokio::test]
async fn what_is_no_key_is_refused_over_both_protocols() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url()).route(
        "/{*path}",
        &backend.url(),
        "auto",
    ))
    .await;
    let addr = app.addr().to_string();
    // Without a body: curl 7.88 loses an answer that comes before it has sent all of its own.
    let h2 = ["--http2-prior-knowledge", "-X", "POST"];
    let (long, huge) = ("k".repeat(256), "k".repeat(10_000));
    let bad = [
        "", &long, &huge, "a\tb", "\"open", "\"\"", "a,b", "\"a\" b", r#""a\x""#, r#""a\""#,
    ];
    for key in bad {
        let refused = post(&app, key, "order").await;
        expect::problem(&refused, 400, "idempotency-key-invalid");
        // With nothing behind it curl takes the field for one to leave out.
        let field = match key {
            "" => "idempotency-key;".to_owned(),
            _ => format!("idempotency-key: {key}"),
        };
        let refused = by_curl(&addr, &h2, &[&field]).await;
        assert_eq!(refused.status(), 400, "{key:?}: {refused:?}");
        assert!(
            refused.text().contains("idempotency-key-invalid"),
            "{key:?}"
        );
    }
    let twice = keyed(&app, KEY, "order").header("idempotency-key", KEY);
    expect::problem(&twice.send().await, 400, "idempotency-key-invalid");
    let fields = ["idempotency-key: a", "idempotency-key: b"];
    let twice = by_curl(&addr, &h2, &fields).await;
    assert_eq!(twice.status(), 400, "{twice:?}");
    assert_eq!(backend.count(), 0);
    // A long one of characters that are several bytes each is none too many.
    let fine = post(&app, &"ключ".repeat(60), "order").await.expect(200);
    assert_eq!(fine.header("idempotency-replayed"), None);
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn one_key_is_one_run_in_every_form_over_both_protocols_and_all_listeners() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let home = Home::with_text("");
    let (url, data) = (backend.url(), home.data());
    let config = format!(
        "[[server.listen]]\naddress = \"127.0.0.1:0\"\n[[server.listen]]\naddress = \"127.0.0.1:0\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = {data:?}\n\
         [[route]]\nname = \"all\"\nmatch = \"/{{*path}}\"\nupstream = {url:?}\nmode = \"auto\"\n"
    );
    std::fs::write(home.config(), config).must("writing the config");
    let child = Child::spawn(home.serve(&[]));
    let ready = child.line_with("\"ready\"").await;
    let ready: serde_json::Value = serde_json::from_str(&ready).must("JSON");
    let at = |index: usize| {
        ready["listeners"][index]
            .as_str()
            .must("an address")
            .to_owned()
    };
    let forms = [
        r#"idempotency-key: "a\"b\\c""#,
        r#"idempotency-key: a"b\c"#,
        r#"Idempotency-Key: "a\"b\\c";v=1; w="x""#,
        r#"idempotency-key:    a"b\c   "#,
    ];
    let mut runs = 0;
    for form in forms {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            for listener in [0, 1] {
                let answer = by_curl(&at(listener), &[version, "--data", "order"], &[form]).await;
                assert_eq!((answer.status(), answer.text()), (200, "done".to_owned()));
                runs += usize::from(answer.all("idempotency-replayed").is_empty());
            }
        }
    }
    assert_eq!((runs, backend.count()), (1, 1));
    // Another caller, and another host, with the same key have runs of their own.
    for (count, field) in [(2, "authorization: Bearer b"), (3, "host: other")] {
        for _ in 0..2 {
            let answer = by_curl(&at(0), &["--data", "order"], &[forms[0], field]).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(backend.count(), count, "{field}");
        }
    }
}

#[tokio::test]
async fn every_part_of_what_is_asked_counts_and_nothing_else() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let config = Config::auto(&backend.url()).with("fingerprint_headers = [\"content-type\"]");
    let app = Raincheck::start(&config).await;
    let ask = |method: &str, target: &str, kind: &str, body: &str| {
        let request = app.request(method, target).header("idempotency-key", KEY);
        let request = match kind {
            "" => request,
            _ => request.header("content-type", kind),
        };
        request.body(body)
    };
    let first = ask("POST", "/x?y=1", "text/a", "order")
        .send()
        .await
        .expect(200);
    assert_eq!(first.header("idempotency-replayed"), None);
    let others = [
        ask("PUT", "/x?y=1", "text/a", "order"),
        ask("POST", "/z?y=1", "text/a", "order"),
        ask("POST", "/x/?y=1", "text/a", "order"),
        ask("POST", "/x?y=2", "text/a", "order"),
        ask("POST", "/x?y=1&", "text/a", "order"),
        ask("POST", "/x", "text/a", "order"),
        ask("POST", "/x?y=1", "text/b", "order"),
        ask("POST", "/x?y=1", "", "order"),
        ask("POST", "/x?y=1", "text/a", "Order"),
        ask("POST", "/x?y=1", "text/a", "order "),
        ask("POST", "/x?y=1", "text/a", ""),
    ];
    for other in others {
        let refused = other.send().await;
        expect::problem(&refused, 422, "idempotency-key-reused");
        assert_eq!(refused.header("raincheck-job-id"), None);
    }
    let same = ask("POST", "/x?y=1", "text/a", "order").header("x-other", "1");
    let same = same.send().await.expect(200);
    assert_eq!(same.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_route_may_require_a_key_and_refuse_who_comes_too_early() {
    let done = Event::new("done");
    let backend = Backend::slow(&done).await;
    let config = Config::all_modes(&backend.url())
        .each("idempotency_key = \"required\"")
        .route("/{*path}", &backend.url(), "auto")
        .with("duplicate = \"conflict\"");
    let app = Raincheck::start(&config).await;
    for mode in ["sync", "auto", "async"] {
        let none = app.post(&format!("/{mode}/x"), "order").await;
        expect::problem(&none, 400, "idempotency-key-required");
    }
    assert_eq!(backend.count(), 0);
    let mut first = keyed(&app, KEY, "order").begin().await;
    backend.wait_for(1).await;
    let early = post(&app, KEY, "order").await;
    expect::problem(&early, 409, "duplicate-in-progress");
    assert!(early.header("retry-after").is_some());
    expect::problem(
        &post(&app, KEY, "other").await,
        422,
        "idempotency-key-reused",
    );
    done.fire();
    assert_eq!(first.response().await.expect(200).text(), "done");
    let id = backend.only().job_id().must("a job id");
    app.finished(&id).await;
    let late = post(&app, KEY, "order").await.expect(200);
    assert_eq!(late.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_key_whose_result_has_expired_is_free() {
    let backend = Backend::echo().await;
    let config = Config::queued(&backend.url()).with("retention = \"50ms\"");
    let app = Raincheck::start(&config).await;
    let first = ticket(&post(&app, KEY, "order").await).id;
    backend.wait_for(1).await;
    within("the job to be forgotten", async {
        while app.get(&format!("/jobs/{first}")).await.status != 404 {}
    })
    .await;
    // Also for another request: nobody remembers the first.
    let second = ticket(&post(&app, KEY, "other").await).id;
    assert_ne!(second, first);
    backend.wait_for(2).await;
}

/// Two held clients of one key, and the job they wait for.
async fn held(app: &Raincheck, backend: &Backend) -> ([Client; 2], String) {
    let first = keyed(app, KEY, "order").begin().await;
    backend.wait_for(1).await;
    let second = keyed(app, KEY, "order").begin().await;
    joined(app, 1).await;
    let id = backend.only().job_id().must("a job id");
    ([first, second], id)
}

#[tokio::test]
async fn who_joined_a_job_that_is_cancelled_and_forgotten_is_told_what_the_first_is_told() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let app = Raincheck::start(&Config::auto(&backend.url())).await;
    let (mut clients, id) = held(&app, &backend).await;
    app.delete(&id).await;
    for client in &mut clients {
        expect::problem(&client.response().await, 410, "job-cancelled");
    }
    backend.wait_closed(0).await;
    // It may have been run: the repetition is not.
    let again = post(&app, KEY, "order").await;
    expect::problem(&again, 410, "job-cancelled");
    assert_eq!(
        again.header("idempotency-replayed").as_deref(),
        Some("true")
    );
    assert_eq!(backend.count(), 1);
    app.delete(&id).await.expect(204);
    let mut fresh = keyed(&app, KEY, "other").begin().await;
    backend.wait_for(2).await;
    never.fire();
    assert_eq!(fresh.response().await.expect(200).text(), "done");
}

#[tokio::test]
async fn who_joined_a_job_whose_time_runs_out_is_told_so_as_the_first_is() {
    let backend = Backend::silent().await;
    let config = Config::auto(&backend.url()).with("deadline = \"1s\"");
    let app = Raincheck::start(&config).await;
    let (mut clients, id) = held(&app, &backend).await;
    for client in &mut clients {
        expect::problem(&client.response().await, 504, "deadline-exceeded");
    }
    assert_eq!(
        app.finished(&id).await["error"]["code"],
        "deadline-exceeded"
    );
    assert_eq!(backend.count(), 1);
}

/// A request in chunks, as a client sends it that does not know the length.
fn in_chunks(body: &str) -> String {
    let mut text = "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for start in (0..body.len()).step_by(7000) {
        let piece = &body[start..body.len().min(start + 7000)];
        text.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    text + "0\r\n\r\n"
}

#[tokio::test]
async fn streamed_bodies_beyond_memory_are_told_apart_by_their_last_byte() {
    let done = Event::new("done");
    let backend = Backend::slow(&done).await;
    let config = Config::auto(&backend.url()).with("dedupe = \"10m\"");
    let app = Raincheck::start(&config).await;
    let body = "large".repeat(100_000);
    let mut clients = Vec::new();
    for count in 0..4 {
        let mut client = app.client().await;
        client.send(in_chunks(&body)).await;
        clients.push(client);
        backend.wait_for(1).await;
        joined(&app, count).await;
    }
    let mut other = app.client().await;
    let last = body.len() - 1;
    other.send(in_chunks(&format!("{}!", &body[..last]))).await;
    backend.wait_for(2).await;
    done.fire();
    for (number, client) in clients.iter_mut().enumerate() {
        let response = client.response().await.expect(200);
        let replayed = response.header("idempotency-replayed").is_some();
        assert_eq!((response.text().as_str(), replayed), ("done", number > 0));
    }
    let response = other.response().await.expect(200);
    assert_eq!(response.header("idempotency-replayed"), None);
    assert_eq!(backend.count(), 2);
    assert_eq!(
        backend.wait_body(0).await.body.check.len(),
        body.len() as u64
    );
}
