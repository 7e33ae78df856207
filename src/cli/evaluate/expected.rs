//! Prompts and what is expected of them.

use std::path::Path;

use serde::Deserialize;

use super::arguments::EvaluateError;

/// A prompt.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Prompt {
    pub(super) id: String,
    pub(super) prompt: String,
    /// Expected outcome.
    #[serde(default)]
    pub(super) expects: Expects,
    #[serde(default)]
    pub(super) reference: Option<Reference>,
}

/// Expected outcome of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expects {
    /// A workflow.
    #[default]
    Workflow,
    /// Questions.
    Questions,
    /// A refusal, or that nothing is built.
    Refusal,
}

/// Facts about a workflow that does what was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    /// Lists of alternatives: one type of each must be there.
    pub(super) required_triggers: Vec<Vec<String>>,
    /// Lists of alternatives: one type of each must be there.
    pub(super) essential_nodes: Vec<Vec<String>>,
}

/// Reads the prompts of a file: those with these ids, if any are given.
pub(super) fn read(path: &Path, ids: &[String], limit: Option<usize>) -> Result<Vec<Prompt>, EvaluateError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| EvaluateError::File("read", name.clone(), error))?;
    let mut prompts = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let prompt: Prompt = serde_json::from_str(line).map_err(|error| EvaluateError::Line(name.clone(), at + 1, error.to_string()))?;
        if ids.is_empty() || ids.contains(&prompt.id) {
            prompts.push(prompt);
        }
    }
    prompts.truncate(limit.unwrap_or(usize::MAX));
    if prompts.is_empty() { Err(EvaluateError::Nothing(name)) } else { Ok(prompts) }
}
