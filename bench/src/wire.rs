//! HTTP/1.1 on a raw socket, with as little work as possible: what the load generator and the no-op
//! backend share. It measures servers on the same cores, so every microsecond here is taken from
//! them. It is not a general client: it trusts its peer to frame messages properly.

use anyhow::{Context, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of one read.
const CHUNK: usize = 64 * 1024;
/// A head larger than this is a mistake of the peer.
const HEAD_MAX: usize = 64 * 1024;

/// How the body of a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// A connection with its read buffer.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the unread bytes start in `buffer`.
    start: usize,
    head: Vec<u8>,
}

impl Wire {
    /// Takes over an open connection.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(CHUNK),
            start: 0,
            head: Vec::new(),
        })
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(())
    }

    /// Reads the next head; `false` when the peer closed before its first byte.
    pub async fn read_head(&mut self) -> Result<bool> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..];
            if let Some(found) = memmem::find(&unread[searched..], b"\r\n\r\n") {
                let end = searched + found + 4;
                self.head.clear();
                self.head.extend_from_slice(&unread[..end]);
                self.start += end;
                return Ok(true);
            }
            if unread.len() > HEAD_MAX {
                bail!("the peer sent a head of more than {HEAD_MAX} bytes");
            }
            searched = unread.len().saturating_sub(3);
            if self.fill().await? == 0 {
                if self.start == self.buffer.len() {
                    return Ok(false);
                }
                bail!("the peer closed inside a head");
            }
        }
    }

    /// The head that was read last, with its empty line.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The value of a header of the last head; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .split(|byte| *byte == b'\n')
            .skip(1)
            .find_map(|line| {
                let (found, value) = line.split_at_checked(name.len())?;
                let value = value.strip_prefix(b":")?;
                if !found.eq_ignore_ascii_case(name.as_bytes()) {
                    return None;
                }
                std::str::from_utf8(value).ok().map(str::trim)
            })
    }

    /// The status code of the last head, of a response.
    pub fn status(&self) -> Result<u16> {
        let digits = self
            .head
            .get(9..12)
            .context("a status line that is too short")?;
        Ok(std::str::from_utf8(digits)?.parse()?)
    }

    /// How the body after the last head ends. Neither header means no body, as in a request.
    pub fn framing(&self) -> Result<Framing> {
        if let Some(length) = self.header("content-length") {
            return Ok(Framing::Length(length.parse().context("content-length")?));
        }
        match self.header("transfer-encoding") {
            Some(_) => Ok(Framing::Chunked),
            None => Ok(Framing::Length(0)),
        }
    }

    /// Reads the body to its end and returns its size; keeps its bytes only when asked.
    pub async fn read_body(&mut self, framing: Framing, keep: Option<&mut Vec<u8>>) -> Result<u64> {
        match framing {
            Framing::Length(length) => self.take(length, keep).await,
            Framing::Chunked => self.read_chunks(keep).await,
        }
    }

    async fn read_chunks(&mut self, mut keep: Option<&mut Vec<u8>>) -> Result<u64> {
        let mut total = 0;
        loop {
            let line = self.read_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).context("a chunk size")?;
            if size == 0 {
                while !self.read_line().await?.is_empty() {}
                return Ok(total);
            }
            total += self.take(size, keep.as_deref_mut()).await?;
            self.take(2, None).await?;
        }
    }

    async fn take(&mut self, length: u64, mut keep: Option<&mut Vec<u8>>) -> Result<u64> {
        let mut left = length;
        while left > 0 {
            if self.start == self.buffer.len() && self.fill().await? == 0 {
                bail!("the peer closed inside a body, {left} bytes before its end");
            }
            let unread = &self.buffer[self.start..];
            let step = unread
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            if let Some(keep) = keep.as_deref_mut() {
                keep.extend_from_slice(&unread[..step]);
            }
            self.start += step;
            left -= step as u64;
        }
        Ok(length)
    }

    async fn read_line(&mut self) -> Result<String> {
        loop {
            let unread = &self.buffer[self.start..];
            if let Some(end) = memmem::find(unread, b"\r\n") {
                let line = String::from_utf8_lossy(&unread[..end]).into_owned();
                self.start += end + 2;
                return Ok(line);
            }
            if self.fill().await? == 0 {
                bail!("the peer closed inside a chunk");
            }
        }
    }

    async fn fill(&mut self) -> Result<usize> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > CHUNK {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.buffer).await?)
    }
}
