//! What clients and the backend saw over several lives of the gateway, and whether it kept its
//! promises. The checker knows nothing of how the history came about.

mod check;
mod keys;

use std::collections::BTreeMap;
use std::fmt;

/// What was asked of an acknowledged job. Everything else about it follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The number in its path.
    pub number: u64,
    /// Whether its request may be sent again by itself.
    pub repeatable: bool,
    /// Whether it is forgotten soon after its end.
    pub brief: bool,
}

/// What a client saw when it looked at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// There is no such job.
    Gone,
    /// Its status document.
    Status {
        /// The status.
        status: String,
        /// How often the backend may have seen it.
        executions: u64,
        /// When it ended.
        finished_at: Option<String>,
        /// Why it failed.
        code: Option<String>,
    },
    /// Its recorded answer.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// A request as the backend saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The job it was sent for.
    pub job: String,
    /// Which of its attempts.
    pub attempt: u32,
    /// The number in its path.
    pub number: u64,
    /// Which request of the backend's it was, from 0; the answer names it.
    pub index: u64,
    /// The body as far as it came, and whether it came whole.
    pub body: (Vec<u8>, bool),
}

/// What a follower had of an answer when it stopped reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The bytes, read at once or in parts.
    pub bytes: Vec<u8>,
    /// Whether it was told that these are all.
    pub whole: bool,
}

/// What the receiver of a job's callback was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of which job.
    pub job: String,
    /// The id of the message, which is the same each time it is sent.
    pub event: String,
    /// Its type.
    pub kind: String,
    /// The status document in it.
    pub sight: Sight,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Whose.
    pub job: String,
    /// Which one.
    pub promise: Breach,
    /// What was seen.
    pub seen: String,
}

/// Which promise was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// An acknowledged job is there until it is forgotten.
    Lost,
    /// A job ends once, and what was said of its end stays said.
    EndedTwice,
    /// A job ends.
    Unfinished,
    /// It fails only where a crash left open whether its request may be sent again.
    Failed,
    /// The answer is what the backend sent for this very job, byte for byte.
    OtherAnswer,
    /// What is sent is what the client sent.
    OtherRequest,
    /// `executions` is never less than what the backend saw.
    Undercounted,
    /// A request that may not be repeated is sent once.
    SentAgain,
    /// An attempt is sent once.
    AttemptSentTwice,
    /// A request that comes again under its key becomes another job only after one that ended
    /// without an answer, and only if that was never sent or may be repeated.
    RunTwice,
    /// What a follower reads is one answer from its first byte on, and ends where that ends.
    OtherBytes,
    /// What is told of an end is what is seen of it, and nothing is told before.
    ToldOtherwise,
    /// Who asked for it is told of the end.
    Untold,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: job {}: {}", self.promise, self.job, self.seen)
    }
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The jobs that a client was promised, by id.
    pub promises: BTreeMap<String, Promise>,
    /// What was seen of them, in this order.
    pub sights: Vec<(String, Sight)>,
    /// What the backend saw, in this order.
    pub arrivals: Vec<Arrival>,
    /// What followers read, by job.
    pub followed: Vec<(String, Followed)>,
    /// What the receiver was told.
    pub told: Vec<Told>,
    /// Whether the disk failed at times, so that an answer may not have been stored.
    pub disk_failed: bool,
}

impl History {
    /// Every promise that was not kept so far. `ended`: everything has come to rest and was looked
    /// at since.
    #[must_use]
    pub fn broken(&self, ended: bool) -> Vec<Broken> {
        check::broken(self, ended)
    }
}

/// The route of the request with this number, by its name.
#[must_use]
pub fn route(number: u64) -> &'static str {
    ["async", "auto", "async", "auto", "brief"][(number / 2 % 5) as usize]
}

/// Whether the request with this number may be sent again by itself.
#[must_use]
pub fn repeatable(number: u64) -> bool {
    number.is_multiple_of(2)
}

/// The key of the request with this number, if it has one. A key is forgotten with its job, so
/// brief jobs have none.
#[must_use]
pub fn key(number: u64) -> Option<String> {
    let keyed = number.is_multiple_of(3) && route(number) != "brief";
    keyed.then(|| format!("key {number}"))
}

/// Whether who sends the request with this number asks to be told of its end.
#[must_use]
pub fn calls_back(number: u64) -> bool {
    route(number) == "async" && matches!(number % 10, 1 | 4)
}

/// How much is sent: some fits into a row, some into memory, some needs a file.
const SIZES: [usize; 6] = [0, 10, 1000, 9000, 20_000, 100_000];

/// The body of the request with this number.
#[must_use]
pub fn request_body(number: u64) -> String {
    let padding = SIZES[(number % 6) as usize];
    format!("{number}:{}", "q".repeat(padding))
}

/// What the backend answers to the request with this number, if it is the one with this index.
#[must_use]
pub fn answer_body(number: u64, index: u64) -> String {
    let padding = SIZES[(number / 6 % 6) as usize];
    format!("{index}:{number}:{}", "a".repeat(padding))
}
