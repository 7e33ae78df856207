//! Rules of a namespace for definitions: what a `WorkflowPolicy` denies, as findings like all others.

mod hosts;
mod intervals;
mod node_types;
mod subject;

use crate::api::policy::{Effect, WorkflowPolicySpec};
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::endpoints::{EndpointKind, of_node};
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::document::json_path;
use crate::text::pattern::matches;
use crate::text::similar::nearest;
use subject::Nodes;
pub use subject::Policy;

/// Adds the violations of all policies, which apply together. Of the policies, the strictest decides whether a literal secret is an error.
pub fn check(definition: &Definition, policies: &[Policy<'_>], catalog: &Catalog, findings: &mut Vec<Finding>) {
    if policies.is_empty() {
        return;
    }
    if policies.iter().all(|policy| policy.rules.literal_secrets == Effect::Warn) {
        let secrets = findings.iter_mut().filter(|finding| finding.code == Code::SecretLiteral);
        secrets.for_each(|finding| finding.severity = Severity::Warning);
    }
    let nodes = Nodes::of(definition);
    for policy in policies {
        let before = findings.len();
        node_types::check(policy, &nodes, catalog, findings);
        hosts::check(policy, &nodes, catalog, findings);
        intervals::check(policy, &nodes, findings);
        check_paths(policy, definition, findings);
        check_whole(policy, definition, nodes.all.len(), findings);
        findings.iter_mut().skip(before).for_each(|finding| finding.policy = Some(policy.name.to_owned()));
    }
}

fn check_paths(policy: &Policy<'_>, definition: &Definition, findings: &mut Vec<Finding>) {
    let Some(prefix) = &policy.rules.webhook_path_prefix else { return };
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled()) {
        let chosen = |kind| matches!(kind, EndpointKind::Webhook | EndpointKind::Form | EndpointKind::Mcp);
        // An MCP trigger of version 1 has several endpoints below the same path.
        let Some(endpoint) = of_node(node).into_iter().find(|endpoint| chosen(endpoint.kind)) else { continue };
        let dots = |path: &str| path.split('/').any(|segment| matches!(segment, "." | ".."));
        let fits =
            |path: &str| path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !dots(path);
        if endpoint.written.as_deref().is_some_and(fits) {
            continue;
        }
        let message = match &endpoint.written {
            Some(_) => format!("WorkflowPolicy {} requires a path that begins with {prefix}/", policy.name),
            None => format!(
                "WorkflowPolicy {} requires a path that begins with {prefix}/, and an expression computes this one; write it out",
                policy.name
            ),
        };
        let wanted = endpoint.written.map(|path| format!("{prefix}/{}", path.trim_start_matches('/')));
        let at = json_path::key(&json_path::key(&json_path::index("nodes", index), "parameters"), "path");
        findings.push(Finding::error(Code::PolicyWebhookPath, at, message).at_node(node.name()).suggest(wanted));
    }
}

fn check_whole(policy: &Policy<'_>, definition: &Definition, nodes: usize, findings: &mut Vec<Finding>) {
    let error_workflow = definition.settings.get("errorWorkflow").and_then(serde_json::Value::as_str).unwrap_or_default();
    if policy.rules.require_error_workflow && error_workflow.is_empty() {
        let message = format!(
            "WorkflowPolicy {} requires an error workflow; set settings.errorWorkflow to a workflow with an Error Trigger",
            policy.name
        );
        findings.push(Finding::error(Code::PolicyErrorWorkflow, "settings.errorWorkflow", message));
    }
    if let Some(most) = policy.rules.maximum_nodes.filter(|most| i64::try_from(nodes).is_ok_and(|nodes| nodes > *most)) {
        let message =
            format!("WorkflowPolicy {} limits the number of nodes; move a part into a workflow of its own and call that", policy.name);
        findings.push(Finding::error(Code::PolicyNodes, "nodes", message).mismatch(nodes.to_string(), format!("at most {most}")));
    }
}

/// Returns the doubts about a policy itself, for people: patterns that probably are misspelt, and rules that cancel each other.
pub fn doubts(rules: &WorkflowPolicySpec, catalog: &Catalog) -> Vec<String> {
    let unmatched = unmatched(rules, catalog).into_iter().map(|pattern| {
        let types = catalog.index().nodes.iter().map(|entry| entry.name.as_str());
        let short = format!(".{pattern}");
        let meant = types
            .clone()
            .find(|name| name.ends_with(&short))
            .or_else(|| nearest(&pattern, types))
            .map(|name| format!("; did you mean {}?", quoted(name)))
            .unwrap_or_default();
        format!("pattern {} matches no node type of n8n{meant}", quoted(&pattern))
    });
    let cancelled = contradictions(rules)
        .into_iter()
        .map(|pattern| format!("pattern {} of allowedNodeTypes allows nothing, because deniedNodeTypes denies all of it", quoted(pattern)));
    let hosts = rules.allowed_hosts.iter().flatten().filter(|host| host.contains('/')).map(|host| {
        format!(
            "pattern {} of allowedHosts matches nothing, because a host has no /; write the host alone, as api.example.com",
            quoted(host)
        )
    });
    unmatched.chain(cancelled).chain(hosts).collect()
}

/// Returns the patterns of allowed node types all of whose types are denied.
pub fn contradictions(rules: &WorkflowPolicySpec) -> Vec<&str> {
    // A pattern denies all that another one allows if it matches that as a text, for `*` stands for itself, too.
    let denied = |pattern: &&String| rules.denied_node_types.iter().any(|other| matches(other, pattern));
    rules.allowed_node_types.iter().flatten().filter(denied).map(String::as_str).collect()
}

/// Returns the patterns of node types that match no type of the catalogue: probably misspelt. A pattern of another package than n8n's own
/// is left out.
fn unmatched(rules: &WorkflowPolicySpec, catalog: &Catalog) -> Vec<String> {
    let patterns = rules.allowed_node_types.iter().flatten().chain(&rules.denied_node_types);
    let foreign = |package: &str| !package.contains('*') && !["n8n-nodes-base", "@n8n/n8n-nodes-langchain"].contains(&package);
    let own = |pattern: &&String| !pattern.split_once('.').is_some_and(|(package, _)| foreign(package));
    // A tool is not in the list of types: it is made of its node.
    let known = |pattern: &str| catalog.base(pattern).is_some() || catalog.index().nodes.iter().any(|entry| matches(pattern, &entry.name));
    patterns.filter(own).filter(|pattern| !known(pattern)).cloned().collect()
}

#[cfg(test)]
mod tests;
