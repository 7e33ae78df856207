//! All checks of a definition. The command line and the operator both call this module, so that they report the same findings.

use std::collections::HashSet;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, Harm, Severity, bounded};
use crate::document::json_path;
use crate::document::parse::{Parsed, Unparsable, parse, parse_owned};
use crate::validator::content::check_content_of;
use crate::validator::schema::{NodeCredentials, NodeTypes, Resolved, examine_resolved, has_start};
use crate::validator::structure::check_structure;

/// Parses a document. If it cannot be parsed, the findings include those about the structure of its other parts.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_and_check(raw: &Value) -> Result<Parsed, Vec<Finding>> {
    parse(raw).map_err(|unparsable| with_structure(*unparsable))
}

/// Does the same as [`parse_and_check`], for a document that is not needed any more.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_owned_and_check(raw: Value) -> Result<Parsed, Vec<Finding>> {
    parse_owned(raw).map_err(|unparsable| with_structure(*unparsable))
}

/// Adds the findings about the structure of the parts that could be parsed.
fn with_structure(Unparsable { mut findings, rest }: Unparsable) -> Vec<Finding> {
    let known: HashSet<String> = findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.path.clone()).collect();
    let nodes_lost = known.contains("nodes");
    let structure = rest.iter().flat_map(check_structure).filter(|finding| {
        let echo = json_path::around(&finding.path).any(|outer| known.contains(outer));
        !(echo || nodes_lost && json_path::is_within(&finding.path, "connections"))
    });
    findings.extend(structure);
    bounded(findings)
}

/// Returns all findings about a definition. `active` says whether it is to be published; `None` if that is unknown.
pub fn check(definition: &Definition, active: Option<bool>, catalog: &Catalog) -> Vec<Finding> {
    examine(definition, active, catalog).0
}

/// Returns the findings of [`check`] and the credentials that the nodes need, at little more than the cost of one.
pub fn examine(definition: &Definition, active: Option<bool>, catalog: &Catalog) -> (Vec<Finding>, Vec<NodeCredentials>) {
    let mut findings = check_structure(definition);
    let types = NodeTypes::of(definition, catalog);
    let resolved = Resolved::of(definition, &types, catalog);
    findings.extend(check_content_of(definition, active, &resolved));
    // Only the catalogue knows in which versions a node waits for a response; n8n publishes a workflow for such a node alone.
    if active == Some(true) && has_start(definition, catalog) == Some(false) {
        findings.iter_mut().filter(|finding| finding.code == Code::TriggerMissing).for_each(|finding| finding.severity = Severity::Error);
    }
    let required = examine_resolved(definition, catalog, &resolved, &mut findings);
    (bounded(findings), required)
}

/// Turns errors that depend on the catalogue into warnings: n8n is, or may be, of another version than the catalogue's, and decides.
/// Returns whether there was an error.
pub fn doubt<'f>(findings: impl IntoIterator<Item = &'f mut Finding>) -> bool {
    let mut any = false;
    for finding in findings.into_iter().filter(|finding| finding.is_error() && finding.code.dependency_digest_catalog()) {
        finding.severity = Severity::Warning;
        any = true;
    }
    any
}

/// Turns findings on values that the operator fills in into information: in a Workflow they require no action.
pub fn take_for_filled_in<'f>(findings: impl IntoIterator<Item = &'f mut Finding>) {
    for finding in findings.into_iter().filter(|finding| !finding.is_error() && finding.code.harm() == Harm::FilledIn) {
        finding.severity = Severity::Info;
    }
}

/// Reports where the document's own `active` and `tags`, which are ignored, differ from the spec: the author may expect otherwise.
pub fn disagreements(definition: &Definition, active: Option<bool>, tags: Option<&[String]>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if definition.declared_active == Some(true) && active != Some(true) {
        let message = "the definition sets active, which is ignored; spec.active decides";
        findings.push(Finding::warning(Code::DeclaredActiveIgnored, "active", message));
    }
    if let (Some(declared), Some(wanted)) = (&definition.declared_tags, tags)
        && declared.iter().any(|tag| !wanted.contains(tag))
    {
        findings.push(Finding::warning(Code::DeclaredTagsIgnored, "tags", "the definition's tags are ignored; spec.tags decides"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validator::check::parse_and_check;

    /// Returns the severity of the finding about the start of a workflow of these nodes.
    fn start(nodes: &[(&str, f64)]) -> Option<Severity> {
        let node = |(at, (kind, version)): (usize, &(&str, f64))| json!({"name": at.to_string(), "type": kind, "typeVersion": version, "position": [0, 0], "parameters": {}});
        let nodes: Vec<_> = nodes.iter().enumerate().map(node).collect();
        let definition = parse_and_check(&json!({"name": "x", "nodes": nodes, "connections": {}, "settings": {}})).unwrap().definition;
        let found = check(&definition, Some(true), Catalog::embedded());
        found.iter().find(|finding| finding.code == Code::TriggerMissing).map(|finding| finding.severity)
    }

    #[test]
    fn a_workflow_that_only_waits_for_a_response_is_published_if_its_version_waits() {
        assert_eq!(start(&[("n8n-nodes-base.manualTrigger", 1.0), ("n8n-nodes-base.gmail", 2.1)]), Some(Severity::Warning));
        assert_eq!(start(&[("n8n-nodes-base.manualTrigger", 1.0), ("n8n-nodes-base.gmail", 1.0)]), Some(Severity::Error));
        assert_eq!(start(&[("n8n-nodes-base.wait", 1.1)]), Some(Severity::Error), "n8n publishes it, and nothing ever starts it");
        assert_eq!(start(&[("n8n-nodes-base.set", 3.4)]), Some(Severity::Error));
        assert_eq!(start(&[("n8n-nodes-base.scheduleTrigger", 1.2)]), None);
    }
}
