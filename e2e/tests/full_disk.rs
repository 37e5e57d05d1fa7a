//! A small disk that is full under a running gateway: it says so, relays go on, and its clients can
//! make room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_e2e::backend::answer;
use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Home, run};
use raincheck_e2e::{Backend, Config, Gate, Must, Raincheck, Script, Seen, expect, until};

/// A small disk of its own; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().must("a directory");
        let options = ["-t", "tmpfs", "-o", "size=4m,mode=777", "none"];
        assert!(
            superuser("mount", &options, dir.path()),
            "this test needs root, or sudo"
        );
        Self(dir)
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all room that there is.
    fn fill(&self) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.filler())
            .must("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    /// Makes room.
    fn grow(&self) {
        let options = ["-o", "remount,size=64m"];
        assert!(superuser("mount", &options, self.0.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        superuser("umount", &["-l"], self.0.path());
    }
}

fn superuser(command: &str, args: &[&str], dir: &Path) -> bool {
    let run = |program: &str, first: &[&str]| {
        let output = Command::new(program)
            .args(first)
            .args(args)
            .arg(dir)
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    run(command, &[]) || run("sudo", &["-n", command])
}

async fn readiness(app: &Raincheck) -> serde_json::Value {
    app.admin("GET", "/health/ready")
        .send()
        .await
        .expect(200)
        .json()
}

#[tokio::test]
async fn a_full_disk_is_told_and_jobs_can_be_forgotten_until_there_is_room() {
    let disk = Disk::new();
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start_in(Home::within(disk.0.path(), &config)).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let ticket = app.submit("/async/x", &number.to_string()).await;
        app.finished(&ticket.id).await;
        ids.push(ticket.id);
    }
    assert_eq!(readiness(&app).await["status"], "ready");
    disk.fill();
    let body = "a".repeat(6000);
    let mut refused = app.request("POST", "/async/x").body(&body).send().await;
    // What the log has of its own is used up first.
    for _ in 0..500 {
        if refused.status == 503 {
            break;
        }
        refused = app.request("POST", "/async/x").body(&body).send().await;
    }
    expect::problem(&refused, 503, "store-unavailable");
    let ready = readiness(&app).await;
    assert_eq!(ready["status"], "full", "{ready}");
    assert!(
        ready["why"].as_str().must("why").contains("full"),
        "{ready}"
    );
    let metrics = app.admin("GET", "/metrics").send().await.text();
    assert!(metrics.contains("raincheck_store_full 1"), "{metrics}");
    app.get("/sync/x").await.expect(200);
    for id in &ids {
        disk.fill();
        let path = format!("/jobs/{id}");
        app.request("DELETE", &path).send().await.expect(204);
        app.get(&path).await.expect(404);
    }
    std::fs::remove_file(disk.filler()).must("room");
    let ready = async || readiness(&app).await["status"] == "ready";
    let mut looks = 0;
    while !ready().await {
        looks += 1;
        assert!(looks < 100_000, "never ready again");
    }
    app.submit("/async/x", "works again").await;
    until("the log to say so", || {
        app.child.stderr().contains("the store has room again")
    })
    .await;
    let log = app.child.stderr();
    assert!(!log.contains("an answer is not stored yet"), "{log}");
    assert_eq!(log.matches("the store is full").count(), 1, "{log}");
}

#[tokio::test]
async fn a_disk_full_for_bodies_is_told_until_there_is_room() {
    let disk = Disk::new();
    let large = "a".repeat(300_000);
    let gate = Gate::new();
    let (held, answer) = (gate.clone(), answer("200 OK", &[], &large));
    let backend = Backend::start(move |seen| match seen.path().ends_with("/held") {
        true => Script::new()
            .drip_through(&answer[..1], &held)
            .send(&answer[1..]),
        false => Script::new().ok("small"),
    })
    .await;
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start_in(Home::within(disk.0.path(), &config)).await;
    let id = app.submit("/async/held", "small").await.id;
    backend.wait_for(1).await;
    disk.fill();
    let sent = app.request("POST", "/async/x").body(&large).send().await;
    expect::problem(&sent, 503, "store-unavailable");
    let ready = readiness(&app).await;
    assert_eq!(ready["status"], "full", "{ready}");
    let why = ready["why"].as_str().must("why");
    assert!(why.contains("free at least 2 MiB"), "{ready}");
    gate.open(1);
    let job = app.finished(&id).await;
    assert_eq!(job["error"]["code"], "store-unavailable", "{job}");
    let metrics = app.admin("GET", "/metrics").send().await.text();
    let shows = |line: &str| metrics.lines().any(|shown| shown == line);
    assert!(shows("raincheck_store_full 1"), "{metrics}");
    assert!(shows("raincheck_store_bodies_refused_total 2"), "{metrics}");
    app.get("/sync/x").await.expect(200);
    disk.grow();
    until("the log to say that there is room", || {
        app.child.stderr().contains("the store has room again")
    })
    .await;
    assert_eq!(readiness(&app).await["status"], "ready");
    let metrics = app.admin("GET", "/metrics").send().await.text();
    assert!(metrics.contains("raincheck_store_full 0"), "{metrics}");
    let log = app.child.stderr();
    assert_eq!(log.matches("the store is full for bodies").count(), 1);
    assert!(log.contains("free_bytes_needed=2097152"), "{log}");
    let sent = app.request("POST", "/async/x").body(&large).send().await;
    sent.expect(202);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_can_be_checked() {
    let disk = Disk::new();
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url());
    let mut app = Raincheck::start_in(Home::within(disk.0.path(), &config)).await;
    app.submit("/async/x", "").await;
    app.kill().await;
    assert!(superuser("mount", &["-o", "remount,ro"], disk.0.path()));
    let data = app.home.data().display().to_string();
    let exit = run(&["verify", "--store-path", &data]).await;
    assert_eq!(exit.code, Some(exit::OK), "{}", exit.stderr);
    assert!(superuser("mount", &["-o", "remount,rw"], disk.0.path()));
}

/// How a request went on a disk that fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The answer itself.
    Answer,
    /// A ticket.
    Ticket,
    /// That there is no room.
    Full,
}

/// The modes and the key of the request with this number.
fn asked(number: usize) -> (&'static str, Option<String>) {
    match number % 4 {
        0 => ("async", None),
        1 => ("async", Some(format!("key-{number}"))),
        2 => ("auto", Some(format!("key-{number}"))),
        _ => (if number % 8 == 3 { "auto" } else { "sync" }, None),
    }
}

fn body_of(number: usize) -> String {
    format!("{number}:{}", "a".repeat(20_000 * (number % 3)))
}

async fn send(app: &Raincheck, number: usize) -> raincheck_e2e::Response {
    let (mode, key) = asked(number);
    let request = app
        .request("PUT", &format!("/{mode}/{number}"))
        .body(body_of(number));
    match key {
        Some(key) => request.header("idempotency-key", key).send().await,
        None => request.send().await,
    }
}

/// Sends until every mode that needs the disk was refused several times; who was told what, and the
/// jobs behind what was not refused.
async fn fill_up(app: &Raincheck) -> (Vec<Told>, BTreeMap<usize, String>) {
    let (mut told, mut jobs) = (Vec::new(), BTreeMap::new());
    let mut refused = [0; 4];
    while refused.iter().take(3).any(|count| *count < 4) {
        let number = told.len();
        assert!(number < 4000, "the disk never was full: {refused:?}");
        let response = send(app, number).await;
        let stored = number % 4 != 3;
        told.push(match response.status {
            200 => {
                assert_eq!(response.text(), body_of(number));
                Told::Answer
            }
            202 => Told::Ticket,
            _ => {
                assert!(stored, "{number} needs no disk: {}", response.text());
                expect::problem(&response, 503, "store-unavailable");
                assert!(response.header("retry-after").is_some());
                assert_eq!(response.json()["retryable"], true);
                refused[number % 4] += 1;
                Told::Full
            }
        });
        if response.status == 202 {
            jobs.insert(number, raincheck_e2e::ticket(&response).id);
        }
    }
    (told, jobs)
}

/// Every job that was acknowledged has the answer to its own request, and its key leads to it; what
/// was refused is accepted now.
async fn nothing_is_lost(
    app: &Raincheck,
    backend: &Backend,
    told: &[Told],
    jobs: &BTreeMap<usize, String>,
) {
    let stored = |number: &usize| number % 4 != 3;
    for (number, told) in (0..).zip(told).filter(|(number, _)| stored(number)) {
        let mut id = jobs.get(&number).cloned();
        if asked(number).1.is_some() {
            let again = send(app, number).await;
            let replayed = again.header("idempotency-replayed").is_some();
            assert_eq!(replayed, *told != Told::Full, "{number}: {told:?}");
            assert!([200, 202].contains(&again.status), "{}", again.text());
            if *told == Told::Full {
                id = job_of(backend, number).or(again.header("raincheck-job-id"));
            } else {
                assert_eq!(again.header("raincheck-job-id"), id, "{number}");
            }
        } else if *told == Told::Full {
            continue;
        }
        let id = id.must("a job id");
        assert_eq!(app.finished(&id).await["status"], "succeeded", "{number}");
        let result = app.result(&id).await.expect(200);
        assert_eq!(result.text(), body_of(number));
    }
}

/// The job that the backend was asked for with this number, if it was.
fn job_of(backend: &Backend, number: usize) -> Option<String> {
    let requests = backend.requests();
    let own = requests
        .iter()
        .find(|seen| number_of(seen) == Some(number))?;
    own.job_id()
}

/// A gateway whose disk its clients have filled, and what they were told.
async fn filled(backend: &Backend) -> (Disk, Raincheck, Vec<Told>, BTreeMap<usize, String>) {
    let disk = Disk::new();
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start_in(Home::within(disk.0.path(), &config)).await;
    let (told, mut jobs) = fill_up(&app).await;
    assert!(jobs.len() > 20, "{}", jobs.len());
    // A client that was answered at once was told no job.
    for number in 0..told.len() {
        if let (false, Some(id)) = (jobs.contains_key(&number), job_of(backend, number)) {
            jobs.insert(number, id);
        }
    }
    // Nothing is sent before it is stored.
    let seen: BTreeSet<usize> = backend.requests().iter().filter_map(number_of).collect();
    let refused = |number: &&usize| told[**number] == Told::Full;
    assert_eq!(seen.iter().find(refused), None);
    (disk, app, told, jobs)
}

fn number_of(seen: &Seen) -> Option<usize> {
    seen.path().rsplit('/').next()?.parse().ok()
}

#[tokio::test]
async fn a_disk_that_clients_fill_loses_nothing_and_serves_again_with_room() {
    let backend = Backend::always(Script::new().mirror()).await;
    let (disk, app, told, jobs) = filled(&backend).await;
    disk.grow();
    nothing_is_lost(&app, &backend, &told, &jobs).await;
    let mut times = BTreeMap::new();
    for number in backend.requests().iter().filter_map(number_of) {
        *times.entry(number).or_insert(0) += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    assert!(!app.child.stderr().contains("panicked"));
}

#[tokio::test]
async fn a_kill_on_a_full_disk_loses_nothing() {
    let backend = Backend::always(Script::new().mirror()).await;
    let (disk, mut app, told, jobs) = filled(&backend).await;
    app.kill().await;
    disk.grow();
    app.restart().await;
    nothing_is_lost(&app, &backend, &told, &jobs).await;
}
