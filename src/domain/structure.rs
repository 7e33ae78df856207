//! What n8n needs to accept a document, and what is structurally impossible.
//!
//! Source: in n8n 2.39.10 the strict schemas of the public API (`@n8n/api-types`,
//! base-workflow-public.dto.js) and `n8n-workflow`'s workflow-structure-validation.js and
//! node-grouping-validation.js. Whether a node type exists, what its parameters are and whether the workflow
//! can be published are questions for the catalogue, not for this module.

mod connections;
mod groups;
mod nodes;
mod settings;

use crate::domain::definition::Definition;
use crate::domain::finding::{Code, Finding};

/// The most nodes that are looked at. n8n has no bound of its own; a document of 1 MiB cannot hold as many.
pub const MAX_NODES: usize = 5_000;

/// The longest workflow name, in characters as n8n counts them.
pub const MAX_NAME: usize = 128;

/// Everything that is structurally wrong with a definition, in document order.
///
/// An error is something that n8n refuses when the workflow is created. The name is only checked where it is
/// given: set it to what will be sent before calling this.
pub fn check_structure(definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(name) = &definition.name {
        findings.extend(check_name("name", name));
    }
    if definition.nodes.len() > MAX_NODES {
        let finding = Finding::error(Code::NodesTooMany, "nodes", "there are too many nodes; divide the workflow");
        findings.push(finding.mismatch(definition.nodes.len().to_string(), format!("at most {MAX_NODES}")));
        return findings;
    }
    nodes::check(&definition.nodes, &mut findings);
    connections::check(definition, &mut findings);
    settings::check(&definition.settings, &mut findings);
    groups::check(definition, &mut findings);
    findings
}

/// Whether n8n takes this workflow name: 1 to 128 characters, blanks included.
pub fn check_name(path: &str, name: &str) -> Option<Finding> {
    let length = name_length(name);
    if (1..=MAX_NAME).contains(&length) {
        return None;
    }
    let message = if length == 0 { "the workflow's name is empty" } else { "the workflow's name is too long" };
    let want = format!("1 to {MAX_NAME} characters");
    Some(Finding::error(Code::NameInvalid, path, message).mismatch(format!("{length} characters"), want))
}

/// The length as n8n's library (validator.js `isLength`) counts it: code points, an emoji variation selector
/// counting together with the character before it.
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
