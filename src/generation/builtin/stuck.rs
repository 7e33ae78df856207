//! Obstacles to building.

/// Why a workflow cannot be built from what is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// A part of the prompt is not understood, or no pattern covers it.
    Unknown(String),
    /// It is open where a message goes.
    Channel,
    /// It is open where records go. The noun that the prompt has for the place.
    Place(String),
    /// It is open when a branch is taken.
    Condition(String),
}
