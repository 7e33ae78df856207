//! Rewriting of JavaScript outside of its strings, and of the pieces of a text between `{{` and `}}`.

use std::ops::Range;

/// Rewrites the code: at each position outside of strings, `replace` gets the rest of the code and the character before it, and returns
/// the number of bytes that it replaces and the replacement.
pub(super) fn rewrite(code: &str, mut replace: impl FnMut(&str, char) -> Option<(usize, String)>) -> String {
    let mut out = String::with_capacity(code.len());
    let mut open: Vec<char> = Vec::new();
    let (mut rest, mut before) = (code, ' ');
    while let Some(letter) = rest.chars().next() {
        let inside = matches!(open.last(), Some('\'' | '"' | '`'));
        if !inside && let Some((length, text)) = replace(rest, before) {
            out.push_str(&text);
            before = rest[..length].chars().last().unwrap_or(before);
            rest = &rest[length..];
            continue;
        }
        let mut taken = letter.len_utf8();
        match (open.last().copied(), letter) {
            (Some('\'' | '"' | '`'), '\\') => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
            (Some('`'), '$') if rest.starts_with("${") => {
                open.push('{');
                taken += 1;
            }
            (Some(quote), _) if inside && quote == letter => drop(open.pop()),
            (Some(_), _) if inside => {}
            (_, '\'' | '"' | '`' | '{') => open.push(letter),
            (Some('{'), '}') => drop(open.pop()),
            _ => {}
        }
        out.push_str(&rest[..taken]);
        before = rest[..taken].chars().last().unwrap_or(letter);
        rest = &rest[taken..];
    }
    out
}

/// Puts spaces between closing braces of JavaScript: n8n ends the code of `{{…}}` at the first `}}`, wherever it stands.
pub(super) fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let code = &rest[start + 2..];
        let Some(first) = code.find("}}") else { break };
        out.push_str(&rest[..start + 2]);
        let length = match closed(code) {
            // Within a string they cannot be moved apart.
            Some((length, spaced)) if length > first && !spaced.contains("}}") => {
                out.push_str(&spaced);
                length
            }
            _ => {
                out.push_str(&code[..first]);
                first
            }
        };
        out.push_str("}}");
        rest = &code[length + 2..];
    }
    out.push_str(rest);
    out
}

/// Returns the length of the code before the `}}` at which all of its braces and strings are closed, and the code with spaces between
/// closing braces.
fn closed(code: &str) -> Option<(usize, String)> {
    let mut out = String::with_capacity(code.len());
    let mut open: Vec<char> = Vec::new();
    let mut rest = code;
    while let Some(letter) = rest.chars().next() {
        if open.is_empty() && rest.starts_with("}}") {
            if out.ends_with('}') {
                out.push(' ');
            }
            return Some((code.len() - rest.len(), out));
        }
        let mut taken = letter.len_utf8();
        match open.last().copied() {
            Some('\'' | '"' | '`') if letter == '\\' => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
            Some('`') if rest.starts_with("${") => {
                open.push('{');
                taken += 1;
            }
            Some(quote @ ('\'' | '"' | '`')) if quote == letter => drop(open.pop()),
            Some('\'' | '"' | '`') => {}
            _ if matches!(letter, '\'' | '"' | '`' | '{') => open.push(letter),
            _ if letter == '}' => {
                open.pop()?;
                if out.ends_with('}') {
                    out.push(' ');
                }
            }
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    None
}

/// Rewrites the code of each `{{…}}`; `None` keeps the piece.
pub(in crate::generation) fn rewrite_pieces(text: &str, mut piece: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start + 2..].find("}}") else { break };
        let end = start + 2 + length + 2;
        out.push_str(&rest[..start]);
        match piece(&rest[start + 2..end - 2]) {
            Some(replaced) => out.push_str(&replaced),
            None => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Reports whether a character continues a name of JavaScript.
pub(super) fn in_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// Returns the name at the beginning of the code, if the character before does not continue it.
pub(super) fn name_at(code: &str, before: char) -> Option<&str> {
    if in_name(before) || before == '.' {
        return None;
    }
    let end = code.find(|c| !in_name(c)).unwrap_or(code.len());
    (end > 0 && code.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| &code[..end])
}

/// The parameters of an arrow function, and where in the code they are visible.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope<'c> {
    names: Vec<&'c str>,
    range: Range<usize>,
}

impl Scope<'_> {
    /// Reports whether a name at a place in the code is a parameter of this function.
    pub(super) fn binds(&self, name: &str, at: usize) -> bool {
        self.range.contains(&at) && self.names.contains(&name)
    }
}

/// Returns the arrow functions in the code: their parameters are not nodes, whatever the ids of nodes are.
pub(super) fn arrow_functions(code: &str) -> Vec<Scope<'_>> {
    let scope = |(at, _): (usize, &str)| {
        let before = code[..at].trim_end();
        let start = match before.strip_suffix(')') {
            Some(list) => list.rfind('(')?,
            None => before.char_indices().rev().take_while(|(_, letter)| in_name(*letter)).last()?.0,
        };
        let names = before[start..].split(|letter| !in_name(letter)).filter(|name| !name.is_empty()).collect();
        Some(Scope { names, range: start..at + body_end(&code[at..]) })
    };
    code.match_indices("=>").filter_map(scope).collect()
}

/// Returns where the body of an arrow function ends: at the bracket that closes what is around it, or at a comma beside it.
fn body_end(code: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, letter) in code.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}' | ',') if depth == 0 => return at,
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_visible_in_their_arrow_function_alone() {
        for (code, names, body) in [
            ("rows.map(row => row.a) + row", vec!["row"], "row => row.a"),
            ("rows.map((row, index) => row.a + index)", vec!["row", "index"], "(row, index) => row.a + index"),
            ("Object.entries(a).map(([name, value]) => name + value)", vec!["name", "value"], "([name, value]) => name + value"),
            ("a.map(é => f(é, ')'), é)", vec!["é"], "é => f(é, ')')"),
            ("() => 1", vec![], "() => 1"),
        ] {
            let found = arrow_functions(code);
            assert_eq!((&found[0].names, &code[found[0].range.clone()]), (&names, body), "{code}");
        }
        assert!(arrow_functions("a >= b").is_empty() && arrow_functions("=> x").is_empty());
        assert_eq!(arrow_functions("a => b => a + b").len(), 2);
    }

    #[test]
    fn closing_braces_of_javascript_do_not_end_the_code() {
        for (text, wanted) in [
            ("{{ f({a: {b: 1}}) }}", "{{ f({a: {b: 1} }) }}"),
            ("x {{ {a: 1}}} y {{b}}", "x {{ {a: 1} }} y {{b}}"),
            ("{{ `${ {a: {b: 1}}.a }` }}", "{{ `${ {a: {b: 1} }.a }` }}"),
        ] {
            assert_eq!(apart(text), wanted);
        }
        // Templates that n8n closes at the right place, unclosed ones, and those within a string stay.
        for text in [
            "{{ a }} {{b.c}}",
            "{{ {a: 1} }}",
            "{{ f({a: {b: 1 }} ",
            "{{ '}}' }}",
            "{{ it's }} and {{ it's }}",
            "}} {{",
            "{\"a\": {\"b\": \"{{c}}\"}}",
        ] {
            assert_eq!(apart(text), text);
        }
    }
}
