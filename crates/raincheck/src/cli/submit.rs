//! `raincheck submit`: a request that prefers a ticket.

mod body;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use raincheck_exchange::outbound::JOB_ID;
use raincheck_upstreams::OutBody;
use serde_json::{Value, json};

use super::wait::{self, Sink};
use super::{SubmitArgs, WaitingArgs, target};
use crate::client::{Answer, Client, Url, block_on, refusal};
use crate::exit::{Code, Failure};
use crate::output::Output;

/// Bytes of a problem that are read.
const PROBLEM: usize = 64 * 1024;

/// A request as it was asked for.
struct Order {
    method: Method,
    url: Url,
    headers: HeaderMap,
    data: Option<String>,
}

/// Sends it. Prints the URL of the job, or with `--wait` its result.
pub fn run(args: SubmitArgs, out: Output) -> anyhow::Result<Code> {
    let order = Order::read(&args)?;
    block_on(async {
        tokio::select! {
            biased;
            done = submit(order, &args, out) => done,
            _ = tokio::signal::ctrl_c() => {
                out.say("interrupted before there was a ticket; the backend may have the request");
                Ok(Code::Interrupted)
            }
        }
    })
}

impl Order {
    fn read(args: &SubmitArgs) -> Result<Self, Failure> {
        let url = &args.target;
        let method = match &args.method {
            Some(text) => method_of(text)?,
            None if args.data.is_some() => Method::POST,
            None => Method::GET,
        };
        let url = match url.starts_with('/') {
            true => target::base(args.waiting.url.as_deref(), wait::DEFAULT_URL)?
                .below(url.trim_start_matches('/')),
            false => Url::parse(url)?,
        };
        let mut headers = HeaderMap::new();
        for text in &args.headers {
            let (name, value) = header_of(text)?;
            headers.append(name, value);
        }
        let prefer = HeaderValue::from_static("respond-async");
        headers.append(HeaderName::from_static("prefer"), prefer);
        Ok(Self {
            method,
            url,
            headers,
            data: args.data.clone(),
        })
    }

    async fn request(self) -> anyhow::Result<(Url, Request<OutBody>)> {
        let Self {
            method,
            url,
            headers,
            data,
        } = self;
        let mut request = Request::new(OutBody::Empty);
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        if let Some(data) = data {
            let body = body::open(data).await?;
            let headers = request.headers_mut();
            if let (Some(kind), false) = (body.kind, headers.contains_key(CONTENT_TYPE)) {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            if let Some(length) = body.length {
                headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            *request.body_mut() = body.bytes;
        }
        Ok((url, request))
    }
}

fn method_of(text: &str) -> Result<Method, Failure> {
    Method::from_bytes(text.as_bytes())
        .map_err(|_| Failure::new(Code::Usage, format!("'{text}' is not a method")))
}

fn header_of(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let bad = || {
        Failure::new(
            Code::Usage,
            format!("'{text}' is not a header; expected 'Name: value'"),
        )
    };
    let (name, value) = text.split_once(':').ok_or_else(bad)?;
    let name = name.trim().parse().map_err(|_| bad())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| bad())?;
    Ok((name, value))
}

async fn submit(order: Order, args: &SubmitArgs, out: Output) -> anyhow::Result<Code> {
    let client = Client::new()?;
    let (url, request) = order.request().await?;
    let answer = client.send(&url, request, None).await?;
    match ticket(&answer)? {
        Some(job) if args.wait => wait::follow(&client, job, &args.waiting, out).await,
        Some(job) => {
            print(answer, &job, out).await?;
            Ok(Code::Ok)
        }
        None => direct(answer, args, out).await,
    }
}

/// The URL of the job, if the answer is a ticket of a raincheck and not a backend's own 202.
fn ticket(answer: &Answer) -> Result<Option<Url>, Failure> {
    let ours =
        answer.head.status == StatusCode::ACCEPTED && answer.head.headers.contains_key(JOB_ID);
    let Some(location) = answer.header(http::header::LOCATION).filter(|_| ours) else {
        return Ok(None);
    };
    let url = answer.url.join(location)?;
    Ok(target::job_id(url.path()).is_ok().then_some(url))
}

async fn print(answer: Answer, job: &Url, out: Output) -> anyhow::Result<()> {
    if !out.is_json() {
        out.line(job)?;
        if out.is_watched() {
            out.say(format_args!(
                "accepted; for the result: raincheck wait {job}"
            ));
        }
        return Ok(());
    }
    let mut document = answer.document().await?;
    if let Some(members) = document.as_object_mut() {
        members.insert("url".to_owned(), Value::String(job.to_string()));
    }
    out.document(&document)
}

/// The route answers at once whatever is preferred, or the gateway refuses.
async fn direct(mut answer: Answer, args: &SubmitArgs, out: Output) -> anyhow::Result<Code> {
    let status = answer.head.status;
    if answer.head.headers.contains_key("raincheck-error") {
        let mut bytes = Vec::new();
        while let Some(piece) = answer.piece().await?
            && bytes.len() < PROBLEM
        {
            bytes.extend_from_slice(&piece);
        }
        let refused = refusal(&answer.head, &bytes).unwrap_or_else(|| answer.strange());
        return Err(refused.into());
    }
    let WaitingArgs { output, .. } = &args.waiting;
    if out.is_json() && output.is_none() {
        out.document(&json!({ "job_id": null, "response": { "status": status.as_u16() } }))?;
    } else {
        let mut sink = Sink::open(output.as_deref()).await?;
        while let Some(piece) = answer.piece().await? {
            sink.write(&piece).await?;
        }
        sink.commit().await?;
    }
    if !args.wait {
        out.say(format_args!(
            "the answer came at once ({status}); there is no job"
        ));
        return Ok(Code::NoTicket);
    }
    Ok(wait::of_status(status.as_u16(), out))
}

#[cfg(test)]
mod tests {
    //! Method, URL and headers as people write them.

    use super::*;

    fn order(words: &[&str]) -> Result<Order, Failure> {
        let line = ["raincheck", "submit", "--url", "http://h:1/gw"]
            .iter()
            .chain(words);
        let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(line).unwrap();
        match cli.command {
            crate::cli::Command::Submit(args) => Order::read(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn method_and_url() {
        let shown = |words: &[&str]| {
            order(words)
                .map(|order| format!("{} {}", order.method, order.url))
                .unwrap()
        };
        assert_eq!(shown(&["http://a/x?y"]), "GET http://a/x?y");
        assert_eq!(shown(&["/x?y"]), "GET http://h:1/gw/x?y");
        assert_eq!(shown(&["-d", "-", "http://a"]), "POST http://a/");
        assert_eq!(shown(&["PUT", "http://a", "-d", "--x"]), "PUT http://a/");
    }

    #[test]
    fn headers() {
        let read = order(&[
            "http://a",
            "-H",
            "A: 1",
            "-H",
            "a:2",
            "-H",
            "Prefer: wait=3",
        ])
        .unwrap();
        let all = |name| read.headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("a"), ["1", "2"]);
        assert_eq!(all("prefer"), ["wait=3", "respond-async"]);
        for bad in ["nothing", "a b: 1", "a: \n"] {
            let error = order(&["http://a", "-H", bad])
                .err()
                .map(|error| error.code);
            let expected = (bad != "a: \n").then_some(Code::Usage);
            assert_eq!(error, expected, "{bad:?}");
        }
        assert!(order(&["G T", "http://a"]).is_err());
    }
}
