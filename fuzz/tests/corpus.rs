//! Everything that was worth keeping is run through on each test run, without the fuzzer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use raincheck_fuzz::{TARGETS, find};

/// Runs a target over its corpus.
fn replay(name: &str) {
    let target = find(name).unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", dir.display());
    for file in files {
        // Shown only if the run panics: it is the file that fails.
        println!("{}", file.display());
        (target.run)(&fs::read(&file).unwrap());
    }
}

macro_rules! replayed {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })+

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),+]);
        }
    };
}

replayed!(
    config_text,
    framing,
    headers,
    job_history,
    log,
    route_table,
    segment,
    store_history,
    stored_row,
);
