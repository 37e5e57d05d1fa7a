//! What may break a rule, and why. There is no other place for exceptions.
//!
//! An exception that nothing needs any more is reported too, so that this list only shrinks by
//! itself.

use crate::tidy::{Rule, Violation};

/// One rule that one file, or all files below a directory, need not follow.
struct Exception {
    rule: Rule,
    /// A file, or a directory with a `/` at its end.
    path: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: Rule::WallClock,
        path: "crates/raincheck/src/ambient.rs",
        reason: "the one place that reads the wall clock",
    },
    Exception {
        rule: Rule::RealClock,
        path: "xtask/src/ci.rs",
        reason: "the time a build step takes is real",
    },
    Exception {
        rule: Rule::RealClock,
        path: "sim/src/fleet.rs",
        reason: "the time that simulating takes is real",
    },
    Exception {
        rule: Rule::DeveloperPath,
        path: "xtask/src/tidy/portable.rs",
        reason: "the list of what is looked for",
    },
];

impl Exception {
    fn covers(&self, violation: &Violation) -> bool {
        let path = violation.path.as_str();
        let here = path == self.path || (self.path.ends_with('/') && path.starts_with(self.path));
        self.rule == violation.rule && here
    }
}

/// Takes out what is excepted. Also returns a line for each exception that nothing needed.
pub fn apply(found: Vec<Violation>) -> (Vec<Violation>, Vec<String>) {
    let unused = EXCEPTIONS
        .iter()
        .filter(|one| !found.iter().any(|violation| one.covers(violation)));
    let unused = unused.map(|Exception { rule, path, reason }| {
        format!(
            "xtask/src/tidy/exceptions.rs: {rule:?} for {path} ({reason}) is not needed; remove it"
        )
    });
    let unused = unused.collect();
    let rest = found
        .into_iter()
        .filter(|violation| !EXCEPTIONS.iter().any(|one| one.covers(violation)))
        .collect();
    (rest, unused)
}
