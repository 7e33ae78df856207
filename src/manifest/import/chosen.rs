//! Workflows to import, and notes on them.

use crate::domain::remote::RemoteWorkflow;

/// A workflow with the content to import: the published version, or the draft if none is published.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Name of its object, by [`names`].
    pub name: String,
    /// The workflow.
    pub workflow: RemoteWorkflow,
}

/// A note for the user about the object of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Name of the object.
    pub name: String,
    /// Text of the note.
    pub message: String,
}
