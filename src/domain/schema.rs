//! Whether a workflow fits the catalogue of node types: types and versions, parameters, connections by port,
//! credentials.
//!
//! An error is something that n8n refuses when the workflow is created or published, or that cannot do what is written;
//! whatever n8n decides by itself, or may be meant, is a warning. n8n does not look at nodes that are switched off or that
//! nothing is connected to: what is wrong there is a warning too.
//! Source: in n8n 2.39.10 `validateNodeConfiguration` of workflow-validation.service.js, `n8n-workflow`'s node-validation.js.

mod connections;
mod credentials;
mod groups;
mod kinds;
mod node;
mod parameters;
mod places;
mod shapes;

use crate::domain::catalog::Catalog;
use crate::domain::definition::{Definition, Node};
use crate::domain::finding::{Code, Finding, Severity};
use crate::domain::node_types::is_manual_trigger;
use crate::domain::structure::too_large;
use node::Known;

pub use credentials::{NodeCredentials, required_credentials};

/// Everything in which a definition does not fit the catalogue: nodes in their order, then connections.
///
/// A definition that is too large is left to [`crate::domain::structure`].
pub fn check_against(definition: &Definition, catalog: &Catalog, findings: &mut Vec<Finding>) {
    examine(definition, catalog, findings);
}

/// [`check_against`] and [`required_credentials`] at once, for little more than the price of one.
pub fn examine(definition: &Definition, catalog: &Catalog, findings: &mut Vec<Finding>) -> Vec<NodeCredentials> {
    if too_large(definition).is_some() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let nodes = kinds::resolve(definition, catalog, &mut found);
    unheeded(&nodes, findings);
    for node in nodes.iter().flatten() {
        parameters::check(node, &mut found);
        credentials::check(node, catalog, &mut found);
    }
    connections::check(definition, &nodes, &mut found);
    groups::check(definition, &nodes, &mut found);
    // Whatever order the keys of an object have, the findings have the same.
    found.sort_by(|a, b| place(&a.path).cmp(&place(&b.path)).then_with(|| a.code.cmp(&b.code)));
    findings.append(&mut found);
    credentials::required(&nodes, catalog)
}

/// An expression or script in a parameter that n8n drops when it loads the node, because it does not show or the node has
/// none of the name, is never evaluated: what is wrong with it is doubtful at most.
fn unheeded(nodes: &[Option<Known<'_>>], findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.is_error() && EVALUATED.contains(&finding.code)) {
        let known = place(&finding.path).0;
        let Some(known) = nodes.get(known).and_then(Option::as_ref) else { continue };
        if let Ok(values) = &known.values
            && !known.loads(values, &finding.path)
        {
            finding.severity = Severity::Warning;
        }
    }
}

/// What is wrong with code that n8n evaluates when the node runs.
const EVALUATED: &[Code] =
    &[Code::ExpressionUnclosed, Code::ExpressionSyntax, Code::ExpressionNodeUnknown, Code::FromAiOutsideTool, Code::ScriptSyntax];

/// Whether n8n finds anything that starts the workflow when it publishes; `None` where a node's type is not known.
pub fn has_start(definition: &Definition, catalog: &Catalog) -> Option<bool> {
    let starts = |node: &Node| {
        let kind = catalog.node(node.kind())?;
        Some(!is_manual_trigger(node.kind()) && kind.serving(node.type_version())?.starts())
    };
    let found: Vec<Option<bool>> = definition.nodes.iter().filter(|node| !node.disabled()).map(starts).collect();
    if found.contains(&Some(true)) { Some(true) } else { (!found.contains(&None)).then_some(false) }
}

/// Nodes in their order, then the rest of the document.
fn place(path: &str) -> (usize, &str) {
    let index = path.strip_prefix("nodes[").and_then(|rest| rest.split_once(']')).and_then(|(index, _)| index.parse().ok());
    (index.unwrap_or(usize::MAX), path)
}
