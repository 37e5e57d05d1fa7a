//! The OpenAPI documents of the job API and of the admin listener (OpenAPI 3.1.1), printed from
//! [`crate::paths`]: an operation for each path and method that is served, and no other.
//!
//! `HEAD` is answered wherever `GET` is and stands in no document of its own, as programs that make
//! clients from one would make each call twice.

mod admin;
mod jobs;
mod operation;
mod parameter;
mod reserved;
mod schemas;

use raincheck_core::limits::WAIT_MAX;
use serde_json::{Map, Value, json};

use crate::paths::{AdminPath, Reserved, Resource};
use operation::Operation;

/// The document of the public listener, for jobs below this path.
pub fn public(jobs_path: &str, public_url: Option<&str>) -> Value {
    let mut paths = Paths::default();
    add_jobs(&mut paths, jobs_path, |_| true);
    for reserved in Reserved::ALL {
        let operation = |method: &str| reserved::operation(reserved, method);
        paths.add(reserved.path(), reserved.methods(), operation);
    }
    let about = format!(
        "A request that outlives the hold of its route is answered `202` with a ticket: the id of \
         a job, whose response is kept. These are the URLs of jobs, `{jobs_path}` being where \
         `server.jobs_path` puts them. Whoever knows the id of a job may ask for it.\n\nOther \
         paths belong to the backend behind raincheck; their answers carry `Raincheck-Job-Id` \
         where there is a job. Every error that raincheck makes is a problem document (RFC 9457) \
         with the header `Raincheck-Error: gateway`. Waits are capped at {} seconds. `HEAD` is \
         answered wherever `GET` is.",
        WAIT_MAX.as_secs()
    );
    document(
        "raincheck job API",
        &about,
        public_url.unwrap_or("/"),
        paths,
    )
}

/// The document of the admin listener.
pub fn admin() -> Value {
    let mut paths = Paths::default();
    for admin in AdminPath::ALL {
        for (index, path) in admin.paths().iter().enumerate() {
            let operation = |method: &str| {
                let operation = admin::operation(admin, method)?;
                Some(match index {
                    0 => operation,
                    _ => operation.again(),
                })
            };
            paths.add(path, admin.methods(), operation);
        }
    }
    let operators = |resource: &Resource| !resource.is_for_backends();
    add_jobs(&mut paths, "/jobs", operators);
    let about = "Every job, health and metrics, for operators. This listener asks nobody who they \
                 are: let it listen where only operators can reach it. `HEAD` is answered wherever \
                 `GET` is.";
    document("raincheck admin API", about, "/", paths)
}

fn add_jobs(paths: &mut Paths, prefix: &str, served: fn(&Resource) -> bool) {
    for resource in Resource::ALL.into_iter().filter(served) {
        let path = format!("{prefix}/{{id}}{}", resource.end());
        let operation = |method: &str| jobs::operation(resource, method);
        paths.add(&path, resource.methods(), operation);
    }
}

/// The paths of a document, and the answers that they share.
#[derive(Default)]
struct Paths {
    paths: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Paths {
    /// Adds a path with its operations. A method without one is missing here; a test finds it.
    fn add(&mut self, path: &str, methods: &str, operation: impl Fn(&str) -> Option<Operation>) {
        let mut item = Map::new();
        let names = path.split('{').skip(1);
        let names = names.filter_map(|rest| rest.split('}').next());
        let parameters: Vec<Value> = names.filter_map(parameter::in_path).collect();
        if !parameters.is_empty() {
            item.insert("parameters".to_owned(), parameters.into());
        }
        for method in methods.split(", ").filter(|method| *method != "HEAD") {
            if let Some(operation) = operation(method) {
                let operation = operation.into_value(&mut self.responses);
                item.insert(method.to_ascii_lowercase(), operation);
            }
        }
        self.paths.insert(path.to_owned(), item.into());
    }
}

fn document(title: &str, about: &str, server: &str, paths: Paths) -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": about,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "tags": schemas::tags(&paths.paths),
        "paths": paths.paths,
        "components": { "schemas": schemas::all(), "responses": paths.responses },
    })
}

#[cfg(test)]
mod tests;
