//! Several upstreams of one route.

use std::sync::Arc;

use raincheck_core::route::upstream::Ejection;
use raincheck_core::route::{Backends, Group, Member, Mode, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::upstream;
use crate::rig::{Rig, auto, patient, soon};

/// A port that refuses connections.
async fn nobody() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// The backend may not be there, and so nobody reads the body of a request that has nowhere to go.
#[tokio::test(flavor = "multi_thread")]
async fn with_no_server_left_a_request_is_refused_before_its_body() {
    let members = [nobody().await, nobody().await].map(|port| Member {
        upstream: upstream(port),
        weight: 1,
    });
    let mut group = Group::new("app", members.to_vec());
    group.ejection = Some(Ejection {
        failures: 1,
        ..Ejection::default()
    });
    let backends = Backends::Group(Arc::new(group));
    let any = upstream(1);
    let sync = Route {
        mode: Mode::Sync,
        ..auto(&any)
    };
    for route in [sync, patient(&any)] {
        let rig = Rig::new(Route {
            upstream: backends.clone(),
            ..route
        });
        let mut client = rig.client().await;
        let first = client.ask("POST", "", b"x").await;
        assert_eq!(first.status(), 502);
        let mut raw = TcpStream::connect(rig.addr()).await.unwrap();
        let head = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
        raw.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon(async {
            let mut chunk = [0; 4096];
            while !answer.windows(4).any(|it| it == b"\r\n\r\n") {
                let bytes = raw.read(&mut chunk).await.unwrap();
                assert_ne!(bytes, 0);
                answer.extend_from_slice(&chunk[..bytes]);
            }
        })
        .await;
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(answer.starts_with("http/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");
        assert_eq!(rig.store.commits(), 0);
    }
}
