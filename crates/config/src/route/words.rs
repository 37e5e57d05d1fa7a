//! The words of a route's keys.

use raincheck_core::route::{Filler, HoldUntil, Mode, OnDisconnect};

use crate::value::Word;

/// What a client gets when the hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnHold {
    /// A ticket.
    Ticket,
    /// A redirect to the result.
    Redirect,
}

/// What keeps a client that outlives its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepaliveWord {
    /// Nothing.
    None,
    /// These bytes.
    By(Filler),
}

/// One kind of failure in `retry.on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryWord {
    /// No connection, or a broken one.
    Connect,
    /// A timeout passed.
    Timeout,
    /// 500 to 599.
    ServerError,
    /// 429.
    TooMany,
}

impl Word for Mode {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Sync, Self::Auto, Self::Async]
            .into_iter()
            .find(|mode| mode.as_str() == word)
    }
}

impl Word for HoldUntil {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "head" => Some(Self::Head),
            "complete" => Some(Self::Complete),
            _ => None,
        }
    }
}

impl Word for OnDisconnect {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "cancel" => Some(Self::Cancel),
            "continue" => Some(Self::Continue),
            _ => None,
        }
    }
}

impl Word for OnHold {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "ticket" => Some(Self::Ticket),
            "redirect" => Some(Self::Redirect),
            _ => None,
        }
    }
}

impl Word for KeepaliveWord {
    fn from_word(word: &str) -> Option<Self> {
        let filler = [Filler::Events, Filler::Whitespace]
            .into_iter()
            .find(|filler| filler.as_str() == word);
        match filler {
            Some(filler) => Some(Self::By(filler)),
            None => (word == "none").then_some(Self::None),
        }
    }
}

impl Word for RetryWord {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "connect" => Some(Self::Connect),
            "timeout" => Some(Self::Timeout),
            "5xx" => Some(Self::ServerError),
            "429" => Some(Self::TooMany),
            _ => None,
        }
    }
}
