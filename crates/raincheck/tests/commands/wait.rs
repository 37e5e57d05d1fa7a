//! `raincheck wait`: the result byte for byte, and an exit code that tells how the job ended.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::gateway::{Gateway, ID, Reply, answer, document, problem, status, ticket};
use crate::process::{command, run};

const TAGGED: &str = "etag: \"t\"\r\naccept-ranges: bytes\r\n";

/// A gateway whose job has ended like this, with this result.
fn ended(word: &'static str, answered: Option<u16>, result: &'static str) -> Gateway {
    Gateway::start(move |_, seen| match seen.line().ends_with("/result") {
        true => answer(answered.unwrap(), TAGGED, result),
        false => status(word, answered),
    })
}

fn wait(gateway: &Gateway, more: &[&str]) -> crate::process::Exit {
    let url = gateway.url();
    run(&[&["wait", ID, "--url", &url][..], more].concat())
}

#[test]
fn the_end_is_told_by_the_exit_code_and_the_result_is_alone_on_stdout() {
    let cases = [
        ("succeeded", Some(200), "\u{0}\r\nbytes\n", 0),
        ("succeeded", Some(404), "not here", 8),
        ("failed", Some(503), "overload", 2),
        ("failed", None, "", 2),
        ("cancelled", None, "", 3),
        ("expired", None, "", 4),
    ];
    for (word, answered, result, code) in cases {
        let gateway = ended(word, answered, result);
        let exit = wait(&gateway, &[]).expect(code);
        assert_eq!(exit.stdout, result, "{word}");
        assert_eq!(exit.stderr.is_empty(), code == 0, "{exit:?}");
    }
    let exit = wait(&ended("failed", None, ""), &[]).expect(2);
    assert_eq!(
        exit.stderr,
        format!("job {ID} is failed: It broke: why (upstream-broken)\n")
    );
}

#[test]
fn with_json_the_document_is_the_data() {
    let gateway = ended("succeeded", Some(200), "body");
    let exit = wait(&gateway, &["--json"]).expect(0);
    assert_eq!(
        exit.stdout,
        format!("{}\n", sorted(&document("succeeded", Some(200))))
    );
    assert_eq!(gateway.requests().len(), 1, "the body is not fetched");
    let exit = wait(&ended("failed", None, ""), &["--json"]).expect(2);
    assert_eq!(exit.stderr, "");
}

/// JSON as it is printed.
fn sorted(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .unwrap()
        .to_string()
}

#[test]
fn a_job_that_runs_is_asked_for_with_a_long_poll() {
    let gateway = Gateway::start(
        |number, seen| match (number, seen.line().ends_with("/result")) {
            (_, true) => answer(200, "", "done"),
            (0, _) => status("processing", None),
            _ => status("succeeded", Some(200)),
        },
    );
    assert_eq!(wait(&gateway, &[]).expect(0).stdout, "done");
    let requests = gateway.requests();
    assert_eq!(requests[0].line(), format!("GET /jobs/{ID}"));
    let prefer: Vec<_> = requests
        .iter()
        .map(|seen| seen.all("prefer").concat())
        .collect();
    assert_eq!(
        prefer,
        ["", "wait=20", ""],
        "the first answer is to be shown"
    );
    assert_eq!(requests[2].line(), format!("GET /jobs/{ID}/result"));
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let gateway = Gateway::start(|_, seen| {
        let range = seen.all("range").first().map(|text| (*text).to_owned());
        match (seen.line().ends_with("/result"), range.as_deref()) {
            (false, _) => status("succeeded", Some(200)),
            (true, None) => Reply::Cut(format!(
                "HTTP/1.1 200 OK\r\n{TAGGED}content-length: 10\r\n\r\n0123"
            )),
            (true, Some("bytes=4-")) => {
                let fields = "content-range: bytes 4-9/10\r\ncontent-length: 6\r\n";
                Reply::Cut(format!("HTTP/1.1 206 P\r\n{TAGGED}{fields}\r\n45"))
            }
            (true, _) => answer(206, "content-range: bytes 6-9/10\r\n", "6789"),
        }
    });
    let exit = wait(&gateway, &[]).expect(0);
    assert_eq!(exit.stdout, "0123456789");
    let requests = gateway.requests();
    let ranges: Vec<_> = requests.iter().flat_map(|seen| seen.all("range")).collect();
    assert_eq!(ranges, ["bytes=4-", "bytes=6-"]);
    let last = gateway.requests().pop().unwrap();
    assert_eq!(last.all("if-range"), ["\"t\""]);
}

#[test]
fn what_cannot_go_on_is_an_error_and_never_a_whole_result() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("result");
    let path = file.to_str().unwrap();
    // Without a tag these might be other bytes; with one, another answer to it says that they are.
    for fields in ["", TAGGED] {
        let gateway = Gateway::start(move |_, seen| {
            let again = !seen.all("range").is_empty();
            match (seen.line().ends_with("/result"), again) {
                (false, _) => status("succeeded", Some(200)),
                (true, false) => Reply::Cut(format!(
                    "HTTP/1.1 200 OK\r\n{fields}content-length: 10\r\n\r\n0123"
                )),
                (true, true) => answer(200, TAGGED, "other bytes"),
            }
        });
        let code = if fields.is_empty() { 69 } else { 1 };
        let exit = wait(&gateway, &["-o", path]).expect(code);
        assert!(exit.stderr.starts_with("error: ") || code == 1, "{exit:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    wait(&ended("succeeded", Some(200), "whole"), &["-o", path]).expect(0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "whole");
}

#[test]
fn a_gateway_that_restarts_is_waited_for() {
    let count = AtomicUsize::new(0);
    let gateway = Gateway::start(move |_, seen| {
        if seen.line().ends_with("/result") {
            return answer(200, "", "done");
        }
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => status("processing", None),
            1 => Reply::Cut(String::new()),
            2 => problem(503, "draining"),
            _ => status("succeeded", Some(200)),
        }
    });
    let exit = wait(&gateway, &[]).expect(0);
    assert_eq!(exit.stdout, "done");
    assert_eq!(exit.stderr.matches("trying again").count(), 2, "{exit:?}");
}

#[test]
fn who_is_not_there_is_not_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let exit = run(&["wait", ID, "--url", &format!("http://{addr}")]).expect(69);
    assert!(
        exit.stderr.contains(&format!("cannot reach {addr}")),
        "{exit:?}"
    );
    let json = run(&["wait", ID, "--url", &format!("http://{addr}"), "--json"]).expect(69);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(
        (&error["exit_code"], &error["exit_word"]),
        (&69.into(), &"unreachable".into())
    );

    let exit = wait(&Gateway::start(|_, _| problem(404, "job-not-found")), &[]).expect(5);
    assert_eq!(
        exit.stderr,
        "error: Title: the detail (404, job-not-found)\n"
    );
    let exit = wait(&Gateway::start(|_, _| answer(200, "", "<html>")), &[]).expect(7);
    assert!(
        exit.stderr.contains("not what a raincheck answers"),
        "{exit:?}"
    );
}

#[test]
fn the_time_to_wait_is_over_and_the_job_goes_on() {
    let gateway = Gateway::start(|_, _| Reply::Silence);
    let exit = wait(&gateway, &["--timeout", "100ms"]).expect(6);
    let back = format!("raincheck wait {}/jobs/{ID}", gateway.url());
    assert!(exit.stderr.contains(&back), "{exit:?}");
}

#[test]
fn ctrl_c_after_submitting_says_how_to_come_back_too() {
    let gateway = Gateway::start(|number, _| match number {
        0 => ticket(),
        _ => Reply::Silence,
    });
    let child = command(&["submit", &gateway.url(), "--wait"])
        .spawn()
        .unwrap();
    gateway.wait_for(2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let exit = crate::process::Exit::from(child.wait_with_output().unwrap()).expect(130);
    let back = format!("raincheck wait {}/jobs/{ID}\n", gateway.url());
    assert!(exit.stderr.ends_with(&back), "{exit:?}");
}

#[test]
fn ctrl_c_leaves_the_job_alone_and_says_how_to_come_back() {
    let gateway = Gateway::start(|_, _| Reply::Silence);
    let child = command(&["wait", &format!("{}/jobs/{ID}", gateway.url())])
        .spawn()
        .unwrap();
    gateway.wait_for(1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let exit = crate::process::Exit::from(child.wait_with_output().unwrap()).expect(130);
    let back = format!("raincheck wait {}/jobs/{ID}\n", gateway.url());
    assert!(exit.stderr.ends_with(&back), "{exit:?}");
    assert_eq!(gateway.requests().len(), 1);
}
