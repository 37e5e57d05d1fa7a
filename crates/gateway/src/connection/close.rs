//! How an HTTP/1 connection closes: with the reason where there is one, in a way that the client
//! gets to read it, and never so that an answer that was cut looks whole.

use raincheck_core::problem::ProblemCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::drive::End;
use super::pulse::Phase;
use super::socket::{Socket, Wire};
use crate::guard::Guard;
use crate::guard::refusal::Refusal;
use crate::refusals;
use crate::server::{Peer, Shared};

const SLOW_HEAD: Refusal = Refusal::new(
    ProblemCode::RequestTimeout,
    "the request head did not come to its end in time",
);

/// Bytes that are read and dropped at a time.
const DROPPED_BYTES: usize = 4 * 1024;

/// Closes a connection that hyper is done with. `unread` says whether hyper had bytes left; `told`
/// is told what the client is told, if that is something no handler knows of.
pub(super) async fn close<S: Wire>(
    mut guard: Guard<Socket<S>>,
    end: &End,
    unread: bool,
    peer: &Peer,
    shared: &Shared,
    told: impl FnOnce(ProblemCode),
) {
    if let Some(refusal) = guard.refusal() {
        refusals::say(peer, refusal.code, refusal.reason);
    }
    if must_look_broken(&guard, end) {
        guard.get_mut().abort();
        return;
    }
    let parting = parting(&guard, end);
    if let Some(refusal) = &parting {
        if guard.refusal().is_none() {
            refusals::say(peer, refusal.code, refusal.reason);
        }
        told(refusal.code);
    }
    let seen = guard.inspector();
    let parting = parting.map(|refusal| refusal.answer(seen.is_head()));
    let sending = seen.is_mid_head() || seen.is_mid_body();
    if parting.is_none() && guard.refusal().is_none() && !sending && !unread {
        let socket = guard.get_mut();
        if socket.says_goodbye() {
            let goodbye = socket.shutdown();
            let _ = tokio::time::timeout(shared.options.linger_timeout, goodbye).await;
        }
        return;
    }
    // A socket that is closed with unread bytes resets the connection, and the client may lose what
    // we said last.
    let socket = guard.get_mut();
    // Boxed: it is rare, and would make every open connection larger by its buffer.
    let farewell = Box::pin(async {
        if let Some(bytes) = parting {
            socket.write_all(&bytes).await?;
        }
        socket.shutdown().await?;
        let mut dropped = [0; DROPPED_BYTES];
        while socket.read(&mut dropped).await? > 0 {}
        std::io::Result::Ok(())
    });
    // Whatever comes of it, the connection is closed after it.
    let _ = tokio::time::timeout(shared.options.linger_timeout, farewell).await;
}

/// Whether an ordinary close could pass for the end of an answer, or would have the kernel go on
/// trying to send to a client that takes nothing.
fn must_look_broken<S: Wire>(guard: &Guard<Socket<S>>, end: &End) -> bool {
    match end {
        End::Done | End::Released => false,
        End::Failed(error) => error.is_user() && guard.inspector().is_http10(),
        End::TimedOut(phase) => matches!(phase, Phase::Writing(_)),
        End::Cut => true,
    }
}

/// What is left to say to a client that no handler has answered.
fn parting<S: Wire>(guard: &Guard<Socket<S>>, end: &End) -> Option<Refusal> {
    match end {
        End::Done | End::Released => guard.refusal().filter(|refusal| !refusal.in_body),
        // hyper saw the end of the stream within the head that was refused.
        End::Failed(error) if error.is_incomplete_message() => {
            guard.refusal().filter(|refusal| !refusal.in_body)
        }
        End::TimedOut(Phase::Head(_)) if guard.inspector().is_mid_head() => Some(SLOW_HEAD),
        End::Failed(_) | End::TimedOut(_) | End::Cut => None,
    }
}
