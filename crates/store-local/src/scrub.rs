//! A slow look at all that is stored, once after opening: what is damaged is told before anybody
//! asks for it.
//!
//! It changes nothing: a damaged job fails when it is next looked at. First every record, and the
//! length and the header of every body file; then every frame of every body. It reads no more than
//! [`SCRUB_BYTES_PER_SECOND`], and in short transactions, so that the log can start over meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use raincheck_core::id::JobId;
use raincheck_core::limits::SCRUB_BYTES_PER_SECOND;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::body::frame;
use crate::body::{open_file, path_of, sweep};
use crate::shared::Shared;
use crate::verify::{self, Batch, Referred, Table};

/// Findings that are told one by one; further ones are counted.
const TOLD_MAX: u64 = 100;
/// Bytes of a body that are read between two looks at whether the store is being closed.
const PIECE: u64 = 1 << 20;

/// Why a look ended early: the store is being closed.
struct Closed;

/// The thread's own things.
struct Scrubber {
    shared: Arc<Shared>,
    conn: Connection,
    /// Things that are damaged.
    found: u64,
    /// Things that were looked at.
    seen: u64,
}

/// Starts the thread.
pub(crate) fn start(shared: &Arc<Shared>, conn: Connection) -> std::io::Result<JoinHandle<()>> {
    let mut scrubber = Scrubber {
        shared: Arc::clone(shared),
        conn,
        found: 0,
        seen: 0,
    };
    std::thread::Builder::new()
        .name("store-scrub".to_owned())
        .spawn(move || {
            if scrubber.run().is_ok() {
                scrubber.tell_end();
            }
        })
}

impl Scrubber {
    fn run(&mut self) -> Result<(), Closed> {
        for table in &verify::TABLES {
            self.records(table)?;
        }
        for table in &verify::TABLES {
            self.frames(table)?;
        }
        Ok(())
    }

    fn tell_end(&self) {
        let (seen, found) = (self.seen, self.found);
        match found {
            0 => tracing::debug!(seen, "all that is stored was looked at, and is whole"),
            _ => tracing::error!(
                seen,
                found,
                "all that is stored was looked at, and some is damaged; `raincheck verify` lists it"
            ),
        }
    }

    /// Every record of a table, and of the bodies they refer to what can be seen without reading
    /// them.
    fn records(&mut self, table: &Table) -> Result<(), Closed> {
        self.batches(table, |own, batch| {
            for (job, problem) in &batch.damaged {
                own.tell(*job, table.name, None, problem);
            }
            for body in &batch.bodies {
                let path = path_of(own.shared.bodies.root(), body.id);
                if let Err(error) = open_file(&path, body.id, body.len) {
                    own.tell_of_body(body, &path, None, &error.to_string());
                }
                own.seen += 1;
            }
            own.seen += batch.rows;
            own.pause(batch.bytes)
        })
    }

    /// Every frame of the bodies to which a table refers.
    fn frames(&mut self, table: &Table) -> Result<(), Closed> {
        if table.body.is_none() {
            return Ok(());
        }
        self.batches(table, |own, batch| {
            for body in &batch.bodies {
                own.body(body)?;
            }
            own.pause(batch.bytes)
        })
    }

    /// The rows of a table, some at a time and each batch in a transaction of its own.
    fn batches(
        &mut self,
        table: &Table,
        mut look: impl FnMut(&mut Self, Batch) -> Result<(), Closed>,
    ) -> Result<(), Closed> {
        // Before all that a key can be.
        let mut from = Value::Integer(i64::MIN);
        loop {
            match verify::batch(&self.conn, table, &from) {
                Ok(batch) => {
                    let next = batch.next.clone();
                    look(self, batch)?;
                    let Some(next) = next else {
                        return Ok(());
                    };
                    from = next;
                }
                Err(error) => {
                    // What is behind it cannot be reached in this order; other tables can.
                    self.tell(None, table.name, None, &error.to_string());
                    return self.pause(0);
                }
            }
        }
    }

    fn body(&mut self, body: &Referred) -> Result<(), Closed> {
        let path = path_of(self.shared.bodies.root(), body.id);
        // What is wrong with the file as a whole was told before.
        let Ok(file) = open_file(&path, body.id, body.len) else {
            return Ok(());
        };
        let mut since = 0;
        for index in 0..body.len.div_ceil(frame::PAYLOAD) {
            let len = frame::payload_len(index, body.len);
            if let Err(damage) = frame::read(&file, body.id, index, len) {
                self.tell_of_body(body, &path, damage.at(), &damage.to_string());
                return Ok(());
            }
            since += len as u64;
            if since >= PIECE {
                self.pause(since)?;
                since = 0;
            }
        }
        self.pause(since)
    }

    /// Waits as long as so many bytes may take.
    fn pause(&self, bytes: u64) -> Result<(), Closed> {
        let nanos = bytes.saturating_mul(1_000_000_000) / SCRUB_BYTES_PER_SECOND;
        match self
            .shared
            .bodies
            .closes_within(Duration::from_nanos(nanos))
        {
            true => Err(Closed),
            false => Ok(()),
        }
    }

    /// A body is damaged, unless nothing refers to it any more: then it was being deleted.
    fn tell_of_body(&mut self, body: &Referred, path: &Path, at: Option<u64>, problem: &str) {
        if matches!(sweep::is_referred(&self.conn, body.id), Ok(false)) {
            return;
        }
        let file = path.display().to_string();
        self.tell(Some(body.job), &file, at, problem);
    }

    fn tell(&mut self, job: Option<JobId>, place: &str, at: Option<u64>, problem: &str) {
        self.found += 1;
        self.shared.metrics.damaged(self.found);
        if self.found > TOLD_MAX {
            return;
        }
        let job = job.map(tracing::field::display);
        tracing::error!(job, place, at, problem, "what is stored is damaged");
    }
}
