//! WorkflowPolicies and WorkflowQuotas of files, for the validation of Workflows without a cluster.

use crate::api::policy::WorkflowPolicySpec;
use crate::api::quota::WorkflowQuotaSpec;
use crate::api::workflow::WorkflowSpec;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::domain::policies::{BUILT_IN, applies, built_in};
use crate::validator::policy::{self, Policy};

use super::report::{Kind, Report};

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

    /// Returns what is doubtful about the rules and limits themselves, for people: the doubts that the status of a policy shows, and objects
    /// whose namespace none of the Workflows is in.
    pub fn remarks(&self, reports: &[Report], catalog: &Catalog) -> Vec<String> {
        let workflows = reports.iter().filter(|report| report.kind == Kind::Workflow);
        let namespaces: Vec<Option<&str>> = workflows.map(|report| report.namespace.as_deref()).collect();
        let elsewhere = |kind: &str, name: &str, own: Option<&str>| {
            let unused = !namespaces.is_empty() && !namespaces.iter().any(|namespace| may_share(own, *namespace));
            unused.then(|| {
                let own = own.unwrap_or_default();
                format!("{kind} {name} applies to none of the Workflows: it is in namespace {own}, and they are in others; correct metadata.namespace of one of them")
            })
        };
        let mut remarks = Vec::new();
        for policy in &self.policies {
            let doubts = policy::doubts(&policy.spec, catalog).into_iter();
            remarks.extend(doubts.map(|doubt| format!("WorkflowPolicy {}: {doubt}", policy.name)));
            remarks.extend(elsewhere("WorkflowPolicy", &policy.name, policy.namespace.as_deref()));
        }
        remarks.extend(self.quotas.iter().filter_map(|quota| elsewhere("WorkflowQuota", &quota.name, quota.namespace.as_deref())));
        remarks
    }
}
