//! Node types that a policy allows and denies.

use super::subject::{Nodes, Policy};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding, quoted};
use crate::text::pattern::matches;
use crate::text::similar::nearest;

pub(super) fn check(policy: &Policy<'_>, nodes: &Nodes<'_>, catalog: &Catalog, findings: &mut Vec<Finding>) {
    let rules = policy.rules;
    if rules.allowed_node_types.is_none() && rules.denied_node_types.is_empty() {
        return;
    }
    for found in &nodes.all {
        let kind = found.node.kind();
        let (written, base) = (found.node.text("type").unwrap_or(kind), catalog.base(kind).unwrap_or(kind));
        let fits = |pattern: &String| [written, kind, base].iter().any(|name| matches(pattern, name));
        let denied = rules.denied_node_types.iter().find(|pattern| fits(pattern));
        let message = match (denied, &rules.allowed_node_types) {
            (Some(pattern), _) => {
                format!("WorkflowPolicy {} denies node type {} (deniedNodeTypes: {})", policy.name, quoted(written), quoted(pattern))
            }
            (None, Some(allowed)) if !allowed.iter().any(fits) => {
                format!("WorkflowPolicy {} does not allow node type {} (allowedNodeTypes)", policy.name, quoted(written))
            }
            _ => continue,
        };
        let literal = rules.allowed_node_types.iter().flatten().map(String::as_str).filter(|pattern| !pattern.contains('*'));
        let meant = nearest(kind, literal).filter(|_| denied.is_none());
        findings.push(nodes.error(found, &["type"], Code::PolicyNodeType, message).suggest(meant));
    }
    for index in &nodes.unknown {
        let at = crate::document::json_path::index("nodes", *index);
        let message = format!(
            "WorkflowPolicy {} restricts node types, and the workflow that this node runs is only known at run time; refer to a Workflow instead",
            policy.name
        );
        findings.push(Finding::error(Code::PolicyNodeType, at, message).at_node(nodes.name(*index)));
    }
}
