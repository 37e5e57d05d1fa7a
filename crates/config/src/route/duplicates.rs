//! The keys of a route that say what becomes of requests that are repeated.

use http::HeaderName;
use raincheck_core::route::{Duplicates, KeyUse, OnDisconnect, OnDuplicate};

use crate::error::Findings;
use crate::section::{Given, Section};
use crate::value::{Choice, OrNone, Word};

/// These keys as written.
#[derive(Debug, Default)]
pub(crate) struct WrittenDuplicates {
    pub(crate) key: Option<Given<Choice<KeyUse>>>,
    pub(crate) on_unfinished: Option<Given<Choice<OnDuplicate>>>,
    pub(crate) dedupe: Option<Given<OrNone>>,
    pub(crate) fields: Option<Given<Vec<HeaderName>>>,
    pub(crate) caller: Option<Given<Vec<HeaderName>>>,
}

impl WrittenDuplicates {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            key: section.get("idempotency_key", findings),
            on_unfinished: section.get("duplicate", findings),
            dedupe: section.get("dedupe", findings),
            fields: section.get("fingerprint_headers", findings),
            caller: section.get("caller_headers", findings),
        }
    }

    pub(super) fn resolve(&self, on_disconnect: Option<OnDisconnect>) -> Duplicates {
        let default = Duplicates::default();
        let (key, unfinished) = (self.key.as_ref(), self.on_unfinished.as_ref());
        Duplicates {
            key: key.map_or(default.key, |given| given.value.0),
            on_unfinished: unfinished.map_or(default.on_unfinished, |given| given.value.0),
            dedupe: self.dedupe.as_ref().and_then(|given| given.value.0),
            fields: names(self.fields.as_ref()).unwrap_or(default.fields),
            caller: names(self.caller.as_ref()).unwrap_or(default.caller),
            on_disconnect: on_disconnect.unwrap_or(default.on_disconnect),
        }
    }
}

fn names(given: Option<&Given<Vec<HeaderName>>>) -> Option<Vec<HeaderName>> {
    given.map(|given| given.value.clone())
}

impl Word for KeyUse {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            "ignored" => Some(Self::Ignored),
            _ => None,
        }
    }
}

impl Word for OnDuplicate {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "join" => Some(Self::Join),
            "conflict" => Some(Self::Conflict),
            _ => None,
        }
    }
}
