//! WorkflowPolicies of files, for the validation of Workflows without a cluster.

use crate::api::policy::WorkflowPolicySpec;
use crate::catalog::Catalog;
use crate::domain::policies::applies;
use crate::validator::policy::Policy;

/// A WorkflowPolicy of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) rules: WorkflowPolicySpec,
}

/// Catalogue and policies that definitions are validated against.
#[derive(Clone, Copy)]
pub(super) struct Basis<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) policies: &'c [NamedPolicy],
}

/// Returns the policies for a Workflow of a namespace. If either side names no namespace, a later step of the delivery sets it. No
/// definition of a file counts as generated.
pub(super) fn of_namespace<'a>(policies: &'a [NamedPolicy], namespace: Option<&str>) -> Vec<Policy<'a>> {
    let same = |policy: &&NamedPolicy| policy.namespace.as_deref().is_none_or(|own| namespace.is_none_or(|namespace| own == namespace));
    let all = policies.iter().filter(same).filter(|policy| applies(&policy.rules, false));
    all.map(|policy| Policy { name: &policy.name, rules: &policy.rules }).collect()
}
