//! Expressions: strings that start with `=`, text with JavaScript between `{{` and `}}`.
//!
//! Source: `ExpressionSplitter` and `ExpressionBuilder` of @n8n/tournament, `expression.js` of n8n-workflow.

use std::borrow::Cow;

/// A piece of code in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The JavaScript, as n8n parses it.
    pub(super) code: Cow<'a, str>,
    /// Offset in the expression, in bytes after the `=`.
    pub(super) start: usize,
    /// True if a `}}` follows. Without one, n8n takes the rest of the text for code.
    pub(super) closed: bool,
}

/// Returns the pieces of code in an expression, given without its `=`.
pub(super) fn pieces(expression: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = bracket(expression, "{{", from) {
        let start = open + 2;
        let close = bracket(expression, "}}", start);
        let code = expression.get(start..close.unwrap_or(expression.len())).unwrap_or_default();
        found.push(Piece { code: unescaped(code), start, closed: close.is_some() });
        match close {
            Some(close) => from = close + 2,
            None => break,
        }
    }
    found
}

/// Returns the code as n8n reads it: it unescapes only the first brackets.
fn unescaped(code: &str) -> Cow<'_, str> {
    if code.contains("\\}}") { Cow::from(code.replacen("\\}}", "}}", 1)) } else { Cow::from(code) }
}

/// Returns the position of the next bracket that is not escaped. An even number of backslashes escapes nothing.
fn bracket(text: &str, wanted: &str, mut from: usize) -> Option<usize> {
    // Only the backslashes after the last bracket count.
    let mut since = from;
    loop {
        let at = from + text.get(from..)?.find(wanted)?;
        let backslashes = text.as_bytes().get(since..at)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(at);
        }
        from = at + wanted.len();
        since = from;
    }
}

/// Reports whether n8n refuses the expression without parsing it: it takes any `.constructor`, even in the text, for an attack.
pub(super) fn is_barred(expression: &str) -> bool {
    expression.match_indices("constructor").any(|(at, _)| expression[..at].trim_end().ends_with('.'))
}

/// Returns line and column, both from 1, of a byte of the text.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(String, bool)> {
        pieces(text).into_iter().map(|piece| (piece.code.into_owned(), piece.closed)).collect()
    }

    fn closed(codes: &[&str]) -> Vec<(String, bool)> {
        codes.iter().map(|code| ((*code).to_owned(), true)).collect()
    }

    #[test]
    fn an_expression_is_split_where_n8n_splits_it() {
        assert_eq!(split("a {{ 1 }} b {{2}}"), closed(&[" 1 ", "2"]));
        assert_eq!(split("plain"), closed(&[]));
        assert_eq!(split(""), closed(&[]));
        // The first }} closes, even inside an object literal.
        assert_eq!(split("{{ {a: {b: 1}} }}"), closed(&[" {a: {b: 1"]));
        assert_eq!(split("{{ {a: {b: 1} } }}"), closed(&[" {a: {b: 1} } "]));
        assert_eq!(split(r"{{ {a: {b: 1\}} }}"), closed(&[" {a: {b: 1}} "]));
        assert_eq!(split(r"\{{ no }} {{ yes }}"), closed(&[" yes "]));
        assert_eq!(split(r"\\{{ yes }}"), closed(&[" yes "]));
        assert_eq!(split("{{ $json.a }"), vec![(" $json.a }".to_owned(), false)]);
        assert_eq!(split("{{"), vec![(String::new(), false)]);
        assert_eq!(split("{{{a}}}"), closed(&["{a"]));
    }

    #[test]
    fn pieces_know_where_they_start() {
        let text = "ü {{ a }}{{b}}";
        for piece in pieces(text) {
            assert_eq!(&text[piece.start..piece.start + piece.code.len()], piece.code);
        }
        assert_eq!(position("a\nbü}", 5), (2, 3));
        assert_eq!(position("a", 99), (1, 2));
    }

    #[test]
    fn a_constructor_is_barred_wherever_it_stands() {
        assert!(is_barred("{{ $json.constructor }}") && is_barred("x. constructor"));
        assert!(!is_barred("{{ $json.builder }} constructor"));
    }
}
