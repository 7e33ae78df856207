//! Rewriting of JavaScript outside of its strings, and of the pieces of a text between `{{` and `}}`.

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
