//! Every exit code there is, what it means, and which error has which. `docs/reference/exit-codes.md`
//! is printed from here.

use std::fmt;
use std::io;
use std::process::ExitCode;

use raincheck_store_local::{BackupError, OpenError};

use crate::output;

/// How a command ended. The numbers never change their meaning; where there is a word for one in
/// `sysexits.h`, it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// All went well.
    Ok,
    /// Nothing below fits.
    Unexpected,
    /// The job failed.
    JobFailed,
    /// The job was cancelled.
    JobCancelled,
    /// The job's deadline passed before it ran.
    JobExpired,
    /// There is no such job.
    JobNotFound,
    /// The job had not ended when `--timeout` passed.
    JobUnfinished,
    /// The gateway refused the request.
    Refused,
    /// There is an answer, with a status of 400 or above.
    ErrorAnswer,
    /// `submit` got the answer itself instead of a ticket.
    NoTicket,
    /// Wrong command line or config.
    Usage,
    /// The data directory is damaged.
    StoreDamaged,
    /// The gateway cannot be reached.
    Unreachable,
    /// An address cannot be listened on.
    PortInUse,
    /// There is something else where the data directory should be, or none.
    StoreNotCreated,
    /// The disk failed.
    StoreFailed,
    /// Another process has the data directory.
    StoreInUse,
    /// The data directory was written by a later version.
    StoreNewer,
    /// The data directory cannot be written.
    StoreReadOnly,
    /// The disk is full.
    StoreFull,
    /// Ctrl-C.
    Interrupted,
}

impl Code {
    /// All of them, by number.
    pub const ALL: [Self; 21] = [
        Self::Ok,
        Self::Unexpected,
        Self::JobFailed,
        Self::JobCancelled,
        Self::JobExpired,
        Self::JobNotFound,
        Self::JobUnfinished,
        Self::Refused,
        Self::ErrorAnswer,
        Self::NoTicket,
        Self::Usage,
        Self::StoreDamaged,
        Self::Unreachable,
        Self::PortInUse,
        Self::StoreNotCreated,
        Self::StoreFailed,
        Self::StoreInUse,
        Self::StoreNewer,
        Self::StoreReadOnly,
        Self::StoreFull,
        Self::Interrupted,
    ];

    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unexpected => 1,
            Self::JobFailed => 2,
            Self::JobCancelled => 3,
            Self::JobExpired => 4,
            Self::JobNotFound => 5,
            Self::JobUnfinished => 6,
            Self::Refused => 7,
            Self::ErrorAnswer => 8,
            Self::NoTicket => 9,
            Self::Usage => 64,
            Self::StoreDamaged => 65,
            Self::Unreachable => 69,
            Self::PortInUse => 71,
            Self::StoreNotCreated => 73,
            Self::StoreFailed => 74,
            Self::StoreInUse => 75,
            Self::StoreNewer => 76,
            Self::StoreReadOnly => 77,
            Self::StoreFull => 79,
            Self::Interrupted => 130,
        }
    }

    /// The word for programs, next to the number in `--json` errors.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unexpected => "unexpected",
            Self::JobFailed => "job_failed",
            Self::JobCancelled => "job_cancelled",
            Self::JobExpired => "job_expired",
            Self::JobNotFound => "job_not_found",
            Self::JobUnfinished => "job_unfinished",
            Self::Refused => "refused",
            Self::ErrorAnswer => "error_answer",
            Self::NoTicket => "no_ticket",
            Self::Usage => "usage",
            Self::StoreDamaged => "store_damaged",
            Self::Unreachable => "unreachable",
            Self::PortInUse => "port_in_use",
            Self::StoreNotCreated => "store_not_created",
            Self::StoreFailed => "store_failed",
            Self::StoreInUse => "store_in_use",
            Self::StoreNewer => "store_newer",
            Self::StoreReadOnly => "store_read_only",
            Self::StoreFull => "store_full",
            Self::Interrupted => "interrupted",
        }
    }

    /// What it means and what to do, in a sentence or two.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => {
                "All went well. For `wait`: the job succeeded, and its answer has a status below \
                 400. Also when whoever reads stdout closes it early."
            }
            Self::Unexpected => {
                "Something went wrong that has no code of its own; stderr says what."
            }
            Self::JobFailed => {
                "`wait`: the job failed. If the backend answered at last, that answer is on stdout."
            }
            Self::JobCancelled => "`wait`: the job was cancelled.",
            Self::JobExpired => "`wait`: the job's deadline passed while it waited in the queue.",
            Self::JobNotFound => {
                "There is no such job: the id is wrong, or the job was forgotten after its \
                 retention."
            }
            Self::JobUnfinished => {
                "`wait`: the job had not ended when `--timeout` passed. It goes on; wait again."
            }
            Self::Refused => {
                "The gateway refused the request with a problem, or the job is in a state that \
                 does not allow it."
            }
            Self::ErrorAnswer => {
                "`wait`, `submit`: the backend's answer has a status of 400 or above. Its body is \
                 on stdout as always."
            }
            Self::NoTicket => {
                "`submit` without `--wait`: the answer came at once instead of a ticket, so there \
                 is no job. The answer's body is on stdout."
            }
            Self::Usage => {
                "A mistake in the command line or in the config; all of them are listed. Nothing \
                 was started."
            }
            Self::StoreDamaged => {
                "The data directory is damaged. Copy it before anything else, then see what \
                 `raincheck verify` finds, or restore a backup."
            }
            Self::Unreachable => "The gateway cannot be reached: wrong URL, or it is not running.",
            Self::PortInUse => {
                "An address cannot be listened on: the port is in use, not allowed, or the address \
                 is not one of this machine."
            }
            Self::StoreNotCreated => {
                "There is something else where the data directory should be, or, for `verify` and \
                 `backup`, none at all. Also for a backup to a directory that is not empty."
            }
            Self::StoreFailed => {
                "The disk of the data directory failed while opening or while running. No ticket \
                 was given for what could not be written."
            }
            Self::StoreInUse => "The data directory is in use by another process.",
            Self::StoreNewer => {
                "The data directory was written by a later version. Use that version, or a later \
                 one."
            }
            Self::StoreReadOnly => {
                "The data directory cannot be written: check its owner, its mode and its mount."
            }
            Self::StoreFull => "The disk of the data directory is full.",
            Self::Interrupted => {
                "Ctrl-C. A job that was being waited for goes on; stderr says how to come back."
            }
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// An error whose code is known where it happens.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// What happened and what to do, for a person.
    pub message: String,
}

impl Failure {
    /// An error with this code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The code of an error: of the first of its causes that has one.
pub fn of(error: &anyhow::Error) -> Code {
    error.chain().find_map(of_cause).unwrap_or(Code::Unexpected)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(failure.code);
    }
    if cause.is::<raincheck_config::Errors>() {
        return Some(Code::Usage);
    }
    if cause.is::<output::Closed>() {
        return Some(Code::Ok);
    }
    if let Some(error) = cause.downcast_ref::<OpenError>() {
        return Some(of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<BackupError>() {
        return Some(match error {
            BackupError::Source(error) | BackupError::Target(error) => of_store(error),
            BackupError::NotEmpty(_) => Code::StoreNotCreated,
        });
    }
    let io = cause.downcast_ref::<io::Error>()?;
    matches!(
        io.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
    .then_some(Code::PortInUse)
}

fn of_store(error: &OpenError) -> Code {
    match error {
        OpenError::InUse { .. } => Code::StoreInUse,
        OpenError::Newer { .. } => Code::StoreNewer,
        // A directory that has our database has been one of ours.
        OpenError::NotAStore { path, .. } if path.extension().is_some_and(|end| end == "db") => {
            Code::StoreDamaged
        }
        OpenError::NotAStore { .. } => Code::StoreNotCreated,
        OpenError::Damaged { .. } => Code::StoreDamaged,
        OpenError::ReadOnly { .. } => Code::StoreReadOnly,
        OpenError::Full { .. } => Code::StoreFull,
        OpenError::Io { .. } => Code::StoreFailed,
    }
}

/// The page `docs/reference/exit-codes.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Exit codes\n\nWith `--json` an error is one line of JSON on stderr: `{\"error\":\"...\",\
         \"exit_code\":69,\"exit_word\":\"unreachable\",\"findings\":null}`; mistakes in a config are \
         its `findings`.\n\n\
         | code | word | meaning |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let (number, word, meaning) = (code.number(), code.word(), code.meaning());
        page.push_str(&format!("| {number} | `{word}` | {meaning} |\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    //! Each error has its own code, and none is printed twice.

    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        let numbers: Vec<u8> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        let distinct: BTreeSet<_> = Code::ALL
            .iter()
            .map(|code| (code.number(), code.word()))
            .collect();
        assert_eq!(distinct.len(), Code::ALL.len());
    }

    #[test]
    fn a_cause_keeps_its_code_below_any_context() {
        let path = PathBuf::from("/data");
        let stores = [
            (
                OpenError::InUse {
                    path: path.clone(),
                    pid: Some(7),
                },
                Code::StoreInUse,
            ),
            (OpenError::Full { path: path.clone() }, Code::StoreFull),
            (
                OpenError::Newer {
                    path: path.clone(),
                    found: 9,
                    known: 1,
                },
                Code::StoreNewer,
            ),
            (
                OpenError::NotAStore {
                    path,
                    why: "a file".into(),
                },
                Code::StoreNotCreated,
            ),
        ];
        for (error, code) in stores {
            let wrapped = Err::<(), _>(error).context("the store").context("start");
            assert_eq!(of(&wrapped.unwrap_err()), code);
        }
        let port = io::Error::from(io::ErrorKind::AddrInUse);
        assert_eq!(
            of(&anyhow::Error::new(port).context("listen")),
            Code::PortInUse
        );
        assert_eq!(of(&anyhow::anyhow!("odd")), Code::Unexpected);
    }
}
