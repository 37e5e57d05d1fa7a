//! What is told of one job, from how it stands to its end, to whoever stays: streams of events,
//! WebSockets, answers that are kept alive.
//!
//! Nothing is kept for a reader: an item says how the job stands when it is asked for, and one that
//! was missed is overtaken by the next. So a slow reader gets fewer items, never old ones.

use std::time::Duration;

use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::limits::PROGRESS_EVENT_GAP;
use tokio::time::Instant;

use crate::{Error, Runner, Watch};

/// How a job stands: its revision, and the number of its attempt's last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Of the stored job.
    pub revision: u64,
    /// Zero before the first.
    pub report: u64,
}

/// How a job stands now.
pub fn position(runner: &Runner, job: &Job) -> Position {
    let report = runner.progress(job).map_or(0, |(version, _)| version);
    Position {
        revision: job.revision().0,
        report,
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.revision, self.report)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    /// As printed: `2.0`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (revision, report) = text.split_once('.').ok_or(())?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(drop),
            false => Err(()),
        };
        Ok(Self {
            revision: number(revision)?,
            report: number(report)?,
        })
    }
}

/// One thing to tell.
#[derive(Debug)]
pub enum Item {
    /// The job as it stands, which is new to the reader; its last if it is finished.
    Status(Job, Position),
    /// Only what its attempt reports is new.
    Report(Job, Position),
    /// Nothing for as long as was asked.
    Silence,
    /// Nothing more: the end was told, or too many wait and the reader is to come again.
    Over,
}

/// One reader of what happens to one job.
pub struct News {
    runner: Runner,
    id: JobId,
    /// None: the reader is told once.
    watch: Option<Watch>,
    seen: Option<Position>,
    told_at: Option<Instant>,
    over: bool,
}

impl News {
    /// News of a job for a reader who has seen it at `seen`. `watch` is older than any look of the
    /// reader at the job; without one, as too many wait, the reader is told once.
    pub fn new(runner: Runner, id: JobId, watch: Option<Watch>, seen: Option<Position>) -> Self {
        Self {
            runner,
            id,
            watch,
            seen,
            told_at: None,
            over: false,
        }
    }

    /// The job it is about.
    pub fn job(&self) -> JobId {
        self.id
    }

    /// The next thing to tell, or [`Item::Silence`] after `patience`. Cancel-safe.
    ///
    /// # Errors
    /// `NotFound` once the job is forgotten, or what the store says.
    pub async fn next(&mut self, patience: Duration) -> Result<Item, Error> {
        if self.over {
            return Ok(Item::Over);
        }
        let silent_at = Instant::now() + patience;
        loop {
            let until = match self.look().await? {
                Look::Told(item) => return Ok(*item),
                Look::Early(until) => until.min(silent_at),
                Look::Nothing => silent_at,
            };
            let Some(watch) = self.watch.as_mut() else {
                return Ok(Item::Over);
            };
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep_until(until) => if until == silent_at {
                    return Ok(Item::Silence);
                },
            }
        }
    }

    async fn look(&mut self) -> Result<Look, Error> {
        let job = self.runner.job(self.id).await?;
        let now = position(&self.runner, &job);
        if self.seen == Some(now) {
            self.over = job.status().is_finished();
            return Ok(match self.over {
                true => Look::Told(Box::new(Item::Over)),
                false => Look::Nothing,
            });
        }
        if let Some(until) = self.gap(now) {
            return Ok(Look::Early(until));
        }
        let report = self.seen.is_some_and(|seen| seen.revision == now.revision);
        self.seen = Some(now);
        self.told_at = Some(Instant::now());
        self.over = job.status().is_finished();
        Ok(Look::Told(Box::new(match report {
            true => Item::Report(job, now),
            false => Item::Status(job, now),
        })))
    }

    /// Until when a report must wait, as the last item is too fresh; a new status never waits.
    fn gap(&self, now: Position) -> Option<Instant> {
        let only_report = self.seen.is_some_and(|seen| seen.revision == now.revision);
        let over = self.told_at? + PROGRESS_EVENT_GAP;
        (only_report && Instant::now() < over).then_some(over)
    }
}

/// What a look at a job showed.
enum Look {
    /// Boxed, as it is rare and who waits holds the room for it.
    Told(Box<Item>),
    /// A report, too early.
    Early(Instant),
    Nothing,
}
