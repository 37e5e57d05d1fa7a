//! More requests than may be in flight are shed before any work is done on them; the job API and
//! the operators' listener go on.

use raincheck_e2e::process::Home;
use raincheck_e2e::{Backend, Client, Config, Event, Must, Raincheck, expect, ticket};
use tokio::net::TcpStream;

/// The value of a metric without labels.
async fn metric(app: &Raincheck, name: &str) -> u64 {
    let text = app.admin("GET", "/metrics").send().await.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.must(name).parse().must(name)
}

#[tokio::test]
async fn what_is_beyond_the_bound_is_shed_before_its_body_is_read() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::all_modes(&backend.url()).limit("requests = 2");
    let app = Raincheck::start(&config).await;
    let mut relayed = app.request("GET", "/sync/x").begin().await;
    // A held request counts as long as its client waits.
    let mut held = app.request("GET", "/auto/x").begin().await;
    backend.wait_for(2).await;
    assert_eq!(metric(&app, "raincheck_requests_in_flight").await, 2);
    for mode in ["sync", "auto", "async"] {
        let mut client = app.client().await;
        let head = "host: x\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
        client
            .send(format!("POST /{mode}/x HTTP/1.1\r\n{head}"))
            .await;
        let refused = client.response().await;
        assert!(refused.informational.is_empty());
        expect::problem(&refused, 503, "overloaded");
        assert_eq!(refused.header("retry-after").as_deref(), Some("2"));
        // Without a body the connection goes on.
        let mut client = app.client().await;
        for _ in 0..2 {
            let request = format!("GET /{mode}/x HTTP/1.1\r\nhost: x\r\n\r\n");
            expect::problem(&client.exchange(request).await, 503, "overloaded");
        }
    }
    assert_eq!(backend.count(), 2);
    assert_eq!(metric(&app, "raincheck_requests_shed_total").await, 9);
    app.admin("GET", "/health/ready").send().await.expect(200);
    answer.fire();
    relayed.response().await.expect(200);
    held.response().await.expect(200);
    app.get("/sync/y").await.expect(200);
}

#[tokio::test]
async fn a_job_with_its_ticket_is_no_request_in_flight_and_its_client_is_never_shed() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::all_modes(&backend.url())
        .each("hold = \"100ms\"")
        .limit("requests = 1");
    let app = Raincheck::start(&config).await;
    let jobs = [
        ticket(&app.get("/auto/x").await),
        ticket(&app.get("/auto/x").await),
    ];
    let mut relayed = app.request("GET", "/sync/x").begin().await;
    backend.wait_for(3).await;
    expect::problem(&app.get("/sync/x").await, 503, "overloaded");
    for job in &jobs {
        assert_eq!(app.status(&job.id).await["status"], "processing");
    }
    // Whoever waits for a job takes no place either.
    let wait = format!("/jobs/{}", jobs[0].id);
    let mut waiting = app.request("GET", &wait).prefer("wait=20").begin().await;
    app.status(&jobs[1].id).await;
    assert_eq!(metric(&app, "raincheck_requests_in_flight").await, 1);
    answer.fire();
    relayed.response().await.expect(200);
    assert_eq!(waiting.response().await.json()["status"], "succeeded");
    app.counted("raincheck_requests_in_flight 0").await;
}

#[tokio::test]
async fn connections_of_one_client_are_bounded_and_operators_are_not() {
    let backend = Backend::echo().await;
    let config = Config::sync(&backend.url()).server("max_connections_per_client = 2");
    let app = Raincheck::start(&config).await;
    let (mut one, mut two) = (app.client().await, app.client().await);
    let request = "GET /x HTTP/1.1\r\nhost: x\r\n\r\n";
    one.exchange(request).await.expect(200);
    two.exchange(request).await.expect(200);
    // The reset may come before the client knows that it is connected.
    if let Ok(stream) = TcpStream::connect(app.addr()).await {
        Client::over(stream).expect_closed().await;
    }
    let metrics = app.admin("GET", "/metrics").send().await.text();
    let refused = format!(
        "raincheck_connections_refused_total{{listener=\"{}\",reason=\"per_client\"}} 1\n",
        "127.0.0.1:0"
    );
    assert!(metrics.contains(&refused), "{metrics}");
    one.exchange(request).await.expect(200);
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_to_what_is_allowed() {
    let backend = Backend::echo().await;
    let home = Home::new(&Config::sync(&backend.url()));
    let few = ["prlimit", "--nofile=64:4096"];
    let app = Raincheck::start_under(home, &few).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", app.child.pid()));
    let limits = limits.must("the limits of the process");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files: Vec<&str> = files.must("open files").split_whitespace().collect();
    assert_eq!(files[3..5], ["4096", "4096"]);
}
