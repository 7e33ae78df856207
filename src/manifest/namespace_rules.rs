//! WorkflowPolicies and WorkflowQuotas of files, for the validation of Workflows without a cluster.

use crate::api::policy::WorkflowPolicySpec;
use crate::api::quota::WorkflowQuotaSpec;
use crate::catalog::Catalog;
use crate::domain::policies::applies;
use crate::validator::policy::Policy;

/// Rules and limits of namespaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceRules {
    /// Rules for definitions.
    pub policies: Vec<Named<WorkflowPolicySpec>>,
    /// Limits on the number of Workflows.
    pub quotas: Vec<Named<WorkflowQuotaSpec>>,
}

/// An object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<S> {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) spec: S,
}

impl<S> Named<S> {
    /// Returns the name of the object and its spec.
    pub fn into_parts(self) -> (String, S) {
        (self.name, self.spec)
    }
}

/// Catalogue and rules that definitions are validated against.
#[derive(Clone, Copy)]
pub(super) struct Basis<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) rules: &'c NamespaceRules,
}

/// Reports whether two objects may be in one namespace. If either names none, a later step of the delivery sets it.
pub(super) fn may_share(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none_or(|one| other.is_none_or(|other| one == other))
}

impl NamespaceRules {
    /// Returns the policies for a Workflow of a namespace. No definition of a file counts as generated.
    pub(super) fn policies_of(&self, namespace: Option<&str>) -> Vec<Policy<'_>> {
        let all = self.policies.iter().filter(|policy| may_share(policy.namespace.as_deref(), namespace));
        all.filter(|policy| applies(&policy.spec, false)).map(|policy| Policy { name: &policy.name, rules: &policy.spec }).collect()
    }
}
