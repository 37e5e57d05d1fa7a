//! The auto mode: a fast answer as it is, a slow one by ticket, and always exactly one request.

use raincheck_e2e::{Backend, Config, End, Event, Must, Raincheck, Script, expect, ticket};

const SHORT: &str = "hold = \"200ms\"";

#[tokio::test]
async fn a_slow_answer_becomes_a_ticket_and_then_the_result() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::auto(&backend.url())
        .with("name = \"render\"")
        .with(SHORT);
    let app = Raincheck::start(&config).await;
    let response = app.post("/render/1?x=2", "input").await;
    assert!(!response.head.has("preference-applied"));
    let ticket = ticket(&response);
    let document = &ticket.document;
    assert_eq!(document["status"], "processing");
    assert_eq!(document["route"], "render");
    assert_eq!(
        (&document["attempt"], &document["attempts_max"]),
        (&1.into(), &1.into())
    );
    assert_eq!(document["executions"], 1);
    for unset in ["finished_at", "expires_at", "error", "response"] {
        assert!(document[unset].is_null(), "{unset}: {document}");
    }
    for time in ["created_at", "started_at"] {
        let text = document[time].as_str().must(time);
        assert!(
            text.len() == 24 && text.ends_with('Z') && &text[10..11] == "T",
            "{text}"
        );
    }
    let seen = backend.only();
    assert_eq!(seen.job_id(), Some(ticket.id.clone()));
    assert_eq!(
        (seen.target(), seen.body.text().as_str()),
        ("/render/1?x=2", "input")
    );

    answer.fire();
    let done = app.finished(&ticket.id).await;
    assert_eq!(done["status"], "succeeded");
    assert_eq!(done["response"]["status"], 200);
    assert_eq!(done["response"]["content_type"], "text/plain");
    assert_eq!(done["response"]["content_length"], 4);
    assert!(
        done["finished_at"].is_string() && done["expires_at"].is_string(),
        "{done}"
    );
    assert_eq!(app.result(&ticket.id).await.expect(200).text(), "done");
    assert_eq!(backend.count(), 1, "the job must run exactly once");
}

#[tokio::test]
async fn an_answer_at_any_distance_from_the_hold_is_one_answer() {
    for round in 0..20 {
        let answer = Event::new("answer");
        let backend = Backend::slow(&answer).await;
        let config = Config::auto(&backend.url()).with("hold = \"30ms\"");
        let app = Raincheck::start(&config).await;
        let mut client = app.request("GET", "/x").begin().await;
        backend.wait_for(1).await;
        // A number of round trips of another request takes some part of the hold.
        for _ in 0..round * 5 {
            app.admin("GET", "/health/live").send().await.expect(200);
        }
        answer.fire();
        let response = client.response().await;
        let (status, text) = (response.status, response.text());
        if status == 200 {
            assert_eq!(text, "done");
        } else {
            let ticket = ticket(&response);
            assert_eq!(app.result(&ticket.id).await.expect(200).text(), "done");
        }
        assert_eq!(backend.count(), 1);
    }
}

#[tokio::test]
async fn a_result_is_the_answer_exactly() {
    let head = "HTTP/1.1 418 I'm a teapot\r\nx-b: 2\r\nset-cookie: a=1\r\nconnection: x-gone\r\n\
                x-gone: 1\r\nx-a: \u{e9}\r\nset-cookie: b=2; Path=/\r\ncontent-type: a/b; c=\"d\"\r\n\
                server: theirs\r\ndate: Mon, 23 Nov 2026 08:00:00 GMT\r\netag: W/\"own\"\r\n\
                transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
    let body = "3\r\n\0\r\n\r\n2\r\n\u{e9}\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n";
    let answer = Event::new("answer");
    let script = Script::new().wait(&answer).send(head).send(body);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    let ticket = ticket(&app.post("/x", "").await);
    answer.fire();
    assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
    // The result is there as often as it is asked for.
    for _ in 0..2 {
        let path = format!("/jobs/{}/result", ticket.id);
        let request = app
            .request("GET", &path)
            .header("te", "trailers")
            .header("connection", "te");
        let result = request.send().await.expect(418);
        assert_eq!(result.body.bytes, "\0\r\n\u{e9}".as_bytes());
        assert_eq!(result.all("set-cookie"), ["a=1", "b=2; Path=/"]);
        assert_eq!(result.all("x-a"), ["\u{e9}"]);
        assert_eq!(result.all("content-type"), ["a/b; c=\"d\""]);
        assert_eq!(result.all("server"), ["theirs"]);
        assert_eq!(result.all("date"), ["Mon, 23 Nov 2026 08:00:00 GMT"]);
        assert!(!result.head.has("x-gone"));
        let theirs = ["x-b", "set-cookie", "x-a", "content-type", "server", "date"];
        let mut order = result.head.names();
        order.dedup();
        order.retain(|name| theirs.contains(&name.as_str()));
        let mut known = std::collections::HashSet::new();
        order.retain(|name| known.insert(name.clone()));
        assert_eq!(order, theirs);
        let trailers = result.trailers();
        let sum = |v: &str| ("x-sum".to_owned(), v.to_owned());
        assert_eq!(trailers, [sum("1"), sum("2")]);
    }
}

#[tokio::test]
async fn hold_until_says_what_the_client_waits_for() {
    let rest = Event::new("rest");
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst")
        .wait(&rest)
        .send("later");
    let backend = Backend::always(script).await;
    let config = Config::new()
        .route("/head/{*p}", &backend.url(), "auto")
        .with(SHORT)
        .route("/whole/{*p}", &backend.url(), "auto")
        .with(SHORT)
        .with("hold_until = \"complete\"");
    let app = Raincheck::start(&config).await;
    let mut client = app.request("GET", "/head/x").begin().await;
    let mut relayed = client.start("GET").await;
    assert_eq!(relayed.status, 200);
    client.read_until(&mut relayed, 5).await;

    let ticket = ticket(&app.get("/whole/x").await);
    assert_eq!(app.status(&ticket.id).await["status"], "processing");
    rest.fire();
    client.finish(&mut relayed).await;
    assert_eq!(relayed.expect(200).text(), "firstlater");
    assert_eq!(
        app.result(&ticket.id).await.expect(200).text(),
        "firstlater"
    );
    assert_eq!(app.get("/whole/x").await.expect(200).text(), "firstlater");
    assert_eq!(backend.count(), 3);
}

#[tokio::test]
async fn a_client_can_ask_for_a_ticket_at_once_or_soon() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with("hold = \"10m\"")).await;
    for prefer in [
        "respond-async",
        "respond-async, wait=1",
        "wait=1, RESPOND-ASYNC; x=y",
    ] {
        let response = app
            .request("POST", "/x")
            .body("a")
            .prefer(prefer)
            .send()
            .await;
        let ticket = ticket(&response);
        let applied = response.head.list("preference-applied");
        assert!(
            applied.contains(&"respond-async".to_owned()),
            "{prefer}: {applied:?}"
        );
        assert_eq!(
            app.wait_status(&ticket.id, &["processing"]).await["executions"],
            1
        );
    }
    // `wait` alone shortens the hold.
    let response = app
        .request("POST", "/x")
        .body("a")
        .prefer("wait=1")
        .send()
        .await;
    let last = ticket(&response);
    assert!(
        !response
            .head
            .list("preference-applied")
            .contains(&"respond-async".to_owned())
    );
    answer.fire();
    assert_eq!(app.result(&last.id).await.expect(200).text(), "done");
    // A fast answer is the answer, whatever would have been welcome.
    let fast = app
        .request("GET", "/x")
        .prefer("respond-async, wait=10")
        .send()
        .await
        .expect(200);
    assert!(
        !fast
            .head
            .list("preference-applied")
            .contains(&"respond-async".to_owned())
    );
}

#[tokio::test]
async fn a_client_cannot_wait_longer_than_the_route_allows() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    for prefer in [
        "wait=1000000",
        "wait=99999999999999999999",
        "wait=x",
        "wait=-1",
        ",;=,\"",
        "",
    ] {
        let response = app
            .request("POST", "/x")
            .body("a")
            .prefer(prefer)
            .send()
            .await;
        let _ = ticket(&response);
    }
}

#[tokio::test]
async fn a_client_that_leaves_early_takes_its_request_along() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let app = Raincheck::start(&Config::auto(&backend.url())).await;
    for (index, reset) in [false, true].into_iter().enumerate() {
        let client = app.request("POST", "/x").body("a").begin().await;
        backend.wait_for(index + 1).await;
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        backend.wait_closed(index).await;
    }
    let list = app.admin("GET", "/jobs").send().await.expect(200).json();
    assert_eq!(
        list["jobs"],
        serde_json::json!([]),
        "nothing was promised, so nothing is kept"
    );
}

#[tokio::test]
async fn a_route_may_go_on_without_its_client() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::auto(&backend.url()).with("on_disconnect = \"continue\"");
    let app = Raincheck::start(&config).await;
    let client = app.request("POST", "/x").body("a").begin().await;
    backend.wait_for(1).await;
    let id = backend.only().job_id().must("a job id");
    drop(client);
    // The client's going is noticed some time later; then the exchange has become a job.
    let found = raincheck_e2e::within("the job in the list", async {
        loop {
            let list = app.admin("GET", "/jobs").send().await.expect(200).json();
            if let Some(job) = list["jobs"].get(0) {
                return job.clone();
            }
        }
    });
    assert_eq!(found.await["job_id"], id.as_str());
    answer.fire();
    assert_eq!(app.finished(&id).await["status"], "succeeded");
    assert_eq!(app.result(&id).await.expect(200).text(), "done");
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_after_its_ticket_changes_nothing() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    let mut ids = Vec::new();
    for reset in [false, true] {
        let mut client = app.request("POST", "/x").body("a").begin().await;
        ids.push(ticket(&client.response().await).id);
        if reset {
            client.reset();
        }
    }
    answer.fire();
    for id in ids {
        assert_eq!(app.finished(&id).await["status"], "succeeded");
        assert_eq!(app.result(&id).await.expect(200).text(), "done");
    }
    assert_eq!(backend.count(), 2);
}

#[tokio::test]
async fn a_large_answer_after_the_ticket_is_kept_whole() {
    let len: u64 = 20 << 20;
    let answer = Event::new("answer");
    let script = Script::new()
        .wait(&answer)
        .send(format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n"))
        .pattern(len);
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    let ticket = ticket(&app.post("/x", "").await);
    answer.fire();
    assert_eq!(
        app.finished(&ticket.id).await["response"]["content_length"],
        len
    );
    let result = app.result(&ticket.id).await.expect(200);
    assert!(result.body.check.intact());
    assert_eq!(result.body.len(), len);
}

#[tokio::test]
async fn a_fault_after_the_ticket_fails_the_job() {
    let answer = Event::new("answer");
    let script = Script::new()
        .wait(&answer)
        .send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        .close();
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    let ticket = ticket(&app.post("/x", "").await);
    answer.fire();
    let document = app.finished(&ticket.id).await;
    assert_eq!(
        (&document["status"], &document["error"]["code"]),
        (&"failed".into(), &"upstream-broken".into())
    );
    expect::problem(&app.result(&ticket.id).await, 502, "upstream-broken");
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn an_attempts_timeout_counts_from_its_start_not_from_the_ticket() {
    let backend = Backend::silent().await;
    let config = Config::auto(&backend.url())
        .with(SHORT)
        .with("timeout = \"1s\"");
    let app = Raincheck::start(&config).await;
    let ticket = ticket(&app.post("/x", "").await);
    let document = app.finished(&ticket.id).await;
    assert_eq!(document["error"]["code"], "upstream-timeout");
    expect::problem(&app.result(&ticket.id).await, 504, "upstream-timeout");
    assert_eq!(backend.wait_body(0).await.body.end, End::Complete);
    backend.wait_closed(0).await;
}

#[tokio::test]
async fn a_body_of_the_request_survives_with_its_trailers() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).echo()).await;
    let app = Raincheck::start(&Config::auto(&backend.url()).with(SHORT)).await;
    let mut client = app.client().await;
    let response = client
        .exchange(
            "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
             5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n",
        )
        .await;
    let ticket = ticket(&response);
    answer.fire();
    let echo = app.result(&ticket.id).await.expect(200).json();
    assert_eq!(echo["body"], "hello");
    assert_eq!(echo["trailers"], serde_json::json!([["x-sum", "5"]]));
}
