//! The documentation of every key, printed from the table of keys: `docs/reference/config.md` and
//! the commented `defaults.toml`. Tests compare both with what is checked in.

use crate::behind::Behind;
use crate::keys::{Fallback, Key, OWN, SectionName};
use crate::source;
use crate::units::show_duration;

/// The page `docs/reference/config.md`.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for section in SectionName::ALL {
        out.push_str(&format!(
            "\n## {}\n\n{}\n\n",
            heading(section),
            about(section)
        ));
        out.push_str(
            "| key | takes | default | since | meaning |\n| --- | --- | --- | --- | --- |\n",
        );
        for key in section.keys() {
            out.push_str(&row(key));
        }
    }
    out.push_str(&variables());
    out.push_str(&presets());
    out
}

const INTRODUCTION: &str = "\
# Configuration

A value comes from the file (`raincheck serve --config FILE`), is overridden by a variable
`RAINCHECK_...`, and that by a flag. `raincheck check FILE` prints all mistakes at once. A key nobody
knows is a mistake.

Durations are whole numbers with `ms`, `s`, `m`, `h`, `d`, from large to small: `\"1m30s\"`. Sizes
are numbers of bytes, or have a unit: `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024), `KB`, `MB`, `GB`,
`TB` (powers of 1000).

In strings of the file `${NAME}` is replaced by a variable of the environment, `${NAME:-otherwise}`
by `otherwise` where the variable is missing or empty; `$${` stands for `${`.
";

fn heading(section: SectionName) -> String {
    match section {
        SectionName::Route => "`[[route]]` and `[defaults]`".to_owned(),
        SectionName::Listener => "`[[server.listen]]`".to_owned(),
        SectionName::Certificate => "`tls` of a listener".to_owned(),
        SectionName::Upstream => "`[[upstream]]`".to_owned(),
        SectionName::Eject | SectionName::Health => {
            format!("`{}` of an upstream", section.as_str())
        }
        SectionName::Cors => "`cors` of a route or of `[server]`".to_owned(),
        SectionName::Retry
        | SectionName::Callback
        | SectionName::RequestHeaders
        | SectionName::ResponseHeaders
        | SectionName::Redirect
        | SectionName::Respond => format!("`{}` of a route", section.as_str()),
        SectionName::Server
        | SectionName::Admin
        | SectionName::Store
        | SectionName::Log
        | SectionName::Limits
        | SectionName::Webhooks => format!("`[{}]`", section.as_str()),
    }
}

fn about(section: SectionName) -> &'static str {
    match section {
        SectionName::Server => "The listener for clients.",
        SectionName::Listener => {
            "A listener of which more is said than its address, once for each; or one table in \
             `admin.listen`. See [the guide](../guide/listening.md)."
        }
        SectionName::Certificate => "A certificate, once for each.",
        SectionName::Admin => "The listener for operators.",
        SectionName::Store => "Where jobs are kept.",
        SectionName::Log => "What is logged.",
        SectionName::Limits => "Bounds over all routes.",
        SectionName::Webhooks => {
            "How callers are told of their jobs' ends. See [the guide](../guide/webhooks.md)."
        }
        SectionName::Upstream => {
            "Servers that do the same work, for the routes that name them: once for each."
        }
        SectionName::Eject => {
            "When a server gets no requests for a while because earlier ones failed."
        }
        SectionName::Health => "How the servers are checked.",
        SectionName::Route => {
            "What is promised for a method and path. `[defaults]` takes all keys but `name` and \
             `match`, for every route that does not have its own."
        }
        SectionName::Retry => "When an attempt that gave no final answer is followed by another.",
        SectionName::Callback => {
            "Where in a request its caller names a URL that is told of the job's end; the first that \
             is there counts. See [the guide](../guide/webhooks.md)."
        }
        SectionName::RequestHeaders => {
            "Fields of requests, changed as they are sent; a stored job keeps those of its client: \
             removed, then set, then added. Fields of one connection, `Raincheck-...`, `Host` and \
             those that tell where a request comes from are refused."
        }
        SectionName::ResponseHeaders => {
            "Fields of the upstream's answers, changed as soon as they come, so that a stored answer \
             has them too: removed, then set, then added. Answers that raincheck makes stay as they \
             are."
        }
        SectionName::Redirect => {
            "Sends requests elsewhere, but for those that are there already: these go to the \
             upstream, if the route has one."
        }
        SectionName::Respond => "One answer to every request, without an upstream.",
        SectionName::Cors => {
            "What browsers on other origins may do. Preflights are answered here; what the upstream \
             says of it is replaced. In `[server]` it is for the job API."
        }
    }
}

fn row(key: &Key) -> String {
    let default = match key.default {
        Fallback::Is(value) => format!("`{value}`"),
        Fallback::Otherwise { text, .. } => text.to_owned(),
        Fallback::Required { .. } => "required".to_owned(),
    };
    let cells = [
        format!("`{}`", key.name),
        key.kind.label(),
        default,
        key.since.to_owned(),
        key.doc.to_owned(),
    ];
    format!(
        "| {} |\n",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}

fn variables() -> String {
    let mut out = String::from(
        "\n## Variables\n\nAn empty variable counts as not set; lists are separated by commas. Any \
         other variable that begins with `RAINCHECK_` is a mistake, apart from `RAINCHECK_CONFIG`, \
         `RAINCHECK_URL`, `RAINCHECK_ADMIN_URL` and those that Kubernetes makes for services.\n\n\
         | variable | key |\n| --- | --- |\n",
    );
    for (name, path) in source::variables() {
        let key = match path.as_slice() {
            [name] => format!("`{name}` of every route"),
            path => format!("`{}`", path.join(".")),
        };
        out.push_str(&format!("| `{name}` | {key} |\n"));
    }
    out
}

fn presets() -> String {
    let mut out = String::from(
        "\n## Values of `server.behind`\n\n| value | what it is | gives up after | `hold` | \
         `hold_until` |\n| --- | --- | --- | --- | --- |\n",
    );
    for behind in Behind::ALL {
        let (of, until) = match behind.hold_until() {
            raincheck_core::route::HoldUntil::Head => ("silence", "head"),
            raincheck_core::route::HoldUntil::Complete => ("whole response", "complete"),
        };
        out.push_str(&format!(
            "| `{}` | {} | {} ({of}) | {} | `\"{until}\"` |\n",
            behind.as_str(),
            behind.title(),
            show_duration(behind.cuts_after()),
            show_duration(behind.hold()),
        ));
    }
    out
}

/// The commented `defaults.toml`: every key with its default, and one route.
pub fn defaults_toml() -> String {
    let mut out = String::from(
        "# Every key of raincheck with its default. Lines that begin with \"# key =\" show a key whose\n\
         # default is no value that could be written. Printed from the code.\n",
    );
    for section in SectionName::ALL {
        match section {
            SectionName::Route => {
                out.push_str(
                    "\n# Keys that every route has unless it says otherwise.\n[defaults]\n",
                );
                section
                    .keys()
                    .filter(|key| !OWN.contains(&key.name))
                    .for_each(|key| entry(&mut out, key));
            }
            SectionName::Listener => {
                out.push_str(
                    "\n# A listener of which more is said than its address, instead of `listen` \
                     above.\n# [[server.listen]]\n",
                );
                section.keys().for_each(|key| commented(&mut out, key));
            }
            SectionName::Upstream | SectionName::Eject | SectionName::Health => {
                let heading = match section {
                    SectionName::Upstream => "[[upstream]]".to_owned(),
                    inner => format!("[upstream.{}]", inner.as_str()),
                };
                out.push_str(&format!("\n# {}\n{heading}\n", about(section)));
                section.keys().for_each(|key| entry(&mut out, key));
            }
            SectionName::Certificate => {
                out.push_str(
                    "\n# A certificate, instead of `tls` above.\n# [[server.listen.tls]]\n",
                );
                section.keys().for_each(|key| commented(&mut out, key));
            }
            SectionName::Retry | SectionName::Callback => {
                let (about, name) = (about(section), section.as_str());
                out.push_str(&format!("\n# {about}\n[defaults.{name}]\n"));
                section.keys().for_each(|key| entry(&mut out, key));
            }
            section if section.is_optional() => {}
            _ => {
                out.push_str(&format!("\n# {}\n[{}]\n", about(section), section.as_str()));
                section.keys().for_each(|key| entry(&mut out, key));
            }
        }
    }
    out.push_str(
        "\n# A route: once for each. It takes every key of [defaults] as well.\n[[route]]\n",
    );
    for key in SectionName::Route.keys() {
        if let Fallback::Required { example } = key.default {
            comment(&mut out, key);
            out.push_str(&format!("{} = {example}\n", key.name));
        }
    }
    out
}

/// A key: its meaning, then `key = value`, commented out where no value says the default.
fn entry(out: &mut String, key: &Key) {
    comment(out, key);
    match key.default {
        Fallback::Is(value) => out.push_str(&format!("{} = {value}\n", key.name)),
        Fallback::Required { example } if key.section == SectionName::Upstream => {
            out.push_str(&format!("{} = {example}\n", key.name));
        }
        Fallback::Otherwise { example, .. } | Fallback::Required { example } => {
            out.push_str(&format!("# {} = {example}\n", key.name));
        }
    }
}

/// A key, commented out in any case.
fn commented(out: &mut String, key: &Key) {
    comment(out, key);
    let value = match key.default {
        Fallback::Is(value) => value,
        Fallback::Otherwise { example, .. } | Fallback::Required { example } => example,
    };
    out.push_str(&format!("# {} = {value}\n", key.name));
}

fn comment(out: &mut String, key: &Key) {
    let default = match key.default {
        Fallback::Is(_) => String::new(),
        Fallback::Otherwise { text, .. } => format!(" Default: {text}."),
        Fallback::Required { .. } => " Required.".to_owned(),
    };
    let text = format!(
        "{}{default} Takes {}. Since {}.",
        key.doc,
        key.kind.expecting(),
        key.since
    );
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 100 {
            out.push_str(&line);
            out.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
