//! `"[METHOD[,METHOD]] [host]/path"`: which requests a route is for, and which of two is narrower.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use http::Method;

/// Which requests a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    methods: Vec<Method>,
    host: Option<String>,
    segments: Vec<Segment>,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Any,
    Rest,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is no path, or it does not begin with a slash.
    #[error("expected a path that begins with '/', as in \"POST /render/{{*path}}\"")]
    NoPath,
    /// A method is not a token.
    #[error("'{0}' is not a method; expected for example GET or GET,POST")]
    Method(String),
    /// A `{...}` is not `{name}` or `{*name}`.
    #[error("'{0}' is not a placeholder; expected {{name}} or {{*name}} as a whole path segment")]
    Placeholder(String),
    /// `{*name}` is not last.
    #[error("{{*name}} takes the rest of the path and can only be the last segment")]
    RestNotLast,
    /// The host is not a name or an address. A port is refused: requests are matched without it.
    #[error("'{0}' is not a host name; expected a name or an address without a port")]
    Host(String),
}

impl Pattern {
    /// The pattern that takes every request.
    pub fn everything() -> Self {
        Self {
            methods: Vec::new(),
            host: None,
            segments: vec![Segment::Rest],
            text: "/{*path}".into(),
        }
    }

    /// The methods that it is for; none: every one.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Whether a request with this method, host (without port, lower case) and path is meant.
    pub fn matches(&self, method: &Method, host: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && self.host.as_deref().is_none_or(|own| own == host)
            && self.matches_path(path)
    }

    /// Where a placeholder with this name stands: which segment, and whether it takes all from there
    /// on.
    pub fn placeholder(&self, name: &str) -> Option<(usize, bool)> {
        self.parts().enumerate().find_map(|(index, part)| {
            let inner = part.strip_prefix('{')?.strip_suffix('}')?;
            let rest = inner.strip_prefix('*');
            (rest.unwrap_or(inner) == name).then_some((index, rest.is_some()))
        })
    }

    /// How many segments a prefix of the pattern's path has; none: it is no prefix of it, so that
    /// some request that matches would not begin with it.
    pub fn segments_of_prefix(&self, prefix: &str) -> Option<usize> {
        let wanted: Vec<&str> = prefix.strip_prefix('/')?.split('/').collect();
        let own: Vec<&str> = self.parts().collect();
        let begins = own.get(..wanted.len()) == Some(&wanted[..]);
        let takes_rest = wanted.last().is_some_and(|last| last.starts_with("{*"));
        (begins && !takes_rest).then_some(wanted.len())
    }

    /// The segments of the path as written.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let path = self
            .text
            .find('/')
            .map_or("", |slash| &self.text[slash + 1..]);
        path.split('/')
    }

    fn matches_path(&self, path: &str) -> bool {
        let mut rest = path.strip_prefix('/').map(|p| p.split('/'));
        let mut next = || rest.as_mut().and_then(Iterator::next);
        for segment in &self.segments {
            match segment {
                Segment::Rest => return path.starts_with('/'),
                Segment::Any => match next() {
                    Some(part) if !part.is_empty() => {}
                    _ => return false,
                },
                Segment::Exact(own) => match next() {
                    Some(part) if part == own => {}
                    _ => return false,
                },
            }
        }
        next().is_none()
    }

    /// What orders patterns from narrow to wide: host, then exact segments before placeholders
    /// from the left, then methods.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let kinds: Vec<u8> = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Exact(_) => 0,
                Segment::Any => 1,
                Segment::Rest => 2,
            })
            .collect();
        (
            self.host.is_none(),
            kinds.clone(),
            Reverse(kinds.len()),
            self.methods.is_empty(),
        )
    }

    /// Whether some request is matched by both in the same rank: then neither could be chosen.
    pub(super) fn collides(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty() == other.methods.is_empty()
            && (self.methods.is_empty()
                || self
                    .methods
                    .iter()
                    .any(|method| other.methods.contains(method)));
        methods && self.host == other.host && self.segments == other.segments
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let trimmed = text.trim();
        let (methods, place) = match trimmed.split_once(char::is_whitespace) {
            Some((methods, place)) => (parse_methods(methods)?, place.trim()),
            None => (Vec::new(), trimmed),
        };
        let slash = place.find('/').ok_or(PatternError::NoPath)?;
        let (host, path) = place.split_at(slash);
        Ok(Self {
            methods,
            host: parse_host(host)?,
            segments: parse_segments(path)?,
            text: trimmed.to_owned(),
        })
    }
}

fn parse_methods(text: &str) -> Result<Vec<Method>, PatternError> {
    text.split(',')
        .map(|name| {
            let upper = name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'));
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) if upper => Ok(method),
                _ => Err(PatternError::Method(name.to_owned())),
            }
        })
        .collect()
}

fn parse_host(text: &str) -> Result<Option<String>, PatternError> {
    if text.is_empty() {
        return Ok(None);
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let address = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let good = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => text.bytes().all(legal),
    };
    match good {
        true => Ok(Some(text.to_ascii_lowercase())),
        false => Err(PatternError::Host(text.to_owned())),
    }
}

fn parse_segments(path: &str) -> Result<Vec<Segment>, PatternError> {
    let parts: Vec<&str> = path[1..].split('/').collect();
    let mut segments = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let segment = parse_segment(part)?;
        if segment == Segment::Rest && index + 1 != parts.len() {
            return Err(PatternError::RestNotLast);
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn parse_segment(part: &str) -> Result<Segment, PatternError> {
    if !part.contains(['{', '}']) {
        return Ok(Segment::Exact(part.to_owned()));
    }
    let bad = || PatternError::Placeholder(part.to_owned());
    let inner = part
        .strip_prefix('{')
        .and_then(|p| p.strip_suffix('}'))
        .ok_or_else(bad)?;
    let (name, segment) = match inner.strip_prefix('*') {
        Some(name) => (name, Segment::Rest),
        None => (inner, Segment::Any),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(legal) {
        return Err(bad());
    }
    Ok(segment)
}
