//! Proposals, inputs and answers of language models, stored in ControllerRevisions that WorkflowPrompts own.
//!
//! An answer is stored under the hash of its question, so that the same question is not paid for twice in a namespace, whichever prompt
//! asks it. Who sends a question first creates its claim: of two prompts, and of two operators, one can. Each prompt that uses an answer, or
//! waits for it, becomes one of the owners, so that a record outlives the prompt that created it; who that was is in its content, because
//! the garbage collector removes owners that are gone.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, Preconditions};
use kube::core::{ObjectList, PartialObjectMeta, Request};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};

use super::decoded::Decoded;
use super::objects::{get, is_conflict, is_gone, metadata};
use super::revisions::create;
use crate::api::MANAGER;
use crate::api::prompt::WorkflowPrompt;

/// Number of digits of a hash in a name.
const DIGITS: usize = 40;
/// Label of what is deleted after a time.
const TEMPORARY: &str = "weirkeeper.dev/temporary";
/// Time after which it is deleted, from its creation. A generation may wait for answers of people as long.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Number of them in a namespace above which the oldest are deleted, and the age that these have at least.
const MOST: usize = 2_000;
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// Returns the name under which the answer to a question is stored.
pub fn answer_name(key: &str) -> String {
    format!("weirkeeper-answer-{}", shortened(key))
}

/// Returns the name under which it is stored that a question has no answer, though it may have been paid.
pub fn lost_name(key: &str) -> String {
    format!("weirkeeper-lost-{}", shortened(key))
}

/// Returns the name of the claim of who sends a question.
pub fn claim_name(key: &str) -> String {
    format!("weirkeeper-claim-{}", shortened(key))
}

/// Returns the name under which a proposal is stored.
pub fn proposal_name(uid: &str, digest: &str) -> String {
    format!("weirkeeper-proposal-{}-{}", short_uid(uid), shortened(digest))
}

/// Returns the name under which it is stored what a prompt's generation starts from, beside its spec.
pub fn inputs_name(uid: &str, asked: &str) -> String {
    format!("weirkeeper-inputs-{}-{}", short_uid(uid), shortened(asked))
}

fn shortened(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(DIGITS).collect::<String>().to_ascii_lowercase()
}

fn short_uid(uid: &str) -> String {
    shortened(uid).chars().take(8).collect()
}

/// How long stored content is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As long as an owner exists, or until its owner deletes it.
    ForOwner,
    /// The same, but at most for a time.
    ForATime,
}

fn record(namespace: &str, owner: &OwnerReference, name: &str, kept: Kept, data: &Value) -> ControllerRevision {
    let mut labels = vec![("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())];
    labels.extend((kept == Kept::ForATime).then(|| (TEMPORARY.to_owned(), "true".to_owned())));
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.into_iter().collect()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        data: serde_json::from_value(data.clone()).ok(),
        revision: 1,
    }
}

/// Stores content under a name. What a prompt stored there already stays: the name says what it is.
pub async fn keep(
    client: &Client,
    namespace: &str,
    owner: &OwnerReference,
    (name, kept): (&str, Kept),
    data: &Value,
) -> Result<(), kube::Error> {
    let revision = record(namespace, owner, name, kept, data);
    match create(client, namespace, &revision).await {
        Err(error) if is_conflict(&error) => {}
        created => return created,
    }
    // The existing object may belong to nobody any more, or be something else: then it would never be read.
    let Some(twin) = get::<ControllerRevision>(client, Some(namespace), name).await? else { return Ok(()) };
    let same_kind = twin.data.as_ref().and_then(|data| data.0.as_object()).is_some_and(|stored| {
        let wanted = data.as_object();
        wanted.is_some_and(|wanted| wanted.keys().all(|key| stored.contains_key(key)))
    });
    if owners(&twin.metadata).next().is_some() && same_kind {
        return Ok(());
    }
    remove(client, namespace, &twin.metadata).await?;
    create(client, namespace, &revision).await
}

/// Prompt that has sent a question, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// Creates the claim of who sends a question, or returns who has it. None if it has just been released: then nothing was created.
pub async fn claim(
    client: &Client,
    namespace: &str,
    owner: &OwnerReference,
    key: &str,
) -> Result<Result<(), Option<Claimant>>, kube::Error> {
    let data = json!({ "claim": { "name": owner.name, "uid": owner.uid } });
    let revision = record(namespace, owner, &claim_name(key), Kept::ForATime, &data);
    match create(client, namespace, &revision).await {
        Err(error) if is_conflict(&error) => Ok(Err(claimant(client, namespace, owner, key).await?)),
        created => created.map(Ok),
    }
}

/// Returns who has claimed a question. `user` becomes an owner of the claim, so that it stays when that prompt is deleted.
pub async fn claimant(client: &Client, namespace: &str, user: &OwnerReference, key: &str) -> Result<Option<Claimant>, kube::Error> {
    let stored = share(client, namespace, &claim_name(key), user).await?;
    Ok(stored.and_then(|data| {
        let text = |key: &str| data["claim"][key].as_str().map(str::to_owned);
        Some(Claimant { name: text("name")?, uid: text("uid")? })
    }))
}

/// Deletes the claim of a prompt on a question that is answered, lost, or was not sent.
pub async fn release(client: &Client, namespace: &str, uid: &str, key: &str) -> Result<(), kube::Error> {
    match get::<ControllerRevision>(client, Some(namespace), &claim_name(key)).await? {
        Some(found) if found.data.as_ref().is_some_and(|data| data.0["claim"]["uid"] == uid) => {
            remove(client, namespace, &found.metadata).await
        }
        _ => Ok(()),
    }
}

/// Reports whether the prompt that has claimed a question exists.
pub async fn exists(client: &Client, namespace: &str, claimant: &Claimant) -> Result<bool, kube::Error> {
    let found = metadata::<WorkflowPrompt>(client, namespace, &claimant.name).await?;
    Ok(found.is_some_and(|found| found.uid.as_ref() == Some(&claimant.uid)))
}

/// Reads content that any prompt of the namespace stored, and makes this prompt one of its owners.
pub async fn share(client: &Client, namespace: &str, name: &str, user: &OwnerReference) -> Result<Option<Value>, kube::Error> {
    let Some(found) = get::<ControllerRevision>(client, Some(namespace), name).await? else { return Ok(None) };
    if owners(&found.metadata).next().is_none() {
        // It is no record of a prompt, whatever its name says.
        remove(client, namespace, &found.metadata).await?;
        return Ok(None);
    }
    if !owners(&found.metadata).any(|owner| owner.uid == user.uid) {
        // Only one owner may be the controller.
        let user = OwnerReference { controller: None, block_owner_deletion: None, ..user.clone() };
        let patch = json!({ "metadata": { "uid": found.metadata.uid, "ownerReferences": [user] } });
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = Request::new(ControllerRevision::url_path(&(), Some(namespace))).patch(name, &params, &Patch::Strategic(patch));
        let patched = client.request::<Decoded<PartialObjectMeta<ControllerRevision>>>(request.map_err(kube::Error::BuildRequest)?).await;
        match patched {
            Err(error) if is_gone(&error) || is_conflict(&error) => return Ok(None),
            patched => drop(patched?),
        }
    }
    Ok(found.data.and_then(|data| serde_json::to_value(data).ok()))
}

/// Reads content that the prompt with this UID stored.
pub async fn read(client: &Client, namespace: &str, name: &str, uid: &str) -> Result<Option<Value>, kube::Error> {
    let found = get::<ControllerRevision>(client, Some(namespace), name).await?;
    let found = found.filter(|found| owners(&found.metadata).any(|owner| owner.uid == uid));
    Ok(found.and_then(|found| serde_json::to_value(found.data?).ok()))
}

/// Deletes what is older than the longest time that it is kept, and the oldest of too many.
pub async fn prune(client: &Client, namespace: &str, now: Timestamp) -> Result<usize, kube::Error> {
    let params = ListParams::default().labels(&format!("{TEMPORARY}=true"));
    let request = Request::new(ControllerRevision::url_path(&(), Some(namespace))).list_metadata(&params);
    let listed: ObjectList<PartialObjectMeta<ControllerRevision>> = client.request(request.map_err(kube::Error::BuildRequest)?).await?;
    let surplus = surplus(listed.items.into_iter().map(|item| item.metadata).collect(), now);
    for one in &surplus {
        remove(client, namespace, one).await?;
    }
    Ok(surplus.len())
}

/// Returns what is to be deleted.
fn surplus(mut all: Vec<ObjectMeta>, now: Timestamp) -> Vec<ObjectMeta> {
    let age = |one: &ObjectMeta| one.creation_timestamp.as_ref().map_or(SignedDuration::ZERO, |created| now.duration_since(created.0));
    all.retain(|one| owners(one).next().is_some());
    all.sort_by_key(age);
    let kept = |(index, one): &(usize, ObjectMeta)| age(one) <= if *index < MOST { LONGEST_LIFE } else { SHORTEST_LIFE };
    all.into_iter().enumerate().filter(|one| !kept(one)).map(|(_, one)| one).collect()
}

async fn remove(client: &Client, namespace: &str, found: &ObjectMeta) -> Result<(), kube::Error> {
    let preconditions = Preconditions { uid: found.uid.clone(), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    let name = found.name.as_deref().unwrap_or_default();
    match Api::<ControllerRevision>::namespaced(client.clone(), namespace).delete(name, &params).await {
        Err(error) if is_gone(&error) || is_conflict(&error) => Ok(()),
        deleted => deleted.map(drop),
    }
}

/// Returns the WorkflowPrompts that own an object.
fn owners(found: &ObjectMeta) -> impl Iterator<Item = &OwnerReference> {
    found.owner_references.iter().flatten().filter(|owner| owner.kind == WorkflowPrompt::kind(&()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_tell_prompts_and_questions_apart() {
        let (uid, other) = ("0d8f1c52-6f0e-4a53-9a54-1be1d52e6a52", "1d8f1c52-6f0e-4a53-9a54-1be1d52e6a52");
        let key = "AB".repeat(32);
        assert_eq!(answer_name(&key), format!("weirkeeper-answer-{}", "ab".repeat(20)));
        assert_ne!(inputs_name(uid, &key), inputs_name(other, &key));
        assert_eq!(proposal_name(uid, "sha256:ff"), "weirkeeper-proposal-0d8f1c52-sha256ff");
        for name in [answer_name(&key), lost_name(&key), claim_name(&key), proposal_name(uid, &key), inputs_name("", "")] {
            assert!(
                name.len() <= 253 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
        }
    }

    #[test]
    fn the_oldest_of_too_many_and_what_is_too_old_is_deleted() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let one = |name: String, hours: i64, kind: &str| {
            let owner = OwnerReference { kind: kind.to_owned(), uid: "u".into(), ..OwnerReference::default() };
            let created = now - SignedDuration::from_hours(hours);
            let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(created);
            ObjectMeta { name: Some(name), creation_timestamp: Some(time), owner_references: Some(vec![owner]), ..ObjectMeta::default() }
        };
        let names = |all: Vec<ObjectMeta>| all.into_iter().filter_map(|one| one.name).collect::<Vec<_>>();
        let few = vec![
            one("old".into(), 24 * 91, "WorkflowPrompt"),
            one("new".into(), 1, "WorkflowPrompt"),
            one("foreign".into(), 24 * 91, "Other"),
        ];
        assert_eq!(names(surplus(few, now)), ["old"]);
        let mut many: Vec<ObjectMeta> = (0..MOST).map(|number| one(format!("n{number}"), 2, "WorkflowPrompt")).collect();
        many.push(one("oldest".into(), 25, "WorkflowPrompt"));
        many.push(one("today".into(), 23, "WorkflowPrompt"));
        assert_eq!(names(surplus(many, now)), ["oldest"]);
    }
}
