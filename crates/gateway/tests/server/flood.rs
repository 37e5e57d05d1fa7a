//! HTTP/2 clients that send frames without payload: each kind ends its connection, and is told why.

use std::time::Duration;

use raincheck_gateway::server::{Front, ServerOptions};
use raincheck_telemetry::{Counted, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::Rig;

/// What a frame is sent for.
const FLOOD: usize = 3_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![len[1], len[2], len[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The preface, our settings, and a request to `/echo` whose body does not end.
fn opening() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    // POST, http, and two literals: path and authority.
    let mut head = vec![0x83, 0x86, 0x04, 5];
    head.extend_from_slice(b"/echo");
    head.extend_from_slice(&[0x01, 1, b'x']);
    bytes.extend(frame(1, 4, 1, &head));
    bytes
}

/// The last `GOAWAY` that was read: its error code.
fn goaway(mut bytes: &[u8]) -> Option<u32> {
    let mut code = None;
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let payload = rest.get(..len)?;
        if *kind == 7 {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = &rest[len..];
    }
    code
}

#[tokio::test]
async fn three_thousand_frames_of_any_kind_end_the_connection() {
    const CALM: u32 = 0xb;
    for (name, frame) in [
        ("PING", frame(6, 0, 0, &[7; 8])),
        ("PING ACK", frame(6, 1, 0, &[7; 8])),
        ("SETTINGS", frame(4, 0, 0, &[])),
        (
            "SETTINGS with a value",
            frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]),
        ),
        ("empty DATA", frame(0, 0, 1, &[])),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1])),
        ("WINDOW_UPDATE of a stream", frame(8, 0, 1, &[0, 0, 0, 1])),
        ("PRIORITY", frame(2, 0, 3, &[0, 0, 0, 0, 16])),
        ("of an unknown kind", frame(0xbb, 0, 0, &[])),
    ] {
        let rig = Rig::start();
        let client = rig.client().await;
        let (mut read, mut write) = client.stream.into_split();
        let sending = tokio::spawn(async move {
            let flood = [opening(), frame.repeat(FLOOD)].concat();
            // The connection may end in the middle of it.
            _ = write.write_all(&flood).await;
            write
        });
        let mut said = Vec::new();
        let reading = tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut said));
        _ = reading
            .await
            .unwrap_or_else(|_| panic!("{name}: still open"));
        assert_eq!(goaway(&said), Some(CALM), "{name}");
        drop(sending.await);
    }
}

#[tokio::test]
async fn a_flood_is_counted_once_with_its_reason() {
    let metrics = Metrics::new([].into_iter());
    let front = Front {
        metrics: metrics.listener("l"),
        ..Front::default()
    };
    let rig = Rig::behind(front, ServerOptions::default());
    let client = rig.client().await;
    let (mut read, mut write) = client.stream.into_split();
    let ping = frame(6, 0, 0, &[7; 8]);
    let sending = tokio::spawn(async move {
        _ = write
            .write_all(&[opening(), ping.repeat(FLOOD)].concat())
            .await;
    });
    _ = read.read_to_end(&mut Vec::new()).await;
    sending.await.unwrap();
    drop(read);
    // All connections have ended, and are counted, when this returns.
    rig.server.drain(Duration::from_secs(20)).await;
    let text = metrics.expose(&Counted::default());
    let line = "raincheck_connections_refused_total{listener=\"l\",reason=\"flood\"} 1\n";
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn a_client_that_acknowledges_every_event_is_no_flood() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    client.send(bytes).await;
    // GET `/`, again and again, each answer acknowledged twice: 12,000 frames that earn their place.
    for request in 0..4_000_u32 {
        let stream = request * 2 + 1;
        let mut bytes = frame(1, 5, stream, &[0x82, 0x84, 0x86, 0x01, 1, b'x']);
        bytes.extend(frame(8, 0, 0, &[0, 0, 0, 5]));
        bytes.extend(frame(6, 0, 0, &[7; 8]));
        client.send(bytes).await;
        let mut got = [0; 1];
        client.stream.read_exact(&mut got).await.unwrap();
        while client
            .stream
            .try_read(&mut [0; 4096])
            .is_ok_and(|count| count > 0)
        {}
    }
    assert_eq!(rig.server.connections(), 1);
}
