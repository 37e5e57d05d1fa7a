//! What makes two requests the same: the client's key, a fingerprint of the request, and whose
//! they are. Kept and compared as digests only, so that no store ever holds a key or a credential.
//!
//! A digest is the first 16 bytes of a SHA-256 of fields that each stand behind their length. Who
//! would make two different requests of *one* caller collide needs 2^64 tries; to hit another
//! caller's digest, whose fields no one else can send, 2^128.

use std::borrow::Cow;
use std::fmt;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::head::RequestHead;
use crate::id::RouteName;
use crate::limits::KEY_CHARACTERS;

/// `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a repetition of a request finds its job by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 16]);

/// What must be the same in a repetition: method, path, query, chosen fields and body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// How a request claims to be the same as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedBy {
    /// By the client's `Idempotency-Key`.
    Key,
    /// By its fingerprint: the client sent no key, and its route de-duplicates.
    Fingerprint,
}

/// The claim of one request to be run once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Under what.
    pub digest: KeyDigest,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// How.
    pub by: ClaimedBy,
}

/// An `Idempotency-Key` that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// More than one field, or several that somebody on the way has joined with commas.
    #[error("Idempotency-Key stands there more than once (a key with a comma needs quotes)")]
    Several,
    /// Nothing in it.
    #[error("Idempotency-Key is empty")]
    Empty,
    /// Over 255 characters.
    #[error("Idempotency-Key has {0} characters, and at most {KEY_CHARACTERS} are allowed")]
    Long(usize),
    /// A tab, or another control character.
    #[error("Idempotency-Key has a control character")]
    Control,
    /// A quote without its other half, or with something behind it that is no parameter.
    #[error("Idempotency-Key begins with a quote and is no quoted string")]
    Quotes,
}

/// The client's key, if it sent one: a structured-field string (RFC 9651 section 3.3.3), or bare as
/// most clients send it. `"abc"` and `abc` are one key. The draft defines no parameters; those of a
/// string are passed over, as structured fields ask for. A bare key ends with the field, and has no
/// comma, by which several fields are joined on the way (RFC 9110 section 5.3).
///
/// # Errors
/// See [`BadKey`].
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<Cow<'_, [u8]>>, BadKey> {
    let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(BadKey::Several);
    }
    let text = field.as_bytes().trim_ascii();
    if field.as_bytes().iter().any(u8::is_ascii_control) {
        return Err(BadKey::Control);
    }
    let key = match text.strip_prefix(b"\"") {
        Some(rest) => unquoted(rest).ok_or(BadKey::Quotes)?,
        None if text.contains(&b',') => return Err(BadKey::Several),
        None => Cow::Borrowed(text),
    };
    let characters = characters(&key);
    match characters {
        0 => Err(BadKey::Empty),
        _ if characters > KEY_CHARACTERS => Err(BadKey::Long(characters)),
        _ => Ok(Some(key)),
    }
}

/// Of text its characters, of anything else its bytes.
fn characters(key: &[u8]) -> usize {
    std::str::from_utf8(key).map_or(key.len(), |text| text.chars().count())
}

/// What stands before the closing quote; behind it only parameters may follow, which mean nothing
/// here.
fn unquoted(rest: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut escaped = false;
    let end = rest.iter().position(|byte| {
        let literal = std::mem::take(&mut escaped);
        escaped = *byte == b'\\' && !literal;
        *byte == b'"' && !literal
    })?;
    let (text, behind) = rest.split_at_checked(end)?;
    if !are_parameters(behind.get(1..)?) {
        return None;
    }
    if !text.contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match (byte, byte == &b'\\') {
            (_, false) => plain.push(*byte),
            (_, true) => plain.push(*bytes.next().filter(|next| b"\"\\".contains(next))?),
        }
    }
    Some(Cow::Owned(plain))
}

/// Whether these are parameters of a structured field (RFC 9651 section 3.1.2), as far as that can
/// be told without reading their values: names are, values look like some.
fn are_parameters(mut bytes: &[u8]) -> bool {
    while let Some(rest) = bytes.strip_prefix(b";") {
        let rest = rest.trim_ascii_start();
        let in_name = |byte: &u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(byte)
        };
        let end = rest.iter().position(|byte| !in_name(byte));
        let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let first = name.first().copied().unwrap_or_default();
        if !first.is_ascii_lowercase() && first != b'*' {
            return false;
        }
        let Some(value) = rest.strip_prefix(b"=") else {
            bytes = rest;
            continue;
        };
        let Some(rest) = after_value(value) else {
            return false;
        };
        bytes = rest;
    }
    bytes.is_empty()
}

/// What stands behind a parameter's value; none if there is no value.
fn after_value(bytes: &[u8]) -> Option<&[u8]> {
    let end = match bytes.strip_prefix(b"\"") {
        Some(text) => text.iter().position(|byte| *byte == b'"')? + 2,
        None => {
            let ends = |byte: &u8| !byte.is_ascii_graphic() || b";,\"".contains(byte);
            bytes.iter().position(ends).unwrap_or(bytes.len())
        }
    };
    bytes
        .split_at_checked(end)
        .filter(|_| end > 0)
        .map(|(_, rest)| rest)
}

/// The digest of a body, fed as its bytes come.
#[derive(Clone, Default)]
pub struct BodyDigest {
    hash: Sha256,
    len: u64,
}

impl BodyDigest {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.len = self.len.saturating_add(bytes.len() as u64);
    }
}

impl fmt::Debug for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyDigest({} bytes)", self.len)
    }
}

/// What a claim is made from.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// The route that took the request.
    pub route: &'a RouteName,
    /// The head as it goes to the backend.
    pub head: &'a RequestHead,
    /// The fields by which callers are told apart.
    pub caller: &'a [HeaderName],
    /// The fields that belong to what is asked.
    pub fields: &'a [HeaderName],
}

impl Claimant<'_> {
    /// The claim of this request, with the key that its client sent.
    pub fn claim(&self, key: Option<&[u8]>, body: BodyDigest) -> Claim {
        let fingerprint = self.fingerprint(body);
        let mut hash = Fields::new(if key.is_some() { "key" } else { "fingerprint" });
        hash.add(self.route.as_str().as_bytes());
        hash.add_header(&self.head.headers, &HOST);
        for name in self.caller {
            hash.add_header(&self.head.headers, name);
        }
        hash.add(key.unwrap_or(&fingerprint.0));
        Claim {
            digest: KeyDigest(hash.end()),
            fingerprint,
            by: match key {
                Some(_) => ClaimedBy::Key,
                None => ClaimedBy::Fingerprint,
            },
        }
    }

    fn fingerprint(&self, body: BodyDigest) -> Fingerprint {
        let mut hash = Fields::new("request");
        hash.add(self.head.method.as_str().as_bytes());
        hash.add(self.head.target.as_str().as_bytes());
        for name in self.fields {
            hash.add_header(&self.head.headers, name);
        }
        hash.add(&body.len.to_le_bytes());
        hash.add(&body.hash.finalize());
        Fingerprint(hash.end())
    }
}

/// Fields, each behind its length, so that no two lists of them look alike.
struct Fields(Sha256);

impl Fields {
    fn new(what: &str) -> Self {
        let mut fields = Self(Sha256::new());
        fields.add(what.as_bytes());
        fields
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Name, number of values, values. A host means the same in any case and behind any port.
    fn add_header(&mut self, headers: &HeaderMap, name: &HeaderName) {
        let values = headers.get_all(name);
        self.add(name.as_str().as_bytes());
        self.add(&(values.iter().count() as u64).to_le_bytes());
        for value in values {
            match name == HOST {
                true => self.add(&host(value.as_bytes()).to_ascii_lowercase()),
                false => self.add(HeaderValue::as_bytes(value)),
            }
        }
    }

    fn end(self) -> [u8; 16] {
        let mut first = [0; 16];
        for (to, from) in first.iter_mut().zip(self.0.finalize()) {
            *to = from;
        }
        first
    }
}

/// A host without its port.
fn host(value: &[u8]) -> &[u8] {
    let colon = value.iter().rposition(|byte| *byte == b':');
    match colon.and_then(|at| value.split_at_checked(at)) {
        Some((name, port)) if port.iter().skip(1).all(u8::is_ascii_digit) => name,
        _ => value,
    }
}

fn hexadecimal(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{:032x}", u128::from_be_bytes(*bytes))
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}
