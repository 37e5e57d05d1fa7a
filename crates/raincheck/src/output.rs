//! What goes to stdout and what to stderr: stdout is data, stderr is talk.
//!
//! Every write to stdout goes through here, because a reader that has seen enough (`| head`) must
//! end a command quietly and not with an error. Colour is only ever added to words that say the
//! same; it is left out when `NO_COLOR` is set or nobody looks.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde_json::Value;

/// Whoever reads stdout has closed it.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout was closed")
    }
}

impl std::error::Error for Closed {}

/// Where a command says things.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// An output for machines, or for people.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads stdout.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person sees stderr as it comes: progress may be drawn there.
    pub fn is_watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// Whether colour may be used on stderr.
    pub fn colours(self) -> bool {
        AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// A line of data.
    pub fn line(self, text: impl fmt::Display) -> anyhow::Result<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// A document of data: one line of JSON.
    pub fn document(self, value: &Value) -> anyhow::Result<()> {
        self.line(value)
    }

    /// Data as it is, out at once.
    pub fn bytes(self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(of_stdout)
    }

    /// A line of talk. There is nobody to tell if it fails.
    pub fn say(self, text: impl fmt::Display) {
        _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}

/// An error of stdout: a closed one is no error.
fn of_stdout(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::new(error).context("cannot write to stdout"),
    }
}

/// Text of others without what could move a terminal's cursor or turn the direction of text around.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c.is_control() || turns(c) {
            true => '\u{fffd}',
            false => c,
        })
        .collect()
}

/// Whether a character changes the direction of what stands around it (Unicode Standard Annex 9).
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Columns of text, as wide as needed, two spaces between them, nothing at the end of a line.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these names above its columns.
    pub fn new(names: &[&str]) -> Self {
        Self {
            rows: vec![names.iter().map(|&name| name.to_owned()).collect()],
        }
    }

    /// A table without names.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.iter().map(|cell| printable(cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            let end = if index + 1 == self.rows.len() {
                ""
            } else {
                "\n"
            };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! How a table looks.

    use super::Table;

    #[test]
    fn columns_are_as_wide_as_needed() {
        let mut table = Table::new(&["JOB", "STATUS", "ROUTE"]);
        table.row(vec!["1".into(), "queued".into(), "a".into()]);
        table.row(vec![
            "22222".into(),
            "ok\u{1b}\u{202e}[2J".into(),
            String::new(),
        ]);
        let expected = "JOB    STATUS   ROUTE\n1      queued   a\n22222  ok\u{fffd}\u{fffd}[2J";
        assert_eq!(table.to_string(), expected);
    }
}
