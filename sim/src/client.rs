//! The clients: they ask, give up, ask again, and follow their tickets to the result.

mod exchange;
mod follow;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use crate::backend::{Script, bytes_of};
use crate::chance::Chance;
use crate::history::{Got, Tag, What};
use crate::world::World;
use exchange::Connection;

/// The route that knows repetitions without a key.
pub const DEDUPES: &str = "same";

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The route's name, which is the first segment of its path.
    pub route: &'static str,
    /// What the client means to have done: the same for each time that it asks for it.
    pub intent: u32,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
    /// Its `Prefer`.
    pub prefer: Option<String>,
    /// Bytes of its body.
    pub len: usize,
    /// How long it waits for an answer before it leaves.
    pub patience: Duration,
    /// What the backend does, run by run.
    pub scripts: Vec<Script>,
}

impl Ask {
    /// A request to a route that the backend answers like this.
    pub fn new(method: Method, route: &'static str, intent: u32, script: Script) -> Self {
        Self {
            method,
            route,
            intent,
            key: None,
            prefer: None,
            len: 0,
            patience: Duration::from_secs(24 * 3600),
            scripts: vec![script],
        }
    }
}

impl Ask {
    /// By what the gateway knows a repetition of it, if at all.
    fn known_as(&self) -> Option<String> {
        let fingerprint = || format!("{} {}", self.route, self.intent);
        let own = self.route == DEDUPES;
        self.key.clone().or_else(|| own.then(fingerprint))
    }
}

/// How a request ended for its client.
#[derive(Clone)]
pub enum Ended {
    /// With an answer.
    Answer(Box<Got>),
    /// With a ticket.
    Ticket(raincheck_core::id::JobId),
    /// With nothing: the connection broke, or the client left.
    Nothing,
}

/// One client. It keeps its connection as long as the gateway does.
pub struct Client {
    world: World,
    chance: Chance,
    connection: Option<Connection>,
}

impl Client {
    /// A client that is not connected.
    pub fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            chance: world.chance.fork(),
            connection: None,
        }
    }

    /// Asks once.
    pub async fn ask(&mut self, ask: &Ask) -> Ended {
        let tag = self.world.next_tag();
        // Who asks again for the same thing sends the same.
        let body = bytes_of(u64::from(ask.intent), ask.len);
        self.world
            .backend
            .expect(tag, body.clone(), ask.scripts.clone());
        let request = request(ask, tag, body);
        let terms = self.world.terms(ask.route);
        self.world.history.add(What::Sent {
            tag,
            intent: ask.intent,
            line: format!("{} /{}/{}", ask.method, ask.route, ask.intent),
            repeatable: ask.method.is_idempotent() || terms.repeat_unsafe,
            attempts: terms.attempts,
            key: ask.known_as(),
        });
        let ended = self.exchange(request, ask.patience).await;
        let (what, ended) = told(tag, ended);
        self.world.history.add(what);
        ended
    }

    /// Asks, and follows a ticket to its end.
    pub async fn ask_to_end(&mut self, ask: &Ask) -> Ended {
        let ended = self.ask(ask).await;
        if let Ended::Ticket(job) = ended {
            self.follow(job).await;
        }
        ended
    }

    /// Asks until there is an answer of the backend's or a ticket, as clients do that know no
    /// better; follows the ticket to its end.
    pub async fn ask_until_done(&mut self, ask: &Ask, times: u32) {
        for _ in 0..times {
            match self.ask_to_end(ask).await {
                Ended::Answer(got) if got.message.status < 500 => return,
                Ended::Ticket(_) => return,
                Ended::Answer(_) | Ended::Nothing => {}
            }
            tokio::time::sleep(self.chance.millis(50..=5_000)).await;
        }
    }
}

fn told(tag: Tag, ended: Result<Got, String>) -> (What, Ended) {
    match ended {
        Ok(got) => match got.job.filter(|_| got.message.status == 202) {
            Some(job) => (What::Ticket { tag, job }, Ended::Ticket(job)),
            None => {
                let got = Box::new(got);
                let what = What::Answered {
                    tag,
                    got: got.clone(),
                };
                (what, Ended::Answer(got))
            }
        },
        Err(why) => (What::Nothing { tag, why }, Ended::Nothing),
    }
}

fn request(ask: &Ask, tag: Tag, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = ask.method.clone();
    if let Ok(uri) = format!("/{}/{}", ask.route, ask.intent).parse() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    greet(headers);
    headers.insert("x-tag", tag.into());
    let optional = [("idempotency-key", &ask.key), ("prefer", &ask.prefer)];
    for (name, value) in optional {
        if let Some(Ok(value)) = value.as_deref().map(http::HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    request
}

/// What every request of a client carries. Trailers are sent only to who says that it takes them.
fn greet(headers: &mut http::HeaderMap) {
    let told = [("host", "gateway"), ("te", "trailers")];
    for (name, value) in told {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
}
