//! `raincheck submit`: a ticket's URL on stdout, bodies from everywhere, and what is no ticket.

use crate::gateway::{Gateway, ID, answer, problem, status, ticket};
use crate::process::{run, run_with};

#[test]
fn the_url_of_the_job_is_the_data() {
    let gateway = Gateway::start(|_, _| ticket());
    let target = format!("{}/render?a=b", gateway.url());
    let exit = run(&["submit", &target, "-H", "A: 1"]).expect(0);
    assert_eq!(exit.stdout, format!("{}/jobs/{ID}\n", gateway.url()));
    assert_eq!(exit.stderr, "");
    let seen = gateway.requests().remove(0);
    assert_eq!(seen.line(), "GET /render?a=b");
    assert_eq!(
        (seen.all("prefer"), seen.all("a")),
        (vec!["respond-async"], vec!["1"])
    );

    let exit = run(&["submit", "/render", "--url", &gateway.url(), "--json"]).expect(0);
    let document: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(document["job_id"], ID);
    assert_eq!(document["url"], format!("{}/jobs/{ID}", gateway.url()));
}

#[test]
fn bodies_come_from_text_files_and_stdin() {
    let gateway = Gateway::start(|_, _| ticket());
    let url = gateway.url();
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("data");
    let large = "0123456789".repeat(50_000);
    std::fs::write(&file, &large).unwrap();
    let named = format!("@{}", file.display());
    run(&["submit", &url, "-d", "{\"a\":1}"]).expect(0);
    run(&["submit", "PUT", &url, "-d", "plain"]).expect(0);
    run(&[
        "submit",
        &url,
        "-d",
        &named,
        "-H",
        "content-type: text/plain",
    ])
    .expect(0);
    run_with(&["submit", &url, "-d", "-"], "from stdin").expect(0);

    let seen = gateway.requests();
    let lines: Vec<_> = seen.iter().map(|seen| seen.line()).collect();
    assert_eq!(lines, ["POST /", "PUT /", "POST /", "POST /"]);
    let bodies: Vec<_> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies, ["{\"a\":1}", "plain", large.as_str(), "from stdin"]);
    let kinds: Vec<_> = seen
        .iter()
        .map(|seen| seen.all("content-type").join(","))
        .collect();
    assert_eq!(kinds, ["application/json", "", "text/plain", ""]);
    assert_eq!(seen[2].all("content-length"), ["500000"]);
    assert_eq!(seen[3].all("transfer-encoding"), ["chunked"]);

    let missing = run(&["submit", &url, "-d", "@/no/such/file"]).expect(64);
    assert!(
        missing.stderr.contains("cannot read /no/such/file"),
        "{missing:?}"
    );
}

#[test]
fn with_wait_it_goes_on_to_the_result() {
    let gateway = Gateway::start(|_, seen| match seen.line() {
        "GET /x" => ticket(),
        line if line.ends_with("/result") => answer(200, "", "done"),
        _ => status("succeeded", Some(200)),
    });
    let exit = run(&["submit", &format!("{}/x", gateway.url()), "--wait"]).expect(0);
    assert_eq!((exit.stdout.as_str(), exit.stderr.as_str()), ("done", ""));
}

#[test]
fn what_is_no_ticket_is_told_apart() {
    let direct = Gateway::start(|_, _| answer(200, "", "at once"));
    let exit = run(&["submit", &direct.url()]).expect(9);
    assert_eq!(exit.stdout, "at once");
    run(&["submit", &direct.url(), "--wait"]).expect(0);
    let own = Gateway::start(|_, _| answer(202, "location: /elsewhere\r\n", ""));
    run(&["submit", &own.url()]).expect(9);
    let error = Gateway::start(|_, _| answer(500, "", "oh"));
    assert_eq!(
        run(&["submit", &error.url(), "--wait"]).expect(8).stdout,
        "oh"
    );
    let full = Gateway::start(|_, _| problem(503, "queue-full"));
    let exit = run(&["submit", &full.url()]).expect(7);
    assert_eq!(exit.stderr, "error: Title: the detail (503, queue-full)\n");
    assert_eq!(exit.stdout, "");
}
