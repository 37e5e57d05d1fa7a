//! No file of the repository is one that `.gitignore` names: what a run or a test leaves behind is
//! no source, and the next run would find it there.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::tidy::{Rule, Violation};

/// Asks git for files that are tracked and ignored.
pub fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--ignored",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git cannot be run; install the package git")?;
    if !listed.status.success() {
        let why = String::from_utf8_lossy(&listed.stderr);
        bail!(
            "git does not list the files of the repository: {}",
            why.trim()
        );
    }
    Ok(violations(&String::from_utf8_lossy(&listed.stdout)))
}

fn violations(listed: &str) -> Vec<Violation> {
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    paths
        .map(|path| Violation {
            rule: Rule::Leftover,
            path: path.to_owned(),
            line: 1,
            what: "is tracked, and .gitignore names it".to_owned(),
            remedy: "remove it with git rm --cached",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::violations;

    #[test]
    fn each_is_named() {
        let found = violations("a/raincheck-data/jobs.db\0tests/.x.rs.pending-snap\0");
        let paths: Vec<_> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(
            paths,
            ["a/raincheck-data/jobs.db", "tests/.x.rs.pending-snap"]
        );
        assert!(violations("").is_empty());
    }
}
