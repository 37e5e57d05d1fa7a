//! What cargo knows about the workspace, cut down to what the tasks ask for.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::shell;

/// The workspace's own packages and where it builds.
pub struct Metadata {
    pub packages: Vec<Package>,
    pub target_dir: PathBuf,
}

/// One package of the workspace.
pub struct Package {
    pub name: String,
    /// The directory of its manifest, relative to the root of the workspace.
    pub dir: PathBuf,
    pub dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
pub struct Dependency {
    pub name: String,
    pub dev: bool,
}

/// Asks cargo. Only manifests are read: nothing is resolved, fetched or built.
pub fn read() -> anyhow::Result<Metadata> {
    let args = ["metadata", "--no-deps", "--locked", "--format-version", "1"];
    let text = shell::output(&mut shell::cargo(&args)?)?;
    parse(&serde_json::from_str(&text)?).context("cargo metadata has an unexpected shape")
}

fn parse(value: &Value) -> Option<Metadata> {
    let root = value["workspace_root"].as_str()?;
    let packages = value["packages"].as_array()?;
    Some(Metadata {
        packages: packages
            .iter()
            .map(|value| package(value, root))
            .collect::<Option<_>>()?,
        target_dir: PathBuf::from(value["target_directory"].as_str()?),
    })
}

fn package(value: &Value, root: &str) -> Option<Package> {
    let manifest = PathBuf::from(value["manifest_path"].as_str()?);
    let dependencies = value["dependencies"].as_array()?;
    Some(Package {
        name: value["name"].as_str()?.to_owned(),
        dir: manifest.parent()?.strip_prefix(root).ok()?.to_owned(),
        dependencies: dependencies.iter().map(dependency).collect::<Option<_>>()?,
    })
}

fn dependency(value: &Value) -> Option<Dependency> {
    Some(Dependency {
        name: value["name"].as_str()?.to_owned(),
        dev: value["kind"].as_str() == Some("dev"),
    })
}
