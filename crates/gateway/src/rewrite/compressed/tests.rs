//! What comes out unpacks to what went in, as early as it went in, and only if it was whole.

use std::io::{self, Read as _};
use std::task::Waker;

use http::HeaderValue;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};

use super::*;

const CODINGS: [Coding; 2] = [Coding::Gzip, Coding::Zstd];

fn unpack(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out)?,
        Coding::Zstd => zstd::stream::read::Decoder::new(bytes)?.read_to_end(&mut out)?,
    };
    Ok(out)
}

/// As much as can be unpacked of a stream that has not ended.
fn unpack_so_far(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut byte = [0];
    let mut gzip = flate2::read::GzDecoder::new(bytes);
    let mut zstd = zstd::stream::read::Decoder::new(bytes).unwrap();
    let mut next = || match coding {
        Coding::Gzip => gzip.read(&mut byte).map(|n| (n, byte[0])),
        Coding::Zstd => zstd.read(&mut byte).map(|n| (n, byte[0])),
    };
    while let Ok((1, byte)) = next() {
        out.push(byte);
    }
    out
}

fn streamed(coding: Coding) -> (Sender<Bytes, BoxError>, Compressed) {
    let (sender, body) = Channel::<Bytes, BoxError>::new(8);
    let body = Payload::Changed(Box::pin(body));
    (sender, Compressed::new(body, coding, None).unwrap())
}

/// What can be had without waiting.
fn poll(body: &mut Compressed) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn what_comes_out_unpacks_to_what_went_in() {
    let text: Vec<u8> = (0..400_000_u32)
        .flat_map(|n| (n % 1013).to_le_bytes())
        .collect();
    for coding in CODINGS {
        for len in [0, 1, 5000, text.len()] {
            let body = Payload::Full(Bytes::copy_from_slice(&text[..len]));
            let body = Compressed::new(body, coding, Some(len as u64)).unwrap();
            let packed = body.collect().await.unwrap().to_bytes();
            assert_eq!(
                unpack(coding, &packed).unwrap(),
                &text[..len],
                "{coding:?} {len}"
            );
            assert!(len < 5000 || packed.len() < len / 2);
        }
    }
}

#[tokio::test]
async fn every_piece_is_there_when_it_came() {
    for coding in CODINGS {
        let (mut sender, mut body) = streamed(coding);
        assert!(poll(&mut body).is_pending());
        let mut packed = Vec::new();
        let mut whole = Vec::new();
        for piece in ["first", "second", "third"] {
            sender.send_data(Bytes::from(piece)).await.unwrap();
            whole.extend_from_slice(piece.as_bytes());
            while let Poll::Ready(Some(frame)) = poll(&mut body) {
                packed.extend_from_slice(&frame.unwrap().into_data().unwrap());
            }
            assert_eq!(unpack_so_far(coding, &packed), whole, "{coding:?}");
        }
        drop(sender);
        packed.extend_from_slice(&body.collect().await.unwrap().to_bytes());
        assert_eq!(unpack(coding, &packed).unwrap(), whole);
    }
}

#[tokio::test]
async fn trailers_come_after_the_end() {
    let (mut sender, body) = streamed(Coding::Gzip);
    sender.send_data(Bytes::from("text")).await.unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    sender.send_trailers(trailers.clone()).await.unwrap();
    drop(sender);
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(
        unpack(Coding::Gzip, &collected.to_bytes()).unwrap(),
        b"text"
    );
}

#[tokio::test]
async fn what_was_cut_does_not_unpack_as_whole() {
    for coding in CODINGS {
        let (mut sender, mut body) = streamed(coding);
        sender
            .send_data(Bytes::from(vec![b'x'; 5000]))
            .await
            .unwrap();
        sender.abort("cut".into());
        let mut packed = Vec::new();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => packed.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "cut");
        assert!(unpack(coding, &packed).is_err(), "{coding:?}");
    }
}
