//! Explanations of findings, from the page of findings.

use crate::document::finding::Code;
use crate::validator::rules::Pattern;

/// The page of findings; each code has its own section.
const PAGE: &str = include_str!("../../../docs/findings.md");
/// Path of the page, for links. Without an address of the repository it is relative to it.
const PLACE: &str = "docs/findings.md";

/// Returns the section of a code.
///
/// # Errors
/// If no finding has the code.
pub(super) fn explain(code: &str) -> Result<String, String> {
    match Code::ALL.iter().find(|known| known.as_str() == code.trim()) {
        Some(code) => Ok(format!("{code}\n\n{}\n", section(*code))),
        // The error explains a pattern as such, and a typing error gets a suggestion.
        None => Err(Pattern::parse(code).err().unwrap_or_else(|| format!("{code} matches several findings; give a single code"))),
    }
}

/// Returns the section's text without its heading.
pub(super) fn section(code: Code) -> &'static str {
    let heading = format!("\n### `{code}`\n");
    let Some(start) = PAGE.find(&heading).map(|at| at + heading.len()) else { return code.explanation() };
    let rest = PAGE.get(start..).unwrap_or_default();
    let end = ["\n### `", "\n## "].iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest).trim()
}

/// Returns the address of the section.
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
    fn every_code_is_explained_with_a_fix() {
        for code in Code::ALL {
            let text = explain(code.as_str()).unwrap();
            assert!(text.starts_with(&format!("{code}\n\n**")) && text.contains("\nFix: ") && !text.contains("\n### "), "{text}");
        }
        assert_eq!(explain("webhok-open").unwrap_err(), r#"no finding has the code "webhok-open"; did you mean "webhook-open"?"#);
        assert_eq!(explain("webhook-*").unwrap_err(), "webhook-* matches several findings; give a single code");
    }
}
