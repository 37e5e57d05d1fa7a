//! A response that is followed while the upstream still produces it, and resumed after a broken
//! connection: `?follow` on the result, and routes with `resume = true`.

#[path = "follow/clients.rs"]
mod clients;
#[path = "follow/forms.rs"]
mod forms;
#[path = "follow/routes.rs"]
mod routes;
#[path = "follow/states.rs"]
mod states;

use raincheck_e2e::request::Request;
use raincheck_e2e::{
    Backend, Client, Config, End, Event, Must, Raincheck, Response, Script, expect, within,
};

/// The end of a range that has none.
const OPEN: &str = "9007199254740991";

/// Bytes as one chunk.
fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A chunked response that waits for `more` after its first part.
fn in_two(kind: &str, first: &str, more: &Event, second: &str) -> Script {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nx-own: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    Script::new()
        .send(head + &chunk(first))
        .wait(more)
        .send(chunk(second) + "0\r\n\r\n")
}

/// A follower that is reading.
struct Reading {
    client: Client,
    response: Response,
}

impl Reading {
    async fn of(request: Request) -> Self {
        let mut client = request.begin().await;
        let response = client.start("GET").await;
        Self { client, response }
    }

    /// Reads until so many bytes are there.
    async fn until(&mut self, len: usize) -> String {
        self.client.read_until(&mut self.response, len as u64).await;
        self.response.text()
    }

    /// Reads to the end, whatever it is.
    async fn rest(mut self) -> Response {
        self.client.finish(&mut self.response).await;
        self.response
    }

    fn header(&self, name: &str) -> String {
        self.response.header(name).must(name)
    }
}

fn follow(app: &Raincheck, id: &str) -> Request {
    app.request("GET", &format!("/jobs/{id}/result?follow"))
}

#[tokio::test]
async fn followers_that_join_at_any_time_read_one_exchange() {
    let (head, more) = (Event::new("head"), Event::new("more"));
    let script = Script::new()
        .wait(&head)
        .send("HTTP/1.1 200 OK\r\nx-own: 1\r\ntransfer-encoding: chunked\r\n\r\n")
        .send(chunk("first,"))
        .wait(&more)
        .send(chunk("second") + "0\r\n\r\n");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;

    let mut before = follow(&app, &id).begin().await;
    backend.wait_for(1).await;
    let none = app.get(&format!("/jobs/{id}/result?follow&wait=0")).await;
    assert_eq!(none.expect(202).json()["status"], "processing");
    head.fire();
    let response = before.start("GET").await;
    let mut before = Reading {
        client: before,
        response,
    };
    assert_eq!(before.until(6).await, "first,");
    assert_eq!(before.header("x-own"), "1");
    assert_eq!(before.header("raincheck-job-id"), id);
    let mut while_it_grows = Reading::of(follow(&app, &id)).await;
    assert_eq!(while_it_grows.until(6).await, "first,");
    let known = app
        .request("HEAD", &format!("/jobs/{id}/result?follow"))
        .send()
        .await;
    assert_eq!(known.expect(200).header("x-own").as_deref(), Some("1"));
    app.get(&format!("/jobs/{id}/result")).await.expect(202);
    more.fire();
    for reading in [before, while_it_grows] {
        let response = reading.rest().await.expect(200);
        assert_eq!(
            (response.text().as_str(), response.end()),
            ("first,second", &End::Complete)
        );
    }
    app.finished(&id).await;
    let after = follow(&app, &id).send().await.expect(200);
    let plain = app.get(&format!("/jobs/{id}/result")).await;
    assert_eq!(after.text(), "first,second");
    for name in ["etag", "content-length", "x-own", "raincheck-job-id"] {
        assert_eq!(after.header(name), plain.header(name), "{name}");
    }
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn ranges_of_a_response_that_grows() {
    let more = Event::new("more");
    let backend = Backend::always(in_two("text/plain", "01234", &more, "56789")).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let mut first = Reading::of(follow(&app, &id)).await;
    first.until(5).await;
    let tag = first.header("etag");
    assert_eq!(first.header("accept-ranges"), "bytes");
    let ranged = |range: &str| follow(&app, &id).header("range", range);

    let mut rest = Vec::new();
    for at in 0..=5 {
        let request = ranged(&format!("bytes={at}-")).header("if-range", &tag);
        let reading = Reading::of(request).await;
        assert_eq!(reading.response.status, 206);
        assert_eq!(
            reading.header("content-range"),
            format!("bytes {at}-{OPEN}/*")
        );
        rest.push((at, reading));
    }
    let there = ranged("bytes=1-3").send().await.expect(206);
    assert_eq!(there.text(), "123");
    assert_eq!(
        there.header("content-range").as_deref(),
        Some("bytes 1-3/*")
    );
    let beyond = ranged("bytes=6-").send().await;
    assert_eq!(beyond.header("content-range").as_deref(), Some("bytes */5"));
    expect::problem(&beyond, 416, "range-not-satisfiable");
    for (range, condition) in [
        ("bytes=3-", "\"other\""),
        ("bytes=-2", &tag),
        ("lines=1-", &tag),
    ] {
        let request = ranged(range).header("if-range", condition);
        assert_eq!(Reading::of(request).await.response.status, 200, "{range}");
    }
    let same = follow(&app, &id).header("if-none-match", &tag).send().await;
    assert_eq!(same.status, 304);
    more.fire();
    for (at, reading) in rest {
        let response = reading.rest().await;
        assert_eq!(response.text(), "0123456789"[at..]);
        assert_eq!(response.end(), &End::Complete);
    }
    app.finished(&id).await;
    let stored = ranged("bytes=4-").header("if-range", &tag).send().await;
    let stored = stored.expect(206);
    assert_eq!(
        stored.header("content-range").as_deref(),
        Some("bytes 4-9/10")
    );
    assert_eq!(stored.text(), "456789");
    ranged("bytes=10-").send().await.expect(416);
}

#[tokio::test]
async fn a_known_length_is_told_while_it_grows() {
    let more = Event::new("more");
    let script = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234")
        .wait(&more)
        .send("56789");
    let backend = Backend::always(script).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let tail = Reading::of(follow(&app, &id).header("range", "bytes=-3")).await;
    assert_eq!(tail.header("content-range"), "bytes 7-9/10");
    assert_eq!(tail.header("content-length"), "3");
    more.fire();
    assert_eq!(tail.rest().await.expect(206).text(), "789");
}

#[tokio::test]
async fn bytes_of_two_runs_are_never_mixed() {
    let (cut, more) = (Event::new("cut"), Event::new("more"));
    let first = Script::new()
        .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .send(chunk("id: 1\ndata: a\n\ndata: b\n\n"))
        .wait(&cut)
        .reset();
    let second = in_two(
        "text/event-stream",
        "id: 1\ndata: A\n\n",
        &more,
        "data: B\n\n",
    );
    let backend = Backend::in_order(vec![first, second]).await;
    let config = Config::queued(&backend.url())
        .with("retry = { attempts = 2, backoff = \"1ms\", unsafe = true }");
    let app = Raincheck::start(&config).await;
    let id = app.submit("/x", "").await.id;
    let mut raw = Reading::of(follow(&app, &id)).await;
    raw.until(24).await;
    let (tag, job) = (raw.header("etag"), &id);
    let events = || follow(&app, job).header("accept", "text/event-stream");
    let mut reader = Reading::of(events()).await;
    let ours = format!("rc.{id}.1.24");
    within("our id", async {
        while !reader.response.text().contains(&ours) {
            reader.client.piece(&mut reader.response).await;
        }
    })
    .await;
    cut.fire();
    assert_ne!(raw.rest().await.end(), &End::Complete, "never a clean end");
    assert_ne!(reader.rest().await.end(), &End::Complete);

    let mut second = Reading::of(events()).await;
    backend.wait_for(2).await;
    second.until(15).await;
    for (name, value) in [("last-event-id", "1"), ("last-event-id", ours.as_str())] {
        let mut anew = Reading::of(events().header(name, value)).await;
        anew.until(15).await;
        assert!(
            anew.response.text().starts_with("id: 1\ndata: A\n"),
            "{value}"
        );
    }
    for condition in [None, Some(&tag)] {
        let request = follow(&app, &id).header("range", "bytes=4-");
        let request = match condition {
            Some(tag) => request.header("if-range", tag),
            None => request,
        };
        let reading = Reading::of(request).await;
        assert_eq!(reading.response.status, 200, "{condition:?}");
        assert_ne!(reading.header("etag"), tag);
    }
    more.fire();
    let text = second.rest().await.expect(200).text();
    let id_of_second = format!("id: 1\ndata: A\nid: rc.{id}.2.15\n\ndata: B\nid: rc.{id}.2.24\n\n");
    assert_eq!(text, id_of_second);
    app.finished(&id).await;
    let blind = follow(&app, &id).header("range", "bytes=4-").send().await;
    assert_eq!(blind.expect(200).text(), "id: 1\ndata: A\n\ndata: B\n\n");
}

#[tokio::test]
async fn jobs_that_have_no_response_yet_or_never() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let config = Config::queued(&backend.url()).with("concurrency = 1");
    let app = Raincheck::start(&config.with("hold = \"1s\"")).await;
    let running = app.submit("/1", "").await.id;
    let queued = app.submit("/2", "").await.id;
    // The route's hold is over.
    let none = follow(&app, &queued).send().await.expect(202);
    assert!(none.header("retry-after").is_some());
    let reader = follow(&app, &queued).header("accept", "text/event-stream");
    let again = reader.send().await.expect(200);
    assert_eq!(again.text(), "retry: 1000\n\n");
    let held = app.request("GET", &format!("/jobs/{running}/result?follow&wait=60"));
    let mut held = held.begin().await;
    app.delete(&running).await.expect(200);
    expect::problem(&held.response().await, 410, "job-cancelled");
    answer.fire();
    let late = format!("/jobs/{queued}/result?follow&wait=60");
    assert_eq!(app.get(&late).await.expect(200).text(), "done");
    let forgotten = "/jobs/01997f6c-0000-7000-8000-000000000000/result?follow";
    expect::problem(&app.get(forgotten).await, 404, "job-not-found");
}

#[tokio::test]
async fn a_cancelled_job_cuts_its_followers() {
    let more = Event::new("more");
    let backend = Backend::always(in_two("text/plain", "first,", &more, "second")).await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let mut reading = Reading::of(follow(&app, &id)).await;
    reading.until(6).await;
    app.delete(&id).await.expect(200);
    assert_ne!(reading.rest().await.end(), &End::Complete);
    expect::problem(&follow(&app, &id).send().await, 410, "job-cancelled");
}

#[tokio::test]
async fn a_killed_gateway_never_ends_a_stream_cleanly() {
    let more = Event::new("more");
    let backend = Backend::always(in_two("text/plain", "first,", &more, "second")).await;
    let mut app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let mut reading = Reading::of(follow(&app, &id)).await;
    reading.until(6).await;
    app.kill().await;
    assert_ne!(reading.rest().await.end(), &End::Complete);
    app.restart().await;
    app.finished(&id).await;
    let told = follow(&app, &id).header("range", "bytes=6-").send().await;
    expect::problem(&told, 502, "interrupted");
}

#[tokio::test]
async fn a_stalled_follower_slows_nobody() {
    const LEN: u64 = 24 << 20;
    let backend = Backend::start(|_| {
        Script::new()
            .send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LEN}\r\n\r\n"))
            .pattern(LEN)
    })
    .await;
    let app = Raincheck::start(&Config::queued(&backend.url())).await;
    let id = app.submit("/x", "").await.id;
    let mut stalled = Client::connect_narrow(app.addr()).await;
    stalled.send(follow(&app, &id).bytes()).await;
    let mut slow = stalled.start("GET").await;
    for reading in [
        Reading::of(follow(&app, &id)).await,
        Reading::of(follow(&app, &id)).await,
    ] {
        let response = reading.rest().await;
        assert_eq!((response.body.len(), response.end()), (LEN, &End::Complete));
    }
    let peak = app.memory_peak();
    assert!(peak < 100 << 20, "{peak} bytes at most");
    // What it has not read is still there, however late it comes.
    stalled.read_until(&mut slow, 128 << 10).await;
}
