//! `raincheck wait`: a job's result on stdout, as soon as there is one.

mod download;
mod progress;
mod sink;
mod status;

use serde_json::Value;
use tokio::time::Instant;

use super::jobs::{summary, word};
use super::{WaitArgs, WaitingArgs, target};
use crate::client::{Client, Url, block_on};
use crate::exit::{Code, Failure};
use crate::output::Output;
use download::Download;
use progress::Progress;
pub use sink::Sink;

/// Where a gateway is, unless it is said.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Waits. Ctrl-C ends the waiting and not the job.
pub fn run(args: WaitArgs, out: Output) -> anyhow::Result<Code> {
    let base = target::base(args.waiting.url.as_deref(), DEFAULT_URL)?;
    let job = target::job_url(&args.job, &base)?;
    block_on(async { follow(&Client::new()?, job, &args.waiting, out).await })
}

/// Follows a job to its end and fetches its result.
pub async fn follow(
    client: &Client,
    job: Url,
    args: &WaitingArgs,
    out: Output,
) -> anyhow::Result<Code> {
    let progress = Progress::new(out);
    let interrupted = tokio::signal::ctrl_c();
    tokio::select! {
        biased;
        done = to_the_end(client, &job, args, &progress, out) => {
            progress.clear();
            done
        }
        _ = interrupted => {
            progress.clear();
            out.say(format_args!("the job goes on; come back with: raincheck wait {job}"));
            Ok(Code::Interrupted)
        }
    }
}

async fn to_the_end(
    client: &Client,
    job: &Url,
    args: &WaitingArgs,
    progress: &Progress,
    out: Output,
) -> anyhow::Result<Code> {
    let until = args
        .timeout
        .and_then(|timeout| Instant::now().checked_add(timeout));
    let watch = status::Watch {
        client,
        job,
        progress,
        out,
    };
    let document = match until {
        None => watch.finished().await?,
        Some(until) => match tokio::time::timeout_at(until, watch.finished()).await {
            Ok(document) => document?,
            Err(_) => {
                let message = format!(
                    "the job has not ended yet and goes on; come back with: raincheck wait {job}"
                );
                return Err(Failure::new(Code::JobUnfinished, message).into());
            }
        },
    };
    let answered = document
        .get("response")
        .is_some_and(|response| !response.is_null());
    let wanted = !out.is_json() || args.output.is_some();
    if answered && wanted {
        let url = job.below("result");
        let mut sink = Sink::open(args.output.as_deref()).await?;
        progress.download(&sink);
        Download {
            client,
            url: &url,
            progress,
            out,
        }
        .fetch_to(&mut sink)
        .await?;
        sink.commit().await?;
    }
    progress.clear();
    if out.is_json() {
        out.document(&document)?;
    }
    Ok(ended(&document, job, out))
}

/// How the job ended, and a word about it where it is not as hoped.
fn ended(document: &Value, job: &Url, out: Output) -> Code {
    let status = word(document, "status");
    let code = match status {
        "succeeded" => {
            let response = document.get("response");
            let answer = response.and_then(|response| response.get("status")?.as_u64());
            let answer = answer.and_then(|answer| u16::try_from(answer).ok());
            return of_status(answer.unwrap_or_default(), out);
        }
        "failed" => Code::JobFailed,
        "cancelled" => Code::JobCancelled,
        "expired" => Code::JobExpired,
        _ => Code::Unexpected,
    };
    if !out.is_json() {
        let id = job.path().rsplit('/').next().unwrap_or_default();
        let why = summary(document)
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        out.say(format_args!("job {id} is {status}{why}"));
    }
    code
}

/// How an answer with this status ends a command.
pub fn of_status(status: u16, out: Output) -> Code {
    if status < 400 {
        return Code::Ok;
    }
    if !out.is_json() {
        out.say(format_args!("the backend answered {status}"));
    }
    Code::ErrorAnswer
}
