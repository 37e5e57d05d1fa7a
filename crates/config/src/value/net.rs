//! URLs and their paths.

use std::ops::RangeInclusive;
use std::sync::Arc;

use http::HeaderName;
use raincheck_core::id::RouteName;
use raincheck_core::limits::{UPSTREAM_CONNECTION_AGE, UPSTREAM_SERVERS};
use raincheck_core::route::upstream::Reach;
use raincheck_core::route::{Scheme, Upstream};

use super::{Setting, Wrong, several, text, untyped};
use crate::tree::{Node, Value};
use crate::upstream::Target;

/// Bytes of a Unix socket's path, as the system allows.
const UNIX_PATH_BYTES: usize = 107;

/// A path, maybe with a query.
#[derive(Debug, Clone)]
pub(crate) struct PathOnly(pub(crate) String);

/// A range of status codes.
#[derive(Debug, Clone)]
pub(crate) struct StatusRange(pub(crate) RangeInclusive<u16>);

/// A prefix of URL paths.
#[derive(Debug, Clone)]
pub(crate) struct UrlPath(pub(crate) String);

/// The URL of a site without a slash at its end.
#[derive(Debug, Clone)]
pub(crate) struct PublicUrl(pub(crate) String);

impl Setting for Vec<HeaderName> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        // A variable that is set to nothing names none.
        if matches!(&node.value, Value::Text(text) if text.is_empty() && untyped(node)) {
            return Ok(Vec::new());
        }
        several(node, |part| {
            let name = HeaderName::try_from(text(part)?);
            name.map_err(|_| vec![Wrong::new(part, "it is not the name of a header field")])
        })
    }
}

impl Setting for UrlPath {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let segment = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        let shaped = text
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(segment));
        if !shaped {
            return Err(vec![Wrong::new(
                node,
                "it is not '/' and segments of letters, digits, '-', '.', '_' and '~'",
            )]);
        }
        if text == "/_raincheck" || text.starts_with("/_raincheck/") {
            return Err(vec![Wrong::new(node, "/_raincheck is reserved")]);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The parts of an absolute URL of http or https, or why it is none.
fn url<'a>(node: &Node, text: &'a str) -> Result<(Scheme, http::Uri, &'a str), Vec<Wrong>> {
    let wrong = |reason: &str| vec![Wrong::new(node, reason)];
    let (scheme, rest) = match text.split_once("://") {
        Some((name, rest)) if name.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
        Some((name, rest)) if name.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
        Some(_) => return Err(wrong("its scheme is neither http nor https")),
        None => {
            return Err(
                Wrong::new(node, "it has no scheme").with_help("begin it with http:// or https://")
            );
        }
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("a user name or password cannot stand in it"));
    }
    if authority.host().is_empty() {
        return Err(wrong("it has no host"));
    }
    let port = authority.as_str()[authority.host().len()..].strip_prefix(':');
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err(wrong("its port is not a number from 1 to 65535"));
    }
    if rest.contains(['?', '#']) {
        return Err(wrong("a query or fragment cannot stand in it"));
    }
    Ok((scheme, uri, rest))
}

/// A host name or address.
#[derive(Debug, Clone)]
pub(crate) struct HostName(pub(crate) String);

impl Setting for HostName {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
        match !text.is_empty() && text.bytes().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(vec![Wrong::new(node, "it is not a host name")]),
        }
    }
}

/// A server that listens on a Unix socket.
fn unix(node: &Node, path: &str) -> Result<Upstream, Vec<Wrong>> {
    if !path.starts_with('/') || path.contains('\0') || path.len() > UNIX_PATH_BYTES {
        let reason = format!("it is not an absolute path of at most {UNIX_PATH_BYTES} bytes");
        return Err(vec![Wrong::new(node, reason)]);
    }
    let reach = Reach {
        socket: Some(path.into()),
        max_age: Some(UPSTREAM_CONNECTION_AGE),
        ..Reach::default()
    };
    let mut upstream = Upstream::new(Scheme::Http, "localhost", 80);
    upstream.reach = Some(Arc::new(reach));
    Ok(upstream)
}

impl Setting for Upstream {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        if let Some(path) = text(node)?.strip_prefix("unix:") {
            return unix(node, path);
        }
        let (scheme, uri, rest) = url(node, text(node)?)?;
        if rest.find('/').is_some_and(|slash| slash + 1 != rest.len()) {
            return Err(Wrong::new(node, "a path cannot stand in it")
                .with_help("a path before that of each request is written as `add_prefix`"));
        }
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(scheme.port());
        Ok(Self::new(scheme, host, port))
    }
}

impl Setting for Vec<Upstream> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let list = several(node, Upstream::read)?;
        if list.is_empty() {
            return Err(vec![Wrong::new(node, "there is none")]);
        }
        if list.len() > UPSTREAM_SERVERS {
            let reason = format!("there are more than {UPSTREAM_SERVERS}");
            return Err(vec![Wrong::new(node, reason)]);
        }
        for (index, upstream) in list.iter().enumerate() {
            if list[..index].contains(upstream) {
                let reason = format!("{} stands in it twice", upstream.url());
                return Err(vec![Wrong::new(node, reason)]);
            }
        }
        Ok(list)
    }
}

impl Setting for Target {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        if let Value::Text(text) = &node.value
            && text.parse::<RouteName>().is_ok()
        {
            return Ok(Self::Named(text.clone()));
        }
        Vec::<Upstream>::read(node).map(Self::Servers)
    }
}

impl Setting for PathOnly {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let target = text.parse::<http::uri::PathAndQuery>();
        match target {
            Ok(_) if text.starts_with('/') && !text.contains('#') => Ok(Self(text.to_owned())),
            _ => Err(vec![Wrong::new(node, "it is not a path")]),
        }
    }
}

impl Setting for StatusRange {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let number = match &node.value {
            Value::Integer(number) => number.to_string(),
            _ => text(node)?.to_owned(),
        };
        let (first, last) = number.split_once('-').unwrap_or((&number, &number));
        match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            (Ok(first @ 100..=599), Ok(last @ 100..=599)) if first <= last => {
                Ok(Self(first..=last))
            }
            _ => Err(vec![Wrong::new(node, "it is not a range of status codes")]),
        }
    }
}

impl Setting for PublicUrl {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        url(node, text)?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}
