//! Which route takes a request: the narrowest that matches, never two, never by chance.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "support/route.rs"]
mod support;

use http::Method;
use proptest::prelude::*;
use raincheck_core::route::{Pattern, PatternError, RouteTable, TableError};

use support::route;

/// A table whose routes are named by their patterns' places in the list.
fn table(patterns: &[&str]) -> RouteTable {
    let routes = patterns.iter().enumerate();
    let routes = routes.map(|(place, pattern)| route(&place.to_string(), pattern));
    RouteTable::new(routes.collect()).unwrap()
}

/// The place of the route that takes a request.
fn taken(table: &RouteTable, method: &str, host: &str, path: &str) -> Option<usize> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let found = table.find(&method, host, path)?;
    Some(found.name.as_str().parse().unwrap())
}

/// Asserts which of `patterns` takes each path, in whatever order they are written.
fn assert_taken(patterns: &[&str], cases: &[(&str, &str, &str, Option<usize>)]) {
    let forward = table(patterns);
    let mut backward: Vec<&str> = patterns.to_vec();
    backward.reverse();
    let backward = table(&backward);
    for (method, host, path, place) in cases {
        let context = format!("{method} {host}{path}");
        assert_eq!(taken(&forward, method, host, path), *place, "{context}");
        let mirrored = place.map(|place| patterns.len() - 1 - place);
        assert_eq!(taken(&backward, method, host, path), mirrored, "{context}");
    }
}

#[test]
fn exact_segments_come_before_placeholders_from_the_left() {
    let patterns = [
        "/{*all}",
        "/a/{*rest}",
        "/a/{x}",
        "/a/b",
        "/{x}/b",
        "/a/{x}/c",
        "/a/b/{*rest}",
        "/",
    ];
    assert_taken(
        &patterns,
        &[
            ("GET", "h", "/", Some(7)),
            ("GET", "h", "/z", Some(0)),
            ("GET", "h", "/z/b", Some(4)),
            ("GET", "h", "/z/b/", Some(0)),
            ("GET", "h", "/a/b", Some(3)),
            ("GET", "h", "/a/x", Some(2)),
            ("GET", "h", "/a/x/c", Some(5)),
            ("GET", "h", "/a/b/c", Some(6)),
            ("GET", "h", "/a/x/d", Some(1)),
            ("GET", "h", "/a/x/c/d", Some(1)),
            ("GET", "h", "*", None),
            ("GET", "h", "", None),
        ],
    );
}

#[test]
fn segments_are_matched_as_they_are_written() {
    assert_taken(
        &["/a/{x}", "/A", "/a%2Fb", "/a/"],
        &[
            ("GET", "h", "/a/x", Some(0)),
            ("GET", "h", "/a/x%2Fy", Some(0)),
            ("GET", "h", "/a/x/", None),
            ("GET", "h", "/a", None),
            ("GET", "h", "/A", Some(1)),
            ("GET", "h", "/a%2Fb", Some(2)),
            ("GET", "h", "/a%2fb", None),
            ("GET", "h", "/a/", Some(3)),
            ("GET", "h", "//a/x", None),
        ],
    );
}

#[test]
fn the_rest_of_a_path_may_be_empty_or_deep() {
    let one = ["/files/{*path}"];
    assert_taken(
        &one,
        &[
            ("GET", "h", "/files", Some(0)),
            ("GET", "h", "/files/", Some(0)),
            ("GET", "h", "/files/a//b/../c", Some(0)),
            ("GET", "h", "/filesystem", None),
        ],
    );
}

#[test]
fn a_route_with_methods_comes_before_one_for_all() {
    assert_taken(
        &["/a", "POST /a", "GET,PUT /a", "PURGE /{*all}"],
        &[
            ("POST", "h", "/a", Some(1)),
            ("GET", "h", "/a", Some(2)),
            ("PUT", "h", "/a", Some(2)),
            ("DELETE", "h", "/a", Some(0)),
            ("PURGE", "h", "/a", Some(0)),
            ("PURGE", "h", "/b", Some(3)),
            ("GET", "h", "/b", None),
        ],
    );
}

#[test]
fn a_route_of_a_host_comes_before_one_of_none() {
    assert_taken(
        &[
            "/a",
            "example.com/{*all}",
            "GET API.example.com/a",
            "[::1]/a",
        ],
        &[
            ("GET", "example.com", "/a", Some(1)),
            ("GET", "api.example.com", "/a", Some(2)),
            ("POST", "api.example.com", "/a", Some(0)),
            ("GET", "[::1]", "/a", Some(3)),
            ("GET", "www.example.com", "/a", Some(0)),
            ("GET", "", "/a", Some(0)),
        ],
    );
}

#[test]
fn two_routes_for_the_same_requests_are_a_mistake() {
    let errors = |patterns: &[&str]| {
        let routes = patterns.iter().enumerate();
        let routes = routes.map(|(place, pattern)| route(&place.to_string(), pattern));
        RouteTable::new(routes.collect())
            .err()
            .unwrap_or_default()
            .len()
    };
    assert_eq!(errors(&["/a", "/a"]), 1);
    assert_eq!(errors(&["/a/{x}", "/a/{y}"]), 1, "names do not tell apart");
    assert_eq!(errors(&["/{*x}", "/{*y}"]), 1);
    assert_eq!(errors(&["GET,PUT /a", "PUT,POST /a"]), 1);
    assert_eq!(errors(&["h.example/a", "H.EXAMPLE/a"]), 1);
    assert_eq!(errors(&["/a", "/a", "/a"]), 3, "each pair is named");
    assert_eq!(
        errors(&["GET /a", "/a", "POST /a", "h/a", "/a/", "/{x}"]),
        0
    );
}

#[test]
fn all_mistakes_of_a_table_are_told() {
    let routes = vec![route("x", "/a"), route("x", "/b"), route("y", "/a")];
    let errors = RouteTable::new(routes).unwrap_err();
    let (name, pattern) = (
        TableError::SameName {
            name: "x".parse().unwrap(),
            first: 0,
            second: 1,
        },
        TableError::SamePattern {
            name: "x".parse().unwrap(),
            first: 0,
            second: 2,
        },
    );
    assert_eq!(errors, [name, pattern]);
}

#[test]
fn what_is_not_a_pattern_is_told_apart() {
    let error = |text: &str| text.parse::<Pattern>().unwrap_err();
    let placeholder = |text: &str| PatternError::Placeholder(text.to_owned());
    assert_eq!(error(""), PatternError::NoPath);
    assert_eq!(error("GET"), PatternError::NoPath);
    assert_eq!(error("example.com"), PatternError::NoPath);
    assert_eq!(error("get /a"), PatternError::Method("get".to_owned()));
    assert_eq!(error("GET, PUT /a"), PatternError::Method(String::new()));
    assert_eq!(error("/{*rest}/a"), PatternError::RestNotLast);
    assert_eq!(error("/a{x}"), placeholder("a{x}"));
    assert_eq!(error("/{}"), placeholder("{}"));
    assert_eq!(error("/{*}"), placeholder("{*}"));
    assert_eq!(error("/{a-b}"), placeholder("{a-b}"));
    for host in [
        "exa mple.com",
        "h:8080",
        "[::1]:80",
        "[::g]",
        "a@b",
        "*.example.com",
    ] {
        let text = format!("GET {host}/a");
        assert_eq!(error(&text), PatternError::Host(host.to_owned()), "{text}");
    }
}

#[test]
fn a_pattern_is_shown_as_it_was_written() {
    for text in ["GET,POST example.com/a/{x}/{*rest}", "/{*path}", "/"] {
        assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
    }
    assert_eq!(Pattern::everything().to_string(), "/{*path}");
    assert_eq!(Ok(Pattern::everything()), "/{*path}".parse());
}

#[test]
fn routes_are_found_by_name() {
    let table = table(&["/a", "/b"]);
    let found = table.named(&"1".parse().unwrap()).unwrap();
    assert_eq!(found.pattern.to_string(), "/b");
    assert!(table.named(&"2".parse().unwrap()).is_none());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[A-Z, ]{0,5}[a-z\\[\\]:.]{0,4}[/a-z{}*]{0,12}") {
        if let Ok(pattern) = text.parse::<Pattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn the_order_of_writing_does_not_matter(
        seed in proptest::collection::vec("(GET |POST )?(h)?(/([ab]|\\{x\\})){1,3}(/\\{\\*r\\})?", 1..12),
        path in "(/[abc]){1,4}",
        post: bool,
        host in "[hi]",
    ) {
        let mut patterns: Vec<&str> = Vec::new();
        for pattern in &seed {
            let mut more = patterns.clone();
            more.push(pattern);
            let routes = more.iter().enumerate();
            let routes = routes.map(|(place, pattern)| route(&place.to_string(), pattern));
            if RouteTable::new(routes.collect()).is_ok() {
                patterns = more;
            }
        }
        let method = if post { "POST" } else { "GET" };
        let forward = taken(&table(&patterns), method, &host, &path);
        let mut mirrored = patterns.clone();
        mirrored.reverse();
        let backward = taken(&table(&mirrored), method, &host, &path);
        let backward = backward.map(|place| patterns.len() - 1 - place);
        prop_assert_eq!(forward, backward);
    }
}
