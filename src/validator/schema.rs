//! Checks of a workflow against the catalogue of node types: types and versions, parameters, connections by port, credentials.
//!
//! An error is something that n8n refuses when the workflow is created or published, or that cannot do what is written; anything that n8n
//! decides at run time, or that may be intended, is a warning. n8n does not check nodes that are disabled or not connected: their problems
//! are warnings too. Source: in n8n 2.39.10 `validateNodeConfiguration` of workflow-validation.service.js, `n8n-workflow`'s
//! node-validation.js.

mod conditions;
mod connections;
mod credentials;
mod groups;
mod kinds;
mod literal;
mod misplaced;
mod node;
mod parameters;
mod reading;
mod resolved;
mod shapes;

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::finding::Finding;
use crate::document::node_types::is_manual_trigger;
use crate::validator::structure::too_large;

pub use conditions::operators;
pub use kinds::NodeTypes;
pub(crate) use reading::Reading;
pub use resolved::Resolved;

pub use credentials::{NodeCredentials, required_credentials};

/// Reports everything in a definition that does not fit the catalogue: nodes in their order, then connections.
///
/// A definition that is too large is reported by [`crate::validator::structure`].
pub fn check_against(definition: &Definition, catalog: &Catalog, findings: &mut Vec<Finding>) {
    examine(definition, catalog, findings);
}

/// Combines [`check_against`] and [`required_credentials`], at little more than the cost of one.
pub fn examine(definition: &Definition, catalog: &Catalog, findings: &mut Vec<Finding>) -> Vec<NodeCredentials> {
    let types = NodeTypes::of(definition, catalog);
    examine_resolved(definition, catalog, &Resolved::of(definition, &types, catalog), findings)
}

/// Does the same as [`examine`], for nodes that have been looked up.
pub fn examine_resolved(
    definition: &Definition,
    catalog: &Catalog,
    resolved: &Resolved<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<NodeCredentials> {
    if too_large(definition).is_some() {
        return Vec::new();
    }
    let mut found = resolved.findings.clone();
    let nodes = &resolved.nodes;
    for node in nodes.iter().flatten() {
        parameters::check(node, &mut found);
        credentials::check(node, catalog, &mut found);
    }
    connections::check(definition, nodes, &mut found);
    groups::check(definition, nodes, &mut found);
    // The order of the findings must not depend on the order of an object's keys.
    found.sort_by(|a, b| place(&a.path).cmp(&place(&b.path)).then_with(|| a.code.cmp(&b.code)));
    findings.append(&mut found);
    credentials::required(nodes, catalog)
}

/// Reports whether n8n finds a node that starts the workflow when it publishes; `None` if a node's type is not known.
pub fn has_start(definition: &Definition, catalog: &Catalog) -> Option<bool> {
    let starts = |node: &Node| {
        let kind = catalog.node(node.kind())?;
        Some(!is_manual_trigger(node.kind()) && kind.serving(node.type_version())?.starts())
    };
    let found: Vec<Option<bool>> = definition.nodes.iter().filter(|node| !node.disabled()).map(starts).collect();
    if found.contains(&Some(true)) { Some(true) } else { (!found.contains(&None)).then_some(false) }
}

/// Sorts nodes in their order, then the rest of the document.
fn place(path: &str) -> (usize, &str) {
    let index = path.strip_prefix("nodes[").and_then(|rest| rest.split_once(']')).and_then(|(index, _)| index.parse().ok());
    (index.unwrap_or(usize::MAX), path)
}

#[cfg(test)]
mod tests;
