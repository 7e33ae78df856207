//! Decision whether the policies of a namespace allow a definition.

use crate::api::policy::{AppliesTo, Effect, WorkflowPolicySpec};
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
