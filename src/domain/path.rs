//! JSON paths as people read them: `nodes[3].parameters.url`, `connections["My node"].main[0]`.

use std::fmt::Write as _;

/// Appends an object key to a path: `.key`, or `["a key"]` where it is not a plain word.
pub fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty()
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '-')
        && !key.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push('[');
        path.push_str(&crate::domain::finding::quoted(key));
        path.push(']');
    }
}

/// Appends an array index to a path.
pub fn push_index(path: &mut String, index: usize) {
    // Writing to a String cannot fail.
    let _ = write!(path, "[{index}]");
}

/// A path with one more key.
#[must_use]
pub fn key(path: &str, name: &str) -> String {
    let mut out = path.to_owned();
    push_key(&mut out, name);
    out
}

/// A path with one more index.
#[must_use]
pub fn index(path: &str, position: usize) -> String {
    let mut out = path.to_owned();
    push_index(&mut out, position);
    out
}

/// Whether `path` is `outer` itself or something inside it.
pub fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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
    fn plain_words_are_joined_by_dots_and_the_rest_is_quoted() {
        assert_eq!(key("", "nodes"), "nodes");
        assert_eq!(key(&index("nodes", 3), "name"), "nodes[3].name");
        assert_eq!(key("connections", "My node"), r#"connections["My node"]"#);
        assert_eq!(key("connections", "a.b"), r#"connections["a.b"]"#);
        assert_eq!(key("connections", "7"), r#"connections["7"]"#);
        assert_eq!(key("connections", ""), r#"connections[""]"#);
    }
}
