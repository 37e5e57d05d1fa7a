//! A goodbye between two streams of HTTP/2 (RFC 9113 section 6.8), frame by frame: what it names
//! may have been worked on, what came after it was not.

use std::sync::Arc;

use raincheck_core::outcome::{Cause, Seen};
use raincheck_core::route::Upstream;
use raincheck_core::route::upstream::{Protocol, Reach};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::Backend;
use crate::client::{get, pool, read_text, start, timeouts};

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;

/// The server's end of a connection.
struct Wire(TcpStream);

impl Wire {
    async fn accept(backend: &Backend) -> Self {
        let mut tcp = backend.accept().await.tcp;
        let mut preface = [0; 24];
        tcp.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut wire = Self(tcp);
        wire.write(SETTINGS, 0, 0, &[]).await;
        wire
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// The stream of the next request.
    async fn request(&mut self) -> u32 {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            }
        }
    }

    async fn goodbye(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.write(GOAWAY, 0, 0, &payload).await;
    }

    /// 204.
    async fn answer(&mut self, stream: u32) {
        const STATUS_204: u8 = 0x89;
        let flags = END_HEADERS | END_STREAM;
        self.write(HEADERS, flags, stream, &[STATUS_204]).await;
    }
}

fn upstream(backend: &Backend) -> Upstream {
    let mut upstream = backend.upstream();
    upstream.reach = Some(Arc::new(Reach {
        protocol: Protocol::H2,
        ..Reach::default()
    }));
    upstream
}

#[tokio::test]
async fn what_a_goodbye_names_was_perhaps_worked_on_and_what_came_later_was_not() {
    for code in [NO_ERROR, INTERNAL_ERROR] {
        for closes_at_once in [true, false] {
            let backend = Backend::new().await;
            let (pool, upstream) = (pool(), upstream(&backend));
            let named = start(&pool, &upstream, get(), timeouts());
            let mut wire = Wire::accept(&backend).await;
            let first = wire.request().await;
            let later = start(&pool, &upstream, get(), timeouts());
            assert!(wire.request().await > first);
            wire.goodbye(first, code).await;
            let kept = (!closes_at_once).then_some(wire);

            let mut next = Wire::accept(&backend).await;
            let again = next.request().await;
            next.answer(again).await;
            assert_eq!(read_text(later.await.unwrap().unwrap()).await, "");

            drop(kept);
            let failure = named.await.unwrap().unwrap_err();
            assert_eq!(
                (failure.cause, failure.seen),
                (Cause::Broken, Seen::All),
                "{code} {closes_at_once} {}",
                failure.detail
            );
        }
    }
}

#[tokio::test]
async fn a_request_that_a_goodbye_names_may_still_be_answered() {
    for code in [NO_ERROR, INTERNAL_ERROR] {
        let backend = Backend::new().await;
        let (pool, upstream) = (pool(), upstream(&backend));
        let named = start(&pool, &upstream, get(), timeouts());
        let mut wire = Wire::accept(&backend).await;
        let stream = wire.request().await;
        wire.goodbye(stream, code).await;
        wire.answer(stream).await;
        assert_eq!(read_text(named.await.unwrap().unwrap()).await, "");
    }
}
