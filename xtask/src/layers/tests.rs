//! Tables and packages that must and must not agree.

use std::path::PathBuf;

use super::{check, table};
use crate::metadata::{Dependency, Package};

const TABLE: &str = "\
| level | crate | may use | in one sentence |
| --- | --- | --- | --- |
| 0 | `core` | - (external: bytes, http) | words |
| 1 | `store` | core | durability |
| 6 | `raincheck` | all | the binary |
| tool | `xtask` | - | tasks |
";

fn package(name: &str, uses: &[&str], tests_use: &[&str]) -> Package {
    let ordinary = uses.iter().map(|name| (name, false));
    let dev = tests_use.iter().map(|name| (name, true));
    let dependency = |(name, dev): (&&str, bool)| Dependency {
        name: (*name).to_owned(),
        dev,
    };
    Package {
        name: name.to_owned(),
        dir: PathBuf::from(name),
        dependencies: ordinary.chain(dev).map(dependency).collect(),
    }
}

fn problems(table: &str, changed: Package) -> Vec<String> {
    let mut packages = vec![
        package("raincheck-core", &["bytes"], &["proptest"]),
        package("raincheck-store", &["raincheck-core", "tokio"], &[]),
        package(
            "raincheck",
            &["raincheck-core", "raincheck-store", "anyhow"],
            &[],
        ),
        package("xtask", &["anyhow"], &[]),
    ];
    packages.retain(|package| package.name != changed.name);
    packages.push(changed);
    check::check(&table::parse(table).unwrap(), &packages)
}

#[track_caller]
fn assert_only(problems: &[String], text: &str) {
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains(text), "{problems:#?}");
}

#[test]
fn a_workspace_as_drawn_has_no_problem() {
    let none = problems(TABLE, package("raincheck-core", &["http"], &[]));
    assert!(none.is_empty(), "{none:#?}");
}

#[test]
fn an_arrow_that_the_row_does_not_name_is_refused() {
    let found = problems(TABLE, package("xtask", &["raincheck-core"], &[]));
    assert_only(
        &found,
        "`core` may not be used by `xtask` (ARCHITECTURE.md:6)",
    );
}

#[test]
fn the_core_takes_only_listed_packages() {
    let found = problems(TABLE, package("raincheck-core", &["tokio"], &[]));
    assert_only(
        &found,
        "is not among the outside packages that `core` may use",
    );
}

#[test]
fn a_library_may_not_use_anyhow() {
    let found = problems(TABLE, package("raincheck-store", &["anyhow"], &[]));
    assert_only(&found, "`anyhow` is for programs");
}

#[test]
fn a_package_without_a_row_is_found() {
    let found = problems(TABLE, package("raincheck-new", &[], &[]));
    assert_only(&found, "`raincheck-new` has no row");
}

#[test]
fn a_row_without_a_package_is_found() {
    let table = format!("{TABLE}| 2 | `objects` | core | later |\n");
    assert_only(
        &problems(&table, package("xtask", &[], &[])),
        "`objects` is not a package",
    );
}

#[test]
fn a_row_may_not_point_upward() {
    let table = TABLE.replace(
        "| 1 | `store` | core |",
        "| 1 | `store` | core, raincheck |",
    );
    let found = problems(&table, package("xtask", &[], &[]));
    assert_only(
        &found,
        "`store` may not use `raincheck`: it is not on a lower level",
    );
}

#[test]
fn tests_are_exempt_until_they_close_a_circle() {
    let fine = problems(TABLE, package("xtask", &[], &["raincheck-core"]));
    assert!(fine.is_empty(), "{fine:#?}");
    let circle = problems(TABLE, package("raincheck-core", &[], &["raincheck-store"]));
    assert_only(&circle, "go in a circle");
}

#[test]
fn naming_itself_is_no_circle() {
    let found = problems(
        TABLE,
        package("raincheck-store", &["raincheck-core"], &["raincheck-store"]),
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_page_without_a_table_is_an_error() {
    assert!(table::parse("# Architecture\n").is_err());
}
