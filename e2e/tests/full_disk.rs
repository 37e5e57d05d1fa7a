//! A small disk that is full under a running gateway: it says so, relays go on, and its clients can
//! make room.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_e2e::process::Home;
use raincheck_e2e::{Backend, Config, Must, Raincheck, expect, until};

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
