//! Which offers of another protocol count.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use raincheck_core::upgrade::{names, offered};

fn offer(connection: &[&str], upgrade: &[&str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for value in connection {
        headers.append(CONNECTION, HeaderValue::from_str(value).unwrap());
    }
    for value in upgrade {
        headers.append(UPGRADE, HeaderValue::from_str(value).unwrap());
    }
    offered(&headers).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn an_offer_is_one_of_this_hop() {
    let websocket = Some("websocket".to_owned());
    assert_eq!(offer(&["Upgrade"], &["websocket"]), websocket);
    assert_eq!(offer(&["keep-alive, upgrade"], &["websocket"]), websocket);
    assert_eq!(offer(&["keep-alive", "UPGRADE"], &["websocket"]), websocket);
    assert_eq!(offer(&[], &["websocket"]), None);
    assert_eq!(offer(&["keep-alive"], &["websocket"]), None);
    assert_eq!(offer(&["upgrades"], &["websocket"]), None);
    assert_eq!(offer(&["upgrade"], &[]), None);
    assert_eq!(offer(&["upgrade"], &["", " , "]), None);
}

#[test]
fn http_in_another_version_is_never_offered() {
    for http in [
        "h2c",
        "H2C",
        "h2",
        "h3",
        "HTTP/2.0",
        "HTTP/3",
        "TLS/1.0",
        "TLS/1.2, HTTP/1.1",
    ] {
        assert_eq!(offer(&["upgrade, http2-settings"], &[http]), None, "{http}");
    }
    assert_eq!(
        offer(&["upgrade"], &["h2c, WebSocket", "SPDY/3.1,"]),
        Some("WebSocket, SPDY/3.1".to_owned())
    );
}

#[test]
fn protocols_are_named_in_any_case_and_whole() {
    let offer = HeaderValue::from_static("WebSocket, SPDY/3.1");
    assert!(names(&offer, "websocket"));
    assert!(names(&offer, "SPDY/3.1"));
    assert!(!names(&offer, "web"));
    assert!(!names(&offer, "spdy"));
}
