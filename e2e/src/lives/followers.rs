//! Clients that follow answers while they are written, let go, and go on where they were, also in
//! another life of the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Seeing;
use crate::dice::Dice;
use crate::history::Followed;
use crate::raw::{Client, Response};
use crate::wire::Piece;

/// What a follower has of an answer, and by which name it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    tag: String,
    bytes: Vec<u8>,
}

/// Follows some of the promised jobs, in parts, until the server is gone.
pub(super) async fn follow(seen: Arc<Seeing>, addr: SocketAddr, mut dice: Dice) {
    let mut turn = tokio::time::interval(Duration::from_millis(2));
    loop {
        turn.tick().await;
        let Some(job) = choose(&seen, &mut dice) else {
            if TcpStream::connect(addr).await.is_err() {
                return;
            }
            continue;
        };
        // Up to so many bytes, and then the rest.
        for limit in [dice.one(&[1, 50, 5000, 60_000]), u64::MAX] {
            let part = seen.parts().get(&job).cloned().unwrap_or_default();
            if read(&seen, addr, &job, part, limit).await.is_none() {
                return;
            }
        }
    }
}

/// What is there in part, or any.
fn choose(seen: &Seeing, dice: &mut Dice) -> Option<String> {
    let part = seen.parts().keys().next().cloned();
    if part.is_some() && dice.coin() {
        return part;
    }
    let history = seen.history();
    let count = history.promises.len() as u64;
    let at = dice.of(0..count.max(1));
    history.promises.keys().nth(at as usize).cloned()
}

/// Reads to the end what is there in part; the last life.
pub(super) async fn go_on(seen: &Seeing, addr: SocketAddr) {
    let parts = seen.parts().clone();
    for (job, part) in parts {
        read(seen, addr, &job, part, u64::MAX).await;
    }
}

/// Reads on, up to so many bytes more; none: the server is gone.
async fn read(seen: &Seeing, addr: SocketAddr, job: &str, part: Part, limit: u64) -> Option<()> {
    let mut client = Client::over(TcpStream::connect(addr).await.ok()?);
    let mut request = format!("GET /jobs/{job}/result?follow HTTP/1.1\r\nhost: x\r\n");
    if !part.bytes.is_empty() {
        let range = format!(
            "range: bytes={}-\r\nif-range: {}\r\n",
            part.bytes.len(),
            part.tag
        );
        request.push_str(&range);
    }
    client.try_send(request + "\r\n").await.ok()?;
    let mut response = client.try_start("GET").await.ok()?;
    let goes_on = response.status == 206;
    let is_answer = response.header("raincheck-error").is_none();
    if !(goes_on || response.status == 200 && is_answer) {
        // None yet, or never; or all of it was read before.
        seen.parts().remove(job);
        return Some(());
    }
    while response.body.len() < limit {
        if let Piece::End(_) = client.piece(&mut response).await {
            break;
        }
    }
    seen.resumed.fetch_add(u64::from(goes_on), Ordering::SeqCst);
    record(
        seen,
        job,
        if goes_on { part } else { Part::default() },
        &response,
    );
    Some(())
}

fn record(seen: &Seeing, job: &str, mut part: Part, response: &Response) {
    part.tag = response.header("etag").unwrap_or_default();
    part.bytes.extend_from_slice(&response.body.bytes);
    let whole = response.is_whole();
    let followed = Followed {
        bytes: part.bytes.clone(),
        whole,
    };
    seen.history().followed.push((job.to_owned(), followed));
    match whole || part.tag.is_empty() {
        true => seen.parts().remove(job),
        false => seen.parts().insert(job.to_owned(), part),
    };
}
