//! What bodies promise: every byte, at any offset, also while they grow; and that only a body with
//! a job to it stays.

#![expect(missing_docs, reason = "the name of a test says what it shows")]

use std::sync::Arc;

use bytes::Bytes;
use raincheck_core::job::Event;
use raincheck_core::limits::{BODY_INLINE_BYTES, BODY_MEMORY_BYTES, SEGMENT_FRAME_BYTES};

use super::bench::read_from;
use super::make::{self, at, id};
use super::{Bench, Engine};
use crate::{Body, BodyWriter, Change, Error};

/// Lengths around every border at which an engine may change its ways.
fn lengths() -> Vec<usize> {
    let mut lengths = vec![0, 1];
    for border in [BODY_INLINE_BYTES, BODY_MEMORY_BYTES, SEGMENT_FRAME_BYTES] {
        lengths.extend([border - 1, border, border + 1, border * 2, border * 3 + 7]);
    }
    lengths.push(1_000_003);
    lengths
}

async fn append(writer: &mut Box<dyn BodyWriter>, bytes: &Bytes) {
    writer.append(bytes.clone()).await.unwrap();
}

/// Stores a job whose request has this body.
async fn keep(bench: &Bench<impl Engine>, number: u8, body: Body) {
    let request = make::request(body);
    bench.accept_with(number, "r", at(1), request).await;
}

pub async fn bodies_of_all_lengths_are_read_back(mut bench: Bench<impl Engine>) {
    let mut bodies = Vec::new();
    for (number, len) in lengths().into_iter().enumerate() {
        let body = bench.body(len).await;
        assert_eq!(body.len(), len as u64);
        assert_eq!(body.is_empty(), len == 0);
        let inline = matches!(body, Body::Inline(_));
        assert_eq!(inline, len <= BODY_INLINE_BYTES, "{len} bytes");
        keep(&bench, u8::try_from(number).unwrap(), body.clone()).await;
        bodies.push((len, body));
    }
    bench.pause().await;
    for (len, body) in bodies {
        assert_eq!(bench.bytes_of(&body).await, make::bytes(len));
    }
}

pub async fn pieces_of_any_size_become_one_body(mut bench: Bench<impl Engine>) {
    let whole = make::bytes(300_000);
    for (number, size) in [1000, 7001, 65_536, 65_537, 131_072, 299_999]
        .into_iter()
        .enumerate()
    {
        let mut writer = bench.create();
        for piece in whole.chunks(size) {
            append(&mut writer, &whole.slice_ref(piece)).await;
            append(&mut writer, &Bytes::new()).await;
        }
        assert_eq!(writer.len(), 300_000);
        let body = writer.finish().await.unwrap();
        keep(&bench, u8::try_from(number).unwrap(), body.clone()).await;
        bench.pause().await;
        assert_eq!(bench.bytes_of(&body).await, whole, "pieces of {size}");
    }
}

pub async fn reading_begins_anywhere(mut bench: Bench<impl Engine>) {
    for (number, len) in [100, 300_000].into_iter().enumerate() {
        let whole = make::bytes(len);
        let body = bench.body(len).await;
        keep(&bench, u8::try_from(number).unwrap(), body.clone()).await;
        bench.pause().await;
        let reader = bench.open(&body).await.unwrap();
        let frame = SEGMENT_FRAME_BYTES;
        for from in [0, 1, 99, frame - 1, frame, frame + 1, 3 * frame, len - 1] {
            let Some(rest) = whole.get(from..) else {
                continue;
            };
            let read = read_from(&*reader, from as u64, 10_007).await;
            assert_eq!(read, rest, "{len} bytes from {from}");
        }
        for past in [len as u64, len as u64 + 1, u64::MAX] {
            assert_eq!(reader.read(past, 10).await, Ok(Bytes::new()));
        }
        assert_eq!(reader.read(3, 1).await.unwrap(), whole[3..4]);
    }
}

pub async fn a_body_is_read_while_it_grows(bench: Bench<impl Engine>) {
    let whole = make::bytes(400_000);
    let mut writer = bench.create();
    assert!(writer.is_empty());
    let reader = writer.reader();
    assert_eq!(reader.read(0, 10).await, Ok(Bytes::new()));
    let mut read = Vec::new();
    for piece in whole.chunks(30_011) {
        append(&mut writer, &whole.slice_ref(piece)).await;
        let at = read.len() as u64;
        read.extend(read_from(&*reader, at, 4096).await);
        assert_eq!(read.len() as u64, writer.len(), "what was appended is seen");
    }
    let body = writer.finish().await.unwrap();
    assert_eq!(read, whole);
    let late = read_from(&*reader, 0, usize::MAX).await;
    assert_eq!(late, whole, "a reader goes on after the end");
    assert_eq!(bench.bytes_of(&body).await, whole);
}

pub async fn readers_do_not_disturb_each_other(bench: Bench<impl Engine>) {
    let whole = make::bytes(200_000);
    let mut writer = bench.create();
    append(&mut writer, &whole.slice(..100_000)).await;
    let (first, second) = (writer.reader(), writer.reader());
    assert_eq!(first.read(5, 1).await.unwrap(), whole[5..6]);
    drop(first);
    append(&mut writer, &whole.slice(100_000..)).await;
    let third = writer.reader();
    let (second, third) = tokio::join!(
        read_from(&*second, 0, 999),
        read_from(&*third, 0, usize::MAX),
    );
    assert_eq!(second, whole);
    assert_eq!(third, whole);
}

pub async fn a_dropped_writer_leaves_its_readers_what_they_had(bench: Bench<impl Engine>) {
    for len in [10, 200_000] {
        let mut writer = bench.create();
        append(&mut writer, &make::bytes(len)).await;
        let reader = writer.reader();
        drop(writer);
        assert_eq!(read_from(&*reader, 0, 999).await, make::bytes(len));
    }
}

pub async fn a_sealed_body_is_read_at_once(bench: Bench<impl Engine>) {
    for len in [0, 10, 200_000] {
        let mut writer = bench.create();
        append(&mut writer, &make::bytes(len)).await;
        let early = writer.reader();
        let sealed = writer.seal().await.unwrap();
        assert_eq!(sealed.len(), len as u64);
        assert_eq!(sealed.is_empty(), len == 0);
        assert_eq!(read_from(&*early, 0, 999).await, make::bytes(len));
        let reader = sealed.reader();
        drop(sealed);
        assert_eq!(read_from(&*reader, 0, 999).await, make::bytes(len));
    }
}

pub async fn a_sealed_body_becomes_durable_once(mut bench: Bench<impl Engine>) {
    for (number, len) in lengths().into_iter().enumerate() {
        let mut writer = bench.create();
        append(&mut writer, &make::bytes(len)).await;
        let sealed = writer.seal().await.unwrap();
        let reader = sealed.reader();
        let body = sealed.persist().await.unwrap();
        assert_eq!(sealed.persist().await, Ok(body.clone()), "the same again");
        keep(&bench, u8::try_from(number).unwrap(), body.clone()).await;
        drop(sealed);
        assert_eq!(read_from(&*reader, 0, 9999).await, make::bytes(len));
        drop(reader);
        bench.pause().await;
        assert_eq!(bench.bytes_of(&body).await, make::bytes(len));
    }
}

pub async fn a_body_goes_with_its_job(mut bench: Bench<impl Engine>) {
    let len = 200_000;
    let gone = bench.body(len).await;
    let kept = bench.body(len).await;
    keep(&bench, 1, gone.clone()).await;
    keep(&bench, 2, kept.clone()).await;
    bench.happen(id(1), Event::Cancel, at(2)).await;
    bench.pause().await;
    let reader = bench.open(&gone).await.unwrap();
    assert_eq!(bench.happen(id(1), Event::Forget, at(3)).await, None);
    assert_eq!(
        read_from(&*reader, 0, 9999).await,
        make::bytes(len),
        "who reads it already may read it to its end",
    );
    drop(reader);
    bench.pause().await;
    assert!(bench.open(&gone).await.is_err());
    assert_eq!(bench.bytes_of(&kept).await, make::bytes(len));
}

pub async fn a_refused_change_leaves_no_body(mut bench: Bench<impl Engine>) {
    let kept = bench.body(200_000).await;
    keep(&bench, 1, kept.clone()).await;
    let mut writer = bench.create();
    append(&mut writer, &make::bytes(100_000)).await;
    let sealed = writer.seal().await.unwrap();
    let owned = sealed.persist().await.unwrap();
    let given = bench.body(150_000).await;
    for body in [&owned, &given] {
        let mut again = make::put(make::submitted(1, "r", at(2)));
        again.request = Some(Arc::new(make::request(body.clone())));
        let refused = bench.commit(Change::Put(Box::new(again))).await;
        assert_eq!(refused, Err(Error::Exists(id(1))));
    }
    drop(sealed);
    bench.pause().await;
    for body in [&owned, &given] {
        assert!(bench.open(body).await.is_err(), "it is deleted");
    }
    assert_eq!(bench.bytes_of(&kept).await, make::bytes(200_000));
}

pub async fn a_body_of_another_length_is_not_opened(mut bench: Bench<impl Engine>) {
    let body = bench.body(200_000).await;
    keep(&bench, 1, body.clone()).await;
    bench.pause().await;
    let Body::File { id, len } = body else {
        panic!("too large to be inline");
    };
    for len in [len - 1, len + 1] {
        assert!(bench.open(&Body::File { id, len }).await.is_err());
    }
}

pub async fn many_bodies_are_written_at_once(mut bench: Bench<impl Engine>) {
    let mut writers: Vec<_> = (0..20).map(|_| bench.create()).collect();
    let whole = make::bytes(150_000);
    for piece in whole.chunks(40_000) {
        for writer in &mut writers {
            append(writer, &whole.slice_ref(piece)).await;
        }
    }
    let mut bodies = Vec::new();
    for (number, writer) in writers.into_iter().enumerate() {
        let body = writer.finish().await.unwrap();
        keep(&bench, u8::try_from(number).unwrap(), body.clone()).await;
        bodies.push(body);
    }
    bench.pause().await;
    for body in bodies {
        assert_eq!(bench.bytes_of(&body).await, whole);
    }
}
