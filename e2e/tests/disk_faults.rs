//! A disk that fails under a running gateway: no ticket that is not on disk, no panic, and whatever
//! was acknowledged before is there after the next start.

use std::process::Command;

use raincheck_e2e::process::Child;
use raincheck_e2e::{Backend, Config, Must, Raincheck, expect, within};
use rustix::process::Signal;

/// Lets system calls of a running gateway fail until dropped or ended.
struct Fault {
    strace: Child,
}

impl Fault {
    async fn inject(app: &Raincheck, calls: &str, error: &str) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error={error}")]);
        command.args(["-p", &app.child.pid().to_string()]);
        let strace = Child::spawn(command);
        let attached = || {
            let said = strace.stderr();
            assert!(strace.is_running(), "strace: {said}");
            said.contains("attached")
        };
        raincheck_e2e::until("strace to attach", attached).await;
        Self { strace }
    }

    async fn end(self) {
        self.strace.signal(Signal::INT);
        self.strace.exited().await;
    }
}

async fn finished_jobs(app: &Raincheck) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..10 {
        let id = app.submit("/x", &n.to_string()).await.id;
        app.finished(&id).await;
        ids.push(id);
    }
    ids
}

async fn all_there(app: &Raincheck, ids: &[String]) {
    for id in ids {
        assert_eq!(app.status(id).await["status"], "succeeded");
        app.result(id).await.expect(200);
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let backend = Backend::echo().await;
    let mut app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(app.submit("/async/x", &n.to_string()).await.id);
    }
    for id in &ids {
        app.finished(id).await;
    }
    let fault = Fault::inject(&app, "fsync,fdatasync", "EIO").await;
    let refused = app.request("POST", "/async/x").body("a").try_send().await;
    let refused = refused.must("an answer, not a dropped connection");
    expect::problem(&refused, 503, "store-unavailable");
    fault.end().await;
    // The kernel may have dropped the pages that failed: a later sync that succeeds proves nothing,
    // so the process must not acknowledge again before it has read its data anew.
    if app.child.is_running() {
        let later = app.request("POST", "/async/x").body("a").try_send().await;
        assert!(
            later.is_none_or(|response| response.status == 503),
            "acknowledged again"
        );
    }
    let exit = app.child.exited().await;
    assert_eq!(exit.signal, None, "{}", exit.stderr);
    assert!(
        exit.code.is_some_and(|code| code != 0),
        "a supervisor must see it"
    );
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
    app.restart().await;
    all_there(&app, &ids).await;
    app.submit("/async/x", "works again").await;
}

#[tokio::test]
async fn a_full_disk_is_a_503_until_there_is_room() {
    let backend = Backend::echo().await;
    let mut app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut ids = vec![app.submit("/async/x", "before").await.id];
    app.finished(&ids[0]).await;
    let fault = Fault::inject(&app, "pwrite64,pwritev,ftruncate,fallocate", "ENOSPC").await;
    for body in ["small".to_owned(), "large".repeat(100_000)] {
        let refused = app.request("POST", "/async/x").body(body).send().await;
        expect::problem(&refused, 503, "store-unavailable");
    }
    // What needs no disk goes on.
    app.get("/sync/x").await.expect(200);
    app.get("/auto/x").await.expect(200);
    fault.end().await;
    if app.child.is_running() {
        within("room for jobs again", async {
            loop {
                match app
                    .request("POST", "/async/x")
                    .body("after")
                    .try_send()
                    .await
                {
                    Some(response) if response.status == 503 => {}
                    Some(response) => {
                        ids.push(raincheck_e2e::ticket(&response).id);
                        return;
                    }
                    None => return,
                }
            }
        })
        .await;
        // A POST that was running would end as interrupted.
        for id in &ids {
            app.finished(id).await;
        }
    }
    app.restart().await;
    for id in &ids {
        app.finished(id).await;
    }
    all_there(&app, &ids).await;
    assert!(!app.child.stderr().contains("panicked"));
}

#[tokio::test]
async fn a_disk_without_room_for_an_answer_fails_the_job_clearly() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let ids = finished_jobs(&app).await;
    let fault = Fault::inject(&app, "pwrite64,pwritev", "EIO").await;
    let refused = app.request("POST", "/x").body("a").try_send().await;
    assert!(refused.is_none_or(|response| response.status == 503));
    fault.end().await;
    let mut app = app;
    app.restart().await;
    all_there(&app, &ids).await;
}

#[tokio::test]
async fn too_few_file_descriptors_shed_load_and_recover() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::all_modes(&backend.url())).await;
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", &app.child.pid().to_string(), "--nofile=64:64"]);
    assert!(limit.status().must("prlimit").success());
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(app.client().await);
    }
    drop(clients);
    within("service to come back", async {
        while app.request("GET", "/sync/x").try_send().await.is_none() {}
    })
    .await;
    let id = app.submit("/async/x", "a").await.id;
    assert_eq!(app.finished(&id).await["status"], "succeeded");
    assert!(!app.child.stderr().contains("panicked"));
}
