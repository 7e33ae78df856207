//! The Workflow that a prompt makes.

use kube::api::ObjectMeta;
use serde_json::{Map, Value, json};

use crate::api::prompt::{PromptDeletion, WorkflowPrompt};
use crate::api::workflow::LARGEST_INLINE;
use crate::api::{GROUP, VERSION, annotation};
use crate::document::definition::Definition;
use crate::domain::merge_patch::merge_patch;

/// Fields of a Workflow's spec that the prompt decides.
const DECIDED: [&str; 7] = ["instanceRef", "definition", "rollback", "displayName", "active", "healthCheck", "credentials"];

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
    let owners = owners(prompt);
    if !owners.is_empty() {
        metadata["ownerReferences"] = Value::Array(owners);
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
pub fn is_made_by(workflow: &ObjectMeta, prompt: &WorkflowPrompt) -> bool {
    let owned = workflow.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == prompt.metadata.uid.as_ref());
    let known = prompt
        .status
        .as_ref()
        .and_then(|status| status.workflow_ref.as_ref())
        .is_some_and(|made| Some(&made.name) == workflow.name.as_ref());
    let marked = workflow.annotations.as_ref().and_then(|all| all.get(annotation::GENERATED_BY)) == prompt.metadata.name.as_ref();
    owned || (known && marked)
}

/// Returns the merge patch that makes a stored Workflow what a prompt says; None if it is that already. Fields that the prompt does not decide,
/// labels and annotations of others, and other owners stay.
pub fn patch(stored: &Value, object: &Value) -> Option<Value> {
    let mut wanted = stored.clone();
    for key in DECIDED {
        match object["spec"].get(key) {
            Some(value) => wanted["spec"][key] = value.clone(),
            None => drop(wanted["spec"].as_object_mut().and_then(|spec| spec.remove(key))),
        }
    }
    for kind in ["labels", "annotations"] {
        for (key, value) in object["metadata"][kind].as_object().into_iter().flatten() {
            wanted["metadata"][kind][key] = value.clone();
        }
    }
    set_owners(&mut wanted, object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default());
    bound(stored, &wanted)
}

/// Returns the merge patch that brings the owner of a stored Workflow in line with the deletion policy of its prompt; None if it is already.
pub fn ownership(stored: &Value, prompt: &WorkflowPrompt) -> Option<Value> {
    let mut wanted = stored.clone();
    set_owners(&mut wanted, owners(prompt));
    bound(stored, &wanted)
}

/// Returns the owner of the Workflow that a prompt makes, if the garbage collector is to delete it with the prompt.
fn owners(prompt: &WorkflowPrompt) -> Vec<Value> {
    let owner = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "WorkflowPrompt", "name": prompt.metadata.name, "uid": prompt.metadata.uid,
        "controller": true,
    });
    (prompt.spec.deletion_policy == PromptDeletion::Delete).then_some(owner).into_iter().collect()
}

/// Replaces the owners that are WorkflowPrompts.
fn set_owners(object: &mut Value, own: Vec<Value>) {
    let of_prompts = |owner: &Value| owner["kind"] == "WorkflowPrompt" && owner["apiVersion"] == format!("{GROUP}/{VERSION}");
    let mut owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    owners.retain(|owner| !of_prompts(owner));
    owners.extend(own);
    if !owners.is_empty() || object["metadata"].get("ownerReferences").is_some() {
        object["metadata"]["ownerReferences"] = Value::Array(owners);
    }
}

/// Returns the merge patch from a stored object to the wanted one, bound to its UID and resource version.
fn bound(stored: &Value, wanted: &Value) -> Option<Value> {
    let mut patch = merge_patch(stored, wanted)?;
    for key in ["uid", "resourceVersion"] {
        patch["metadata"][key] = stored["metadata"][key].clone();
    }
    Some(patch)
}
