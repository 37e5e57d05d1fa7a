//! `raincheck jobs list`: a page, or all of them one page after the other.

use http::Method;
use serde_json::{Value, json};

use super::show::{attempts, outcome, seconds, word};
use super::{Desk, target};
use crate::cli::ListArgs;
use crate::exit::{Code, Failure};
use crate::output::{Table, printable};

/// Jobs in a page when all are asked for.
const PAGE: u16 = 500;

impl Desk {
    /// Prints jobs. With `--all` each page goes out as it comes, so that a million jobs need no
    /// memory.
    pub(super) async fn list(&self, args: &ListArgs) -> anyhow::Result<Code> {
        if args.all && args.limit.is_some() {
            let message = "--all prints every job and --limit at most N; leave one of them out";
            return Err(Failure::new(Code::Usage, message).into());
        }
        let mut printer = Printer::new(self, args.all);
        let mut before = args.before.as_deref().map(target::job_id).transpose()?;
        loop {
            let cursor = before.map(|id| id.to_string());
            let page = self.page(args, cursor.as_deref()).await?;
            printer.page(&page)?;
            let next = page
                .get("next")
                .and_then(Value::as_str)
                .map(target::job_id)
                .transpose()?;
            match next {
                Some(next) if args.all && Some(next) != before => before = Some(next),
                next => {
                    printer.end(next.filter(|_| !args.all).map(|id| id.to_string()))?;
                    return Ok(Code::Ok);
                }
            }
        }
    }

    async fn page(&self, args: &ListArgs, before: Option<&str>) -> anyhow::Result<Value> {
        let limit = if args.all { Some(PAGE) } else { args.limit }.map(|limit| limit.to_string());
        let parameters = [
            ("status", args.status.as_deref()),
            ("route", args.route.as_deref()),
            ("limit", limit.as_deref()),
            ("before", before),
        ];
        let query: Vec<String> = parameters
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let url = self.base.below(&format!("jobs{mark}{}", query.join("&")));
        let page = self.client.document(Method::GET, &url).await?;
        if page.get("jobs").is_none_or(|jobs| !jobs.is_array()) {
            let message =
                format!("{url} is not the list of jobs of an admin listener; check --admin-url");
            return Err(Failure::new(Code::Refused, message).into());
        }
        Ok(page)
    }
}

/// How pages are printed: for people as tables; for programs as one object, piece by piece.
struct Printer<'a> {
    desk: &'a Desk,
    all: bool,
    printed: usize,
    damaged: Vec<String>,
}

impl<'a> Printer<'a> {
    fn new(desk: &'a Desk, all: bool) -> Self {
        Self {
            desk,
            all,
            printed: 0,
            damaged: Vec::new(),
        }
    }

    fn page(&mut self, page: &Value) -> anyhow::Result<()> {
        let list = |name| {
            page.get(name)
                .and_then(Value::as_array)
                .map_or(&[][..], |list| list)
        };
        let damaged = list("damaged").iter().filter_map(Value::as_str);
        self.damaged.extend(damaged.map(printable));
        let (jobs, first) = (list("jobs"), self.printed == 0);
        self.printed += jobs.len();
        if self.desk.out.is_json() {
            return self.pieces(jobs, first);
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let names = ["JOB", "STATUS", "ROUTE", "CREATED", "ATTEMPT", "OUTCOME"];
        let mut table = if first {
            Table::new(&names)
        } else {
            Table::bare()
        };
        for job in jobs {
            table.row(vec![
                word(job, "job_id").to_owned(),
                word(job, "status").to_owned(),
                word(job, "route").to_owned(),
                seconds(word(job, "created_at")),
                attempts(job),
                outcome(job),
            ]);
        }
        self.desk.out.line(table)
    }

    fn pieces(&self, jobs: &[Value], first: bool) -> anyhow::Result<()> {
        let mut text = String::new();
        for (index, job) in jobs.iter().enumerate() {
            text.push_str(if first && index == 0 {
                "{\"jobs\":["
            } else {
                ","
            });
            text.push_str(&job.to_string());
        }
        self.desk.out.bytes(text.as_bytes())
    }

    fn end(&self, next: Option<String>) -> anyhow::Result<()> {
        let out = self.desk.out;
        if out.is_json() {
            let begin = if self.printed == 0 { "{\"jobs\":[" } else { "" };
            let rest = json!({ "next": next, "damaged": self.damaged }).to_string();
            return out.line(format_args!("{begin}],{}", rest.trim_start_matches('{')));
        }
        if self.printed == 0 {
            out.say("no jobs");
        }
        for id in &self.damaged {
            out.say(format_args!(
                "the record of job {id} is damaged; stop the gateway and run 'raincheck verify'"
            ));
        }
        if let Some(next) = next.filter(|_| !self.all) {
            out.say(format_args!("there are more: --before {next}, or --all"));
        }
        Ok(())
    }
}

/// A query parameter's value.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
