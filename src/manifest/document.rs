//! A parsed document of a file, with the positions of its parts.

use std::cell::OnceCell;

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::document::parse::{Text, Unread, has_fence, locate_text};
use crate::document::positions::{Positions, Span};

use super::report::Placed;
use super::words;

/// Maximum size of a document: n8n accepts no more than 16 MiB either.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// A document of a file.
pub(super) struct Document<'a> {
    pub(super) source: usize,
    /// Number of lines of the file that precede it.
    lines_before: usize,
    pub(super) text: &'a str,
    pub(super) read: Result<Text, Box<Unread>>,
    positions: OnceCell<Positions>,
    words: OnceCell<Vec<Finding>>,
}

/// Divides a file into its documents: JSON and Markdown are a single document, YAML is divided at the lines that begin with `---`. Of
/// several documents, empty ones are left out.
pub(super) fn divide(source: usize, text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json(text) || has_fence(text) {
        return vec![Document::read(source, 0, text)];
    }
    let mut documents = Vec::new();
    let (mut start, mut first_line) = (0, 0);
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marks = line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if marks && offset > start {
            documents.extend(text.get(start..offset).map(|part| (first_line, part)));
            (start, first_line) = (offset, number);
        }
        offset += line.len();
    }
    documents.extend(text.get(start..).map(|part| (first_line, part)));
    if documents.len() == 1 {
        return vec![Document::read(source, 0, text)];
    }
    let read = documents.into_iter().map(|(line, part)| Document::read(source, line, part));
    let documents: Vec<Document<'_>> =
        read.filter(|document| !matches!(&document.read, Err(unread) if unread.finding.code == Code::DocumentEmpty)).collect();
    if documents.is_empty() { vec![Document::read(source, 0, "")] } else { documents }
}

/// Reports whether a text is meant to be JSON; an action of a Helm template begins with a brace, too.
fn is_json(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with(['{', '[']) && !start.starts_with("{{")
}

impl<'a> Document<'a> {
    fn read(source: usize, lines_before: usize, text: &'a str) -> Self {
        Self { source, lines_before, text, read: locate_text(text, LARGEST_DOCUMENT), positions: OnceCell::new(), words: OnceCell::new() }
    }

    pub(super) fn is_json(&self) -> bool {
        is_json(self.text)
    }

    /// Returns the error and its position, if the document could not be read.
    pub(super) fn unread(&self) -> Option<Placed> {
        let unread = self.read.as_ref().err()?;
        let span = seen(self.text, unread.line, unread.column).moved(self.lines_before, 0);
        Some(Placed { finding: unread.finding.clone(), source: self.source, span: Some(span) })
    }

    /// Returns the findings on the text of the value at a path.
    pub(super) fn warnings(&self, at: &str) -> Vec<Placed> {
        let inside = |warning: &&Finding| at.is_empty() || json_path::is_within(&warning.path, at);
        self.read.iter().flat_map(|text| &text.warnings).filter(inside).map(|warning| self.place(warning.clone(), "")).collect()
    }

    /// Returns the findings on words in the value at a path that kubectl reads differently.
    pub(super) fn words(&self, at: &str) -> Vec<Placed> {
        if self.is_json() {
            return Vec::new();
        }
        let found = self.words.get_or_init(|| words::findings(self.text));
        let inside = found.iter().filter(|word| at.is_empty() || json_path::is_within(&word.path, at));
        inside.map(|word| self.place(word.clone(), "")).collect()
    }

    fn positions(&self) -> &Positions {
        self.positions.get_or_init(|| if self.is_json() { Positions::of_json(self.text) } else { Positions::of_yaml(self.text) })
    }

    /// Returns the position of a path in the file.
    pub(super) fn span(&self, path: &str) -> Option<Span> {
        Some(self.positions().find(path)?.moved(self.lines_before, 0))
    }

    /// Returns the line of the file on which the header of a literal block stands.
    pub(super) fn literal_from(&self, path: &str) -> Option<(usize, usize)> {
        let header = self.positions().literal_from(path)?;
        let indent = self.text.lines().skip(header).find(|line| !line.trim().is_empty()).map_or(0, indent);
        Some((header + self.lines_before, indent))
    }

    /// Returns a finding on the value at `base`, with its position.
    pub(super) fn place(&self, finding: Finding, base: &str) -> Placed {
        let span = self.span(&join(base, &finding.path));
        Placed { finding, source: self.source, span }
    }
}

/// Returns the number of blanks at the beginning of a line.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Returns the span of one character, given its line and its column in bytes as parsers report it. Beyond the text, it is the last line.
pub(super) fn seen(text: &str, line: usize, column: usize) -> Span {
    let last = text.lines().count().max(1);
    let line = line.min(last);
    let content = text.lines().nth(line - 1).unwrap_or_default();
    let characters = content.char_indices().take_while(|(at, _)| at + 1 < column).count();
    Span::at(line, characters + 1)
}

/// Joins the path of a value and a path inside it.
pub(super) fn join(base: &str, path: &str) -> String {
    if base.is_empty() || path.is_empty() || path.starts_with('[') { format!("{base}{path}") } else { format!("{base}.{path}") }
}

/// Returns the finding of a file that could not be read.
pub(super) fn unreadable(source: usize, reason: &str) -> Placed {
    Placed { finding: Finding::error(Code::FileUnreadable, "", reason), source, span: None }
}
