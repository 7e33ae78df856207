//! Node types that generated workflows may not use.

use crate::api::policy::WorkflowPolicySpec;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::text::pattern::matches;
use crate::validator::policy::{Policy, check};

/// Node types that generated workflows may not use.
#[derive(Debug)]
pub(super) struct Denied<'a> {
    policies: &'a [Policy<'a>],
    catalog: &'a Catalog,
}

impl<'a> Denied<'a> {
    pub(super) fn of(policies: &'a [Policy<'a>], catalog: &'a Catalog) -> Self {
        Self { policies, catalog }
    }

    /// Reports whether a node type is denied.
    pub(super) fn denies(&self, kind: &str) -> bool {
        let base = self.catalog.base(kind).unwrap_or(kind);
        let fits = |pattern: &String| matches(pattern, kind) || matches(pattern, base);
        self.rules().any(|rules| {
            let allowed = rules.allowed_node_types.as_ref().is_none_or(|allowed| allowed.iter().any(fits));
            !allowed || rules.denied_node_types.iter().any(fits)
        })
    }

    /// Returns the rules of the policies.
    pub(super) fn rules(&self) -> impl Iterator<Item = &WorkflowPolicySpec> {
        self.policies.iter().map(|policy| policy.rules)
    }

    /// Adds the violations of all policies.
    pub(super) fn check(&self, definition: &Definition, findings: &mut Vec<Finding>) {
        check(definition, self.policies, self.catalog, findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_denied_with_its_node() {
        let catalog = Catalog::embedded();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let denying = WorkflowPolicySpec { denied_node_types: list(&["n8n-nodes-base.slack"]), ..WorkflowPolicySpec::default() };
        let allowing = WorkflowPolicySpec { allowed_node_types: Some(list(&["n8n-nodes-base.*"])), ..WorkflowPolicySpec::default() };
        let policies = [Policy { name: "a", rules: &denying }, Policy { name: "b", rules: &allowing }];
        let denied = Denied::of(&policies, catalog);
        for (kind, wanted) in [
            ("n8n-nodes-base.slack", true),
            ("n8n-nodes-base.slackTool", true),
            ("n8n-nodes-base.gmail", false),
            ("@n8n/n8n-nodes-langchain.agent", true),
        ] {
            assert_eq!(denied.denies(kind), wanted, "{kind}");
        }
    }
}
