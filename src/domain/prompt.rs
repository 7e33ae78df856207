//! Decisions about a `WorkflowPrompt`: which answers count, whether a person must approve, what a proposal is, and the Workflow that is made.
//! The generation itself is in `generation`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::policy::WorkflowPolicySpec;
use crate::api::prompt::{Approval, PromptDeletion, WorkflowPrompt};
use crate::api::workflow::LARGEST_INLINE;
use crate::api::{GROUP, VERSION, annotation};
use crate::document::canonical;
use crate::document::definition::Definition;
use crate::text::one_line;
use crate::text::sha256::hex;

pub mod proposal;
pub mod record;

/// Maximum size of the annotation with answers.
const LARGEST_ANSWERS: usize = 16 * 1024;

/// Returns the answers of the spec and of the annotation; those of the spec win.
///
/// # Errors
/// If the annotation cannot be read, with the reason.
pub fn answers(prompt: &WorkflowPrompt) -> Result<BTreeMap<String, String>, String> {
    let given = prompt.metadata.annotations.as_ref().and_then(|all| all.get(annotation::ANSWERS));
    let mut answers = match given {
        None => BTreeMap::new(),
        Some(text) if text.len() > LARGEST_ANSWERS => {
            return Err(format!("the annotation {} has {} bytes; at most {LARGEST_ANSWERS} are read", annotation::ANSWERS, text.len()));
        }
        Some(text) => serde_json::from_str(text).map_err(|error| {
            format!("the annotation {} is no JSON object of texts ({error}); write it as {{\"id\": \"answer\"}}", annotation::ANSWERS)
        })?,
    };
    answers.extend(prompt.spec.answers.clone());
    Ok(answers)
}

/// Returns who requires the approval of a person, for people; None if nobody does.
pub fn approval_required<'a>(
    prompt: &WorkflowPrompt,
    policies: impl IntoIterator<Item = (&'a str, &'a WorkflowPolicySpec)>,
) -> Option<String> {
    if prompt.spec.approval == Approval::Required {
        return Some("spec.approval is Required".to_owned());
    }
    let demanding = policies.into_iter().find(|(_, rules)| rules.require_approval);
    demanding.map(|(name, _)| format!("WorkflowPolicy {name} has requireApproval: true"))
}

/// Reports whether the annotation approves a proposal.
pub fn is_approved(prompt: &WorkflowPrompt, digest: &str) -> bool {
    let given = prompt.metadata.annotations.as_ref().and_then(|all| all.get(annotation::APPROVED_DIGEST));
    given.is_some_and(|given| given.trim() == digest)
}

/// Returns the digest of a proposal: of the workflow, its name and settings, of what else the Workflow is given, and of the rules that it was
/// checked against, so that an approval is void when one of them changes.
pub fn proposal_digest<'a>(
    prompt: &WorkflowPrompt,
    definition: &Definition,
    policies: impl IntoIterator<Item = (&'a str, &'a WorkflowPolicySpec)>,
) -> String {
    let settings: BTreeSet<String> = definition.settings.keys().cloned().collect();
    let workflow = canonical::digest(definition.into(), &settings);
    let rules: Vec<Value> = policies.into_iter().map(|(name, rules)| json!([name, rules])).collect();
    let given = json!([definition.name, workflow.to_string(), prompt.spec.workflow, rules]);
    let mut hasher = Sha256::new();
    hasher.update(given.to_string());
    // Short enough to be typed; a person who approves does not choose among many.
    hex(&hasher.finalize())[..32].to_owned()
}

/// Returns the name of the Workflow that a prompt makes.
pub fn workflow_name(prompt: &WorkflowPrompt) -> &str {
    prompt.spec.workflow.name.as_deref().or(prompt.metadata.name.as_deref()).unwrap_or_default()
}

/// Returns the Workflow that a prompt makes.
///
/// # Errors
/// If the definition is too large, with the reason.
pub fn workflow_object(prompt: &WorkflowPrompt, definition: &Definition) -> Result<Value, String> {
    let made = &prompt.spec.workflow;
    let body = Value::Object(definition.update_body());
    let size = body.to_string().len();
    if size > LARGEST_INLINE {
        return Err(format!(
            "the generated workflow has {size} bytes, and a Workflow holds at most {LARGEST_INLINE}; split what the prompt asks for"
        ));
    }
    let name = prompt.metadata.name.as_deref().unwrap_or_default();
    let mut labels = made.labels.clone();
    // With a label selector the operator that manages the prompt is to manage what it makes.
    labels.extend(
        prompt
            .metadata
            .labels
            .iter()
            .flatten()
            .filter(|(key, _)| !made.labels.contains_key(*key))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    let mut metadata = json!({
        "name": workflow_name(prompt),
        "namespace": prompt.metadata.namespace,
        "labels": labels,
        "annotations": { annotation::GENERATED_BY: name },
    });
    if prompt.spec.deletion_policy == PromptDeletion::Delete {
        metadata["ownerReferences"] = json!([{
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "WorkflowPrompt", "name": name, "uid": prompt.metadata.uid, "controller": true,
        }]);
    }
    let mut spec = Map::new();
    spec.insert("instanceRef".to_owned(), json!(prompt.spec.instance_ref));
    spec.insert("definition".to_owned(), body);
    spec.insert("rollback".to_owned(), json!(made.rollback));
    for (key, value) in
        [("displayName", json!(made.display_name)), ("active", json!(made.active)), ("healthCheck", json!(made.health_check))]
    {
        if !value.is_null() {
            spec.insert(key.to_owned(), value);
        }
    }
    if !made.credentials.is_empty() {
        spec.insert("credentials".to_owned(), json!(made.credentials));
    }
    Ok(json!({ "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Workflow", "metadata": metadata, "spec": spec }))
}

/// Reports whether a Workflow was made by a prompt.
pub fn is_made_by(workflow: &kube::api::ObjectMeta, prompt: &WorkflowPrompt) -> bool {
    let owned = workflow.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == prompt.metadata.uid.as_ref());
    let known = prompt
        .status
        .as_ref()
        .and_then(|status| status.workflow_ref.as_ref())
        .is_some_and(|made| Some(&made.name) == workflow.name.as_ref());
    let marked = workflow.annotations.as_ref().and_then(|all| all.get(annotation::GENERATED_BY)) == prompt.metadata.name.as_ref();
    owned || (known && marked)
}

/// Returns a text as one line within a bound.
fn line(text: &str, longest: usize) -> String {
    one_line(text, longest)
}

#[cfg(test)]
mod tests;
