//! WorkflowPolicies and WorkflowQuotas of files, for the validation of Workflows without a cluster.

use crate::api::policy::WorkflowPolicySpec;
use crate::api::quota::WorkflowQuotaSpec;
use crate::api::workflow::WorkflowSpec;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::domain::policies::{BUILT_IN, applies, built_in};
use crate::validator::policy::{self, Policy};

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

/// The Workflow of a definition; of an export, nothing is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    pub(super) spec: Option<&'a WorkflowSpec>,
    pub(super) namespace: Option<&'a str>,
    /// Set if a WorkflowPrompt made it.
    pub(super) generated: bool,
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
    /// Checks a definition of a namespace against its policies, and a generated one against the built-in rules, too.
    pub(super) fn check(&self, definition: &Definition, of: &Origin<'_>, catalog: &Catalog, findings: &mut Vec<Finding>) {
        let all: Vec<_> = self.policies.iter().filter(|policy| may_share(policy.namespace.as_deref(), of.namespace)).collect();
        let built_in = of.generated.then(|| built_in(all.iter().map(|policy| &policy.spec)));
        let own = all.iter().filter(|policy| applies(&policy.spec, of.generated));
        let own = own.map(|policy| Policy { name: &policy.name, rules: &policy.spec });
        let policies: Vec<_> = own.chain(built_in.as_ref().map(|rules| Policy { name: BUILT_IN, rules })).collect();
        policy::check(definition, &policies, catalog, findings);
    }
}
