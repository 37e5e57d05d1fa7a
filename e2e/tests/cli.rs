//! The commands beside `serve`, as a person or a script uses them: results on stdout, talk on
//! stderr, an exit code that says how it went.

use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Exit, run};
use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Script};
use serde_json::Value;

fn url(app: &Raincheck) -> String {
    format!("http://{}", app.addr())
}

fn admin(app: &Raincheck) -> String {
    format!("http://{}", app.admin_addr())
}

fn ended(exit: &Exit, code: i32) -> &Exit {
    assert_eq!(
        exit.code,
        Some(code),
        "stdout: {}\nstderr: {}",
        exit.stdout,
        exit.stderr
    );
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
    exit
}

#[tokio::test]
async fn submit_waits_and_prints_the_result_alone() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let target = format!("{}/work", url(&app));
    let submit = [
        "submit",
        "--wait",
        "-H",
        "X-A: 1",
        "-d",
        "{\"n\":1}",
        "POST",
        &target,
    ];
    let (exit, ()) = tokio::join!(run(&submit), async {
        backend.wait_for(1).await;
        answer.fire();
    });
    assert_eq!(ended(&exit, exit::OK).stdout, "done");
    let seen = backend.only();
    assert_eq!(
        (seen.method(), seen.target(), seen.body.text()),
        ("POST", "/work", "{\"n\":1}".into())
    );
    assert_eq!(seen.all("x-a"), ["1"]);
}

#[tokio::test]
async fn wait_tells_the_end_by_its_exit_code() {
    let never = Event::new("never");
    let backend = Backend::start(move |seen| match seen.path() {
        "/good" => Script::new().ok("good"),
        "/error" => Script::new().respond("418 I'm a teapot", &[], "short and stout"),
        "/broken" => Script::new().close(),
        _ => Script::new().wait(&never),
    })
    .await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let base = url(&app);
    for (path, code, stdout) in [
        ("/good", exit::OK, Some("good")),
        ("/error", exit::ERROR_ANSWER, Some("short and stout")),
        ("/broken", exit::JOB_FAILED, None),
    ] {
        let id = app.submit(path, "").await.id;
        let exit = run(&["wait", "--url", &base, &id]).await;
        ended(&exit, code);
        if let Some(text) = stdout {
            assert_eq!(exit.stdout, text);
        }
        let by_url = run(&["wait", &format!("{base}/jobs/{id}")]).await;
        ended(&by_url, code);
    }
    let slow = app.submit("/slow", "").await.id;
    let exit = run(&["wait", "--url", &base, "--timeout", "1s", &slow]).await;
    assert_eq!(ended(&exit, exit::JOB_UNFINISHED).stdout, "");
    app.delete(&slow).await.expect(200);
    ended(
        &run(&["wait", "--url", &base, &slow]).await,
        exit::JOB_CANCELLED,
    );
    let unknown = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";
    ended(
        &run(&["wait", "--url", &base, unknown]).await,
        exit::JOB_NOT_FOUND,
    );
    let nobody = raincheck_e2e::backend::Down::new();
    ended(
        &run(&["wait", "--url", &nobody.url(), unknown]).await,
        exit::UNREACHABLE,
    );
    ended(&run(&["wait", "--url", &base, "no-id"]).await, exit::USAGE);
}

#[tokio::test]
async fn jobs_are_listed_shown_cancelled_and_retried() {
    let backend = Backend::silent().await;
    let app = Raincheck::start(&Config::queued(&backend.url()).with("name = \"work\"")).await;
    let id = app.submit("/x", "").await.id;
    backend.wait_for(1).await;
    let admin = admin(&app);
    let jobs = async |args: &[&str]| {
        let all = [&["jobs", "--admin-url", &admin][..], args].concat();
        run(&all).await
    };
    let list = jobs(&["list", "--status", "processing", "--route", "work"]).await;
    assert!(
        ended(&list, exit::OK).stdout.contains(&id),
        "{}",
        list.stdout
    );
    let list = jobs(&["list", "--json"]).await;
    let lines: Vec<Value> = ended(&list, exit::OK)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).must("JSON"))
        .collect();
    assert!(lines[0].to_string().contains(&id), "{}", list.stdout);
    let show = jobs(&["show", &id]).await;
    assert!(
        ended(&show, exit::OK).stdout.contains("processing"),
        "{}",
        show.stdout
    );

    ended(&jobs(&["cancel", &id]).await, exit::OK);
    backend.wait_closed(0).await;
    ended(&jobs(&["retry", &id]).await, exit::OK);
    backend.wait_for(2).await;
    let unknown = jobs(&["show", "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10"]).await;
    ended(&unknown, exit::JOB_NOT_FOUND);
}

#[tokio::test]
async fn a_backup_of_a_running_gateway_is_a_store() {
    let backend = Backend::always(Script::new().ok(&"large ".repeat(100_000))).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = app.submit("/x", "").await.id;
        app.finished(&id).await;
        ids.push(id);
    }
    let data = app.home.data().display().to_string();
    let copy = app.home.path().join("copy");
    let to = copy.display().to_string();
    ended(
        &run(&["backup", &to, "--store-path", &data]).await,
        exit::OK,
    );
    ended(&run(&["verify", "--store-path", &to]).await, exit::OK);
    let again = run(&["backup", &to, "--store-path", &data]).await;
    assert_ne!(
        again.code,
        Some(exit::OK),
        "an earlier backup is not overwritten"
    );

    app.terminate();
    app.child.exited().await;
    std::fs::remove_dir_all(&data).must("removing the data");
    std::fs::rename(&copy, &data).must("putting the backup in its place");
    let app = Raincheck::start_in(app.home).await;
    for id in ids {
        assert_eq!(app.result(&id).await.expect(200).body.len(), 600_000);
    }
}

#[tokio::test]
async fn verify_finds_a_damaged_body() {
    let backend = Backend::always(Script::new().ok(&"large ".repeat(100_000))).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    app.terminate();
    app.child.exited().await;
    let bodies = app.home.data().join("bodies");
    let mut pending = vec![bodies];
    let mut damaged = 0;
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).must("the bodies").flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let mut bytes = std::fs::read(&path).must("a body");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).must("a damaged body");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "a large body has a file of its own");
    let data = app.home.data().display().to_string();
    let exit = run(&["verify", "--store-path", &data]).await;
    ended(&exit, exit::DAMAGED);
    assert!(
        format!("{}{}", exit.stdout, exit.stderr).contains(&id),
        "{}",
        exit.stdout
    );

    // The damage is told to whoever asks for the result, and is never passed off as the answer.
    let app = Raincheck::start_in(app.home).await;
    let result = app.get(&format!("/jobs/{id}/result")).await;
    let honest = result.status == 500 || !result.is_whole();
    assert!(
        honest,
        "{} with {} bytes",
        result.head.start,
        result.body.len()
    );
}

#[tokio::test]
async fn the_demo_tells_its_story_and_ends() {
    let exit = run(&[
        "demo",
        "--once",
        "--port",
        "0",
        "--seconds",
        "2",
        "--hold",
        "1s",
    ])
    .await;
    ended(&exit, exit::OK);
    let said = format!("{}{}", exit.stdout, exit.stderr);
    for word in ["202", "/jobs/", "curl"] {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }
}

#[tokio::test]
async fn completions_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let exit = run(&["completions", shell]).await;
        assert!(ended(&exit, exit::OK).stdout.contains("raincheck"));
    }
}
