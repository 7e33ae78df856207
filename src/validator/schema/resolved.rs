//! The nodes of a definition with what the catalogue knows of each.

use super::kinds;
use super::node::Known;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::validator::structure::too_large;

/// The nodes of a definition with what the catalogue says of each, found out once for all who ask.
pub struct Resolved<'a> {
    /// By place; nothing where the definition is too large to be looked at.
    pub(super) nodes: Vec<Option<Known<'a>>>,
    /// What is wrong with types and versions.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Resolved<'a> {
    /// Looks up each node of a definition.
    pub fn of(definition: &'a Definition, catalog: &Catalog) -> Self {
        let mut findings = Vec::new();
        let nodes = if too_large(definition).is_some() { Vec::new() } else { kinds::resolve(definition, catalog, &mut findings) };
        Self { nodes, findings }
    }

    /// Nothing is known of any node.
    pub fn unknown() -> Self {
        Self { nodes: Vec::new(), findings: Vec::new() }
    }
}
