//! Where a route sends its requests instead: a URL with placeholders.
//!
//! No placeholder can change the host that the config names: what a client wrote only ever comes
//! after a slash of the path, or is the host it asked for. So a redirect cannot be bent to another
//! site.

use http::Uri;

use crate::route::Pattern;

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Host,
    Uri,
    Query,
    Segment { index: usize, and_rest: bool },
}

/// Why a text is not a place to redirect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It is neither a path nor a URL.
    #[error("it begins neither with '/' nor with http:// or https://")]
    NoUrl,
    /// The host is not one.
    #[error("its host is neither a name, maybe with a port, nor {{host}}")]
    Host,
    /// Nothing, a slash or `{uri}` follows the host.
    #[error("after the host comes nothing, '/' or {{uri}}")]
    AfterHost,
    /// A placeholder that is none.
    #[error("{{{0}}} is not known here")]
    Placeholder(String),
    /// A character that no URL has.
    #[error("{0:?} cannot stand in a URL")]
    Character(char),
    /// The status is not one of a redirect.
    #[error("{0} is not the status of a redirect")]
    Status(u16),
}

/// A request, as far as a redirect asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `http` or `https`, as the client used it.
    pub scheme: &'a str,
    /// The name or address it is for, brackets included, without a port.
    pub host: &'a str,
    /// The port that the client wrote.
    pub port: Option<u16>,
    /// Path and query as the client sent them.
    pub target: &'a str,
}

impl Redirect {
    /// The statuses of a redirect that names a place.
    pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

    /// Reads a URL or path with placeholders: `{host}`, `{uri}` (path and query), `{query}` (with
    /// its `?`, or nothing), and the placeholders of the route's pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(to: &str, status: u16, pattern: &Pattern) -> Result<Self, RedirectError> {
        if !Self::STATUSES.contains(&status) {
            return Err(RedirectError::Status(status));
        }
        let mut parts = Vec::new();
        let path = match to.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => {
                parts.push(Part::Text(format!("{scheme}://")));
                authority(rest, &mut parts)?
            }
            _ if to.starts_with('/') && !to.starts_with("//") => to,
            _ => return Err(RedirectError::NoUrl),
        };
        self::path(path, pattern, &mut parts)?;
        Ok(Self { status, parts })
    }

    /// Where this request is sent; none if that is where it is already.
    pub fn location(&self, asked: Asked<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(own) => text.push_str(own),
                Part::Host => text.push_str(asked.host),
                Part::Uri => encode(asked.target, &mut text),
                Part::Query => encode(query(asked.target), &mut text),
                Part::Segment { index, and_rest } => {
                    encode(segment(asked.target, *index, *and_rest), &mut text);
                }
            }
        }
        if text.starts_with("//") {
            text = format!("/{}", text.trim_start_matches('/'));
        }
        (!is_here(&text, asked)).then_some(text)
    }
}

/// Takes the authority off; what follows it is a path.
fn authority<'a>(rest: &'a str, parts: &mut Vec<Part>) -> Result<&'a str, RedirectError> {
    let rest = match rest.strip_prefix("{host}") {
        Some(after) => {
            parts.push(Part::Host);
            after
        }
        None => {
            let len = rest.find(['/', '{', ':']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(len);
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if name.is_empty() || !name.bytes().all(legal) {
                return Err(RedirectError::Host);
            }
            parts.push(Part::Text(name.to_ascii_lowercase()));
            after
        }
    };
    let Some(after) = rest.strip_prefix(':') else {
        return after_host(rest);
    };
    let len = after.find(['/', '{']).unwrap_or(after.len());
    let (port, after) = after.split_at(len);
    if !matches!(port.parse::<u16>(), Ok(1..)) || port.starts_with('+') {
        return Err(RedirectError::Host);
    }
    parts.push(Part::Text(format!(":{port}")));
    after_host(after)
}

fn after_host(rest: &str) -> Result<&str, RedirectError> {
    match rest.is_empty() || rest.starts_with('/') || rest.starts_with("{uri}") {
        true => Ok(rest),
        false => Err(RedirectError::AfterHost),
    }
}

fn path(text: &str, pattern: &Pattern, parts: &mut Vec<Part>) -> Result<(), RedirectError> {
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if let Some(bad) = literal.chars().find(|c| !may_stand(*c)) {
            return Err(RedirectError::Character(bad));
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.to_owned()));
        }
        let Some(open) = after.strip_prefix('{') else {
            break;
        };
        let unclosed = || RedirectError::Placeholder(open.to_owned());
        let (name, after) = open.split_once('}').ok_or_else(unclosed)?;
        parts.push(placeholder(name, pattern)?);
        rest = after;
    }
    Ok(())
}

fn placeholder(name: &str, pattern: &Pattern) -> Result<Part, RedirectError> {
    let own = pattern.placeholder(name);
    if let Some((index, and_rest)) = own {
        return Ok(Part::Segment { index, and_rest });
    }
    match name {
        "host" => Ok(Part::Host),
        "uri" => Ok(Part::Uri),
        "query" => Ok(Part::Query),
        _ => Err(RedirectError::Placeholder(name.to_owned())),
    }
}

fn may_stand(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '|' | '}')
}

fn query(target: &str) -> &str {
    target.find('?').map_or("", |at| &target[at..])
}

/// A segment of the path, or all from there on.
fn segment(target: &str, index: usize, and_rest: bool) -> &str {
    let path = target.split('?').next().unwrap_or_default();
    let rest = match path.match_indices('/').nth(index) {
        Some((slash, _)) => &path[slash + 1..],
        None => "",
    };
    match and_rest {
        true => rest,
        false => rest.split('/').next().unwrap_or_default(),
    }
}

/// Adds text of a request's target with what no URL may hold encoded.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii() && (may_stand(c) && c != '{') {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Whether a place is where the request is already.
fn is_here(location: &str, asked: Asked<'_>) -> bool {
    let mut target = String::new();
    encode(asked.target, &mut target);
    if location.starts_with('/') {
        return location == target;
    }
    let Ok(uri) = location.parse::<Uri>() else {
        return false;
    };
    let default = |scheme: &str| if scheme == "https" { 443 } else { 80 };
    let scheme = uri.scheme_str().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    scheme == asked.scheme
        && uri
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(asked.host))
        && uri.port_u16().unwrap_or(default(scheme)) == asked.port.unwrap_or(default(scheme))
        && path == target
}
