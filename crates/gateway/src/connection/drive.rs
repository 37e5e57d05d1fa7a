//! Polls one connection to its end, while it is told to finish or to stop and while its client
//! keeps to the times it owes us.
//!
//! Nothing here is done per request. The watchdog looks at the connection's pulse at a coarse
//! beat, and counts time only in phases in which the client owes us something: a request waits for
//! its answer as long as that takes.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::pulse::{Phase, Pulse};
use crate::drain::{Switch, Wish};
use crate::server::ServerOptions;

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself: closed by the client, or as HTTP says.
    Done,
    /// Told to finish between two requests.
    Released,
    /// With an error of the protocol, the socket or the handler.
    Failed(hyper::Error),
    /// The client owed us something for too long.
    TimedOut(Phase),
    /// The server stops.
    Cut,
}

/// How a connection is told to finish.
pub(crate) type Finish<C> = fn(Pin<&mut C>);

/// When a connection that is to finish is told so.
pub(crate) enum Leave<'a> {
    /// At once: HTTP/2 has words for it that surprise no client.
    AtOnce,
    /// Between two requests, after waiting so long for another: until then every answer says that
    /// it is the last one. An answer whose head has left without saying so must not end the
    /// connection, as its client may have sent the next request already.
    Between(&'a (dyn Fn() -> Duration + Sync)),
}

/// Polls a connection to its end. Not cancel safe: dropping it leaves the connection where it was.
pub(crate) async fn drive<C>(
    mut conn: Pin<&mut C>,
    (finish, leave): (Finish<C>, Leave<'_>),
    pulse: &Pulse,
    switch: &Switch,
    options: &ServerOptions,
) -> End
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut watchdog = Watchdog::new(options);
    let mut beat = pin!(tokio::time::sleep(watchdog.beat));
    let mut changed = pin!(switch.changed());
    let mut known = Wish::Serve;
    let mut leaving: Option<Leaving> = None;
    let mut released = false;
    let mut waker = None;
    let patience = options.linger_timeout;
    poll_fn(|cx| {
        if must_look(&mut waker, pulse, &mut beat, cx) {
            let _ = beat.as_mut().poll(cx);
            let _ = changed.as_mut().poll(cx);
            if let Some(phase) = watchdog.look(pulse, beat.as_mut(), cx) {
                return Poll::Ready(End::TimedOut(phase));
            }
        }
        while let wish = switch.wish()
            && wish > known
        {
            if wish == Wish::Cut {
                return Poll::Ready(End::Cut);
            }
            known = wish;
            changed.set(switch.changed());
            let _ = changed.as_mut().poll(cx);
            leaving = Some(Leaving::new(&leave, pulse));
        }
        loop {
            if leaving
                .as_mut()
                .is_some_and(|leaving| leaving.is_time(pulse, cx))
            {
                leaving = None;
                released = pulse.is_between();
                finish(conn.as_mut());
            }
            match conn.as_mut().poll(cx) {
                Poll::Ready(Ok(())) if released => return Poll::Ready(End::Released),
                Poll::Ready(Ok(())) => return Poll::Ready(End::Done),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                // What was waited for may have come to its end just now.
                Poll::Pending
                    if leaving
                        .as_mut()
                        .is_some_and(|leaving| leaving.is_time(pulse, cx)) => {}
                // hyper goes on to the next request, or closes what it cannot go on with.
                Poll::Pending if pulse.rest().poll(patience, cx).is_ready() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// A connection that is to finish and has not been told.
enum Leaving {
    AtOnce,
    Between(Pin<Box<Sleep>>),
}

impl Leaving {
    fn new(leave: &Leave<'_>, pulse: &Pulse) -> Self {
        let Leave::Between(wait) = leave else {
            return Self::AtOnce;
        };
        let wait = wait();
        pulse.part();
        if wait.is_zero() {
            pulse.pass();
        }
        Self::Between(Box::pin(tokio::time::sleep(wait)))
    }

    /// Whether it is to be told now.
    fn is_time(&mut self, pulse: &Pulse, cx: &mut Context<'_>) -> bool {
        match self {
            Self::AtOnce => true,
            Self::Between(timer) => pulse.is_between() && timer.as_mut().poll(cx).is_ready(),
        }
    }
}

/// Whether the timer and the switch have to be polled: once for each waker, and when the timer
/// fired. A task keeps its waker, so a request does not pay for either.
fn must_look(
    known: &mut Option<Waker>,
    pulse: &Pulse,
    beat: &mut Pin<&mut Sleep>,
    cx: &Context<'_>,
) -> bool {
    if known
        .as_ref()
        .is_some_and(|known| known.will_wake(cx.waker()))
    {
        return beat.is_elapsed();
    }
    *known = Some(cx.waker().clone());
    pulse.rest().wakes(cx.waker());
    true
}

/// Notices phases that last too long.
struct Watchdog {
    options: ServerOptions,
    beat: Duration,
    phase: Phase,
    since: Instant,
}

impl Watchdog {
    fn new(options: &ServerOptions) -> Self {
        let shortest = options
            .head_timeout
            .min(options.keep_alive_timeout)
            .min(options.write_idle_timeout);
        Self {
            options: options.clone(),
            beat: (shortest / 4).max(Duration::from_millis(5)),
            phase: Phase::Head(0),
            since: Instant::now(),
        }
    }

    /// The phase that has lasted too long, if one has.
    fn look(
        &mut self,
        pulse: &Pulse,
        mut beat: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Option<Phase> {
        let phase = pulse.phase();
        let now = Instant::now();
        if phase != self.phase {
            self.phase = phase;
            self.since = now;
        }
        let passed = now.saturating_duration_since(self.since);
        let left = self
            .allowed(phase)
            .map(|allowed| allowed.saturating_sub(passed));
        if left == Some(Duration::ZERO) {
            return Some(phase);
        }
        if beat.is_elapsed() {
            let wait = left.unwrap_or(self.beat).min(self.beat);
            beat.as_mut().reset(now + wait);
            let _ = beat.poll(cx);
        }
        None
    }

    /// How long a phase may last.
    fn allowed(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Working => None,
            Phase::Writing(_) => Some(self.options.write_idle_timeout),
            Phase::Head(_) => Some(self.options.head_timeout),
            Phase::Idle(_) => Some(self.options.keep_alive_timeout),
        }
    }
}
