//! Findings for people: the problem, its place, the source line, and the fix.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{by_harm, name};
use crate::document::finding::{Code, Severity, quoted};
use crate::document::positions::Span;
use crate::manifest::{Kind, Placed, Report, Source};
use crate::text::shown as plain;

/// Maximum number of characters shown of a long line, and number of those before the marker.
const WIDTH: usize = 120;
const BEFORE: usize = 40;

/// Style of emphasised words; no emphasis without colour.
#[derive(Clone, Copy)]
struct Style(bool);

impl Style {
    fn paint(self, how: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{how}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn of(self, severity: Severity, text: &str) -> String {
        let colour = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.paint(colour, text)
    }

    fn frame(self, text: &str) -> String {
        self.paint("1;34", text)
    }
}

/// Maximum number of findings of one code, other than errors, that are shown one by one; of more only the first is shown, with the places
/// of the others.
const UNFOLDED: usize = 2;
/// Maximum number of places of folded findings that are listed.
const LISTED: usize = 4;

pub(super) fn write(sources: &[Source], reports: &[Report], hidden: usize, coloured: bool) -> String {
    let style = Style(coloured);
    let mut shown = Shown { sources, lines: vec![None; sources.len()], split: (0, 0), characters: Vec::new() };
    let mut out = String::new();
    for group in grouped(&by_harm(reports)) {
        let Some((first, others)) = group.split_first() else { continue };
        out.push_str(&one(sources, first.0, first.1, shown.line(first.1), style));
        if !others.is_empty() {
            out.push_str(&folded(sources, others, style));
        }
        out.push('\n');
    }
    out.push_str(&summary(reports, hidden, style));
    out
}

type Entry<'r> = (&'r Report, &'r Placed);

/// Groups the findings as they are shown: one by one, or all of one code together.
fn grouped<'r>(all: &[Entry<'r>]) -> Vec<Vec<Entry<'r>>> {
    let key = |placed: &Entry<'_>| (placed.1.finding.severity, placed.1.finding.code);
    let mut counted = BTreeMap::new();
    for placed in all {
        *counted.entry(key(placed)).or_insert(0) += 1;
    }
    let mut groups: Vec<Vec<Entry<'r>>> = Vec::new();
    let mut places = BTreeMap::new();
    for placed in all {
        let key = key(placed);
        let folds = key.0 != Severity::Error && counted.get(&key).is_some_and(|count| *count > UNFOLDED);
        match places.get(&key).and_then(|at: &usize| groups.get_mut(*at)).filter(|_| folds) {
            Some(group) => group.push(*placed),
            None => {
                places.insert(key, groups.len());
                groups.push(vec![*placed]);
            }
        }
    }
    groups
}

/// Returns the places of findings that repeat the one above them.
fn folded(sources: &[Source], others: &[Entry<'_>], style: Style) -> String {
    let note = |text: String| format!("  {} {}: {text}\n", style.frame("="), style.paint("1", "also"));
    let place = |(_, placed): &Entry<'_>| {
        let at = placed.span.map_or_else(String::new, |span| format!(":{}:{}", span.line, span.column));
        let node = placed.finding.node.as_ref().map_or_else(String::new, |node| format!(" node {}", quoted(node)));
        format!("{}{at}{node}", plain(name(sources, placed.source)))
    };
    let mut out: String = others.iter().take(LISTED).map(|placed| note(place(placed))).collect();
    if let Some(left) = others.len().checked_sub(LISTED).filter(|left| *left > 0) {
        out.push_str(&note(format!("{left} more; --output concise lists all")));
    }
    out
}

/// The lines of the files, split when they are needed.
struct Shown<'s> {
    sources: &'s [Source],
    /// Lines are split once per file that is shown, because a file may have many findings.
    lines: Vec<Option<Vec<&'s str>>>,
    /// A line is split into characters once for all its findings, because a whole document may be one line.
    split: (usize, usize),
    characters: Vec<char>,
}

impl Shown<'_> {
    /// Returns the characters of the line of a finding.
    fn line(&mut self, placed: &Placed) -> Option<&[char]> {
        if let (Some(slot), Some(Ok(text))) =
            (self.lines.get_mut(placed.source), self.sources.get(placed.source).map(|source| &source.text))
        {
            slot.get_or_insert_with(|| text.lines().collect());
        }
        let lines = self.lines.get(placed.source).and_then(Option::as_deref).unwrap_or_default();
        let number = placed.span.map_or(0, |span| span.line);
        let line = number.checked_sub(1).and_then(|index| lines.get(index));
        if (placed.source, number) != self.split {
            self.split = (placed.source, number);
            self.characters = line.map_or_else(Vec::new, |line| line.chars().collect());
        }
        line.map(|_| self.characters.as_slice())
    }
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
        && finding.severity != Severity::Info
        && may_be_shown(finding.code)
        && sources.get(placed.source).and_then(|source| source.text.as_ref().ok()).is_some_and(|text| speaks_of_workflows(text))
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

/// Reports whether the line of a finding may be shown: logs of pipelines have many readers.
fn may_be_shown(code: Code) -> bool {
    !code.as_str().starts_with("secret-") && !code.as_str().starts_with("credential-")
}

/// Reports whether a file is meant to contain a workflow. Lines of other files are not shown: a link in a repository, or a pattern on the
/// command line, may lead to any file of the machine.
fn speaks_of_workflows(text: &str) -> bool {
    ["\"nodes\"", "nodes:", "\"connections\"", "connections:", "weirkeeper.dev/"].iter().any(|word| text.contains(word))
}

/// Returns the part of a line around a span, and the marker below it.
fn snippet(characters: &[char], span: Span) -> (String, String) {
    let start = (span.column - 1).min(characters.len());
    let end = if span.end_line == span.line { (span.end_column - 1).clamp(start, characters.len()) } else { characters.len() };
    let from = if characters.len() <= WIDTH { 0 } else { start.saturating_sub(BEFORE) };
    let to = (from + WIDTH).min(characters.len());
    let shown = characters.get(from..to).unwrap_or_default();
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < characters.len() { "…" } else { "" });
    let text = format!("{left}{}{right}", plain(&shown.iter().collect::<String>()));
    // An object or list that continues on the next lines is marked at its beginning.
    let width = if span.end_line == span.line { end.min(to).saturating_sub(start).max(1) } else { 1 };
    let marker = format!("{}{}", " ".repeat(start - from + left.chars().count()), "^".repeat(width));
    (text.trim_end().to_owned(), marker)
}

fn summary(reports: &[Report], hidden: usize, style: Style) -> String {
    let files: BTreeSet<usize> = reports.iter().map(|report| report.source).collect();
    let of = |severity| reports.iter().flat_map(|report| &report.findings).filter(|placed| placed.finding.severity == severity).count();
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let painted = |severity, noun| match of(severity) {
        0 => counted(0, noun),
        count => style.of(severity, &counted(count, noun)),
    };
    let instances = reports.iter().filter(|report| report.kind == Kind::N8nInstance).count();
    let mut out = counted(reports.len() - instances, "workflow");
    if instances > 0 {
        out.push_str(&format!(" and {}", counted(instances, "instance")));
    }
    let (errors, warnings) = (painted(Severity::Error, "error"), painted(Severity::Warning, "warning"));
    out.push_str(&format!(" in {}: {errors}, {warnings}", counted(files.len(), "file")));
    if of(Severity::Info) > 0 {
        out.push_str(&format!(", {} for information", style.of(Severity::Info, &of(Severity::Info).to_string())));
    }
    if hidden > 0 {
        out.push_str(&format!(" ({hidden} not selected)"));
    }
    out.push('\n');
    out
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
    fn a_value_of_several_lines_is_marked_at_its_beginning_and_nothing_controls_the_terminal() {
        let line: Vec<char> = "\t\"a\u{1b}[31m\": {".chars().collect();
        let (text, marker) = snippet(&line, Span { line: 1, column: 2, end_line: 3, end_column: 2 });
        assert_eq!((text.as_str(), marker.as_str()), (" \"a\u{fffd}[31m\": {", " ^"));
    }
}
