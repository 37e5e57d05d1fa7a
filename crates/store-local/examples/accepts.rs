//! How fast the engine is: durable accepts per second and what each costs, and how long a data
//! directory with many queued jobs takes to open.
//!
//! ```text
//! cargo run --release -p raincheck-store-local --example accepts -- accepts [SECONDS] [DIR]
//! cargo run --release -p raincheck-store-local --example accepts -- lives   [SECONDS] [DIR]
//! cargo run --release -p raincheck-store-local --example accepts -- rate PER_S [DIR]
//! cargo run --release -p raincheck-store-local --example accepts -- fill JOBS DIR
//! cargo run --release -p raincheck-store-local --example accepts -- reopen DIR
//! cargo run --release -p raincheck-store-local --example accepts -- empty DIR
//! cargo run --release -p raincheck-store-local --example accepts -- verify DIR
//! cargo run --release -p raincheck-store-local --example accepts -- stream MIB [DIR]
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement stops where it cannot go on, and measures real time"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::JobId;
use raincheck_core::job::{self, Event, Job, Submission, Terms};
use raincheck_core::outcome::{Outcome, ResponseSummary};
use raincheck_core::route::RetryPolicy;
use raincheck_core::time::Timestamp;
use raincheck_store::{Bodies, Body, Change, Commit, Filter, Jobs, Put, Queue, Store};
use raincheck_store::{StoredRequest, StoredResponse};
use raincheck_store_local::{LocalStore, Options, verify};

/// How often a read is repeated.
const READS: u32 = 20_000;
/// Bytes of every body.
const BODY: usize = 1024;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |at: usize| args.get(at).map(String::as_str);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let seconds = || Duration::from_secs(arg(1).map_or(5, |text| text.parse().unwrap()));
    let dir = |at| arg(at).map_or_else(std::env::temp_dir, PathBuf::from);
    match arg(0) {
        None | Some("accepts") => runtime.block_on(rounds(seconds(), &dir(2), Work::Accept)),
        Some("lives") => runtime.block_on(rounds(seconds(), &dir(2), Work::Live)),
        Some("rate") => runtime.block_on(rate(arg(1).unwrap().parse().unwrap(), &dir(2))),
        Some("fill") => runtime.block_on(fill(arg(1).unwrap().parse().unwrap(), &dir(2))),
        Some("verify") => println!("{:#?}", verify(dir(1)).unwrap()),
        Some("empty") => runtime.block_on(empty(&dir(1))),
        Some("stream") => runtime.block_on(stream(arg(1).unwrap().parse().unwrap(), &dir(2))),
        Some("reopen") => runtime.block_on(reopen(&dir(1))),
        Some(other) => eprintln!("no such measurement: {other}"),
    }
}

/// What each client does again and again.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Commits a new job.
    Accept,
    /// Commits a new job, starts it, settles it, reads it and its response, and forgets it.
    Live,
}

async fn rounds(time: Duration, dir: &Path, work: Work) {
    println!(
        "{work:?}, {BODY}-byte bodies, {time:?} each, in {}",
        dir.display()
    );
    println!("clients      per s    p50 us    p99 us   cpu us each   KiB written each");
    for clients in [1, 16, 64, 512] {
        round(clients, time, dir, work).await;
    }
}

async fn round(clients: u64, time: Duration, dir: &Path, work: Work) {
    let place = tempfile::tempdir_in(dir).unwrap();
    let store = Arc::new(LocalStore::open(place.path(), Options::default()).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(AtomicU64::new(0));
    let (cpu, written, began) = (cpu_time(), bytes_written(), Instant::now());
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (store, stop, numbers) = (store.clone(), stop.clone(), numbers.clone());
            tokio::spawn(async move { client(&store, &stop, &numbers, work).await })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    let (cpu, written) = (cpu_time() - cpu, bytes_written() - written);
    let elapsed = began.elapsed();
    print!("{clients:7} ");
    report(&mut took, elapsed, cpu, written);
    store.close().await.unwrap();
}

async fn client(
    store: &LocalStore,
    stop: &AtomicBool,
    numbers: &AtomicU64,
    work: Work,
) -> Vec<Duration> {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        match work {
            Work::Accept => {
                accept(store, number).await;
            }
            Work::Live => live(store, number).await,
        }
        took.push(began.elapsed());
    }
    took
}

fn now(number: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + number)
}

fn put(from: &Job, transition: job::Transition) -> Put {
    Put {
        fence: Some(from.token()),
        job: transition.next.unwrap(),
        from: transition.from,
        request: None,
        key: None,
        response: None,
        drops_response: transition.drops_response,
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_static;
    headers.append("host", value("backend.example:9000"));
    headers.append("content-type", value("application/json"));
    headers.append("user-agent", value("curl/8.5.0"));
    headers.append("accept", value("*/*"));
    headers
}

async fn accept(store: &LocalStore, number: u64) -> Job {
    let mut random = [0; 10];
    getrandom::fill(&mut random).unwrap();
    let submission = Submission {
        id: JobId::from_parts(now(number), random),
        route: "render".parse().unwrap(),
        terms: Terms {
            retry: RetryPolicy::default(),
            repeatable: false,
            retention: Duration::from_secs(3600),
            deadline: None,
        },
        callback: None,
    };
    let job = job::submit(submission, now(number)).next.unwrap();
    let request = StoredRequest {
        head: RequestHead {
            method: Method::POST,
            target: "/v1/render?size=large".parse().unwrap(),
            headers: headers(),
        },
        body: Body::Inline(Bytes::from(vec![b'x'; BODY])),
        trailers: HeaderMap::new(),
    };
    let change = Put {
        job: job.clone(),
        from: None,
        fence: None,
        request: Some(Arc::new(request)),
        key: None,
        response: None,
        drops_response: false,
    };
    store.commit(Change::Put(Box::new(change))).await.unwrap();
    job
}

async fn live(store: &LocalStore, number: u64) {
    let queued = accept(store, number).await;
    let id = queued.id();
    assert!(store.lease_one(id, now(number), now(number + 60_000)));
    store.request(id).await.unwrap().unwrap();
    let started = job::apply(&queued, &Event::Start, now(number + 1)).unwrap();
    let change = put(&queued, started);
    let running = change.job.clone();
    store.commit(Change::Put(Box::new(change))).await.unwrap();
    let outcome = Outcome::Answered {
        response: ResponseSummary {
            status: 200,
            content_type: Some("application/json".to_owned()),
            content_length: BODY as u64,
        },
        retry_after: None,
    };
    let settle = Event::Settle {
        token: running.token(),
        outcome,
        jitter: 0,
    };
    let settled = job::apply(&running, &settle, now(number + 2)).unwrap();
    let mut change = put(&running, settled);
    change.response = Some(Arc::new(StoredResponse {
        head: ResponseHead {
            status: 200,
            reason: None,
            headers: headers(),
        },
        body: Body::Inline(Bytes::from(vec![b'y'; BODY])),
        trailers: HeaderMap::new(),
        attempt: 1,
    }));
    let from = change.job.revision();
    store.commit(Change::Put(Box::new(change))).await.unwrap();
    store.release(id);
    store.job(id).await.unwrap().unwrap();
    store.response(id).await.unwrap().unwrap();
    let change = Change::Delete { job: id, from };
    store.commit(change).await.unwrap();
}

/// Accepts jobs at a steady rate, whether or not earlier ones are durable.
async fn rate(per_s: u64, dir: &Path) {
    const SECONDS: u64 = 5;
    let place = tempfile::tempdir_in(dir).unwrap();
    let store = Arc::new(LocalStore::open(place.path(), Options::default()).unwrap());
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let (cpu, written, began) = (cpu_time(), bytes_written(), Instant::now());
    let mut accepts = tokio::task::JoinSet::new();
    let mut number = 0;
    while number < per_s * SECONDS {
        ticks.tick().await;
        let due = began.elapsed().as_micros() as u64 * per_s / 1_000_000;
        while number < due {
            number += 1;
            let (store, number) = (store.clone(), number);
            accepts.spawn(async move {
                let began = Instant::now();
                accept(&store, number).await;
                began.elapsed()
            });
        }
    }
    let mut took = accepts.join_all().await;
    report(
        &mut took,
        began.elapsed(),
        cpu_time() - cpu,
        bytes_written() - written,
    );
    store.close().await.unwrap();
}

/// Prints a line of the table, without the number of clients.
fn report(took: &mut [Duration], elapsed: Duration, cpu: Duration, written: u64) {
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    let each = |what: f64| what / took.len() as f64;
    println!(
        "{:10.0} {:9} {:9} {:13.1} {:18.1}",
        took.len() as f64 / elapsed.as_secs_f64(),
        at(0.5).as_micros(),
        at(0.99).as_micros(),
        each(cpu.as_micros() as f64),
        each(written as f64 / 1024.0),
    );
}

async fn fill(jobs: u64, dir: &Path) {
    let store = Arc::new(LocalStore::open(dir, Options::default()).unwrap());
    let began = Instant::now();
    let numbers = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..512)
        .map(|_| {
            let (store, numbers) = (store.clone(), numbers.clone());
            tokio::spawn(async move {
                loop {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs {
                        return;
                    }
                    accept(&store, number).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    println!("{jobs} jobs in {:?}", began.elapsed());
}

async fn reopen(dir: &Path) {
    let route = "render".parse().unwrap();
    let began = Instant::now();
    let store = LocalStore::open(dir, Options::default()).unwrap();
    println!(
        "opened in {:?}: {} queued",
        began.elapsed(),
        store.waiting(&route)
    );
    let began = Instant::now();
    let leased = store
        .lease(route, Timestamp::MAX, 100, Timestamp::MAX)
        .await
        .unwrap();
    println!("first {} leases in {:?}", leased.len(), began.elapsed());
    let (began, cpu) = (Instant::now(), cpu_time());
    for _ in 0..READS {
        let leased = store
            .lease("render".parse().unwrap(), Timestamp::MAX, 1, Timestamp::MAX)
            .await
            .unwrap();
        store.release(leased[0].job);
    }
    let cpu = cpu_time() - cpu;
    println!(
        "one lease: {:?}, cpu {:?}",
        began.elapsed() / READS,
        cpu / READS
    );
    let id = leased[0].job;
    let (began, cpu) = (Instant::now(), cpu_time());
    for _ in 0..READS {
        store.job(id).await.unwrap().unwrap();
    }
    let cpu = cpu_time() - cpu;
    println!(
        "one job from disk: {:?}, cpu {:?}",
        began.elapsed() / READS,
        cpu / READS
    );
    let began = Instant::now();
    store.close().await.unwrap();
    println!("closed in {:?}", began.elapsed());
}

/// Forgets every job, then watches the file give back what that freed.
async fn empty(dir: &Path) {
    let store = Arc::new(LocalStore::open(dir, Options::default()).unwrap());
    let began = Instant::now();
    loop {
        let filter = Filter {
            limit: 500,
            ..Filter::default()
        };
        let page = store.list(filter).await.unwrap();
        if page.jobs.is_empty() {
            break;
        }
        let mut deletes = tokio::task::JoinSet::new();
        for job in page.jobs {
            let store = store.clone();
            let change = Change::Delete {
                job: job.id(),
                from: job.revision(),
            };
            deletes.spawn(async move { store.commit(change).await.unwrap() });
        }
        deletes.join_all().await;
    }
    println!("emptied in {:?}", began.elapsed());
    for _ in 0..20 {
        let len = std::fs::metadata(dir.join("jobs.db")).unwrap().len();
        println!("{:6.1?}: {} KiB", began.elapsed(), len / 1024);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    store.close().await.unwrap();
}

/// Writes one body and reads it back, while it grows and afterwards.
async fn stream(mib: u64, dir: &Path) {
    const CHUNK: usize = 16 * 1024;
    let place = tempfile::tempdir_in(dir).unwrap();
    let store = LocalStore::open(place.path(), Options::default()).unwrap();
    let len = mib * 1024 * 1024;
    let mut writer = store.create();
    let reader = writer.reader();
    let follow = tokio::spawn(async move {
        let mut at = 0;
        while at < len {
            at += reader.read(at, 64 * 1024).await.unwrap().len() as u64;
            tokio::task::yield_now().await;
        }
    });
    let (began, cpu) = (Instant::now(), cpu_time());
    let chunk = Bytes::from(vec![7; CHUNK]);
    for _ in 0..len / CHUNK as u64 {
        writer.append(chunk.clone()).await.unwrap();
    }
    println!("appended in {:?}", began.elapsed());
    let body = writer.finish().await.unwrap();
    follow.await.unwrap();
    println!(
        "durable and followed in {:?}, cpu {:?}",
        began.elapsed(),
        cpu_time() - cpu
    );
    let (began, cpu) = (Instant::now(), cpu_time());
    let reader = Bodies::open(&store, &body).await.unwrap();
    let mut at = 0;
    while at < len {
        at += reader.read(at, 64 * 1024).await.unwrap().len() as u64;
    }
    println!("read in {:?}, cpu {:?}", began.elapsed(), cpu_time() - cpu);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("{peak}");
    store.close().await.unwrap();
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Bytes this process has sent to the disk so far.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io
        .lines()
        .find(|line| line.starts_with("write_bytes"))
        .unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}
