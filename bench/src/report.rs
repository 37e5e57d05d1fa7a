//! What was measured, as data; printed as tables, JSON or Markdown.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::load::Outcome;

/// The result of one suite.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Section {
    /// The suite.
    pub suite: String,
    /// The command that repeats it.
    pub command: String,
    /// What is measured, in a sentence or two.
    pub about: String,
    /// What ran where: names and versions.
    pub versions: Vec<(String, String)>,
    /// The heads of the columns.
    pub columns: Vec<String>,
    /// The figures.
    pub rows: Vec<Vec<String>>,
    /// What was to be reached, and what was.
    pub targets: Vec<Target>,
}

/// One promise and whether it was kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// In words.
    pub name: String,
    /// The bound, in words.
    pub wanted: String,
    /// What was measured, in words.
    pub measured: String,
    /// Whether it was reached; none when nothing was promised.
    pub reached: Option<bool>,
}

impl Section {
    /// An empty section.
    pub fn new(suite: &str, about: &str, columns: &[&str]) -> Self {
        Self {
            suite: suite.to_owned(),
            about: about.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// Adds a line of figures.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        eprintln!("  {}", cells.join("  "));
        self.rows.push(cells.to_vec());
    }

    /// Adds a line for several rounds of one load, taken together: how many answers, how many a
    /// second, the median and the 99th percentile of their latency in milliseconds, and the CPU
    /// per answer in microseconds.
    pub fn rounds<'a>(
        &mut self,
        name: &str,
        rounds: impl IntoIterator<Item = &'a Outcome>,
        cpu: f64,
    ) -> Result<()> {
        let mut latency =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1_000, 600_000_000_000, 3)?;
        let mut elapsed = Duration::ZERO;
        for outcome in rounds {
            latency.add(&outcome.latency)?;
            elapsed += outcome.elapsed;
        }
        self.row([
            name.to_owned(),
            latency.len().to_string(),
            number(latency.len() as f64 / elapsed.as_secs_f64()),
            number(latency.value_at_quantile(0.5) as f64 / 1e6),
            number(latency.value_at_quantile(0.99) as f64 / 1e6),
            number(cpu),
        ]);
        Ok(())
    }

    /// A figure that must be at least so much.
    pub fn at_least(&mut self, name: &str, bound: f64, measured: f64, unit: &str) {
        self.target(
            name,
            format!("at least {}{unit}", number(bound)),
            measured,
            unit,
            Some(measured >= bound),
        );
    }

    /// A figure that must be at most so much.
    pub fn at_most(&mut self, name: &str, bound: f64, measured: f64, unit: &str) {
        self.target(
            name,
            format!("at most {}{unit}", number(bound)),
            measured,
            unit,
            Some(measured <= bound),
        );
    }

    /// A ratio without a promise, for comparison.
    pub fn plain(&mut self, name: &str, measured: f64, unit: &str) {
        self.target(name, "no bound".to_owned(), measured, unit, None);
    }

    fn target(
        &mut self,
        name: &str,
        wanted: String,
        measured: f64,
        unit: &str,
        reached: Option<bool>,
    ) {
        let measured = format!("{}{unit}", number(measured));
        self.targets.push(Target {
            name: name.to_owned(),
            wanted,
            measured,
            reached,
        });
    }

    /// As text for a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.suite, self.about);
        text.push_str(&columns_of(&self.columns, &self.rows));
        for target in &self.targets {
            let word = verdict(target, "MISSED");
            let _ = writeln!(
                text,
                "  {word:<8} {}: {} (wanted {})",
                target.name, target.measured, target.wanted
            );
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.suite, self.about);
        let _ = writeln!(text, "```\n{}\n```\n", self.command);
        let versions: Vec<String> = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        let _ = writeln!(text, "{}.\n", versions.join(", "));
        text.push_str(&markdown_table(&self.columns, &self.rows));
        if !self.targets.is_empty() {
            let heads = ["target", "wanted", "measured", ""].map(str::to_owned);
            let rows: Vec<Vec<String>> = self.targets.iter().map(target_cells).collect();
            let _ = write!(text, "\n{}", markdown_table(&heads, &rows));
        }
        text
    }
}

fn verdict(target: &Target, missed: &'static str) -> &'static str {
    match target.reached {
        Some(true) => "reached",
        Some(false) => missed,
        None => "-",
    }
}

fn target_cells(target: &Target) -> Vec<String> {
    let word = verdict(target, "**missed**");
    vec![
        target.name.clone(),
        target.wanted.clone(),
        target.measured.clone(),
        word.to_owned(),
    ]
}

/// Keeps a section, so that a page can be written from suites that ran at different times.
pub fn save(directory: &Path, section: &Section) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let file = directory.join(format!("{}.json", section.suite));
    std::fs::write(file, serde_json::to_vec_pretty(section)?)?;
    Ok(())
}

/// Writes the page from the sections that were kept, in the order of `suites`.
pub fn write_page(page: &Path, directory: &Path, suites: &[&str]) -> Result<()> {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench --write`; do not edit. All servers, the load \
         generator and the backends share the machine named with each suite, over loopback. A \
         target that was missed is shown as missed; no test fails on a time.\n\n",
    );
    for suite in suites {
        if let Ok(bytes) = std::fs::read(directory.join(format!("{suite}.json"))) {
            let section: Section = serde_json::from_slice(&bytes)?;
            text.push_str(&section.markdown());
            text.push('\n');
        }
    }
    std::fs::write(page, format!("{}\n", text.trim_end()))?;
    Ok(())
}

/// A number with three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The one in the middle; of an even number, the mean of the two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

/// Bytes as MiB.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn columns_of(heads: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain(std::iter::once(&heads.to_vec()))
            .filter_map(|row| row.get(column).map(|cell| cell.chars().count()))
            .max();
        cells.unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&heads.to_vec()).chain(rows) {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "  {cell:<width$}");
        }
        text.push('\n');
    }
    text
}

fn markdown_table(heads: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = vec!["---".to_owned(); heads.len()];
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{}{body}", line(heads), line(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.0123, 1.234, 12.34, 1234.5, 8.0, 0.0].map(number);
        assert_eq!(shown, ["0.012", "1.23", "12.3", "1234", "8", "0"]);
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_missed_target_is_said() {
        let mut section = Section::new("s", "about", &["a"]);
        section.at_least("rate", 8.0, 7.5, " x");
        section.at_most("time", 2.0, 1.0, " s");
        let text = section.text();
        assert!(
            text.contains("MISSED   rate: 7.50 x (wanted at least 8 x)"),
            "{text}"
        );
        assert!(
            text.contains("reached  time: 1 s (wanted at most 2 s)"),
            "{text}"
        );
    }
}
