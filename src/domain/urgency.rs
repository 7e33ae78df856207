//! Order in which reconciliations that wait for a slot start.

/// Urgency of a reconciliation, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The spec, ConfigMap or pin of an object that is bound in n8n changed, or an annotation asks for a reconciliation or a reset.
    Edit,
    /// The object is being deleted.
    Deletion,
    /// The object has no workflow in n8n yet.
    Create,
    /// No change is known.
    Routine,
}

impl Urgency {
    /// Every urgency, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Edit, Self::Deletion, Self::Create, Self::Routine];

    /// Reports whether a slot is kept free for it.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Edit | Self::Deletion)
    }
}
