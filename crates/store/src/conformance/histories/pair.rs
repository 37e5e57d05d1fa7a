//! One history on two engines.

use std::fmt::Debug;
use std::time::Duration;

use raincheck_core::callback::{Try, TryOutcome};
use raincheck_core::id::FencingToken;
use raincheck_core::job::{Event, Job, apply, submit, submit_started};
use raincheck_core::key::Fingerprint;
use raincheck_core::outcome::Seen;
use raincheck_core::time::Timestamp;

use super::ops::{JOBS, Op, ROUTES, View, What};
use super::sight::{Sight, digest};
use crate::conformance::make::{self, DEADLINE, at, id, route};
use crate::conformance::{Bench, Engine};
use crate::{Change, Error, NewKey, Store};

/// Runs one history on two engines and compares all that can be seen of them after each step.
pub async fn history(engine: impl Engine, measure: impl Engine, ops: &[Op]) {
    let mut pair = Pair {
        engine: Bench::in_one_life(engine).await,
        measure: Bench::in_one_life(measure).await,
        previous: [const { None }; JOBS as usize],
        step: 0,
    };
    for op in ops {
        pair.step += 1;
        pair.run(op).await;
        pair.compare().await;
    }
}

struct Pair<A, B> {
    engine: Bench<A>,
    measure: Bench<B>,
    /// Each job before its latest change.
    previous: [Option<Job>; JOBS as usize],
    step: u64,
}

/// Compares errors by what a caller can act on.
fn coarse<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| match error {
        Error::Full(_) => Error::Full(String::new()),
        Error::Corrupt(_) => Error::Corrupt(String::new()),
        Error::Unavailable(_) => Error::Unavailable(String::new()),
        exact
        @ (Error::Conflict { .. } | Error::Exists(_) | Error::Fenced(_) | Error::Taken(_)) => exact,
    })
}

impl<A: Engine, B: Engine> Pair<A, B> {
    fn now(&self) -> Timestamp {
        at(self.step * 1000)
    }

    fn same<T: PartialEq + Debug>(&self, what: &str, engine: T, measure: T) -> T {
        assert_eq!(engine, measure, "{what} at step {}", self.step);
        engine
    }

    async fn run(&mut self, op: &Op) {
        match op {
            Op::Submit {
                job,
                started,
                body,
                key,
            } => {
                let key = self.new_key(*key).await;
                self.submit(*job, *started, *body, key).await;
            }
            Op::Happen { job, what, view } => self.happen(*job, what, *view).await,
            Op::Lease {
                route,
                ahead,
                limit,
            } => self.lease(ROUTES[*route], *ahead, *limit).await,
            Op::LeaseOne(job) => {
                let (now, until) = (self.now(), self.until(*job));
                let engine = self.engine.lease_one(id(*job), now, until);
                let measure = self.measure.lease_one(id(*job), now, until);
                self.same("lease_one", engine, measure);
            }
            Op::Renew(job) => {
                let until = self.until(*job);
                let engine = self.engine.renew(id(*job), until);
                let measure = self.measure.renew(id(*job), until);
                self.same("renew", engine, measure);
            }
            Op::Release(job) => {
                self.engine.release(id(*job));
                self.measure.release(id(*job));
            }
            Op::Lapse => {
                let mut engine = self.engine.lapsed(self.now());
                let mut measure = self.measure.lapsed(self.now());
                engine.sort();
                measure.sort();
                self.same("lapsed", engine, measure);
            }
            Op::Reopen => {
                self.engine.reopen().await;
                self.measure.reopen().await;
            }
        }
    }

    fn until(&self, job: u8) -> Timestamp {
        self.now().after(Duration::from_secs(u64::from(job) * 3))
    }

    /// A key to take, where it is from the job that has it.
    async fn new_key(&self, key: Option<(u8, bool)>) -> Option<NewKey> {
        let (number, replaces) = key?;
        let taken = self.measure.key(digest(number)).await.unwrap();
        Some(NewKey {
            digest: digest(number),
            fingerprint: Fingerprint([number; 16]),
            replaces: taken.filter(|_| replaces).map(|taken| taken.job),
        })
    }

    async fn submit(&mut self, number: u8, started: bool, body: usize, key: Option<NewKey>) {
        let name = ROUTES[usize::from(number) % ROUTES.len()];
        let mut submission = make::submission(number, name);
        submission.callback = (number % 2 == 1).then(|| make::callback(number.into()));
        let transition = if started {
            submit_started(submission, self.now())
        } else {
            submit(submission, self.now())
        };
        let put = make::put(transition);
        let mut answers = Vec::new();
        for store in [self.engine.handle(), self.measure.handle()] {
            let mut put = put.clone();
            let body = store_body(&*store, body).await;
            put.request = Some(make::request(body).into());
            put.key = key;
            answers.push(coarse(store.commit(Change::Put(Box::new(put))).await));
        }
        let [engine, measure] = &answers[..] else {
            return;
        };
        if self.same("submit", engine, measure).is_ok() {
            self.previous[usize::from(number)] = None;
        }
    }

    async fn happen(&mut self, number: u8, what: &What, view: View) {
        let Some(stored) = self.measure.job(id(number)).await.unwrap() else {
            return;
        };
        let previous = self.previous[usize::from(number)].clone();
        let job = match view {
            View::Stale => previous.unwrap_or(stored.clone()),
            View::Fresh | View::Fenced => stored.clone(),
        };
        // Deadlines lie beyond the end of a history, so that expiry looks from later.
        let now = match what {
            What::Expire => self.now().after(2 * DEADLINE),
            _ => self.now(),
        };
        let Ok(transition) = apply(&job, &self.event(&job, what), now) else {
            return;
        };
        let fence = fence(&job, what, view);
        let next = transition.next.as_ref();
        let answer = next.and_then(|next| next.response().cloned());
        let change = make::change(id(number), transition);
        let mut answers = Vec::new();
        for store in [self.engine.handle(), self.measure.handle()] {
            let mut change = change.clone();
            if let Change::Put(put) = &mut change {
                put.fence = fence;
                if let Some(answer) = &answer {
                    let len = usize::try_from(answer.content_length).unwrap();
                    let body = store_body(&*store, len).await;
                    put.response = Some(make::response(job.attempt(), body).into());
                }
            }
            answers.push(coarse(store.commit(change).await));
        }
        let [engine, measure] = &answers[..] else {
            return;
        };
        if self.same("commit", engine, measure).is_ok() {
            self.previous[usize::from(number)] = Some(stored);
        }
    }

    fn event(&self, job: &Job, what: &What) -> Event {
        let token = job.token();
        match what {
            What::Start => Event::Start,
            What::Answer { body } => make::settle(job, make::answered(200, *body as u64)),
            What::Busy { seconds } => {
                let unique = Duration::from_millis(self.step);
                make::settle(job, make::busy(Duration::from_secs(*seconds) + unique))
            }
            What::Fail => make::settle(job, make::hopeless()),
            What::Cancel => Event::Cancel,
            What::Retry => Event::Retry,
            What::Rescue => Event::Rescue { token },
            What::HandBack => Event::HandBack {
                token,
                seen: Seen::Unsent,
            },
            What::Expire => Event::Expire,
            What::Forget => Event::Forget,
            What::Tried { status } => Event::Tried {
                delivery: latest(job),
                made: Try {
                    at: self.now(),
                    took: Duration::from_millis(self.step),
                    outcome: TryOutcome::Answered(*status),
                },
                wait: Some(Duration::from_millis(self.step)),
            },
            What::Redeliver => Event::Redeliver {
                delivery: latest(job),
            },
        }
    }

    async fn lease(&mut self, name: &str, ahead: u64, limit: usize) {
        let now = self.now().after(Duration::from_secs(ahead));
        let until = self.until(1);
        let engine = self.engine.lease(route(name), now, limit, until).await;
        let measure = self.measure.lease(route(name), now, limit, until).await;
        self.same("lease", coarse(engine), coarse(measure)).unwrap();
    }

    /// Compares all that can be seen.
    async fn compare(&self) {
        let engine = Sight::of(&*self.engine, self.now()).await;
        let measure = Sight::of(&*self.measure, self.now()).await;
        self.same("what is seen", engine, measure);
    }
}

/// The latest of its ends that was to be told.
fn latest(job: &Job) -> u32 {
    let deliveries = job.callback().map(|callback| &callback.deliveries);
    deliveries
        .and_then(|own| own.last())
        .map_or(0, |own| own.number)
}

fn fence(job: &Job, what: &What, view: View) -> Option<FencingToken> {
    let token = job.token();
    match (what, view) {
        (_, View::Fenced) => Some(FencingToken(token.0.saturating_sub(1))),
        (What::Answer { .. } | What::Busy { .. } | What::Fail, _) => Some(token),
        _ => None,
    }
}

async fn store_body(store: &dyn Store, len: usize) -> crate::Body {
    let mut writer = store.create();
    writer.append(make::bytes(len)).await.unwrap();
    writer.finish().await.unwrap()
}
