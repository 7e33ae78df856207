//! Reading of an `AdmissionReview` and writing of the answer. A review comes from the API server, and what it carries from anybody: it may
//! be large, deep or no review at all.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::{GROUP, VERSION};
use crate::document::lenient_json::{self, Meter, Skip};
use crate::domain::admission::warnings::bounded;
use crate::domain::admission::{AdmissionOperation, AdmissionResponse, Request};
use crate::text::one_line;

/// Maximum memory of a review, in bytes. Two objects of the largest size that the API server stores need a third of it.
const LARGEST: usize = 48 * 1024 * 1024;
/// API version of the reviews that are read and written.
const REVIEW_VERSION: &str = "admission.k8s.io/v1";
/// Maximum length of a UID; Kubernetes' own have 36 characters.
const UID_CHARS: usize = 128;
/// Parts of an object that are not read: the owners of fields may take more than the object itself.
const SKIP: Skip<'static> =
    &[&["request", "object", "metadata", "managedFields"], &["request", "oldObject", "metadata", "managedFields"], &["request", "options"]];

/// A review that could be read.
#[derive(Clone, Debug)]
pub struct Review {
    /// UID of the request, which the answer repeats.
    pub uid: String,
    /// Kind of the object.
    pub kind: Kind,
    /// The request.
    pub request: Request,
}

/// Kind of the object of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Workflow.
    Workflow,
    /// N8nInstance.
    N8nInstance,
    /// N8nCredential.
    N8nCredential,
    /// WorkflowPolicy.
    WorkflowPolicy,
    /// WorkflowQuota.
    WorkflowQuota,
    /// ModelProvider.
    ModelProvider,
    /// WorkflowTemplate.
    WorkflowTemplate,
    /// WorkflowPrompt.
    WorkflowPrompt,
    /// A kind that this webhook has no rules for.
    Other(String),
}

impl Kind {
    /// Returns the value of the metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Workflow => "Workflow",
            Self::N8nInstance => "N8nInstance",
            Self::N8nCredential => "N8nCredential",
            Self::WorkflowPolicy => "WorkflowPolicy",
            Self::WorkflowQuota => "WorkflowQuota",
            Self::ModelProvider => "ModelProvider",
            Self::WorkflowTemplate => "WorkflowTemplate",
            Self::WorkflowPrompt => "WorkflowPrompt",
            Self::Other(_) => "other",
        }
    }
}

/// A body that cannot be answered by a review, or is answered without an examination.
#[derive(Clone, Debug, PartialEq)]
pub enum Unread {
    /// The body is no review. The API server takes the response for a failure of the webhook.
    NoReview(String),
    /// The review can be answered, and its object cannot be read.
    NoObject {
        /// UID of the request.
        uid: String,
        /// Reason of the denial.
        message: String,
    },
}

/// Reads a body.
///
/// # Errors
///
/// If it is no review, or the object in it is missing or cannot be read.
pub fn read(body: &[u8]) -> Result<Review, Unread> {
    let no_review = |why: String| Unread::NoReview(format!("this is no AdmissionReview of {REVIEW_VERSION}: {why}"));
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = lenient_json::read_within(&mut deserializer, SKIP, &Meter::new(LARGEST));
    let read = read.and_then(|read| deserializer.end().map(|()| read));
    let lenient_json::Shallow { value, cut, .. } =
        read.map_err(|error| no_review(format!("the body is not JSON: {}", one_line(&error.to_string(), 200))))?;
    for (field, wanted) in [("apiVersion", REVIEW_VERSION), ("kind", "AdmissionReview")] {
        if value[field] != wanted {
            let found = one_line(value[field].as_str().unwrap_or("no text"), 80);
            return Err(no_review(format!("{field} is {found}, and must be {wanted}")));
        }
    }
    let request = &value["request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let uid = text(&request["uid"]);
    if uid.is_empty() || uid.chars().count() > UID_CHARS {
        return Err(no_review("request.uid is missing or too long".to_owned()));
    }
    let operation = match request["operation"].as_str() {
        Some("CREATE") => AdmissionOperation::Create,
        Some("UPDATE") => AdmissionOperation::Update,
        _ => AdmissionOperation::Other,
    };
    let kind = match (request["kind"]["group"].as_str(), request["kind"]["version"].as_str(), request["kind"]["kind"].as_str()) {
        (Some(GROUP), Some(VERSION), Some("Workflow")) => Kind::Workflow,
        (Some(GROUP), Some(VERSION), Some("N8nInstance")) => Kind::N8nInstance,
        (Some(GROUP), Some(VERSION), Some("N8nCredential")) => Kind::N8nCredential,
        (Some(GROUP), Some(VERSION), Some("WorkflowPolicy")) => Kind::WorkflowPolicy,
        (Some(GROUP), Some(VERSION), Some("WorkflowQuota")) => Kind::WorkflowQuota,
        (Some(GROUP), Some(VERSION), Some("ModelProvider")) => Kind::ModelProvider,
        (Some(GROUP), Some(VERSION), Some("WorkflowTemplate")) => Kind::WorkflowTemplate,
        (Some(GROUP), Some(VERSION), Some("WorkflowPrompt")) => Kind::WorkflowPrompt,
        (_, _, kind) => Kind::Other(one_line(kind.unwrap_or("an object without a kind"), 80)),
    };
    let subresource = request["subResource"].as_str().is_some_and(|part| !part.is_empty());
    let examined = operation != AdmissionOperation::Other && !subresource && !matches!(kind, Kind::Other(_));
    // Deletions carry no object, and a deep value in a part that is not examined does not matter.
    let deep = cut.filter(|path| path.starts_with("request.object"));
    let problem = match (examined, &request["object"], deep) {
        (true, Value::Object(_), Some(path)) => {
            let path = path.trim_start_matches("request.object.");
            let room = "flatten it, store the value as text, or put the workflow into a ConfigMap that spec.definitionFrom names";
            Some(format!("{path} nests too deep, or the object is too large; {room}"))
        }
        (true, Value::Object(_), None) | (false, _, _) => None,
        (true, _, _) => Some("the review has no object, so nothing can be examined".to_owned()),
    };
    if let Some(message) = problem {
        return Err(Unread::NoObject { uid, message });
    }
    let mut value = value;
    let mut take = |field: &str| value["request"][field].take();
    let (object, old) = (take("object"), take("oldObject"));
    let [namespace, name] = ["namespace", "name"].map(|field| text(&value["request"][field]));
    // Before the API server has generated a name, the request has none.
    let name = if name.is_empty() { text(&object["metadata"]["name"]) } else { name };
    Ok(Review { uid, kind, request: Request { operation, subresource, namespace, name, object, old } })
}

/// Writes the answer to a review.
pub fn answer(uid: &str, decision: &AdmissionResponse) -> Value {
    let mut response = json!({ "uid": uid, "allowed": decision.denied.is_none() });
    if let Some(message) = &decision.denied {
        // kubectl prints the message of a refusal as it is, whatever its status is.
        response["status"] = json!({
            "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": StatusCode::FORBIDDEN.as_u16(), "message": message,
        });
    }
    let warnings = bounded(&decision.warnings);
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    json!({ "apiVersion": REVIEW_VERSION, "kind": "AdmissionReview", "response": response })
}

#[cfg(test)]
mod tests;
