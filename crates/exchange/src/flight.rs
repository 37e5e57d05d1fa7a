//! An exchange on its way, as a future that can change hands: polled by the handler while the
//! client waits, moved to the runner when the hold ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use raincheck_core::outcome::Failure;
use raincheck_store::Bodies;

use crate::{Opened, Recorded, Recorder};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// For how long a flight is polled again by whoever waits for it, see
/// [`Bounds::attended`](crate::open::Bounds::attended). Most answers come sooner and need no timer.
pub const ATTENDED: Duration = Duration::from_millis(200);

/// An exchange on its way. Dropping it closes the connection.
pub enum Flight {
    /// Waiting for the response head.
    ToHead(Boxed<Opened>),
    /// Recording to the end.
    ToEnd(Boxed<Recorded>),
}

/// How far a flight got.
pub enum Landed {
    /// The head is there.
    Opened(Opened),
    /// All of it is there.
    Recorded(Recorded),
}

impl Flight {
    /// A flight that lands when the response head is there.
    pub fn to_head(open: impl Future<Output = Result<Opened, Failure>> + Send + 'static) -> Self {
        Self::ToHead(Box::pin(open))
    }

    /// A flight that lands when the whole response is recorded.
    pub fn to_end(
        open: impl Future<Output = Result<Opened, Failure>> + Send + 'static,
        recorder: Recorder,
    ) -> Self {
        Self::ToEnd(Box::pin(async move {
            match open.await {
                Ok(opened) => recorder.record(opened).await,
                Err(failure) => {
                    recorder.abort(failure.clone());
                    Err(failure)
                }
            }
        }))
    }

    /// A flight whose end is known.
    pub fn landed(end: Result<Recorded, Failure>) -> Self {
        Self::ToEnd(Box::pin(std::future::ready(end)))
    }

    /// Goes on to the end of the response, wherever it is now.
    ///
    /// # Errors
    /// The failure that ended the exchange.
    pub async fn finish(self, bodies: &(impl Bodies + ?Sized)) -> Result<Recorded, Failure> {
        match self {
            Self::ToEnd(flight) => attend(flight).await,
            Self::ToHead(flight) => Recorder::new(bodies).record(attend(flight).await?).await,
        }
    }
}

/// Polls again once nobody else does, so that the flight sets the timer of its total time.
async fn attend<T>(mut flight: Boxed<T>) -> Result<T, Failure> {
    match tokio::time::timeout(ATTENDED, &mut flight).await {
        Ok(landed) => landed,
        Err(_) => flight.await,
    }
}

impl Future for Flight {
    type Output = Result<Landed, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::ToHead(flight) => flight.as_mut().poll(cx).map_ok(Landed::Opened),
            Self::ToEnd(flight) => flight.as_mut().poll(cx).map_ok(Landed::Recorded),
        }
    }
}
