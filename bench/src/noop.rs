//! The backend that does nothing, in a process of its own so that its CPU time is accounted apart.
//!
//! It answers 1 KiB to anything; parts of the path ask for more: `big/N` answers N bytes, `wait/MS`
//! answers after MS milliseconds, and `hang` never answers.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::process::Process;
use crate::wire::Wire;

const BODY: usize = 1024;

/// The backend as seen by the bench: its process and its address.
#[derive(Debug)]
pub struct Noop {
    /// Where it listens.
    pub address: SocketAddr,
    /// Stops with this value.
    _process: Process,
}

impl Noop {
    /// Starts this very program as a backend.
    pub async fn start() -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Process::start("backend", &program, &["noop-backend".into()], &[], None)?;
        let line = process.first_line(Duration::from_secs(10)).await?;
        let address = line.trim().parse().context("the address of the backend")?;
        Ok(Self {
            address,
            _process: process,
        })
    }

    /// How many requests it has answered.
    pub async fn count(&self) -> Result<u64> {
        let mut client = crate::load::Client::new(self.address);
        client
            .call(b"GET /_count HTTP/1.1\r\nhost: bench\r\n\r\n", true)
            .await?;
        Ok(std::str::from_utf8(client.body())?.trim().parse()?)
    }
}

/// Serves until standard input ends, that is until its parent is gone.
pub async fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let local = LocalSet::new();
    local.spawn_local(async move {
        let count = Rc::new(Cell::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(connection(stream, count.clone()));
        }
    });
    let mut rest = Vec::new();
    local
        .run_until(async { tokio::io::stdin().read_to_end(&mut rest).await })
        .await?;
    Ok(())
}

async fn connection(stream: TcpStream, count: Rc<Cell<u64>>) {
    // A connection that breaks is the business of the one who broke it.
    let _ = answer(stream, count).await;
}

async fn answer(stream: TcpStream, count: Rc<Cell<u64>>) -> Result<()> {
    let mut wire = Wire::new(stream)?;
    let plain = [&head(BODY as u64)[..], &[b'x'; BODY]].concat();
    while wire.read_head().await? {
        let (special, wait) = special(wire.head())?;
        if wire.header("expect").is_some() {
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let framing = wire.framing()?;
        wire.read_body(framing, None).await?;
        if let Some(time) = wait {
            tokio::time::sleep(time).await;
        }
        match special {
            Special::Count => {
                let text = count.get().to_string();
                wire.send(&[&head(text.len() as u64)[..], text.as_bytes()].concat())
                    .await?;
                continue;
            }
            Special::Hang => std::future::pending::<()>().await,
            Special::Big(size) => send_big(&mut wire, size).await?,
            Special::Nothing => wire.send(&plain).await?,
        }
        count.set(count.get() + 1);
    }
    Ok(())
}

fn head(length: u64) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

enum Special {
    Nothing,
    Count,
    Hang,
    Big(u64),
}

fn special(head: &[u8]) -> Result<(Special, Option<Duration>)> {
    let mut parts = head.split(|byte| *byte == b' ');
    let Some(target) = parts.nth(1) else {
        bail!("a request line without a target")
    };
    let target = std::str::from_utf8(target)?;
    let number = |name: &str| {
        let (_, rest) = target.split_once(name)?;
        rest.split(['/', '?']).next()?.parse::<u64>().ok()
    };
    let special = match number("/big/") {
        Some(size) => Special::Big(size),
        None if target.ends_with("/_count") => Special::Count,
        None if target.ends_with("/hang") => Special::Hang,
        None => Special::Nothing,
    };
    Ok((special, number("/wait/").map(Duration::from_millis)))
}

async fn send_big(wire: &mut Wire, size: u64) -> Result<()> {
    let block = vec![b'x'; 256 * 1024];
    wire.send(&head(size)).await?;
    let mut left = size;
    while left > 0 {
        let step = left.min(block.len() as u64);
        wire.send(&block[..step as usize]).await?;
        left -= step;
    }
    Ok(())
}
