//! The binary under test: built once, as a user would build it, and named to the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::test::packages;
use crate::{metadata, shell};

/// The package of the black-box tests.
pub const E2E_PACKAGE: &str = "raincheck-e2e";

/// Builds the binary and keeps a copy of it.
///
/// The copy is what the tests start: building the tests of the workspace links the binary again,
/// with the features that tests ask for, and may do so while it runs.
pub fn build() -> anyhow::Result<PathBuf> {
    shell::run(&mut shell::cargo(&[
        "build",
        "-p",
        "raincheck",
        "--locked",
    ])?)?;
    let target = metadata::read()?.target_dir;
    let name = format!("raincheck{}", std::env::consts::EXE_SUFFIX);
    let built = target.join("debug").join(&name);
    if !built.is_file() {
        bail!(
            "cargo built the binary, but it is not at {}",
            built.display()
        );
    }
    let dir = target.join("under-test");
    std::fs::create_dir_all(&dir)?;
    // Renaming over the old copy works even while a test left running still executes it.
    let fresh = dir.join(format!("{name}.{}", std::process::id()));
    let kept = dir.join(&name);
    std::fs::copy(&built, &fresh)
        .and_then(|_| std::fs::rename(&fresh, &kept))
        .with_context(|| format!("cannot copy the binary to {}", kept.display()))?;
    Ok(kept)
}

/// Tells the tests where the binary is, and the packages of Python and Node.
pub fn tell(command: &mut Command, binary: &Path) -> anyhow::Result<()> {
    command
        .env("RAINCHECK_BIN", binary)
        .env("RAINCHECK_TEST_PYTHON", packages::python()?)
        .env("RAINCHECK_TEST_NODE_MODULES", packages::node_modules()?);
    // Debian keeps nginx where only the administrator's PATH looks.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let dirs = std::env::split_paths(&path).chain(sbin);
    command.env("PATH", std::env::join_paths(dirs)?);
    Ok(())
}
