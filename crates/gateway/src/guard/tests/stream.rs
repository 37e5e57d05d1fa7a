//! hyper behind the guard: it sees exactly the requests that the guard passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Seen, inspect, streams};
use crate::connection::testing;
use crate::server::{Abort, Arriving, Handler, Peer};

/// Counts requests, and answers once it has read them.
#[derive(Default)]
struct Counter(AtomicU64);

impl Handler for Counter {
    type Body = Full<Bytes>;

    async fn handle(
        &self,
        request: Request<Arriving>,
        _: Arc<Peer>,
    ) -> Result<Response<Full<Bytes>>, Abort> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let read: Result<_, hyper::Error> = request.into_body().collect().await;
        let mut response = Response::default();
        if read.is_err() {
            *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        }
        Ok(response)
    }
}

/// Sends a stream through a connection whose socket takes so many bytes at a time, and closes when
/// this many answers have come. Returns how many requests the handler saw, and the answers.
async fn serve(bytes: &[u8], buffer: usize, wanted: usize, refused: bool) -> (u64, String) {
    let (ours, mut theirs) = tokio::io::duplex(buffer);
    let handler = Arc::new(Counter::default());
    let serving = tokio::spawn(testing::serve(ours, Arc::clone(&handler)));
    let (mut read, mut write) = tokio::io::split(&mut theirs);
    let mut answers = Vec::new();
    let sending = write.write_all(bytes);
    let receiving = async {
        while count(&answers, "\r\n\r\n") < wanted && read.read_buf(&mut answers).await.unwrap() > 0
        {
        }
    };
    let receiving = std::pin::pin!(receiving);
    if refused {
        // What is refused is read no further, so that sending need not come to an end.
        let sending = async { (sending.await.is_ok(), std::future::pending::<()>().await) };
        tokio::select! { _ = sending => {}, () = receiving => {} }
    } else {
        let _ = tokio::join!(sending, receiving);
    }
    let _ = write.shutdown().await;
    read.read_to_end(&mut answers).await.unwrap();
    serving.await.unwrap();
    let requests = handler.0.load(Ordering::Relaxed);
    (requests, String::from_utf8_lossy(&answers).into_owned())
}

fn count(bytes: &[u8], what: &str) -> usize {
    memchr::memmem::find_iter(bytes, what).count()
}

fn compare(bytes: &[u8], buffer: usize) -> Result<(), TestCaseError> {
    let Seen {
        requests: passed,
        refusal,
        mid_body,
        ..
    } = inspect(bytes);
    let refused = usize::from(refusal.is_some_and(|refusal| !refusal.in_body));
    let unfinished = u64::from(mid_body && refusal.is_none());
    let wanted = usize::try_from(passed - unfinished).unwrap() + refused;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let (requests, answers) = runtime.block_on(serve(bytes, buffer, wanted, refusal.is_some()));
    prop_assert_eq!(requests, passed);
    prop_assert_eq!(count(answers.as_bytes(), "\"code\":"), refused);
    prop_assert!(
        count(answers.as_bytes(), "HTTP/1.1 ") >= wanted,
        "{}",
        answers
    );
    prop_assert!(
        refusal.is_none() || answers.contains("connection: close"),
        "{}",
        answers
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn hyper_sees_what_passed(
        bytes in streams().prop_filter("HTTP/1.0 ends a connection", |bytes| {
            !bytes.windows(8).any(|window| window == b"HTTP/1.0")
        }),
        buffer in prop::sample::select(vec![1, 3, 17, 1 << 16]),
    ) {
        compare(&bytes, buffer)?;
    }
}

#[test]
fn answers_before_a_refusal_all_arrive() {
    let good = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";
    for count in 0..20 {
        for bad in ["GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", "\u{16}"] {
            let stream = format!("{}{bad}{good}", good.repeat(count));
            for buffer in [1, 1 << 16] {
                compare(stream.as_bytes(), buffer).unwrap();
            }
        }
    }
}
