//! Answers that have no part in a workflow.

use crate::document::finding::quoted;
use crate::generation::outcome::Answers;

/// Returns what is said of answers that have no part in the workflow.
pub(super) fn unused(answers: &Answers, taken: impl Fn(&String) -> bool) -> impl Iterator<Item = String> {
    let left = answers.keys().filter(move |id| !taken(id));
    left.map(|id| format!("The answer {} is not used: there is no question and no value of that name", quoted(id)))
}
