//! Fetching a result, over broken connections: what is there already is not fetched again.

use std::time::Duration;

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderValue, Request, StatusCode};
use raincheck_upstreams::OutBody;
use tokio::time::sleep;

use super::progress::Progress;
use super::sink::Sink;
use crate::client::{Answer, Client, SILENCE, Url};
use crate::exit::{self, Code, Failure};
use crate::output::Output;

/// Tries in a row that bring no byte.
const TRIES: u32 = 5;
/// The pause before the second of them; doubled for each later one.
const PAUSE: Duration = Duration::from_millis(500);

/// A result to be fetched.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) url: &'a Url,
    pub(super) progress: &'a Progress,
    pub(super) out: Output,
}

/// How far a download is.
#[derive(Default)]
struct State {
    at: u64,
    /// What names these bytes, where the gateway can go on in the middle of them.
    tag: Option<HeaderValue>,
}

impl Download<'_> {
    /// Fetches all of it.
    pub(super) async fn fetch_to(&self, sink: &mut Sink) -> anyhow::Result<()> {
        let mut state = State::default();
        let mut fruitless = 0;
        loop {
            let before = state.at;
            let Err(error) = self.fetch(&mut state, sink).await else {
                return Ok(());
            };
            fruitless = if state.at > before { 1 } else { fruitless + 1 };
            let lost = exit::of(&error) == Code::Unreachable;
            let resumable = state.at == 0 || state.tag.is_some();
            if !lost || !resumable || fruitless >= TRIES {
                return Err(error);
            }
            if !self.out.is_json() {
                let text = format!("{error:#}; going on at byte {}", state.at);
                self.progress.aside(&text, self.out);
            }
            sleep(PAUSE * 2_u32.pow(fruitless - 1)).await;
        }
    }

    async fn fetch(&self, state: &mut State, sink: &mut Sink) -> anyhow::Result<()> {
        let mut request = Request::new(OutBody::Empty);
        if let Some(tag) = state.tag.as_ref().filter(|_| state.at > 0) {
            let range = HeaderValue::try_from(format!("bytes={}-", state.at))?;
            request.headers_mut().insert(RANGE, range);
            request.headers_mut().insert(IF_RANGE, tag.clone());
        }
        let mut answer = self.client.send(self.url, request, Some(SILENCE)).await?;
        if answer.head.headers.contains_key("raincheck-error") {
            return Err(answer
                .document()
                .await
                .err()
                .unwrap_or_else(|| lost(self.url))
                .into());
        }
        if state.at == 0 {
            state.tag = tag(&answer);
        } else if !continues(&answer, state.at) {
            let message = format!(
                "the result at {} has changed meanwhile; fetch it again",
                self.url
            );
            return Err(Failure::new(Code::Unexpected, message).into());
        }
        let left = answer
            .header(CONTENT_LENGTH)
            .and_then(|text| text.parse::<u64>().ok());
        self.progress.expects(left.map(|left| state.at + left));
        while let Some(piece) = answer.piece().await? {
            sink.write(&piece).await?;
            state.at += piece.len() as u64;
            self.progress.at(state.at);
        }
        Ok(())
    }
}

/// A strong tag of an answer that can be had in parts.
fn tag(answer: &Answer) -> Option<HeaderValue> {
    let whole = answer.head.status == StatusCode::OK
        && answer
            .header(ACCEPT_RANGES)
            .is_some_and(|unit| unit.eq_ignore_ascii_case("bytes"));
    let tag = answer.head.headers.get(ETAG).filter(|_| whole)?;
    (!tag.as_bytes().starts_with(b"W/")).then(|| tag.clone())
}

/// Whether the answer is the rest from this byte on.
fn continues(answer: &Answer, at: u64) -> bool {
    let range = answer
        .header(CONTENT_RANGE)
        .and_then(|text| text.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split('-').next()?.parse::<u64>().ok());
    answer.head.status == StatusCode::PARTIAL_CONTENT && first == Some(at)
}

fn lost(url: &Url) -> Failure {
    Failure::new(Code::Refused, format!("{url} has no result"))
}
