//! How far attempts say they are. In memory: a report is news, not a promise, and who lost it with
//! a crash has lost the attempt too.
//!
//! A backend reports to a URL with a token that only this process could have made for that attempt,
//! so the token needs no store and ends with the process. A report may come before there is a job:
//! while a client is still held, nobody knows whether there will be one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use http::HeaderValue;
use raincheck_core::ambient::Ambient;
use raincheck_core::id::JobId;
use raincheck_core::job::{Job, Status};
use raincheck_core::limits::PROGRESS_JOBS;
use serde_json::{Number, Value};
use siphasher::sip::SipHasher24;

use crate::{Error, Runner};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Bytes of a report's URL after its base, at most.
const URL_TAIL_BYTES: usize = 1 + 36 + "/progress/".len() + 10 + 1 + 16;

/// What a backend reports.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// From 0 to 100.
    pub percent: Option<Number>,
    /// For people.
    pub message: Option<String>,
    /// For programs.
    pub data: Option<Value>,
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// The token is not that of the attempt, or the attempt is over.
    #[error("the attempt is over, or the token is not its own")]
    Over,
    /// The store cannot say how the job stands.
    #[error(transparent)]
    Store(Error),
}

/// The last report of each attempt that made one.
pub(crate) struct Reports {
    key: [u8; 16],
    base: OnceLock<String>,
    known: Mutex<Known>,
    count: AtomicUsize,
}

#[derive(Default)]
struct Known {
    reports: HashMap<JobId, Report>,
    /// In the order of their first report: the oldest gives way to a new one.
    order: VecDeque<JobId>,
}

struct Report {
    attempt: u32,
    version: u64,
    progress: Progress,
}

impl Reports {
    pub(crate) fn new(ambient: &dyn Ambient) -> Self {
        let mut key = [0; 16];
        ambient.fill(&mut key);
        Self {
            key,
            base: OnceLock::new(),
            known: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// A keyed hash with an output that nobody can guess without the key (SipHash-2-4).
    fn token(&self, job: JobId, attempt: u32) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(job.as_bytes());
        hasher.write_u32(attempt);
        hasher.finish()
    }

    /// Where an attempt reports; none before it is known how backends reach us.
    pub(crate) fn url(&self, job: JobId, attempt: u32) -> Option<HeaderValue> {
        let base = self.base.get()?;
        let token = self.token(job, attempt);
        // Every attempt has one, so it is written in place and not through formatting.
        let mut url = Vec::with_capacity(base.len() + URL_TAIL_BYTES);
        url.extend_from_slice(base.as_bytes());
        url.push(b'/');
        url.extend_from_slice(&job.text());
        url.extend_from_slice(b"/progress/");
        match u8::try_from(attempt) {
            Ok(digit @ 0..=9) => url.push(b'0' + digit),
            _ => url.extend_from_slice(attempt.to_string().as_bytes()),
        }
        url.push(b'-');
        for byte in token.to_be_bytes() {
            url.push(HEX[usize::from(byte >> 4)]);
            url.push(HEX[usize::from(byte & 15)]);
        }
        HeaderValue::from_bytes(&url).ok()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, job: JobId, attempt: u32, progress: Progress) -> Result<(), Untold> {
        let mut known = self.known();
        let Known { reports, order } = &mut *known;
        if !reports.contains_key(&job) {
            if order.len() >= PROGRESS_JOBS
                && let Some(oldest) = order.pop_front()
            {
                reports.remove(&oldest);
            }
            order.push_back(job);
        }
        let report = reports.entry(job).or_insert_with(|| Report {
            attempt,
            version: 0,
            progress: Progress::default(),
        });
        if attempt < report.attempt {
            return Err(Untold::Over);
        }
        report.attempt = attempt;
        report.version += 1;
        report.progress = progress;
        self.count.store(order.len(), Ordering::Release);
        Ok(())
    }

    fn of(&self, job: &Job) -> Option<(u64, Progress)> {
        if self.count.load(Ordering::Acquire) == 0 || job.status() != Status::Processing {
            return None;
        }
        let known = self.known();
        let report = known.reports.get(&job.id())?;
        (report.attempt == job.attempt()).then(|| (report.version, report.progress.clone()))
    }
}

impl Runner {
    /// Attempts are told from now on to report below this URL, which ends with the jobs path.
    /// Counts the first time.
    pub fn reports_at(&self, base: String) {
        _ = self.shared.reports.base.set(base);
    }

    /// Where an attempt reports its progress.
    pub fn progress_url(&self, job: JobId, attempt: u32) -> Option<HeaderValue> {
        self.shared.reports.url(job, attempt)
    }

    /// What the attempt that runs has reported last, with a number that grows with each report.
    pub fn progress(&self, job: &Job) -> Option<(u64, Progress)> {
        self.shared.reports.of(job)
    }

    /// Takes the report of an attempt and tells who watches its job.
    ///
    /// # Errors
    /// See [`Untold`].
    pub async fn report(
        &self,
        job: JobId,
        (attempt, token): (u32, u64),
        progress: Progress,
    ) -> Result<(), Untold> {
        let reports = &self.shared.reports;
        if reports.token(job, attempt) != token {
            return Err(Untold::Over);
        }
        match self.job(job).await {
            Ok(job) if job.status() != Status::Processing || job.attempt() != attempt => {
                return Err(Untold::Over);
            }
            // Not a job yet: its client is still held.
            Ok(_) | Err(Error::NotFound) => {}
            Err(error) => return Err(Untold::Store(error)),
        }
        reports.enter(job, attempt, progress)?;
        self.shared.watchers.notify(job);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Who may report, and for how many jobs.

    use raincheck_core::ambient::{Clock, Entropy};
    use raincheck_core::id::JobId;
    use raincheck_core::limits::PROGRESS_JOBS;
    use raincheck_core::time::Timestamp;

    use super::{Progress, Reports};

    struct Fixed(u8);

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1)
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn job(number: u32) -> JobId {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        JobId::from_parts(Timestamp::from_millis(1), random)
    }

    #[test]
    fn a_token_is_for_one_attempt_of_one_job_in_one_process() {
        let reports = Reports::new(&Fixed(1));
        let token = reports.token(job(1), 1);
        assert_ne!(token, reports.token(job(1), 2));
        assert_ne!(token, reports.token(job(2), 1));
        assert_ne!(token, Reports::new(&Fixed(2)).token(job(1), 1));
        assert!(
            reports.url(job(1), 1).is_none(),
            "nobody knows how we are reached"
        );
        reports.base.set("http://gw/jobs".to_owned()).unwrap();
        for attempt in [1, 9, 10, u32::MAX] {
            let (url, token) = (reports.url(job(1), attempt), reports.token(job(1), attempt));
            let wanted = format!("http://gw/jobs/{}/progress/{attempt}-{token:016x}", job(1));
            assert_eq!(url.unwrap(), wanted.as_str());
        }
    }

    #[test]
    fn a_later_attempt_takes_the_place_of_an_earlier_one() {
        let reports = Reports::new(&Fixed(1));
        for (attempt, taken) in [(1, true), (1, true), (2, true), (1, false), (2, true)] {
            let told = reports.enter(job(1), attempt, Progress::default());
            assert_eq!(told.is_ok(), taken);
        }
        assert_eq!(reports.known().reports[&job(1)].version, 4);
    }

    #[test]
    fn the_oldest_gives_way() {
        let reports = Reports::new(&Fixed(1));
        let more = u32::try_from(PROGRESS_JOBS).unwrap() + 10;
        for number in 0..more {
            reports.enter(job(number), 1, Progress::default()).unwrap();
        }
        let known = reports.known();
        assert_eq!(
            (known.reports.len(), known.order.len()),
            (PROGRESS_JOBS, PROGRESS_JOBS)
        );
        assert!(!known.reports.contains_key(&job(9)) && known.reports.contains_key(&job(10)));
    }
}
