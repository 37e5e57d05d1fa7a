//! Routes with `resume = true`.

use raincheck_e2e::{Backend, Config, End, Event, Must, Raincheck, Script, expect};

use super::{OPEN, Reading, chunk, follow, in_two};

const EVENTS: &str = "text/event-stream";

fn resumable(mode: &str, backend: &Backend) -> Config {
    Config::new()
        .route("/{*path}", &backend.url(), mode)
        .with("resume = true")
}

#[tokio::test]
async fn a_dropped_client_gets_the_rest_elsewhere() {
    for mode in ["sync", "auto"] {
        let more = Event::new("more");
        let backend = Backend::always(in_two("text/plain", "first,", &more, "second")).await;
        let app = Raincheck::start(&resumable(mode, &backend)).await;
        let mut reading = Reading::of(app.request("POST", "/x").body("ask")).await;
        assert_eq!(reading.response.status, 200);
        assert_eq!(reading.until(6).await, "first,");
        let id = reading.header("raincheck-job-id");
        let place = format!("/jobs/{id}/result?follow");
        assert_eq!(reading.header("content-location"), place);
        assert_eq!(
            reading.header("link"),
            format!("</jobs/{id}>; rel=\"monitor\"")
        );
        assert_eq!(app.status(&id).await["status"], "processing");
        let tag = reading.header("etag");
        reading.client.reset();

        let request = app.request("GET", &place).header("range", "bytes=6-");
        let rest = Reading::of(request.header("if-range", &tag)).await;
        assert_eq!(rest.header("content-range"), format!("bytes 6-{OPEN}/*"));
        more.fire();
        assert_eq!(rest.rest().await.expect(206).text(), "second");
        assert_eq!(app.finished(&id).await["status"], "succeeded", "{mode}");
        assert_eq!(app.result(&id).await.expect(200).text(), "first,second");
        assert_eq!(backend.only().body.text(), "ask", "{mode}: one exchange");
    }
}

#[tokio::test]
async fn short_and_whole_answers_are_relayed() {
    let backend = Backend::always(Script::new().ok("short")).await;
    let app = Raincheck::start(&resumable("auto", &backend)).await;
    let response = app.get("/x").await.expect(200);
    assert_eq!(response.text(), "short");
    for name in ["raincheck-job-id", "content-location", "link", "etag"] {
        assert_eq!(response.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn events_resume_at_the_route_itself() {
    let more = Event::new("more");
    let backend = Backend::always(in_two(
        EVENTS,
        "data: a\n\ndata: b\n\n",
        &more,
        "data: c\n\n",
    ));
    let backend = backend.await;
    let app = Raincheck::start(&resumable("sync", &backend)).await;
    let ask = || app.request("GET", "/events").header("accept", EVENTS);
    let mut first = Reading::of(ask()).await;
    let id = first.header("raincheck-job-id");
    let marked = |offset: u64| format!("id: rc.{id}.1.{offset}\n");
    let all = format!("data: a\n{}\ndata: b\n{}\n", marked(9), marked(18));
    assert_eq!(first.until(all.len()).await, all);
    first.client.reset();

    let again = |offset: u64| ask().header("last-event-id", format!("rc.{id}.1.{offset}"));
    let mut second = Reading::of(again(9)).await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    let rest = format!("data: b\n{}\n", marked(18));
    assert_eq!(second.until(rest.len()).await, rest);
    more.fire();
    let end = second.rest().await;
    let last = format!("data: c\n{}\n", marked(27));
    assert_eq!((end.text(), end.end()), (rest + &last, &End::Complete));
    app.finished(&id).await;
    assert_eq!(again(18).send().await.expect(200).text(), last);
    assert_eq!(again(27).send().await.status, 204);
    // Without an id it is another request.
    ask().send().await.expect(200);
    assert_eq!(backend.count(), 2);
    // A job that is gone is no reason to run it again.
    app.delete(&id).await;
    expect::problem(&again(9).send().await, 404, "job-not-found");
    assert_eq!(backend.count(), 2);
    // The upstream's own ids are its business.
    ask().header("last-event-id", "7").send().await.expect(200);
    let passed = backend.requests()[2].head.get("last-event-id");
    assert_eq!(passed.as_deref(), Some("7"));
}

#[tokio::test]
async fn the_same_key_resumes_by_the_upstreams_own_ids() {
    let more = Event::new("more");
    let stream = "id: 1\ndata: a\n\nid: 2\ndata: b\n\n";
    let backend = Backend::always(in_two(EVENTS, stream, &more, "id: 3\ndata: c\n\n")).await;
    let app = Raincheck::start(&resumable("auto", &backend)).await;
    let ask = || {
        let request = app.request("POST", "/ask").header("accept", EVENTS);
        request.header("idempotency-key", "k1").body("ask")
    };
    let mut first = Reading::of(ask()).await;
    assert_eq!(first.until(stream.len()).await, stream);
    first.client.reset();
    let second = Reading::of(ask().header("last-event-id", "1")).await;
    more.fire();
    assert_eq!(
        second.rest().await.expect(200).text(),
        "id: 2\ndata: b\n\nid: 3\ndata: c\n\n"
    );
    assert_eq!(ask().header("last-event-id", "3").send().await.status, 204);
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_sync_route_gives_no_ticket() {
    let backend = Backend::silent().await;
    let config = resumable("sync", &backend).with("timeout = \"1s\"");
    let app = Raincheck::start(&config).await;
    let late = app.post("/x", "").await;
    expect::problem(&late, 504, "upstream-timeout");
}

#[tokio::test]
async fn a_stream_that_breaks_is_tried_again_and_never_ends_cleanly() {
    let cut = Event::new("cut");
    let broken = Script::new()
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .send(chunk("first,"))
        .wait(&cut)
        .close();
    let backend = Backend::in_order(vec![broken, Script::new().ok("again")]).await;
    let config = resumable("auto", &backend)
        .with("retry = { attempts = 2, backoff = \"1ms\", on = [\"connect\"] }");
    let app = Raincheck::start(&config).await;
    let mut reading = Reading::of(app.request("GET", "/x")).await;
    reading.until(6).await;
    let (id, tag) = (reading.header("raincheck-job-id"), reading.header("etag"));
    cut.fire();
    assert_ne!(reading.rest().await.end(), &End::Complete);
    app.finished(&id).await;
    let anew = follow(&app, &id).header("range", "bytes=6-");
    let anew = anew.header("if-range", tag).send().await.expect(200);
    assert_eq!(anew.text(), "again");
}

#[tokio::test]
async fn it_has_no_effect_on_tickets() {
    let answer = Event::new("answer");
    let backend = Backend::slow(&answer).await;
    let app = Raincheck::start(&resumable("auto", &backend).with("hold = \"1s\"")).await;
    let ticket = raincheck_e2e::ticket(&app.post("/x", "").await);
    let mut held = follow(&app, &ticket.id).begin().await;
    answer.fire();
    let response = held.response().await.expect(200);
    assert_eq!(response.text(), "done");
    assert_eq!(
        app.status(&ticket.id).await["executions"]
            .as_u64()
            .must("a number"),
        1
    );
}
