//! Nothing in the repository may only work on the machine of the one who wrote it.

use crate::tidy::files::File;
use crate::tidy::{Rule, Violation};

/// Starts of home directories.
const HOMES: &[&str] = &["/home/", "/Users/", "/root/", "C:\\Users\\"];

/// Hosts of package registries. A mirror or a cache stands in for them in many networks, so they
/// are configured on the machine and never written down. Split here, so that this file passes.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("://crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js"),
    concat!("registry.yarn", "pkg"),
    concat!("pypi", ".org"),
    concat!("python", "hosted"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
];

/// Written by cargo, which names its registry there in a form that is not a host to be reached.
const LOCK_FILE: &str = "Cargo.lock";

/// Looks at every text file. `root` is where the repository happens to be now.
pub fn check(file: &File, root: &str) -> Vec<Violation> {
    if file.path == LOCK_FILE {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let mut report = |rule, text: &str, remedy| {
            let what = format!("`{text}` is written here");
            found.push(Violation {
                rule,
                path: file.path.clone(),
                line: index + 1,
                what,
                remedy,
            });
        };
        for home in HOMES.iter().filter(|home| is_home(line, home)) {
            report(
                Rule::DeveloperPath,
                home,
                "use a path relative to the repository",
            );
        }
        if root.len() > 1 && line.contains(root) {
            report(
                Rule::DeveloperPath,
                root,
                "use a path relative to the repository",
            );
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(**host)) {
            report(
                Rule::RegistryHost,
                host,
                "name the package and let the client find it",
            );
        }
    }
    found
}

/// True if the path starts there: `/root/` counts, `crates/root/` does not.
fn is_home(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
    })
}
