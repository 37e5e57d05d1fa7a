//! Webhooks: callers are told of their jobs' ends, at least once, signed, and nowhere else.

#[path = "webhooks/keys.rs"]
mod keys;
#[path = "webhooks/signatures.rs"]
mod signatures;
#[path = "webhooks/urls.rs"]
mod urls;

use raincheck_e2e::{Backend, Config, Must, Raincheck, Script, Seen, expect, until, within};
use serde_json::Value;

/// A symmetric key, the private and public half of an asymmetric one, and another symmetric one.
const FIRST: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PRIVATE: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const SECOND: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An async route whose callers name a URL in a header, and receivers on loopback.
fn config(backend: &Backend) -> Config {
    Config::queued(&backend.url())
        .with(r#"callback = { header = "Callback-Url" }"#)
        .webhooks(&format!("keys = [{FIRST:?}, {PRIVATE:?}, {SECOND:?}]"))
        .webhooks(r#"allow = ["127.0.0.0/8"]"#)
        .webhooks(r#"schedule = ["50ms", "50ms", "50ms"]"#)
}

/// Submits a job whose end the receiver is to be told.
async fn submit(app: &Raincheck, receiver: &Backend) -> String {
    let url = format!("{}/hook?token=hidden", receiver.url());
    let asked = app.request("POST", "/work").header("callback-url", url);
    raincheck_e2e::ticket(&asked.body("x").send().await).id
}

/// The job's only delivery, once it stands like this.
async fn delivery(app: &Raincheck, id: &str, status: &str) -> Value {
    let path = format!("/jobs/{id}/deliveries");
    let mut last = Value::Null;
    let what = format!("a delivery that is {status}");
    within(&what, async {
        // Nobody announces it.
        let mut look = tokio::time::interval(std::time::Duration::from_millis(5));
        while last["deliveries"][0]["status"] != status {
            look.tick().await;
            last = app.get(&path).await.expect(200).json();
        }
    })
    .await;
    assert_eq!(last["deliveries"].as_array().map(Vec::len), Some(1));
    last["deliveries"][0].clone()
}

fn id_of(seen: &Seen) -> String {
    seen.header("webhook-id").must("webhook-id")
}

fn text_of(seen: &Seen) -> String {
    String::from_utf8(seen.body.bytes.clone()).must("text")
}

#[tokio::test]
async fn an_end_is_told_once_with_the_status_document() {
    let backend = Backend::always(Script::new().json(r#"{"pages":10}"#)).await;
    let receiver = Backend::always(Script::new().ok("thanks")).await;
    let app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    let told = delivery(&app, &id, "delivered").await;
    let seen = receiver.only();
    let event: Value = serde_json::from_str(&text_of(&seen)).must("JSON");
    assert_eq!(event["type"], "job.succeeded");
    assert_eq!(event["data"]["result"]["pages"], 10);
    let mut document = app.status(&id).await;
    assert_eq!(
        document["links"]["deliveries"],
        format!("/jobs/{id}/deliveries")
    );
    document["expires_at"] = event["data"]["expires_at"].clone();
    assert_eq!(event["data"], document);
    assert_eq!(event["timestamp"], document["finished_at"]);
    assert_eq!(
        seen.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(id_of(&seen), told["webhook_id"].as_str().must("an id"));
    assert!(!id_of(&seen).contains('.'));
    assert_eq!(told["job_status"], "succeeded");
    assert_eq!(told["tries"][0]["http_status"], 200);
    assert_eq!(seen.target(), "/hook?token=hidden");
    let page = app.get(&format!("/jobs/{id}/deliveries")).await.text();
    assert!(!page.contains("hidden"), "{page}");
    let upstream = backend.only();
    assert_eq!(upstream.header("callback-url"), None);
    // The end of a delivery can be read before it is counted.
    for line in [
        "raincheck_webhook_tries_total{outcome=\"2xx\"} 1",
        "raincheck_webhook_deliveries_total{outcome=\"delivered\"} 1",
        "raincheck_webhook_tries_in_flight 0",
    ] {
        app.counted(line).await;
    }
}

#[tokio::test]
async fn it_is_tried_again_under_the_same_id_and_as_late_as_the_receiver_asks() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let busy = Script::new().respond("503 Busy", &["Retry-After: 1"], "secret-of-the-receiver");
    let scripts = vec![
        Script::new().respond("500 Oops", &[], "secret-of-the-receiver"),
        busy,
        Script::new().respond("302 Found", &["Location: http://127.0.0.1:1/"], ""),
        Script::new().respond("204 No Content", &[], ""),
    ];
    let receiver = Backend::in_order(scripts).await;
    let app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    let told = delivery(&app, &id, "delivered").await;
    let seen = receiver.requests();
    let statuses: Vec<_> = told["tries"].as_array().must("tries").iter().collect();
    let statuses: Vec<_> = statuses.iter().map(|own| &own["http_status"]).collect();
    assert_eq!(statuses, [500, 503, 302, 204]);
    assert_eq!(seen.len(), 4, "no redirect is followed");
    let waited = seen[2].at.duration_since(seen[1].at);
    assert!(waited.as_millis() >= 999, "{waited:?}");
    for own in &seen {
        assert_eq!(id_of(own), id_of(&seen[0]));
        assert_eq!(own.body.bytes, seen[0].body.bytes);
    }
    let stamp = |own: &Seen| own.header("webhook-timestamp").must("a time");
    assert!(
        stamp(&seen[3]) > stamp(&seen[0]),
        "each try has its own time"
    );
    for path in ["", "/status", "/deliveries"] {
        let text = app.get(&format!("/jobs/{id}{path}")).await.text();
        assert!(!text.contains("secret-of-the-receiver"), "{path}: {text}");
    }
    assert!(!app.child.stderr().contains("secret-of-the-receiver"));
}

#[tokio::test]
async fn who_is_gone_is_told_no_more_until_somebody_asks() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let scripts = vec![
        Script::new().respond("410 Gone", &[], ""),
        Script::new().ok("back again"),
    ];
    let receiver = Backend::in_order(scripts).await;
    let app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    let gone = delivery(&app, &id, "gone").await;
    assert_eq!(gone["next_try_at"], Value::Null);
    assert_eq!(receiver.count(), 1);
    let again = gone["links"]["redeliver"].as_str().must("a link");
    let asked = app.post(again, "").await.expect(202).json();
    assert_eq!(asked["deliveries"][0]["status"], "pending");
    let told = delivery(&app, &id, "delivered").await;
    assert_eq!(told["tries_made"], 1);
    let seen = receiver.requests();
    assert_eq!(id_of(&seen[0]), id_of(&seen[1]));
    for (path, status, code) in [
        ("/deliveries/2/redeliver", 404, "delivery-not-found"),
        ("/deliveries/0/redeliver", 404, "delivery-not-found"),
    ] {
        let answer = app.post(&format!("/jobs/{id}{path}"), "").await;
        expect::problem(&answer, status, code);
    }
}

/// The gateway dies after the end is durable and before the receiver has it.
#[tokio::test]
async fn a_killed_gateway_tells_after_its_start() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let scripts = vec![Script::new().until_closed(), Script::new().ok("thanks")];
    let receiver = Backend::in_order(scripts).await;
    let mut app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    receiver.wait_for(1).await;
    app.kill().await;
    app.restart().await;
    let told = delivery(&app, &id, "delivered").await;
    assert_eq!(told["tries_made"], 1, "a try that was cut is not known of");
    let seen = receiver.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(id_of(&seen[0]), id_of(&seen[1]));
    assert_eq!(seen[0].body.bytes, seen[1].body.bytes);
}

#[tokio::test]
async fn a_planned_stop_does_not_wait_for_a_receiver_that_hangs() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let receiver = Backend::always(Script::new().until_closed()).await;
    let mut app = Raincheck::start(&config(&backend).server(r#"grace = "1s""#)).await;
    submit(&app, &receiver).await;
    receiver.wait_for(1).await;
    app.terminate();
    let exit = app.child.exited().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    app.restart().await;
    receiver.wait_for(2).await;
}

#[tokio::test]
async fn tries_that_run_out_leave_a_failed_delivery_that_says_why() {
    let backend = Backend::always(Script::new().ok("done")).await;
    let receiver = Backend::always(Script::new().close()).await;
    let app = Raincheck::start(&config(&backend)).await;
    let id = submit(&app, &receiver).await;
    let failed = delivery(&app, &id, "failed").await;
    assert_eq!(failed["tries_made"], 4);
    assert_eq!(failed["tries"][3]["error"], "broken");
    until("the log to say so", || {
        app.child.stderr().contains("webhook given up")
    })
    .await;
}

/// With four places, eight receivers that hang and eight that do not: the latter wait for the former
/// only until these have to give way.
#[tokio::test]
async fn receivers_that_hang_give_way_to_those_that_do_not() {
    let backend = Backend::always(Script::new().ok("done")).await;
    // Every address of loopback leads there, and each is a receiver of its own.
    let everywhere = tokio::net::TcpListener::bind("0.0.0.0:0").await;
    let everywhere = Backend::on(everywhere.must("a port"), |seen| match seen.path() {
        "/hangs" => Script::new().until_closed(),
        _ => Script::new().ok("thanks"),
    });
    let few = config(&backend).webhooks("concurrency = 4");
    let app = Raincheck::start(&few).await;
    let mut healthy = Vec::new();
    let hanging = (1..=8).map(|host| ("/hangs", host));
    let fine = (101..=108).map(|host| ("/fine", host));
    for (kind, host) in hanging.chain(fine) {
        let url = format!("http://127.0.1.{host}:{}{kind}", everywhere.addr().port());
        let asked = app.request("POST", "/work").header("callback-url", url);
        let id = raincheck_e2e::ticket(&asked.send().await).id;
        if kind == "/fine" {
            healthy.push(id);
        }
    }
    for id in healthy {
        delivery(&app, &id, "delivered").await;
    }
}

/// A job that its upstream answers within the hold is none; with a ticket its end is told.
#[tokio::test]
async fn a_ticket_of_an_auto_route_is_told_of_too_and_a_failed_job() {
    let answer = raincheck_e2e::Event::new("answer");
    let slow = answer.clone();
    let backend = Backend::start(move |seen| match seen.path() {
        "/slow" => Script::new().wait(&slow).ok("late"),
        _ => Script::new().ok("at once"),
    })
    .await;
    let receiver = Backend::always(Script::new().ok("thanks")).await;
    let auto = Config::auto(&backend.url())
        .with(r#"hold = "20s""#)
        .with(r#"callback = { query = "tell", json_pointer = "/to/url" }"#)
        .webhooks(&format!("keys = {FIRST:?}"))
        .webhooks(r#"allow = ["127.0.0.0/8"]"#)
        .webhooks(r#"format = "cloudevents""#)
        .server(r#"public_url = "https://api.example.com""#);
    let app = Raincheck::start(&auto).await;
    let body = format!(r#"{{"to":{{"url":"{}/json"}}}}"#, receiver.url());
    let json = |path: &str| {
        let asked = app
            .request("POST", path)
            .header("content-type", "application/json");
        asked.body(&body)
    };
    json("/fast").send().await.expect(200);
    let at_once = "respond-async, wait=0";
    let response = json("/slow").prefer(at_once).send().await.expect(202);
    let id = response.json()["job_id"].as_str().must("an id").to_owned();
    let named = format!("/slow?tell={}/query", receiver.url().replace(':', "%3a"));
    let queried = app.request("POST", &named).prefer(at_once);
    queried.send().await.expect(202);
    answer.fire();
    receiver.wait_for(2).await;
    for index in 0..2 {
        receiver.wait_body(index).await;
    }
    let seen = receiver.requests();
    let of_json = seen.iter().find(|own| own.target() == "/json").must("it");
    assert!(seen.iter().any(|own| own.target() == "/query"));
    assert_eq!(seen.len(), 2);
    let event: Value = serde_json::from_str(&text_of(of_json)).must("JSON");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "raincheck.job.succeeded");
    assert_eq!(event["source"], "https://api.example.com/jobs");
    assert_eq!(event["id"], id_of(of_json).as_str());
    assert_eq!(event["subject"], id.as_str());
    assert_eq!(event["datacontenttype"], "application/json");
    assert_eq!(event["data"]["job_id"], id.as_str());
    let link = format!("https://api.example.com/jobs/{id}/result");
    assert_eq!(event["data"]["links"]["result"], link.as_str());
    assert_eq!(event["data"]["result"], Value::Null, "it is no JSON");
    assert_eq!(
        of_json.header("content-type").as_deref(),
        Some("application/cloudevents+json; charset=UTF-8")
    );
}
