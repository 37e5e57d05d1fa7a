//! Opening a data directory: lock, format, books, threads.

use std::collections::HashMap;
use std::ffi::c_int;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::Status;
use raincheck_core::limits::KEYS;
use raincheck_store::leases::Leases;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::Options;
use crate::body::registry::Registry;
use crate::body::sweep;
use crate::checkpoint::{self, Checkpoints};
use crate::error::OpenError;
use crate::fault::Fault;
use crate::files::{self, Layout};
use crate::inbox::Inbox;
use crate::keyring::Keyring;
use crate::lack::Lack;
use crate::ledger::{Books, Ledger};
use crate::lock::Lock;
use crate::reader::Readers;
use crate::recent::Recent;
use crate::reserve::{self, Reserve};
use crate::shared::Shared;
use crate::threads::Threads;
use crate::writer::Pen;
use crate::{connection, keys, log, migrate, room, row, scrub, writer};

/// The parts of an open store.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pen: Arc<Pen>,
    pub(crate) readers: Readers,
    pub(crate) threads: Threads,
}

/// Opens the data directory `root`, creating it if it is missing.
pub(crate) fn open(root: &Path, options: &Options) -> Result<Opened, OpenError> {
    let layout = Layout::new(root);
    files::create_dir(root).map_err(|error| OpenError::of_io(root, &error))?;
    let lock = Lock::take(root, &layout.lock())?;
    reserve::give_up(&layout.reserve());
    check_log(&layout)?;
    room::check(&layout)?;
    let (index, conn) = database(&layout, options)?;
    let of_engine = |error: rusqlite::Error| OpenError::of_engine(layout.database(), &error);
    let books = books(&conn).map_err(of_engine)?;
    let routes = books.routes.clone();
    let keyring = Keyring::new(keys::all(&conn).map_err(of_engine)?);
    let shared = shared(&layout, books, keyring, options)?;
    let inbox = Arc::new(Inbox::new());
    let mut threads = Threads::new(
        Arc::clone(&shared),
        Arc::clone(&inbox),
        Arc::clone(&index),
        lock,
    );
    let pen = start(&layout, conn, &mut threads, routes)?;
    Ok(Opened {
        shared,
        inbox,
        pen,
        readers: Readers::new(layout.database(), index),
        threads,
    })
}

/// Refuses a log from which the engine would drop acknowledged changes without a word.
fn check_log(layout: &Layout) -> Result<(), OpenError> {
    let path = layout.log();
    match log::check(&path).map_err(|error| OpenError::of_io(&path, &error))? {
        None => Ok(()),
        Some(damage) => Err(OpenError::Damaged {
            path,
            why: format!(
                "the log cannot be read from byte {} on, and acknowledged changes follow",
                damage.at
            ),
        }),
    }
}

/// The writer's connection to a database of the latest format, and the index of its log, which must
/// be dropped after every connection: see `room`.
fn database(layout: &Layout, options: &Options) -> Result<(Arc<File>, Connection), OpenError> {
    let path = layout.database();
    let failed = |error: rusqlite::Error| OpenError::of_engine(&path, &error);
    // The engine would let everybody read what is in it.
    files::private(&path).map_err(|error| OpenError::of_io(&path, &error))?;
    // Declared before the connection, and so dropped after it.
    let index;
    let mut conn = connection::writable(&path).map_err(failed)?;
    let format = migrate::check(&conn, layout.root(), &path)?;
    connection::make_writer(&conn).map_err(failed)?;
    migrate::migrate(&mut conn, format).map_err(failed)?;
    connection::limit(&conn, options.database_bytes_max).map_err(failed)?;
    let of_index = |error: std::io::Error| OpenError::of_io(layout.index(), &error);
    index = files::private(&layout.index()).map_err(of_index)?;
    room::reserve(&index).map_err(of_index)?;
    files::sync_dir(layout.root()).map_err(|error| OpenError::of_io(layout.root(), &error))?;
    Ok((Arc::new(index), conn))
}

fn shared(
    layout: &Layout,
    books: Books,
    keyring: Keyring,
    options: &Options,
) -> Result<Arc<Shared>, OpenError> {
    let bodies = layout.bodies();
    let failed = |error: std::io::Error| OpenError::of_io(&bodies, &error);
    files::create_dir(&bodies).map_err(failed)?;
    let registry = Registry::new(bodies.clone()).map_err(failed)?;
    Ok(Arc::new(Shared {
        fault: Arc::new(Fault::new()),
        lack: Lack::new(options.metrics.clone()),
        ledger: Ledger::new(books),
        recent: Recent::default(),
        keyring,
        keys_max: options.keys_max.unwrap_or(KEYS),
        leases: Leases::default(),
        bodies: registry,
        aside: layout.aside(),
        checkpoints: Arc::new(Checkpoints::default()),
        metrics: options.metrics.clone(),
        closed: AtomicBool::new(false),
    }))
}

/// Counts, routes and orphans, each from an index: no job is loaded.
fn books(conn: &Connection) -> rusqlite::Result<Books> {
    let mut books = Books::default();
    let mut statement = conn.prepare("SELECT number, name FROM routes ORDER BY number")?;
    let routes = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    for route in routes {
        let (number, name) = route?;
        if let Ok(name) = name.parse() {
            books.routes.insert(name, number);
        }
    }
    let mut statement = conn.prepare(
        "SELECT route, status, count(*) FROM jobs INDEXED BY jobs_status GROUP BY route, status",
    )?;
    let counts = statement.query_map((), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
    })?;
    for count in counts {
        let (route, status, count) = count?;
        if let Some(status) = row::job::status_of(status) {
            books.counts.insert((route, status), count.cast_unsigned());
        }
    }
    orphans(conn, &mut books)?;
    Ok(books)
}

fn orphans(conn: &Connection, books: &mut Books) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(
        "SELECT id, token FROM jobs INDEXED BY jobs_status WHERE route = ?1 AND status = ?2",
    )?;
    let processing = row::job::status_number(Status::Processing);
    for number in books.routes.values() {
        let mut rows = statement.query((number, processing))?;
        while let Some(row) = rows.next()? {
            if let Some(id) = JobId::from_bytes(row.get(0)?) {
                let token = row.get::<_, i64>(1)?.cast_unsigned();
                books.orphans.insert(id, FencingToken(token));
            }
        }
    }
    Ok(())
}

fn start(
    layout: &Layout,
    mut conn: Connection,
    threads: &mut Threads,
    routes: HashMap<RouteName, u32>,
) -> Result<Arc<Pen>, OpenError> {
    let (shared, inbox) = threads.parts();
    let (shared, inbox) = (&shared, &inbox);
    let path = layout.database();
    let of_io = |error: std::io::Error| OpenError::of_io(layout.root(), &error);
    let of_engine = |error: rusqlite::Error| OpenError::of_engine(&path, &error);
    let checkpoints = Arc::clone(&shared.checkpoints);
    conn.wal_hook(Some(move |_: &mut Wal, pages: c_int| {
        checkpoints.logged(u64::try_from(pages).unwrap_or(0));
        Ok(())
    }))
    .map_err(of_engine)?;
    let mover = connection::checkpointer(&path).map_err(of_engine)?;
    let looker = connection::reader(&path).map_err(of_engine)?;
    let scrubber = connection::reader(&path).map_err(of_engine)?;
    let keep = files::private(&layout.keep_lock()).map_err(of_io)?;
    // Should one of them not start, those before it end with what they share.
    let reserve = Reserve::at(layout.reserve());
    let writer = writer::start(conn, reserve, shared, inbox, routes);
    let (thread, pen) = writer.map_err(of_io)?;
    threads.writer = Some(thread);
    let checkpoints = checkpoint::start(mover, &shared.checkpoints, &shared.fault);
    threads.checkpoint = Some(checkpoints.map_err(of_io)?);
    threads.sweep = Some(sweep::start(shared, looker, keep).map_err(of_io)?);
    threads.scrub = Some(scrub::start(shared, scrubber).map_err(of_io)?);
    Ok(pen)
}
