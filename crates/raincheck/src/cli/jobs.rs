//! `raincheck jobs`: what operators ask the admin listener.

mod list;
mod show;

use http::Method;
use serde_json::Value;

use super::{JobArgs, JobsArgs, JobsCommand, target};
use crate::client::{Client, Url, block_on};
use crate::exit::{self, Code, Failure};
use crate::output::Output;

pub use show::{summary, word};

const DEFAULT_URL: &str = "http://127.0.0.1:9090";

/// A gateway's admin listener, and where to say what it says.
struct Desk {
    client: Client,
    base: Url,
    out: Output,
}

/// Does what is asked.
pub fn run(args: JobsArgs, out: Output) -> anyhow::Result<Code> {
    let base = target::base(args.admin_url.as_deref(), DEFAULT_URL)?;
    block_on(async {
        let desk = Desk {
            client: Client::new()?,
            base,
            out,
        };
        match args.command {
            JobsCommand::List(args) => desk.list(&args).await,
            JobsCommand::Show(args) => desk.each(&args, Desk::show).await,
            JobsCommand::Cancel(args) => desk.each(&args, Desk::cancel).await,
            JobsCommand::Retry(args) => desk.each(&args, Desk::retry).await,
        }
    })
}

impl Desk {
    /// Does the same with every job that was named; one that refuses keeps no other from its turn.
    async fn each(
        &self,
        args: &JobArgs,
        what: impl AsyncFn(&Self, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Code> {
        let ids = args
            .jobs
            .iter()
            .map(|job| target::job_id(job).map(|id| id.to_string()));
        let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
        let mut first = None;
        for id in &ids {
            let Err(error) = what(self, id).await else {
                continue;
            };
            let code = exit::of(&error);
            if ids.len() == 1 || matches!(code, Code::Unreachable | Code::Ok) {
                return Err(error);
            }
            self.out.say(format_args!("{id}: {error:#}"));
            first.get_or_insert(code);
        }
        Ok(first.unwrap_or(Code::Ok))
    }

    async fn show(&self, id: &str) -> anyhow::Result<()> {
        let mut job = self.job(Method::GET, id).await?;
        if job["links"]["deliveries"].is_string() {
            let url = self.base.below(&format!("jobs/{id}/deliveries"));
            let told = self.client.document(Method::GET, &url).await?;
            // Not taken out of it: that would panic if it is no object.
            job["deliveries"] = told["deliveries"].clone();
        }
        if self.out.is_json() {
            return self.out.document(&job);
        }
        self.out.line(show::described(&job))
    }

    /// Cancels a job that has not ended. The same request forgets one that has, so that is looked
    /// at first; for the moment between the two there is only the truth.
    async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let job = self.job(Method::GET, id).await?;
        let status = word(&job, "status");
        if is_finished(status) {
            let message =
                format!("job {id} has ended already: {status}; there is nothing to cancel");
            return Err(Failure::new(Code::Refused, message).into());
        }
        let job = self.job(Method::DELETE, id).await?;
        if job.is_null() {
            let message = format!("job {id} ended just before it was cancelled, and was forgotten");
            return Err(Failure::new(Code::Refused, message).into());
        }
        self.told(&job, &format!("cancelled {id}"))
    }

    async fn retry(&self, id: &str) -> anyhow::Result<()> {
        let url = self.base.below(&format!("jobs/{id}/retry"));
        let job = self.client.document(Method::POST, &url).await?;
        self.told(&job, &format!("queued {id} again"))
    }

    fn told(&self, job: &Value, text: &str) -> anyhow::Result<()> {
        if self.out.is_json() {
            return self.out.document(job);
        }
        self.out.line(text)
    }

    async fn job(&self, method: Method, id: &str) -> anyhow::Result<Value> {
        let url = self.base.below(&format!("jobs/{id}"));
        Ok(self.client.document(method, &url).await?)
    }
}

/// Whether a status is one that a job keeps.
pub fn is_finished(status: &str) -> bool {
    raincheck_core::job::Status::from_word(status).is_some_and(|status| status.is_finished())
}
