//! Hash of the request of a prompt's user: nothing is generated again while it stays the same.

use serde_json::{Value, json};

use super::repair;
use crate::api::annotation;
use crate::api::prompt::WorkflowPrompt;
use crate::api::prompt_status::WorkflowPromptStatus;
use crate::document::definition::Definition;
use crate::text::sha256::sha256_hex;

/// Returns the digest of the workflow that is to be changed.
pub fn base_digest(base: &Definition) -> String {
    sha256_hex(json!(base).to_string())
}

/// Returns the hash of what the user asks for. The digest of the workflow that is to be changed and the request to try again are taken from the
/// status.
pub fn plain_hash(prompt: &WorkflowPrompt, status: &WorkflowPromptStatus) -> String {
    let spec = &prompt.spec;
    let given = prompt.metadata.annotations.as_ref().and_then(|all| all.get(annotation::ANSWERS));
    let asked = json!([
        spec.prompt,
        spec.answers,
        given,
        spec.timezone,
        spec.clarification,
        spec.tier,
        spec.provider_ref,
        spec.limits.attempts,
        spec.base_workflow_ref,
        spec.base_workflow_ref.as_ref().and(status.base_digest.as_ref()),
        status.begun_again_at,
    ]);
    sha256_hex(asked.to_string())
}

/// Returns the hash of what the user asks for and of the failures that are repaired.
pub fn asked_hash(prompt: &WorkflowPrompt, status: &WorkflowPromptStatus) -> String {
    let plain = plain_hash(prompt, status);
    let failures: Vec<Value> =
        repair::in_effect(status, &plain).map(|one| json!([one.failed_digest, repair::shown_to_model(one)])).collect();
    if failures.is_empty() { plain } else { sha256_hex(json!([plain, failures]).to_string()) }
}
