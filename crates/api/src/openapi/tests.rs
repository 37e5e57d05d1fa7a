//! The documents know every path and method that the router knows, and no other.

use serde_json::Value;

use super::{admin, public};
use crate::paths::{AdminPath, Reserved, Resource};

/// Path and methods of each operation in a document, `HEAD` left out, as they are served.
fn documented(document: &Value) -> Vec<(String, Vec<String>)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = |item: &Value| {
        let names = item.as_object().unwrap().keys();
        let methods = names.filter(|name| *name != "parameters");
        methods.map(|name| name.to_uppercase()).collect()
    };
    paths
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

fn served(path: String, methods: &str) -> (String, Vec<String>) {
    let methods = methods.split(", ").filter(|method| *method != "HEAD");
    (path, methods.map(str::to_owned).collect())
}

fn jobs(prefix: &str, served_here: fn(&Resource) -> bool) -> Vec<(String, Vec<String>)> {
    let path = |resource: Resource| format!("{prefix}/{{id}}{}", resource.end());
    let all = Resource::ALL.into_iter().filter(served_here);
    all.map(|resource| served(path(resource), resource.methods()))
        .collect()
}

#[test]
fn what_is_served_to_clients_is_documented() {
    let mut known = jobs("/tickets", |_| true);
    let reserved = Reserved::ALL.into_iter();
    known.extend(reserved.map(|one| served(one.path().to_owned(), one.methods())));
    assert_eq!(documented(&public("/tickets", None)), known);
}

#[test]
fn what_is_served_to_operators_is_documented() {
    let mut known = Vec::new();
    for one in AdminPath::ALL {
        let paths = one.paths().iter();
        known.extend(paths.map(|path| served((*path).to_owned(), one.methods())));
    }
    known.extend(jobs("/jobs", |one| !one.is_for_backends()));
    assert_eq!(documented(&admin()), known);
}

/// Every value in a document, with what is inside it.
fn walk<'a>(value: &'a Value, see: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                see(name, member);
                walk(member, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

#[test]
fn references_lead_somewhere_and_names_are_given_once() {
    for document in [
        public("/jobs", Some("https://api.example.com/prod")),
        admin(),
    ] {
        let mut ids = Vec::new();
        walk(&document, &mut |name, value| match name {
            "$ref" => {
                let pointer = value.as_str().unwrap().trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{pointer}");
            }
            "operationId" => ids.push(value.as_str().unwrap()),
            _ => {}
        });
        let many = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() == many && many > 8, "{ids:?}");
    }
}

#[test]
fn paths_and_links_are_where_the_config_puts_them() {
    let document = public("/tickets", Some("https://api.example.com/prod"));
    assert_eq!(
        document["servers"][0]["url"],
        "https://api.example.com/prod"
    );
    assert!(document["paths"]["/tickets/{id}/result"]["get"].is_object());
}
