//! A request for a workflow, independent of its origin: the input of every maker of workflows.

use super::outcome::Answers;
use crate::catalog::Catalog;

/// Maximum size of a prompt in bytes.
pub const MAX_PROMPT: usize = 8 * 1024;

/// A prompt with everything that a proposal depends on.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'p> {
    /// The text of the user.
    pub text: &'p str,
    /// Answers to earlier questions, by the id of the question.
    pub answers: &'p Answers,
    /// Time zone of schedules, such as `Europe/Berlin`; without one that of the instance applies.
    pub timezone: Option<&'p str>,
    /// Handling of what the prompt leaves open.
    pub clarification: Clarification,
    /// Facts about node types.
    pub catalog: &'p Catalog,
}

/// Handling of what a prompt leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clarification {
    /// Questions are asked if the answer changes the workflow.
    #[default]
    Ask,
    /// The default of a question is assumed if it has one.
    AssumeDefaults,
    /// No question is asked: what cannot be assumed is not built.
    Never,
}
