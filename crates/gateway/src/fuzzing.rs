//! Entries for the fuzzer to what is private otherwise.

use crate::guard::inspect::{Inspector, Limits};
use crate::host::Host;
use crate::server::ServerOptions;

/// What the framing guard made of a client's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    /// How many of the bytes went on.
    pub passed: usize,
    /// Heads that ended and were not refused.
    pub requests: u64,
    /// Why the stream was refused, if it was.
    pub refused: Option<&'static str>,
    /// Whether a head, and whether a body, has begun and not ended.
    pub mid: (bool, bool),
}

/// Hands `bytes` to the guard in pieces of these lengths, the rest in one.
pub fn framing(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Framing {
    let mut inspector = Inspector::new(Limits::from(&ServerOptions::default()));
    let (mut at, mut passed, mut refused) = (0, 0, None);
    for cut in cuts.into_iter().chain([usize::MAX]) {
        let rest = bytes.get(at..).unwrap_or_default();
        let mut piece = rest.get(..cut).unwrap_or(rest);
        // All upgrades are refused, so that what follows them is HTTP.
        loop {
            inspector.go_on();
            match inspector.inspect(piece) {
                // What was held back passes together with what follows it.
                Ok(pass) if pass > 0 => passed = at + pass,
                Ok(_) => {}
                Err(violation) => {
                    if violation.pass > 0 {
                        passed = at + violation.pass;
                    }
                    refused = Some(violation.refusal.reason);
                    break;
                }
            }
            if !inspector.waits_for_answer() {
                break;
            }
            let taken = passed.saturating_sub(at);
            piece = piece.get(taken..).unwrap_or_default();
            at += taken;
            if piece.is_empty() {
                break;
            }
        }
        if refused.is_some() {
            break;
        }
        at += piece.len();
    }
    Framing {
        passed,
        requests: inspector.requests(),
        refused,
        mid: (
            refused.is_none() && inspector.is_mid_head(),
            inspector.is_mid_body(),
        ),
    }
}

/// The name and the port of a valid `Host`.
pub fn host(bytes: &[u8]) -> Option<(&str, Option<u16>)> {
    Host::parse(bytes).map(|host| (host.name, host.port))
}
