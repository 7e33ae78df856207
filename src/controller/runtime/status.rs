//! Writes of status: only differences, bound to the UID of the object.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMetaExt;
use kube::{Client, Resource, ResourceExt};
use prometheus::IntCounterVec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use super::reconcile::Ended;
use crate::api::condition::Condition;
use crate::api::reason::Reason;
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::error::ReconcileError;
use crate::domain::merge_patch::merge_patch;
use crate::kubernetes::decoded::Undecodable;
use crate::kubernetes::objects;

/// Writes the difference between two versions of an object's status, and returns the resource version after it; None if nothing differs.
/// With a resource version, the write fails with a conflict if the object changed since.
pub async fn write<K, S>(
    client: &Client,
    writes: &IntCounterVec,
    object: &K,
    resource_version: Option<&str>,
    (before, after): (&S, &S),
) -> Result<Option<Option<String>>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    S: Serialize,
{
    let json = |status: &S| serde_json::to_value(status).map_err(kube::Error::SerdeError);
    let Some(patch) = merge_patch(&json(before)?, &json(after)?) else { return Ok(None) };
    let (namespace, name, uid) = (object.namespace().unwrap_or_default(), object.name_any(), object.uid().unwrap_or_default());
    let written = objects::patch_status::<K>(client, &namespace, &name, &uid, resource_version, &patch).await?;
    writes.with_label_values(&[K::kind(&()).as_ref()]).inc();
    Ok(Some(written))
}

/// Returns the result of a reconciliation of an object that does not fit its kind.
pub fn unfit(message: String) -> Found {
    Found { outcome: Outcome::Failed(ReconcileError::invalid(Reason::UnreadableObject, message)), details: Vec::new() }
}

/// Writes to an object that does not fit its kind what is wrong with it. `updated` returns the status before with the generation and the conditions.
pub async fn write_unreadable<K, S>(
    (client, writes): (&Client, &IntCounterVec),
    object: &Undecodable,
    found: &Found,
    updated: impl FnOnce(&S, i64, Vec<Condition>) -> S,
    old_conditions: impl FnOnce(&S) -> &[Condition],
) -> Ended
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    S: Serialize + DeserializeOwned + Default,
{
    let old: S = serde_json::from_value(object.data["status"].clone()).unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(0);
    let (after, _) = conditions(old_conditions(&old), None, found, generation, Duration::ZERO, Timestamp::now());
    let new = updated(&old, generation, after);
    let bare = object.metadata.clone().into_response_partial::<K>();
    if let Err(error) = write(client, writes, &bare, None, (&old, &new)).await {
        warn!(%error, "cannot write the status");
    }
    Ended::failed(Reason::UnreadableObject)
}
