//! What the client gets is what the backend said, and the other way round.

use raincheck_core::route::{HoldUntil, Mode, Route};

use crate::backend::Backend;
use crate::rig::{Rig, auto, patient};

/// Every way to an answer without a ticket.
fn ways(backend: &Backend) -> [Route; 4] {
    let route = patient(&backend.upstream);
    [
        Route {
            mode: Mode::Sync,
            ..route.clone()
        },
        route.clone(),
        Route {
            hold_until: HoldUntil::Complete,
            ..route.clone()
        },
        // Its client waits for it, with `Prefer: wait`.
        Route {
            mode: Mode::Async,
            ..route
        },
    ]
}

const WAIT: &str = "prefer: wait=500\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_passed_on_as_it_is() {
    let mut backend = Backend::new().await;
    for route in ways(&backend) {
        let mode = (route.mode, route.hold_until);
        let rig = Rig::new(route);
        let mut client = rig.client().await;
        client
            .send("POST", &format!("{WAIT}x-q: 1\r\nx-q: 2\r\n"), b"question")
            .await;
        let call = backend.call().await;
        assert!(
            call.head.starts_with("POST /work HTTP/1.1\r\n"),
            "{}",
            call.head
        );
        assert_eq!(call.field("host"), Some("a.example"));
        assert_eq!(call.field("raincheck-attempt"), Some("1"));
        assert!(call.head.contains("x-q: 1\r\nx-q: 2\r\n"), "{}", call.head);
        assert_eq!(call.body, b"question");
        let fields = "set-cookie: a=1\r\nx-y: z\r\nset-cookie: b=2\r\nraincheck-error: no\r\n";
        call.answer(418, fields, "an answer").await;
        let reply = client.reply("POST").await;
        assert_eq!(reply.line, "HTTP/1.1 418 Said", "{mode:?}");
        assert_eq!(reply.all("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(reply.all("content-length"), ["9"], "{reply:?}");
        assert_eq!(reply.field("raincheck-error"), None, "only we say so");
        assert_eq!(reply.body, b"an answer");
        let stored = if mode.0 == Mode::Async { 2 } else { 0 };
        assert_eq!(rig.store.commits(), stored, "{mode:?}");
    }
}

/// Answers without a body, with and without a length: the connection stays usable after each.
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body() {
    let mut backend = Backend::new().await;
    for route in ways(&backend) {
        let mode = (route.mode, route.hold_until);
        let rig = Rig::new(route);
        let mut client = rig.client().await;
        for (method, answer, length) in [
            (
                "HEAD",
                "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
                Some("1234"),
            ),
            (
                "HEAD",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                None,
            ),
            (
                "GET",
                "HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\n\r\n",
                None,
            ),
            (
                "GET",
                "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n",
                None,
            ),
            ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
            (
                "GET",
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                Some("0"),
            ),
        ] {
            client.send(method, WAIT, b"").await;
            backend.call().await.raw(answer).await;
            let reply = client.reply(method).await;
            assert!(answer.starts_with(&reply.line), "{mode:?}: {reply:?}");
            assert_eq!(
                reply.field("content-length"),
                length,
                "{mode:?} {method} {answer:?}"
            );
            assert!(reply.body.is_empty());
        }
    }
}

/// Interim answers are between us and the backend.
#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_are_not_the_answer() {
    let mut backend = Backend::new().await;
    for route in ways(&backend) {
        let rig = Rig::new(route);
        let mut client = rig.client().await;
        client.send("GET", WAIT, b"").await;
        let text = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\
                    HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        backend.call().await.raw(text).await;
        let reply = client.reply("GET").await;
        assert_eq!((reply.status(), &reply.body[..]), (200, &b"ok"[..]));
        assert_eq!(reply.field("link"), None);
    }
}

/// A body that outgrows memory arrives whole, and its file goes with the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_is_spooled_and_forgotten() {
    let mut backend = Backend::new().await;
    let large: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let rig = Rig::new(patient(&backend.upstream));
    let mut client = rig.client().await;
    client.send("PUT", "", &large).await;
    let call = backend.call().await;
    assert!(call.body == large);
    call.answer(200, "", "got it").await;
    assert_eq!(client.reply("PUT").await.body, b"got it");
    assert_eq!((rig.store.commits(), rig.store.files()), (0, 0));
    // As a job it is kept.
    let rig = Rig::new(auto(&backend.upstream));
    let mut client = rig.client().await;
    let id = client.ask("PUT", "", &large).await.id();
    assert_eq!(rig.store.files(), 1);
    let call = backend.call().await;
    assert!(call.body == large);
    call.answer(200, "", "late").await;
    assert_eq!(rig.response(id).await, (200, b"late".to_vec()));
}

/// An answer that is cut short never looks whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_is_a_problem_or_a_cut_connection() {
    let mut backend = Backend::new().await;
    for route in ways(&backend) {
        let whole = route.mode == Mode::Async || route.hold_until == HoldUntil::Complete;
        let rig = Rig::new(route);
        let mut client = rig.client().await;
        client.send("GET", WAIT, b"").await;
        backend
            .call()
            .await
            .raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
        if whole {
            let reply = client.reply("GET").await;
            assert_eq!(reply.status(), 502, "{reply:?}");
            assert_eq!(reply.field("raincheck-error"), Some("gateway"));
        } else {
            let reply = client.head().await;
            assert_eq!(
                (reply.status(), reply.field("content-length")),
                (200, Some("10"))
            );
            client.is_cut_after(b"half").await;
        }
    }
}
