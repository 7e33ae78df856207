//! The pipeline from a sentence to a workflow, as a state machine by replay: [`step`] says which calls of models are wanted, given the answers
//! so far, or what came of it. docs/generation.md describes the stages.
//!
//! A model chooses node types and fills in parameters. The graph, the identities, the validation, the policies and the bytes are this module's.

mod autofix;
mod calls;
mod catalogue;
mod checks;
mod complexity;
mod denied;
mod edit;
mod evaluation;
mod fence;
mod fill;
mod graph;
mod likely;
mod output;
mod prompt;
mod repair;
mod request;
mod rounds;
mod signature;
mod step;

pub use calls::{Step, is_attempt};
pub use request::{ExecutionFailure, Inventory, MOST_ATTEMPTS, Provider, Request, Tier, Turn};
pub use step::step;

#[cfg(test)]
mod tests;
