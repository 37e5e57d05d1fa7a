//! A route for tests, with the defaults of the config.

use raincheck_core::route::{Route, Scheme, Upstream};

/// A route with this name and pattern.
pub fn route(name: &str, pattern: &str) -> Route {
    let upstream = Upstream::new(Scheme::Http, "127.0.0.1", 9000);
    Route {
        idle_timeout: None,
        ..Route::new(name.parse().unwrap(), pattern.parse().unwrap(), upstream)
    }
}
