//! Patterns of paths in a configuration file.

use fancy_regex::Regex;

/// Reports whether a relative path with `/` matches a pattern: `*` is any part of a name, `**` any number of folders, `?` one character. A
/// pattern that names a folder matches everything in it.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let mut regex = String::from("^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (taken, part) = if rest.starts_with("**/") {
            (3, "(?:[^/]+/)*".to_owned())
        } else if rest.starts_with("**") {
            (2, ".*".to_owned())
        } else {
            let part = match c {
                '*' => "[^/]*".to_owned(),
                '?' => "[^/]".to_owned(),
                c => fancy_regex::escape(c.encode_utf8(&mut [0; 4])).into_owned(),
            };
            (c.len_utf8(), part)
        };
        regex.push_str(&part);
        rest = rest.get(taken..).unwrap_or_default();
    }
    regex.push_str("(?:/.*)?$");
    Regex::new(&regex).is_ok_and(|regex| regex.is_match(path).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_fits_files_and_all_that_is_in_a_folder() {
        for (pattern, fitting, other) in [
            ("legacy", "legacy/a/b.json", "legacy2/a.json"),
            ("legacy/", "legacy/b.json", "a/legacy/b.json"),
            ("./a.json", "a.json", "b/a.json"),
            ("*.json", "a.json", "b/a.json"),
            ("**/*.json", "b/c/a.json", "a.yaml"),
            ("**/*.json", "a.json", "a.json5"),
            ("flows/**/old-?.json", "flows/x/y/old-1.json", "flows/old-12.json"),
            ("a(b)+", "a(b)+", "ab"),
        ] {
            assert!(fits(pattern, fitting), "{pattern} {fitting}");
            assert!(!fits(pattern, other), "{pattern} {other}");
        }
    }
}
