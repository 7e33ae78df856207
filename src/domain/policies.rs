//! Decision whether the policies of a namespace allow a definition.

use std::collections::HashSet;

use kube::api::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use crate::api::policy::{AppliesTo, Effect, WorkflowPolicySpec};
use crate::api::{GROUP, annotation};
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, has_errors, summarise};
use crate::text::one_line;
use crate::validator::policy::{self, Policy};

/// Maximum length of the violations in a message.
const MOST_CHARS: usize = 1_000;

/// A definition that policies deny.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// Names of the policies.
    pub policies: Vec<String>,
    /// The violations as text for people.
    pub message: String,
}

/// Reports whether a policy applies to a definition, which a language model made (`generated`) or not.
pub fn applies(rules: &WorkflowPolicySpec, generated: bool) -> bool {
    rules.applies_to == AppliesTo::All || generated
}

/// Node types that generated definitions may not use unless a policy allows them by their full names: they execute code or commands, read or
/// write files of n8n's host, or control n8n itself.
const NOT_GENERATED: [&str; 15] = [
    "@n8n/n8n-nodes-langchain.code",
    "@n8n/n8n-nodes-langchain.toolCode",
    "n8n-nodes-base.aiTransform",
    "n8n-nodes-base.code",
    "n8n-nodes-base.executeCommand",
    "n8n-nodes-base.function",
    "n8n-nodes-base.functionItem",
    "n8n-nodes-base.git",
    "n8n-nodes-base.localFileTrigger",
    "n8n-nodes-base.n8n",
    "n8n-nodes-base.readBinaryFile",
    "n8n-nodes-base.readBinaryFiles",
    "n8n-nodes-base.readWriteFile",
    "n8n-nodes-base.ssh",
    "n8n-nodes-base.writeBinaryFile",
];

/// Name by which messages mention the built-in rules.
pub const BUILT_IN: &str = "built-in";

/// Reports whether a WorkflowPrompt made the definition of a Workflow with this metadata.
pub fn is_generated(metadata: &ObjectMeta) -> bool {
    let marked = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(annotation::GENERATED_BY));
    let prefix = format!("{GROUP}/");
    marked || metadata.owner_references.iter().flatten().any(|one| one.kind == "WorkflowPrompt" && one.api_version.starts_with(&prefix))
}

/// Reports the same of an object as it is stored.
pub fn is_generated_object(object: &Value) -> bool {
    ObjectMeta::deserialize(&object["metadata"]).is_ok_and(|metadata| is_generated(&metadata))
}

/// Returns the built-in rules for generated definitions in a namespace with these policies.
pub fn built_in<'a>(policies: impl IntoIterator<Item = &'a WorkflowPolicySpec>) -> WorkflowPolicySpec {
    let allowed: HashSet<&str> =
        policies.into_iter().flat_map(|rules| rules.allowed_node_types.iter().flatten()).map(String::as_str).collect();
    let denied = NOT_GENERATED.iter().filter(|kind| !allowed.contains(*kind)).map(|kind| (*kind).to_owned()).collect();
    WorkflowPolicySpec { denied_node_types: denied, literal_secrets: Effect::Deny, ..WorkflowPolicySpec::default() }
}

/// Returns the denial of a stored version, if policies deny it.
pub fn denial(definition: &Definition, policies: &[Policy<'_>], catalog: &Catalog) -> Option<Denial> {
    let mut findings = Vec::new();
    policy::check(definition, policies, catalog, &mut findings);
    let denied = has_errors(&findings);
    denied.then(|| Denial { policies: broken(&findings, policies), message: summarise(&findings, MOST_CHARS) })
}

/// Reports whether a finding is an error because of these policies.
pub fn is_violation(finding: &Finding, policies: &[Policy<'_>]) -> bool {
    let secrets = || policies.iter().any(|policy| policy.rules.literal_secrets == Effect::Deny);
    finding.is_error() && (finding.policy.is_some() || finding.code == Code::SecretLiteral && secrets())
}

/// Returns the names of the policies that these findings are about.
pub fn broken(findings: &[Finding], policies: &[Policy<'_>]) -> Vec<String> {
    let about = |policy: &&Policy<'_>| {
        let own = |finding: &Finding| match &finding.policy {
            Some(name) => name == policy.name,
            None => finding.code == Code::SecretLiteral && policy.rules.literal_secrets == Effect::Deny,
        };
        findings.iter().any(|finding| finding.is_error() && own(finding))
    };
    policies.iter().filter(about).map(|policy| policy.name.to_owned()).collect()
}

/// Returns the denial by a policy whose rules cannot be read: rules must not be off because of that.
pub fn unreadable(name: &str, why: &str) -> Denial {
    let message = format!(
        "the WorkflowPolicy {name} cannot be read ({}), so nothing is deployed in this namespace; correct it, or upgrade the operator if a newer one wrote it",
        one_line(why, 200)
    );
    Denial { policies: vec![name.to_owned()], message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_definitions_execute_no_code_unless_a_policy_names_the_node_type() {
        let allowing = |kinds: &[&str]| WorkflowPolicySpec {
            allowed_node_types: Some(kinds.iter().map(|kind| (*kind).to_owned()).collect()),
            ..WorkflowPolicySpec::default()
        };
        let denied = |policies: &[WorkflowPolicySpec]| built_in(policies).denied_node_types;
        assert_eq!(denied(&[]).len(), NOT_GENERATED.len());
        // A pattern that covers much was not written with these types in mind.
        assert_eq!(denied(&[allowing(&["*", "n8n-nodes-base.*"])]).len(), NOT_GENERATED.len());
        let some = denied(&[allowing(&["n8n-nodes-base.code"]), allowing(&["n8n-nodes-base.slack"])]);
        assert!(!some.contains(&"n8n-nodes-base.code".to_owned()) && some.contains(&"n8n-nodes-base.ssh".to_owned()));
        for kind in NOT_GENERATED {
            assert!(Catalog::embedded().node(kind).is_some(), "{kind} is no node type");
        }
    }
}
