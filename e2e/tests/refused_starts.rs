//! Starts that must not happen: each with a clear message, an exit code of its own, no open port
//! and nothing changed on disk.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use raincheck_e2e::expect::exit;
use raincheck_e2e::process::{Child, Exit, Home, command, run};
use raincheck_e2e::{Backend, Config, Must, Raincheck};

async fn refused(home: &Home) -> Exit {
    let exit = Child::spawn(home.serve(&[])).exited().await;
    assert_eq!(exit.signal, None, "{}", exit.stderr);
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
    assert!(!exit.stdout.contains("\"ready\""), "{}", exit.stdout);
    exit
}

fn config() -> Config {
    Config::sync("http://127.0.0.1:9")
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").must("a port");
    let addr = taken.local_addr().must("its address");
    for config in [config().listen(addr), config().admin_listen(addr)] {
        let home = Home::new(&config);
        let exit = refused(&home).await;
        assert_eq!(exit.code, Some(exit::PORT_IN_USE), "{}", exit.stderr);
        assert!(exit.stderr.contains(&addr.to_string()), "{}", exit.stderr);
        assert!(!home.data().exists(), "a refused start leaves nothing");
    }
}

#[tokio::test]
async fn a_data_directory_has_one_process() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let exit = refused(&app.home).await;
    assert_eq!(exit.code, Some(exit::IN_USE), "{}", exit.stderr);
    let data = app.home.data().display().to_string();
    assert!(
        exit.stderr.contains(&data) && exit.stderr.contains("in use"),
        "{}",
        exit.stderr
    );
    let id = app.submit("/x", "").await.id;
    assert_eq!(app.finished(&id).await["status"], "succeeded");
}

/// All files below a directory with their bytes, but for locks and sockets.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).must("the data directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if path.is_file() && !path.display().to_string().contains("lock") {
            found.push((
                path.display().to_string(),
                fs::read(&path).must("a data file"),
            ));
        }
    }
    found.sort();
    found
}

/// Where SQLite keeps the number of the format in its file (`user_version`).
const FORMAT_OFFSET: usize = 60;

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let backend = Backend::echo().await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    app.terminate();
    assert_eq!(app.child.exited().await.code, Some(exit::OK));
    let database = app.home.data().join("jobs.db");
    let original = fs::read(&database).must("the database");
    let mut newer = original.clone();
    newer[FORMAT_OFFSET..FORMAT_OFFSET + 4].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(&database, newer).must("writing the database");

    let before = contents(&app.home.data());
    let exit = refused(&app.home).await;
    assert_eq!(exit.code, Some(exit::NEWER), "{}", exit.stderr);
    assert!(exit.stderr.contains("9999"), "{}", exit.stderr);
    assert!(
        contents(&app.home.data()) == before,
        "a refused start must change nothing"
    );

    fs::write(&database, original).must("writing the database");
    app.restart().await;
    assert_eq!(app.status(&id).await["status"], "succeeded");
}

#[tokio::test]
async fn a_damaged_database_is_left_alone() {
    let backend = Backend::echo().await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    app.submit("/x", "").await;
    app.terminate();
    app.child.exited().await;
    let database = app.home.data().join("jobs.db");
    let len = fs::metadata(&database).must("the database").len();
    let garbage = vec![0xa5; usize::try_from(len).must("a size")];
    fs::write(&database, garbage).must("writing the database");
    let before = contents(&app.home.data());
    let exit = refused(&app.home).await;
    assert_eq!(exit.code, Some(exit::DAMAGED), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("jobs.db") || exit.stderr.contains("data"),
        "{}",
        exit.stderr
    );
    assert!(
        contents(&app.home.data()) == before,
        "a refused start must change nothing"
    );
}

#[tokio::test]
async fn a_data_directory_that_is_a_file_is_named() {
    let home = Home::new(&config());
    fs::write(home.data(), "not a directory").must("a file");
    let exit = refused(&home).await;
    assert_eq!(exit.code, Some(exit::NOT_CREATED), "{}", exit.stderr);
    assert!(
        exit.stderr.contains(&home.data().display().to_string()),
        "{}",
        exit.stderr
    );
    assert_eq!(
        fs::read_to_string(home.data()).must("the file"),
        "not a directory"
    );
}

#[tokio::test]
async fn a_strangers_database_is_left_alone() {
    let home = Home::new(&config());
    fs::create_dir(home.data()).must("a directory");
    fs::write(
        home.data().join("jobs.db"),
        "someone else's file\n".repeat(300),
    )
    .must("a file");
    let before = contents(&home.data());
    let exit = refused(&home).await;
    let known = [Some(exit::DAMAGED), Some(exit::NOT_CREATED)];
    assert!(
        known.contains(&exit.code),
        "{:?}: {}",
        exit.code,
        exit.stderr
    );
    assert!(
        contents(&home.data()) == before,
        "a refused start must change nothing"
    );
}

const MISTAKES: &str = r#"[server]
listen = "nonsense"
lisen = "127.0.0.1:0"

[[route]]
name = "a"
match = "/a/{*path}"
upstream = "ftp://127.0.0.1"
mode = "sometimes"
hold = "25 parsecs"

[[route]]
name = "a"
match = "no slash"
upstream = "http://127.0.0.1:1"
retry = { attempts = 0 }
"#;

#[tokio::test]
async fn all_mistakes_of_a_config_are_told_at_once() {
    let home = Home::with_text(MISTAKES);
    let config = home.config().display().to_string();
    let dir = tempfile::tempdir().must("a directory");
    for flag in ["-c", "--config"] {
        let mut serve = command();
        serve.args(["serve", flag, &config]).current_dir(dir.path());
        let exit = Child::spawn(serve).exited().await;
        assert_eq!(exit.code, Some(exit::USAGE), "{}", exit.stderr);
        for word in [
            "nonsense",
            "lisen",
            "ftp",
            "sometimes",
            "parsecs",
            "no slash",
            "attempts",
        ] {
            assert!(
                exit.stderr.contains(word),
                "{word} is not mentioned:\n{}",
                exit.stderr
            );
        }
        // Lines, and the nearest known key.
        for line in [2, 3, 8, 9, 10] {
            let known = [
                format!(":{line}:"),
                format!(":{line}\n"),
                format!("line {line}"),
            ];
            let told = known.iter().any(|form| exit.stderr.contains(form));
            let shown = exit.stderr.contains(&format!("\n{line} |"))
                || exit.stderr.contains(&format!(" {line} |"));
            assert!(
                told || shown,
                "line {line} is not mentioned:\n{}",
                exit.stderr
            );
        }
        assert!(exit.stderr.contains("listen"), "{}", exit.stderr);
        assert_eq!(exit.stdout, "");
    }
    let made = fs::read_dir(dir.path()).must("its entries").count();
    assert_eq!(made, 0, "a refused start makes no data directory");
}

#[tokio::test]
async fn check_says_the_same_without_starting() {
    let wrong = Home::with_text(MISTAKES);
    let exit = run(&["check", &wrong.config().display().to_string()]).await;
    assert_eq!(exit.code, Some(exit::USAGE));
    let said = format!("{}{}", exit.stdout, exit.stderr);
    assert!(said.contains("parsecs") && said.contains("lisen"), "{said}");

    let right = Home::new(&config());
    let exit = run(&["check", &right.config().display().to_string()]).await;
    assert_eq!(exit.code, Some(exit::OK), "{}", exit.stderr);
    assert!(!right.data().exists(), "checking makes no data directory");
}

#[tokio::test]
async fn a_wrong_command_line_is_bad_usage() {
    for args in [
        &["serve", "--no-such-flag"][..],
        &["no-such-command"],
        &["serve", "--hold"],
    ] {
        let exit = run(args).await;
        assert_eq!(exit.code, Some(exit::USAGE), "{args:?}: {}", exit.stderr);
        assert_eq!(exit.stdout, "");
        assert!(!exit.stderr.is_empty());
    }
    for args in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let exit = run(args).await;
        assert_eq!(exit.code, Some(exit::OK), "{args:?}");
        assert!(!exit.stdout.is_empty());
    }
}
