//! Decisions about a `WorkflowPrompt`: which answers count, whether a person must approve, what a proposal is, and the Workflow that is made.
//! The generation itself is in `generation`.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::annotation;
use crate::api::policy::WorkflowPolicySpec;
use crate::api::prompt::{Approval, WorkflowPrompt};
use crate::document::canonical;
use crate::document::definition::Definition;
use crate::text::one_line;
use crate::text::sha256::sha256_hex;
use serde_json::{Value, json};

pub mod asked;
pub mod conversation;
pub mod made;
pub mod proposal;
pub mod record;
pub mod repair;
pub mod shape;

/// Number of digits of a proposal's digest that are about its content; the others are about the rules.
const CONTENT_DIGITS: usize = 56;
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
    let content = json!([definition.name, workflow.to_string(), prompt.spec.workflow]);
    format!("{}{}", &sha256_hex(content.to_string())[..CONTENT_DIGITS], &sha256_hex(Value::Array(rules).to_string())[..8])
}

/// Reports whether two proposals differ at most in the rules that they were checked against.
pub fn same_content(one: &str, other: &str) -> bool {
    one == other || one.get(..CONTENT_DIGITS).is_some_and(|one| other.get(..CONTENT_DIGITS) == Some(one))
}

/// Returns a text as one line within a bound.
fn line(text: &str, longest: usize) -> String {
    one_line(text, longest)
}

#[cfg(test)]
mod tests;
