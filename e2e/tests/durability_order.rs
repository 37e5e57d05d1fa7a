//! The order of system calls, seen from outside: a job is synced to disk before the first byte of
//! its ticket is written to the socket, and a fast auto request touches no file at all.
//!
//! A SIGKILL loop cannot show this, because the page cache outlives the process.

use raincheck_e2e::process::Home;
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, ticket, within};
use rustix::process::Signal;

const SYSCALLS: &str = "trace=fsync,fdatasync,sync_file_range,write,writev,pwrite64,pwritev,\
                        pwritev2,sendto,sendmsg,read,readv,recvfrom,recvmsg,ftruncate,fallocate,\
                        rename,renameat,renameat2,unlink,unlinkat";

/// One system call as strace saw it: where it began and ended in the order of all lines.
#[derive(Debug)]
struct Call {
    began: usize,
    ended: usize,
    text: String,
}

impl Call {
    fn is(&self, names: &[&str]) -> bool {
        names
            .iter()
            .any(|name| self.text.starts_with(&format!("{name}(")))
    }

    fn succeeded(&self) -> bool {
        self.text
            .rsplit("= ")
            .next()
            .is_some_and(|result| !result.starts_with('-'))
    }

    fn is_sync(&self) -> bool {
        self.is(&["fsync", "fdatasync"])
    }

    fn is_receive(&self) -> bool {
        self.is(&["read", "readv", "recvfrom", "recvmsg"])
    }

    fn is_send(&self) -> bool {
        self.is(&["write", "writev", "sendto", "sendmsg"])
    }
}

/// Joins `<unfinished ...>` and `resumed` lines of the same thread.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: Vec<(String, usize, String)> = Vec::new();
    let mut calls = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, text)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix("<unfinished ...>") {
            open.push((thread.to_owned(), number, start.trim_end().to_owned()));
        } else if text.starts_with("<... ") {
            let Some(at) = open.iter().position(|(who, ..)| who == thread) else {
                continue;
            };
            let (_, began, start) = open.remove(at);
            let rest = text.split_once("resumed>").map_or("", |(_, rest)| rest);
            calls.push(Call {
                began,
                ended: number,
                text: format!("{start}{rest}"),
            });
        } else {
            calls.push(Call {
                began: number,
                ended: number,
                text: text.to_owned(),
            });
        }
    }
    calls
}

/// Runs the gateway under strace while `work` talks to it, and returns what it did.
async fn traced<F: Future<Output = ()>>(
    config: &Config,
    work: impl FnOnce(Raincheck) -> F,
) -> Vec<Call> {
    traced_with(&[], config, work).await
}

/// The same with further arguments of strace.
async fn traced_with<F: Future<Output = ()>>(
    more: &[&str],
    config: &Config,
    work: impl FnOnce(Raincheck) -> F,
) -> Vec<Call> {
    let home = Home::new(config);
    let trace = tempfile::NamedTempFile::new().must("a file for the trace");
    let file = trace.path().display().to_string();
    let mut under = vec!["strace", "-f", "-y", "-s", "200"];
    under.extend(["-e", SYSCALLS, "-o", &file]);
    under.extend(more);
    let app = Raincheck::start_under(home, &under).await;
    work(app).await;
    calls(&std::fs::read_to_string(trace.path()).must("the trace"))
}

async fn stop(app: Raincheck) {
    app.child.signal(Signal::TERM);
    app.child.exited().await;
}

/// Fails unless a sync began after `request` was received and ended before its ticket was sent.
fn synced_in_between(calls: &[Call], request: &str, id: &str) {
    let asked = calls
        .iter()
        .find(|call| call.is_receive() && call.text.contains(request));
    let asked = asked.must(&format!("the receipt of {request}")).ended;
    let ticket = format!("/jobs/{id}");
    let answered = calls.iter().find(|call| {
        call.is_send() && call.text.contains("HTTP/1.1 202") && call.text.contains(&ticket)
    });
    let answered = answered.must(&format!("the ticket {id}")).began;
    let durable = calls.iter().any(|call| {
        let in_between = call.began > asked && call.ended < answered;
        in_between && call.is_sync() && call.succeeded() && call.text.contains("/data/")
    });
    assert!(
        durable,
        "no sync between the request (line {asked}) and the 202 (line {answered})"
    );
}

#[tokio::test]
async fn an_async_job_is_synced_before_its_ticket_is_sent() {
    let backend = Backend::echo().await;
    let mut ids = Vec::new();
    let calls = traced(&Config::queued(&backend.url()), async |app| {
        for n in 0..20 {
            // Small ones live in the database, large ones have a file of their own.
            let body = "a".repeat(if n % 2 == 0 { 10 } else { 200_000 });
            ids.push(app.submit(&format!("/marker-{n}-"), &body).await.id);
        }
        stop(app).await;
    })
    .await;
    for (n, id) in ids.iter().enumerate() {
        synced_in_between(&calls, &format!("/marker-{n}-"), id);
    }
}

#[tokio::test]
async fn an_auto_job_is_synced_before_its_ticket_is_sent() {
    let never = Event::new("never");
    let backend = Backend::slow(&never).await;
    let config = Config::auto(&backend.url())
        .with("hold = \"50ms\"")
        .server("grace = \"0s\"");
    let mut ids = Vec::new();
    let calls = traced(&config, async |app| {
        for n in 0..5 {
            ids.push(ticket(&app.post(&format!("/marker-{n}-"), "a").await).id);
        }
        stop(app).await;
    })
    .await;
    for (n, id) in ids.iter().enumerate() {
        synced_in_between(&calls, &format!("/marker-{n}-"), id);
    }
}

#[tokio::test]
async fn a_large_body_is_synced_before_the_row_that_names_it() {
    let backend = Backend::echo().await;
    let mut id = String::new();
    let calls = traced(&Config::queued(&backend.url()), async |app| {
        id = app
            .submit("/marker-large-", &"a".repeat(3_000_000))
            .await
            .id;
        stop(app).await;
    })
    .await;
    let written = calls.iter().rfind(|call| {
        let writes = ["write", "writev", "pwrite64", "pwritev", "pwritev2"];
        call.is(&writes) && call.text.contains("/data/bodies/") && call.text.contains("aaaa")
    });
    let written = written.must("the body's last write").ended;
    let body = calls
        .iter()
        .find(|call| call.is_sync() && call.began > written && call.text.contains("/data/bodies/"));
    let body = body.must("a sync of the body").ended;
    let row = calls.iter().find(|call| {
        call.is_sync() && call.began > body && call.succeeded() && call.text.contains("jobs.db")
    });
    assert!(row.is_some(), "the row is synced after the body");
    synced_in_between(&calls, "/marker-large-", &id);
}

#[tokio::test]
async fn a_fast_auto_request_writes_nothing_to_disk() {
    let backend = Backend::always(Script::new().ok("fast")).await;
    let calls = traced(&Config::auto(&backend.url()), async |app| {
        for n in 0..50 {
            app.post(&format!("/marker-{n}-"), "small")
                .await
                .expect(200);
        }
        stop(app).await;
    })
    .await;
    let received = |n: u32| {
        let marker = format!("/marker-{n}-");
        let call = calls
            .iter()
            .find(|call| call.is_receive() && call.text.contains(&marker));
        call.must(&marker).ended
    };
    let (first, last) = (received(0), received(49));
    let files = |call: &&Call| call.text.contains("/data/") || call.text.contains("/data\"");
    let quiet = |call: &&Call| call.began > first && call.ended < last && !call.is_receive();
    let noise: Vec<_> = calls.iter().filter(files).filter(quiet).collect();
    assert!(
        noise.is_empty(),
        "{} calls, such as {:?}",
        noise.len(),
        noise[0]
    );
}

/// The first call after line `from` that this is true of.
fn next(calls: &[Call], from: usize, what: &str, is: impl Fn(&Call) -> bool) -> (usize, usize) {
    let found = calls.iter().find(|call| call.began > from && is(call));
    let found = found.must(what);
    (found.began, found.ended)
}

#[tokio::test]
async fn an_auto_request_with_a_key_waits_for_one_write() {
    const REQUESTS: usize = 5;
    let backend = Backend::always(Script::new().ok("fast")).await;
    // Each sync takes so long that what waits for one can be told from what does not. The delay is
    // before it: strace tells of its end when it is done, and would sleep only then.
    let slow = ["-e", "inject=fdatasync:delay_enter=400000"];
    let calls = traced_with(&slow, &Config::auto(&backend.url()), async |app| {
        for n in 0..REQUESTS {
            let request = app.request("POST", &format!("/marker-{n}-"));
            let key = format!("key {n}");
            request
                .header("idempotency-key", key)
                .send()
                .await
                .expect(200);
            // A commit that is under way makes the next one wait.
            within("the answer to be stored", async {
                loop {
                    let jobs = app.admin("GET", "/jobs?status=succeeded").send().await;
                    if jobs.json()["jobs"].as_array().map_or(0, Vec::len) > n {
                        return;
                    }
                }
            })
            .await;
        }
        stop(app).await;
    })
    .await;
    let sync = |call: &Call| call.is_sync() && call.text.contains("jobs.db-wal");
    let (mut first, mut last) = (usize::MAX, 0);
    for n in 0..REQUESTS {
        let marker = format!("POST /marker-{n}-");
        let is_it = |call: &Call| call.text.contains(&marker);
        let (_, asked) = next(&calls, 0, "the request", |call| {
            call.is_receive() && is_it(call)
        });
        let (sent, _) = next(&calls, asked, "sending", |call| {
            call.is_send() && is_it(call)
        });
        let answer = |call: &Call| call.is_send() && call.text.contains("HTTP/1.1 200");
        let (answered, _) = next(&calls, sent, "the answer", answer);
        let whole = |call: &&Call| sync(call) && call.began > asked && call.ended < answered;
        let waited: Vec<_> = calls.iter().filter(whole).collect();
        let meanwhile = |call: &&Call| call.began > asked && call.ended < answered;
        let calls: Vec<_> = calls.iter().filter(meanwhile).collect();
        assert_eq!(waited.len(), 1, "request {n} waited: {calls:#?}");
        assert!(
            waited[0].ended < sent,
            "the backend saw request {n} before it was durable"
        );
        first = first.min(asked);
        last = last.max(answered);
    }
    // Its answer is stored by another write, which nobody waits for. The last may come later.
    let between = |call: &&Call| sync(call) && call.began > first && call.began < last;
    let syncs = calls.iter().filter(between).count();
    let bounds = 2 * REQUESTS - 1..=2 * REQUESTS;
    println!("{REQUESTS} requests with a key one after the other: {syncs} syncs of the log");
    assert!(
        bounds.contains(&syncs),
        "{syncs} syncs for {REQUESTS} requests"
    );
}
