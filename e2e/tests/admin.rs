//! The operators' listener: every job with filters and a cursor, health, metrics.

use std::collections::HashSet;

use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect};
use serde_json::Value;

async fn list(app: &Raincheck, query: &str) -> Value {
    app.admin("GET", &format!("/jobs{query}"))
        .send()
        .await
        .expect(200)
        .json()
}

fn ids(list: &Value) -> Vec<String> {
    let jobs = list["jobs"].as_array().must("jobs");
    jobs.iter()
        .map(|job| job["job_id"].as_str().must("job_id").to_owned())
        .collect()
}

#[tokio::test]
async fn the_list_is_filtered_by_status_and_route() {
    let answer = Event::new("answer");
    let slow = Script::new().wait(&answer).ok("done");
    let backend = Backend::start(move |seen| match seen.path() {
        "/slow/x" => slow.clone(),
        "/bad/x" => Script::new().close(),
        _ => Script::new().ok("done"),
    })
    .await;
    let mut config = Config::new();
    for name in ["slow", "bad", "good"] {
        config = config
            .route(&format!("/{name}/{{*p}}"), &backend.url(), "async")
            .with(&format!("name = {name:?}"))
            .with("concurrency = 1");
    }
    let app = Raincheck::start(&config).await;
    let running = app.submit("/slow/x", "").await.id;
    raincheck_e2e::within(
        "the slow job to run",
        app.wait_status(&running, &["processing"]),
    )
    .await;
    let queued = app.submit("/slow/x", "").await.id;
    let bad = app.submit("/bad/x", "").await.id;
    let good = app.submit("/good/x", "").await.id;
    app.finished(&bad).await;
    app.finished(&good).await;

    assert_eq!(
        ids(&list(&app, "?status=processing").await),
        [running.as_str()]
    );
    assert_eq!(ids(&list(&app, "?status=queued").await), [queued.as_str()]);
    assert_eq!(ids(&list(&app, "?status=failed").await), [bad.as_str()]);
    assert_eq!(
        ids(&list(&app, "?status=succeeded&route=good").await),
        [good.as_str()]
    );
    assert_eq!(
        ids(&list(&app, "?route=slow").await),
        [queued.as_str(), running.as_str()]
    );
    assert!(ids(&list(&app, "?status=cancelled").await).is_empty());
    assert!(ids(&list(&app, "?route=none").await).is_empty());
    assert_eq!(ids(&list(&app, "").await), [good, bad, queued, running]);
    for wrong in [
        "?status=sleeping",
        "?limit=x",
        "?limit=0",
        "?cursor=x",
        "?statos=queued",
    ] {
        let response = app.admin("GET", &format!("/jobs{wrong}")).send().await;
        expect::problem(&response, 400, "invalid-parameter");
    }
}

#[tokio::test]
async fn the_cursor_walks_all_jobs_once() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let mut submitted = HashSet::new();
    for _ in 0..25 {
        submitted.insert(app.submit("/x", "").await.id);
    }
    let (mut seen, mut query, mut pages) = (Vec::new(), "?limit=10".to_owned(), 0);
    loop {
        let page = list(&app, &query).await;
        seen.extend(ids(&page));
        pages += 1;
        // New jobs do not disturb a walk that has begun.
        app.submit("/x", "").await;
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=10&before={next}");
    }
    assert_eq!(seen.len(), 25, "{pages} pages");
    assert_eq!(seen.iter().cloned().collect::<HashSet<_>>(), submitted);
}

#[tokio::test]
async fn operators_cancel_and_retry() {
    let backend = Backend::silent().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    backend.wait_for(1).await;
    let path = format!("/jobs/{id}");
    let cancelled = app.admin("DELETE", &path).send().await.expect(200).json();
    assert_eq!(cancelled["status"], "cancelled");
    app.admin("POST", &format!("{path}/retry"))
        .send()
        .await
        .expect(202);
    backend.wait_for(2).await;
    assert_eq!(app.status(&id).await["status"], "processing");
}

#[tokio::test]
async fn health_says_live_and_ready() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    for path in ["/health/live", "/health/ready"] {
        app.admin("GET", path).send().await.expect(200);
        app.admin("HEAD", path).send().await.expect(200);
    }
    // On the public listener these are ordinary paths.
    app.get("/health/live").await.expect(200);
    assert_eq!(backend.count(), 1);
}

/// The value of the first sample whose name and labels start like this.
fn sample(text: &str, start: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    app.get("/sync/x").await.expect(200);
    let id = app.submit("/async/x", "").await.id;
    app.finished(&id).await;
    let response = app.admin("GET", "/metrics").send().await.expect(200);
    let kind = response.header("content-type").must("a type");
    assert!(
        kind.starts_with("text/plain") || kind.starts_with("application/openmetrics"),
        "{kind}"
    );
    let text = response.text();
    let described: HashSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    assert!(described.len() >= 5, "{text}");
    assert!(
        described.iter().all(|name| name.starts_with("raincheck_")),
        "{described:?}"
    );
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().must("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(sample(&text, "raincheck_").is_some());
    assert!(
        text.contains("route=\"sync\"") && text.contains("route=\"async\""),
        "{text}"
    );
    assert!(!text.contains(&id), "a job id is no label");
}
