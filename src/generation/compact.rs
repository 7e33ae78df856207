//! The compact form of workflows: what a model or a person decides, and nothing that code can supply. [`read`] checks its shape,
//! [`compile`] makes an n8n definition of it, [`decompile`] is the way back, [`normal`] says which differences between a workflow and its
//! way there and back are harmless. docs/compact.md describes the form.

mod compile;
mod conditions;
mod decompile;
mod edges;
mod form;
mod graph;
mod layout;
mod nodes;
pub mod normal;
mod read;
mod scan;
mod schema;
mod texts;
mod uses;
mod values;

pub use compile::{Compiled, OpenValue, compile, locate};
pub use decompile::{Decompiled, decompile};
pub use form::{Case, Compact, CompactNode, Condition, Flag, Match, OnError, Retry, Settings, VERSION};
pub use read::read;
pub use schema::{schema, strict_schema};

// The rules of slots, which templates share.
pub(super) use scan::rewrite_pieces;
pub(super) use texts::{is_evaluated, plain, script_string, slot_name};

#[cfg(test)]
mod tests;
