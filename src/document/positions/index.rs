//! Index of one document: its values by path, with their positions.

use std::collections::HashMap;

use crate::document::json_path;

/// A range of text. Lines and columns begin at 1 and count characters; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last character.
    pub end_column: usize,
}

impl Span {
    /// Returns the span of a single character.
    pub fn at(line: usize, column: usize) -> Self {
        Self { line, column, end_line: line, end_column: column + 1 }
    }

    /// Returns the span in a text that has more lines before it and more columns to the left.
    #[must_use]
    pub fn moved(self, lines: usize, columns: usize) -> Self {
        Self {
            line: self.line + lines,
            column: self.column + columns,
            end_line: self.end_line + lines,
            end_column: self.end_column + columns,
        }
    }
}

/// Positions of every member of one document. A member of an object begins at its key.
#[derive(Debug, Default)]
pub struct Positions {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    span: Span,
    /// Line of a block scalar's header; the text begins unchanged on the next line.
    literal_from: Option<usize>,
    members: HashMap<Box<str>, usize>,
}

impl Positions {
    /// Returns the position of a path of [`path`], or of its nearest ancestor.
    pub fn find(&self, path: &str) -> Option<Span> {
        Some(self.parts.get(self.nearest(path).0)?.span)
    }

    /// Returns the header line of the literal block that holds the text at exactly this path.
    pub fn literal_from(&self, path: &str) -> Option<usize> {
        let (part, left) = self.nearest(path);
        if left.is_empty() { self.parts.get(part)?.literal_from } else { None }
    }

    fn nearest<'a>(&self, path: &'a str) -> (usize, &'a str) {
        let (mut part, mut left) = (0, path);
        while let Some(members) = self.parts.get(part).map(|part| &part.members).filter(|_| !left.is_empty()) {
            left = left.strip_prefix('.').unwrap_or(left);
            let step = ends(left).find_map(|end| Some((*members.get(left.get(..end)?)?, end)));
            let Some((member, end)) = step else { break };
            part = member;
            left = left.get(end..).unwrap_or_default();
        }
        (part, left)
    }
}

/// Returns the positions at which the first step of a path can end. A quoted key may contain a delimiter, so there may be several.
fn ends(path: &str) -> Box<dyn Iterator<Item = usize> + '_> {
    if path.starts_with("[\"") {
        Box::new(path.match_indices("\"]").map(|(at, end)| at + end.len()))
    } else if path.starts_with('[') {
        Box::new(path.find(']').map(|at| at + 1).into_iter())
    } else {
        Box::new(std::iter::once(path.find(['.', '[']).unwrap_or(path.len())))
    }
}

/// Builds the index from the marks of a reader, without recursion.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) parts: Vec<Part>,
    pub(super) open: Vec<Open>,
}

/// A container that is not closed yet.
#[derive(Debug)]
pub(super) struct Open {
    part: usize,
    /// Next index of an array; `None` in an object.
    index: Option<usize>,
    /// Key whose value is read next, and its position.
    key: Option<(String, Span)>,
}

impl Builder {
    /// Reports whether the next scalar is a key.
    pub(super) fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.index.is_none() && open.key.is_none())
    }

    pub(super) fn key(&mut self, key: String, span: Span) {
        if let Some(open) = self.open.last_mut() {
            open.key = Some((key, span));
        }
    }

    /// Records a value and returns its number.
    pub(super) fn value(&mut self, mut span: Span, literal: bool) -> usize {
        let number = self.parts.len();
        if let Some(open) = self.open.last_mut() {
            let mut step = String::new();
            match (&mut open.index, open.key.take()) {
                (Some(index), _) => {
                    json_path::push_index(&mut step, *index);
                    *index += 1;
                }
                (None, Some((key, at))) => {
                    json_path::push_key(&mut step, &key);
                    span = Span { line: at.line, column: at.column, ..span };
                }
                (None, None) => {}
            }
            if let Some(part) = self.parts.get_mut(open.part) {
                part.members.insert(step.into(), number);
            }
        }
        // The header of a block stands beside its key; the parser reports only the position of its text.
        let literal_from = literal.then_some(span.line);
        self.parts.push(Part { span, literal_from, members: HashMap::new() });
        number
    }

    pub(super) fn open(&mut self, span: Span, array: bool) {
        let part = self.value(span, false);
        self.open.push(Open { part, index: array.then_some(0), key: None });
    }

    pub(super) fn close(&mut self, line: usize, column: usize) {
        let closed = self.open.pop().and_then(|open| self.parts.get_mut(open.part));
        if let Some(part) = closed {
            (part.span.end_line, part.span.end_column) = (line, column);
        }
    }

    pub(super) fn done(self) -> Positions {
        Positions { parts: self.parts }
    }
}
