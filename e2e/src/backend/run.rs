//! Carries out scripts, connection by connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Handler;
use super::log::{Log, Seen};
use super::script::{Script, Step};
use crate::pattern;
use crate::wire::{Decoder, Fill, Framing, Piece, Wire};

/// Bytes of the pattern written at once.
const PIECE: u64 = 64 << 10;

/// Why a script did not run to its last step.
enum Over {
    /// The gateway closed or reset the connection.
    ByPeer,
    /// The script itself ended the connection.
    ByUs,
}

/// Accepts until the backend is dropped; the connections end with it.
pub(super) async fn accept(listener: TcpListener, log: Log, handler: Handler) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = log.connected();
        let connection = Connection {
            wire: Wire::new(stream),
            number,
            log: log.clone(),
        };
        connections.spawn(connection.serve(handler.clone()));
        while connections.try_join_next().is_some() {}
    }
}

struct Connection {
    wire: Wire,
    number: usize,
    log: Log,
}

impl Connection {
    async fn serve(mut self, handler: Handler) {
        let mut last = None;
        for nth in 0.. {
            let Ok(head) = self.wire.read_head().await else {
                break;
            };
            let seen = self.log.enter(self.number, nth, head);
            last = Some(seen.index);
            let script = handler(&seen);
            let over = self.exchange(&seen, script).await;
            self.log.change(seen.index, |seen| seen.served = true);
            match over {
                Ok(()) => {}
                Err(Over::ByPeer) => break,
                Err(Over::ByUs) => return,
            }
        }
        if let Some(index) = last {
            self.log.change(index, |seen| seen.closed = true);
        }
    }

    async fn exchange(&mut self, seen: &Seen, script: Script) -> Result<(), Over> {
        let mut decoder = Decoder::new(seen.head.framing(Framing::Empty));
        for step in script.steps {
            self.step(seen, &mut decoder, step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, seen: &Seen, body: &mut Decoder, step: Step) -> Result<(), Over> {
        match step {
            Step::ReadBody => self.read_body(seen, body, u64::MAX).await,
            Step::ReadSome(len) => self.read_body(seen, body, len).await,
            Step::Wait(event) => self.unless_closed(event.passed()).await,
            Step::Pause(event) => {
                event.passed().await;
                Ok(())
            }
            Step::Signal(event) => {
                event.fire();
                Ok(())
            }
            Step::Send(bytes) => self.send(seen, &bytes).await,
            Step::Drip(bytes, gate) => {
                for byte in &bytes {
                    if let Some(gate) = &gate {
                        self.unless_closed(gate.pass()).await?;
                    }
                    self.send(seen, &[*byte]).await?;
                }
                Ok(())
            }
            Step::Pattern(len) => self.pattern(seen, len, false).await,
            Step::PatternChunks(len) => self.pattern(seen, len, true).await,
            Step::Echo => self.echo(seen).await,
            Step::Mirror => {
                let body = self.log.read(|all| all[seen.index].body.bytes.clone());
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                self.send(seen, &[head.as_bytes(), &body].concat()).await
            }
            Step::HalfClose => {
                let _ = self.wire.stream.shutdown().await;
                self.until_closed().await
            }
            Step::Reset => {
                let _ = SockRef::from(&self.wire.stream).set_linger(Some(Duration::ZERO));
                Err(Over::ByUs)
            }
            Step::Close => Err(Over::ByUs),
            Step::UntilClosed => self.until_closed().await,
        }
    }

    async fn read_body(&mut self, seen: &Seen, body: &mut Decoder, len: u64) -> Result<(), Over> {
        let mut read = 0;
        while read < len {
            match body.next(&mut self.wire).await {
                Piece::Data(piece) => {
                    read += piece.len() as u64;
                    self.log.change(seen.index, |seen| seen.body.feed(&piece));
                }
                Piece::End(end) => {
                    let trailers = body.trailers.clone();
                    self.log.change(seen.index, |seen| {
                        seen.body.end = end;
                        seen.body.trailers = trailers;
                    });
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, seen: &Seen, bytes: &[u8]) -> Result<(), Over> {
        self.wire.write(bytes).await.map_err(|_| Over::ByPeer)?;
        seen.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    async fn pattern(&mut self, seen: &Seen, len: u64, chunked: bool) -> Result<(), Over> {
        let mut offset = 0;
        while offset < len {
            let piece_len = PIECE.min(len - offset);
            let mut piece = Vec::new();
            if chunked {
                piece.extend_from_slice(format!("{piece_len:x}\r\n").as_bytes());
            }
            piece.extend(pattern::bytes(offset, piece_len as usize));
            if chunked {
                piece.extend_from_slice(b"\r\n");
            }
            self.send(seen, &piece).await?;
            offset += piece_len;
        }
        Ok(())
    }

    async fn echo(&mut self, seen: &Seen) -> Result<(), Over> {
        let now = self.log.read(|all| all[seen.index].clone());
        let lines = |fields: &[(String, Vec<u8>)]| -> Vec<_> {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            fields
                .iter()
                .map(|(name, value)| json!([name, text(value)]))
                .collect()
        };
        let body = json!({
            "method": now.method(),
            "target": now.target(),
            "headers": lines(&now.head.fields),
            "body": now.body.text(),
            "trailers": lines(&now.body.trailers),
        })
        .to_string();
        let json = ["content-type: application/json"];
        self.send(seen, super::answer("200 OK", &json, &body).as_bytes())
            .await
    }

    /// Runs `wait`, but ends the script if the gateway closes first.
    async fn unless_closed(&mut self, wait: impl Future<Output = ()>) -> Result<(), Over> {
        let mut wait = std::pin::pin!(wait);
        loop {
            tokio::select! {
                biased;
                () = &mut wait => return Ok(()),
                fill = self.wire.fill() => if fill != Fill::Data {
                    return Err(Over::ByPeer);
                },
            }
        }
    }

    async fn until_closed(&mut self) -> Result<(), Over> {
        while self.wire.fill().await == Fill::Data {
            self.wire.discard();
        }
        Err(Over::ByPeer)
    }
}
