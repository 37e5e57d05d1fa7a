//! HTTP/1.1 as bytes: heads kept raw, bodies decoded piece by piece, and every way in which a
//! message can end told apart.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

use crate::pattern::Check;

/// How much of a body is kept for looking at; the rest is only counted and checked.
pub const KEPT_BODY_MAX: usize = 4 << 20;

/// How a message body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its own framing said that it is whole.
    Complete,
    /// It had no framing and the connection was closed in order.
    CloseDelimited,
    /// The connection was closed in order before the framing said that it is whole.
    Cut,
    /// The connection was reset.
    Reset,
    /// The framing itself was broken.
    Malformed(String),
    /// Nobody has read it to its end.
    Unread,
}

/// Why a head could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHead {
    /// The connection was closed before the first byte.
    Closed,
    /// The connection ended inside the head; these bytes had come.
    Partial(Vec<u8>),
    /// The connection was reset.
    Reset,
}

/// A start line and its fields, in order, with nothing repaired.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The first line, without its line end.
    pub start: String,
    /// Name as written and value as bytes, in the order they came.
    pub fields: Vec<(String, Vec<u8>)>,
    /// All bytes up to and including the empty line.
    pub raw: Vec<u8>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Self {
        let mut lines = raw.split(|byte| *byte == b'\n').map(strip_cr);
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let fields = lines.filter(|line| !line.is_empty()).map(field).collect();
        Self { start, fields, raw }
    }

    /// The values of one field, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.fields
            .iter()
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The first value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// Whether the field is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// All values of a list field as one list.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let joined = self.all(name).join(",");
        joined
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(Into::into)
            .collect()
    }

    /// The field names in lower case, in the order of their lines.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.fields
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect()
    }

    /// How the body after this head is framed, unless the method or the status says otherwise.
    #[must_use]
    pub fn framing(&self, otherwise: Framing) -> Framing {
        if self
            .list("transfer-encoding")
            .iter()
            .any(|v| v.eq_ignore_ascii_case("chunked"))
        {
            return Framing::Chunked;
        }
        match self
            .get("content-length")
            .and_then(|value| value.trim().parse().ok())
        {
            Some(length) => Framing::Length(length),
            None => otherwise,
        }
    }
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .unwrap_or(line.len());
    let name = String::from_utf8_lossy(&line[..colon]).into_owned();
    let value = line
        .get(colon + 1..)
        .unwrap_or_default()
        .trim_ascii()
        .to_vec();
    (name, value)
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// This many bytes.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// Until the connection is closed.
    Close,
}

/// What one look at the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// More bytes.
    Data,
    /// The other side closed in order.
    Eof,
    /// The other side reset the connection.
    Reset,
}

/// A socket and what has been read from it but not used yet.
#[derive(Debug)]
pub struct Wire {
    /// The socket itself.
    pub stream: TcpStream,
    buffer: BytesMut,
}

impl Wire {
    /// Takes over a socket.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Waits for more bytes. Dropping the future loses nothing.
    pub async fn fill(&mut self) -> Fill {
        loop {
            if self.stream.readable().await.is_err() {
                return Fill::Reset;
            }
            self.buffer.reserve(64 << 10);
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return Fill::Eof,
                Ok(_) => return Fill::Data,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Fill::Reset,
            }
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the other side is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        use tokio::io::AsyncWriteExt;
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// What has come but was not used.
    #[must_use]
    pub fn unused(&self) -> &[u8] {
        &self.buffer
    }

    /// Uses so many of the bytes that have come.
    pub fn split(&mut self, count: usize) -> Vec<u8> {
        self.buffer.split_to(count).to_vec()
    }

    /// Throws away what has come but was not used.
    pub fn discard(&mut self) {
        self.buffer.clear();
    }

    /// Reads up to the empty line.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn read_head(&mut self) -> Result<Head, NoHead> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return Ok(Head::parse(self.buffer.split_to(end + 4).to_vec()));
            }
            match self.fill().await {
                Fill::Data => {}
                Fill::Eof if self.buffer.is_empty() => return Err(NoHead::Closed),
                Fill::Eof => return Err(NoHead::Partial(self.buffer.split().to_vec())),
                Fill::Reset => return Err(NoHead::Reset),
            }
        }
    }

    async fn read_line(&mut self) -> Result<Bytes, End> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(end + 2).freeze();
                return Ok(line.slice(..end));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), End> {
        match self.fill().await {
            Fill::Data => Ok(()),
            Fill::Eof => Err(End::Cut),
            Fill::Reset => Err(End::Reset),
        }
    }

    async fn take(&mut self, most: u64) -> Result<Bytes, End> {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        let len = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        Ok(self.buffer.split_to(len).freeze())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// What the decoder found next.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Body bytes.
    Data(Bytes),
    /// Nothing more comes.
    End(End),
}

/// Reads one body off a wire.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    left: u64,
    in_chunk: bool,
    ended: Option<End>,
    /// The trailer fields, once the body is complete.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Decoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing {
            length
        } else {
            0
        };
        Self {
            framing,
            left,
            in_chunk: false,
            ended: None,
            trailers: Vec::new(),
        }
    }

    /// The next piece of the body.
    pub async fn next(&mut self, wire: &mut Wire) -> Piece {
        if let Some(end) = &self.ended {
            return Piece::End(end.clone());
        }
        let step = match self.framing {
            Framing::Empty => Err(End::Complete),
            Framing::Length(_) if self.left == 0 => Err(End::Complete),
            Framing::Length(_) => wire.take(self.left).await,
            Framing::Chunked => self.chunked(wire).await,
            Framing::Close => wire.take(u64::MAX).await.map_err(|end| match end {
                End::Cut => End::CloseDelimited,
                other => other,
            }),
        };
        match step {
            Ok(data) => {
                self.left = self.left.saturating_sub(data.len() as u64);
                Piece::Data(data)
            }
            Err(end) => {
                self.ended = Some(end.clone());
                Piece::End(end)
            }
        }
    }

    async fn chunked(&mut self, wire: &mut Wire) -> Result<Bytes, End> {
        if self.left == 0 {
            if self.in_chunk {
                let gap = wire.read_line().await?;
                if !gap.is_empty() {
                    return Err(End::Malformed(format!("{gap:?} after a chunk")));
                }
                self.in_chunk = false;
            }
            let line = wire.read_line().await?;
            self.left = chunk_size(&line)?;
            if self.left == 0 {
                return Err(self.read_trailers(wire).await);
            }
            self.in_chunk = true;
        }
        wire.take(self.left).await
    }

    async fn read_trailers(&mut self, wire: &mut Wire) -> End {
        loop {
            match wire.read_line().await {
                Ok(line) if line.is_empty() => return End::Complete,
                Ok(line) => self.trailers.push(field(&line)),
                Err(end) => return end,
            }
        }
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, End> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16)
        .map_err(|_| End::Malformed(format!("{text:?} is no chunk size")))
}

/// A body as it was received.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its first bytes, up to [`KEPT_BODY_MAX`].
    pub bytes: Vec<u8>,
    /// All of it, compared with the pattern.
    pub check: Check,
    /// The trailer fields.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How it ended.
    pub end: End,
}

impl Body {
    /// A body of which nothing was read yet.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            bytes: Vec::new(),
            check: Check::new(),
            trailers: Vec::new(),
            end: End::Unread,
        }
    }

    /// Takes in the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let room = KEPT_BODY_MAX
            .saturating_sub(self.bytes.len())
            .min(piece.len());
        self.bytes.extend_from_slice(&piece[..room]);
        self.check.feed(piece);
    }

    /// Reads to the end.
    pub async fn read(&mut self, decoder: &mut Decoder, wire: &mut Wire) {
        loop {
            match decoder.next(wire).await {
                Piece::Data(piece) => self.feed(&piece),
                Piece::End(end) => {
                    self.end = end;
                    self.trailers.clone_from(&decoder.trailers);
                    return;
                }
            }
        }
    }

    /// The length of all of it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.check.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.check.is_empty()
    }

    /// The trailers as text, names in lower case.
    #[must_use]
    pub fn trailer_text(&self) -> Vec<(String, String)> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.trailers
            .iter()
            .map(|(name, v)| (name.to_ascii_lowercase(), text(v)))
            .collect()
    }

    /// The kept bytes as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
