//! `raincheck jobs` against an admin listener by script.

use crate::gateway::{Gateway, ID, answer, document, problem};
use crate::process::{Exit, run};

const LAST: &str = "01997f6c-7f3a-7cc0-8a6e-000000000000";

fn jobs(gateway: &Gateway, args: &[&str]) -> Exit {
    run(&[&["jobs", "--admin-url", &gateway.url()][..], args].concat())
}

/// Two pages of jobs.
fn pages() -> Gateway {
    Gateway::start(|_, seen| {
        let job = document("failed", None);
        let body = match seen.line().contains("before=") {
            false => format!(r#"{{"jobs":[{job},{job}],"next":"{LAST}","damaged":[]}}"#),
            true => format!(r#"{{"jobs":[{job}],"next":null,"damaged":["{LAST}"]}}"#),
        };
        answer(200, "content-type: application/json\r\n", &body)
    })
}

#[test]
fn a_page_is_a_table_and_says_that_there_is_more() {
    let gateway = pages();
    let args = [
        "list", "--status", "failed", "--route", "a&b", "--limit", "2",
    ];
    let exit = jobs(&gateway, &args).expect(0);
    let row = format!("{ID}  failed  render  2026-11-23T08:03:12Z  1/1      upstream-broken\n");
    assert_eq!(exit.stdout.lines().count(), 3);
    assert!(exit.stdout.ends_with(&row), "{}", exit.stdout);
    assert!(
        exit.stderr.contains(&format!("--before {LAST}")),
        "{exit:?}"
    );
    let seen = gateway.requests().remove(0);
    assert_eq!(seen.line(), "GET /jobs?status=failed&route=a%26b&limit=2");
}

#[test]
fn all_pages_are_one_document() {
    let gateway = pages();
    let exit = jobs(&gateway, &["list", "--all", "--json"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(list["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&list["next"], &list["damaged"][0]),
        (&serde_json::Value::Null, &LAST.into())
    );
    assert_eq!(gateway.requests().len(), 2);

    let empty = Gateway::start(|_, _| answer(200, "", r#"{"jobs":[],"next":null,"damaged":[]}"#));
    let exit = jobs(&empty, &["list", "--json"]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(
        list,
        serde_json::json!({ "jobs": [], "next": null, "damaged": [] })
    );
    assert_eq!(empty.requests().remove(0).line(), "GET /jobs");
    let exit = jobs(&empty, &["list"]).expect(0);
    assert_eq!(
        (exit.stdout.as_str(), exit.stderr.as_str()),
        ("", "no jobs\n")
    );
}

#[test]
fn a_finished_job_is_not_forgotten_by_cancelling_it() {
    let gateway = Gateway::start(|_, _| answer(200, "", &document("succeeded", Some(200))));
    let exit = jobs(&gateway, &["cancel", ID]).expect(7);
    assert!(
        exit.stderr.contains("has ended already: succeeded"),
        "{exit:?}"
    );
    assert!(
        gateway
            .requests()
            .iter()
            .all(|seen| seen.line().starts_with("GET "))
    );
}

#[test]
fn each_of_several_jobs_has_its_turn() {
    let gateway = Gateway::start(|_, seen| match seen.line().contains(LAST) {
        true => problem(409, "job-state-conflict"),
        false => answer(202, "", &document("queued", None)),
    });
    let exit = jobs(&gateway, &["retry", LAST, ID]).expect(7);
    assert_eq!(exit.stdout, format!("queued {ID} again\n"));
    assert!(exit.stderr.contains(LAST), "{exit:?}");
    assert_eq!(
        gateway.requests()[1].line(),
        format!("POST /jobs/{ID}/retry")
    );
}

#[test]
fn show_takes_an_id_or_a_url() {
    let gateway = Gateway::start(|_, _| answer(200, "", &document("processing", None)));
    for job in [
        ID.to_owned(),
        format!("http://public.example/jobs/{ID}/result"),
    ] {
        let exit = jobs(&gateway, &["show", &job]).expect(0);
        assert!(
            exit.stdout.contains("status   processing"),
            "{}",
            exit.stdout
        );
    }
    let backend = Gateway::start(|_, _| answer(200, "content-type: text/html\r\n", "<p>"));
    let exit = jobs(&backend, &["list"]).expect(7);
    assert!(exit.stderr.contains("right listener"), "{exit:?}");
}

#[test]
fn deliveries_that_are_no_document_are_none() {
    let gateway = Gateway::start(|_, seen| {
        let mut job: serde_json::Value = serde_json::from_str(&document("failed", None)).unwrap();
        job["links"]["deliveries"] = "/jobs/x/deliveries".into();
        match seen.line().ends_with("/deliveries") {
            true => answer(200, "", "[1]"),
            false => answer(200, "", &job.to_string()),
        }
    });
    let exit = jobs(&gateway, &["show", ID, "--json"]).expect(0);
    let shown: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(
        (&shown["job_id"], &shown["deliveries"]),
        (&ID.into(), &serde_json::Value::Null)
    );
    assert_eq!(gateway.requests().len(), 2);
}
