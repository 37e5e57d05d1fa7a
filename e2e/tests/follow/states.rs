//! Who joins a job's response: in every state that a job can be in, with every way to say from
//! where.

use std::net::TcpListener;

use raincheck_e2e::{Backend, Config, End, Event, Must, Raincheck, Response, Script, expect};

use super::forms::{ALL, FORMS, Form, Gets, HALF, KINDS, Kind, Now, expected, marked, tag};
use super::{OPEN, Reading, chunk, follow};

/// One who joined, and what it is to get.
struct Joined {
    what: String,
    reading: Reading,
    gets: Gets,
}

/// Everybody joins a job.
struct Everybody {
    id: String,
    run: u64,
    now: Now,
    all: Vec<Joined>,
}

impl Everybody {
    async fn join(app: &Raincheck, id: &str, kind: Kind, run: u64, now: Now) -> Self {
        let mut all = Vec::new();
        for form in FORMS {
            let at_once = format!("/jobs/{id}/result?follow&wait=0");
            let mut request = app.request("GET", &at_once);
            for (name, value) in form.fields(id, run) {
                request = request.header(name, value);
            }
            let reading = Reading::of(request).await;
            all.push(Joined {
                what: format!("{form:?} of {kind:?}, {now:?}, run {run}"),
                reading,
                gets: expected(form, kind, run, now),
            });
        }
        let mut all = Self {
            id: id.to_owned(),
            run,
            now,
            all,
        };
        all.look().await;
        all
    }

    /// The heads, and the bytes that are there.
    async fn look(&mut self) {
        for joined in &mut self.all {
            let Joined {
                what,
                reading,
                gets,
            } = joined;
            let range = reading.response.header("content-range");
            let status = reading.response.status;
            assert_eq!(
                status,
                wanted(gets),
                "{what}: {}",
                reading.response.head.start
            );
            let whole = matches!(self.now, Now::Whole);
            let range_wanted = match gets {
                Gets::Bytes(206, from) if whole => {
                    Some(format!("bytes {from}-{}/{}", ALL.len() - 1, ALL.len()))
                }
                Gets::Bytes(206, from) => Some(format!("bytes {from}-{OPEN}/*")),
                Gets::Beyond(there) => Some(format!("bytes */{there}")),
                _ => None,
            };
            assert_eq!(range, range_wanted, "{what}");
            let Now::Growing(there) = self.now else {
                continue;
            };
            let text = match gets {
                Gets::Bytes(_, from) => ALL[*from as usize..there as usize].to_owned(),
                Gets::Marked(from) => marked(&self.id, self.run, *from, there),
                _ => continue,
            };
            assert_eq!(reading.until(text.len()).await, text, "{what}");
        }
    }

    /// Everybody reads to the end, which is this one.
    async fn end(self, end: &End) {
        for joined in self.all {
            let Joined {
                what,
                reading,
                gets,
            } = joined;
            let response = reading.rest().await;
            match gets {
                Gets::Bytes(_, from) => {
                    let rest = &ALL[from as usize..];
                    read(&response, rest, end, &what);
                }
                Gets::Marked(from) => {
                    let rest = marked(&self.id, self.run, from, ALL.len() as u64);
                    read(&response, &rest, end, &what);
                }
                Gets::Again => read(&response, "retry: 1000\n\n", &End::Complete, &what),
                Gets::Answer(_, body) => read(&response, body, &End::Complete, &what),
                Gets::Ticket => assert_eq!(response.json()["job_id"], self.id.as_str(), "{what}"),
                Gets::Beyond(_) => {
                    expect::problem(&response, 416, "range-not-satisfiable");
                }
                Gets::Problem(status, code) => {
                    expect::problem(&response, status, code);
                }
            }
        }
    }
}

fn wanted(gets: &Gets) -> u16 {
    match gets {
        Gets::Bytes(status, _) | Gets::Answer(status, _) | Gets::Problem(status, _) => *status,
        Gets::Marked(_) | Gets::Again => 200,
        Gets::Beyond(_) => 416,
        Gets::Ticket => 202,
    }
}

/// Whoever gets an end that is none has got no byte that is wrong.
#[track_caller]
fn read(response: &Response, rest: &str, end: &End, what: &str) {
    let text = response.text();
    match end {
        End::Complete => assert_eq!((text.as_str(), response.end()), (rest, end), "{what}"),
        _ => {
            assert!(rest.starts_with(&text), "{what}: {text:?}");
            assert_ne!(response.end(), &End::Complete, "{what}");
        }
    }
}

/// A response of which each part waits for its event.
fn parts(kind: Kind, steps: &[Event; 3]) -> Script {
    let (half, rest) = ALL.split_at(HALF as usize);
    Script::new()
        .wait(&steps[0])
        .send(kind.head())
        .wait(&steps[1])
        .send(chunk(half))
        .wait(&steps[2])
        .send(chunk(rest) + "0\r\n\r\n")
}

/// Waits until a response has come to a byte.
async fn come_to(app: &Raincheck, id: &str, there: u64) -> Reading {
    let mut reading = Reading::of(follow(app, id)).await;
    reading.until(there as usize).await;
    reading
}

/// The run that a response is of, as its validator says.
fn run_of(reading: &Reading, id: &str) -> u64 {
    let tag = reading.header("etag");
    let number = tag.trim_matches('"').strip_prefix(id).must("the job");
    number.trim_start_matches('-').parse().must("a run")
}

#[tokio::test]
async fn a_response_is_joined_in_every_state_on_its_way() {
    for kind in KINDS {
        let steps = ["head", "half", "rest"].map(Event::new);
        let blocking = Event::new("blocking");
        let (script, first) = (parts(kind, &steps), Script::new().wait(&blocking).ok(""));
        let backend = Backend::in_order(vec![first, script]).await;
        let app = Raincheck::start(&Config::queued(&backend.url()).with("concurrency = 1")).await;
        app.submit("/before", "").await;
        let id = app.submit("/x", "").await.id;
        assert_eq!(app.status(&id).await["status"], "queued");
        let join = async |now| Everybody::join(&app, &id, kind, 1, now).await;

        join(Now::Unbegun).await.end(&End::Complete).await;
        blocking.fire();
        backend.wait_for(2).await;
        join(Now::Unbegun).await.end(&End::Complete).await;
        steps[0].fire();
        let first = come_to(&app, &id, 0).await;
        assert_eq!(run_of(&first, &id), 1);
        let with_head = join(Now::Growing(0)).await;
        steps[1].fire();
        come_to(&app, &id, HALF).await;
        let midway = join(Now::Growing(HALF)).await;
        steps[2].fire();
        with_head.end(&End::Complete).await;
        midway.end(&End::Complete).await;
        assert_eq!(first.rest().await.text(), ALL);
        app.finished(&id).await;
        join(Now::Whole).await.end(&End::Complete).await;
        // Whoever has seen the last event needs not come again.
        let over = follow(&app, &id).header("last-event-id", format!("rc.{id}.1.27"));
        let status = over.send().await.status;
        assert_eq!(status, if kind == Kind::Events { 204 } else { 200 });
        assert_eq!(backend.count(), 2);
    }
}

#[tokio::test]
async fn who_waits_for_a_head_gets_what_comes() {
    for kind in KINDS {
        let steps = ["head", "half", "rest"].map(Event::new);
        let backend = Backend::always(parts(kind, &steps)).await;
        let app = Raincheck::start(&Config::queued(&backend.url())).await;
        let id = app.submit("/x", "").await.id;
        backend.wait_for(1).await;
        let mut held = Vec::new();
        // A range beyond the first byte depends on when the bytes come; nobody can have one.
        for form in FORMS.iter().filter(|form| {
            !matches!(
                form,
                Form::Range(1..) | Form::RangeOfThis(_) | Form::After(_)
            )
        }) {
            let mut request = follow(&app, &id);
            for (name, value) in form.fields(&id, 1) {
                request = request.header(name, value);
            }
            held.push((form, request.begin().await));
        }
        for step in &steps {
            step.fire();
        }
        for (form, mut client) in held {
            let response = client.response().await;
            let rest = match expected(*form, kind, 1, Now::Growing(0)) {
                Gets::Bytes(status, from) => {
                    assert_eq!(response.status, status, "{form:?}");
                    ALL[from as usize..].to_owned()
                }
                Gets::Marked(from) => marked(&id, 1, from, ALL.len() as u64),
                other => panic!("{form:?} {kind:?} should get bytes, not {other:?}"),
            };
            assert_eq!(response.text(), rest, "{form:?} {kind:?}");
            assert!(response.is_whole(), "{form:?}");
        }
        assert_eq!(backend.count(), 1);
    }
}

#[tokio::test]
async fn a_job_that_ended_otherwise_is_joined_by_nobody() {
    let never = Event::new("never");
    let more = never.clone();
    let backend = Backend::start(move |seen| match seen.path() {
        "/error" => Script::new().respond("500 Broken", &[], "broken"),
        "/half" => parts(Kind::Events, &[fired(), fired(), more.clone()]),
        _ => Script::new().wait(&more).ok(""),
    })
    .await;
    let closed = TcpListener::bind("127.0.0.1:0").must("a port");
    let nobody = format!("http://{}", closed.local_addr().must("its address"));
    drop(closed);
    let config = Config::new()
        .limit("concurrency = 1")
        .route("/late", &backend.url(), "async")
        .with("deadline = \"200ms\"")
        .route("/nobody", &nobody, "async")
        .route("/{*path}", &backend.url(), "async");
    let mut app = Raincheck::start(&config).await;
    let mut told = Vec::new();
    let submit = async |path: &str| app.submit(path, "").await.id;

    // One that runs keeps another waiting beyond its deadline.
    let early = submit("/wait").await;
    backend.wait_for(1).await;
    let late = submit("/late").await;
    app.finished(&late).await;
    told.push((late, Now::Problem(410, "job-expired")));
    app.delete(&early).await.expect(200);
    told.push((early, Now::Problem(410, "job-cancelled")));
    let unreachable = Now::Problem(502, "upstream-unreachable");
    told.push((submit("/nobody").await, unreachable));
    told.push((submit("/error").await, Now::Status(500, "broken")));
    let midway = submit("/half").await;
    let reading = come_to(&app, &midway, HALF).await;
    app.delete(&midway).await.expect(200);
    assert_ne!(reading.rest().await.end(), &End::Complete);
    told.push((midway, Now::Problem(410, "job-cancelled")));
    let forgotten = submit("/error").await;
    app.finished(&forgotten).await;
    app.delete(&forgotten).await;
    let lost = submit("/half").await;
    let reading = come_to(&app, &lost, HALF).await;

    for (id, now) in &told {
        app.finished(id).await;
        Everybody::join(&app, id, Kind::Events, 1, *now)
            .await
            .end(&End::Complete)
            .await;
    }
    let none = Now::Problem(404, "job-not-found");
    Everybody::join(&app, &forgotten, Kind::Events, 1, none)
        .await
        .end(&End::Complete)
        .await;
    app.kill().await;
    assert_ne!(reading.rest().await.end(), &End::Complete);
    app.restart().await;
    told.push((lost, Now::Problem(502, "interrupted")));
    for (id, now) in &told {
        app.finished(id).await;
        Everybody::join(&app, id, Kind::Events, 1, *now)
            .await
            .end(&End::Complete)
            .await;
    }
}

/// An event that has happened.
fn fired() -> Event {
    let event = Event::new("at once");
    event.fire();
    event
}

/// A job of which one run has broken, and another follows at once, much later, or because somebody
/// asked for it.
struct Broken {
    at_once: String,
    later: String,
    asked_for: String,
    /// Those who read the first runs.
    reading: Vec<Reading>,
}

impl Broken {
    async fn begin(app: &Raincheck, kind: Kind) -> Self {
        let submit =
            async |place: &str| app.submit(&format!("{place}/{}", kind.path()), "").await.id;
        let (at_once, later) = (submit("").await, submit("/later").await);
        let asked_for = submit("/later").await;
        let mut reading = Vec::new();
        for id in [&at_once, &later, &asked_for] {
            reading.push(come_to(app, id, HALF).await);
        }
        app.delete(&asked_for).await.expect(200);
        let order = app.request("POST", &format!("/jobs/{asked_for}/retry"));
        order.send().await.expect(202);
        Self {
            at_once,
            later,
            asked_for,
            reading,
        }
    }
}

/// Joins the run that goes on, as those of the first run and as everybody.
async fn join_next(app: &Raincheck, id: &str, kind: Kind) -> Everybody {
    let run = run_of(&come_to(app, id, HALF).await, id);
    assert!(run > 1, "{kind:?}: {run}");
    let stale = follow(app, id).header("range", "bytes=9-");
    let stale = Reading::of(stale.header("if-range", tag(id, 1))).await;
    assert_eq!(stale.response.status, 200);
    Everybody::join(app, id, kind, run, Now::Growing(HALF)).await
}

#[tokio::test]
async fn the_run_after_one_that_broke_is_another_response() {
    let cut = Event::new("cut");
    let more = KINDS.map(|_| Event::new("more"));
    let (breaks, goes_on) = (cut.clone(), more.clone());
    let backend = Backend::start(move |seen| {
        let kind = Kind::of(seen.path());
        match seen.attempt() {
            Some(1) => Script::new()
                .send(kind.head())
                .send(chunk("data: A\n\ndata: B\n\n"))
                .wait(&breaks)
                .reset(),
            _ => parts(kind, &[fired(), fired(), goes_on[kind as usize].clone()]),
        }
    })
    .await;
    let retry = |backoff: &str| {
        format!(
            "retry = {{ attempts = 2, backoff = {backoff:?}, max_backoff = {backoff:?}, unsafe = true }}"
        )
    };
    let config = Config::new()
        .route("/later/{*path}", &backend.url(), "async")
        .with(&retry("100000s"))
        .route("/{*path}", &backend.url(), "async")
        .with(&retry("1ms"));
    let app = Raincheck::start(&config).await;
    let mut jobs = Vec::new();
    for kind in KINDS {
        jobs.push((kind, Broken::begin(&app, kind).await));
    }
    cut.fire();
    for (kind, broken) in jobs {
        for reading in broken.reading {
            assert_ne!(reading.rest().await.end(), &End::Complete, "{kind:?}");
        }
        let waits = Everybody::join(&app, &broken.later, kind, 1, Now::Unbegun);
        waits.await.end(&End::Complete).await;
        let ids = [&broken.at_once, &broken.asked_for];
        let mut joined = Vec::new();
        for id in ids {
            joined.push(join_next(&app, id, kind).await);
        }
        more[kind as usize].fire();
        for (id, everybody) in ids.into_iter().zip(joined) {
            let run = everybody.run;
            everybody.end(&End::Complete).await;
            app.finished(id).await;
            let late = Everybody::join(&app, id, kind, run, Now::Whole).await;
            late.end(&End::Complete).await;
        }
    }
}
