//! Clients that ask too often are told so before anything is read or stored.

use raincheck_e2e::{Backend, Config, Raincheck, expect};

#[tokio::test]
async fn a_client_beyond_its_rate_gets_429_and_others_do_not() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url())
        .each("rate = \"2/h\"")
        .server("trusted_proxies = [\"127.0.0.0/8\"]");
    let app = Raincheck::start(&config).await;
    for mode in ["sync", "auto", "async"] {
        let from = |client: &'static str| {
            app.request("POST", &format!("/{mode}/x"))
                .header("x-forwarded-for", client)
                .body("x")
        };
        for _ in 0..2 {
            assert!(from("192.0.2.1").send().await.status < 300, "{mode}");
        }
        let before = backend.count();
        let refused = from("192.0.2.1").send().await;
        expect::problem(&refused, 429, "rate-limited");
        assert_eq!(
            refused.header("ratelimit-policy").as_deref(),
            Some("\"client\";q=2;w=3600")
        );
        let wait = refused.header("retry-after").unwrap_or_default();
        let wait: u64 = wait.parse().unwrap_or_default();
        assert!((1700..=1800).contains(&wait), "{wait}");
        // What was accepted as a job before may still be on its way.
        assert!(
            mode == "async" || backend.count() == before,
            "{mode}: it was sent"
        );
        assert!(from("192.0.2.2").send().await.status < 300, "{mode}");
    }
}

#[tokio::test]
async fn a_rate_over_all_routes_counts_them_together_and_a_reload_changes_that_of_a_route() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start(&config.clone().limit("client_rate = \"3/h\"")).await;
    app.get("/sync/x").await.expect(200);
    app.get("/auto/x").await.expect(200);
    app.get("/async/x").await.expect(202);
    expect::problem(&app.get("/sync/x").await, 429, "rate-limited");
    let app = Raincheck::start(&config).await;
    app.get("/sync/x").await.expect(200);
    app.home.configure(&config.each("rate = \"1/h\""));
    app.admin("POST", "/reload").send().await.expect(200);
    app.get("/sync/x").await.expect(200);
    expect::problem(&app.get("/sync/x").await, 429, "rate-limited");
}
