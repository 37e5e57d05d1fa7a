//! So many connections for one client: what comes beyond them is closed before a byte is read, and
//! is counted.

use std::num::NonZeroUsize;
use std::time::Duration;

use raincheck_gateway::server::{Front, ServerOptions};
use raincheck_gateway::{PerClient, Trusted};
use raincheck_telemetry::{Counted, Metrics};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::rig::{Client, Rig};

fn rig(metrics: &Metrics, proxies: Option<Trusted>, max: usize) -> Rig {
    let front = Front {
        metrics: metrics.listener("l"),
        proxies,
        per_client: Some(PerClient::new(NonZeroUsize::new(max))),
        ..Front::default()
    };
    Rig::behind(front, ServerOptions::default())
}

fn metrics() -> Metrics {
    Metrics::new([].into_iter())
}

/// How often a connection was refused because of its client.
async fn refused(rig: &Rig, metrics: &Metrics) -> u64 {
    rig.server.drain(Duration::ZERO).await;
    let text = metrics.expose(&Counted::default());
    let head = "raincheck_connections_refused_total{listener=\"l\",reason=\"per_client\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(head));
    line.map_or(0, |count| count.parse().unwrap())
}

/// Whether the connection is closed without an answer. Nothing is sent on it.
async fn is_closed(client: &mut Client) -> bool {
    !matches!(client.stream.read(&mut [0; 64]).await, Ok(count) if count > 0)
}

#[tokio::test]
async fn one_client_has_so_many_and_one_that_ends_makes_room() {
    let metrics = metrics();
    let rig = rig(&metrics, None, 2);
    let (mut first, mut second) = (rig.client().await, rig.client().await);
    first.get("/a").await;
    second.get("/b").await;
    // The reset may come before the client knows that it is connected.
    if let Ok(mut third) = TcpStream::connect(rig.addr()).await {
        assert!(!matches!(third.read(&mut [0; 64]).await, Ok(count) if count > 0));
    }
    // Those that were there are not touched.
    first.get("/a").await;
    first.send("GET /last HTTP/1.0\r\n\r\n").await;
    assert!(first.rest().await.ends_with("/last"));
    // The place is given back with the end of its task.
    while rig.server.connections() > 1 {
        tokio::task::yield_now().await;
    }
    rig.client().await.get("/c").await;
    second.get("/b").await;
    assert_eq!(refused(&rig, &metrics).await, 1);
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_the_one_that_it_tells_of() {
    let metrics = metrics();
    let proxies = Trusted {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        unix: false,
    };
    let rig = rig(&metrics, Some(proxies), 1);
    let told = |family: &str, client: &str, own: &str| {
        format!("PROXY {family} {client} {own} 4000 80\r\n")
    };
    let mut open = Vec::new();
    for header in [
        told("TCP4", "192.0.2.1", "10.0.0.1"),
        told("TCP4", "192.0.2.2", "10.0.0.1"),
        told("TCP6", "2001:db8::1", "::1"),
        told("TCP6", "2001:db8:0:1::1", "::1"),
        // The proxy itself, and clients of which it cannot tell, are not counted.
        "PROXY UNKNOWN\r\n".to_owned(),
        "PROXY UNKNOWN\r\n".to_owned(),
    ] {
        let mut client = rig.client().await;
        client.send(header).await;
        client.get("/x").await;
        open.push(client);
    }
    for header in [
        told("TCP4", "192.0.2.1", "10.0.0.1"),
        told("TCP6", "::ffff:192.0.2.2", "::1"),
        told("TCP6", "2001:db8::ffff:7", "::1"),
    ] {
        let mut client = rig.client().await;
        client.send(&header).await;
        assert!(is_closed(&mut client).await, "{header}");
    }
    for client in &mut open {
        client.get("/y").await;
    }
    assert_eq!(refused(&rig, &metrics).await, 3);
}
