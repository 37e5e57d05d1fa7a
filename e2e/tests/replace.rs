//! Reloads and replacements while clients go on: every request is answered, and answered rightly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use raincheck_e2e::process::{Child, Home, command};
use raincheck_e2e::{Backend, Client, Config, Event, Must, Raincheck, Script, until};
use rustix::process::Signal;
use tokio::task::JoinSet;

/// How often the process said that it is ready, a successor on the same outputs included.
fn starts(child: &Child) -> usize {
    child.stdout().matches("\"ready\"").count()
}

async fn started(child: &Child, times: usize) {
    until("the next process to be ready", || starts(child) >= times).await;
}

/// Asks for a replacement as an operator does, and returns the new process id.
async fn replace(home: &Home) -> u64 {
    let mut command = command();
    command
        .args(["replace", "--json", "--store-path"])
        .arg(home.data());
    let exit = Child::spawn(command).exited().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let told: serde_json::Value = serde_json::from_str(&exit.stdout).must("JSON");
    told["pid"].as_u64().must("a process id")
}

/// What clients met: how often each status came, by mode.
type Tally = BTreeMap<(&'static str, u16), u64>;

/// One client that sends one request after the other on a connection, as long as that lasts.
async fn load(
    addr: SocketAddr,
    number: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Tally {
    let mut tally = Tally::new();
    let mut client = Client::connect(addr).await;
    let modes = ["sync", "auto", "async"];
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        let mode = modes[turn % modes.len()];
        let body = format!("{number}-{turn}");
        turn += 1;
        let head = format!(
            "POST /{mode}/x HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let response = client.exchange(head + &body).await;
        assert!(response.is_whole(), "{mode} {}", response.status);
        match mode {
            "async" => assert_eq!(response.status, 202, "{}", response.text()),
            _ => {
                assert_eq!(response.status, 200, "{}", response.text());
                assert!(
                    response.text().contains(&body),
                    "an answer to another request"
                );
            }
        }
        *tally.entry((mode, response.status)).or_default() += 1;
        done.fetch_add(1, Ordering::Relaxed);
        if response.header("connection").as_deref() == Some("close") {
            client = Client::connect(addr).await;
        }
    }
    tally
}

/// Waits until no job waits or runs, and fails if one failed.
async fn every_job_ran(app: &Raincheck) {
    let count = async |status: &str| {
        let list = app
            .admin("GET", &format!("/jobs?status={status}"))
            .send()
            .await;
        list.expect(200).json()["jobs"]
            .as_array()
            .must("jobs")
            .len()
    };
    let finished = async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        while count("queued").await + count("processing").await > 0 {
            look.tick().await;
        }
    };
    raincheck_e2e::within("every ticket's job", finished).await;
    assert_eq!(count("failed").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_reloads_and_three_replacements_under_load_fail_no_request() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start(&config).await;
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut clients = JoinSet::new();
    for number in 0..24 {
        clients.spawn(load(
            app.addr(),
            number,
            Arc::clone(&stop),
            Arc::clone(&done),
        ));
    }
    // Each step waits for so many more answers, so that it meets clients at work.
    let more = |count: u64| {
        let (from, done) = (done.load(Ordering::Relaxed), Arc::clone(&done));
        async move {
            until("more answers", || {
                done.load(Ordering::Relaxed) >= from + count
            })
            .await;
        }
    };
    let mut pids = vec![u64::from(app.child.pid())];
    for round in 0..24 {
        more(40).await;
        match round % 8 {
            7 if round == 23 => {
                app.child.signal(Signal::USR2);
                started(&app.child, 4).await;
            }
            7 => pids.push(replace(&app.home).await),
            _ => {
                app.home.configure(
                    &config
                        .clone()
                        .each(&format!("concurrency = {}", 200 + round)),
                );
                app.admin("POST", "/reload").send().await.expect(200);
            }
        }
    }
    more(100).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = Tally::new();
    while let Some(tally) = clients.join_next().await {
        for (kind, count) in tally.must("a client whose every request was answered") {
            *all.entry(kind).or_default() += count;
        }
    }
    assert_eq!(starts(&app.child), 4, "{}", app.child.stdout());
    pids.dedup();
    assert_eq!(pids.len(), 3, "each is another process");
    assert!(all[&("async", 202)] > 0, "{all:?}");
    every_job_ran(&app).await;
    let answers: u64 = all.values().sum();
    assert_eq!(backend.count() as u64, answers, "{all:?}");
}

#[tokio::test]
async fn a_relay_goes_on_in_the_old_process_and_idle_clients_stay_connected() {
    let gate = Event::new("answer");
    let (held, script) = (gate.clone(), Script::new().wait(&gate).ok("late"));
    let backend = Backend::start(move |seen| match seen.path() {
        "/slow" => script.clone(),
        _ => Script::new().echo(),
    })
    .await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut idle = app.client().await;
    let get = "GET /fast HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(idle.exchange(get).await.status, 200);
    let silent = app.client().await;
    let mut partial = app.client().await;
    partial.send(&get[..20]).await;
    let mut slow = app.request("GET", "/slow").begin().await;
    backend.wait_for(2).await;

    replace(&app.home).await;
    started(&app.child, 2).await;
    // The same connections, another process.
    assert_eq!(idle.exchange(get).await.status, 200);
    let mut silent = silent;
    assert_eq!(silent.exchange(get).await.status, 200);
    partial.send(&get[20..]).await;
    assert_eq!(partial.response().await.status, 200);
    assert!(
        app.child
            .stderr()
            .contains("replaced; what is relayed here goes on")
    );
    held.fire();
    let late = slow.response().await.expect(200);
    assert_eq!(late.text(), "late");
    assert_eq!(late.header("connection").as_deref(), Some("close"));
    until("the old process to end", || {
        app.child
            .stderr()
            .contains("the last exchange of the replaced process is over")
    })
    .await;
    app.get("/fast").await.expect(200);
}

#[tokio::test]
async fn an_answer_that_promised_more_keeps_its_connection_across_the_cut() {
    let gate = Event::new("the second half");
    let held = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ")
        .wait(&gate)
        .send("half ");
    let backend = Backend::start(move |seen| match seen.path() {
        "/halves" => held.clone(),
        _ => Script::new().echo(),
    })
    .await;
    let app = Raincheck::start(&Config::sync(&backend.url())).await;
    let mut client = app.request("GET", "/halves").begin().await;
    let mut response = client.start("GET").await;
    client.read_until(&mut response, 5).await;
    replace(&app.home).await;
    started(&app.child, 2).await;
    // The new process is ready before the cut, and only what an answer is on is kept across it.
    until("the old process to relay on", || {
        app.child
            .stderr()
            .contains("replaced; what is relayed here goes on")
    })
    .await;
    gate.fire();
    client.finish(&mut response).await;
    assert_eq!(response.text(), "half half ");
    // What it was not told is not so.
    assert_eq!(response.header("connection"), None);
    let get = "GET /fast HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(client.exchange(get).await.status, 200);
}

/// A certificate for this machine, written with its key to the directory.
fn certificate(dir: &Path) {
    let names = vec!["localhost".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names).must("a certificate");
    let write = |name, text: String| std::fs::write(dir.join(name), text).must("a file");
    write("tls.pem", signed.cert.pem());
    write("tls.key", signed.signing_key.serialize_pem());
}

#[tokio::test]
async fn clients_over_tls_lose_no_request_to_replacements() {
    let backend = Backend::always(Script::new().echo()).await;
    let home = Home::with_text("");
    certificate(home.path());
    let (url, dir) = (backend.url(), home.path().display().to_string());
    let config = format!(
        "[server]\n[[server.listen]]\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"{dir}/tls.pem\", key = \"{dir}/tls.key\" }}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{dir}/data\"\n\
         [[route]]\nname = \"all\"\nmatch = \"/{{*path}}\"\nupstream = {url:?}\nmode = \"auto\"\n"
    );
    std::fs::write(home.config(), config).must("writing the config");
    let child = Child::spawn(home.serve(&[]));
    let ready = child.line_with("\"ready\"").await;
    let ready: serde_json::Value = serde_json::from_str(&ready).must("JSON");
    let listen = ready["listen"].as_str().must("an address");
    let port = listen.rsplit(':').next().must("a port");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replace/clients.mjs");
    let mut node = Command::new("node");
    node.args([script, port]);
    node.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut clients = node.spawn().must("node");
    for time in 1..=3 {
        backend.wait_for(time * 300).await;
        replace(&home).await;
        started(&child, time + 1).await;
    }
    backend.wait_for(backend.count() + 300).await;
    drop(clients.stdin.take());
    let told = tokio::task::spawn_blocking(move || clients.wait_with_output());
    let told = told.await.must("its thread").must("its output").stdout;
    let told: serde_json::Value = serde_json::from_slice(&told).must("JSON");
    assert_eq!(told["wrong"], serde_json::json!([]), "{told}");
    for protocol in ["h1", "h2"] {
        assert!(told["answers"][protocol].as_u64() > Some(100), "{told}");
    }
}

#[tokio::test]
async fn jobs_end_within_the_grace_or_run_again_uncounted() {
    let gate = Event::new("answer");
    let script = Script::new().wait(&gate).ok("done");
    let backend = Backend::in_order(vec![Script::new().until_closed(), script]).await;
    let config = Config::queued(&backend.url()).server("grace = \"300ms\"");
    let app = Raincheck::start(&config).await;
    let put = app.request("PUT", "/x").body("1").send().await;
    let ticket = put.expect(202).json();
    backend.wait_for(1).await;
    replace(&app.home).await;
    backend.wait_for(2).await;
    gate.fire();
    let id = ticket["job_id"].as_str().must("an id").to_owned();
    let status = app.finished(&id).await;
    assert_eq!(status["status"], "succeeded");
    assert_eq!(status["attempt"], 1, "handed back uncounted");
    assert_eq!(status["executions"], 2, "and told honestly");
}

#[tokio::test]
async fn a_successor_that_fails_leaves_the_old_process_serving() {
    let backend = Backend::echo().await;
    let config = Config::all_modes(&backend.url());
    let app = Raincheck::start(&config).await;
    // Before it has anything: its config is wrong.
    std::fs::write(app.home.config(), "[server]\nlisten = 7\n").must("a file");
    let mut command = command();
    command
        .args(["replace", "--store-path"])
        .arg(app.home.data());
    let exit = Child::spawn(command).exited().await;
    assert_eq!(exit.code, Some(7), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("the old process serves on"),
        "{}",
        exit.stderr
    );
    app.home.configure(&config);
    app.get("/sync/x").await.expect(200);
    // With nobody there, a start that would take over is an ordinary one.
    let other = Home::new(&config);
    let mut start = other.serve(&[]);
    start.arg("--take-over");
    let alone = Child::spawn(start);
    alone.line_with("\"ready\"").await;
    // With nobody there, nobody can be replaced.
    let nowhere = tempfile::tempdir().must("a directory");
    let mut command = raincheck_e2e::process::command();
    command
        .args(["replace", "--store-path"])
        .arg(nowhere.path());
    let exit = Child::spawn(command).exited().await;
    assert_eq!(exit.code, Some(69), "{}", exit.stderr);
    replace(&app.home).await;
    app.get("/async/x").await.expect(202);
}
