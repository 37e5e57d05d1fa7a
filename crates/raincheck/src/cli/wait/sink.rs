//! Where a result goes: stdout, or a file that appears only when it is whole.

use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, Stdout};

use crate::exit::{Code, Failure};
use crate::output::Closed;

/// Where a result goes.
#[derive(Debug)]
pub enum Sink {
    /// To stdout.
    Stdout(Stdout),
    /// To a file.
    File {
        /// The file that is being written.
        file: File,
        /// Its path while it is not whole; none: it is written in place, as a device or a pipe is.
        part: Option<PathBuf>,
        /// Its path.
        path: PathBuf,
    },
}

impl Sink {
    /// A sink for stdout, or for a file.
    pub async fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(tokio::io::stdout()));
        };
        let special = fs::metadata(path).await.is_ok_and(|about| !about.is_file());
        let part = (!special).then(|| {
            let mut name = path.file_name().unwrap_or_default().to_os_string();
            name.push(".part");
            path.with_file_name(name)
        });
        let target = part.as_deref().unwrap_or(path);
        let mut options = fs::OpenOptions::new();
        let opened = options
            .write(true)
            .create(true)
            .truncate(part.is_some())
            .open(target)
            .await;
        let file = opened.map_err(|error| {
            Failure::new(
                Code::Usage,
                format!("cannot write {}: {error}", target.display()),
            )
        })?;
        Ok(Self::File {
            file,
            part,
            path: path.to_owned(),
        })
    }

    /// Whether a person sees the bytes on the same terminal as our talk.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout(_)) && std::io::stdout().is_terminal()
    }

    /// Writes all of it.
    pub async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout(stdout) => of_stdout(stdout.write_all(bytes).await),
            Self::File { file, path, .. } => file
                .write_all(bytes)
                .await
                .with_context(|| cannot_write(path)),
        }
    }

    /// The result is whole.
    pub async fn commit(mut self) -> anyhow::Result<()> {
        match &mut self {
            Self::Stdout(stdout) => of_stdout(stdout.flush().await),
            Self::File { file, part, path } => {
                file.flush().await.with_context(|| cannot_write(path))?;
                if let Some(whole) = part.as_deref() {
                    fs::rename(whole, &*path)
                        .await
                        .with_context(|| cannot_write(path))?;
                }
                *part = None;
                Ok(())
            }
        }
    }
}

impl Drop for Sink {
    // A part of a result must not be taken for one.
    fn drop(&mut self) {
        if let Self::File {
            part: Some(part), ..
        } = self
        {
            _ = std::fs::remove_file(part);
        }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn of_stdout(written: std::io::Result<()>) -> anyhow::Result<()> {
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::new(error).context("cannot write to stdout"),
    })
}
