//! The statements that changes are written with, held from the first that needs one to the end of
//! its transaction: to look each up among the prepared ones, to put it back and to clear it, once for
//! each change, cost a tenth of what the engine does with it.

use rusqlite::{CachedStatement, Connection};

/// What the guards look at, and what a change leads to.
const LOOK: &str =
    "SELECT revision, token, route, status, request, response, key FROM jobs WHERE id = ?1";
const ADD_JOB: &str = "INSERT INTO jobs
    (id, route, status, due_at, over_at, revision, token, record, response, request, tell_at,
        receiver, key)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT (id) DO NOTHING";
const UPDATE_JOB: &str = "UPDATE jobs SET route = ?2, status = ?3, due_at = ?4, over_at = ?5,
    revision = ?6, token = ?7, record = ?8, response = ?9, request = ?10, tell_at = ?11,
    receiver = ?12
    WHERE id = ?1";
const DELETE_JOB: &str = "DELETE FROM jobs WHERE id = ?1";
const ADD_REQUEST: &str = "INSERT INTO requests (id, body, record) VALUES (?1, ?2, ?3)";
const REMOVE_REQUEST: &str = "DELETE FROM requests WHERE number = ?1 RETURNING body";
const ADD_RESPONSE: &str = "INSERT INTO responses (id, body, record) VALUES (?1, ?2, ?3)";
const REMOVE_RESPONSE: &str = "DELETE FROM responses WHERE number = ?1 RETURNING body";

/// All of them; each name is a place in [`Statements`].
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    Look,
    AddJob,
    UpdateJob,
    DeleteJob,
    AddRequest,
    RemoveRequest,
    AddResponse,
    RemoveResponse,
}

impl To {
    const COUNT: usize = 8;

    fn sql(self) -> &'static str {
        match self {
            Self::Look => LOOK,
            Self::AddJob => ADD_JOB,
            Self::UpdateJob => UPDATE_JOB,
            Self::DeleteJob => DELETE_JOB,
            Self::AddRequest => ADD_REQUEST,
            Self::RemoveRequest => REMOVE_REQUEST,
            Self::AddResponse => ADD_RESPONSE,
            Self::RemoveResponse => REMOVE_RESPONSE,
        }
    }
}

/// The statements of one transaction. To be dropped before it is committed.
pub(super) struct Statements<'a> {
    pub(super) conn: &'a Connection,
    held: [Option<CachedStatement<'a>>; To::COUNT],
}

impl<'a> Statements<'a> {
    pub(super) fn new(conn: &'a Connection) -> Self {
        Self {
            conn,
            held: Default::default(),
        }
    }

    /// A statement, which still has the values that were bound to it last: bind all of them.
    pub(super) fn get(&mut self, to: To) -> rusqlite::Result<&mut CachedStatement<'a>> {
        let place = &mut self.held[to as usize];
        let statement = match place.take() {
            Some(statement) => statement,
            None => self.conn.prepare_cached(to.sql())?,
        };
        Ok(place.insert(statement))
    }
}
