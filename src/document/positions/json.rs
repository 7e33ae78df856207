//! A scanner of JSON that only records positions. It assumes well-formed JSON and never fails.

use std::iter::Peekable;
use std::str::CharIndices;

use super::index::{Builder, Positions, Span};

struct Cursor<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    line: usize,
    column: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> Option<char> {
        let (_, c) = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    /// Skips a string, including its opening quote.
    fn string(&mut self) {
        self.next();
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => drop(self.next()),
                _ => {}
            }
        }
    }
}

pub(super) fn scan(text: &str) -> Positions {
    let mut cursor = Cursor { text, chars: text.char_indices().peekable(), line: 1, column: 1 };
    let mut builder = Builder::default();
    while let Some(c) = cursor.peek() {
        let (line, column) = (cursor.line, cursor.column);
        let span = Span::at(line, column);
        match c {
            '{' | '[' => {
                builder.open(span, c == '[');
                cursor.next();
            }
            '}' | ']' => {
                cursor.next();
                builder.close(cursor.line, cursor.column);
            }
            '"' => {
                let from = cursor.offset();
                cursor.string();
                let to = cursor.offset();
                let span = Span { line, column, end_line: cursor.line, end_column: cursor.column };
                if builder.wants_key() {
                    let key = text.get(from..to).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
                    builder.key(key, span);
                } else {
                    builder.value(span, false);
                }
            }
            c if c.is_whitespace() || matches!(c, ',' | ':' | '\u{feff}') => drop(cursor.next()),
            _ => {
                while cursor.peek().is_some_and(|c| !c.is_whitespace() && !matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"')) {
                    cursor.next();
                }
                builder.value(Span { line, column, end_line: cursor.line, end_column: cursor.column }, false);
            }
        }
    }
    builder.done()
}
