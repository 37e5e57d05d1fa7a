//! What is wrong with a config: every finding with its place, what was expected, and a suggestion.

mod mask;
mod render;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::section::Given;
use crate::tree::Origin;

/// A text in which something was said: the file, a variable or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) kind: DocumentKind,
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Who speaks in a document. Findings are listed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DocumentKind {
    File,
    Environment,
    Flag,
}

/// Everything that was found in a config that cannot be used, warnings included. Ordered by place:
/// the file from its top, then the environment, then flags, then what has no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Errors {
    findings: Vec<Finding>,
}

/// One mistake or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    severity: Severity,
    code: Code,
    key: Option<String>,
    message: String,
    expected: Option<String>,
    nearest: Option<String>,
    help: Option<String>,
    place: Option<Place>,
    #[serde(skip)]
    at: Option<Origin>,
    #[serde(skip)]
    related: Option<(Origin, String)>,
}

/// Whether a finding keeps the config from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but probably something other was meant.
    Warning,
}

/// What kind of finding it is. Stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The file is not TOML.
    Syntax,
    /// No key or section has this name.
    UnknownKey,
    /// The key is part of raincheck's design, but not of this version.
    Unsupported,
    /// The value is of the wrong type or cannot be read.
    BadValue,
    /// A key that must be there is not.
    Missing,
    /// `${NAME}` stands in a value and there is no such variable.
    MissingVariable,
    /// A variable begins with `RAINCHECK_` and names no key.
    UnknownVariable,
    /// Two values contradict each other.
    Conflict,
    /// A value that nothing reads because of another one.
    NoEffect,
}

/// The place of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Place {
    /// In the file.
    File {
        /// Its path as given.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
    },
    /// In a variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// In a flag of the command line.
    Flag {
        /// Its name with dashes.
        flag: String,
    },
}

impl Finding {
    pub(crate) fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            key: None,
            message: printable(&message.into()),
            expected: None,
            nearest: None,
            help: None,
            place: None,
            at: None,
            related: None,
        }
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    pub(crate) fn at(mut self, origin: &Origin) -> Self {
        self.place = Some(origin.place());
        self.at = Some(origin.clone());
        self
    }

    /// Names a value that somebody gave: its place and its key.
    pub(crate) fn about<T>(self, given: &Given<T>) -> Self {
        self.at(&given.at).key(&given.key)
    }

    pub(crate) fn at_option(self, origin: Option<&Origin>) -> Self {
        match origin {
            Some(origin) => self.at(origin),
            None => self,
        }
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn nearest(mut self, nearest: Option<&str>) -> Self {
        self.nearest = nearest.map(printable);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, origin: Option<&Origin>, label: impl Into<String>) -> Self {
        self.related = origin.map(|origin| (origin.clone(), label.into()));
        self
    }

    /// Whether this keeps the config from being used.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What kind of finding this is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The path of the key, as in `route.render.timeout`.
    pub fn key_path(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would have been right.
    pub fn expected_text(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// The known key or value that is most like the one written.
    pub fn nearest_known(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it was said; none where something is missing altogether.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The finding with the lines it is about, as rustc would print it. Ends without a newline.
    pub fn render(&self, coloured: bool) -> String {
        render::render(self, coloured)
    }

    /// What has no place comes last.
    fn order(&self) -> (bool, Option<DocumentKind>, usize) {
        let at = self.at.as_ref();
        (
            at.is_none(),
            at.map(|at| at.document.kind),
            at.map_or(0, |at| at.span.start),
        )
    }

    fn line(&self) -> Option<usize> {
        match self.place {
            Some(Place::File { line, .. }) => Some(line),
            _ => None,
        }
    }
}

impl Origin {
    fn place(&self) -> Place {
        let name = self.document.name.clone();
        match self.document.kind {
            DocumentKind::File => {
                let (line, column) = position(&self.document.text, &self.span);
                Place::File {
                    file: name,
                    line,
                    column,
                }
            }
            DocumentKind::Environment => Place::Environment { variable: name },
            DocumentKind::Flag => Place::Flag { flag: name },
        }
    }
}

/// Without control characters: what was written may be quoted on a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let control = c.is_control();
            let escaped = control.then(|| c.escape_default()).into_iter().flatten();
            escaped.chain((!control).then_some(c))
        })
        .collect()
}

/// Line and column of a span's start, both from 1, in characters.
fn position(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(span.start)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Findings while they are being collected.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// In order of place, each once. Where the file is not TOML, what could only be a consequence
    /// of that is left out: what seems missing, and whatever is said of the same lines.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.0.sort_by_key(Finding::order);
        let broken: BTreeSet<usize> = self
            .0
            .iter()
            .filter(|f| f.code == Code::Syntax)
            .filter_map(Finding::line)
            .collect();
        let mut kept: Vec<Finding> = Vec::with_capacity(self.0.len());
        for finding in self.0 {
            let consequence = !broken.is_empty()
                && finding.code != Code::Syntax
                && (finding.code == Code::Missing
                    || finding.line().is_some_and(|line| broken.contains(&line)));
            let mut same_place = kept
                .iter()
                .rev()
                .take_while(|k| k.order() == finding.order());
            let again = same_place.any(|earlier| *earlier == finding);
            if !consequence && !again {
                kept.push(finding);
            }
        }
        kept
    }
}

impl Errors {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// All findings, ordered by place. At least one is an error.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many of the findings are errors.
    pub fn count(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }

    /// All findings as rustc would print them, with a closing line that counts them.
    pub fn render(&self, coloured: bool) -> String {
        render::render_all(self, coloured)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}
