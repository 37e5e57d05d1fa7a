//! How log lines look and where they go: stderr, text for people or JSON for machines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Sets up logging for the process; a second call changes nothing. `level` is `error` to `trace`.
pub fn init(level: &str, json: bool, colour: bool) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // An error says that logging was set up before, which is what was wanted.
    _ = if json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_ansi(colour).try_init()
    };
}
