//! What a finding means, from the page of findings.

use crate::document::finding::Code;
use crate::validator::rules::Pattern;

/// The page that people read; each code has its own section.
const PAGE: &str = include_str!("../../../docs/findings.md");
/// Where the page is, for links. Without an address of the repository it is relative to it.
const PLACE: &str = "docs/findings.md";

/// The section of a code.
///
/// # Errors
/// Where no finding has the code.
pub(super) fn explain(code: &str) -> Result<String, String> {
    match Code::ALL.iter().find(|known| known.as_str() == code.trim()) {
        Some(code) => Ok(format!("{code}\n\n{}\n", section(*code))),
        // A pattern is refused as what it is, and a slip gets a suggestion.
        None => Err(Pattern::parse(code).err().unwrap_or_else(|| format!("{code} names several findings; name one"))),
    }
}

/// The section's text without its heading.
pub(super) fn section(code: Code) -> &'static str {
    let heading = format!("\n### `{code}`\n");
    let Some(start) = PAGE.find(&heading).map(|at| at + heading.len()) else { return code.explanation() };
    let rest = PAGE.get(start..).unwrap_or_default();
    let end = ["\n### `", "\n## "].iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest).trim()
}

/// Where the section is to be read.
pub(super) fn address(code: Code) -> String {
    match env!("CARGO_PKG_REPOSITORY").trim_end_matches('/') {
        "" => format!("{PLACE}#{code}"),
        repository => format!("{repository}/blob/v{}/{PLACE}#{code}", env!("CARGO_PKG_VERSION")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_with_how_to_mend_it() {
        for code in Code::ALL {
            let text = explain(code.as_str()).unwrap();
            assert!(text.starts_with(&format!("{code}\n\n**")) && text.contains("\nFix: ") && !text.contains("\n### "), "{text}");
        }
        assert_eq!(explain("webhok-open").unwrap_err(), r#"no finding has the code "webhok-open"; did you mean "webhook-open"?"#);
        assert_eq!(explain("webhook-*").unwrap_err(), "webhook-* names several findings; name one");
    }
}
