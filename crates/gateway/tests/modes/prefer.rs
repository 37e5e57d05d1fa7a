//! What a client may ask for, and what its ticket says.

use raincheck_core::job::Status;
use raincheck_core::route::{Mode, Route};

use crate::backend::Backend;
use crate::client::Reply;
use crate::rig::{Rig, auto, patient};

fn is_ticket(reply: &Reply, applied: Option<&str>) {
    let id = reply.id();
    assert_eq!(reply.field("location"), Some(&*format!("/jobs/{id}")));
    assert_eq!(
        reply.field("link"),
        Some(&*format!("</jobs/{id}>; rel=\"monitor\""))
    );
    let wait: u64 = reply.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(reply.field("preference-applied"), applied);
    assert_eq!(reply.field("content-type"), Some("application/json"));
    let text = String::from_utf8_lossy(&reply.body);
    assert!(text.contains(&id.to_string()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn respond_async_is_a_ticket_at_once() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let mut client = rig.client().await;
    let reply = client.ask("POST", "prefer: respond-async\r\n", b"x").await;
    is_ticket(&reply, Some("respond-async"));
    backend.call().await.answer(201, "", "made").await;
    assert_eq!(rig.response(reply.id()).await, (201, b"made".to_vec()));
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_shortens_the_hold() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(patient(&backend.upstream));
    let mut client = rig.client().await;
    let reply = client.ask("POST", "prefer: wait=0\r\n", b"x").await;
    is_ticket(&reply, Some("wait=0"));
    let job = rig.runner.job(reply.id()).await.unwrap();
    assert_eq!(
        (job.status(), job.attempt()),
        (Status::Processing, 1),
        "it is the same exchange"
    );
    backend.call().await.answer(200, "", "late").await;
    assert_eq!(rig.response(reply.id()).await, (200, b"late".to_vec()));
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_does_not_lengthen_the_hold() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    let mut client = rig.client().await;
    let reply = client
        .ask("POST", "prefer: wait=600, respond-async\r\n", b"x")
        .await;
    is_ticket(&reply, Some("respond-async"));
    backend.call().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn async_is_a_ticket_unless_the_client_waits() {
    let mut backend = Backend::new().await;
    let route = Route {
        mode: Mode::Async,
        ..patient(&backend.upstream)
    };
    let rig = Rig::new(route);
    let mut client = rig.client().await;
    let reply = client.ask("POST", "", b"x").await;
    is_ticket(&reply, None);
    backend.call().await.answer(200, "", "one").await;
    assert_eq!(rig.response(reply.id()).await, (200, b"one".to_vec()));
    client.send("POST", "prefer: wait=100\r\n", b"x").await;
    backend.call().await.answer(200, "", "two").await;
    let reply = client.reply("POST").await;
    assert_eq!((reply.status(), &reply.body[..]), (200, &b"two"[..]));
}

/// The body of a sync route's request goes on as it comes, and nobody may ask for a ticket.
#[tokio::test(flavor = "multi_thread")]
async fn sync_knows_no_tickets() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(Route {
        mode: Mode::Sync,
        ..auto(&backend.upstream)
    });
    let mut client = rig.client().await;
    client
        .send("POST", "prefer: respond-async, wait=0\r\n", b"x")
        .await;
    backend.call().await.answer(200, "", "yes").await;
    let reply = client.reply("POST").await;
    assert_eq!((reply.status(), &reply.body[..]), (200, &b"yes"[..]));
    assert_eq!(rig.store.commits(), 0);
}
