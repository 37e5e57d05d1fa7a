//! Patterns and paths: what a table finds matches, and nothing that matches is narrower.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use http::Method;
use raincheck_config::{Overrides, load};
use raincheck_core::route::{Pattern, Route, RouteTable};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    patterns: Vec<&'a str>,
    method: &'a str,
    host: &'a str,
    path: &'a str,
}

/// A route with the defaults of the config.
static DEFAULT: LazyLock<Route> = LazyLock::new(|| {
    let overrides = Overrides {
        upstream: Some("http://127.0.0.1:9000".to_owned()),
        ..Overrides::default()
    };
    let plan = load(None, [], &overrides).ok();
    plan.and_then(|plan| plan.routes.into_iter().next())
        .unwrap()
});

fn route(number: usize, pattern: &Pattern) -> Route {
    Route {
        name: format!("r{number}").parse().unwrap(),
        pattern: pattern.clone(),
        ..DEFAULT.clone()
    }
}

/// Routes, and one request.
pub(crate) fn run(bytes: &[u8]) {
    let mut unstructured = arbitrary::Unstructured::new(bytes);
    let Ok(input) = Input::arbitrary(&mut unstructured) else {
        return;
    };
    let patterns: Vec<Pattern> = input
        .patterns
        .iter()
        .take(16)
        .filter_map(|text| text.parse().ok())
        .collect();
    for pattern in &patterns {
        let again: Pattern = pattern.to_string().parse().unwrap();
        assert_eq!(&again, pattern, "a pattern is not what it is printed as");
    }
    let routes = patterns
        .iter()
        .enumerate()
        .map(|(number, pattern)| route(number, pattern));
    let Ok(table) = RouteTable::new(routes.collect()) else {
        return;
    };
    let method = Method::from_bytes(input.method.as_bytes()).unwrap_or(Method::GET);
    let matching = |pattern: &Pattern| pattern.matches(&method, input.host, input.path);
    match table.find(&method, input.host, input.path) {
        None => assert!(!patterns.iter().any(matching), "a route was missed"),
        Some(found) => {
            assert!(matching(&found.pattern), "a route that does not match");
            let first = table.iter().find(|route| matching(&route.pattern));
            assert_eq!(first.map(|route| &route.name), Some(&found.name));
        }
    }
}
