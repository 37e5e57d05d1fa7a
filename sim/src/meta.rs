//! The same seed twice: everything that happened, and every word that the product logged, must be
//! the same to the last byte. A simulation that cannot be replayed proves little.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::history;
use crate::run::{Case, run};

/// Lines that are shown before two runs part.
const CONTEXT_LINES: usize = 5;

/// Runs a case twice and compares.
///
/// # Errors
/// In words, where the two runs part.
pub fn check(case: Case) -> Result<usize, String> {
    // On threads of their own, so that nothing that a thread keeps helps them to agree.
    let trace = || std::thread::spawn(move || trace(case)).join();
    let (Ok(first), Ok(second)) = (trace(), trace()) else {
        return Err("a run panicked outside of its tasks".to_owned());
    };
    if first == second {
        return Ok(first.lines().count());
    }
    Err(parting(&first, &second))
}

/// All that a run says.
pub fn trace(case: Case) -> String {
    let log = Log::default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("debug"))
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let report = tracing::subscriber::with_default(lines, || run(case, None));
    let mut text = history::text(&report.events);
    for finding in &report.findings {
        text += &format!("{}: {}\n", finding.checker, finding.what);
    }
    text + &log.text()
}

fn parting(first: &str, second: &str) -> String {
    let both = || first.lines().zip(second.lines());
    let same = both().take_while(|(one, other)| one == other).count();
    let before = first
        .lines()
        .skip(same.saturating_sub(CONTEXT_LINES))
        .take(same.min(CONTEXT_LINES));
    let before: String = before.map(|line| format!("    {line}\n")).collect();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!(
        "two runs of the same seed part at line {}:\n{before}  1: {}\n  2: {}",
        same + 1,
        line(first),
        line(second)
    )
}

/// What the product logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
