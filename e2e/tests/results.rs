//! The result of a job: held until it is there, whole or in ranges, with validators, any number of
//! times.

use raincheck_e2e::{Backend, Config, Event, Must, Raincheck, Response, Script, expect, pattern};

/// A gateway with one finished job.
async fn finished(script: Script) -> (Raincheck, Backend, String) {
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    app.finished(&id).await;
    let path = format!("/jobs/{id}/result");
    (app, backend, path)
}

async fn range(app: &Raincheck, path: &str, range: &str) -> Response {
    app.request("GET", path).header("range", range).send().await
}

#[tokio::test]
async fn an_unfinished_result_is_a_202_or_waited_for() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    backend.wait_for(1).await;
    let path = format!("/jobs/{id}/result");
    for target in [
        path.clone(),
        format!("{path}?wait=1"),
        format!("{path}?wait=0"),
    ] {
        let response = app.get(&target).await.expect(202);
        let document = response.json();
        assert_eq!(
            (&document["job_id"], &document["status"]),
            (&id.as_str().into(), &"processing".into())
        );
        assert!(response.head.has("retry-after"));
    }
    let mut by_query = app.request("GET", &format!("{path}?wait=60")).begin().await;
    let mut by_prefer = app.request("GET", &path).prefer("wait=60").begin().await;
    assert_eq!(app.status(&id).await["status"], "processing");
    answer.fire();
    assert_eq!(by_query.response().await.expect(200).text(), "done");
    assert_eq!(by_prefer.response().await.expect(200).text(), "done");
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_bad_wait_is_named() {
    let (app, _backend, path) = finished(Script::new().ok("x")).await;
    let response = app.get(&format!("{path}?wait=soon")).await;
    expect::problem(&response, 400, "invalid-parameter");
}

#[tokio::test]
async fn a_range_is_cut_out() {
    let (app, _backend, path) = finished(Script::new().ok("0123456789")).await;
    for (asked, content_range, body) in [
        ("bytes=0-4", "bytes 0-4/10", "01234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-100", "bytes 0-9/10", "0123456789"),
        ("bytes=5-5", "bytes 5-5/10", "5"),
        ("bytes=8-99999999999999999999", "bytes 8-9/10", "89"),
        ("BYTES=0-0", "bytes 0-0/10", "0"),
    ] {
        let part = range(&app, &path, asked).await.expect(206);
        assert_eq!(
            part.header("content-range").as_deref(),
            Some(content_range),
            "{asked}"
        );
        assert_eq!(part.text(), body, "{asked}");
        assert_eq!(part.header("content-type").as_deref(), Some("text/plain"));
    }
}

#[tokio::test]
async fn a_range_outside_is_refused_and_a_strange_one_ignored() {
    let (app, _backend, path) = finished(Script::new().ok("0123456789")).await;
    for asked in [
        "bytes=10-",
        "bytes=99-100",
        "bytes=-0",
        "bytes=99999999999999999999-",
    ] {
        let response = range(&app, &path, asked).await;
        expect::problem(&response, 416, "range-not-satisfiable");
        assert_eq!(
            response.header("content-range").as_deref(),
            Some("bytes */10"),
            "{asked}"
        );
    }
    for asked in [
        "bytes=5-4",
        "bytes=a-b",
        "lines=1-2",
        "bytes",
        "bytes=0-1,3-4",
        "bytes=+1-2",
    ] {
        let whole = range(&app, &path, asked).await.expect(200);
        assert_eq!(whole.text(), "0123456789", "{asked}");
    }
}

#[tokio::test]
async fn a_head_request_shows_what_get_would() {
    let (app, backend, path) = finished(Script::new().respond("200 OK", &["x-a: 1"], "body")).await;
    let get = app.get(&path).await.expect(200);
    let mut client = app.client().await;
    for _ in 0..2 {
        let head = client
            .exchange(format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        let head = head.expect(200);
        for name in ["content-length", "x-a", "etag", "accept-ranges"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
    }
    assert_eq!(get.header("content-length").as_deref(), Some("4"));
    // Only GET asks for a part, and only once.
    for place in [path.clone(), format!("{path}?follow")] {
        let part = app.request("HEAD", &place).header("range", "bytes=1-2");
        let whole = part.send().await.expect(200);
        assert_eq!(whole.header("content-length").as_deref(), Some("4"));
        let twice = app.request("GET", &place).header("range", "bytes=0-1");
        let twice = twice.header("range", "bytes=2-3").send().await;
        assert_eq!(twice.expect(200).text(), "body");
    }
    assert_eq!(get.header("accept-ranges").as_deref(), Some("bytes"));
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_broken_download_is_resumed_if_it_is_still_the_same() {
    let (app, _backend, path) = finished(Script::new().ok("0123456789")).await;
    let tag = app
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .must("an etag");
    assert!(tag.starts_with('"'), "{tag} must be strong");
    let resume = app.request("GET", &path).header("range", "bytes=4-");
    let same = resume
        .clone()
        .header("if-range", &tag)
        .send()
        .await
        .expect(206);
    assert_eq!(same.text(), "456789");
    assert_eq!(same.header("etag"), Some(tag.clone()));
    for other in ["\"other\"", "W/\"weak\"", "Mon, 23 Nov 2026 08:00:00 GMT"] {
        let whole = resume
            .clone()
            .header("if-range", other)
            .send()
            .await
            .expect(200);
        assert_eq!(whole.text(), "0123456789");
    }
    let known = app
        .request("GET", &path)
        .header("if-none-match", &tag)
        .send()
        .await
        .expect(304);
    assert_eq!(known.header("etag"), Some(tag));
}

#[tokio::test]
async fn a_result_that_if_match_does_not_name_is_412() {
    let script = Script::new().respond("200 OK", &["etag: \"own\""], "0123456789");
    let (app, backend, path) = finished(script).await;
    for place in [path.clone(), format!("{path}?follow")] {
        for (tags, status) in [
            ("\"own\"", 206),
            ("\"other\", \"own\"", 206),
            ("*", 206),
            ("\"other\"", 412),
            ("W/\"own\"", 412),
            ("own", 412),
            ("", 412),
        ] {
            let asked = app.request("GET", &place).header("range", "bytes=2-3");
            let response = asked.header("if-match", tags).send().await;
            match status {
                412 => {
                    expect::problem(&response, 412, "precondition-failed");
                }
                _ => assert_eq!(response.expect(206).text(), "23", "{tags}"),
            }
        }
    }
    // It is looked at before `If-None-Match`, and not at all where the answer is no success.
    let both = app.request("GET", &path).header("if-match", "\"other\"");
    let both = both.header("if-none-match", "\"own\"").send().await;
    expect::problem(&both, 412, "precondition-failed");
    assert_eq!(backend.count(), 1);
    let (app, _backend, path) = finished(Script::new().respond("404 Not Found", &[], "no")).await;
    let asked = app.request("GET", &path).header("if-match", "\"other\"");
    assert_eq!(asked.send().await.expect(404).text(), "no");
}

#[tokio::test]
async fn the_backends_own_etag_is_kept() {
    let (app, _backend, path) =
        finished(Script::new().respond("200 OK", &["etag: \"own\""], "0123456789")).await;
    assert_eq!(app.get(&path).await.expect(200).all("etag"), ["\"own\""]);
    let resume = app.request("GET", &path).header("range", "bytes=9-");
    assert_eq!(
        resume
            .header("if-range", "\"own\"")
            .send()
            .await
            .expect(206)
            .text(),
        "9"
    );
}

#[tokio::test]
async fn only_a_200_has_ranges() {
    for status in [
        "404 Not Found",
        "500 Internal Server Error",
        "206 Partial Content",
    ] {
        let (app, _backend, path) =
            finished(Script::new().respond(status, &[], "0123456789")).await;
        let code = status[..3].parse().must("a status");
        let whole = range(&app, &path, "bytes=0-1").await.expect(code);
        assert_eq!(whole.text(), "0123456789", "{status}");
    }
}

#[tokio::test]
async fn a_range_of_a_large_result_starts_anywhere() {
    let len: u64 = 8 << 20;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
    let (app, _backend, path) = finished(Script::new().send(head).pattern(len)).await;
    for from in [0, 1, 65_535, 65_536, 65_537, 3_333_333, len - 1] {
        let part = range(&app, &path, &format!("bytes={from}-"))
            .await
            .expect(206);
        assert_eq!(part.body.len(), len - from);
        let expected = pattern::bytes(from, part.body.bytes.len());
        assert!(
            part.body.bytes == expected,
            "the part from {from} has other bytes"
        );
    }
}

#[tokio::test]
async fn answers_without_a_body_are_replayed_without_one() {
    for script in [
        Script::new().send("HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n"),
        Script::new().respond("200 OK", &["x: 1"], ""),
        Script::new().respond("301 Moved Permanently", &["x: 1", "location: /y"], ""),
    ] {
        let (app, _backend, path) = finished(script).await;
        let mut client = app.client().await;
        for _ in 0..2 {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
            let response = client.exchange(request).await;
            assert!(response.is_whole() && response.body.is_empty());
            assert_eq!(response.header("x").as_deref(), Some("1"));
            assert_eq!(response.head.has("location"), response.status == 301);
        }
    }
}

#[tokio::test]
async fn a_204_with_a_head_request_body_length_is_no_trap() {
    // The job was a HEAD request: its stored response has a length but no body.
    let backend =
        Backend::always(Script::new().send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"))
            .await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let mut client = app.client().await;
    client.send("HEAD /x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let location = client
        .response_to("HEAD")
        .await
        .expect(202)
        .header("location")
        .must("location");
    let id = location.trim_start_matches("/jobs/").to_owned();
    assert_eq!(app.finished(&id).await["status"], "succeeded");
    let path = format!("{location}/result");
    let mut client = app.client().await;
    for _ in 0..2 {
        let response = client
            .exchange(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        assert!(
            response.is_whole() && response.body.is_empty(),
            "{}",
            response.head.start
        );
    }
}

#[tokio::test]
async fn ten_readers_get_the_same_result() {
    let (app, backend, path) = finished(Script::new().ok("shared")).await;
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(app.request("GET", &path).begin().await);
    }
    for mut reader in readers {
        assert_eq!(reader.response().await.expect(200).text(), "shared");
    }
    assert_eq!(backend.count(), 1);
}
