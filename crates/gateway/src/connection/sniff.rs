//! Which protocol a client speaks: the first bytes of HTTP/2 are the same for everyone.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// What every HTTP/2 client sends first (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that were read to tell the protocol.
#[derive(Debug, Default)]
pub(crate) struct Sniffed {
    bytes: [u8; PREFACE.len()],
    from: usize,
    to: usize,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.0 or 1.1, or nonsense.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// It closed without a byte.
    Nothing,
}

impl Sniffed {
    /// Reads as many bytes as it takes to tell. Not cancel safe: read bytes stay in `self`, which
    /// can be continued with.
    pub(crate) async fn protocol<S: AsyncRead + Unpin>(
        &mut self,
        socket: &mut S,
    ) -> io::Result<Protocol> {
        loop {
            let free = self.bytes.get_mut(self.to..).unwrap_or_default();
            let count = socket.read(free).await?;
            self.to += count;
            let seen = self.seen();
            if seen == PREFACE {
                return Ok(Protocol::Http2);
            }
            if count == 0 && seen.is_empty() {
                return Ok(Protocol::Nothing);
            }
            if count == 0 || !PREFACE.starts_with(seen) {
                return Ok(Protocol::Http1);
            }
        }
    }

    /// Whether no byte is left to give back.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Gives back as many bytes as fit.
    pub(crate) fn give_back(&mut self, buf: &mut ReadBuf<'_>) {
        let count = (self.to - self.from).min(buf.remaining());
        if let Some(bytes) = self.seen().get(..count) {
            buf.put_slice(bytes);
            self.from += count;
        }
    }

    fn seen(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tell(mut bytes: &[u8]) -> (Protocol, Vec<u8>) {
        let mut sniffed = Sniffed::default();
        let protocol = sniffed.protocol(&mut bytes).await.unwrap();
        (protocol, sniffed.seen().to_vec())
    }

    #[tokio::test]
    async fn the_preface_and_nothing_else_is_http2() {
        assert_eq!(tell(b"").await.0, Protocol::Nothing);
        assert_eq!(tell(b"GET / HTTP/1.1\r\n\r\n").await.0, Protocol::Http1);
        assert_eq!(tell(b"PRI").await, (Protocol::Http1, b"PRI".to_vec()));
        let (protocol, seen) = tell(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore").await;
        assert_eq!((protocol, seen.as_slice()), (Protocol::Http2, &PREFACE[..]));
        assert_eq!(
            tell(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await.0,
            Protocol::Http1
        );
    }
}
