//! Clients that lose their connection, at every byte of a response and at any time, get each byte
//! once, and each event once.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use proptest::collection::vec;
use proptest::prelude::*;
use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::time::Timestamp;
use raincheck_exchange::events::{EventId, Marks, Scanner};
use raincheck_exchange::followed::{self, Part};
use raincheck_exchange::source::Place;
use raincheck_exchange::{Payload, Recorder, Recording, Source};
use raincheck_store::model::ModelStore;
use tokio::runtime::{Builder, Runtime};

use crate::script::{Step, bytes, cut, opened};

const FIRST: FencingToken = FencingToken(1);
const SECOND: FencingToken = FencingToken(2);

/// Events of all kinds, with every line end, and what each of them says.
const STREAM: &str = "\u{feff}data: a\n\n: comment\n\nid: own-1\ndata: b\n\nevent: x\r\ndata: c\r\n\r\n\
                      id\ndata: d\n\nretry: 5\n\ndata: e\rdata: f\r\rid:  spaced \ndata: g\n\n\
                      id:own-2\ndata\n\n:beat\n\n";
const SAID: [&str; 7] = ["a", "b", "c", "d", "e\nf", "g", ""];

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn job() -> JobId {
    JobId::from_parts(Timestamp::from_millis(1), [7; 10])
}

fn source(run: FencingToken, recording: &Arc<Recording>) -> Source {
    Source {
        job: job(),
        run,
        recording: Arc::clone(recording),
    }
}

/// A recording of these pieces, whose end is still to come, and its writer.
fn growing(pieces: &[&[u8]], end: Step) -> (Arc<Recording>, impl Future<Output = ()> + use<>) {
    let store = ModelStore::new();
    let recorder = Recorder::new(&store);
    let recording = Arc::clone(recorder.recording());
    let pieces = pieces
        .iter()
        .map(|piece| Step::Bytes(Bytes::copy_from_slice(piece)));
    let mut opened = opened(&store, pieces.chain([end]));
    let kind = "text/event-stream".parse().unwrap();
    opened.head.headers.insert(CONTENT_TYPE, kind);
    (recording, async move {
        _ = recorder.record(opened).await;
    })
}

async fn whole(run: FencingToken, text: &[u8]) -> Source {
    let (recording, write) = growing(&[text], Step::Pause);
    write.await;
    source(run, &recording)
}

/// What a reader makes of a stream, as the standard says; kept apart from the code it checks.
#[derive(Debug, Default, Clone)]
struct Client {
    last: Vec<u8>,
    said: Vec<String>,
}

impl Client {
    fn read(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        for block in whole.split("\n\n") {
            let mut data: Option<String> = None;
            for line in block.split('\n').filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match name {
                    "data" => match &mut data {
                        Some(data) => *data += &format!("\n{value}"),
                        None => data = Some(value.to_owned()),
                    },
                    "id" => self.last = value.as_bytes().to_vec(),
                    _ => {}
                }
            }
            self.said.extend(data);
        }
    }
}

/// The first `take` bytes of a response, or all there are before its end.
async fn bytes_of(response: Response<Payload>, take: usize) -> Vec<u8> {
    let mut body = response.into_body();
    let mut got = Vec::new();
    while got.len() < take
        && let Some(Ok(frame)) = body.frame().await
    {
        got.extend_from_slice(&frame.into_data().unwrap());
    }
    got.truncate(take);
    got
}

/// A stream without our ids.
fn unmarked(text: &str) -> String {
    let parts = text.split("id: rc.").enumerate();
    let parts = parts.map(|(index, part)| match index {
        0 => part,
        _ => part.split_once('\n').unwrap().1,
    });
    parts.collect()
}

#[test]
fn a_range_begins_at_every_byte_while_the_response_grows() {
    let all = bytes(300);
    runtime().block_on(async {
        let pieces: Vec<_> = all.chunks(7).collect();
        let (recording, write) = growing(&pieces, Step::Pause);
        let readers: Vec<_> = (0..=all.len())
            .map(|first| {
                let body = followed::body(Arc::clone(&recording), Part::From(first as u64));
                let last = (first as u64).max(100);
                let short = followed::body(Arc::clone(&recording), Part::Range(first as u64, last));
                tokio::spawn(async move {
                    let rest = body.collect().await.unwrap().to_bytes();
                    (rest, short.collect().await.unwrap().to_bytes())
                })
            })
            .collect();
        tokio::task::yield_now().await;
        write.await;
        for (first, reader) in readers.into_iter().enumerate() {
            let (rest, short) = reader.await.unwrap();
            assert_eq!(rest, all[first..], "from {first}");
            let end = (first.max(100) + 1).min(all.len());
            assert_eq!(short, all[first.min(end)..end], "from {first} on");
        }
    });
}

#[test]
fn a_range_of_a_response_that_broke_off_ends_with_an_error() {
    runtime().block_on(async {
        let (recording, write) = growing(&[b"0123456789"], Step::Fail(cut()));
        write.await;
        let rest = followed::body(Arc::clone(&recording), Part::From(4));
        assert!(rest.collect().await.is_err());
        let there = followed::body(Arc::clone(&recording), Part::Range(4, 6));
        assert_eq!(there.collect().await.unwrap().to_bytes(), "456");
        let beyond = followed::body(recording, Part::Range(4, 10));
        assert!(beyond.collect().await.is_err());
    });
}

#[test]
fn a_reader_of_events_that_is_cut_at_every_byte_gets_each_event_once() {
    runtime().block_on(async {
        for run in [FIRST, SECOND] {
            let source = whole(run, STREAM.as_bytes()).await;
            let response = followed::events(&source, None).await.unwrap().unwrap();
            let marked = bytes_of(response, usize::MAX).await;
            for cut in 0..=marked.len() {
                let mut client = Client::default();
                client.read(&marked[..cut]);
                let last = client.last.clone();
                let response = followed::events(&source, Some(&last))
                    .await
                    .unwrap()
                    .unwrap();
                let seen = client.said.len();
                if seen == SAID.len() {
                    assert_eq!(response.status(), StatusCode::NO_CONTENT, "cut at {cut}");
                    continue;
                }
                client.read(&bytes_of(response, usize::MAX).await);
                assert_eq!(client.said, SAID, "run {}, cut at {cut}", run.0);
            }
        }
    });
}

#[test]
fn own_ids_stay_and_the_upstreams_bytes_are_all_there() {
    runtime().block_on(async {
        let source = whole(FIRST, STREAM.as_bytes()).await;
        let response = followed::events(&source, None).await.unwrap().unwrap();
        let marked = String::from_utf8(bytes_of(response, usize::MAX).await).unwrap();
        assert_eq!(unmarked(&marked), STREAM);
        let ours = marked.matches("id: rc.").count();
        assert_eq!(ours, 5, "two have ids of their own");
        assert_eq!(source.place(b"own-2").await.unwrap(), Place::Over);
    });
}

#[test]
fn what_names_no_place_in_this_run_begins_anew() {
    runtime().block_on(async {
        let first = whole(FIRST, STREAM.as_bytes()).await;
        let second = whole(SECOND, STREAM.as_bytes()).await;
        let at = |job, run, offset| EventId { job, run, offset }.to_string();
        let other = JobId::from_parts(Timestamp::from_millis(1), [8; 10]);
        let end = STREAM.len() as u64;
        for id in [
            at(job(), SECOND, 11),
            at(other, FIRST, 11),
            at(job(), FIRST, 10),
            at(job(), FIRST, end + 1),
            at(job(), FIRST, u64::MAX),
            "unknown".to_owned(),
            "rc.".to_owned(),
            format!("rc.{}.1.18446744073709551616", job()),
        ] {
            let place = first.place(id.as_bytes()).await.unwrap();
            assert_eq!(place, Place::From(0), "{id}");
        }
        let known = at(job(), FIRST, 12);
        let place = first.place(known.as_bytes()).await.unwrap();
        assert_eq!(place, Place::From(12));
        for id in [known.as_str(), "own-1"] {
            let place = second.place(id.as_bytes()).await.unwrap();
            assert_eq!(place, Place::From(0), "an earlier run's {id}");
        }
    });
}

proptest! {
    /// Cut again and again while the stream grows, whatever the pieces.
    #[test]
    fn readers_that_lose_a_growing_stream_miss_nothing(
        cuts in vec(1..120_usize, 0..8),
        sizes in vec(1..20_usize, 1..8),
        run in 1..3_u64,
    ) {
        runtime().block_on(async {
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut rest = STREAM.as_bytes();
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let (recording, write) = growing(&pieces, Step::Pause);
            let writer = tokio::spawn(write);
            while recording.head().is_none() {
                tokio::task::yield_now().await;
            }
            let source = source(FencingToken(run), &recording);
            let mut client = Client::default();
            for take in cuts.into_iter().chain([usize::MAX]) {
                let last = client.last.clone();
                let response = followed::events(&source, Some(&last)).await.unwrap().unwrap();
                if response.status() == StatusCode::NO_CONTENT {
                    break;
                }
                client.read(&bytes_of(response, take).await);
            }
            writer.await.unwrap();
            prop_assert_eq!(&client.said, &SAID);
            Ok(())
        })?;
    }

    /// Any bytes in any pieces: nothing is lost, and the same events end at the same places.
    #[test]
    fn marks_do_not_depend_on_the_pieces(
        text in "[a:d\r\n ]{0,60}|(data: x|id: 7|\r|\n|\r\n){0,24}",
        at in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let ends = |pieces: &[&[u8]]| {
            let mut scanner = Scanner::new(0);
            let (mut ends, mut offset) = (Vec::new(), 0);
            for piece in pieces {
                let mut from = 0;
                while let Some((taken, event)) = scanner.next(&piece[from..]) {
                    from += taken;
                    ends.push((offset + from, event.id));
                }
                offset += piece.len();
            }
            ends
        };
        let text = text.as_bytes();
        let mut at: Vec<_> = at.iter().map(|at| at.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<_> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(ends(&pieces), ends(&[text]));
        let mut marks = Marks::new(job(), FIRST, 0);
        let marked: Vec<_> = pieces
            .iter()
            .map(|piece| marks.mark(Bytes::copy_from_slice(piece)))
            .collect();
        let marked = String::from_utf8(marked.concat()).unwrap();
        prop_assert_eq!(unmarked(&marked), String::from_utf8_lossy(text));
    }
}
