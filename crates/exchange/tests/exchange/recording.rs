//! Whatever the pieces in which a response comes and whenever its readers join, they get its bytes,
//! and an end that tells the truth.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use proptest::collection::vec;
use proptest::prelude::*;
use raincheck_core::outcome::{Cause, Failure};
use raincheck_exchange::follow::Met;
use raincheck_exchange::{End, Follower, Recorder, Recording};
use raincheck_store::Error;
use raincheck_store::model::ModelStore;
use tokio::runtime::{Builder, Runtime};

use crate::script::{Step, bytes, cut, head, opened};

/// How a response of a test case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Complete,
    WithTrailers,
    Cut,
    DiskFull,
    WriterGone,
}

/// A reader: when it joins, in turns of the runtime, where it begins and how much it takes at once.
#[derive(Debug, Clone, Copy)]
struct Reader {
    joins: usize,
    offset: usize,
    limit: usize,
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// All that a reader gets, and how it ends.
async fn follow(recording: Arc<Recording>, reader: Reader) -> (Vec<u8>, End) {
    turns(reader.joins).await;
    let mut follower = Follower::new(&recording, reader.offset as u64);
    let mut got = Vec::new();
    loop {
        match follower.next(reader.limit).await.unwrap() {
            Met::Bytes(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= reader.limit);
                got.extend_from_slice(&bytes);
                assert_eq!(follower.offset(), (reader.offset + got.len()) as u64);
            }
            Met::End(end) => return (got, end),
        }
    }
}

fn steps(pieces: &[Bytes], pauses: &[bool], how: How) -> Vec<Step> {
    let mut steps = Vec::new();
    for (piece, pause) in pieces.iter().zip(pauses.iter().cycle()) {
        steps.extend(pause.then_some(Step::Pause));
        steps.push(Step::Bytes(piece.clone()));
    }
    steps.push(Step::Pause);
    match how {
        How::Complete => {}
        How::WithTrailers => {
            let mut fields = HeaderMap::new();
            fields.append("x-sum", "1".parse().unwrap());
            fields.append("x-sum", "2".parse().unwrap());
            steps.push(Step::Trailers(fields));
        }
        How::Cut => steps.push(Step::Fail(cut())),
        How::DiskFull => steps.extend([Step::FillDisk, Step::Bytes(bytes(1))]),
        How::WriterGone => steps.push(Step::Hang),
    }
    steps
}

async fn check(pieces: Vec<Bytes>, pauses: Vec<bool>, how: How, readers: Vec<Reader>) {
    let store = ModelStore::new();
    let whole = pieces.concat();
    let recorder = Recorder::new(&store);
    let recording = Arc::clone(recorder.recording());
    let readers: Vec<_> = readers
        .into_iter()
        .map(|reader| (reader, tokio::spawn(follow(Arc::clone(&recording), reader))))
        .collect();
    let opened = opened(&store, steps(&pieces, &pauses, how));
    let writer = tokio::spawn(recorder.record(opened));
    if how == How::WriterGone {
        turns(2 * pieces.len() + 3).await;
        writer.abort();
    }
    let written = writer.await.ok();
    for (reader, task) in readers {
        let (got, end) = task.await.unwrap();
        assert_eq!(got, &whole[reader.offset.min(whole.len())..], "{reader:?}");
        assert_eq!(end, expected(how));
    }
    assert_eq!(
        Follower::new(&recording, 0).head().await.unwrap(),
        head(200)
    );
    match (how, written) {
        (How::Complete | How::WithTrailers, Some(Ok(recorded))) => {
            assert_eq!(recorded.body.len(), whole.len() as u64);
            assert_eq!(recording.trailers(), Some(&recorded.trailers));
            let sums = recorded.trailers.get_all("x-sum").iter().count();
            assert_eq!(sums, if how == How::WithTrailers { 2 } else { 0 });
        }
        (How::Cut | How::DiskFull, Some(Err(failure))) => {
            assert_eq!(End::Aborted(failure), expected(how));
        }
        (How::WriterGone, None) => {}
        (how, written) => panic!("{how:?}: {:?}", written.map(|written| written.is_ok())),
    }
}

fn expected(how: How) -> End {
    match how {
        How::Complete | How::WithTrailers => End::Complete,
        How::Cut => End::Aborted(cut()),
        How::DiskFull => End::Aborted(raincheck_exchange::record::storage(&crate::script::full())),
        How::WriterGone => End::Lost,
    }
}

fn any_how() -> impl Strategy<Value = How> {
    prop_oneof![
        Just(How::Complete),
        Just(How::WithTrailers),
        Just(How::Cut),
        Just(How::DiskFull),
        Just(How::WriterGone),
    ]
}

fn any_reader() -> impl Strategy<Value = Reader> {
    (0..30_usize, 0..700_usize, 1..900_usize).prop_map(|(joins, offset, limit)| Reader {
        joins,
        offset,
        limit,
    })
}

proptest! {
    #[test]
    fn every_reader_gets_the_bytes_and_the_truth(
        sizes in vec(1..200_usize, 0..8),
        pauses in vec(any::<bool>(), 1..8),
        how in any_how(),
        readers in vec(any_reader(), 1..6),
    ) {
        let all = bytes(sizes.iter().sum());
        let mut at = 0;
        let pieces = sizes.iter().map(|size| {
            at += size;
            all.slice(at - size..at)
        });
        runtime().block_on(check(pieces.collect(), pauses, how, readers));
    }
}

#[tokio::test]
async fn a_recorder_that_never_began_is_lost() {
    let recorder = Recorder::new(&ModelStore::new());
    let mut follower = Follower::new(recorder.recording(), 0);
    drop(recorder);
    assert_eq!(follower.head().await, Err(End::Lost));
    assert_eq!(follower.next(10).await, Ok(Met::End(End::Lost)));
}

#[tokio::test]
async fn a_failure_before_the_head_is_told_to_who_waits_for_it() {
    let recorder = Recorder::new(&ModelStore::new());
    let mut follower = Follower::new(recorder.recording(), 0);
    recorder.abort(cut());
    assert_eq!(follower.head().await, Err(End::Aborted(cut())));
    assert_eq!(follower.next(10).await, Ok(Met::End(End::Aborted(cut()))));
}

/// Nothing is complete before it can be read back whole: a body that cannot be sealed is aborted.
#[tokio::test]
async fn a_body_that_cannot_be_sealed_is_aborted() {
    let store = ModelStore::new();
    let recorder = Recorder::new(&store);
    let mut follower = Follower::new(recorder.recording(), 5);
    let opened = opened(&store, [Step::Bytes(bytes(5)), Step::FillDisk]);
    let failure = recorder.record(opened).await.err().unwrap();
    assert_eq!(failure.cause, Cause::Storage);
    assert_eq!(follower.next(10).await, Ok(Met::End(End::Aborted(failure))));
}

/// A wait that is given up loses no bytes.
#[tokio::test(start_paused = true)]
async fn followers_are_cancel_safe() {
    let store = ModelStore::new();
    let recorder = Recorder::new(&store);
    let mut follower = Follower::new(recorder.recording(), 0);
    let waited = tokio::time::timeout(std::time::Duration::ZERO, follower.next(10)).await;
    assert!(waited.is_err());
    recorder
        .record(opened(&store, [Step::Bytes(bytes(15))]))
        .await
        .ok()
        .unwrap();
    assert_eq!(
        follower.next(10).await,
        Ok(Met::Bytes(bytes(15).slice(..10)))
    );
    assert_eq!(
        follower.next(10).await,
        Ok(Met::Bytes(bytes(15).slice(10..)))
    );
    assert_eq!(follower.next(10).await, Ok(Met::End(End::Complete)));
    assert_eq!(
        follower.next(10).await,
        Ok(Met::End(End::Complete)),
        "and again"
    );
}

#[test]
fn a_storage_failure_says_that_the_backend_may_have_seen_it() {
    let failure: Failure =
        raincheck_exchange::record::storage(&Error::Unavailable("gone".to_owned()));
    assert_eq!(failure.seen, raincheck_core::outcome::Seen::Answering);
}
