//! A choice: the findings that a pattern selects, and the level at which they are reported.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::finding::{Code, quoted};
use crate::text::similar::nearest;

/// What a rule's findings are told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// They count as errors.
    Error,
    /// They count as warnings.
    Warning,
    /// They are information, which never fails a run.
    Info,
    /// They are not told.
    Off,
}

/// Some codes: one by its name, those that begin alike (`expression-*`), or `all`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// Where no code fits, with the code that was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self(text.trim().to_owned());
        if Code::ALL.iter().any(|code| pattern.specificity(*code).is_some()) {
            return Ok(pattern);
        }
        let meant = nearest(&pattern.0, Code::ALL.iter().map(|code| code.as_str()));
        let hint = meant.map_or_else(String::new, |code| format!("; did you mean {}?", quoted(code)));
        Err(format!("no finding has the code {}{hint}", quoted(&pattern.0)))
    }

    /// Reads several, parted by commas, and says what is wrong with those that fit nothing.
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

    /// How exactly it names a code, if it does: the longer the more.
    pub(super) fn specificity(&self, code: Code) -> Option<usize> {
        match self.0.strip_suffix('*') {
            _ if self.0 == "all" => Some(0),
            Some(start) => code.as_str().starts_with(start).then_some(start.len()),
            None => (self.0 == code.as_str()).then_some(usize::MAX),
        }
    }
}

/// Says that a code cannot be switched off or be told as something else, and why.
pub fn cannot_be_changed(code: Code) -> String {
    format!("{code} cannot be switched off or changed: nothing of such a document is checked, and it would pass for a valid one")
}

/// One place's choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Only these are told.
    pub select: Option<Vec<Pattern>>,
    /// These are not told.
    pub ignore: Vec<Pattern>,
    /// These are told as something else.
    pub levels: BTreeMap<Pattern, Level>,
}
