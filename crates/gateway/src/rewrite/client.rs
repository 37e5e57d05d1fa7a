//! Where the client is, by what trusted proxies say of it.
//!
//! The proxies between it and us each add themselves at the end of a list, so the list is read from
//! there: the first address that is not a trusted proxy's is the client's. A proxy may write
//! `Forwarded` (RFC 7239) or `X-Forwarded-For`, and may let the other through as the client made it
//! up: where both are there, the client is at both addresses, and has to be served at each.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a client is that came through a trusted proxy at `proxy`; none: nobody knows.
pub(crate) fn behind(
    headers: &HeaderMap,
    proxy: Option<IpAddr>,
    trusted: impl Fn(&IpAddr) -> bool,
) -> Vec<Option<IpAddr>> {
    let first = |list: Vec<Vec<u8>>| {
        let mut last = proxy;
        for element in list.iter().rev() {
            last = address(element);
            if last.is_none_or(|address| !trusted(&address)) {
                break;
            }
        }
        last
    };
    let common = headers
        .contains_key(FOR)
        .then(|| first(common_list(headers)));
    let standard = headers
        .contains_key(header::FORWARDED)
        .then(|| first(standard_list(headers, b"for")));
    match (common, standard) {
        (None, None) => vec![proxy],
        (one, other) => one.into_iter().chain(other).collect(),
    }
}

/// The scheme that a client used, by what its trusted proxy says; none: it does not say.
pub(crate) fn scheme(headers: &HeaderMap) -> Option<&'static str> {
    let common = headers.get(PROTO).map(|value| value.as_bytes().to_vec());
    let proto = common.or_else(|| standard_list(headers, b"proto").into_iter().next())?;
    ["http", "https"]
        .into_iter()
        .find(|scheme| proto.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// The elements of `X-Forwarded-For`.
fn common_list(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let values = headers.get_all(FOR).iter().map(HeaderValue::as_bytes);
    let elements = values.flat_map(|value| value.split(|byte| *byte == b','));
    elements
        .map(|element| element.trim_ascii().to_vec())
        .collect()
}

/// One parameter of each element of `Forwarded`, empty where an element does not have it.
fn standard_list(headers: &HeaderMap, name: &[u8]) -> Vec<Vec<u8>> {
    let values = headers.get_all(header::FORWARDED).iter();
    let elements = values.flat_map(|value| unquoted(value.as_bytes(), b','));
    let parameter = |element: Vec<u8>| {
        let pairs = unquoted(&element, b';');
        let found = pairs.into_iter().find_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (key, value) = pair.split_at(at);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let quoted = value
                .strip_prefix(b"\"")
                .and_then(|v| v.strip_suffix(b"\""));
            let ours = key.trim_ascii().eq_ignore_ascii_case(name);
            ours.then(|| quoted.unwrap_or(value).to_vec())
        });
        found.unwrap_or_default()
    };
    elements.map(parameter).collect()
}

/// Splits where the separator stands outside of quotes.
fn unquoted(list: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut quoted = false;
    let parts = list.split(|byte| {
        quoted ^= *byte == b'"';
        !quoted && *byte == separator
    });
    parts.map(<[u8]>::to_vec).collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn clients(list: &[(&'static str, &'static str)]) -> Vec<String> {
        let trusted = |ip: &IpAddr| ip.to_string().starts_with("10.");
        let found = behind(&fields(list), "10.0.0.1".parse().ok(), trusted);
        let text = |ip: Option<IpAddr>| ip.map_or_else(|| "?".to_owned(), |ip| ip.to_string());
        found.into_iter().map(text).collect()
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        assert_eq!(clients(&[]), ["10.0.0.1"]);
        assert_eq!(clients(&[("x-forwarded-for", "192.0.2.1")]), ["192.0.2.1"]);
        assert_eq!(
            clients(&[("x-forwarded-for", "10.9.9.9, 192.0.2.1, 10.0.0.2")]),
            ["192.0.2.1"]
        );
        assert_eq!(
            clients(&[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-for", "192.0.2.2:99")
            ]),
            ["192.0.2.2"]
        );
        assert_eq!(
            clients(&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]),
            ["10.0.0.3"]
        );
        assert_eq!(clients(&[("x-forwarded-for", "192.0.2.1, unknown")]), ["?"]);
        assert_eq!(clients(&[("x-forwarded-for", "")]), ["?"]);
        assert_eq!(
            clients(&[("x-forwarded-for", "::ffff:192.0.2.1")]),
            ["192.0.2.1"]
        );
        assert_eq!(
            clients(&[(
                "forwarded",
                "for=10.9.9.9, For=\"[2001:db8::1]:80\";proto=http, for=10.0.0.2"
            )]),
            ["2001:db8::1"]
        );
        assert_eq!(clients(&[("forwarded", "for=\"a,b\"")]), ["?"]);
        assert_eq!(clients(&[("forwarded", "proto=https")]), ["?"]);
    }

    #[test]
    fn two_stories_count_both() {
        let both = [
            ("forwarded", "for=10.9.9.9"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(clients(&both), ["192.0.2.1", "10.9.9.9"]);
    }

    #[test]
    fn the_scheme_is_the_one_the_proxy_names() {
        assert_eq!(
            scheme(&fields(&[("x-forwarded-proto", "HTTPS")])),
            Some("https")
        );
        let standard = [("forwarded", "for=x;proto=https;host=\"a;b\", proto=http")];
        assert_eq!(scheme(&fields(&standard)), Some("https"));
        assert_eq!(scheme(&fields(&[("x-forwarded-proto", "ws")])), None);
        assert_eq!(scheme(&HeaderMap::new()), None);
    }
}
