//! `raincheck verify` and `raincheck backup` on data directories of every kind.
//!
//! A process of their own and one test at a time: a child that is about to start holds for a moment
//! whatever its parent has open, the lock of a store included.

#![expect(
    clippy::unwrap_used,
    reason = "a test and its helpers fail by panicking"
)]

#[path = "commands/process.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod process;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_store_local::{LocalStore, Options};

use process::{Exit, run};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn verify(path: &Path, more: &[&str]) -> Exit {
    run(&[
        &["verify", "--store-path", path.to_str().unwrap()][..],
        more,
    ]
    .concat())
}

fn backup(from: &Path, to: &Path) -> Exit {
    run(&[
        "backup",
        to.to_str().unwrap(),
        "--store-path",
        from.to_str().unwrap(),
    ])
}

#[test]
fn one_that_is_served_is_copied_and_not_verified() {
    let _alone = alone();
    let dir = tempfile::TempDir::new().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let store = LocalStore::open(&data, Options::default()).unwrap();
    let exit = verify(&data, &[]).expect(75);
    assert!(exit.stderr.contains("in use"), "{exit:?}");
    let exit = backup(&data, &copy).expect(0);
    assert!(exit.stdout.starts_with("copied "), "{exit:?}");
    let exit = backup(&data, &copy).expect(73);
    assert!(exit.stderr.contains("not empty"), "{exit:?}");
    drop(store);

    for path in [&data, &copy] {
        let exit = verify(path, &["--json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
        assert_eq!((&report["ok"], &report["jobs"]), (&true.into(), &0.into()));
    }
    let exit = verify(&copy, &[]).expect(0);
    assert!(exit.stdout.contains("damaged     0\n"), "{}", exit.stdout);
}

#[test]
fn one_that_is_not_there_is_not_made() {
    let _alone = alone();
    let dir = tempfile::TempDir::new().unwrap();
    let data = dir.path().join("data");
    let exit = verify(&data, &[]).expect(73);
    assert!(
        exit.stderr.contains("name one with --store-path"),
        "{exit:?}"
    );
    backup(&data, &dir.path().join("copy")).expect(73);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_config_says_where_it_is() {
    let _alone = alone();
    let dir = tempfile::TempDir::new().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("raincheck.toml"));
    drop(LocalStore::open(&data, Options::default()).unwrap());
    fs::write(
        &file,
        format!("[store]\npath = {:?}\n", data.to_str().unwrap()),
    )
    .unwrap();
    run(&["verify", "-c", file.to_str().unwrap()]).expect(0);
    run(&["verify", data.to_str().unwrap()]).expect(0);
    fs::write(&file, "[store]\npaht = \"x\"\n").unwrap();
    run(&["verify", "-c", file.to_str().unwrap()]).expect(64);
}
