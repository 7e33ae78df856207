//! Reading of WorkflowPolicies and WorkflowQuotas from files.

use kube::core::object::HasSpec;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::policy::{WorkflowPolicy, WorkflowPolicySpec};
use crate::api::quota::{WorkflowQuota, WorkflowQuotaSpec};
use crate::document::finding::{Finding, join_within};
use crate::domain::admission::rules::contradiction;

use super::document::divide;
use super::embedded::text;
use super::namespace_rules::Named;
use super::object::{self, KINDS, Object};
use super::report::{Kind, Source};
use super::schema;

/// Maximum length of the problems of a file in an error.
const MOST_CHARS: usize = 1_000;

/// Returns the WorkflowPolicies of a file.
///
/// # Errors
///
/// If it holds none, or one that does not fit its kind or contradicts itself.
pub fn read_policies(source: &Source) -> Result<Vec<Named<WorkflowPolicySpec>>, String> {
    let policies = read::<WorkflowPolicy>(source, Kind::WorkflowPolicy)?;
    for policy in &policies {
        if let Some(message) = contradiction(&policy.spec) {
            return Err(format!("{}: WorkflowPolicy {}: {message}", source.name, policy.name));
        }
    }
    Ok(policies)
}

/// Returns the WorkflowQuotas of a file.
///
/// # Errors
///
/// If it holds none, or one that does not fit its kind.
pub fn read_quotas(source: &Source) -> Result<Vec<Named<WorkflowQuotaSpec>>, String> {
    read::<WorkflowQuota>(source, Kind::WorkflowQuota)
}

fn read<K: HasSpec<Spec: Clone> + DeserializeOwned>(source: &Source, kind: Kind) -> Result<Vec<Named<K::Spec>>, String> {
    let text = source.text.as_ref().map_err(|reason| format!("{}: {reason}", source.name))?;
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    for document in divide(0, text) {
        match &document.read {
            Ok(read) => take::<K>(&read.value, kind, &mut objects, &mut problems),
            Err(unread) => problems.push(unread.finding.to_string()),
        }
    }
    match (problems.is_empty(), objects.is_empty()) {
        (false, _) => Err(format!("{}: {}", source.name, join_within("", &problems, MOST_CHARS))),
        (true, true) => Err(format!("{}: it contains no {}", source.name, name_of(kind))),
        (true, false) => Ok(objects),
    }
}

fn name_of(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, own)| *own == kind).map_or("", |(name, _)| name)
}

fn take<K: HasSpec<Spec: Clone> + DeserializeOwned>(
    value: &Value,
    kind: Kind,
    objects: &mut Vec<Named<K::Spec>>,
    problems: &mut Vec<String>,
) {
    if !object::is_object(value) {
        return;
    }
    match object::kind(value) {
        Object::List(items) => items.iter().for_each(|item| take::<K>(item, kind, objects, problems)),
        Object::Managed(own) if own == kind => {
            let findings = schema::check(kind, value);
            problems.extend(findings.iter().filter(|finding| finding.is_error()).map(Finding::to_string));
            match serde_json::from_value::<K>(value.clone()) {
                Ok(object) => objects.push(Named {
                    name: text(value, "name").unwrap_or_default(),
                    namespace: text(value, "namespace"),
                    spec: object.spec().clone(),
                }),
                Err(error) if findings.is_empty() => problems.push(format!("this is not a {}: {error}", name_of(kind))),
                Err(_) => {}
            }
        }
        _ => {}
    }
}
