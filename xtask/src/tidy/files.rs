//! The files of the repository: everything that is text and not built, fetched or stored.

use std::path::Path;

use anyhow::Context;

/// Directories that hold nothing written by hand; `.gitignore` names them too.
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "raincheck-data"];

/// One text file.
pub struct File {
    /// From the root, with `/` between the parts.
    pub path: String,
    pub text: String,
}

impl File {
    /// True for Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// True if all of the file is there to test: a test, its helpers, or the conformance suite.
    pub fn is_test(&self) -> bool {
        let in_tests = |part: &str| matches!(part, "tests" | "tests.rs" | "conformance");
        self.is_rust()
            && (self.path.split('/').any(in_tests)
                || self.path.ends_with("/conformance.rs")
                || self.path.starts_with("e2e/"))
    }
}

/// Reads them all, sorted by path.
pub fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {prefix}"))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{prefix}{name}/"), files)?;
        }
        if kind.is_file() {
            let path = format!("{prefix}{name}");
            let bytes =
                std::fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            // What is not UTF-8 is not text, and no rule is about it.
            files.extend(
                String::from_utf8(bytes)
                    .ok()
                    .map(|text| File { path, text }),
            );
        }
    }
    Ok(())
}
