//! Bodies both ways, as they come.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;

use crate::backend::Backend;
use crate::client::timeouts;
use crate::client::{channel, counts, data, eventually, get, pool, post, read, read_text, start};

#[tokio::test]
async fn chunks_and_trailers_come_as_they_are_sent() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 Fine\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n")
        .await;
    let mut answer = sent.await.unwrap().unwrap();
    let reason = answer.head.extensions.get::<hyper::ext::ReasonPhrase>();
    assert_eq!(reason.unwrap().as_bytes(), b"Fine");
    assert_eq!(answer.body.size_hint().exact(), None);
    for chunk in ["one", "two"] {
        peer.write(&format!("3\r\n{chunk}\r\n")).await;
        assert_eq!(data(&mut answer.body).await, chunk);
    }
    peer.write("0\r\nsum: 6\r\n\r\n").await;
    let end = read(answer.body).await.unwrap();
    assert_eq!(end.data, "");
    assert_eq!(end.trailers.unwrap()["sum"], "6");
    eventually(|| counts(&pool, &upstream).idle == 1).await;
}

#[tokio::test]
async fn a_body_without_length_ends_with_the_connection() {
    for head in ["HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let (backend, pool) = (Backend::new().await, pool());
        let upstream = backend.upstream();
        let sent = start(&pool, &upstream, get(), timeouts());
        let (mut peer, _) = backend.request().await;
        peer.write(&format!("{head}hello, ")).await;
        let answer = sent.await.unwrap().unwrap();
        peer.write("world").await;
        drop(peer);
        assert_eq!(read_text(answer).await, "hello, world");
        assert_eq!(counts(&pool, &upstream).idle, 0);
    }
}

#[tokio::test]
async fn a_known_length_is_told_and_counted_down() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let sent = start(&pool, &upstream, get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")
        .await;
    let mut body = sent.await.unwrap().unwrap().body;
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(data(&mut body).await, "hel");
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    peer.write("lo").await;
    assert_eq!(data(&mut body).await, "lo");
    assert!(body.is_end_stream());
    eventually(|| counts(&pool, &upstream).idle == 1).await;
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let (backend, pool) = (Backend::new().await, pool());
    let sent = start(&pool, &backend.upstream(), get(), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n")
        .await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(
        (
            answer.head.status.as_u16(),
            read_text(answer).await.as_str()
        ),
        (200, "ok")
    );
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let mut request = get();
    *request.method_mut() = http::Method::HEAD;
    let sent = start(&pool, &upstream, request, timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        .await;
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.head.headers["content-length"], "5");
    assert!(answer.body.is_end_stream());
    eventually(|| counts(&pool, &upstream).idle == 1).await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_in_chunks_whatever_the_method() {
    for method in [http::Method::POST, http::Method::GET, http::Method::DELETE] {
        let (backend, pool) = (Backend::new().await, pool());
        let upstream = backend.upstream();
        let (upload, body) = channel();
        let mut request = post(body);
        *request.method_mut() = method;
        let headers = request.headers_mut();
        headers.insert("trailer", "sum".parse().unwrap());
        let sent = start(&pool, &upstream, request, timeouts());
        let (mut peer, head) = backend.request().await;
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        upload.data(Bytes::from_static(b"hello")).await;
        peer.until("5\r\nhello\r\n").await;
        let mut trailers = HeaderMap::new();
        trailers.insert("sum", "5".parse().unwrap());
        upload.trailers(trailers).await;
        drop(upload);
        peer.until("0\r\nsum: 5\r\n\r\n").await;
        peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(sent.await.unwrap().unwrap().head.status, 204);
        eventually(|| counts(&pool, &upstream).idle == 1).await;
    }
}

#[tokio::test]
async fn a_streamed_body_of_known_length_leaves_its_connection_usable() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let (upload, body) = channel();
    let mut request = post(body);
    let headers = request.headers_mut();
    headers.insert("content-length", 5.into());
    let sent = start(&pool, &upstream, request, timeouts());
    let (mut peer, _) = backend.request().await;
    upload.data(Bytes::from_static(b"hello")).await;
    peer.until("hello").await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(sent.await.unwrap().unwrap().head.status, 204);
    eventually(|| counts(&pool, &upstream).idle == 1).await;
}

#[tokio::test]
async fn both_directions_run_at_once() {
    let (backend, pool) = (Backend::new().await, pool());
    let upstream = backend.upstream();
    let (upload, body) = channel();
    let sent = start(&pool, &upstream, post(body), timeouts());
    let (mut peer, _) = backend.request().await;
    peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let mut answer = sent.await.unwrap().unwrap();
    for word in ["ping", "pong"] {
        upload.data(Bytes::from(word)).await;
        let echoed = peer.until(&format!("4\r\n{word}\r\n")).await;
        peer.write(&echoed).await;
        assert_eq!(data(&mut answer.body).await, word);
    }
    drop(upload);
    peer.until("0\r\n\r\n").await;
    peer.write("0\r\n\r\n").await;
    assert_eq!(read_text(answer).await, "");
    eventually(|| counts(&pool, &upstream).idle == 1).await;
}
