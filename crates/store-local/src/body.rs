//! Request and response bytes: in memory while small, in a file of checksummed frames when not.

pub(crate) mod frame;
mod growing;
mod growth;
mod reader;
pub(crate) mod registry;
pub(crate) mod sweep;
mod tail;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raincheck_store::{self as store, Body, BodyId, BodyReader, BodyWriter};

use crate::error;
use crate::shared::Shared;
use growing::Growing;
use growth::Growth;

/// The file of a body: 256 directories keep each of them small.
pub(crate) fn path_of(bodies: &Path, id: BodyId) -> PathBuf {
    bodies.join(dir_name(id)).join(format!("{id}.body"))
}

fn dir_name(id: BodyId) -> String {
    format!("{:02x}", id.0 & 0xff)
}

/// The body whose file has this name.
pub(crate) fn id_of(file_name: &str) -> Option<BodyId> {
    let id = file_name.strip_suffix(".body")?;
    if id.len() != 32 {
        return None;
    }
    u128::from_str_radix(id, 16).ok().map(BodyId)
}

/// A new body.
pub(crate) fn create(shared: &Arc<Shared>) -> Box<dyn BodyWriter> {
    Box::new(Growing::new(Growth::new(shared)))
}

/// A reader of a stored body.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    body: &Body,
) -> Result<Box<dyn BodyReader>, store::Error> {
    shared.check_open()?;
    let (id, len) = match body {
        Body::Inline(bytes) => return Ok(Box::new(reader::Inline(bytes.clone()))),
        Body::File { id, len } => (*id, *len),
    };
    if shared.bodies.is_doomed(id) {
        return Err(store::Error::Corrupt(format!("body {id} was deleted")));
    }
    let path = path_of(shared.bodies.root(), id);
    let opened = blocking(move || open_file(&path, id, len)).await?;
    Ok(Box::new(reader::Stored::new(opened, id, len)))
}

/// Opens a body's file if it is there and as long as it must be.
pub(crate) fn open_file(path: &Path, id: BodyId, len: u64) -> Result<File, store::Error> {
    let corrupt = |why: String| store::Error::Corrupt(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => corrupt("it is missing".to_owned()),
        _ => error::of_file(&path.display().to_string(), &error),
    })?;
    let found = file
        .metadata()
        .map_err(|error| error::of_file(&path.display().to_string(), &error))?
        .len();
    let expected = frame::file_len(len);
    if found != expected {
        return Err(corrupt(format!(
            "it has {found} bytes instead of {expected}"
        )));
    }
    frame::check_header(&file, id).map_err(|damage| corrupt(damage.to_string()))?;
    Ok(file)
}

/// Runs file I/O off the threads that serve connections.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, store::Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(store::Error::Unavailable(error.to_string())))
}
