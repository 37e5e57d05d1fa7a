//! The status of a job as its client sees it: two paths, long polls, validators, links, and which
//! paths belong to the job API at all.

use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect, ticket};
use serde_json::Value;

/// A gateway whose jobs wait for the event.
async fn slow(answer: &Event) -> (Backend, Raincheck) {
    let backend = Backend::slow(answer).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    (backend, app)
}

#[tokio::test]
async fn both_status_paths_show_the_same_document() {
    let answer = Event::new("answer");
    let (backend, app) = slow(&answer).await;
    let id = app.submit("/x", "a").await.id;
    backend.wait_for(1).await;
    let plain = app.get(&format!("/jobs/{id}")).await.expect(200);
    let named = app.get(&format!("/jobs/{id}/status")).await.expect(200);
    assert_eq!(plain.json(), named.json());
    assert_eq!(plain.header("etag"), named.header("etag"));
    assert!(plain.head.has("etag") && plain.head.has("retry-after"));
    assert_eq!(
        plain.header("content-type").as_deref(),
        Some("application/json")
    );
    let cache = plain.header("cache-control").must("cache-control");
    assert!(
        cache.contains("no-store") || cache.contains("no-cache"),
        "{cache}"
    );

    let document = plain.json();
    let keys = [
        "job_id",
        "status",
        "route",
        "attempt",
        "attempts_max",
        "executions",
        "created_at",
        "started_at",
        "finished_at",
        "expires_at",
        "response",
        "error",
        "links",
    ];
    for key in keys {
        assert!(document.get(key).is_some(), "{key} is missing: {document}");
    }
    assert_eq!(document["links"]["self"], format!("/jobs/{id}"));
    assert_eq!(document["links"]["result"], format!("/jobs/{id}/result"));

    let head = app
        .request("HEAD", &format!("/jobs/{id}"))
        .send()
        .await
        .expect(200);
    assert_eq!(head.header("etag"), plain.header("etag"));
    answer.fire();
    app.finished(&id).await;
    let done = app.get(&format!("/jobs/{id}")).await.expect(200);
    assert!(!done.head.has("retry-after"), "nothing more is to come");
    assert_ne!(done.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn an_unchanged_status_is_not_sent_again() {
    let answer = Event::new("answer");
    let (backend, app) = slow(&answer).await;
    let id = app.submit("/x", "a").await.id;
    backend.wait_for(1).await;
    let path = format!("/jobs/{id}");
    let tag = app
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .must("an etag");
    let conditional = app.request("GET", &path).header("if-none-match", &tag);
    assert_eq!(
        conditional.send().await.expect(304).header("etag"),
        Some(tag)
    );
    answer.fire();
    app.finished(&id).await;
    assert_eq!(
        conditional.send().await.expect(200).json()["status"],
        "succeeded"
    );
}

#[tokio::test]
async fn a_long_poll_ends_with_the_change() {
    let answer = Event::new("answer");
    let (backend, app) = slow(&answer).await;
    let id = app.submit("/x", "a").await.id;
    backend.wait_for(1).await;
    let path = format!("/jobs/{id}/status");
    let mut polls = Vec::new();
    for _ in 0..10 {
        polls.push(app.request("GET", &path).prefer("wait=60").begin().await);
    }
    // Another connection's whole exchange later, none of them has been answered.
    assert_eq!(app.status(&id).await["status"], "processing");
    answer.fire();
    for mut poll in polls {
        let response = poll.response().await.expect(200);
        assert_eq!(response.json()["status"], "succeeded");
    }
    // Nothing more can change, so nobody waits.
    let done = app
        .request("GET", &path)
        .prefer("wait=3600")
        .send()
        .await
        .expect(200);
    assert_eq!(done.json()["status"], "succeeded");
}

#[tokio::test]
async fn a_long_poll_ends_with_its_time() {
    let never = Event::new("never");
    let (backend, app) = slow(&never).await;
    let id = app.submit("/x", "a").await.id;
    backend.wait_for(1).await;
    for prefer in ["wait=1", "wait=0", "wait=x", "respond-async"] {
        let path = format!("/jobs/{id}");
        let response = app
            .request("GET", &path)
            .prefer(prefer)
            .send()
            .await
            .expect(200);
        assert_eq!(response.json()["status"], "processing", "{prefer}");
        assert!(response.head.has("retry-after"));
    }
}

#[tokio::test]
async fn a_json_result_is_in_the_document_and_others_are_not() {
    let large = format!("{{\"pad\":\"{}\"}}", "a".repeat(70 << 10));
    let scripts = vec![
        Script::new().json("{\"answer\": 42}"),
        Script::new().respond("200 OK", &["content-type: application/vnd.x+json"], "[1]"),
        Script::new().ok("42"),
        Script::new().json(&large),
        Script::new().json("{not json"),
    ];
    let backend = Backend::in_order(scripts).await;
    let config = Config::queued(&backend.url()).with("concurrency = 1");
    let app = Raincheck::start(&config).await;
    let expected = [
        serde_json::json!({"answer": 42}),
        serde_json::json!([1]),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    for result in expected {
        let id = app.submit("/x", "").await.id;
        let document = app.finished(&id).await;
        assert_eq!(document["result"], result, "{document}");
    }
}

#[tokio::test]
async fn an_unknown_job_is_a_404_whatever_is_asked() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/result"),
        ("DELETE", ""),
        ("POST", "/retry"),
    ] {
        let response = app
            .request(method, &format!("/jobs/{id}{rest}"))
            .send()
            .await;
        expect::problem(&response, 404, "job-not-found");
    }
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn other_methods_are_named_as_not_allowed() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    for (method, rest, allowed) in [
        ("PUT", "", "GET"),
        ("POST", "/result", "GET"),
        ("GET", "/retry", "POST"),
    ] {
        let response = app
            .request(method, &format!("/jobs/{id}{rest}"))
            .send()
            .await;
        expect::problem(&response, 405, "method-not-allowed");
        let allow = response.head.list("allow");
        assert!(allow.contains(&allowed.to_owned()), "{allow:?}");
    }
}

#[tokio::test]
async fn paths_without_a_job_id_belong_to_the_routes() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let paths = [
        "/jobs",
        "/jobs/",
        "/jobs/42",
        "/jobs/42/result",
        "/jobs/01997f6c7f3a7cc08a6e0d6f1e5b2a10",
        "/jobs/01997f6c-7f3a-4cc0-8a6e-0d6f1e5b2a10",
        "/jobs/{01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a1",
        "/jobsX/01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10",
        "/v1/jobs/01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10",
        "/jobs/01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10x",
    ];
    for (index, path) in paths.iter().enumerate() {
        let echo = app.get(path).await.expect(200).json();
        assert_eq!(echo["target"], *path);
        assert_eq!(backend.count(), index + 1);
    }
}

#[tokio::test]
async fn whatever_follows_a_job_id_stays_with_the_gateway() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    for end in ["/", "/nonsense", "/result/", "/result/more", "//result"] {
        for id in [id.clone(), id.to_uppercase()] {
            let path = format!("/jobs/{id}{end}");
            let problem = expect::problem(&app.get(&path).await, 404, "route-not-found");
            let detail = problem["detail"].as_str().must("a detail");
            assert!(detail.contains(&path), "{detail}");
        }
    }
    // An id in upper case is the same id, and its document and links are as ever.
    let upper = app.get(&format!("/jobs/{}", id.to_uppercase())).await;
    assert_eq!(upper.expect(200).json(), app.status(&id).await);
    let result = app.result(&id.to_uppercase()).await.expect(200);
    assert_eq!(result.json()["target"], "/x");
    assert_eq!(backend.count(), 1, "none of these is the backend's");
}

#[tokio::test]
async fn the_job_api_can_be_moved() {
    let backend = Backend::echo().await;
    let config = Config::queued(&backend.url())
        .server("jobs_path = \"/_gateway/tickets\"")
        .server("public_url = \"https://api.example.com\"");
    let app = Raincheck::start(&config).await;
    let response = app.post("/x", "").await.expect(202);
    let document = response.json();
    let id = document["job_id"].as_str().must("job_id").to_owned();
    let path = format!("/_gateway/tickets/{id}");
    let url = format!("https://api.example.com{path}");
    assert_eq!(response.header("location"), Some(url.clone()));
    assert!(
        response
            .header("link")
            .must("link")
            .contains(&format!("<{url}>"))
    );
    assert_eq!(document["links"]["result"], format!("{url}/result"));
    let result = app.get(&format!("{path}/result?wait=15")).await.expect(200);
    assert_eq!(result.json()["target"], "/x");
    // The old place is an ordinary path now.
    let _ = app.get(&format!("/jobs/{id}")).await.expect(202);
}

#[tokio::test]
async fn the_reserved_prefix_never_reaches_a_backend() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    for path in ["/_raincheck/", "/_raincheck/nothing"] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let problem = app.get("/jobs/01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10").await;
    let page = problem.json()["type"].as_str().must("type").to_owned();
    let page = app.get(&page).await.expect(200);
    assert!(
        page.header("content-type")
            .must("a type")
            .starts_with("text/")
    );
    assert_eq!(backend.count(), 0);
}

#[tokio::test]
async fn a_problem_about_a_job_names_it() {
    let backend = Backend::always(Script::new().close()).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let ticket = ticket(&app.post("/x", "").await);
    app.finished(&ticket.id).await;
    let document = expect::problem(&app.result(&ticket.id).await, 502, "upstream-broken");
    assert_eq!(document["instance"], format!("/jobs/{}", ticket.id));
}

#[tokio::test]
async fn jobs_of_one_listener_are_seen_on_the_other() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    let public = app.status(&id).await;
    let admin = app
        .admin("GET", &format!("/jobs/{id}"))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(public, admin);
    let result = app
        .admin("GET", &format!("/jobs/{id}/result"))
        .send()
        .await
        .expect(200);
    assert_eq!(result.json()["target"], "/x");
    // The admin listener serves no route.
    assert_eq!(app.admin("GET", "/x").send().await.status, 404);
    assert_eq!(backend.count(), 1);
}
