//! An exchange on its way, as a future that can change hands: polled by the handler while the
//! client waits, moved to the runner when the hold ends.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use raincheck_core::head::ResponseHead;
use raincheck_core::outcome::Failure;
use raincheck_store::Bodies;

use crate::{End, Follower, Opened, Recorded, Recorder, Recording};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// For how long a flight is polled again by whoever waits for it, see
/// [`Bounds::attended`](crate::open::Bounds::attended). Most answers come sooner and need no timer.
pub const ATTENDED: Duration = Duration::from_millis(200);

/// An exchange on its way. Dropping it closes the connection.
pub enum Flight {
    /// Waiting for the response head.
    ToHead(Boxed<Opened>),
    /// Recording to the end, where others may read it.
    ToEnd(Boxed<Recorded>, Option<Arc<Recording>>),
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
        let recording = Arc::clone(recorder.recording());
        let flight = Box::pin(async move {
            match open.await {
                Ok(opened) => recorder.record(opened).await,
                Err(failure) => {
                    recorder.abort(failure.clone());
                    Err(failure)
                }
            }
        });
        Self::ToEnd(flight, Some(recording))
    }

    /// A flight whose end is known.
    pub fn landed(end: Result<Recorded, Failure>) -> Self {
        Self::ending(std::future::ready(end))
    }

    /// A flight to an end that is recorded elsewhere.
    pub fn ending(end: impl Future<Output = Result<Recorded, Failure>> + Send + 'static) -> Self {
        Self::ToEnd(Box::pin(end), None)
    }

    /// Goes on to the end of the response, wherever it is now. `begun` is told of its recording as
    /// soon as the head is known.
    ///
    /// # Errors
    /// The failure that ended the exchange.
    pub async fn finish(
        self,
        bodies: &(impl Bodies + ?Sized),
        begun: impl FnOnce(&ResponseHead, &Arc<Recording>),
    ) -> Result<Recorded, Failure> {
        match self {
            Self::ToEnd(flight, None) => attend(flight).await,
            Self::ToEnd(flight, Some(recording)) => {
                let mut flight = pin!(attend(flight));
                tokio::select! {
                    biased;
                    end = &mut flight => return end,
                    Ok(head) = known(&recording) => begun(&head, &recording),
                }
                flight.await
            }
            Self::ToHead(flight) => {
                let opened = attend(flight).await?;
                let recorder = Recorder::new(bodies);
                recorder.begin(&opened.head);
                begun(&opened.head, recorder.recording());
                recorder.record(opened).await
            }
        }
    }
}

async fn known(recording: &Arc<Recording>) -> Result<ResponseHead, End> {
    Follower::new(recording, 0).head().await
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
            Self::ToEnd(flight, _) => flight.as_mut().poll(cx).map_ok(Landed::Recorded),
        }
    }
}
