//! Rules: the findings that a pattern selects, and the level at which they are reported.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::finding::{Code, quoted};
use crate::text::similar::nearest;

/// Level at which a rule's findings are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Findings count as errors.
    Error,
    /// Findings count as warnings.
    Warning,
    /// Findings are information, which never fails a run.
    Info,
    /// Findings are not reported.
    Off,
}

/// A pattern of codes: one by its name, those with a common prefix (`expression-*`), or `all`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// If no code matches, with the code that was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self(text.trim().to_owned());
        if Code::ALL.iter().any(|code| pattern.specificity(*code).is_some()) {
            return Ok(pattern);
        }
        let meant = nearest(&pattern.0, Code::ALL.iter().map(|code| code.as_str()));
        let hint = meant.map_or_else(String::new, |code| format!("; did you mean {}?", quoted(code)));
        Err(format!("no finding has the code {}{hint}", quoted(&pattern.0)))
    }

    /// Parses several patterns, separated by commas, and returns the errors of those that match nothing.
    pub fn parse_known(text: &str) -> (Vec<Self>, Vec<String>) {
        let (mut known, mut wrong) = (Vec::new(), Vec::new());
        for part in text.split(',').filter(|part| !part.trim().is_empty()).take(Code::ALL.len()) {
            match Self::parse(part) {
                Ok(pattern) => known.push(pattern),
                Err(error) => wrong.push(error),
            }
        }
        (known, wrong)
    }

    /// Returns how specifically the pattern names a code, if it does: longer is more specific.
    pub(super) fn specificity(&self, code: Code) -> Option<usize> {
        match self.0.strip_suffix('*') {
            _ if self.0 == "all" => Some(0),
            Some(start) => code.as_str().starts_with(start).then_some(start.len()),
            None => (self.0 == code.as_str()).then_some(usize::MAX),
        }
    }
}

/// Explains that a code cannot be switched off or reported at another level.
pub fn cannot_be_changed(code: Code) -> String {
    format!("{code} cannot be switched off or changed: such a document is not checked, and would pass as valid")
}

/// Rules of one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Only these are reported.
    pub select: Option<Vec<Pattern>>,
    /// These are not reported.
    pub ignore: Vec<Pattern>,
    /// These are reported at another level.
    pub levels: BTreeMap<Pattern, Level>,
}
