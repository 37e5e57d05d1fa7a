//! A route for tests, with the defaults of the config.

use std::time::Duration;

use raincheck_core::route::{HoldUntil, Mode, OnDisconnect, RetryPolicy, Route, Scheme, Upstream};

/// A route with this name and pattern.
pub fn route(name: &str, pattern: &str) -> Route {
    Route {
        name: name.parse().unwrap(),
        pattern: pattern.parse().unwrap(),
        upstream: Upstream {
            scheme: Scheme::Http,
            host: "127.0.0.1".to_owned(),
            port: 9000,
        },
        mode: Mode::Auto,
        hold: Duration::from_secs(25),
        hold_until: HoldUntil::Head,
        timeout: Some(Duration::from_secs(900)),
        connect_timeout: Duration::from_secs(5),
        idle_timeout: None,
        deadline: None,
        on_disconnect: OnDisconnect::Cancel,
        retry: RetryPolicy::default(),
        concurrency: 256,
        queue: 100_000,
        retention: Duration::from_secs(86_400),
        max_request: 1 << 30,
        max_response: None,
    }
}
