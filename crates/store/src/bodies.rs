//! Request and response bytes: in memory while small, in a checksummed file of their own when not.

use std::fmt;

use bytes::Bytes;

use crate::Pending;

/// Names a body that has a file of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub u128);

impl fmt::Display for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A finished body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it; at most `limits::BODY_INLINE_BYTES`, kept in the job's own row.
    Inline(Bytes),
    /// A file of the engine's. Until a commit refers to it, it is nobody's: dropping the store
    /// or opening it again deletes it.
    File {
        /// Which.
        id: BodyId,
        /// Its bytes.
        len: u64,
    },
}

impl Body {
    /// No bytes.
    pub const EMPTY: Self = Self::Inline(Bytes::new());

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A body being written. Dropped before [`BodyWriter::finish`], it is deleted once its readers are
/// gone.
pub trait BodyWriter: Send + Sync {
    /// Appends bytes; they can be read when this returns. Bytes over `limits::BODY_MEMORY_BYTES`
    /// go to disk.
    ///
    /// # Errors
    /// `Full`, `Unavailable`: the body is unusable from here on.
    fn append(&mut self, bytes: Bytes) -> Pending<'_, ()>;

    /// How many bytes were appended.
    fn len(&self) -> u64;

    /// Whether none were.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader of what was and will be appended. It sees the bytes of every `append` that has
    /// returned, and goes on working after `finish`.
    fn reader(&self) -> Box<dyn BodyReader>;

    /// Ends the body and makes it durable, so that a commit may refer to it. It belongs to that one
    /// change: if the change is refused, the body may be gone.
    fn finish(self: Box<Self>) -> Pending<'static, Body>;

    /// Ends the body without making it durable: it may be read through its readers and [`Body`]
    /// while the process lives, and is deleted when `keep` is dropped. For request bodies whose
    /// exchange may never become a job.
    fn seal(self: Box<Self>) -> Pending<'static, Sealed>;
}

/// A body that is whole but not yet durable.
pub trait SealedBody: Send + Sync {
    /// How many bytes it has.
    fn len(&self) -> u64;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader from its beginning.
    fn reader(&self) -> Box<dyn BodyReader>;

    /// Makes it durable, so that a commit may refer to it. May be called once; later calls return
    /// the same body.
    fn persist(&self) -> Pending<'_, Body>;
}

/// A body that is whole but not yet durable; deleted when dropped before a commit refers to it.
pub type Sealed = std::sync::Arc<dyn SealedBody>;

/// Reads a body at any offset.
pub trait BodyReader: Send + Sync {
    /// Bytes from `offset` on, as many as are at hand and at most `limit`; empty at the end of
    /// what was appended so far. Frames that do not match their checksum are an error.
    ///
    /// # Errors
    /// `Corrupt` with file and offset; `Unavailable`.
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes>;
}

/// Writing and reading bodies.
pub trait Bodies: Send + Sync + 'static {
    /// A new body. Costs nothing until it outgrows memory.
    fn create(&self) -> Box<dyn BodyWriter>;

    /// A reader of a stored body.
    ///
    /// # Errors
    /// `Corrupt` if its file is missing or has another length.
    fn open(&self, body: &Body) -> Pending<'_, Box<dyn BodyReader>>;
}
