//! Our side of the tests: a pool, requests, and answers read to their end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;
use raincheck_upstreams::{Answer, AnswerBody, BoxError, Counts, Options, OutBody, Upstreams};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub fn pool() -> Upstreams {
    Upstreams::new(Options::default()).unwrap()
}

pub fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(5),
        idle: None,
        total: None,
        total_means: Cause::Timeout,
    }
}

pub fn idle(limit: Duration) -> Timeouts {
    Timeouts {
        idle: Some(limit),
        ..timeouts()
    }
}

pub fn get() -> Request<OutBody> {
    Request::get("/path?query")
        .header("host", "backend")
        .body(OutBody::Empty)
        .unwrap()
}

pub fn post(body: OutBody) -> Request<OutBody> {
    Request::post("/path")
        .header("host", "backend")
        .body(body)
        .unwrap()
}

/// Sends a request beside the test.
pub fn start(
    pool: &Upstreams,
    upstream: &Upstream,
    request: Request<OutBody>,
    timeouts: Timeouts,
) -> JoinHandle<Result<Answer, Failure>> {
    let (pool, upstream) = (pool.clone(), upstream.clone());
    tokio::spawn(async move { pool.send(&upstream, request, timeouts).await })
}

/// What a body held, to its end.
#[derive(Debug, PartialEq)]
pub struct Read {
    pub data: Bytes,
    pub trailers: Option<HeaderMap>,
}

pub async fn read(body: AnswerBody) -> Result<Read, Failure> {
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    Ok(Read {
        data: collected.to_bytes(),
        trailers,
    })
}

pub async fn read_text(answer: Answer) -> String {
    let read = read(answer.body).await.unwrap();
    String::from_utf8(read.data.to_vec()).unwrap()
}

/// The next data of a body that is not at its end.
pub async fn data(body: &mut AnswerBody) -> Bytes {
    let frame = body.frame().await.unwrap().unwrap();
    frame.into_data().unwrap()
}

pub fn counts(pool: &Upstreams, upstream: &Upstream) -> Counts {
    let counts = pool.counts();
    let found = counts.into_iter().find(|(host, _)| host == upstream);
    found.unwrap().1
}

/// Lets other tasks run until something is so.
pub async fn eventually(what: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    panic!("it never happened");
}

/// A request body that the test produces. Not `http_body_util::channel`: its body ends cleanly
/// without the last frame when that frame and the end come between its two looks.
pub fn channel() -> (Upload, OutBody) {
    let (sender, frames) = mpsc::channel(4);
    (Upload(sender), OutBody::Stream(Box::pin(Download(frames))))
}

/// The producing side; dropping it is the body's end.
pub struct Upload(mpsc::Sender<Result<Frame<Bytes>, BoxError>>);

struct Download(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

impl Upload {
    pub async fn data(&self, data: Bytes) {
        let _ = self.0.send(Ok(Frame::data(data))).await;
    }

    pub async fn trailers(&self, trailers: HeaderMap) {
        let _ = self.0.send(Ok(Frame::trailers(trailers))).await;
    }

    pub async fn fail(self, why: &str) {
        let _ = self.0.send(Err(why.into())).await;
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}
