//! The promises, one function each.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Arrival, Breach, Broken, Followed, History, Promise, Sight, Told, answer_body, calls_back,
    keys, request_body,
};
use crate::expect::FINISHED;

/// One job and everything that was seen of it.
struct Job<'a> {
    id: &'a str,
    promise: Promise,
    disk_failed: bool,
    sights: Vec<&'a Sight>,
    arrivals: Vec<&'a Arrival>,
    followed: Vec<&'a Followed>,
    told: Vec<&'a Told>,
}

/// What one function has to say.
type Found = Option<(Breach, String)>;

pub(super) fn broken(history: &History, ended: bool) -> Vec<Broken> {
    let mut sights: BTreeMap<&str, Vec<&Sight>> = BTreeMap::new();
    for (id, sight) in &history.sights {
        sights.entry(id).or_default().push(sight);
    }
    let mut arrivals: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
    for arrival in &history.arrivals {
        arrivals.entry(&arrival.job).or_default().push(arrival);
    }
    let mut followed: BTreeMap<&str, Vec<&Followed>> = BTreeMap::new();
    for (id, read) in &history.followed {
        followed.entry(id).or_default().push(read);
    }
    let mut told: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for call in &history.told {
        told.entry(&call.job).or_default().push(call);
    }
    let mut broken = Vec::new();
    for (id, promise) in &history.promises {
        let job = Job {
            id,
            promise: *promise,
            disk_failed: history.disk_failed,
            sights: sights.remove(id.as_str()).unwrap_or_default(),
            arrivals: arrivals.remove(id.as_str()).unwrap_or_default(),
            followed: followed.remove(id.as_str()).unwrap_or_default(),
            told: told.remove(id.as_str()).unwrap_or_default(),
        };
        broken.extend(job.look(ended));
    }
    broken.extend(keys::run_twice(history, ended));
    broken
}

impl Job<'_> {
    fn look(&self, ended: bool) -> impl Iterator<Item = Broken> {
        let found = [
            self.lost(),
            self.ended_twice(),
            self.unfinished().filter(|_| ended),
            self.failed(),
            self.other_answer(),
            self.other_request(),
            self.undercounted(),
            self.sent_again(),
            self.attempt_sent_twice(),
            self.other_bytes(),
            self.told_otherwise(),
            self.untold().filter(|_| ended),
        ];
        found.into_iter().flatten().map(|(promise, seen)| Broken {
            job: self.id.to_owned(),
            promise,
            seen,
        })
    }

    /// A brief job may be gone once it can have ended: the backend has seen it, or a crash left open
    /// whether it has, and its request may not be repeated.
    fn lost(&self) -> Found {
        let gone = self.sights.iter().any(|sight| **sight == Sight::Gone);
        let can_have_ended = !self.arrivals.is_empty() || !self.promise.repeatable;
        let lost = gone && !(self.promise.brief && can_have_ended);
        lost.then(|| (Breach::Lost, format!("no such job: {:?}", self.promise)))
    }

    /// Whatever was seen of an end is seen again, and nothing comes after being gone.
    fn ended_twice(&self) -> Found {
        let mut end: Option<&Sight> = None;
        let mut answer: Option<&Sight> = None;
        let mut gone = false;
        for sight in &self.sights {
            let differs = |before: Option<&Sight>| before.is_some_and(|before| before != *sight);
            let again = match sight {
                Sight::Gone => {
                    gone = true;
                    false
                }
                Sight::Status { status, .. } if FINISHED.contains(&status.as_str()) => {
                    let differs = differs(end);
                    end = Some(sight);
                    differs || gone
                }
                Sight::Status { .. } => end.is_some() || gone,
                Sight::Answer { .. } => {
                    let differs = differs(answer);
                    answer = Some(sight);
                    differs || gone
                }
            };
            if again {
                let seen = format!("first {end:?}, then {}", short(sight));
                return Some((Breach::EndedTwice, seen));
            }
        }
        None
    }

    fn unfinished(&self) -> Found {
        let finished = |sight: &&Sight| match sight {
            Sight::Gone => true,
            Sight::Status { status, .. } => FINISHED.contains(&status.as_str()),
            Sight::Answer { .. } => false,
        };
        let last = self
            .sights
            .iter()
            .rfind(|sight| !matches!(sight, Sight::Answer { .. }));
        match last {
            Some(sight) if finished(sight) => None,
            other => Some((Breach::Unfinished, format!("last seen: {other:?}"))),
        }
    }

    /// The backend of these histories answers everything, so only a crash can fail a job, or a disk
    /// that would not take its answer.
    fn failed(&self) -> Found {
        let wrong = |sight: &&&Sight| match sight {
            Sight::Status { status, code, .. } => match status.as_str() {
                "failed" => match code.as_deref() {
                    Some("interrupted") => self.promise.repeatable,
                    Some("store-unavailable") => !self.disk_failed,
                    _ => true,
                },
                "queued" | "processing" | "succeeded" => false,
                _ => true,
            },
            Sight::Gone | Sight::Answer { .. } => false,
        };
        let sight = self.sights.iter().find(wrong)?;
        Some((Breach::Failed, short(sight)))
    }

    /// What the backend has answered.
    fn sent(&self) -> BTreeSet<Vec<u8>> {
        let number = self.promise.number;
        let arrivals = self.arrivals.iter();
        arrivals
            .map(|arrival| answer_body(number, arrival.index).into_bytes())
            .collect()
    }

    fn other_answer(&self) -> Found {
        let sent = self.sent();
        let wrong = |sight: &&&Sight| match sight {
            Sight::Answer { status, body } => *status != 200 || !sent.contains(body),
            _ => false,
        };
        let sight = self.sights.iter().find(wrong)?;
        Some((Breach::OtherAnswer, short(sight)))
    }

    fn other_request(&self) -> Found {
        let own = request_body(self.promise.number);
        let wrong = |arrival: &&&Arrival| {
            let (body, whole) = &arrival.body;
            let same = match whole {
                true => own.as_bytes() == body,
                false => own.as_bytes().starts_with(body),
            };
            !same || arrival.number != self.promise.number
        };
        let arrival = self.arrivals.iter().find(wrong)?;
        let (number, len) = (arrival.number, arrival.body.0.len());
        Some((
            Breach::OtherRequest,
            format!("number {number}, {len} bytes"),
        ))
    }

    /// Only what was said last counts: the backend may see it again after an earlier look.
    fn undercounted(&self) -> Found {
        let said = self.sights.iter().rev().find_map(|sight| match sight {
            Sight::Status {
                status, executions, ..
            } if FINISHED.contains(&status.as_str()) => Some(*executions),
            _ => None,
        })?;
        let seen = self.arrivals.len() as u64;
        (seen > said).then(|| {
            (
                Breach::Undercounted,
                format!("seen {seen} times, said {said}"),
            )
        })
    }

    fn sent_again(&self) -> Found {
        let seen = self.arrivals.len();
        let again = !self.promise.repeatable && seen > 1;
        again.then(|| (Breach::SentAgain, format!("seen {seen} times")))
    }

    fn attempt_sent_twice(&self) -> Found {
        let mut attempts = BTreeSet::new();
        let twice = self
            .arrivals
            .iter()
            .find(|arrival| !attempts.insert(arrival.attempt))?;
        Some((
            Breach::AttemptSentTwice,
            format!("attempt {}", twice.attempt),
        ))
    }

    /// Of a job that was sent again it may be another answer than the one that is stored: the end of
    /// an answer is told before the commit that keeps it (`docs/design/0010-follow.md`).
    fn other_bytes(&self) -> Found {
        let sent = self.sent();
        let right = |read: &Followed| match read.whole {
            true => sent.contains(&read.bytes),
            false => sent.iter().any(|answer| answer.starts_with(&read.bytes)),
        };
        let read = self.followed.iter().find(|read| !right(read))?;
        let (len, whole) = (read.bytes.len(), read.whole);
        Some((Breach::OtherBytes, format!("{len} bytes, whole: {whole}")))
    }

    /// The status documents that show an end.
    fn ends(&self) -> impl Iterator<Item = (&Sight, &str)> {
        self.sights.iter().filter_map(|sight| match sight {
            Sight::Status { status, .. } if FINISHED.contains(&status.as_str()) => {
                Some((*sight, status.as_str()))
            }
            _ => None,
        })
    }

    fn told_otherwise(&self) -> Found {
        let first = self.told.first()?;
        let end = self.ends().next();
        let wrong = |told: &&&Told| {
            let status = match &told.sight {
                Sight::Status { status, .. } => status.as_str(),
                _ => "",
            };
            told.event != first.event
                || !FINISHED.contains(&status)
                || told.kind != format!("job.{status}")
                || end.is_some_and(|(end, _)| *end != told.sight)
        };
        let told = self.told.iter().find(wrong)?;
        Some((Breach::ToldOtherwise, format!("{told:?}, seen {end:?}")))
    }

    fn untold(&self) -> Found {
        let (_, status) = self.ends().next()?;
        let untold = calls_back(self.promise.number) && self.told.is_empty();
        untold.then(|| (Breach::Untold, status.to_owned()))
    }
}

/// A sight without all the bytes of its body.
fn short(sight: &Sight) -> String {
    match sight {
        Sight::Answer { status, body } => {
            let head = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            format!("{status}, {} bytes: {head:?}", body.len())
        }
        other => format!("{other:?}"),
    }
}
