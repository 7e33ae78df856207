//! Proposals and answers of language models, stored in ControllerRevisions that their WorkflowPrompt owns.
//!
//! An answer is stored under the hash of its question, so that the same question is not paid for twice in a namespace, whichever prompt
//! asks it. An answer that was lost is stored for its own prompt alone.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::{Api, Client};
use serde_json::Value;

use super::objects::{get, is_conflict};
use super::revisions::create;
use crate::api::MANAGER;

/// Number of digits of a hash in a name.
const DIGITS: usize = 40;

/// Returns the name under which the answer to a question is stored.
pub fn answer_name(key: &str) -> String {
    format!("weirkeeper-answer-{}", shortened(key))
}

/// Returns the name under which it is stored that a prompt's question has no answer.
pub fn lost_name(uid: &str, key: &str) -> String {
    format!("weirkeeper-lost-{}-{}", short_uid(uid), shortened(key))
}

/// Returns the name under which a proposal is stored.
pub fn proposal_name(uid: &str, digest: &str) -> String {
    format!("weirkeeper-proposal-{}-{}", short_uid(uid), shortened(digest))
}

fn shortened(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(DIGITS).collect::<String>().to_ascii_lowercase()
}

fn short_uid(uid: &str) -> String {
    shortened(uid).chars().take(8).collect()
}

/// Stores content under a name. What is stored there already stays: the name says what it is.
pub async fn keep(client: &Client, namespace: &str, owner: &OwnerReference, name: &str, data: &Value) -> Result<(), kube::Error> {
    let revision = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        data: serde_json::from_value(data.clone()).ok(),
        revision: 1,
    };
    match create(client, namespace, &revision).await {
        Err(error) if is_conflict(&error) => {}
        created => return created,
    }
    // The existing object may belong to nobody any more, or be something else: then it would never be read.
    let Some(twin) = get::<ControllerRevision>(client, Some(namespace), name).await? else { return Ok(()) };
    if is_of_prompt(&twin, None) && keys_of(twin.data.as_ref()) == keys_of(revision.data.as_ref()) {
        return Ok(());
    }
    let preconditions = Preconditions { uid: twin.metadata.uid, resource_version: twin.metadata.resource_version };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    Api::<ControllerRevision>::namespaced(client.clone(), namespace).delete(name, &params).await?;
    create(client, namespace, &revision).await
}

/// Reads content that was stored for a WorkflowPrompt. With `owner` only that of the prompt with this UID counts.
pub async fn read(client: &Client, namespace: &str, name: &str, owner: Option<&str>) -> Result<Option<Value>, kube::Error> {
    let found = get::<ControllerRevision>(client, Some(namespace), name).await?;
    Ok(found.filter(|found| is_of_prompt(found, owner)).and_then(|found| serde_json::to_value(found.data?).ok()))
}

/// Reports whether a WorkflowPrompt owns a record, or the one with a UID.
fn is_of_prompt(found: &ControllerRevision, owner: Option<&str>) -> bool {
    let mut owners = found.metadata.owner_references.iter().flatten();
    owners.any(|one| one.kind == "WorkflowPrompt" && owner.is_none_or(|uid| one.uid == uid))
}

/// Returns the keys of stored content, which tell its kind.
fn keys_of(data: Option<&RawExtension>) -> Vec<String> {
    data.and_then(|data| data.0.as_object()).into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_tell_prompts_and_questions_apart() {
        let (uid, other) = ("0d8f1c52-6f0e-4a53-9a54-1be1d52e6a52", "1d8f1c52-6f0e-4a53-9a54-1be1d52e6a52");
        let key = "AB".repeat(32);
        assert_eq!(answer_name(&key), format!("weirkeeper-answer-{}", "ab".repeat(20)));
        assert_ne!(lost_name(uid, &key), lost_name(other, &key));
        assert_eq!(proposal_name(uid, "sha256:ff"), "weirkeeper-proposal-0d8f1c52-sha256ff");
        for name in [answer_name(&key), lost_name(uid, &key), proposal_name(uid, &key), lost_name("", "")] {
            assert!(
                name.len() <= 253 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
        }
    }
}
