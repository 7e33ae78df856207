//! The nodes of a definition with the catalogue's facts about each.

use super::kinds::{self, NodeTypes};
use super::node::Known;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::validator::structure::too_large;

/// The nodes of a definition with the catalogue's facts about each, looked up once for all checks.
pub struct Resolved<'a> {
    /// Nodes by index; empty if the definition is too large to be checked.
    pub(super) nodes: Vec<Option<Known<'a>>>,
    /// Findings on types and versions.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Resolved<'a> {
    /// Looks up each node of a definition.
    pub fn of(definition: &'a Definition, types: &'a NodeTypes, catalog: &Catalog) -> Self {
        let mut findings = Vec::new();
        let nodes = if too_large(definition).is_some() { Vec::new() } else { kinds::resolve(definition, types, catalog, &mut findings) };
        Self { nodes, findings }
    }

    /// Returns a value in which no node is known.
    pub fn unknown() -> Self {
        Self { nodes: Vec::new(), findings: Vec::new() }
    }
}
