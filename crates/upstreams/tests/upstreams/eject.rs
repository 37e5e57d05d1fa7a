//! Which servers of a group are used: ejected by failures, taken out by checks, and back again.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::route::upstream::{EjectOn, Ejection, HealthCheck};
use raincheck_core::route::{Backends, Group, Member, Pattern, Route, RouteTable, Upstream};
use raincheck_upstreams::{ServerState, Upstreams};
use tokio::sync::watch;

use crate::backend::Backend;
use crate::client::{eventually, get, pool, read_text, timeouts};

fn of(upstreams: &[&Upstream]) -> Group {
    let member = |upstream: &&Upstream| Member {
        upstream: (*upstream).clone(),
        weight: 1,
    };
    Group::new("test", upstreams.iter().map(member).collect())
}

fn eject(failures: u32, time: Duration) -> Ejection {
    Ejection {
        failures,
        on: EjectOn {
            connect: true,
            timeout: true,
            server_error: true,
        },
        time,
        max_time: time,
    }
}

fn table(group: &Group) -> RouteTable {
    let backends = Backends::Group(Arc::new(group.clone()));
    let route = Route::new("r".parse().unwrap(), Pattern::everything(), backends);
    RouteTable::new(vec![route]).unwrap()
}

fn backends(group: &Group) -> Backends {
    Backends::Group(Arc::new(group.clone()))
}

fn state(pool: &Upstreams, upstream: &Upstream) -> ServerState {
    let states = pool.states();
    let found = states.into_iter().find(|it| it.server == upstream.url());
    found.unwrap()
}

/// Answers every request on every connection with the status that holds at the time.
fn serve(backend: Backend, status: watch::Receiver<u16>) -> tokio::task::AbortHandle {
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = backend.accept().await;
            let status = status.clone();
            tokio::spawn(async move {
                while let Some(_head) = peer.next_head().await {
                    let status = *status.borrow();
                    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
                    peer.write(&answer).await;
                }
            });
        }
    });
    serving.abort_handle()
}

#[tokio::test]
async fn a_server_that_refuses_is_asked_no_more_and_all_of_them_are_a_refusal() {
    let (open, closed) = (Backend::new().await, Backend::new().await.upstream());
    let upstream = open.upstream();
    let (_status, seen) = watch::channel(200);
    let serving = serve(open, seen);
    let pool = pool();
    let mut group = of(&[&closed, &upstream]);
    group.ejection = Some(eject(2, Duration::from_secs(3600)));
    let backends = backends(&group);
    for _ in 0..8 {
        let answer = pool.send_to(&backends, get(), timeouts()).await.unwrap();
        assert_eq!(read_text(answer).await, "ok");
    }
    assert!(state(&pool, &upstream).usable);
    let out = state(&pool, &closed);
    assert!(!out.usable && out.ejections == 1, "{out:?}");
    assert_eq!(pool.ready(&backends), Ok(()));
    serving.abort();
    // The listener is gone with its task, and the idle connection is closed here.
    eventually(|| serving.is_finished()).await;
    pool.drain();
    for _ in 0..2 {
        let failure = pool
            .send_to(&backends, get(), timeouts())
            .await
            .unwrap_err();
        assert_eq!(failure.cause, Cause::Connect);
    }
    let failure = pool
        .send_to(&backends, get(), timeouts())
        .await
        .unwrap_err();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::NoUpstream, Seen::Unreached)
    );
    assert_eq!(pool.ready(&backends), Err(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_server_of_errors_is_ejected_while_there_is_another_and_comes_back() {
    let (bad, good) = (Backend::new().await, Backend::new().await);
    let (one, two) = (bad.upstream(), good.upstream());
    let (fails, seen) = watch::channel(503);
    serve(bad, seen);
    let (_always, seen) = watch::channel(200);
    serve(good, seen);
    let pool = pool();
    let mut group = of(&[&one, &two]);
    group.ejection = Some(eject(3, Duration::from_millis(50)));
    group.slow_start = Duration::ZERO;
    let backends = backends(&group);
    let mut bad_answers = 0;
    while state_or_usable(&pool, &one) {
        let answer = pool.send_to(&backends, get(), timeouts()).await.unwrap();
        bad_answers += usize::from(answer.head.status == 503);
        read_text(answer).await;
    }
    assert_eq!(bad_answers, 3);
    fails.send(200).unwrap();
    eventually(|| state(&pool, &one).usable).await;
    for _ in 0..8 {
        let answer = pool.send_to(&backends, get(), timeouts()).await.unwrap();
        assert_eq!(answer.head.status, 200);
        read_text(answer).await;
    }
    assert_eq!(state(&pool, &one).ejections, 1);
}

fn state_or_usable(pool: &Upstreams, upstream: &Upstream) -> bool {
    pool.states().is_empty() || state(pool, upstream).usable
}

#[tokio::test]
async fn checks_take_a_server_out_and_bring_it_back_and_end_with_their_group() {
    let backend = Backend::new().await;
    let upstream = backend.upstream();
    let (status, seen) = watch::channel(204);
    serve(backend, seen);
    let pool = pool();
    let mut group = of(&[&upstream]);
    group.ejection = None;
    group.health = Some(HealthCheck {
        path: "/health?x".to_owned(),
        interval: Duration::from_millis(10),
        timeout: Duration::from_secs(5),
        healthy: 2,
        unhealthy: 2,
        status: 200..=299,
    });
    pool.follow(&table(&group));
    status.send(500).unwrap();
    eventually(|| !state(&pool, &upstream).usable).await;
    let out = state(&pool, &upstream);
    assert!(out.unhealthy && out.complaint.unwrap().starts_with("answered 500"));
    let wait = pool.ready(&backends(&group)).unwrap_err();
    assert_eq!(wait, Duration::from_secs(1));
    // The same group again changes nothing; what is known of a server outlives a change of others.
    pool.follow(&table(&group));
    group.slow_start = Duration::ZERO;
    pool.follow(&table(&group));
    assert!(!state(&pool, &upstream).usable);
    status.send(200).unwrap();
    eventually(|| state(&pool, &upstream).usable).await;
    assert_eq!(pool.ready(&backends(&group)), Ok(()));
    // Without checks nothing keeps it out.
    status.send(500).unwrap();
    eventually(|| !state(&pool, &upstream).usable).await;
    group.health = None;
    pool.follow(&table(&group));
    assert!(state(&pool, &upstream).usable);
    let none = RouteTable::new(vec![Route::new(
        "r".parse().unwrap(),
        Pattern::everything(),
        upstream,
    )]);
    pool.follow(&none.unwrap());
    assert_eq!(pool.states(), []);
}

#[tokio::test]
async fn a_check_is_a_request_of_its_own_and_says_whose_it_is() {
    let backend = Backend::new().await;
    let pool = pool();
    let mut group = of(&[&backend.upstream()]);
    group.health = Some(HealthCheck {
        path: "/health?x".to_owned(),
        interval: Duration::from_millis(10),
        timeout: Duration::from_secs(5),
        healthy: 1,
        unhealthy: 1,
        status: 200..=299,
    });
    pool.follow(&table(&group));
    for _ in 0..3 {
        let (mut peer, head) = backend.request().await;
        assert!(head.starts_with("GET /health?x HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("user-agent: raincheck-health\r\n"), "{head}");
        assert!(head.contains(&format!("host: {}\r\n", backend.upstream().authority())));
        peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
            .await;
        // A clean end, not a reset.
        let mut rest = [0; 1];
        let end = tokio::io::AsyncReadExt::read(&mut peer.tcp, &mut rest).await;
        assert_eq!(end.unwrap(), 0);
    }
    assert_eq!(state(&pool, &backend.upstream()).outstanding, 0);
}
