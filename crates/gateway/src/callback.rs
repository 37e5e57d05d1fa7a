//! Who is to be told of a job's end: the URL that a caller named is looked at before anything is
//! stored or sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use raincheck_core::callback::Callback;
use raincheck_core::head::RequestHead;
use raincheck_core::limits::CALLBACK_BODY_BYTES;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::{CallbackSource, Route};
use raincheck_exchange::RequestBody;
use raincheck_runner::accept::Accepted;
use serde_json::Value;

use crate::intake::Whole;
use crate::service::Service;

impl Service {
    /// A request that is whole, with whom to tell of its end.
    ///
    /// # Errors
    /// Its caller named a URL that is malformed or may not be called.
    pub(crate) async fn accepted(
        &self,
        route: &Arc<Route>,
        head: RequestHead,
        whole: Whole,
    ) -> Result<Accepted, Problem> {
        let mut accepted = Accepted {
            id: self.runner().ambient().job_id(),
            route: Arc::clone(route),
            head,
            body: whole.body,
            trailers: whole.trailers,
            key: None,
            callback: None,
        };
        if let Some(source) = &route.callback {
            // Boxed, so that it does not make every other request's future larger.
            accepted.callback = Box::pin(self.callback(source, &mut accepted)).await?;
        }
        Ok(accepted)
    }

    async fn callback(
        &self,
        source: &CallbackSource,
        accepted: &mut Accepted,
    ) -> Result<Option<Box<Callback>>, Problem> {
        let Accepted { head, body, .. } = accepted;
        let mut named = of_header(source, head)?;
        if named.is_none() {
            named = of_query(source, head)?;
        }
        if let (None, Some(pointer)) = (&named, &source.json_pointer) {
            named = of_body(pointer, head, body).await?;
        }
        match named {
            Some(url) => self.runner().callback(&url).await.map(Some),
            None => Ok(None),
        }
    }
}

fn refused(why: &str) -> Problem {
    let detail = format!("the callback URL is not accepted: {why}");
    Problem::new(ProblemCode::CallbackRefused, detail)
}

/// The URL in the header, which the upstream has no use for.
fn of_header(source: &CallbackSource, head: &mut RequestHead) -> Result<Option<String>, Problem> {
    let Some(name) = &source.header else {
        return Ok(None);
    };
    let mut values = head.headers.get_all(name).iter();
    let (first, more) = (values.next().cloned(), values.next().is_some());
    if more {
        return Err(refused("there is more than one"));
    }
    head.headers.remove(name);
    let Some(value) = first else {
        return Ok(None);
    };
    let text = value.to_str();
    let text = text.map_err(|_| refused("it has a character that a URL cannot have"))?;
    Ok(Some(text.trim().to_owned()))
}

fn of_query(source: &CallbackSource, head: &RequestHead) -> Result<Option<String>, Problem> {
    let (Some(name), Some(query)) = (&source.query, head.target.query()) else {
        return Ok(None);
    };
    let mut values = query.split('&').filter_map(|pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(own).as_ref() == Some(name)).then_some(value)
    });
    let (first, more) = (values.next(), values.next().is_some());
    match (first, more) {
        (_, true) => Err(refused("there is more than one")),
        (None, _) => Ok(None),
        (Some(value), _) => match decoded(value) {
            Some(url) => Ok(Some(url)),
            None => Err(refused(
                "it is not percent-encoded as it must be in a query",
            )),
        },
    }
}

/// A name or value of a query, as forms write it.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

async fn of_body(
    pointer: &str,
    head: &RequestHead,
    body: &RequestBody,
) -> Result<Option<String>, Problem> {
    if !is_json(head) {
        return Ok(None);
    }
    let Some(bytes) = small(body).await? else {
        return Err(refused(
            "it is looked for in JSON bodies of at most 1 MiB only",
        ));
    };
    let Ok(document) = serde_json::from_slice::<Value>(&bytes) else {
        // What is no JSON names nobody; what it means is the upstream's business.
        return Ok(None);
    };
    match document.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(url)) => Ok(Some(url.clone())),
        Some(_) => Err(refused("it is not a text")),
    }
}

fn is_json(head: &RequestHead) -> bool {
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// All bytes of a body; none where they are too many to look at.
async fn small(body: &RequestBody) -> Result<Option<Bytes>, Problem> {
    let (reader, len) = match body {
        RequestBody::Bytes(bytes) => return Ok(Some(bytes.clone())),
        RequestBody::Sealed(sealed) => (sealed.reader().into(), sealed.len()),
        RequestBody::Stored { reader, len } => (Arc::clone(reader), *len),
    };
    if len > CALLBACK_BODY_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        let piece = reader.read(bytes.len() as u64, CALLBACK_BODY_BYTES as usize);
        let piece = piece
            .await
            .map_err(|error| raincheck_runner::Error::from(error).problem())?;
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes.into()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    fn head(target: &str) -> RequestHead {
        RequestHead {
            method: Method::POST,
            target: target.parse().unwrap(),
            headers: HeaderMap::new(),
        }
    }

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let source = CallbackSource {
            query: Some("call back".to_owned()),
            ..CallbackSource::default()
        };
        let read =
            |target: &str| of_query(&source, &head(target)).map_err(|problem| problem.detail);
        let url = "https://a.example/b?c=d&e";
        let good = "/x?y=1&call+back=https%3A%2f%2Fa.example%2Fb%3Fc%3Dd%26e";
        assert_eq!(read(good), Ok(Some(url.to_owned())));
        assert_eq!(read("/x?callback=https"), Ok(None));
        assert_eq!(read("/x"), Ok(None));
        assert_eq!(read("/x?call+back"), Ok(Some(String::new())));
        for bad in [
            "/x?call+back=%zz",
            "/x?call+back=%f",
            "/x?call+back=%ff",
            "/x?call+back=a&call%20back=b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_is_looked_into_where_it_is_json() {
        let mut head = head("/");
        let body = |text: &'static str| RequestBody::Bytes(Bytes::from_static(text.as_bytes()));
        let plain = body(r#"{"a":{"~b/":"https://a.example/"}}"#);
        let pointer = "/a/~0b~1";
        assert_eq!(of_body(pointer, &head, &plain).await.unwrap(), None);
        head.headers
            .insert(CONTENT_TYPE, "application/vnd.x+JSON; a=b".parse().unwrap());
        let found = of_body(pointer, &head, &plain).await.unwrap();
        assert_eq!(found.as_deref(), Some("https://a.example/"));
        for none in ["", "nonsense", r#"{"a":{}}"#, r#"{"a":{"~b/":null}}"#] {
            assert_eq!(of_body(pointer, &head, &body(none)).await.unwrap(), None);
        }
        for bad in [
            r#"{"a":{"~b/":7}}"#,
            r#"{"a":{"~b/":["https://a.example/"]}}"#,
        ] {
            assert!(of_body(pointer, &head, &body(bad)).await.is_err());
        }
    }
}
