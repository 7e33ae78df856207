//! Lenient decoding of objects that do not match their schema any more: deletion of a Workflow needs few of its fields and must not hang.

use kube::api::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::api::workflow::{DeletionPolicy, Workflow, WorkflowSpec};
use crate::api::workflow_status::{Intent, IntentOperation, Origin, WorkflowStatus};

/// Decodes the fields that match the schema, without the definition. If a field that decides what deletion does is present and cannot be
/// read, the workflow in n8n is kept.
///
/// # Errors
///
/// If the required fields alone do not decode, which no object of this version can cause.
pub fn decode_leniently(metadata: &ObjectMeta, data: &Value) -> Result<Workflow, serde_json::Error> {
    let (spec, status) = (&data["spec"], &data["status"]);
    let mut reference = json!({ "name": spec["instanceRef"]["name"].as_str().unwrap_or_default() });
    if let Some(namespace) = spec["instanceRef"]["namespace"].as_str() {
        reference["namespace"] = json!(namespace);
    }
    let mut read: WorkflowSpec = fitting(Map::from_iter([("instanceRef".to_owned(), reference)]), spec)?;
    let mut known: WorkflowStatus = fitting(Map::new(), status)?;
    if known.origin.is_none() && !status["origin"].is_null() {
        known.origin = Some(Origin::Adopted);
    }
    if read.deletion_policy.is_none() && !spec["deletionPolicy"].is_null() {
        read.deletion_policy = Some(DeletionPolicy::Retain);
    }
    if known.intent.is_none()
        && let Ok(operation) = IntentOperation::deserialize(&status["intent"]["operation"])
    {
        // The time of the announcement is lost; it was before the deletion.
        let latest = metadata.deletion_timestamp.as_ref().map_or(jiff::Timestamp::UNIX_EPOCH, |time| time.0);
        known.intent = Some(Intent::new(operation, "", None, latest));
    }
    let mut workflow = Workflow::new(metadata.name.as_deref().unwrap_or_default(), read);
    workflow.metadata = metadata.clone();
    workflow.status = Some(known);
    Ok(workflow)
}

/// Adds each further field to the required ones with which the whole still decodes.
///
/// # Errors
///
/// If the required fields alone do not decode.
pub fn fitting<T: DeserializeOwned>(mut fields: Map<String, Value>, object: &Value) -> Result<T, serde_json::Error> {
    for (key, value) in object.as_object().into_iter().flatten() {
        if key == "definition" || fields.contains_key(key) {
            continue;
        }
        fields.insert(key.clone(), value.clone());
        if serde_json::from_value::<T>(Value::Object(fields.clone())).is_err() {
            fields.remove(key);
        }
    }
    serde_json::from_value(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(data: Value) -> Workflow {
        decode_leniently(&ObjectMeta { name: Some("a".into()), ..ObjectMeta::default() }, &data).unwrap()
    }

    #[test]
    fn fields_that_match_are_read_beside_fields_that_do_not() {
        let workflow = decoded(json!({
            "spec": { "instanceRef": { "name": "main", "namespace": "ops", "new": [] }, "interval": 5, "active": "yes",
                "deletionPolicy": "Archive", "references": { "a": 1 } },
            "status": { "n8nWorkflowId": "W1", "origin": "Created", "publishedAt": "9999-12-31T23:59:59Z", "history": "none",
                "intent": { "operation": "Create", "digest": "d", "startedAt": "soon" } },
        }));
        let (spec, status) = (&workflow.spec, workflow.status.as_ref().unwrap());
        assert_eq!((spec.instance_ref.name.as_str(), spec.instance_ref.namespace.as_deref()), ("main", Some("ops")));
        assert_eq!(spec.deletion_policy, Some(DeletionPolicy::Archive));
        assert_eq!((status.n8n_workflow_id.as_deref(), status.origin), (Some("W1"), Some(Origin::Created)));
        assert_eq!(status.intent.as_ref().map(|intent| intent.operation), Some(IntentOperation::Create));
        assert_eq!((status.published_at.is_none(), status.history.len()), (true, 0));
    }

    #[test]
    fn the_workflow_is_kept_if_its_deletion_policy_cannot_be_read() {
        let of = |policy: Value, origin: Value| {
            let workflow = decoded(json!({ "spec": { "deletionPolicy": policy }, "status": { "origin": origin } }));
            (workflow.spec.deletion_policy, workflow.status.unwrap().origin)
        };
        assert_eq!(of(json!("Shred"), json!("Created")), (Some(DeletionPolicy::Retain), Some(Origin::Created)));
        assert_eq!(of(Value::Null, json!("Imported")), (None, Some(Origin::Adopted)));
        assert_eq!(of(Value::Null, Value::Null), (None, None));
    }

    #[test]
    fn an_empty_object_decodes() {
        for data in [json!({}), json!({ "spec": [], "status": 7 }), json!({ "spec": { "instanceRef": "main" } })] {
            assert_eq!(decoded(data).spec.instance_ref.name, "");
        }
    }
}
