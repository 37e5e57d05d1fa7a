//! Packages from PyPI and npm that tests use as clients and backends: real ones, at fixed versions,
//! below the target directory.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{metadata, shell};

/// A package: what is asked for, the module that shows that it is there, and what for.
struct Package {
    wanted: &'static str,
    module: &'static str,
    why: &'static str,
}

const BACKEND: &str = "a backend of the corpus of raw requests";

const PYTHON: &[Package] = &[
    package(
        "flask==3.1.2",
        "flask",
        "a Flask application as the backend",
    ),
    package("requests==2.32.5", "requests", "the usual Python client"),
    package("grpcio==1.85.1", "grpc", "a gRPC client and server"),
    package("httpx==0.28.1", "httpx", "a Python client with timeouts"),
    package("httpx-sse==0.4.3", "httpx_sse", "a reader of events"),
    package(
        "websockets==17.4",
        "websockets",
        "a WebSocket client and server",
    ),
    package(
        "schemathesis==4.32.5",
        "schemathesis",
        "whether the job API is as its OpenAPI document says",
    ),
    package(
        "openapi-spec-validator==0.9.0",
        "openapi_spec_validator",
        "whether that document is one",
    ),
    package(
        "standardwebhooks==1.1.0",
        "standardwebhooks",
        "whether webhooks are signed as others check them",
    ),
    package("gunicorn==27.0.1", "gunicorn", BACKEND),
    package("uvicorn==0.54.0", "uvicorn", BACKEND),
    package("h11==0.16.0", "h11", BACKEND),
    package("httptools==0.9.0", "httptools", BACKEND),
    package("aiohttp==3.14.5", "aiohttp", BACKEND),
    package("waitress==3.0.2", "waitress", BACKEND),
    package("tornado==6.6.1", "tornado", BACKEND),
];

const NODE: &[Package] = &[
    package("eventsource@5.1.5", "eventsource", "a reader of events"),
    package("ws@8.23.0", "ws", "a WebSocket client and server"),
    package(
        "standardwebhooks@1.1.1",
        "standardwebhooks",
        "whether webhooks are signed as others check them",
    ),
    package(
        "playwright-core@1.64.1",
        "playwright-core",
        "a browser on the waiting page",
    ),
    package(
        "axe-core@4.11.1",
        "axe-core",
        "whether everybody can use that page",
    ),
];

const fn package(wanted: &'static str, module: &'static str, why: &'static str) -> Package {
    Package {
        wanted,
        module,
        why,
    }
}

/// Installs what is missing and returns what was installed.
pub fn install() -> anyhow::Result<Vec<&'static str>> {
    let mut installed = install_python()?;
    installed.extend(install_node()?);
    Ok(installed)
}

/// The Python that has the packages.
pub fn python() -> anyhow::Result<PathBuf> {
    Ok(venv()?.join("bin").join("python3"))
}

/// The directory in which Node finds the packages.
pub fn node_modules() -> anyhow::Result<PathBuf> {
    Ok(node()?.join("node_modules"))
}

fn venv() -> anyhow::Result<PathBuf> {
    Ok(metadata::read()?.target_dir.join("test-venv"))
}

fn node() -> anyhow::Result<PathBuf> {
    Ok(metadata::read()?.target_dir.join("test-node"))
}

fn install_python() -> anyhow::Result<Vec<&'static str>> {
    let python = python()?;
    let imports = |package: &Package| {
        let text = format!("import {}", package.module);
        shell::succeeds(Command::new(&python).args(["-c", &text]))
    };
    let missing = missing(PYTHON, imports);
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    if !shell::succeeds(Command::new(&python).args(["-m", "pip", "--version"])) {
        let venv = venv()?;
        let args = ["-m", "venv", "--clear"].map(OsStr::new);
        shell::run(Command::new("python3").args(args).arg(&venv))?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let wanted = wanted(&missing);
    shell::run(Command::new(&python).args(pip).args(&wanted))?;
    if let Some(package) = missing.iter().find(|package| !imports(package)) {
        bail!("{} was installed, but cannot be imported", package.wanted);
    }
    Ok(wanted)
}

fn install_node() -> anyhow::Result<Vec<&'static str>> {
    let modules = node_modules()?;
    let at_version = |package: &Package| has_node_package(&modules, package);
    let missing = missing(NODE, at_version);
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let node = node()?;
    std::fs::create_dir_all(&node)
        .and_then(|()| std::fs::write(node.join("package.json"), "{\"private\": true}\n"))
        .with_context(|| format!("cannot make {}", node.display()))?;
    let npm = [
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
    ];
    // All of them: npm takes away what is neither named nor saved.
    let all: Vec<&str> = NODE.iter().map(|package| package.wanted).collect();
    shell::run(Command::new("npm").args(npm).args(all).current_dir(&node))?;
    if let Some(package) = missing.iter().find(|package| !at_version(package)) {
        bail!("{} was installed, but is not there", package.wanted);
    }
    Ok(wanted(&missing))
}

/// Whether the version that is wanted lies among the modules.
fn has_node_package(modules: &Path, package: &Package) -> bool {
    let version = package.wanted.rsplit('@').next().unwrap_or_default();
    let manifest = modules.join(package.module).join("package.json");
    std::fs::read_to_string(manifest)
        .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
}

fn missing(
    packages: &'static [Package],
    is_there: impl Fn(&Package) -> bool,
) -> Vec<&'static Package> {
    let missing: Vec<_> = packages
        .iter()
        .filter(|package| !is_there(package))
        .collect();
    for package in &missing {
        eprintln!(
            "test: {} is missing (used for: {})",
            package.wanted, package.why
        );
    }
    missing
}

fn wanted(packages: &[&'static Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.wanted).collect()
}
