//! Requirements that n8n has for accepting a document, and structural errors.
//!
//! Source: in n8n 2.39.10 the strict schemas of the public API (`@n8n/api-types`, base-workflow-public.dto.js) and `n8n-workflow`'s
//! workflow-structure-validation.js and node-grouping-validation.js. Whether a node type exists, which parameters it has and whether the
//! workflow can be published is checked with the catalogue, not in this module.

mod connections;
mod groups;
mod nodes;
mod settings;

use serde_json::Value;

use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding};
use crate::document::parse::{MAX_NODES, too_many_nodes};

/// Maximum number of connections: they are followed from many nodes. Published workflows have a hundredth of it.
pub const MAX_CONNECTIONS: usize = 20_000;

/// Maximum length of a workflow name, in characters as n8n counts them.
pub const MAX_NAME: usize = 128;

/// Returns the structural findings about a definition, in document order.
///
/// An error is something that n8n refuses when the workflow is created. The name is only checked if it is given: set it to the name that
/// will be sent before calling this.
pub fn check_structure(definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(name) = &definition.name {
        findings.extend(check_name("name", name));
    }
    if let Some(finding) = too_large(definition) {
        findings.push(finding);
        return findings;
    }
    nodes::check(definition, &mut findings);
    connections::check(definition, &mut findings);
    settings::check(&definition.settings, &mut findings);
    groups::check(definition, &mut findings);
    findings
}

/// Returns the finding for a definition with too many nodes or connections; its parts are then not checked.
pub fn too_large(definition: &Definition) -> Option<Finding> {
    let connections = || {
        let outputs = definition.connections.values().filter_map(Value::as_object).flat_map(|kinds| kinds.values());
        outputs.filter_map(Value::as_array).flatten().map(|bucket| 1 + bucket.as_array().map_or(0, Vec::len)).sum()
    };
    if definition.nodes.len() > MAX_NODES {
        return Some(too_many_nodes(definition.nodes.len()));
    }
    let count: usize = connections();
    let finding = || Finding::error(Code::NodesTooMany, "connections", "there are too many connections; split the workflow");
    (count > MAX_CONNECTIONS).then(|| finding().mismatch(count.to_string(), format!("at most {MAX_CONNECTIONS}")))
}

/// Checks that n8n accepts this workflow name: 1 to 128 characters, whitespace included.
pub fn check_name(path: &str, name: &str) -> Option<Finding> {
    let length = name_length(name);
    if (1..=MAX_NAME).contains(&length) {
        return None;
    }
    let message = if length == 0 { "the workflow's name is empty" } else { "the workflow's name is too long" };
    let want = format!("1 to {MAX_NAME} characters");
    Some(Finding::error(Code::NameInvalid, path, message).mismatch(format!("{length} characters"), want))
}

/// Returns the length as n8n's library (validator.js `isLength`) counts it: code points, an emoji variation selector counting together with
/// the character before it.
fn name_length(name: &str) -> usize {
    let is_selector = |c: char| matches!(c, '\u{fe0e}' | '\u{fe0f}');
    let mut length = 0;
    let mut before_is_base = false;
    for c in name.chars() {
        let joins = is_selector(c) && before_is_base;
        length += usize::from(!joins);
        before_is_base = !is_selector(c);
    }
    length
}

#[cfg(test)]
mod tests;
