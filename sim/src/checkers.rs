//! The judges: each reads the history of a run and says what it may not contain. They know nothing
//! of the workloads that made it.

mod bounded;
mod exact_replay;
mod no_duplicate;
mod no_lost_ticket;
mod one_outcome;

use crate::history::Event;

/// One judge.
pub struct Checker {
    /// Its name.
    pub name: &'static str,
    /// What it finds wrong, in words.
    pub check: fn(&[Event]) -> Vec<String>,
}

/// All judges.
pub const ALL: &[Checker] = &[
    Checker {
        name: "one_outcome",
        check: one_outcome::check,
    },
    Checker {
        name: "exact_replay",
        check: exact_replay::check,
    },
    Checker {
        name: "no_duplicate",
        check: no_duplicate::check,
    },
    Checker {
        name: "no_lost_ticket",
        check: no_lost_ticket::check,
    },
    Checker {
        name: "bounded",
        check: bounded::check,
    },
];
