//! `raincheck docs`: pages that are printed from the code, so that they cannot drift from it.

use raincheck_api::openapi;

use super::{DocsArgs, Page};
use crate::exit::{self, Code};
use crate::output::Output;

/// Prints the page.
pub fn run(args: &DocsArgs, out: Output) -> anyhow::Result<Code> {
    let page = match args.page {
        Page::Cli => cli(),
        Page::Defaults => raincheck_config::reference::defaults_toml(),
        Page::Config => raincheck_config::reference::markdown(),
        Page::ExitCodes => exit::page(),
        Page::Metrics => raincheck_telemetry::names::markdown(),
        Page::StateMachine => raincheck_core::job::diagram::page(),
        Page::OpenApi => format!("{:#}", openapi::public("/jobs", None)),
        Page::OpenApiAdmin => format!("{:#}", openapi::admin()),
    };
    out.line(page.trim_end())?;
    Ok(Code::Ok)
}

/// The help of every command, as it is printed on a terminal of 100 columns.
fn cli() -> String {
    let mut page = String::from(
        "# Commands\n\nData goes to stdout, talk to stderr. Every command takes `--json`. How a \
         command ended is its [exit code](exit-codes.md).\n",
    );
    let mut command = super::command().term_width(100);
    command.build();
    section(&mut page, &mut command, "raincheck");
    page
}

fn section(page: &mut String, command: &mut clap::Command, name: &str) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    page.push_str(&format!(
        "\n## `{name}`\n\n```text\n{}\n```\n",
        help.join("\n")
    ));
    for inner in command
        .get_subcommands_mut()
        .filter(|inner| !inner.is_hide_set())
    {
        let name = format!("{name} {}", inner.get_name());
        section(page, inner, &name);
    }
}
