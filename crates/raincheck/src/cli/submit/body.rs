//! What `--data` means: text, a file, or stdin; files and stdin are sent as they are read.

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use http_body_util::channel::{Channel, Sender};
use raincheck_upstreams::{BoxError, OutBody};
use tokio::io::{AsyncRead, AsyncReadExt};

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
    let (to, body) = Channel::<Bytes, BoxError>::new(2);
    tokio::spawn(copy(from, to));
    OutBody::Stream(Box::pin(body))
}

/// Ends when the source ends, or when nobody takes the body any more.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: Sender<Bytes, BoxError>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(PIECE);
        match from.read_buf(&mut buffer).await {
            Ok(0) => return,
            Ok(_) => {
                if to.send_data(buffer.split().freeze()).await.is_err() {
                    return;
                }
            }
            Err(error) => return to.abort(error.into()),
        }
    }
}
