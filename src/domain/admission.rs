//! Decision about an object that is to be stored, as an admission webhook answers it: what is certainly wrong is denied, what is doubtful is a
//! warning.
//!
//! [`passes`] names the requests that are never examined, so that nothing that is stored already can get stuck. [`workflow`] and [`rules`]
//! examine the others.

pub mod credentials;
pub mod grants;
pub mod rules;
pub mod warnings;
pub mod workflow;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Maximum length of the message of a denial, in characters.
const MESSAGE_CHARS: usize = 2_000;

/// Operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionOperation {
    /// A new object.
    Create,
    /// A changed object.
    Update,
    /// Any other operation.
    Other,
}

/// A request to store an object.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its operation.
    pub operation: AdmissionOperation,
    /// Set if it is about a part of the object, such as its status.
    pub subresource: bool,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object; empty if the API server generates it.
    pub name: String,
    /// The object as it is to be stored; null if there is none.
    pub object: Value,
    /// The object as it is stored; null if there is none.
    pub old: Value,
}

/// Answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionResponse {
    /// Reason for which the object is denied; None if it is allowed.
    pub denied: Option<String>,
    /// Warnings, the most useful first.
    pub warnings: Vec<String>,
}

impl AdmissionResponse {
    /// Returns the answer that allows a request without a warning.
    pub fn allowed() -> Self {
        Self::default()
    }

    /// Returns the answer that denies a request.
    pub fn denied(message: impl Into<String>) -> Self {
        Self { denied: Some(message.into()), warnings: Vec::new() }
    }

    /// Returns the answer to problems: each is denied if it is certain (true), and otherwise a warning.
    fn of(problems: Vec<(bool, String)>) -> Self {
        let (certain, doubtful): (Vec<_>, Vec<_>) = problems.into_iter().partition(|(certain, _)| *certain);
        let certain: Vec<String> = certain.into_iter().map(|(_, message)| message).collect();
        let denied = (!certain.is_empty()).then(|| crate::document::finding::join_within("", &certain, MESSAGE_CHARS));
        Self { denied, warnings: doubtful.into_iter().map(|(_, message)| message).collect() }
    }
}

/// Reads an object. The error is for its author.
pub fn read<K: DeserializeOwned>(object: &Value) -> Result<K, String> {
    K::deserialize(object).map_err(|error| format!("the object does not fit its kind: {error}"))
}

/// Reports whether a request is allowed without an examination of the object: what does not change the spec of a living object always is, so
/// that nothing that is stored gets stuck.
pub fn passes(request: &Request, namespace_deleting: bool) -> bool {
    let deleting = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
    let unchanged =
        || request.operation == AdmissionOperation::Update && !request.old.is_null() && request.object["spec"] == request.old["spec"];
    let of_object = request.operation != AdmissionOperation::Other && !request.subresource;
    !of_object || namespace_deleting || deleting(&request.object) || deleting(&request.old) || unchanged()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_is_stored_can_get_stuck() {
        let object = |spec: i64, more: Value| json!({ "metadata": more, "spec": { "a": spec } });
        let request = |operation, object: Value, old: Value| Request {
            operation,
            subresource: false,
            namespace: "n".to_owned(),
            name: "a".to_owned(),
            object,
            old,
        };
        let plain = || object(1, json!({}));
        let going = || object(2, json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" }));
        for (request, deleting, wanted) in [
            (request(AdmissionOperation::Create, plain(), Value::Null), false, false),
            (request(AdmissionOperation::Update, object(2, json!({})), plain()), false, false),
            (request(AdmissionOperation::Update, plain(), Value::Null), false, false),
            (request(AdmissionOperation::Update, object(1, json!({ "finalizers": [] })), plain()), false, true),
            (request(AdmissionOperation::Update, going(), plain()), false, true),
            (request(AdmissionOperation::Update, plain(), going()), false, true),
            (request(AdmissionOperation::Update, object(2, json!({})), plain()), true, true),
            (request(AdmissionOperation::Other, Value::Null, plain()), false, true),
            (Request { subresource: true, ..request(AdmissionOperation::Update, object(2, json!({})), plain()) }, false, true),
        ] {
            assert_eq!(passes(&request, deleting), wanted, "{request:?}");
        }
    }

    #[test]
    fn the_message_of_a_denial_is_bounded() {
        let many = (0..100).map(|number| (true, format!("{number} {}", "wrong ".repeat(20)))).collect();
        let denied = AdmissionResponse::of(many).denied.unwrap();
        assert!(denied.chars().count() <= MESSAGE_CHARS && denied.ends_with(" more"), "{denied}");
    }
}
