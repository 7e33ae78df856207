//! One document of a file, read, with the places of its parts.

use std::cell::OnceCell;

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::document::parse::{Text, Unread, has_fence, locate_text};
use crate::document::positions::{Positions, Span};

use super::report::Placed;
use super::words;

/// n8n takes no more than 16 MiB, and neither do we.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// One document of a file.
pub(super) struct Document<'a> {
    pub(super) source: usize,
    /// How many lines of the file come before it.
    lines_before: usize,
    pub(super) text: &'a str,
    pub(super) read: Result<Text, Box<Unread>>,
    positions: OnceCell<Positions>,
    words: OnceCell<Vec<Finding>>,
}

/// Divides a file into its documents: JSON and Markdown are one, YAML is divided at the lines that begin with `---`.
/// Of several, those without content are left out.
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
    let told: Vec<Document<'_>> =
        read.filter(|document| !matches!(&document.read, Err(unread) if unread.finding.code == Code::DocumentEmpty)).collect();
    if told.is_empty() { vec![Document::read(source, 0, "")] } else { told }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

impl<'a> Document<'a> {
    fn read(source: usize, lines_before: usize, text: &'a str) -> Self {
        Self { source, lines_before, text, read: locate_text(text, LARGEST_DOCUMENT), positions: OnceCell::new(), words: OnceCell::new() }
    }

    pub(super) fn is_json(&self) -> bool {
        is_json(self.text)
    }

    /// Why it could not be read, where it is to be seen.
    pub(super) fn unread(&self) -> Option<Placed> {
        let unread = self.read.as_ref().err()?;
        let span = seen(self.text, unread.line, unread.column).moved(self.lines_before, 0);
        Some(Placed { finding: unread.finding.clone(), source: self.source, span: Some(span) })
    }

    /// What is odd about its text inside what stands at a path.
    pub(super) fn warnings(&self, at: &str) -> Vec<Placed> {
        let inside = |warning: &&Finding| at.is_empty() || json_path::is_within(&warning.path, at);
        self.read.iter().flat_map(|text| &text.warnings).filter(inside).map(|warning| self.place(warning.clone(), "")).collect()
    }

    /// What kubectl reads otherwise than we do inside what stands at a path.
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

    /// Where a path of the document stands in the file.
    pub(super) fn span(&self, path: &str) -> Option<Span> {
        Some(self.positions().find(path)?.moved(self.lines_before, 0))
    }

    /// The line of the file on which the header of a literal block stands.
    pub(super) fn literal_from(&self, path: &str) -> Option<(usize, usize)> {
        let header = self.positions().literal_from(path)?;
        let indent = self.text.lines().skip(header).find(|line| !line.trim().is_empty()).map_or(0, indent);
        Some((header + self.lines_before, indent))
    }

    /// A finding on what stands at `base`, with its place.
    pub(super) fn place(&self, finding: Finding, base: &str) -> Placed {
        let span = self.span(&join(base, &finding.path));
        Placed { finding, source: self.source, span }
    }
}

/// How many blanks a line begins with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// One character at a line and a column that counts bytes, as parsers tell it. Beyond the text it is its last line.
pub(super) fn seen(text: &str, line: usize, column: usize) -> Span {
    let last = text.lines().count().max(1);
    let line = line.min(last);
    let content = text.lines().nth(line - 1).unwrap_or_default();
    let characters = content.char_indices().take_while(|(at, _)| at + 1 < column).count();
    Span::at(line, characters + 1)
}

/// A path inside what stands at another path.
pub(super) fn join(base: &str, path: &str) -> String {
    if base.is_empty() || path.is_empty() || path.starts_with('[') { format!("{base}{path}") } else { format!("{base}.{path}") }
}

/// The finding of a file that could not be read.
pub(super) fn unreadable(source: usize, reason: &str) -> Placed {
    Placed { finding: Finding::error(Code::FileUnreadable, "", reason), source, span: None }
}
