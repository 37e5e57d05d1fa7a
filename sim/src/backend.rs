//! The backend: does what each request tells it to, and remembers every request that it saw.

mod script;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Channel, Empty, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use raincheck_core::id::JobId;

use crate::history::{History, Message, Tag, What};
use crate::net::{Host, Net, Pipe, Place};
pub use script::{End, Script, bytes_of};

/// An error that cuts an answer.
type Cut = std::io::Error;
type Body = BoxBody<Bytes, Cut>;

/// The backend. Clones are the same.
#[derive(Clone)]
pub struct Backend(Arc<Shared>);

struct Shared {
    net: Net,
    history: History,
    host: Mutex<Host>,
    known: Mutex<BTreeMap<Tag, Known>>,
}

/// What it is to do with one request, and how often it has seen it.
struct Known {
    scripts: Vec<Script>,
    runs: u32,
    request: Bytes,
}

impl Backend {
    /// A backend that accepts connections.
    pub fn start(net: &Net, history: &History) -> Self {
        let backend = Self(Arc::new(Shared {
            net: net.clone(),
            history: history.clone(),
            host: Mutex::new(Host::default()),
            known: Mutex::default(),
        }));
        backend.rise();
        backend
    }

    /// Tells it what to do with a request, each time that it sees it; the last script holds for all
    /// later ones.
    pub fn expect(&self, tag: Tag, request: Bytes, scripts: Vec<Script>) {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(
            tag,
            Known {
                scripts,
                runs: 0,
                request,
            },
        );
    }

    /// It dies: its connections break, and nobody is there.
    pub fn fall(&self) {
        self.0.net.close(Place::Backend);
        let host = self.0.host.lock().unwrap_or_else(PoisonError::into_inner);
        host.kill();
    }

    /// It is there again.
    pub fn rise(&self) {
        let host = Host::default();
        *self.0.host.lock().unwrap_or_else(PoisonError::into_inner) = host.clone();
        self.0.net.open(Place::Backend);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            while host.goes_on() {
                let accepted =
                    std::future::poll_fn(|cx| shared.net.poll_accept(Place::Backend, &host, cx));
                let (pipe, _) = accepted.await;
                tokio::spawn(serve(Arc::clone(&shared), pipe));
            }
        });
    }
}

async fn serve(shared: Arc<Shared>, pipe: Pipe) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    let connection = Builder::new()
        .half_close(false)
        .serve_connection(TokioIo::new(pipe), service);
    // A connection that breaks is the gateway's business, or was ours.
    _ = pin!(connection).await;
}

/// Answers as the request's script says. `Err` closes the connection without a word.
async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let headers = request.headers().clone();
    let tag = number(&headers, "x-tag").unwrap_or(0);
    let tag = Tag::try_from(tag).unwrap_or(0);
    let taken = request.into_body().collect().await;
    let got = taken.map(http_body_util::Collected::to_bytes);
    let Some((script, run, mangled)) = shared.next(tag, got.ok().as_ref()) else {
        return Err(format!("request #{tag} is not known").into());
    };
    shared.history.add(What::Began {
        tag,
        run,
        job: text(&headers, "raincheck-job-id").and_then(|text| text.parse::<JobId>().ok()),
        attempt: number(&headers, "raincheck-attempt").unwrap_or(0),
        mangled,
    });
    tokio::time::sleep(script.think).await;
    if script.end == End::NoHead {
        return Err("as the script says".into());
    }
    // An HTTP server sends trailers to who says that it takes them (RFC 9110 section 10.1.4).
    let script = Script {
        trailers: script.trailers && headers.contains_key("te"),
        ..script
    };
    let message = script.message(tag, run);
    let response = head(&message, &script);
    let (mut body, channel) = Channel::<Bytes, Cut>::new(1);
    tokio::spawn(async move {
        let said = say(&script, &message, &mut body).await;
        if said == Said::All {
            shared.history.add(What::Said {
                tag,
                run,
                message: Box::new(message),
            });
        } else {
            body.abort(Cut::other("as the script says"));
        }
    });
    let empty = response.status() == 204;
    Ok(response.map(|()| match empty {
        true => Empty::new().map_err(never).boxed(),
        false => channel.boxed(),
    }))
}

fn never(never: Infallible) -> Cut {
    match never {}
}

/// Whether all of an answer was said.
#[derive(PartialEq, Eq)]
enum Said {
    All,
    Part,
}

async fn say(
    script: &Script,
    message: &Message,
    body: &mut http_body_util::channel::Sender<Bytes, Cut>,
) -> Said {
    let size = message.body.len().div_ceil(script.pieces.max(1)).max(1);
    let pieces = message.body.chunks(size);
    let cut = script.cut(message.status, pieces.len());
    for (number, piece) in pieces.enumerate() {
        if cut == Some(number) {
            return Said::Part;
        }
        if number > 0 {
            tokio::time::sleep(script.pause).await;
        }
        let piece = message.body.slice_ref(piece);
        if body.send(Frame::data(piece)).await.is_err() {
            return Said::Part;
        }
    }
    if cut.is_some() {
        return Said::Part;
    }
    if message.trailers.is_empty() {
        return Said::All;
    }
    match body
        .send(Frame::trailers(script::map(&message.trailers)))
        .await
    {
        Ok(()) => Said::All,
        Err(_) => Said::Part,
    }
}

fn head(message: &Message, script: &Script) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(message.status).unwrap_or_default();
    *response.headers_mut() = script::map(&message.fields);
    if script.sized {
        let len = message.body.len().into();
        response.headers_mut().insert("content-length", len);
    }
    if !message.trailers.is_empty() {
        let names = http::HeaderValue::from_static("x-checked");
        response.headers_mut().insert("trailer", names);
    }
    response
}

impl Shared {
    /// The script of the next run of a request, its number, and whether the request was changed.
    fn next(&self, tag: Tag, got: Option<&Bytes>) -> Option<(Script, u32, bool)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_mut(&tag)?;
        known.runs += 1;
        let index = usize::try_from(known.runs).unwrap_or(usize::MAX) - 1;
        let last = known.scripts.len().checked_sub(1)?;
        let script = known.scripts[index.min(last)].clone();
        let mangled = got.is_some_and(|got| *got != known.request);
        Some((script, known.runs, mangled))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}
