//! What a person sees on stderr meanwhile; nothing where nobody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::sink::Sink;
use crate::cli::jobs::word;
use crate::output::{Output, printable};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);
const SPINNER: &str = "{spinner} {elapsed} {wide_msg}";
const WORK: &str = "{bar:30} {percent:>3}% {elapsed} {wide_msg}";
const SIZED: &str = "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
const UNSIZED: &str = "{spinner} {binary_bytes} {binary_bytes_per_sec}";

/// A line that changes.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line, if a person looks at stderr.
    pub(super) fn new(out: Output) -> Self {
        let target = match out.is_watched() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(SPINNER));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        bar.set_message("asking");
        Self { bar }
    }

    /// How the job stands.
    pub(super) fn status(&self, document: &Value) {
        let number = |name: &str| {
            document
                .get(name)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        let mut text = word(document, "status").to_owned();
        if number("attempts_max") > 1 && number("attempt") > 0 {
            let (attempt, max) = (number("attempt"), number("attempts_max"));
            text.push_str(&format!(", attempt {attempt} of {max}"));
        }
        if let Some(progress) = document
            .get("progress")
            .filter(|progress| !progress.is_null())
        {
            if let Some(percent) = progress.get("percent").and_then(Value::as_f64) {
                self.bar.set_length(100);
                // Between 0 and 100, so nothing is lost.
                self.bar.set_position(percent.clamp(0.0, 100.0) as u64);
                self.bar.set_style(style(WORK));
            }
            let message = word(progress, "message");
            if !message.is_empty() {
                text.push_str(&format!(": {}", printable(message)));
            }
        }
        self.bar.set_message(text);
    }

    /// The result begins. It is not drawn over where it goes to the same terminal.
    pub(super) fn download(&self, sink: &Sink) {
        if sink.is_terminal() {
            self.clear();
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.bar.set_style(style(UNSIZED));
        self.bar.set_position(0);
    }

    /// How many bytes there will be.
    pub(super) fn expects(&self, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
            self.bar.set_style(style(SIZED));
        }
    }

    /// How many bytes are there.
    pub(super) fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Something to say above the line.
    pub(super) fn aside(&self, text: &str, out: Output) {
        self.bar.suspend(|| out.say(text));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The templates are ours; one with a mistake would show as the default style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
