//! Findings as rustc prints its own: title, the lines, what was expected, a suggestion.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Code, Document, DocumentKind, Errors, Finding, Severity, mask};
use crate::tree::Origin;

/// One finding.
pub(super) fn render(finding: &Finding, coloured: bool) -> String {
    let renderer = if coloured {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group(finding)])
}

/// Findings that are printed at most: somebody who gave the wrong file shall see that soon.
const SHOWN_MAX: usize = 100;

/// All findings, up to a bound, and a closing line that counts them.
pub(super) fn render_all(errors: &Errors, coloured: bool) -> String {
    let mut text = String::new();
    for finding in errors.findings().iter().take(SHOWN_MAX) {
        text.push_str(&render(finding, coloured));
        text.push_str("\n\n");
    }
    if let Some(more @ 1..) = errors.findings().len().checked_sub(SHOWN_MAX) {
        text.push_str(&format!("... and {more} more\n\n"));
    }
    let warnings = errors.findings().len() - errors.count();
    text.push_str(&counted(errors.count(), "error"));
    if warnings > 0 {
        text.push_str(", ");
        text.push_str(&counted(warnings, "warning"));
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn group(finding: &Finding) -> Group<'_> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&*finding.message));
    if let Some(at) = &finding.at {
        group = group.elements(snippets(finding, at));
    } else if let Some(expected) = &finding.expected {
        group = group.element(Level::NOTE.message(format!("expected {expected}")));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(&**help));
    }
    group
}

/// The lines of the finding and of what it is related to: one snippet if both are in one document.
fn snippets<'a>(
    finding: &'a Finding,
    at: &'a Origin,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let own = AnnotationKind::Primary
        .span(clamp(at))
        .label(label(finding));
    let first = snippet(&at.document).annotation(own);
    let Some((other, text)) = &finding.related else {
        return vec![first];
    };
    let context = AnnotationKind::Context.span(clamp(other)).label(&**text);
    if Arc::ptr_eq(&other.document, &at.document) {
        vec![first.annotation(context)]
    } else {
        vec![first, snippet(&other.document).annotation(context)]
    }
}

fn snippet(document: &Document) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let snippet = Snippet::source(shown(document));
    match document.kind {
        DocumentKind::File => snippet.path(&*document.name),
        DocumentKind::Environment => snippet.path("environment"),
        // The flag itself is shown; nobody counts its columns.
        DocumentKind::Flag => snippet,
    }
}

/// The text without its secrets, and with control characters of Latin-1 (U+0080 to U+009F) replaced,
/// as some terminals obey them; the renderer replaces all others. By a character of as many bytes, so
/// that places stay.
fn shown(document: &Document) -> Cow<'_, str> {
    match mask::masked(document) {
        Some(masked) => Cow::Owned(printable(&masked).into_owned()),
        None => printable(&document.text),
    }
}

fn printable(text: &str) -> Cow<'_, str> {
    let control = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    match text.contains(control) {
        true => Cow::Owned(text.replace(control, "\u{b7}")),
        false => Cow::Borrowed(text),
    }
}

fn label(finding: &Finding) -> Option<String> {
    match (&finding.nearest, &finding.expected) {
        // The help says where the key belongs.
        (None, _) if finding.code == Code::UnknownKey && finding.help.is_some() => None,
        (Some(nearest), Some(expected)) if finding.code == Code::BadValue => {
            Some(format!("expected {expected}; did you mean `{nearest}`?"))
        }
        (Some(nearest), _) => Some(format!("did you mean `{nearest}`?")),
        (None, Some(expected)) => Some(format!("expected {expected}")),
        (None, None) => None,
    }
}

/// The first line of the span only: a table that lacks a key is shown by its header. Never outside
/// of the text, never inside of a character.
fn clamp(at: &Origin) -> Range<usize> {
    let text = &*at.document.text;
    let start = text.floor_char_boundary(at.span.start);
    let end = text.floor_char_boundary(at.span.end).max(start);
    let line = text[start..end]
        .find(['\n', '\r'])
        .map_or(end, |newline| start + newline);
    start..line
}
