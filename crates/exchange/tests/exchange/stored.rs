//! Bytes behind a reader as an HTTP body.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use proptest::collection::vec;
use proptest::prelude::*;
use raincheck_exchange::stored::StoredBody;
use raincheck_store::model::ModelStore;
use raincheck_store::{Bodies, BodyReader};

use crate::script::bytes;

async fn reader(pieces: &[Bytes]) -> Arc<dyn BodyReader> {
    let mut writer = ModelStore::new().create();
    for piece in pieces {
        writer.append(piece.clone()).await.unwrap();
    }
    writer.reader().into()
}

fn trailers() -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.append("x-sum", "1".parse().unwrap());
    fields.append("x-sum", "2".parse().unwrap());
    fields
}

proptest! {
    #[test]
    fn gives_exactly_what_it_says(
        sizes in vec(1..50_usize, 0..10),
        from: proptest::sample::Index,
        to: proptest::sample::Index,
        piece in 1..64_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces: Vec<_> = sizes.iter().map(|size| bytes(*size)).collect();
        let whole = pieces.concat();
        let from = from.index(whole.len() + 1);
        let len = to.index(whole.len() - from + 1);
        runtime.block_on(async {
            let reader = reader(&pieces).await;
            let empty = HeaderMap::new();
            let mut body = StoredBody::new(reader, from as u64, len as u64, empty, piece);
            let mut left = len as u64;
            assert_eq!(body.size_hint().exact(), Some(left));
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                assert!(!data.is_empty() && data.len() <= piece);
                let at = from + len - usize::try_from(left).unwrap();
                assert_eq!(data, &whole[at..at + data.len()]);
                left -= data.len() as u64;
                assert_eq!(body.size_hint().exact(), Some(left));
                assert_eq!(body.is_end_stream(), left == 0);
            }
            assert_eq!(left, 0);
        });
    }
}

#[tokio::test]
async fn trailers_come_last_and_make_the_size_unknown() {
    let body = StoredBody::new(reader(&[bytes(10)]).await, 0, 10, trailers(), 4);
    assert_eq!(body.size_hint().exact(), None, "or they would not be sent");
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers()));
    assert_eq!(collected.to_bytes(), bytes(10));
    let body = StoredBody::from_bytes(bytes(10), trailers());
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers()));
    assert_eq!(collected.to_bytes(), bytes(10));
    let nothing = StoredBody::from_bytes(Bytes::new(), trailers());
    assert!(!nothing.is_end_stream());
    assert_eq!(
        nothing.collect().await.unwrap().trailers(),
        Some(&trailers())
    );
}

/// A body that is shorter than its job says is damaged, and never ends cleanly.
#[tokio::test]
async fn a_body_that_stops_short_is_an_error() {
    let mut body = StoredBody::new(reader(&[bytes(10)]).await, 0, 11, HeaderMap::new(), 64);
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        bytes(10)
    );
    assert!(body.frame().await.unwrap().is_err());
    assert!(!body.is_end_stream());
}
