//! What must hold for the head of any request, whichever version of HTTP brought it.
//!
//! On HTTP/1 the guard has refused most of this already, below hyper; here it is said once more at
//! the level of `http`, where HTTP/2 arrives too.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, TE};
use http::request::Parts;
use http::{Method, Version};
use raincheck_core::problem::{Problem, ProblemCode};

use crate::host::Host;

/// Checks a request's head. Returns the host it is for, in lower case and without a port; empty
/// for an HTTP/1.0 request without one.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn check_head(parts: &Parts) -> Result<Cow<'_, str>, Problem> {
    if parts.method == Method::CONNECT {
        return Err(unsupported("this gateway opens no tunnels"));
    }
    check_target(parts)?;
    if parts.version == Version::HTTP_2 {
        check_http2(parts)?;
    }
    host(parts)
}

/// Whether this is the answer to a request that breaks a rule. On HTTP/1 the guard has said so.
pub(crate) fn refuses(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::MalformedRequest
            | ProblemCode::TargetTooLong
            | ProblemCode::HeadersTooLarge
            | ProblemCode::UpgradeNotSupported
    )
}

fn check_target(parts: &Parts) -> Result<(), Problem> {
    if let Some(scheme) = parts.uri.scheme_str()
        && !matches!(scheme, "http" | "https")
    {
        return Err(malformed("the target's scheme is neither http nor https"));
    }
    match parts.uri.path() {
        path if path.starts_with('/') => Ok(()),
        "*" if parts.method == Method::OPTIONS => Ok(()),
        _ => Err(malformed("the target is not a path")),
    }
}

fn check_http2(parts: &Parts) -> Result<(), Problem> {
    let headers = &parts.headers;
    if headers.get_all(TE).iter().any(|value| value != "trailers") {
        return Err(malformed("HTTP/2 allows no TE but `trailers`"));
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(malformed("more than one Content-Length"));
    }
    Ok(())
}

/// The one host that the authority and the `Host` field agree on.
fn host(parts: &Parts) -> Result<Cow<'_, str>, Problem> {
    let authority = match parts.uri.authority() {
        Some(authority) => Some(parse(authority.as_str().as_bytes())?),
        None => None,
    };
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = match fields.next() {
        Some(value) => Some(parse(value.as_bytes())?),
        None => None,
    };
    if fields.next().is_some() {
        return Err(malformed("more than one Host"));
    }
    if let (Some(authority), Some(field)) = (&authority, &field)
        && !authority.agrees_with(field, default_port(parts.uri.scheme_str()))
    {
        return Err(malformed(
            "the target and the Host field name different hosts",
        ));
    }
    match field.or(authority) {
        Some(host) if host.name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Ok(host.name.to_ascii_lowercase().into())
        }
        Some(host) => Ok(host.name.into()),
        None if parts.version < Version::HTTP_11 => Ok("".into()),
        None => Err(malformed("no Host")),
    }
}

fn parse(bytes: &[u8]) -> Result<Host<'_>, Problem> {
    Host::parse(bytes).ok_or_else(|| malformed("the host is not a valid one"))
}

/// The port that a scheme means when none is written.
pub(crate) fn default_port(scheme: Option<&str>) -> u16 {
    match scheme {
        Some("https") => 443,
        _ => 80,
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::new(ProblemCode::MalformedRequest, detail)
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(ProblemCode::UpgradeNotSupported, detail)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(
        version: Version,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, u16> {
        let mut request = Request::builder().version(version).method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check_head(&parts)
            .map(Cow::into_owned)
            .map_err(|problem| problem.code.status())
    }

    #[test]
    fn one_valid_host_is_needed() {
        let h1 = |fields: &[(&str, &str)]| check(Version::HTTP_11, "GET", "/", fields);
        assert_eq!(
            h1(&[("host", "Shop.example:80")]),
            Ok("shop.example".to_owned())
        );
        assert_eq!(h1(&[]), Err(400));
        assert_eq!(h1(&[("host", "a"), ("host", "a")]), Err(400));
        assert_eq!(h1(&[("host", "a b")]), Err(400));
        assert_eq!(check(Version::HTTP_10, "GET", "/", &[]), Ok(String::new()));
    }

    #[test]
    fn the_authority_agrees_with_the_host() {
        let h2 =
            |fields: &[(&str, &str)]| check(Version::HTTP_2, "GET", "http://A.example/x", fields);
        assert_eq!(h2(&[]), Ok("a.example".to_owned()));
        assert_eq!(h2(&[("host", "a.example:80")]), Ok("a.example".to_owned()));
        assert_eq!(h2(&[("host", "b.example")]), Err(400));
        assert_eq!(
            check(Version::HTTP_2, "GET", "http://u:p@a/", &[]),
            Err(400)
        );
        let absolute = |uri: &str| check(Version::HTTP_11, "GET", uri, &[("host", "a")]);
        assert_eq!(absolute("http://a/x"), Ok("a".to_owned()));
        assert_eq!(absolute("https://a:443/x"), Ok("a".to_owned()));
        assert_eq!(absolute("http://b/x"), Err(400));
        assert_eq!(absolute("ftp://a/x"), Err(400));
    }

    #[test]
    fn tunnels_are_told_so() {
        let host = ("host", "a");
        assert_eq!(
            check(Version::HTTP_11, "CONNECT", "a:80", &[host]),
            Err(501)
        );
    }

    #[test]
    fn http2_has_rules_of_its_own() {
        let h2 = |fields: &[(&str, &str)]| check(Version::HTTP_2, "GET", "http://a/", fields);
        assert_eq!(h2(&[("te", "trailers")]), Ok("a".to_owned()));
        assert_eq!(h2(&[("te", "gzip")]), Err(400));
        assert_eq!(
            h2(&[("content-length", "1"), ("content-length", "1")]),
            Err(400)
        );
        assert_eq!(
            check(Version::HTTP_2, "OPTIONS", "*", &[("host", "a")]),
            Ok("a".to_owned())
        );
        assert_eq!(
            check(Version::HTTP_2, "GET", "*", &[("host", "a")]),
            Err(400)
        );
    }
}
