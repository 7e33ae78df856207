//! The workflows to import, and remarks on them.

use crate::domain::remote::RemoteWorkflow;

/// A workflow with the content to import: what is published, else the draft.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The name of its object, by [`names`].
    pub name: String,
    /// The workflow.
    pub workflow: RemoteWorkflow,
}

/// Something that a person should know, about the object of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The object.
    pub name: String,
    /// What there is to know.
    pub message: String,
}
