//! Bounds of warnings: the API server cuts each at 256 bytes once all together have more than 4,096.

use crate::text::one_line;

/// Maximum length of a warning in bytes.
const WARNING_BYTES: usize = 256;
/// Maximum length of all warnings in bytes.
const ALL_BYTES: usize = 4_096;
/// Room for the last warning, which counts those that are left out.
const LAST_BYTES: usize = 96;

/// Returns the warnings on one line each and within the bounds. Those that come last are left out first, and counted.
pub fn bounded(warnings: &[String]) -> Vec<String> {
    let lines: Vec<String> =
        warnings.iter().map(|warning| cut(&one_line(warning, WARNING_BYTES))).filter(|line| !line.is_empty()).collect();
    let mut kept: Vec<String> = Vec::new();
    let mut used = 0;
    for (at, line) in lines.iter().enumerate() {
        let reserved = if at + 1 == lines.len() { 0 } else { LAST_BYTES };
        if used + line.len() + reserved > ALL_BYTES {
            kept.push(format!("{} more; run `weirkeeper validate` on the manifest to list all", lines.len() - at));
            break;
        }
        used += line.len();
        kept.push(line.clone());
    }
    kept
}

/// Cuts a line at the boundary of a character.
fn cut(line: &str) -> String {
    if line.len() <= WARNING_BYTES {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(WARNING_BYTES - '…'.len_utf8());
    format!("{}…", line[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_warnings_stay_and_the_rest_is_counted() {
        let few = ["one".to_owned(), "two\nlines".to_owned(), String::new()];
        assert_eq!(bounded(&few), ["one", "two lines"]);
        let many: Vec<String> = (0..50).map(|number| format!("{number:03}{}", "x".repeat(197))).collect();
        let kept = bounded(&many);
        assert_eq!(kept.len(), 21);
        assert_eq!(kept[20], "30 more; run `weirkeeper validate` on the manifest to list all");
        let long = bounded(&["ä".repeat(300)]);
        assert!(long[0].len() <= WARNING_BYTES && long[0].ends_with("ä…"), "{long:?}");
    }

    proptest! {
        #[test]
        fn warnings_never_exceed_the_bounds(warnings in proptest::collection::vec(".{0,300}", 0..60)) {
            let kept = bounded(&warnings);
            prop_assert!(kept.iter().all(|line| line.len() <= WARNING_BYTES && !line.chars().any(char::is_control)));
            prop_assert!(kept.iter().map(String::len).sum::<usize>() <= ALL_BYTES);
        }
    }
}
