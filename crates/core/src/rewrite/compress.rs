//! Which answers are compressed, in which coding, and what their head then says.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::accept::weight;
use crate::limits::COMPRESS_MIN_BYTES;

/// A content coding that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// As in `Content-Encoding` and in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What a request says about the coding of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The coding that the client likes most of those that we make, if it likes one at least as
    /// much as none at all.
    pub coding: Option<Coding>,
    /// Whether the answer may have a body and be changed.
    pub allowed: bool,
}

/// Reads it from a request's head. `made` is in the order of our own preference.
pub fn wanted(method: &Method, headers: &HeaderMap, made: &[Coding]) -> Wanted {
    let weighed = |word: &str| weight(headers, &header::ACCEPT_ENCODING, word);
    // RFC 9110 section 12.5.3: no coding at all is acceptable even where it is not named.
    let identity = weighed("identity").own.unwrap_or(0);
    let mut best: Option<(u16, Coding)> = None;
    for coding in made {
        let weight = weighed(coding.as_str()).or_any();
        if weight > best.map_or(0, |(most, _)| most) && weight >= identity {
            best = Some((weight, *coding));
        }
    }
    Wanted {
        coding: best.map(|(_, coding)| coding),
        allowed: *method != Method::HEAD
            && !has_word(headers, &header::CACHE_CONTROL, NO_TRANSFORM),
    }
}

/// Decides, and changes the head of an answer that is compressed. `len` is the length of its body
/// where that is known. An answer that another client could get compressed says so in `Vary`.
pub fn decide(
    wanted: Wanted,
    status: StatusCode,
    headers: &mut HeaderMap,
    len: Option<u64>,
) -> Option<Coding> {
    let suits = fits(status) && is_text(headers) && !is_final(headers);
    if !suits || len.is_some_and(|len| len < COMPRESS_MIN_BYTES) {
        return None;
    }
    add_vary(headers, "Accept-Encoding");
    let coding = wanted.coding.filter(|_| wanted.allowed)?;
    headers.insert(
        header::CONTENT_ENCODING,
        HeaderValue::from_static(coding.as_str()),
    );
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    weaken(headers);
    Some(coding)
}

const NO_TRANSFORM: &[u8] = b"no-transform";

/// Fields that vouch for the very bytes of the content.
const VOUCHERS: [HeaderName; 5] = [
    header::CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Media types that get smaller, beside `text/...` and those that end in `+json` or `+xml`.
const TYPES: [&str; 12] = [
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/x-ndjson",
    "application/graphql",
    "application/wasm",
    "application/manifest",
    "application/vnd.ms-fontobject",
    "application/x-font-ttf",
    "font/otf",
    "font/ttf",
];

fn fits(status: StatusCode) -> bool {
    const BODILESS: [StatusCode; 4] = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::PARTIAL_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    !status.is_informational() && !BODILESS.contains(&status)
}

/// Whether the media type is one that gets smaller. Events are none, although they are text: each
/// is to be there at once.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next();
    let name = essence.unwrap_or_default().trim_ascii();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    name != "text/event-stream"
        && (name.starts_with("text/")
            || name.ends_with("+json")
            || name.ends_with("+xml")
            || TYPES.contains(&name.as_str()))
}

/// Whether the content must stay as it is.
fn is_final(headers: &HeaderMap) -> bool {
    let coded = headers.get_all(header::CONTENT_ENCODING).iter();
    coded.into_iter().any(|value| value != "identity")
        || VOUCHERS.iter().any(|name| headers.contains_key(name))
        || has_word(headers, &header::CACHE_CONTROL, NO_TRANSFORM)
}

/// Whether a list names a word.
fn has_word(headers: &HeaderMap, list: &HeaderName, word: &[u8]) -> bool {
    headers.get_all(list).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
    })
}

/// Adds a field name to `Vary`, unless it is there or everything is.
pub(crate) fn add_vary(headers: &mut HeaderMap, name: &'static str) {
    let there = has_word(headers, &header::VARY, name.as_bytes());
    if !there && !has_word(headers, &header::VARY, b"*") {
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
}

/// The compressed bytes are not those that a strong tag stands for (RFC 9110 section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG) else {
        return;
    };
    if tag.as_bytes().starts_with(b"W/") {
        return;
    }
    match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        Ok(weak) => headers.insert(header::ETAG, weak),
        Err(_) => headers.remove(header::ETAG),
    };
}
