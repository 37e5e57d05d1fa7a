//! Running other programs: shown before they start, and an error if they fail.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Which stream of a program is read on the way to ours.
#[derive(Clone, Copy)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// The root of the workspace.
///
/// Cargo says where `xtask` is when it runs it, so no path of the building machine is compiled in.
pub fn root() -> anyhow::Result<PathBuf> {
    let dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("run this as `cargo xtask`: CARGO_MANIFEST_DIR is not set")?;
    let root = Path::new(&dir)
        .parent()
        .context("xtask has no parent directory")?;
    Ok(root.to_owned())
}

/// The cargo that runs us, in the root of the workspace.
///
/// What cargo told `xtask` about itself is taken out of the environment: build scripts that look at
/// it would run again each time `xtask` and a plain `cargo build` take turns.
pub fn cargo(args: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.args(args).current_dir(root()?);
    Ok(command)
}

/// The command as a line that can be pasted into a shell.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    let mut words = vec![program.to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|arg| arg.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Runs a command with our own streams.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// True if the command can be run and succeeds; its output is not shown.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What the command prints to stdout; its stderr goes to ours.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{line}` could not be started"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` did not print UTF-8"))
}

/// Runs a command and hands each line of one of its streams to `see` while passing it on.
///
/// Returns whether the command succeeded: a failing test run still has lines worth counting.
pub fn watch(
    command: &mut Command,
    stream: Stream,
    see: &mut dyn FnMut(&str),
) -> anyhow::Result<bool> {
    let line = line(command);
    eprintln!("$ {line}");
    match stream {
        Stream::Stdout => command.stdout(Stdio::piped()),
        Stream::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("`{line}` could not be started"))?;
    match stream {
        Stream::Stdout => child
            .stdout
            .take()
            .map(|from| pass(from, std::io::stdout(), see)),
        Stream::Stderr => child
            .stderr
            .take()
            .map(|from| pass(from, std::io::stderr(), see)),
    }
    .context("the stream was not piped")??;
    Ok(child.wait()?.success())
}

/// Copies line by line. Bytes that are not UTF-8 are passed on as they are and seen as a
/// replacement character.
fn pass(
    from: impl std::io::Read,
    mut to: impl Write,
    see: &mut dyn FnMut(&str),
) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    let mut buffer = Vec::new();
    while from.read_until(b'\n', &mut buffer)? > 0 {
        to.write_all(&buffer)?;
        see(String::from_utf8_lossy(&buffer).trim_end());
        buffer.clear();
    }
    to.flush()
}
