//! What the tests need beside the Rust toolchain, and how it is installed.
//!
//! Black-box tests put raincheck between clients and servers that nobody wrote for it: nginx, Node,
//! curl, Java. Each is installed by package name when it is missing, and that is said; `packages`
//! has what comes from PyPI and npm.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::shell;
use crate::task::{Note, Outcome};
use crate::test::packages;

/// How to see that something is there.
enum Detect {
    /// A program on the PATH or among the administrator's programs.
    Program(&'static str),
    /// Modules that the system's Python can import.
    PythonModules(&'static str),
}

/// A thing the tests use, and the Debian package that brings it.
struct Need {
    detect: Detect,
    package: &'static str,
    why: &'static str,
}

const NEEDS: &[Need] = &[
    need(
        Detect::Program("curl"),
        "curl",
        "the commands of the README",
    ),
    need(
        Detect::Program("systemd-socket-activate"),
        "systemd",
        "sockets that are passed on as systemd does it",
    ),
    need(
        Detect::Program("nginx"),
        "nginx-light",
        "a real proxy as the backend",
    ),
    need(
        Detect::Program("node"),
        "nodejs",
        "a Node application as the backend",
    ),
    need(Detect::Program("npm"), "npm", "packages of Node"),
    need(
        Detect::Program("python3"),
        "python3",
        "http.server as the backend",
    ),
    need(
        Detect::PythonModules("venv, ensurepip"),
        "python3-venv",
        "the home of what comes from PyPI",
    ),
    need(
        Detect::Program("sqlite3"),
        "sqlite3",
        "a look at the store from outside",
    ),
    need(
        Detect::Program("strace"),
        "strace",
        "the order of fdatasync and the 202",
    ),
    need(
        Detect::Program("openssl"),
        "openssl",
        "TLS handshakes by another hand",
    ),
    need(
        Detect::Program("nghttp"),
        "nghttp2-client",
        "a client of HTTP/2 over TLS",
    ),
    need(
        Detect::Program("apache2"),
        "apache2-bin",
        "Apache as a backend of the corpus of raw requests",
    ),
    need(
        Detect::Program("varnishtest"),
        "varnish",
        "exchanges with a script on both sides of the wire",
    ),
    need(
        Detect::Program("chromium"),
        "chromium",
        "a browser on the waiting page",
    ),
    need(
        Detect::Program("javac"),
        "default-jdk-headless",
        "Java's own HTTP client",
    ),
];

/// What `cargo xtask bench` measures with and against.
const BENCH_NEEDS: &[Need] = &[
    need(
        Detect::Program("nginx"),
        "nginx-light",
        "a relay to compare",
    ),
    need(Detect::Program("haproxy"), "haproxy", "a relay to compare"),
    need(Detect::Program("wrk"), "wrk", "load over HTTP/1"),
    need(
        Detect::Program("h2load"),
        "nghttp2-client",
        "load over HTTP/2",
    ),
];

/// What fuzzing needs: the fuzzer is written in C++.
const FUZZ_NEEDS: &[Need] = &[need(Detect::Program("c++"), "g++", "the fuzzer")];

const fn need(detect: Detect, package: &'static str, why: &'static str) -> Need {
    Need {
        detect,
        package,
        why,
    }
}

/// Installs what is missing; an error names what could not be installed.
pub fn install() -> Outcome {
    let mut names = install_packages("test", NEEDS)?;
    names.extend(packages::install()?);
    if names.is_empty() {
        return Ok(vec![Note::Done(
            "everything the tests need was there".to_owned(),
        )]);
    }
    Ok(vec![Note::Done(format!(
        "installed for the tests: {}",
        names.join(", ")
    ))])
}

/// Installs what is missing for the measurements.
pub fn install_for_bench() -> anyhow::Result<()> {
    install_packages("bench", BENCH_NEEDS).map(drop)
}

/// Installs what is missing for fuzzing.
pub fn install_for_fuzzing() -> anyhow::Result<()> {
    install_packages("fuzz", FUZZ_NEEDS).map(drop)
}

/// Installs those that are missing, and names them.
fn install_packages(task: &str, needs: &[Need]) -> anyhow::Result<Vec<&'static str>> {
    let missing: Vec<&Need> = needs
        .iter()
        .filter(|need| !is_there(&need.detect))
        .collect();
    if !missing.is_empty() {
        for Need { package, why, .. } in &missing {
            eprintln!("{task}: {package} is missing (used for: {why})");
        }
        apt_install(&missing)?;
        if let Some(need) = missing.iter().find(|need| !is_there(&need.detect)) {
            bail!("{} was installed, but is still not found", need.package);
        }
    }
    Ok(missing.iter().map(|need| need.package).collect())
}

fn is_there(detect: &Detect) -> bool {
    match detect {
        Detect::Program(name) => find_program(name).is_some(),
        Detect::PythonModules(modules) => {
            shell::succeeds(Command::new("python3").args(["-c", &format!("import {modules}")]))
        }
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).chain(sbin).collect();
    dirs.iter()
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

fn apt_install(missing: &[&Need]) -> anyhow::Result<()> {
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let by_hand = || {
        format!(
            "install these by hand, then run this again: {}",
            packages.join(" ")
        )
    };
    if find_program("apt-get").is_none() {
        bail!("this machine has no apt-get; {}", by_hand());
    }
    shell::run(apt_get()?.args(["update", "-q"])).with_context(by_hand)?;
    let options = ["install", "-q", "-y", "--no-install-recommends"];
    shell::run(apt_get()?.args(options).args(&packages)).with_context(by_hand)
}

/// `apt-get`, by way of `sudo` for anyone but root; it never asks a question.
fn apt_get() -> anyhow::Result<Command> {
    let id = shell::output(Command::new("id").arg("-u"))?;
    let mut command = if id.trim() == "0" {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "env"]);
        sudo
    };
    // Run level 1 keeps a freshly installed nginx from being started as a service.
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]);
    Ok(command)
}
