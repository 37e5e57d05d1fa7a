//! The lines of a request head: what each one must look like, and what they say about where the
//! request ends.

use raincheck_core::problem::ProblemCode;

use super::bytes::{has_control, is_target, token_len, trim};
use super::refusal::Refusal;
use crate::check::default_port;
use crate::host::Host;

/// Bytes of a method. The longest registered one has 17.
pub(super) const METHOD_BYTES: usize = 32;

const REQUEST_LINE: Refusal = Refusal::malformed("the request line is not `method target version`");
const VERSION: Refusal = Refusal::malformed("the version is neither HTTP/1.1 nor HTTP/1.0");
const METHOD: Refusal = Refusal::malformed("the method is not a token");
const TARGET: Refusal = Refusal::malformed("the request target has bytes that no target may have");
const TARGET_FORM: Refusal = Refusal::malformed("the request target is neither a path nor a URL");
const TARGET_HOST: Refusal = Refusal::malformed("the request target's host is not a valid one");
const CONNECT: Refusal = Refusal::new(
    ProblemCode::UpgradeNotSupported,
    "this gateway opens no tunnels",
);
const FOLDED: Refusal = Refusal::malformed("a field line begins with a blank");
const NAME: Refusal = Refusal::malformed("a field name is not a token followed by a colon");
const VALUE: Refusal = Refusal::malformed("a field value has a control character");
const NO_HOST: Refusal = Refusal::malformed("there is no Host");
const HOSTS: Refusal = Refusal::malformed("there is more than one Host");
const HOST: Refusal = Refusal::malformed("the Host is not a valid one");
const HOST_AND_TARGET: Refusal =
    Refusal::malformed("the request target and the Host name different hosts");
const LENGTH: Refusal = Refusal::malformed("the Content-Length is not a number in range");
const LENGTHS: Refusal = Refusal::malformed("there is more than one Content-Length");
const CODING: Refusal = Refusal::malformed("the Transfer-Encoding is not exactly `chunked`");
const CODINGS: Refusal = Refusal::malformed("there is more than one Transfer-Encoding");
const CODING_1_0: Refusal = Refusal::malformed("HTTP/1.0 has no Transfer-Encoding");
const BOTH: Refusal = Refusal::malformed("there is a Content-Length beside a Transfer-Encoding");
const TRAILER: Refusal =
    Refusal::malformed("a trailer field says what only the head of a request may say");
const TOO_LONG: Refusal = Refusal::new(
    ProblemCode::TargetTooLong,
    "the request target is longer than 16 KiB",
);

/// What the head so far says.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Whether it is an HTTP/1.0 request.
    pub(super) is_http10: bool,
    /// Whether its answer has no body.
    pub(super) is_head: bool,
    /// The authority of a target in absolute form, and its scheme's default port.
    authority: Option<(Box<[u8]>, u16)>,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    has_upgrade: bool,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Nothing,
    Length(u64),
    Chunked,
}

impl Head {
    /// Reads a request line without its end.
    pub(super) fn request_line(&mut self, line: &[u8], target_max: usize) -> Result<(), Refusal> {
        let (method, rest) = line.split_at_checked(token_len(line)).ok_or(REQUEST_LINE)?;
        if method.is_empty() || method.len() > METHOD_BYTES {
            return Err(METHOD);
        }
        let rest = rest.strip_prefix(b" ").ok_or(METHOD)?;
        let (target, version) = rest
            .len()
            .checked_sub(b" HTTP/1.1".len())
            .and_then(|at| rest.split_at_checked(at))
            .ok_or(REQUEST_LINE)?;
        self.is_http10 = match version {
            b" HTTP/1.1" => false,
            b" HTTP/1.0" => true,
            _ => return Err(VERSION),
        };
        if target.len() > target_max {
            return Err(TOO_LONG);
        }
        if !is_target(target) {
            return Err(TARGET);
        }
        self.is_head = method == b"HEAD";
        self.target(method, target)
    }

    /// What to say of a request line that is longer than any may be and has not ended.
    pub(super) fn endless_line(line: &[u8]) -> Refusal {
        let method = token_len(line.get(..=METHOD_BYTES).unwrap_or(line));
        match line.get(method) {
            Some(b' ') => TOO_LONG,
            _ => METHOD,
        }
    }

    fn target(&mut self, method: &[u8], target: &[u8]) -> Result<(), Refusal> {
        match target {
            _ if method == b"CONNECT" => Err(CONNECT),
            [b'/', ..] => Ok(()),
            b"*" if method == b"OPTIONS" => Ok(()),
            _ => self.absolute(target),
        }
    }

    fn absolute(&mut self, target: &[u8]) -> Result<(), Refusal> {
        let after = |scheme: &[u8]| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (rest, port) = match (after(b"http://"), after(b"https://")) {
            (Some(rest), _) => (rest, default_port(Some("http"))),
            (_, Some(rest)) => (rest, default_port(Some("https"))),
            _ => return Err(TARGET_FORM),
        };
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
        let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        Host::parse(authority).ok_or(TARGET_HOST)?;
        self.authority = Some((authority.into(), port));
        Ok(())
    }

    /// Reads a field line without its end.
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let (name, value) = split(line)?;
        // The length tells almost all fields apart from these four.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.has_upgrade = true;
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.has_host {
            return Err(HOSTS);
        }
        self.has_host = true;
        let host = Host::parse(trim(value)).ok_or(HOST)?;
        let Some((authority, port)) = &self.authority else {
            return Ok(());
        };
        let authority = Host::parse(authority).ok_or(TARGET_HOST)?;
        match authority.agrees_with(&host, *port) {
            true => Ok(()),
            false => Err(HOST_AND_TARGET),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(LENGTHS);
        }
        if self.is_chunked {
            return Err(BOTH);
        }
        self.length = Some(number(trim(value)).ok_or(LENGTH)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_http10 {
            return Err(CODING_1_0);
        }
        if self.length.is_some() {
            return Err(BOTH);
        }
        if self.is_chunked {
            return Err(CODINGS);
        }
        if !trim(value).eq_ignore_ascii_case(b"chunked") {
            return Err(CODING);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// Whether what follows the request may be no HTTP. HTTP/1.0 has no upgrades.
    pub(super) fn offers(&self) -> bool {
        self.has_upgrade && !self.is_http10
    }

    /// What follows the head, now that it has ended.
    pub(super) fn end(&self) -> Result<Framing, Refusal> {
        if !self.has_host && !self.is_http10 {
            return Err(NO_HOST);
        }
        Ok(match (self.is_chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, None | Some(0)) => Framing::Nothing,
            (false, Some(length)) => Framing::Length(length),
        })
    }
}

/// Reads a trailer line without its end.
pub(super) fn trailer(line: &[u8]) -> Result<(), Refusal> {
    const NOT_HERE: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];
    let (name, _) = split(line)?;
    match NOT_HERE.iter().any(|not| name.eq_ignore_ascii_case(not)) {
        true => Err(TRAILER),
        false => Ok(()),
    }
}

/// Name and value of a field line.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if let Some(b' ' | b'\t') = line.first() {
        return Err(FOLDED);
    }
    let (name, rest) = line.split_at_checked(token_len(line)).ok_or(NAME)?;
    let value = rest.strip_prefix(b":").ok_or(NAME)?;
    if name.is_empty() {
        return Err(NAME);
    }
    if has_control(value) {
        return Err(VALUE);
    }
    Ok((name, value))
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = matches!(digits.len(), 1..=19) && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
    (plain && i64::try_from(number).is_ok()).then_some(number)
}
