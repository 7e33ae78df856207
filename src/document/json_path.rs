//! JSON paths as people read them: `nodes[3].parameters.url`, `connections["My node"].main[0]`.

use std::fmt::Write as _;

/// Maximum length of a path in bytes: a longer one is not extended and then leads to the enclosing value. Real paths have a tenth of it.
const LONGEST: usize = 1024;

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an item of a list.
    Index(usize),
}

/// Position of a value, as a path that is only formatted on demand.
#[derive(Debug, Clone, Copy)]
pub enum JsonPath<'a> {
    /// A path from which others start; empty for the whole document.
    Root(&'a str),
    /// The value of a key of an object.
    Key(&'a JsonPath<'a>, &'a str),
    /// An item of a list.
    Index(&'a JsonPath<'a>, usize),
}

impl JsonPath<'_> {
    /// Returns the path.
    pub fn written(&self) -> String {
        match self {
            Self::Root(path) => (*path).to_owned(),
            Self::Key(outer, key) => extended(outer.written(), |path| push_key(path, key)),
            Self::Index(outer, index) => extended(outer.written(), |path| push_index(path, *index)),
        }
    }
}

fn extended(mut path: String, extend: impl FnOnce(&mut String)) -> String {
    extend(&mut path);
    path
}

/// Appends an object key to a path: `.key`, or `["a key"]` if it is not a plain word. Long keys are shortened.
pub fn push_key(path: &mut String, key: &str) {
    if path.len() > LONGEST {
        return;
    }
    let plain = (1..=80).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-'))
        && !key.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push('[');
        path.push_str(&crate::document::finding::quoted(key));
        path.push(']');
    }
}

/// Appends an array index to a path.
pub fn push_index(path: &mut String, index: usize) {
    if path.len() <= LONGEST {
        // Writing to a String cannot fail.
        let _ = write!(path, "[{index}]");
    }
}

/// Returns a path extended by a key.
#[must_use]
pub fn key(path: &str, name: &str) -> String {
    let mut out = String::with_capacity(path.len() + name.len().min(80) + 1);
    out.push_str(path);
    push_key(&mut out, name);
    out
}

/// Returns a path extended by an index.
#[must_use]
pub fn index(path: &str, position: usize) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    out.push_str(path);
    push_index(&mut out, position);
    out
}

/// Reports whether `path` is `outer` itself or something inside it.
pub fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Returns the path and its ancestors, the innermost first.
pub fn around(path: &str) -> impl Iterator<Item = &str> {
    let outer = path.char_indices().rev().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| &path[..at]);
    std::iter::once(path).chain(outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_within_another_only_at_a_boundary() {
        assert!(is_within("nodes[1].name", "nodes[1]"));
        assert!(is_within("nodes", "nodes"));
        assert!(!is_within("nodes[12]", "nodes[1"));
        assert!(!is_within("nodesX", "nodes"));
    }

    #[test]
    fn a_path_stays_short_whatever_the_keys_are() {
        let long = "k".repeat(1 << 20);
        assert_eq!(key("a", &long), format!("a[\"{}…\"]", "k".repeat(80)));
        let deep = (0..100_000).fold(String::new(), |path, at| index(&key(&path, &long), at));
        assert!(deep.len() < 2 * LONGEST, "{}", deep.len());
    }

    #[test]
    fn plain_words_are_joined_by_dots_and_the_rest_is_quoted() {
        assert_eq!(key("", "nodes"), "nodes");
        assert_eq!(key(&index("nodes", 3), "name"), "nodes[3].name");
        assert_eq!(key("connections", "My node"), r#"connections["My node"]"#);
        assert_eq!(key("connections", "a.b"), r#"connections["a.b"]"#);
        assert_eq!(key("connections", "7"), r#"connections["7"]"#);
        assert_eq!(key("connections", ""), r#"connections[""]"#);
    }
}
