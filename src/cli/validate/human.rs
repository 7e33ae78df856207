//! Findings as a person reads them: what, where, the line itself, and what to do.

use std::collections::BTreeSet;

use super::name;
use crate::domain::finding::{Code, Severity, quoted};
use crate::domain::manifest::{Placed, Report, Source};
use crate::domain::positions::Span;

/// How much of a long line is shown, in characters, and how much of that before the marker.
const WIDTH: usize = 120;
const BEFORE: usize = 40;

/// How words are emphasised; nothing where there is no colour.
#[derive(Clone, Copy)]
struct Style(bool);

impl Style {
    fn paint(self, how: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{how}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn of(self, severity: Severity, text: &str) -> String {
        self.paint(if severity == Severity::Error { "1;31" } else { "1;33" }, text)
    }

    fn frame(self, text: &str) -> String {
        self.paint("1;34", text)
    }
}

pub(super) fn write(sources: &[Source], reports: &[Report], coloured: bool) -> String {
    let style = Style(coloured);
    // Lines are split once for each file that is shown: a file may have many findings.
    let mut lines: Vec<Option<Vec<&str>>> = vec![None; sources.len()];
    // And a line into its characters once for all its findings: a whole document may stand on one.
    let (mut split, mut characters) = ((0, 0), Vec::new());
    let mut out = String::new();
    for report in reports {
        for placed in &report.findings {
            if let (Some(slot), Some(Ok(text))) = (lines.get_mut(placed.source), sources.get(placed.source).map(|source| &source.text)) {
                slot.get_or_insert_with(|| text.lines().collect());
            }
            let shown = lines.get(placed.source).and_then(Option::as_deref).unwrap_or_default();
            let number = placed.span.map_or(0, |span| span.line);
            let line = number.checked_sub(1).and_then(|index| shown.get(index));
            if (placed.source, number) != split {
                split = (placed.source, number);
                characters = line.map_or_else(Vec::new, |line| line.chars().collect());
            }
            out.push_str(&one(sources, report, placed, line.map(|_| characters.as_slice()), style));
            out.push('\n');
        }
    }
    out.push_str(&summary(reports, style));
    out
}

fn one(sources: &[Source], report: &Report, placed: &Placed, line: Option<&[char]>, style: Style) -> String {
    let finding = &placed.finding;
    let head = style.of(finding.severity, &format!("{}[{}]", finding.severity, finding.code));
    let mut out = format!("{head}: {}\n", style.paint("1", &plain(&finding.message)));
    let place = placed.span.map_or_else(String::new, |span| format!(":{}:{}", span.line, span.column));
    let margin = placed.span.map_or(1, |span| span.line.to_string().len());
    out.push_str(&format!("{}{} {}{place}\n", " ".repeat(margin), style.frame("-->"), plain(name(sources, placed.source))));
    let bar = format!("{} {}", " ".repeat(margin), style.frame("|"));
    if let Some(span) = placed.span
        && may_be_shown(finding.code)
        && let Some(line) = line
    {
        let (text, marker) = snippet(line, span);
        let marker = style.of(finding.severity, &marker);
        out.push_str(&format!("{bar}\n{} {} {text}\n{bar} {marker}\n", style.frame(&span.line.to_string()), style.frame("|")));
    }
    let note = |word: &str, text: String| format!("{} {} {}: {text}\n", " ".repeat(margin), style.frame("="), style.paint("1", word));
    if report.name != name(sources, placed.source) {
        out.push_str(&note("workflow", plain(&report.name)));
    }
    if let Some(node) = &finding.node {
        out.push_str(&note("node", quoted(node)));
    }
    if !finding.path.is_empty() {
        out.push_str(&note("path", plain(&finding.path)));
    }
    match (&finding.got, &finding.want) {
        (Some(got), Some(want)) => out.push_str(&note("found", format!("{}, want {}", plain(got), plain(want)))),
        (Some(got), None) => out.push_str(&note("found", plain(got))),
        (None, Some(want)) => out.push_str(&note("want", plain(want))),
        (None, None) => {}
    }
    if let Some(suggestion) = &finding.suggestion {
        out.push_str(&note("help", format!("did you mean {}?", style.paint("1;32", &quoted(suggestion)))));
    }
    out
}

/// Whether the line of a finding may be repeated: logs of pipelines are read by many.
fn may_be_shown(code: Code) -> bool {
    !code.as_str().starts_with("secret-") && !code.as_str().starts_with("credential-")
}

/// The part of a line around a span, and the marker below it.
fn snippet(characters: &[char], span: Span) -> (String, String) {
    let start = (span.column - 1).min(characters.len());
    let end = if span.end_line == span.line { (span.end_column - 1).clamp(start, characters.len()) } else { characters.len() };
    let from = if characters.len() <= WIDTH { 0 } else { start.saturating_sub(BEFORE) };
    let to = (from + WIDTH).min(characters.len());
    let shown = characters.get(from..to).unwrap_or_default();
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < characters.len() { "…" } else { "" });
    let text = format!("{left}{}{right}", plain(&shown.iter().collect::<String>()));
    // An object or list that goes on below is marked where it begins.
    let width = if span.end_line == span.line { end.min(to).saturating_sub(start).max(1) } else { 1 };
    let marker = format!("{}{}", " ".repeat(start - from + left.chars().count()), "^".repeat(width));
    (text.trim_end().to_owned(), marker)
}

/// Text on one line that cannot steer a terminal, with one character for each.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() || is_steering(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Characters that turn the direction of writing.
fn is_steering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn summary(reports: &[Report], style: Style) -> String {
    let files: BTreeSet<usize> = reports.iter().map(|report| report.source).collect();
    let of = |severity| reports.iter().flat_map(|report| &report.findings).filter(|placed| placed.finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let painted = |severity, count, noun| if count == 0 { counted(0, noun) } else { style.of(severity, &counted(count, noun)) };
    format!(
        "{} in {}: {}, {}\n",
        counted(reports.len(), "workflow"),
        counted(files.len(), "file"),
        painted(Severity::Error, errors, "error"),
        painted(Severity::Warning, warnings, "warning")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_marker() {
        let line = format!("{}here{}", "a".repeat(500), "b".repeat(500));
        let (text, marker) = snippet(&line.chars().collect::<Vec<_>>(), Span { line: 1, column: 501, end_line: 1, end_column: 505 });
        let at = marker.chars().take_while(|c| *c == ' ').count();
        let marked: String = text.chars().skip(at).take(4).collect();
        assert_eq!((marked.as_str(), marker.trim_start()), ("here", "^^^^"));
        assert!(text.chars().count() <= WIDTH + 2 && text.starts_with('…') && text.ends_with('…'));
    }

    #[test]
    fn what_goes_on_below_is_marked_where_it_begins_and_nothing_steers_the_terminal() {
        let line: Vec<char> = "\t\"a\u{1b}[31m\": {".chars().collect();
        let (text, marker) = snippet(&line, Span { line: 1, column: 2, end_line: 3, end_column: 2 });
        assert_eq!((text.as_str(), marker.as_str()), (" \"a\u{fffd}[31m\": {", " ^"));
    }
}
