//! Damage to what is stored of one job: that job fails and says so, and no other suffers.

use std::process::Command;

use raincheck_e2e::process::{Child, command};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script, expect, within};

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

#[tokio::test]
async fn a_damaged_answer_is_told_and_its_job_stays_what_it_was() {
    let backend = Backend::always(Script::new().ok("an answer")).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let damaged = app.submit("/x", "a").await.id;
    let whole = app.submit("/x", "b").await.id;
    app.finished(&damaged).await;
    app.finished(&whole).await;
    app.kill().await;
    damage(&app, "responses", &damaged);
    app.restart().await;
    assert_eq!(app.status(&damaged).await["status"], "succeeded");
    expect::problem(&app.result(&damaged).await, 500, "storage-damaged");
    assert_eq!(app.result(&whole).await.expect(200).text(), "an answer");
    assert_eq!(backend.count(), 2, "nothing is sent again by itself");
}
