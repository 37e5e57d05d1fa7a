//! A gateway under load that dies and is started again, and the history of what was seen meanwhile.

mod calls;
mod eye;
mod followers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::backend::{Backend, Script, Seen, answer};
use crate::bound::{Must, WAIT, until};
use crate::dice::Dice;
use crate::event::Gate;
use crate::history::{
    Arrival, Breach, History, Promise, Sight, answer_body, calls_back, key, repeatable,
    request_body, route,
};
use crate::power::{Disk, Power, memory};
use crate::process::{Config, Exit, Home, Raincheck};
use crate::raw::Response;
use crate::request::Request;
use crate::wire::End;
use eye::{Eye, is_unfinished};

/// The codes with which the process ends when its disk fails, or is full.
const DISK_FAILED: i32 = 74;
const DISK_FULL: i32 = 79;
/// Clients that send at once.
const CLIENTS: usize = 6;
/// Clients that follow answers.
const FOLLOWERS: usize = 2;
/// Requests of one life: where all are refused, nothing else ends it.
const SENT_MAX: u64 = 400;

/// When a life ends: at the earliest of these.
#[derive(Clone, Copy, Debug)]
pub struct Doom {
    /// The call that writes, syncs or sends at which the process ends; 0: none.
    pub call: u64,
    /// Jobs acknowledged in this life.
    pub acknowledged: u64,
    /// Requests at the backend in this life.
    pub arrived: u64,
}

/// A gateway's data, its backend, and what was seen of both.
#[derive(Debug)]
pub struct Lives {
    /// Remembers what was synced.
    pub power: Power,
    backend: Backend,
    receiver: Backend,
    gate: Gate,
    home: Option<Home>,
    seen: Arc<Seeing>,
}

/// What clients add to.
#[derive(Debug, Default)]
struct Seeing {
    history: Mutex<History>,
    /// Requests with a key whose clients have heard nothing: they ask again.
    unheard: Mutex<BTreeSet<u64>>,
    repeated: AtomicU64,
    /// Whether the disk forgot what it said it had.
    lied_to: AtomicBool,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// What followers have of answers that they have not read to the end.
    parts: Mutex<BTreeMap<String, followers::Part>>,
    resumed: AtomicU64,
    /// Where ends of jobs are told.
    receiver: String,
}

impl Seeing {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unheard(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<String, followers::Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests with a key that were answered or not, to be sent again.
    fn keyed(&self) -> BTreeSet<u64> {
        let mut numbers = self.unheard().clone();
        let promised = self.history();
        let promised = promised.promises.values().map(|promise| promise.number);
        numbers.extend(promised.filter(|number| key(*number).is_some()));
        numbers
    }
}

impl Lives {
    /// A new data directory, and a backend of which every fourth request waits for later ones.
    pub async fn new() -> Self {
        let gate = Gate::new();
        let own = gate.clone();
        let backend = Backend::start(move |seen| script(seen, &own)).await;
        let receiver = calls::receiver().await;
        let config = calls::with_calls(Config::all_modes(&backend.url()))
            .route("/brief/{*path}", &backend.url(), "async")
            .with("name = \"brief\"")
            .with("retention = \"20ms\"")
            .each("concurrency = 4")
            .each("hold = \"5ms\"");
        let home = Home::within(memory(), &config);
        Self {
            power: Power::new(),
            seen: Arc::new(Seeing {
                receiver: receiver.url(),
                ..Seeing::default()
            }),
            backend,
            receiver,
            gate,
            home: Some(home),
        }
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.home.as_ref().must("a home between lives").data()
    }

    /// How many jobs were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.seen.acknowledged.load(Ordering::SeqCst)
    }

    /// How many requests were sent again under their keys and answered so far.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.seen.repeated.load(Ordering::SeqCst)
    }

    /// How often a follower went on behind what it had.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.seen.resumed.load(Ordering::SeqCst)
    }

    /// Starts the gateway, lets clients send and look, until it is doomed.
    ///
    /// # Panics
    /// When it ends in any other way than by being killed or, on a disk that fails, by saying so.
    pub async fn live(&mut self, doom: Doom, disk: Disk<'_>, dice: &mut Dice) -> Exit {
        self.seen.history().disk_failed |= disk.fail.is_some();
        let lied_to = &self.seen.lied_to;
        lied_to.fetch_or(disk.lie.is_some(), Ordering::SeqCst);
        let home = self.home.take().must("a home between lives");
        let data = home.data();
        let watch = |command: &mut _| self.power.watch(command, &data, doom.call, disk);
        let mut app = match Raincheck::try_start(home, watch).await {
            Ok(app) => app,
            Err((home, exit)) => {
                check_end(&exit, disk);
                self.home = Some(home);
                return exit;
            }
        };
        let acknowledged = self.acknowledged() + doom.acknowledged;
        let arrived = self.backend.count() as u64 + doom.arrived;
        let sent = self.seen.sent.load(Ordering::SeqCst) + SENT_MAX;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(send(Arc::clone(&self.seen), app.addr()));
        }
        for _ in 0..FOLLOWERS {
            clients.spawn(followers::follow(
                Arc::clone(&self.seen),
                app.addr(),
                Dice::new(dice.any()),
            ));
        }
        clients.spawn(look(
            Arc::clone(&self.seen),
            app.addr(),
            Dice::new(dice.any()),
        ));
        clients.spawn(send_again(
            Arc::clone(&self.seen),
            app.addr(),
            Dice::new(dice.any()),
        ));
        until("the process to be doomed", || {
            !app.child.is_running()
                || self.acknowledged() >= acknowledged
                || self.backend.count() as u64 >= arrived
                || self.seen.sent.load(Ordering::SeqCst) >= sent
        })
        .await;
        app.kill().await;
        let exit = app.child.exited().await;
        check_end(&exit, disk);
        while let Some(client) = clients.join_next().await {
            client.must("a client should only ever see an answer or a dead server");
        }
        self.home = Some(app.home);
        exit
    }

    /// Lets everything come to rest in a last life, looks at all of it, and gives the history.
    pub async fn end(mut self) -> History {
        self.gate.open(1 << 20);
        let home = self.home.take().must("a home between lives");
        let app = Raincheck::start_in(home).await;
        for number in self.seen.keyed() {
            let response = request(&self.seen, app.addr(), number).try_send().await;
            heard(&self.seen, number, &response.must("an answer"), true);
        }
        let mut eye = Eye::open(app.addr()).await.must("a connection");
        for id in &self.jobs() {
            let mut sight = eye.status(id, "wait=10").await.must("a status");
            while is_unfinished(&sight) {
                sight = eye.status(id, "wait=10").await.must("a status");
            }
            self.record(id, sight);
            let answer = eye.answer(id).await.must("an answer");
            self.record_answer(id, answer);
        }
        followers::go_on(&self.seen, app.addr()).await;
        self.all_are_told().await;
        app.terminate();
        let exit = app.child.exited().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        self.history()
    }

    /// Waits until whoever asked for it was told of every end; the checker says who was not.
    async fn all_are_told(&self) {
        let untold = || {
            let broken = self.history().broken(true);
            broken.iter().any(|broken| broken.promise == Breach::Untold)
        };
        let all = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            while untold() {
                look.tick().await;
            }
        };
        _ = tokio::time::timeout(WAIT, all).await;
    }

    /// All that were promised, and those of requests with a key that nobody was told of.
    fn jobs(&self) -> BTreeSet<String> {
        let history = self.history();
        let keyed = history.arrivals.into_iter();
        let keyed = keyed.filter(|arrival| key(arrival.number).is_some());
        let promised = history.promises.into_keys();
        promised.chain(keyed.map(|arrival| arrival.job)).collect()
    }

    fn record(&self, id: &str, sight: Sight) {
        self.seen.history().sights.push((id.to_owned(), sight));
    }

    fn record_answer(&self, id: &str, sight: Option<Sight>) {
        if let Some(sight) = sight {
            self.record(id, sight);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn history(&self) -> History {
        let mut history = self.seen.history().clone();
        history.arrivals = self.backend.requests().iter().filter_map(arrival).collect();
        history.told = self
            .receiver
            .requests()
            .iter()
            .filter_map(calls::told)
            .collect();
        history
    }
}

fn check_end(exit: &Exit, disk: Disk<'_>) {
    let failed = disk.fail.is_some() && [Some(DISK_FAILED), Some(DISK_FULL)].contains(&exit.code);
    assert!(
        exit.signal == Some(9) || failed,
        "code {:?}, signal {:?}, {disk:?}: {}",
        exit.code,
        exit.signal,
        exit.stderr
    );
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
}

fn number_of(seen: &Seen) -> Option<u64> {
    seen.path().rsplit('/').next()?.parse().ok()
}

fn script(seen: &Seen, gate: &Gate) -> Script {
    let number = number_of(seen).unwrap_or_default();
    let body = answer_body(number, seen.index as u64);
    let answer = answer("200 OK", &["content-type: text/plain"], &body);
    if number.is_multiple_of(4) {
        // Nothing of the answer is there until then, or half of it.
        let at = if number.is_multiple_of(8) {
            answer.len() - body.len() / 2 - 1
        } else {
            0
        };
        let (first, rest) = answer.split_at(at);
        let (held, rest) = rest.split_at(1);
        return Script::new()
            .send(first)
            .drip_through(held, gate)
            .send(rest);
    }
    gate.open(1);
    Script::new().send(answer)
}

fn arrival(seen: &Seen) -> Option<Arrival> {
    Some(Arrival {
        job: seen.job_id()?,
        attempt: seen.attempt()?,
        number: number_of(seen)?,
        index: seen.index as u64,
        body: (seen.body.bytes.clone(), seen.body.end == End::Complete),
    })
}

/// Sends requests, one after the other, until the server is gone.
async fn send(seen: Arc<Seeing>, addr: SocketAddr) {
    loop {
        let number = seen.sent.fetch_add(1, Ordering::SeqCst);
        let Some(response) = request(&seen, addr, number).try_send().await else {
            if key(number).is_some() {
                seen.unheard().insert(number);
            }
            return;
        };
        heard(&seen, number, &response, false);
    }
}

/// Sends again under their keys what was not answered, and some of what was, until the server is
/// gone.
async fn send_again(seen: Arc<Seeing>, addr: SocketAddr, mut dice: Dice) {
    for number in seen.keyed() {
        if !seen.unheard().contains(&number) && dice.of(0..4) != 0 {
            continue;
        }
        let Some(response) = request(&seen, addr, number).try_send().await else {
            return;
        };
        heard(&seen, number, &response, true);
    }
}

/// The request with this number.
fn request(seen: &Seeing, addr: SocketAddr, number: u64) -> Request {
    let method = if repeatable(number) { "PUT" } else { "POST" };
    let path = format!("/{}/{number}", route(number));
    let request = Request::new(addr, method, &path).body(request_body(number));
    let request = match calls_back(number) {
        true => request.header("callback-url", &seen.receiver),
        false => request,
    };
    match key(number) {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    }
}

/// What a client was told. `again`: it had sent its request before, under its key.
fn heard(seen: &Seeing, number: u64, response: &Response, again: bool) {
    let text = response.text();
    let fails = seen.history().disk_failed;
    match response.status {
        // Held clients of a fast backend get the answer itself.
        200 => assert!(text.contains(&format!(":{number}:")), "another's answer"),
        202 => {
            let id = response.json()["job_id"].as_str().must("job_id").to_owned();
            let promise = Promise {
                number,
                repeatable: repeatable(number),
                brief: route(number) == "brief",
            };
            let known = seen.history().promises.insert(id, promise);
            if known.is_none() {
                seen.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
        // What came to a process that has begun to stop is told that.
        503 if fails => {
            let code = response.json()["code"].clone();
            assert!(code == "store-unavailable" || code == "draining", "{text}");
        }
        500 if seen.lied_to.load(Ordering::SeqCst) => {
            assert_eq!(response.json()["code"], "storage-damaged", "{text}");
        }
        // The end of its job is the answer, where that may have been sent and not again.
        _ if again && !repeatable(number) => {
            assert_eq!(response.json()["code"], "interrupted", "{text}");
        }
        _ => panic!("{} {text}", response.status),
    }
    if again {
        seen.repeated.fetch_add(1, Ordering::SeqCst);
    }
    seen.unheard().remove(&number);
}

/// Looks at everything that was promised before, in any order, until the server is gone.
async fn look(seen: Arc<Seeing>, addr: SocketAddr, mut dice: Dice) {
    let Some(mut eye) = Eye::open(addr).await else {
        return;
    };
    let ids: Vec<String> = seen.history().promises.keys().cloned().collect();
    for id in ids {
        let Some(sight) = eye.status(&id, "x").await else {
            return;
        };
        let finished = !is_unfinished(&sight) && sight != Sight::Gone;
        seen.history().sights.push((id.clone(), sight));
        if finished && dice.of(0..4) == 0 {
            let Some(answer) = eye.answer(&id).await else {
                return;
            };
            let answer = answer.map(|answer| (id, answer));
            seen.history().sights.extend(answer);
        }
    }
}
