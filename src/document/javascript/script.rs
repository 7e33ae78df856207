//! References that a piece of code makes.

use std::collections::BTreeSet;

/// A reference to a node by a literal name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeReference {
    pub(crate) name: String,
    /// True if a missing node may do no harm: the reference stands inside `try`, or depends on a condition.
    pub(crate) spared: bool,
    /// True if it is written as `$node.name`.
    pub(crate) dotted: bool,
}

/// References of a piece of code.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// Nodes that it refers to, each once.
    pub(crate) nodes: BTreeSet<NodeReference>,
    /// Nodes for which the code checks whether they have run.
    pub(crate) asked: BTreeSet<String>,
    /// Description of a construct that n8n bars from expressions, if one is used.
    pub(crate) barred: Option<&'static str>,
    /// True if it requests a value from an agent without a default.
    pub(crate) from_ai: bool,
    /// Names that an expression uses and does not declare.
    pub(crate) free: BTreeSet<String>,
}
