//! What `--data` means: text, a file, or stdin; files and stdin are sent as they are read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use raincheck_upstreams::{BoxError, OutBody};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::exit::{Code, Failure};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// A body to be sent.
pub(super) struct Body {
    pub(super) bytes: OutBody,
    /// Its length, where it is known before it is read.
    pub(super) length: Option<u64>,
    /// What it is, where that is certain.
    pub(super) kind: Option<&'static str>,
}

/// Opens what was named.
pub(super) async fn open(data: String) -> anyhow::Result<Body> {
    if data == "-" || data == "@-" {
        return Ok(Body {
            bytes: streamed(tokio::io::stdin()),
            length: None,
            kind: None,
        });
    }
    if let Some(path) = data.strip_prefix('@') {
        return file(path).await;
    }
    let json = serde_json::from_str::<serde_json::Value>(&data).is_ok();
    let bytes = OutBody::from(Bytes::from(data));
    Ok(Body {
        bytes,
        length: None,
        kind: json.then_some("application/json"),
    })
}

async fn file(path: &str) -> anyhow::Result<Body> {
    let opened = tokio::fs::File::open(path).await;
    let file = opened
        .map_err(|error| Failure::new(Code::Usage, format!("cannot read {path}: {error}")))?;
    let about = file
        .metadata()
        .await
        .with_context(|| format!("cannot read {path}"))?;
    if about.is_dir() {
        let message = format!("cannot send {path}: it is a directory");
        return Err(Failure::new(Code::Usage, message).into());
    }
    // A file that grows meanwhile is sent as long as it was.
    let length = about.is_file().then_some(about.len());
    let bytes = match length {
        Some(length) => streamed(file.take(length)),
        None => streamed(file),
    };
    Ok(Body {
        bytes,
        length,
        kind: None,
    })
}

fn streamed(from: impl AsyncRead + Unpin + Send + 'static) -> OutBody {
    OutBody::Stream(Box::pin(Reading { from }))
}

/// A source as a body, read as fast as it is sent. A source that fails ends it with the error,
/// never as if it were whole.
struct Reading<R> {
    from: R,
}

impl<R: AsyncRead + Unpin> HttpBody for Reading<R> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut piece = BytesMut::zeroed(PIECE);
        let mut buffer = ReadBuf::new(&mut piece);
        if let Err(error) = ready!(Pin::new(&mut self.from).poll_read(cx, &mut buffer)) {
            return Poll::Ready(Some(Err(error.into())));
        }
        let len = buffer.filled().len();
        piece.truncate(len);
        Poll::Ready((len > 0).then(|| Ok(Frame::data(piece.freeze()))))
    }
}
