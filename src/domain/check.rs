//! Everything that is known to be wrong with a definition. The command line and the operator ask here, so that both say the same.

use serde::Serialize;

use super::definition::Definition;
use super::finding::{Code, Finding};
use super::structure::check_structure;

/// Everything that is wrong with a definition. `active` says whether it is to be published; absent where that is unknown.
pub fn check(definition: &Definition, active: Option<bool>) -> Vec<Finding> {
    let _ = active;
    check_structure(definition)
}

/// The document's own `active` and `tags` are ignored; where they differ from the spec, somebody may expect otherwise.
pub fn disagreements(definition: &Definition, active: Option<bool>, tags: Option<&[String]>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if definition.declared_active == Some(true) && active != Some(true) {
        let message = "the definition says active, which is ignored; spec.active decides";
        findings.push(Finding::warning(Code::DeclaredActiveIgnored, "active", message));
    }
    if let (Some(declared), Some(wanted)) = (&definition.declared_tags, tags)
        && declared.iter().any(|tag| !wanted.contains(tag))
    {
        findings.push(Finding::warning(Code::DeclaredTagsIgnored, "tags", "the definition's tags are ignored; spec.tags decides"));
    }
    findings
}

/// A node and the types of the credentials that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeCredentials {
    /// The node's name.
    pub node: String,
    /// The credential types, sorted.
    pub types: Vec<String>,
}

/// The credentials that the nodes of a definition name, in the order of the nodes.
pub fn required_credentials(definition: &Definition) -> Vec<NodeCredentials> {
    let named = definition.nodes.iter().filter_map(|node| {
        let mut types: Vec<String> =
            node.credentials()?.iter().filter(|(_, reference)| !reference.is_null()).map(|(kind, _)| kind.clone()).collect();
        types.sort_unstable();
        (!types.is_empty()).then(|| NodeCredentials { node: node.name().to_owned(), types })
    });
    named.collect()
}
