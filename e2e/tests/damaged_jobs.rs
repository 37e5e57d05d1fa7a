//! Damage to what is stored of one job: that job fails and says so, and no other suffers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_e2e::backend::Down;
use raincheck_e2e::process::{Child, command};
use raincheck_e2e::{Backend, Config, End, Event, Must, Raincheck, Script, Seen, expect, within};

/// Changes the data with SQLite's own program.
fn sqlite(app: &Raincheck, statement: &str) {
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg(app.home.data().join("jobs.db")).arg(statement);
    let output = sqlite.output().must("sqlite3");
    assert!(output.status.success(), "{output:?}");
}

/// Damages the record of a job in one table: its last byte belongs to the checksum.
fn damage(app: &Raincheck, table: &str, id: &str) {
    let key = id.replace('-', "");
    sqlite(
        app,
        &format!(
            "UPDATE {table} SET record = substr(record, 1, length(record) - 1)
                || CASE WHEN substr(record, -1) = x'00' THEN x'01' ELSE x'00' END
             WHERE id = x'{key}'"
        ),
    );
}

async fn verified(app: &Raincheck) -> String {
    let mut verify = command();
    verify
        .args(["verify", "--json", "--store-path"])
        .arg(app.home.data());
    let exit = Child::spawn(verify).exited().await;
    assert_eq!(exit.code, Some(expect::exit::DAMAGED), "{}", exit.stderr);
    exit.stdout
}

#[tokio::test]
async fn a_damaged_job_fails_and_the_others_go_on() {
    let go_on = Event::new("go on");
    let backend = Backend::slow(&go_on).await;
    let config = Config::queued(&backend.url()).with("concurrency = 1");
    let mut app = Raincheck::start(&config).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(app.submit("/x", &n.to_string()).await.id);
    }
    backend.wait_for(1).await;
    app.kill().await;
    // The first was running; its own record, that of a queued one, and a queued one's request.
    damage(&app, "jobs", &ids[0]);
    damage(&app, "jobs", &ids[2]);
    damage(&app, "requests", &ids[3]);
    let said = verified(&app).await;
    for id in [&ids[0], &ids[2], &ids[3]] {
        assert!(said.contains(id.as_str()), "{said}");
    }
    assert!(said.contains("\"offset\":"), "{said}");
    go_on.fire();
    app.restart().await;
    for (n, id) in ids.iter().enumerate() {
        // Until it is set aside, asking for a damaged one says what is wrong with it.
        within("the job to be seen to", async {
            while app.get(&format!("/jobs/{id}")).await.status != 200 {}
        })
        .await;
        let document = app.finished(id).await;
        if [0, 2, 3].contains(&n) {
            assert_eq!(document["status"], "failed", "{n}: {document}");
            assert_eq!(document["error"]["code"], "storage-damaged", "{document}");
            expect::problem(&app.result(id).await, 500, "storage-damaged");
            assert_eq!(document["executions"], u64::from(n == 0), "{n}: {document}");
        } else {
            assert_eq!(document["status"], "succeeded", "{n}: {document}");
            assert_eq!(app.result(id).await.expect(200).text(), "done");
        }
    }
    let aside = std::fs::read_dir(app.home.data().join("damaged")).must("what was set aside");
    assert_eq!(aside.count(), 2);
    app.terminate();
    assert_eq!(app.child.exited().await.code, Some(0));
}

/// The body files of what is stored, each with its bytes.
fn bodies(app: &Raincheck) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in std::fs::read_dir(app.home.data().join("bodies")).must("bodies") {
        let files = std::fs::read_dir(dir.must("a directory").path()).must("bodies");
        found.extend(files.map(|file| file.must("a file").path()));
    }
    found
}

/// Flips a bit of a file.
fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path);
    let file = file.must("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).must("a byte");
    file.write_all_at(&[byte[0] ^ 0x10], at).must("writing");
}

/// The job has failed for its damage, and will say so from now on.
async fn has_failed(app: &Raincheck, id: &str) {
    let document = app.status(id).await;
    assert_eq!(document["status"], "failed", "{document}");
    assert_eq!(document["error"]["code"], "storage-damaged", "{document}");
    assert!(document["finished_at"].is_string() && document["expires_at"].is_string());
    expect::problem(&app.result(id).await, 500, "storage-damaged");
}

#[tokio::test]
async fn a_job_whose_answer_is_damaged_has_failed_and_says_so() {
    let backend = Backend::always(Script::new().ok("an answer")).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(app.submit("/x", &n.to_string()).await.id);
        app.finished(&ids[n]).await;
    }
    let [asked, read, whole] = [&ids[0], &ids[1], &ids[2]];
    app.kill().await;
    damage(&app, "responses", asked);
    damage(&app, "responses", read);
    let said = verified(&app).await;
    assert!(said.contains(asked.as_str()) && said.contains(read.as_str()));
    assert!(said.contains("\"offset\":"), "{said}");
    app.restart().await;
    // Who asks for the status learns of it, and so does who asks for the answer.
    has_failed(&app, asked).await;
    expect::problem(&app.result(read).await, 500, "storage-damaged");
    has_failed(&app, read).await;
    assert_eq!(app.result(whole).await.expect(200).text(), "an answer");
    assert_eq!(backend.count(), 3, "nothing is sent again by itself");
    // It is on disk, and is no answer to a repetition or a retry.
    app.kill().await;
    app.restart().await;
    has_failed(&app, asked).await;
    app.post(&format!("/jobs/{asked}/retry"), "").await;
    assert_eq!(app.finished(asked).await["status"], "succeeded");
    assert_eq!(app.result(asked).await.expect(200).text(), "an answer");
    assert_eq!(backend.count(), 4);
}

#[tokio::test]
async fn a_bit_of_a_large_answer_is_met_while_it_is_read() {
    const LEN: u64 = 300_000;
    let backend = Backend::bytes(LEN).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    for place in [40, 70_000, 299_000] {
        let id = app.submit("/x", "a").await.id;
        app.finished(&id).await;
        app.kill().await;
        let [file] = &bodies(&app)[..] else {
            panic!("one body");
        };
        flip(file, place);
        app.restart().await;
        assert_eq!(app.status(&id).await["status"], "succeeded", "not met yet");
        // Before the first byte it is a problem; after it the answer is cut and never looks whole.
        let result = app.request("GET", &format!("/jobs/{id}/result"));
        let answer = result.try_send().await;
        match place {
            40 => drop(expect::problem(
                &answer.must("a problem"),
                500,
                "storage-damaged",
            )),
            _ => assert!(answer.is_none(), "a damaged answer looks whole"),
        }
        let noted = within("the job to fail", async {
            loop {
                let document = app.status(&id).await;
                if document["status"] == "failed" {
                    return document;
                }
            }
        });
        assert_eq!(noted.await["error"]["code"], "storage-damaged");
        has_failed(&app, &id).await;
        app.delete(&id).await.expect(204);
    }
}

#[tokio::test]
async fn a_bit_of_a_large_request_fails_its_job_alone() {
    let backend = Backend::echo().await;
    let refused = Down::new();
    let retry =
        "retry = { attempts = 1000, backoff = \"1s\", max_backoff = \"1s\", unsafe = true }";
    let mut app = Raincheck::start(&Config::queued(&refused.url()).with(retry)).await;
    let id = app.submit("/x", &"large".repeat(60_000)).await.id;
    app.wait_status(&id, &["queued"]).await;
    app.kill().await;
    let [file] = &bodies(&app)[..] else {
        panic!("one body");
    };
    flip(file, 200_000);
    app.home
        .configure(&Config::queued(&backend.url()).with(retry));
    app.restart().await;
    let document = app.finished(&id).await;
    assert_eq!(document["status"], "failed", "{document}");
    assert_eq!(document["error"]["code"], "storage-damaged", "{document}");
    // The backend saw the part before the damage, and is not sent it again.
    let requests = backend.requests();
    let whole = |seen: &Seen| seen.body.end == End::Complete;
    assert!(!requests.iter().any(whole), "a cut request looks whole");
    assert!(requests.len() <= 1, "sent again");
    assert!(document["executions"].as_u64() >= Some(1), "{document}");
    let id = app.submit("/x", "another").await.id;
    assert_eq!(app.finished(&id).await["status"], "succeeded");
}

/// After a start everything is looked at, asked for or not: records, lengths, frames.
#[tokio::test]
async fn what_is_damaged_is_told_after_a_start_before_anybody_asks() {
    let backend = Backend::bytes(300_000).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let (mut ids, mut files) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let id = app.submit("/x", &n.to_string()).await.id;
        app.finished(&id).await;
        let mut new = bodies(&app);
        new.retain(|file| !files.contains(file));
        files.extend(new);
        ids.push(id);
    }
    app.kill().await;
    assert_eq!(files.len(), 5);
    damage(&app, "responses", &ids[0]);
    flip(&files[1], 200_000);
    let cut = File::options().write(true).open(&files[2]);
    cut.and_then(|file| file.set_len(100_000)).must("a cut");
    std::fs::remove_file(&files[3]).must("a loss");
    app.restart().await;
    let line_of = |id: &str| {
        let log = app.child.stderr();
        let mut lines = log.lines();
        let told = |line: &&str| line.contains("what is stored is damaged") && line.contains(id);
        lines.find(told).map(str::to_owned)
    };
    for (id, problem) in ids
        .iter()
        .zip(["record", "checksum", "instead of", "missing"])
    {
        raincheck_e2e::until("the damage to be told", || line_of(id).is_some()).await;
        let line = line_of(id).must("a line");
        assert!(line.contains(problem), "{line}");
    }
    raincheck_e2e::until("the end of the look", || {
        app.child
            .stderr()
            .contains("all that is stored was looked at")
    })
    .await;
    let metrics = app.admin("GET", "/metrics").send().await.text();
    assert!(metrics.contains("raincheck_store_damaged 4"), "{metrics}");
    assert_eq!(line_of(&ids[4]), None);
    assert_eq!(
        app.result(&ids[4]).await.expect(200).body.check.len(),
        300_000
    );
}
