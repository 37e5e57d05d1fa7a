//! What a follower reads: one run's recording of one job, and where in it to go on.
//!
//! A client that lost its connection names what it has: an offset with the validator of the run, or
//! the last event's id. What does not name a place in this very recording begins anew: bytes of two
//! runs are never mixed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ETAG;
use raincheck_core::head::ResponseHead;
use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::{BodyReader, Error};

use crate::events::{EventId, FIRST, Scanner};
use crate::record::State;
use crate::{End, Recording};

/// One run of a job, recorded or being recorded.
#[derive(Clone)]
pub struct Source {
    /// The job.
    pub job: JobId,
    /// Its run: each start of a job has a token of its own, also where attempts are not counted.
    pub run: FencingToken,
    /// What the upstream answered.
    pub recording: Arc<Recording>,
}

/// Where a reader of events goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From this byte on, where an event begins.
    From(u64),
    /// Nowhere: the stream has ended, and the reader has seen its last event.
    Over,
}

impl Source {
    /// The strong validator of this run's bytes: the upstream's own, or one of ours.
    pub fn validator(&self, head: &ResponseHead) -> String {
        validator(self.job, self.run, head)
    }

    /// How far the recording has come.
    pub fn state(&self) -> State {
        self.recording.watch().borrow().clone()
    }

    /// Where a reader goes on whose last event had this id: after that event, or from the beginning
    /// if it is none of this run's.
    ///
    /// # Errors
    /// The recorded bytes cannot be read.
    pub async fn place(&self, last: &[u8]) -> Result<Place, Error> {
        let state = self.state();
        let found = match EventId::parse(last) {
            Some(id) if id.job == self.job && id.run == self.run => {
                self.boundary(id.offset, state.len).await?
            }
            Some(_) => None,
            None if self.run == FIRST => self.find(last, state.len).await?,
            None => None,
        };
        let Some(offset) = found else {
            return Ok(Place::From(0));
        };
        let over = state.end == Some(End::Complete)
            && self.scan(offset, state.len, |_| true).await?.is_none();
        Ok(if over {
            Place::Over
        } else {
            Place::From(offset)
        })
    }

    /// `offset` if an event ends there.
    async fn boundary(&self, offset: u64, len: u64) -> Result<Option<u64>, Error> {
        if offset > len {
            return Ok(None);
        }
        let from = offset.saturating_sub(4);
        let mut before = Vec::new();
        while from + (before.len() as u64) < offset {
            let left = usize::try_from(offset - from).unwrap_or(4) - before.len();
            let at = from + before.len() as u64;
            let bytes = self.recording.reader().read(at, left).await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            before.extend_from_slice(&bytes);
        }
        Ok(ends_blank(&before).then_some(offset))
    }

    /// Where the first event with this id of its own ends.
    async fn find(&self, id: &[u8], len: u64) -> Result<Option<u64>, Error> {
        self.scan(0, len, |own| own == Some(id)).await
    }

    /// Where the first event from `offset` on ends whose own id is as wanted.
    async fn scan(
        &self,
        mut offset: u64,
        len: u64,
        wanted: impl Fn(Option<&[u8]>) -> bool,
    ) -> Result<Option<u64>, Error> {
        let mut scanner = Scanner::new(offset);
        while offset < len {
            let bytes = read(&**self.recording.reader(), offset, len).await?;
            let mut from = 0;
            while let Some((taken, event)) = scanner.next(&bytes[from..]) {
                from += taken;
                if wanted(event.id.as_deref()) {
                    return Ok(Some(offset + from as u64));
                }
            }
            offset += bytes.len() as u64;
        }
        Ok(None)
    }
}

/// The strong validator of a run's bytes: the upstream's own, or one that names them for ever.
pub fn validator(job: JobId, run: FencingToken, head: &ResponseHead) -> String {
    let own = head.headers.get(ETAG).and_then(|value| value.to_str().ok());
    own.map_or_else(|| format!("\"{job}-{}\"", run.0), str::to_owned)
}

async fn read(reader: &dyn BodyReader, offset: u64, len: u64) -> Result<Bytes, Error> {
    let limit = usize::try_from(len - offset).unwrap_or(usize::MAX);
    let bytes = reader.read(offset, limit.min(SEGMENT_FRAME_BYTES)).await?;
    if bytes.is_empty() {
        let text = format!("a recording of {len} bytes cannot be read beyond byte {offset}");
        return Err(Error::Corrupt(text));
    }
    // Such readers share their time with those who only pass bytes on.
    tokio::task::yield_now().await;
    Ok(bytes)
}

/// Whether these bytes end with a blank line, or with the first half of its end.
fn ends_blank(bytes: &[u8]) -> bool {
    let without = bytes
        .strip_suffix(b"\r\n")
        .or_else(|| bytes.strip_suffix(b"\n"))
        .or_else(|| bytes.strip_suffix(b"\r"));
    without.is_some_and(|rest| matches!(rest.last(), Some(b'\r' | b'\n')))
}
