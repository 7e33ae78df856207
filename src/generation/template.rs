//! WorkflowTemplates: a workflow and the typed values that it is made with. [`render`] makes a definition of a template, [`validate`]
//! says what is wrong with a template itself, [`templates`] are those that ship with this program. docs/templates.md describes them.
//!
//! A value is data: it stands in the place of a whole value, or within a text, and can neither leave that text nor become an expression,
//! unless its input is declared to take expressions.

mod code;
mod expressions;
mod inputs;
mod placeholders;
mod render;
mod shipped;
mod substitute;
mod validate;
mod value;

pub use inputs::{check_inputs, from_text};
pub use render::{Missing, Rendered, digest, pinned_versions, render};
pub use shipped::{Template, manifests, shipped as templates};
pub use validate::validate;

#[cfg(test)]
mod tests;
