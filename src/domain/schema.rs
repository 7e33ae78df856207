//! Whether a workflow fits the catalogue of node types: types and versions, parameters, connections by port,
//! credentials.
//!
//! An error is something that n8n refuses when the workflow is created or published, or that cannot do what is written;
//! whatever n8n decides by itself, or may be meant, is a warning. n8n does not look at nodes that are switched off or that
//! nothing is connected to: what is wrong there is a warning too.
//! Source: in n8n 2.39.10 `validateNodeConfiguration` of workflow-validation.service.js, `n8n-workflow`'s node-validation.js.

mod connections;
mod credentials;
mod kinds;
mod node;
mod parameters;
mod places;
mod shapes;

use crate::domain::catalog::Catalog;
use crate::domain::definition::Definition;
use crate::domain::finding::Finding;
use crate::domain::structure::MAX_NODES;

pub use credentials::{NodeCredentials, required_credentials};

/// Everything in which a definition does not fit the catalogue, nodes first, in their order.
///
/// A definition with more than [`MAX_NODES`] nodes is left to [`crate::domain::structure`].
pub fn check_against(definition: &Definition, catalog: &Catalog, findings: &mut Vec<Finding>) {
    if definition.nodes.len() > MAX_NODES {
        return;
    }
    let nodes = kinds::resolve(definition, catalog, findings);
    for node in nodes.iter().flatten() {
        parameters::check(node, findings);
        credentials::check(node, catalog, findings);
    }
    connections::check(definition, &nodes, findings);
}

#[cfg(test)]
mod tests;
