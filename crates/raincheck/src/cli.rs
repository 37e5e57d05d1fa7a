//! Commands and flags. Each command is a file below that takes its arguments and an [`Output`].

mod backup;
mod check;
mod completions;
mod demo;
mod docs;
mod jobs;
mod load;
mod replace;
mod serve;
mod submit;
mod target;
mod verify;
mod wait;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use raincheck_core::job::Status;

use crate::exit::Code;
use crate::output::Output;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "raincheck",
    version,
    about = "An HTTP gateway that answers in time: with the response, or with a ticket for it",
    after_help = "Start with 'raincheck demo', or put it in front of a backend:\n  \
                  raincheck serve --upstream http://127.0.0.1:9000\n\
                  What went wrong: raincheck jobs list --status failed, then raincheck jobs show ID",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Data on stdout and errors on stderr as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Serve(ServeArgs),
    /// Have a new process take over from the running gateway, without a request that fails; prints
    /// the new process id
    Replace(ReplaceArgs),
    /// Check a config and show the routes it makes, in the order in which they are tried
    Check(CheckArgs),
    /// Run the gateway with a slow backend in one process, to try it out; needs no network
    Demo(DemoArgs),
    /// List, show, cancel and retry jobs, over the admin listener
    Jobs(JobsArgs),
    /// Send a request and get a ticket at once: prints the URL of the job
    Submit(SubmitArgs),
    /// Wait for a job and print its result, byte for byte
    Wait(WaitArgs),
    /// Check every record of a data directory that no process uses: stop the gateway first, or check
    /// a backup
    Verify(VerifyArgs),
    /// Copy a data directory, also while a gateway uses it; the copy is a data directory
    Backup(BackupArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print a page of the documentation
    #[command(hide = true)]
    Docs(DocsArgs),
}

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Take over from the process that serves from the same data directory, if there is one,
    /// without a request that fails
    #[arg(long)]
    pub take_over: bool,
    /// The config.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `replace`.
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// Where the data is.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A config, and what is said over it.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// The config file; without one, --upstream says where requests go
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "RAINCHECK_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<OsString>,
    /// What flags say.
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Flags over the config. Those about routes hold for every route of the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "In place of what the config says")]
pub struct OverrideArgs {
    /// The backend of every route; without a file, of one route that takes every request
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// How clients are served: sync, auto or async
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// How long a client of an auto route waits before it gets a ticket, as in 25s
    #[arg(long, value_name = "DURATION")]
    pub hold: Option<String>,
    /// How long one attempt may take, all of it, as in 15m; none: for ever
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Where clients connect, as in 0.0.0.0:8080
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
    /// What stands in front, as in api-gateway, alb, nginx or cloudflare
    #[arg(long, value_name = "EDGE")]
    pub behind: Option<String>,
    /// Where operators connect, as in 127.0.0.1:9090; off: nowhere
    #[arg(long, value_name = "IP:PORT")]
    pub admin_listen: Option<String>,
    /// The data directory, where jobs are kept
    #[arg(long, value_name = "DIR")]
    pub store_path: Option<String>,
    /// How much is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How it is logged: text or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The config file, in place of --config and RAINCHECK_CONFIG
    #[arg(value_name = "FILE")]
    pub file: Option<OsString>,
    /// The config, as `serve` takes it.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The port of the gateway on 127.0.0.1; 0: any
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// How long a client waits before it gets a ticket
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub hold: Duration,
    /// How long the backend takes, in seconds
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub seconds: u64,
    /// Play the story once and stop
    #[arg(long)]
    pub once: bool,
}

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// The admin listener of the gateway [default: http://127.0.0.1:9090]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RAINCHECK_ADMIN_URL",
        hide_env_values = true
    )]
    pub admin_url: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: JobsCommand,
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, the newest first
    List(ListArgs),
    /// Show how jobs stand: attempts, times, answer or error, and webhooks
    Show(JobArgs),
    /// Cancel jobs that have not ended. The connection to the backend is closed; what it does then
    /// is its own affair
    Cancel(JobArgs),
    /// Run failed, cancelled or expired jobs again, under the same ids
    Retry(JobArgs),
}

/// `jobs list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only jobs in this status
    #[arg(long, value_parser = statuses())]
    pub status: Option<String>,
    /// Only jobs of this route
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// How many at most, from 1 to 500 [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: Option<u16>,
    /// Only jobs older than this one; where a page ended, it says which
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
    /// All of them, however many; without --limit
    #[arg(long)]
    pub all: bool,
}

/// What a job can be.
fn statuses() -> PossibleValuesParser {
    Status::ALL.map(Status::as_str).into()
}

/// Jobs to do something with.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Ids or URLs of jobs
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
}

/// `submit`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct SubmitArgs {
    /// The method; left out: GET, or POST with --data
    #[arg(value_name = "METHOD")]
    pub method: Option<String>,
    /// Where the request goes; a path alone is below --url
    #[arg(value_name = "URL")]
    pub target: String,
    /// A header, as in 'Accept: text/html'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// The body: text, @FILE for a file, - for stdin. Text that is JSON gets its Content-Type
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// Wait for the job and print its result, as 'raincheck wait' does
    #[arg(long)]
    pub wait: bool,
    /// How to wait.
    #[command(flatten)]
    pub waiting: WaitingArgs,
}

/// `wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// The id or the URL of the job
    #[arg(value_name = "ID|URL")]
    pub job: String,
    /// How to wait.
    #[command(flatten)]
    pub waiting: WaitingArgs,
}

/// How a job is waited for.
#[derive(Debug, Clone, Args)]
pub struct WaitingArgs {
    /// The gateway that has the job [default: http://127.0.0.1:8080]
    #[arg(
        long,
        value_name = "URL",
        env = "RAINCHECK_URL",
        hide_env_values = true
    )]
    pub url: Option<String>,
    /// Write the result to this file and not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Give up waiting after this time, as in 10m; the job goes on
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// Which data directory.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// The data directory, if it is not that of the config or ./raincheck-data
    #[arg(long, value_name = "DIR")]
    pub store_path: Option<PathBuf>,
    /// The config file that names the data directory
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "RAINCHECK_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<OsString>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The data directory; the same as --store-path
    #[arg(value_name = "DIR", conflicts_with = "store_path")]
    pub dir: Option<PathBuf>,
    /// Which data directory.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where the copy goes: a directory that is empty or not there yet
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// Which data directory.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `docs`.
#[derive(Debug, Args)]
pub struct DocsArgs {
    /// The page
    pub page: Page,
}

/// A page that is printed from the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Commands and flags.
    Cli,
    /// Every config key with its default, as a file.
    Defaults,
    /// Config keys.
    Config,
    /// Exit codes.
    ExitCodes,
    /// Metrics.
    Metrics,
    /// The states of a job.
    StateMachine,
    /// The job API, as an OpenAPI document.
    #[value(name = "openapi")]
    OpenApi,
    /// The admin listener, as an OpenAPI document.
    #[value(name = "openapi-admin")]
    OpenApiAdmin,
}

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<Code> {
    let out = Output::new(cli.json);
    match cli.command {
        Command::Serve(args) => serve::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Replace(args) => replace::run(&args, out),
        Command::Demo(args) => demo::run(args, out),
        Command::Jobs(args) => jobs::run(args, out),
        Command::Submit(args) => submit::run(args, out),
        Command::Wait(args) => wait::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Backup(args) => backup::run(args, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Docs(args) => docs::run(&args, out),
    }
}

/// The command line as clap sees it, for completions and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = raincheck_config::units::DURATION;
    raincheck_config::units::parse_duration(text)
        .map_err(|error| format!("{error}; expected {expected}"))
}
