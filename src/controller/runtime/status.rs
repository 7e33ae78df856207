//! Writes of status: only differences, bound to the UID of the object.

use k8s_openapi::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use prometheus::IntCounterVec;
use serde::Serialize;

use crate::domain::merge_patch::merge_patch;
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
