//! One socket, from its 101 to its end.
//!
//! Nothing is queued for a client: an event says how a job stands when the one before it has been
//! taken, so a slow reader gets fewer events, never old ones, and while it takes nothing, nothing is
//! read from it. What one socket holds is bounded by [`SOCKET_JOBS`] and [`SOCKET_MESSAGE_BYTES`].

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use raincheck_core::id::JobId;
use raincheck_core::limits::{
    CLIENT_WRITE_IDLE_TIMEOUT, SOCKET_JOBS, SOCKET_JOBS_ALL, SOCKET_MESSAGE_BYTES, SOCKET_PING,
    SOCKET_SILENCE,
};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::upgrade::Upgraded;
use raincheck_runner::news::{Item, News, Position, position};
use raincheck_runner::status::Links;
use raincheck_runner::{Error, Runner, told};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError};

use super::orders::{self, Order};
use super::sieve::{CUT, Sieve};

/// Bytes that are read ahead. Clients say little.
const READ_BYTES: usize = 512;
/// How long a client may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a client that are read after a close, so that it gets to see it.
const LINGER_BYTES: u64 = 64 * 1024;
/// Longer than a job that nothing happens to; then its future looks anew.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// A socket before its first byte.
pub(super) struct Session {
    pub(super) runner: Runner,
    pub(super) links: Links,
    pub(super) followed: Arc<AtomicUsize>,
    /// The one job it is about; none: whichever its client names.
    pub(super) only: Option<JobId>,
}

type Socket = WebSocketStream<Sieve<Upgraded>>;
type Told = Result<(News, Result<Item, Error>, Place), futures_util::future::Aborted>;
type Following = Pin<Box<dyn Future<Output = Told> + Send>>;

/// A socket that is open.
struct Open {
    session: Session,
    socket: Socket,
    jobs: HashMap<JobId, AbortHandle>,
    news: FuturesUnordered<Following>,
}

/// What ends a socket.
enum End {
    /// With this word.
    Close(CloseCode, &'static str),
    /// The client has closed; the codec has its answer ready.
    Closed,
    /// The client cannot be reached.
    Gone,
}

/// Counts a job that is followed.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Session {
    /// Talks until the client leaves, the one job has ended, or the gateway stops.
    pub(super) async fn run(self, io: Upgraded) {
        let leaving = io.leaving();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(SOCKET_MESSAGE_BYTES + 64))
            .max_frame_size(Some(SOCKET_MESSAGE_BYTES + 64));
        let io = Sieve::new(io, SOCKET_MESSAGE_BYTES);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let only = self.only;
        let mut open = Open {
            session: self,
            socket,
            jobs: HashMap::new(),
            news: FuturesUnordered::new(),
        };
        // Boxed, like whatever else happens now and then: a socket that waits holds no room for it.
        let end = match only {
            Some(id) => Box::pin(open.carry_out(Order::Subscribe(id, None))).await,
            None => Ok(()),
        };
        let end = match end {
            Ok(()) => open.talk(leaving).await,
            Err(end) => end,
        };
        // Followed jobs are let go before the goodbyes.
        open.news.clear();
        Box::pin(open.finish(end)).await;
    }
}

impl Open {
    async fn talk(&mut self, leaving: impl Future<Output = ()>) -> End {
        let mut leaving = pin!(leaving);
        let mut heard = Instant::now();
        let mut beat = pin!(tokio::time::sleep(SOCKET_PING));
        loop {
            let done = tokio::select! {
                () = &mut leaving => return End::Close(CloseCode::Away, "the gateway stops"),
                Some(told) = self.news.next() => match told {
                    Ok((news, item, place)) => Box::pin(self.tell(news, item, place)).await,
                    Err(_aborted) => Ok(()),
                },
                message = self.socket.next() => {
                    heard = Instant::now();
                    Box::pin(self.hear(message)).await
                }
                () = &mut beat => {
                    let silent = heard.elapsed();
                    beat.as_mut().reset(Instant::now() + SOCKET_PING);
                    match silent {
                        silent if silent > SOCKET_SILENCE => Err(End::Gone),
                        silent if silent >= SOCKET_PING => {
                            Box::pin(self.send(Message::Ping(Bytes::new()))).await
                        }
                        _ => Ok(()),
                    }
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, SocketError>>) -> Result<(), End> {
        let orders = match message {
            Some(Ok(Message::Text(text))) if text.ends_with(CUT) => vec![orders::too_large()],
            Some(Ok(Message::Text(text))) => orders::read(&text),
            Some(Ok(Message::Binary(bytes))) if bytes.ends_with(&[CUT as u8]) => {
                vec![orders::too_large()]
            }
            Some(Ok(Message::Binary(_))) => vec![orders::binary()],
            // The codec has its answer ready, which goes out with the next look at the socket.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            // Nothing may be told any more: it would come in the place of the answer.
            Some(Ok(Message::Close(_))) => return Err(End::Closed),
            Some(Err(error)) => return Err(broken(&error)),
            None => return Err(End::Gone),
        };
        for order in orders {
            self.carry_out(order).await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, order: Order) -> Result<(), End> {
        let (problem, job) = match order {
            Order::Subscribe(id, after) => match self.subscribe(id, after).await {
                Ok(()) => return Ok(()),
                Err(problem) => (problem, Some(id.to_string())),
            },
            Order::Unsubscribe(id) => {
                if let Some(following) = self.jobs.remove(&id) {
                    following.abort();
                }
                return Ok(());
            }
            Order::Cancel(id) => match self.cancel(id).await? {
                None => return Ok(()),
                Some(problem) => (problem, Some(id.to_string())),
            },
            Order::Refuse(problem, job) => (problem, job),
        };
        self.refuse(&problem, job).await
    }

    /// Follows a job from now on; one that is followed already is told anew.
    async fn subscribe(&mut self, id: JobId, after: Option<Position>) -> Result<(), Problem> {
        if self.session.only.is_some_and(|only| only != id) {
            let detail = "this socket is about one job; /_raincheck/events is for many";
            return Err(Problem::new(ProblemCode::InvalidParameter, detail));
        }
        let full = |most: usize, whose: &str| {
            let detail = format!("{whose} follows {most} jobs already, and no more");
            Problem::new(ProblemCode::Overloaded, detail)
        };
        if self.jobs.len() >= SOCKET_JOBS && !self.jobs.contains_key(&id) {
            return Err(full(SOCKET_JOBS, "this socket"));
        }
        let runner = &self.session.runner;
        let followed = &self.session.followed;
        let before = followed.fetch_add(1, Relaxed);
        let place = Place(Arc::clone(followed));
        // Before the look, so that no change is missed between the two.
        let watch = runner.try_watch(id).filter(|_| before < SOCKET_JOBS_ALL);
        let Some(watch) = watch else {
            return Err(full(SOCKET_JOBS_ALL, "the gateway"));
        };
        let job = runner.job(id).await.map_err(|error| error.problem())?;
        // Whoever asks for a job that has ended is told so, whatever it has seen.
        let seen = after.filter(|_| !job.status().is_finished());
        let news = News::new(runner.clone(), id, Some(watch), seen);
        if let Some(before) = self.jobs.remove(&id) {
            before.abort();
        }
        self.follow(news, place);
        Ok(())
    }

    fn follow(&mut self, mut news: News, place: Place) {
        let (handle, registration) = AbortHandle::new_pair();
        self.jobs.insert(news.job(), handle);
        let next = async move {
            let item = news.next(PATIENCE).await;
            (news, item, place)
        };
        self.news.push(Box::pin(Abortable::new(next, registration)));
    }

    /// Cancels a job. Whoever follows it learns of it as of any other end.
    async fn cancel(&mut self, id: JobId) -> Result<Option<Problem>, End> {
        let runner = &self.session.runner;
        if self.session.only.is_some_and(|only| only != id) {
            let detail = "this socket is about one job";
            return Ok(Some(Problem::new(ProblemCode::InvalidParameter, detail)));
        }
        match runner.cancel(id).await {
            Err(error) => Ok(Some(error.problem())),
            Ok(_) if self.jobs.contains_key(&id) => Ok(None),
            Ok(job) => {
                let now = position(runner, &job);
                let document = told::document(runner, &self.session.links, &job).await;
                self.event("status", id, Some(now), ("data", document))
                    .await?;
                Ok(None)
            }
        }
    }

    /// Tells the news of a job, and waits for the next unless they were the last.
    async fn tell(
        &mut self,
        news: News,
        item: Result<Item, Error>,
        place: Place,
    ) -> Result<(), End> {
        let id = news.job();
        let runner = &self.session.runner;
        let (name, job, now) = match item {
            Ok(Item::Silence) => {
                self.follow(news, place);
                return Ok(());
            }
            Ok(Item::Status(job, now)) => ("status", job, now),
            Ok(Item::Report(job, now)) => ("progress", job, now),
            Ok(Item::Over) => return self.over(id),
            Err(error) => {
                self.jobs.remove(&id);
                self.refuse(&error.problem(), Some(id.to_string())).await?;
                return self.over(id);
            }
        };
        let mut document = told::document(runner, &self.session.links, &job).await;
        if name == "progress" {
            document = document["progress"].take();
        }
        self.event(name, id, Some(now), ("data", document)).await?;
        match job.status().is_finished() {
            true => self.over(id),
            false => {
                self.follow(news, place);
                Ok(())
            }
        }
    }

    /// A job is not followed any more; with its one job a socket ends.
    fn over(&mut self, id: JobId) -> Result<(), End> {
        self.jobs.remove(&id);
        match self.session.only {
            Some(_) => Err(End::Close(CloseCode::Normal, "nothing more will happen")),
            None => Ok(()),
        }
    }

    async fn refuse(&mut self, problem: &Problem, job: Option<String>) -> Result<(), End> {
        self.session.runner.metrics().problem(problem.code);
        let code = problem.code;
        let error = json!({
            "code": code.slug(),
            "status": code.status(),
            "title": code.title(),
            "detail": problem.detail,
            "type": format!("/_raincheck/problems/{}", code.page()),
        });
        let frame = json!({ "event": "error", "job_id": job, "error": error });
        self.send(Message::text(frame.to_string())).await
    }

    async fn event(
        &mut self,
        name: &str,
        id: JobId,
        now: Option<Position>,
        (key, data): (&str, Value),
    ) -> Result<(), End> {
        let now = now.map(|now| now.to_string());
        let frame = json!({ "event": name, "job_id": id.to_string(), "id": now, key: data });
        self.send(Message::text(frame.to_string())).await
    }

    /// A client that takes nothing for that long is gone.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(CLIENT_WRITE_IDLE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_elapsed) => Err(End::Gone),
        }
    }

    /// Says goodbye and waits a moment for the client's.
    async fn finish(mut self, end: End) {
        let frame = match end {
            End::Close(code, reason) => Some(CloseFrame {
                code,
                reason: reason.into(),
            }),
            End::Closed => None,
            End::Gone => return,
        };
        let goodbye = async {
            if frame.is_some() && self.socket.close(frame).await.is_err() {
                return;
            }
            while let Some(Ok(_)) = self.socket.next().await {}
            let io = self.socket.get_mut();
            if io.shutdown().await.is_ok() {
                _ = tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await;
            }
        };
        _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

/// What a socket ends with that cannot go on.
fn broken(error: &SocketError) -> End {
    match error {
        SocketError::Utf8(_) => End::Close(CloseCode::Invalid, "text must be UTF-8"),
        SocketError::Capacity(_) => End::Close(CloseCode::Size, "the message is too large"),
        SocketError::Protocol(error)
            if !matches!(
                error,
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
            ) =>
        {
            End::Close(CloseCode::Protocol, "not as RFC 6455 has it")
        }
        _ => End::Gone,
    }
}

#[cfg(test)]
mod tests;
