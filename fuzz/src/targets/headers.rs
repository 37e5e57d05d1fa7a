//! What a client may say in header fields: ranges, preferences, hosts. Whatever it says, what is
//! served lies within the body, and what is read is what a careful reader would read.

use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderValue, header};
use raincheck_core::hop;
use raincheck_core::prefer::Prefer;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    len: u64,
    range: &'a [u8],
    condition: Option<&'a [u8]>,
    prefer: Vec<&'a [u8]>,
    host: &'a [u8],
    connection: &'a [u8],
}

const TAG: &str = "\"a-1\"";

/// One of each.
pub(crate) fn run(bytes: &[u8]) {
    let mut unstructured = arbitrary::Unstructured::new(bytes);
    let Ok(input) = Input::arbitrary(&mut unstructured) else {
        return;
    };
    range(&input);
    prefer(&input);
    host(input.host);
    strip(input.connection);
}

fn value(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes).ok()
}

fn range(input: &Input<'_>) {
    let mut headers = HeaderMap::new();
    headers.extend(value(input.range).map(|value| (header::RANGE, value)));
    let condition = input.condition.and_then(value);
    headers.extend(condition.map(|value| (header::IF_RANGE, value)));
    let served = raincheck_api::fuzzing::range(&headers, input.len, TAG);
    if let Some((from, to)) = served {
        assert!(from <= to && to <= input.len, "{from}..{to}");
        assert!(from < to || input.len == 0, "nothing is served");
    }
    let other = headers
        .get(header::IF_RANGE)
        .is_some_and(|tag| tag.as_bytes() != TAG.as_bytes());
    if other {
        assert_eq!(served, Some((0, input.len)), "part of another answer");
    }
}

fn prefer(input: &Input<'_>) {
    let mut headers = HeaderMap::new();
    for value in input.prefer.iter().filter_map(|bytes| value(bytes)) {
        headers.append("prefer", value);
    }
    let found = Prefer::from_headers(&headers);
    let mut joined = HeaderMap::new();
    let values: Vec<_> = headers.get_all("prefer").iter().collect();
    // A quote that is not closed reaches to the end of its own field only.
    if values.iter().all(|value| !value.as_bytes().contains(&b'"')) {
        let list = values.iter().map(|value| value.as_bytes());
        let list = list.collect::<Vec<_>>().join(&b", "[..]);
        joined.extend(value(&list).map(|value| (header::HeaderName::from_static("prefer"), value)));
        assert_eq!(
            Prefer::from_headers(&joined),
            found,
            "fields and a list differ"
        );
    }
}

fn host(bytes: &[u8]) {
    if let Some((name, port)) = raincheck_gateway::fuzzing::host(bytes) {
        let again = match port {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        let found = raincheck_gateway::fuzzing::host(again.as_bytes());
        assert_eq!(found, Some((name, port)));
        let uri = format!("http://{again}/").parse::<http::Uri>();
        assert!(uri.is_ok(), "{again:?} is no host of a URL");
    }
}

fn strip(connection: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert("keep", HeaderValue::from_static("1"));
    headers.insert("keep-alive", HeaderValue::from_static("1"));
    headers.extend(value(connection).map(|value| (header::CONNECTION, value)));
    hop::strip(&mut headers);
    assert!(!headers.contains_key("connection") && !headers.contains_key("keep-alive"));
    hop::strip_trailers(&mut headers);
}
