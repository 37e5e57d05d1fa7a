//! Clients that are kept by bytes: what leaves, and when.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt;
use raincheck_core::route::Filler;
use raincheck_exchange::Payload;
use tokio::time::{Instant, sleep, timeout};

use super::rig::{Got, Rig, saying};

/// The next piece, and how many seconds after `begun` it came.
async fn piece(response: &mut Response<Payload>, begun: Instant) -> Option<(u64, String)> {
    let frame = response.body_mut().frame().await?.unwrap();
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    Some((begun.elapsed().as_secs(), text))
}

/// A response that begins after a hold of 10 s, of an exchange that answers after so many.
async fn kept(rig: &Rig, answers_after: u64) -> (Response<Payload>, Instant) {
    let begun = Instant::now();
    let inner = rig.request(async move {
        sleep(Duration::from_secs(answers_after)).await;
        Ok(saying("the one answer", false))
    });
    let hold = Duration::from_secs(10);
    let response = rig.respond(inner, begun + hold).await;
    (response, begun)
}

fn id(response: &Response<Payload>) -> raincheck_core::id::JobId {
    let id = response.headers()["raincheck-job-id"].to_str().unwrap();
    id.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn whitespace_then_the_document() {
    let rig = Rig::keeping(Filler::Whitespace);
    let (mut response, begun) = kept(&rig, 60).await;
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("raincheck-keepalive", "json-whitespace"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    assert!(rig.is_stored(id(&response)).await, "bytes before the job");
    for at in [10, 25, 40, 55] {
        let blank = (at, " ".to_owned());
        assert_eq!(piece(&mut response, begun).await, Some(blank));
    }
    let (at, text) = piece(&mut response, begun).await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (at, &document["status"], &document["response"]["status"]),
        (60, &"succeeded".into(), &207.into())
    );
    assert!(document["response"]["headers"].is_array());
    assert_eq!(piece(&mut response, begun).await, None);
}

#[tokio::test(start_paused = true)]
async fn events_then_the_result() {
    let rig = Rig::keeping(Filler::Events);
    let (mut response, begun) = kept(&rig, 50).await;
    let mut seen = Vec::new();
    while let Some((at, text)) = piece(&mut response, begun).await {
        let line = text.lines().find(|line| !line.starts_with("id: "));
        seen.push((at, line.unwrap().to_owned()));
    }
    let seen: Vec<_> = seen.iter().map(|(at, line)| (*at, line.as_str())).collect();
    assert_eq!(
        seen,
        [
            (10, "retry: 2000"),
            (10, "event: status"),
            (25, ": still here"),
            (40, ": still here"),
            (50, "event: result"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_the_hold_is_as_it_is() {
    let rig = Rig::keeping(Filler::Whitespace);
    let (response, _) = kept(&rig, 9).await;
    assert_eq!(response.status(), 207);
    assert!(!response.headers().contains_key("raincheck-keepalive"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_stops_nothing() {
    let rig = Rig::keeping(Filler::Whitespace);
    let (mut response, begun) = kept(&rig, 60).await;
    let id = id(&response);
    piece(&mut response, begun).await.unwrap();
    drop(response);
    let answer = Got::Response(207, b"the one answer".to_vec());
    assert_eq!(rig.result(id).await, answer);
    rig.nothing_is_left(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_hands_out_links_and_tickets() {
    let rig = Rig::keeping(Filler::Whitespace);
    let (mut response, begun) = kept(&rig, 600).await;
    piece(&mut response, begun).await.unwrap();
    let last = timeout(Duration::from_secs(1), piece(&mut response, begun)).await;
    assert!(last.is_err(), "it is silent until then");
    rig.runner().call_last();
    let (_, text) = piece(&mut response, begun).await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let result = format!("/jobs/{}/result", id(&response));
    assert_eq!(
        (&document["status"], &document["links"]["result"]),
        (&"processing".into(), &result.into())
    );
    assert_eq!(piece(&mut response, begun).await, None);
    let stopping = Rig::keeping(Filler::Whitespace);
    stopping.runner().call_last();
    let (ticket, _) = kept(&stopping, 600).await;
    assert_eq!(ticket.status(), 202);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_forgotten_is_a_problem() {
    let rig = Rig::keeping(Filler::Whitespace);
    let (mut response, begun) = kept(&rig, 60).await;
    let id = id(&response);
    rig.finished(id).await;
    rig.runner().forget(id).await.unwrap();
    piece(&mut response, begun).await.unwrap();
    let (_, text) = piece(&mut response, begun).await.unwrap();
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], 404);
    assert_eq!(piece(&mut response, begun).await, None);
}
