//! A machine on the network: it may die, and it may stand still for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::lane::Line;

/// A machine. Clones are the same.
#[derive(Clone, Default)]
pub struct Host(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    dead: bool,
    frozen: bool,
    waiting: Vec<Waker>,
    mourners: Vec<Waker>,
    lines: Vec<std::sync::Weak<Line>>,
}

impl Host {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing on it goes on, now or ever; if so the task is woken when it does again.
    pub(crate) fn stands_still(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        if state.frozen && !state.dead {
            state.waiting.push(cx.waker().clone());
        }
        state.frozen || state.dead
    }

    /// Whether it is neither dead nor frozen.
    pub fn goes_on(&self) -> bool {
        let state = self.state();
        !state.dead && !state.frozen
    }

    /// Whether it is not dead.
    pub fn is_alive(&self) -> bool {
        !self.state().dead
    }

    /// Waits while it stands still: for ever, if it is dead.
    pub async fn going_on(&self) {
        std::future::poll_fn(|cx| match self.stands_still(cx) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    }

    /// Waits until it is dead.
    pub async fn death(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if state.dead {
                return Poll::Ready(());
            }
            state.mourners.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Stops everything on it for ever. Its peers see resets.
    pub fn kill(&self) {
        let (lines, mourners) = {
            let mut state = self.state();
            state.dead = true;
            let mourners = std::mem::take(&mut state.mourners);
            (std::mem::take(&mut state.lines), mourners)
        };
        mourners.into_iter().for_each(Waker::wake);
        for line in lines {
            if let Some(line) = line.upgrade() {
                line.cut(self);
            }
        }
    }

    /// Stops everything on it until [`Host::thaw`]. Its peers see nothing.
    pub fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        let waiting = {
            let mut state = self.state();
            state.frozen = false;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether both are the same machine.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// One end of this line is here.
    pub(crate) fn owns(&self, line: &Arc<Line>) {
        let mut state = self.state();
        if state.lines.len() > 64 && state.lines.len().is_power_of_two() {
            state.lines.retain(|line| line.strong_count() > 0);
        }
        state.lines.push(Arc::downgrade(line));
    }
}
