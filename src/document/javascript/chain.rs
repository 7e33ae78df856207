//! Chains of members, such as `$json.body.id` and `$('Fetch').first().json["id"]`. Most expressions are nothing else, and reading them here
//! spares the parser. The result is the same.

use super::script::{NodeReference, Script};

/// Maximum length of a chain, far below the limits for code that is parsed.
const LONGEST: usize = 500;

/// Returns what the parser finds in a chain of members. None for any other code, whether it is sound or not.
pub(super) fn read(code: &str) -> Option<Script> {
    let code = code.trim_matches([' ', '\t', '\r', '\n']);
    if code.len() > LONGEST || !code.starts_with('$') {
        return None;
    }
    let mut script = Script::default();
    let mut rest = if let Some(argument) = code.strip_prefix("$(") {
        let (name, after) = text(argument)?;
        script.nodes.insert(NodeReference { name: name.to_owned(), spared: false, dotted: false });
        after.strip_prefix(')')?
    } else {
        let (variable, after) = word(code)?;
        // `$` alone is refused, `$node` refers to nodes, and calls of variables have meanings of their own.
        if matches!(variable, "$" | "$node") || after.starts_with('(') {
            return None;
        }
        script.free.insert(variable.to_owned());
        after
    };
    while !rest.is_empty() {
        rest = member(rest)?;
        rest = rest.strip_prefix("()").unwrap_or(rest);
    }
    Some(script)
}

/// Returns the code after `.name`, `?.name`, `["text"]` or `[0]`.
fn member(code: &str) -> Option<&str> {
    if let Some(index) = code.strip_prefix('[') {
        let after = text(index).map(|(_, after)| after).or_else(|| number(index))?;
        return after.strip_prefix(']');
    }
    let (name, after) = word(code.strip_prefix('.').or_else(|| code.strip_prefix("?."))?)?;
    // It asks whether a node was executed.
    (name != "isExecuted").then_some(after)
}

/// Returns a name of ASCII letters, and the code after it.
fn word(code: &str) -> Option<(&str, &str)> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let end = code.bytes().position(|byte| !inner(byte)).unwrap_or(code.len());
    let (name, after) = code.split_at(end);
    // Another character that follows could belong to the name.
    let ends = after.is_empty() || after.starts_with(['.', '?', '[', '(']);
    (ends && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())).then_some((name, after))
}

/// Returns a text in quotes without escapes, and the code after it.
fn text(code: &str) -> Option<(&str, &str)> {
    let quote = code.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let (inside, after) = code[1..].split_once(quote)?;
    (!inside.contains(['\\', '\n', '\r'])).then_some((inside, after))
}

/// Returns the code after an index.
fn number(code: &str) -> Option<&str> {
    let digits = code.bytes().take_while(u8::is_ascii_digit).count();
    ((1..=9).contains(&digits) && (digits == 1 || !code.starts_with('0'))).then(|| &code[digits..])
}
