//! A response body that does what a list says, one step a poll.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use raincheck_core::head::ResponseHead;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_exchange::{Opened, ResponseBody};
use raincheck_store::model::ModelStore;

/// What a body does when it is asked for more.
#[derive(Debug, Clone)]
pub enum Step {
    Bytes(Bytes),
    Trailers(HeaderMap),
    Fail(Failure),
    /// Nothing for now; it wakes at once.
    Pause,
    /// Nothing ever.
    Hang,
    /// The disk fills up.
    FillDisk,
}

pub struct Script {
    pub steps: VecDeque<Step>,
    pub store: ModelStore,
}

impl Body for Script {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Trailers(fields)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(fields))));
                }
                Some(Step::Fail(failure)) => return Poll::Ready(Some(Err(failure))),
                Some(Step::Pause) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                Some(Step::FillDisk) => self.store.fail_bodies(full()),
            }
        }
    }
}

/// A response whose body follows `steps`.
pub fn opened(store: &ModelStore, steps: impl IntoIterator<Item = Step>) -> Opened {
    let script = Script {
        steps: steps.into_iter().collect(),
        store: store.clone(),
    };
    Opened {
        head: head(200),
        body: ResponseBody::of(script, None, None).unwrap(),
    }
}

pub fn head(status: u16) -> ResponseHead {
    let mut headers = HeaderMap::new();
    headers.append("x-a", "1".parse().unwrap());
    headers.append("x-b", "2".parse().unwrap());
    headers.append("x-a", "3".parse().unwrap());
    ResponseHead {
        status,
        reason: None,
        headers,
    }
}

pub fn cut() -> Failure {
    Failure {
        cause: Cause::Broken,
        seen: Seen::Answering,
        detail: "cut".to_owned(),
    }
}

pub fn full() -> raincheck_store::Error {
    raincheck_store::Error::Full("no room".to_owned())
}

/// Bytes that differ from place to place.
pub fn bytes(len: usize) -> Bytes {
    (0..len)
        .map(|at| (at * 31 % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}
