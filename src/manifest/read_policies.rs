//! Reading of WorkflowPolicies from files.

use serde_json::Value;

use crate::api::policy::WorkflowPolicy;
use crate::document::finding::{Finding, join_within};

use super::document::divide;
use super::embedded::text;
use super::object::{self, Object};
use super::policies::NamedPolicy;
use super::report::{Kind, Source};
use super::schema;

/// Maximum length of the problems of a file in an error.
const MOST_CHARS: usize = 1_000;

/// Returns the WorkflowPolicies of a file.
///
/// # Errors
///
/// If it holds none, or one that does not fit its kind.
pub fn read_policies(source: &Source) -> Result<Vec<NamedPolicy>, String> {
    let text = source.text.as_ref().map_err(|reason| format!("{}: {reason}", source.name))?;
    let (mut policies, mut problems) = (Vec::new(), Vec::new());
    for document in divide(0, text) {
        match &document.read {
            Ok(read) => take(&read.value, &mut policies, &mut problems),
            Err(unread) => problems.push(unread.finding.to_string()),
        }
    }
    match (problems.is_empty(), policies.is_empty()) {
        (false, _) => Err(format!("{}: {}", source.name, join_within("", &problems, MOST_CHARS))),
        (true, true) => Err(format!("{}: it contains no WorkflowPolicy", source.name)),
        (true, false) => Ok(policies),
    }
}

fn take(value: &Value, policies: &mut Vec<NamedPolicy>, problems: &mut Vec<String>) {
    if !object::is_object(value) {
        return;
    }
    match object::kind(value) {
        Object::List(items) => items.iter().for_each(|item| take(item, policies, problems)),
        Object::Managed(Kind::WorkflowPolicy) => {
            let findings = schema::check(Kind::WorkflowPolicy, value);
            problems.extend(findings.iter().filter(|finding| finding.is_error()).map(Finding::to_string));
            match serde_json::from_value::<WorkflowPolicy>(value.clone()) {
                Ok(policy) => policies.push(NamedPolicy {
                    name: text(value, "name").unwrap_or_default(),
                    namespace: text(value, "namespace"),
                    rules: policy.spec,
                }),
                Err(error) if findings.is_empty() => problems.push(format!("this is not a WorkflowPolicy: {error}")),
                Err(_) => {}
            }
        }
        _ => {}
    }
}
