//! Clients that go, on real connections.

use raincheck_core::job::Status;
use raincheck_core::route::{HoldUntil, Mode, OnDisconnect, Route};

use crate::backend::Backend;
use crate::rig::{Rig, auto, patient, soon};

#[tokio::test(flavor = "multi_thread")]
async fn before_its_answer_a_client_that_goes_cancels() {
    let mut backend = Backend::new().await;
    let route = patient(&backend.upstream);
    for route in [
        Route {
            mode: Mode::Sync,
            ..route.clone()
        },
        Route {
            hold_until: HoldUntil::Complete,
            ..route.clone()
        },
        route,
    ] {
        let rig = Rig::new(Route {
            concurrency: 1,
            ..route
        });
        let mut client = rig.client().await;
        client.send("POST", "", b"x").await;
        let call = backend.call().await;
        drop(client);
        call.closed().await;
        assert_eq!(rig.store.commits(), 0);
        let routes = rig.runner.routes();
        let own = routes.iter().next().unwrap();
        soon(rig.runner.permit(own)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_answer_a_client_that_goes_may_leave_a_job() {
    let mut backend = Backend::new().await;
    let route = patient(&backend.upstream);
    let rig = Rig::new(Route {
        on_disconnect: OnDisconnect::Continue,
        ..route
    });
    let mut client = rig.client().await;
    client.send("POST", "", b"x").await;
    let call = backend.call().await;
    drop(client);
    let id = rig.only_job().await.id();
    call.answer(200, "", "kept").await;
    assert_eq!(rig.response(id).await, (200, b"kept".to_vec()));
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_ticket_a_client_may_go() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    let mut client = rig.client().await;
    let id = client.ask("POST", "", b"x").await.id();
    drop(client);
    backend.call().await.answer(200, "", "kept").await;
    assert_eq!(rig.response(id).await, (200, b"kept".to_vec()));
}

/// While its job is being stored.
#[tokio::test(flavor = "multi_thread")]
async fn during_the_commit_a_client_may_go() {
    let mut backend = Backend::new().await;
    for mode in [Mode::Auto, Mode::Async] {
        let rig = Rig::new(Route {
            mode,
            ..auto(&backend.upstream)
        });
        let stalled = rig.store.hold_commits();
        let mut client = rig.client().await;
        client.send("POST", "", b"x").await;
        soon(rig.store.until_held(1)).await;
        drop(client);
        drop(stalled);
        let call = backend.call().await;
        let id = rig.only_job().await.id();
        call.answer(200, "", "kept").await;
        assert_eq!(rig.response(id).await, (200, b"kept".to_vec()));
        assert_eq!(rig.finished(id).await.status(), Status::Succeeded);
    }
}

/// In the middle of a relayed body.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_in_the_middle_of_its_answer() {
    let mut backend = Backend::new().await;
    let rig = Rig::new(auto(&backend.upstream));
    let mut client = rig.client().await;
    client.send("GET", "", b"").await;
    let mut call = backend.call().await;
    call.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nsome")
        .await;
    client.head().await;
    drop(client);
    call.closed().await;
    assert_eq!(rig.store.commits(), 0);
}
