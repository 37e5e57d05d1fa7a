//! `kill -9` at chosen moments, and what the next start makes of it.

use raincheck_e2e::{Backend, Config, Event, Raincheck, Script, expect, ticket};

#[tokio::test]
async fn finished_jobs_keep_their_results() {
    let script = Script::new()
        .send("HTTP/1.1 201 Created\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n")
        .send("transfer-encoding: chunked\r\n\r\n")
        .pattern_chunks(300_000)
        .send("0\r\n\r\n");
    let backend = Backend::always(script).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let before = app.finished(&id).await;
    for _ in 0..3 {
        app.restart().await;
        assert_eq!(app.status(&id).await, before, "the whole document survives");
        let result = app.result(&id).await.expect(201);
        assert_eq!(result.all("set-cookie"), ["a=1", "b=2"]);
        assert!(result.body.check.intact());
        assert_eq!(result.body.len(), 300_000);
    }
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn queued_jobs_run_and_running_ones_follow_the_rule() {
    let never = Event::new("never");
    let backend = Backend::start(move |seen| match seen.index {
        0 | 1 => Script::new().wait(&never),
        _ => Script::new().echo(),
    })
    .await;
    let mut app = Raincheck::start(&Config::queued(&backend.url()).with("concurrency = 2")).await;
    let post = app.submit("/x", "post").await.id;
    let put = ticket(&app.request("PUT", "/x").body("put").send().await).id;
    backend.wait_for(2).await;
    let mut waiting = Vec::new();
    for n in 0..10 {
        waiting.push((n, app.submit("/x", &format!("waiting {n}")).await.id));
    }
    app.restart().await;

    // The backend may have seen the POST, so it is not sent again by itself.
    let document = app.finished(&post).await;
    assert_eq!(document["error"]["code"], "interrupted");
    assert_eq!(document["executions"], 1);
    expect::problem(&app.result(&post).await, 502, "interrupted");

    let document = app.finished(&put).await;
    assert_eq!(
        (&document["status"], &document["executions"]),
        (&"succeeded".into(), &2.into())
    );
    let attempts: Vec<_> = backend
        .requests_of(&put)
        .iter()
        .map(|seen| seen.attempt())
        .collect();
    assert_eq!(attempts, [Some(1), Some(2)]);

    for (n, id) in &waiting {
        assert_eq!(app.finished(id).await["executions"], 1);
        let echo = app.result(id).await.expect(200).json();
        assert_eq!(echo["body"], format!("waiting {n}"));
        assert_eq!(backend.requests_of(id).len(), 1);
    }
    // A person may decide otherwise, and the request is still there to be sent.
    app.request("POST", &format!("/jobs/{post}/retry"))
        .send()
        .await
        .expect(202);
    assert_eq!(app.finished(&post).await["status"], "succeeded");
    assert_eq!(app.result(&post).await.expect(200).json()["body"], "post");
}

#[tokio::test]
async fn a_route_that_allows_repeats_repeats_after_a_crash() {
    let never = Event::new("never");
    let scripts = vec![Script::new().wait(&never), Script::new().echo()];
    let backend = Backend::in_order(scripts).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"100ms\"")
        .with("retry = { attempts = 1, unsafe = true }");
    let mut app = Raincheck::start(&config).await;
    let ticket = ticket(&app.post("/x", "again").await);
    backend.wait_for(1).await;
    app.restart().await;
    let document = app.finished(&ticket.id).await;
    assert_eq!(
        (&document["status"], &document["executions"]),
        (&"succeeded".into(), &2.into())
    );
    assert_eq!(
        app.result(&ticket.id).await.expect(200).json()["body"],
        "again"
    );
}

#[tokio::test]
async fn a_ticket_of_auto_survives_with_its_request() {
    let never = Event::new("never");
    let scripts = vec![Script::new().wait(&never), Script::new().echo()];
    let backend = Backend::in_order(scripts).await;
    let mut app = Raincheck::start(&Config::auto(&backend.url()).with("hold = \"100ms\"")).await;
    let body = "b".repeat(200_000);
    let ticket = ticket(&app.post("/x?y", &body).await);
    backend.wait_for(1).await;
    app.restart().await;
    let document = app.finished(&ticket.id).await;
    assert_eq!(document["error"]["code"], "interrupted");
    app.request("POST", &format!("/jobs/{}/retry", ticket.id))
        .send()
        .await
        .expect(202);
    let echo = app.result(&ticket.id).await.expect(200).json();
    assert!(echo["body"] == body.as_str() && echo["target"] == "/x?y");
}

#[tokio::test]
async fn what_was_never_promised_leaves_nothing_behind() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let mut app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut held = app.request("POST", "/auto/x").body("a").begin().await;
    let mut upload = app.client().await;
    upload
        .send("POST /async/x HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n")
        .await;
    upload.send(vec![b'a'; 1 << 20]).await;
    backend.wait_for(1).await;
    app.restart().await;
    held.rest().await;
    upload.rest().await;
    let list = app.admin("GET", "/jobs").send().await.expect(200).json();
    assert_eq!(list["jobs"], serde_json::json!([]));
    backend.wait_closed(0).await;
}

#[tokio::test]
async fn a_half_recorded_answer_is_not_an_answer() {
    let (half, never) = (
        Event::new("half of the answer was sent"),
        Event::new("never"),
    );
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n")
        .pattern(1_000_000)
        .signal(&half)
        .wait(&never);
    let backend = Backend::always(script).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    half.wait().await;
    app.restart().await;
    assert_eq!(app.finished(&id).await["error"]["code"], "interrupted");
    expect::problem(&app.result(&id).await, 502, "interrupted");
}

#[tokio::test]
async fn cancelled_and_forgotten_jobs_stay_so() {
    let backend = Backend::start(|seen| match seen.path() {
        "/fast" => Script::new().ok("x"),
        _ => Script::new().until_closed(),
    })
    .await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let cancelled = app.submit("/slow", "").await.id;
    backend.wait_for(1).await;
    app.delete(&cancelled).await.expect(200);
    let forgotten = app.submit("/fast", "").await.id;
    app.finished(&forgotten).await;
    app.delete(&forgotten).await.expect(204);
    app.restart().await;
    assert_eq!(app.status(&cancelled).await["status"], "cancelled");
    expect::problem(
        &app.get(&format!("/jobs/{forgotten}")).await,
        404,
        "job-not-found",
    );
    assert_eq!(backend.count(), 2);
}
