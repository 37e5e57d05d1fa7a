//! The async mode: stored first, run from the queue, within the route's limits.

use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect, ticket};

/// One attempt at a time, in the order of acceptance.
const ONE_AT_A_TIME: &str = "concurrency = 1";

#[tokio::test]
async fn a_ticket_comes_before_the_answer_and_the_result_after_it() {
    let answer = Event::new("answer");
    let backend = Backend::always(Script::new().wait(&answer).echo()).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let response = app
        .request("PUT", "/deep/path?q=1&q=2")
        .header("x-a", "1")
        .header("authorization", "Bearer t")
        .header("x-a", "2")
        .body("input")
        .send()
        .await;
    let ticket = ticket(&response);
    assert!(!response.head.has("preference-applied"));
    assert!(["queued", "processing"].contains(&ticket.document["status"].as_str().must("status")));
    answer.fire();
    let done = app.finished(&ticket.id).await;
    assert_eq!(done["status"], "succeeded");
    assert_eq!(
        (&done["attempt"], &done["executions"]),
        (&1.into(), &1.into())
    );

    let echo = app.result(&ticket.id).await.expect(200).json();
    assert_eq!(echo["target"], "/deep/path?q=1&q=2");
    assert_eq!(echo["body"], "input");
    let seen = backend.only();
    assert_eq!(seen.all("x-a"), ["1", "2"]);
    assert_eq!(seen.all("authorization"), ["Bearer t"]);
    assert_eq!(seen.job_id(), Some(ticket.id));
    assert_eq!(seen.attempt(), Some(1));
}

#[tokio::test]
async fn a_preference_for_a_ticket_is_answered_here_too() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let response = app
        .request("POST", "/x")
        .body("a")
        .prefer("respond-async")
        .send()
        .await;
    let _ = ticket(&response);
    assert_eq!(
        response.header("preference-applied").as_deref(),
        Some("respond-async")
    );
}

#[tokio::test]
async fn jobs_run_in_the_order_they_came_and_no_more_than_allowed() {
    let gates: Vec<_> = (0..6).map(|_| Event::new("a gate")).collect();
    let scripts = gates
        .iter()
        .map(|gate| Script::new().wait(gate).ok("done"))
        .collect();
    let backend = Backend::in_order(scripts).await;
    let app = Raincheck::start(&Config::queued(&backend.url()).with("concurrency = 2")).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(app.submit("/x", &n.to_string()).await.id);
    }
    for (n, gate) in gates.iter().enumerate() {
        backend.wait_for((n + 2).min(6)).await;
        let running = backend
            .requests()
            .iter()
            .filter(|seen| !seen.served)
            .count();
        assert!(running <= 2, "{running} at once");
        if n < 4 {
            assert_eq!(app.status(&ids[n + 2]).await["status"], "queued");
        }
        gate.fire();
        let served = backend.requests()[n].job_id().must("a job id");
        assert_eq!(app.finished(&served).await["status"], "succeeded");
    }
    let order: Vec<_> = backend
        .requests()
        .iter()
        .map(|seen| seen.job_id().must("id"))
        .collect();
    let sorted = |mut pair: Vec<String>| {
        pair.sort();
        pair
    };
    // The first two start together, so only their order may differ.
    assert_eq!(sorted(order[..2].to_vec()), sorted(ids[..2].to_vec()));
    assert_eq!(order[2..], ids[2..]);
}

#[tokio::test]
async fn an_idempotent_request_is_tried_again_until_it_is_answered() {
    let scripts = vec![
        Script::new().respond("503 Service Unavailable", &[], "busy"),
        Script::new().reset(),
        Script::new().respond("500 Internal Server Error", &[], "oops"),
        Script::new().ok("at last"),
    ];
    let backend = Backend::in_order(scripts).await;
    let retry = "retry = { attempts = 5, backoff = \"10ms\" }";
    let app = Raincheck::start(&Config::queued(&backend.url()).with(retry)).await;
    let ticket = ticket(&app.request("PUT", "/x").body("same").send().await);
    let done = app.finished(&ticket.id).await;
    assert_eq!(done["status"], "succeeded", "{done}");
    assert_eq!(
        (&done["attempt"], &done["attempts_max"]),
        (&4.into(), &5.into())
    );
    assert_eq!(done["executions"], 4);
    assert_eq!(app.result(&ticket.id).await.expect(200).text(), "at last");
    let attempts: Vec<_> = backend
        .requests_of(&ticket.id)
        .iter()
        .map(|s| s.attempt())
        .collect();
    assert_eq!(attempts, [Some(1), Some(2), Some(3), Some(4)]);
    assert!(
        backend
            .requests()
            .iter()
            .all(|seen| seen.body.text() == "same")
    );
}

#[tokio::test]
async fn a_post_is_not_sent_twice_unless_the_route_says_so() {
    let retry = "retry = { attempts = 3, backoff = \"10ms\" }";
    let unsafe_retry = "retry = { attempts = 3, backoff = \"10ms\", unsafe = true }";
    for (retry, script, status, requests) in [
        (
            retry,
            Script::new().respond("503 Service Unavailable", &[], "busy"),
            "succeeded",
            1,
        ),
        (retry, Script::new().close(), "failed", 1),
        (
            unsafe_retry,
            Script::new().respond("503 Service Unavailable", &[], ""),
            "failed",
            3,
        ),
        (unsafe_retry, Script::new().close(), "failed", 3),
    ] {
        let backend = Backend::always(script).await;
        let app = Raincheck::start(&Config::queued(&backend.url()).with(retry)).await;
        let id = app.submit("/x", "once").await.id;
        let done = app.finished(&id).await;
        assert_eq!(
            (&done["status"], &done["executions"]),
            (&status.into(), &requests.into())
        );
        assert_eq!(backend.count(), requests);
    }
}

#[tokio::test]
async fn a_backend_that_is_down_may_be_tried_again_with_any_method() {
    let down = raincheck_e2e::backend::Down::new();
    let retry = "retry = { attempts = 1000, backoff = \"20ms\", max_backoff = \"50ms\" }";
    let app = Raincheck::start(&Config::queued(&down.url()).with(retry)).await;
    let id = app.submit("/x", "once").await.id;
    raincheck_e2e::within("a second attempt", async {
        while app.status(&id).await["attempt"].as_u64() < Some(2) {}
    })
    .await;
    assert_eq!(app.status(&id).await["response"], serde_json::Value::Null);
    let backend = Backend::on(down.come_up(), |_| Script::new().ok("up"));
    let done = app.finished(&id).await;
    assert_eq!(
        (&done["status"], &done["executions"]),
        (&"succeeded".into(), &1.into())
    );
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn retry_after_of_the_backend_is_obeyed() {
    let busy = Script::new().respond("429 Too Many Requests", &["retry-after: 1"], "");
    let backend = Backend::in_order(vec![busy, Script::new().ok("ok")]).await;
    let retry = "retry = { attempts = 2, backoff = \"1ms\" }";
    let app = Raincheck::start(&Config::queued(&backend.url()).with(retry)).await;
    let ticket = ticket(&app.request("PUT", "/x").body("").send().await);
    assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
    let seen = backend.requests();
    let waited = seen[1].at.duration_since(seen[0].at);
    assert!(waited.as_millis() >= 990, "tried again after {waited:?}");
}

#[tokio::test]
async fn what_is_not_listed_is_an_answer() {
    for (on, status) in [
        ("\"429\"", "503 Service Unavailable"),
        ("\"5xx\"", "429 Too Many"),
    ] {
        let backend = Backend::always(Script::new().respond(status, &[], "final")).await;
        let retry = format!("retry = {{ attempts = 3, backoff = \"1ms\", on = [{on}] }}");
        let app = Raincheck::start(&Config::queued(&backend.url()).with(&retry)).await;
        let ticket = ticket(&app.request("PUT", "/x").body("").send().await);
        assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
        assert_eq!(backend.count(), 1);
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_its_last_answer_and_can_be_revived() {
    let down = Script::new().respond("503 Service Unavailable", &["x-why: full"], "try later");
    let scripts = vec![down.clone(), down, Script::new().ok("revived")];
    let backend = Backend::in_order(scripts).await;
    let retry = "retry = { attempts = 2, backoff = \"1ms\" }";
    let config = Config::queued(&backend.url())
        .with("name = \"mail\"")
        .with(retry);
    let app = Raincheck::start(&config).await;
    let ticket = ticket(&app.request("PUT", "/x").body("b").send().await);
    let dead = app.finished(&ticket.id).await;
    assert_eq!(dead["status"], "failed");
    assert_eq!(dead["error"]["code"], "retries-exhausted");
    assert_eq!(dead["response"]["status"], 503);
    let last = app.result(&ticket.id).await.expect(503);
    assert_eq!(
        (last.text().as_str(), last.header("x-why")),
        ("try later", Some("full".into()))
    );

    let list = app
        .admin("GET", "/jobs?status=failed&route=mail")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(list["jobs"][0]["job_id"], ticket.id.as_str());
    let path = format!("/jobs/{}/retry", ticket.id);
    let retried = app.request("POST", &path).send().await.expect(202);
    assert_eq!(retried.json()["job_id"], ticket.id.as_str());
    let done = app.finished(&ticket.id).await;
    assert_eq!(
        (&done["status"], &done["error"]),
        (&"succeeded".into(), &serde_json::Value::Null)
    );
    assert_eq!(app.result(&ticket.id).await.expect(200).text(), "revived");
    // What has succeeded is not run again.
    let again = app.request("POST", &path).send().await;
    expect::problem(&again, 409, "job-state-conflict");
    assert_eq!(backend.count(), 3);
}

#[tokio::test]
async fn a_deadline_ends_what_runs_and_what_waits() {
    let backend = Backend::silent().await;
    let config = Config::new()
        .limit("concurrency = 1")
        .route("/long/{*p}", &backend.url(), "async")
        .with("deadline = \"2s\"")
        .route("/short/{*p}", &backend.url(), "async")
        .with("deadline = \"200ms\"");
    let app = Raincheck::start(&config).await;
    let running = app.submit("/long/x", "").await.id;
    backend.wait_for(1).await;
    let waiting = app.submit("/short/x", "").await.id;
    let expired = app.finished(&waiting).await;
    assert_eq!(
        (&expired["status"], &expired["executions"]),
        (&"expired".into(), &0.into())
    );
    expect::problem(&app.result(&waiting).await, 410, "job-expired");

    let failed = app.finished(&running).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error"]["code"], "deadline-exceeded");
    expect::problem(&app.result(&running).await, 504, "deadline-exceeded");
    backend.wait_closed(0).await;
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_before_anything_is_stored() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::queued(&backend.url())
        .with(ONE_AT_A_TIME)
        .with("queue = 2");
    let app = Raincheck::start(&config).await;
    let mut ids = vec![app.submit("/x", "runs").await.id];
    backend.wait_for(1).await;
    for _ in 0..2 {
        ids.push(app.submit("/x", "waits").await.id);
    }
    let refused = app.post("/x", "one too many").await;
    expect::problem(&refused, 503, "queue-full");
    let seconds = refused.header("retry-after").must("Retry-After");
    assert!(
        seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1),
        "{seconds}"
    );
    let list = app.admin("GET", "/jobs").send().await.expect(200).json();
    assert_eq!(list["jobs"].as_array().must("jobs").len(), 3);
    answer.fire();
    for id in ids {
        assert_eq!(app.finished(&id).await["status"], "succeeded");
    }
    app.submit("/x", "room again").await;
}

#[tokio::test]
async fn cancelling_closes_the_exchange_and_empties_the_queue() {
    let backend = Backend::silent().await;
    let app = Raincheck::start(&Config::queued(&backend.url()).with(ONE_AT_A_TIME)).await;
    let running = app.submit("/x", "runs").await.id;
    backend.wait_for(1).await;
    let waiting = app.submit("/x", "waits").await.id;
    for id in [&waiting, &running] {
        let document = app.delete(id).await.expect(200).json();
        assert_eq!(document["status"], "cancelled", "{document}");
        let result = app.result(id).await;
        expect::problem(&result, 410, "job-cancelled");
    }
    backend.wait_closed(0).await;
    assert_eq!(app.status(&running).await["executions"], 1);
    assert_eq!(app.status(&waiting).await["executions"], 0);
    // The place is free for the next one, and the cancelled one never ran.
    let next = app.submit("/x", "next").await.id;
    backend.wait_for(2).await;
    assert_eq!(backend.requests()[1].job_id(), Some(next));
    let retried = app
        .request("POST", &format!("/jobs/{waiting}/retry"))
        .send()
        .await;
    assert_eq!(retried.expect(202).json()["status"], "queued");
}

#[tokio::test]
async fn a_finished_job_is_forgotten_on_request() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "a").await.id;
    app.finished(&id).await;
    app.delete(&id).await.expect(204);
    for path in [format!("/jobs/{id}"), format!("/jobs/{id}/result")] {
        expect::problem(&app.get(&path).await, 404, "job-not-found");
    }
    expect::problem(&app.delete(&id).await, 404, "job-not-found");
}

#[tokio::test]
async fn a_finished_job_is_kept_as_long_as_promised_and_no_longer() {
    let backend = Backend::echo().await;
    let config = Config::queued(&backend.url()).with("retention = \"1s\"");
    let app = Raincheck::start(&config).await;
    let id = app.submit("/x", "a").await.id;
    app.finished(&id).await;
    let path = format!("/jobs/{id}");
    raincheck_e2e::within("the job to be forgotten", async {
        while app.get(&path).await.status != 404 {}
    })
    .await;
}

#[tokio::test]
async fn a_large_request_is_stored_and_sent_whole() {
    let len = 20 << 20;
    let backend = Backend::always(Script::new().ok("")).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let upload = app
        .request("PUT", "/x")
        .body(raincheck_e2e::pattern::bytes(0, len));
    let ticket = ticket(&upload.send().await);
    assert_eq!(app.finished(&ticket.id).await["status"], "succeeded");
    let seen = backend.only();
    assert!(seen.body.check.intact());
    assert_eq!(seen.body.len(), len as u64);
}
