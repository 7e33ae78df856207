//! Reads and writes of Kubernetes objects, and the classes of their errors.

use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{GetParams, ObjectMeta, Patch, PatchParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Client, Resource};
use serde_json::{Value, json};

use crate::api::MANAGER;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::kubernetes::decoded::{Decode, Decoded};

/// Returns the key of a namespaced object in maps and logs.
pub fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Returns what an error code of the API server means, for messages that cannot show the API server's own words.
fn meaning(code: u16) -> &'static str {
    match code {
        401 => "it does not accept the operator's token; renew it, or restart the operator",
        404 => "the namespace does not exist, or the kind is not installed",
        409 => "another write came first; it is tried again",
        413 => "the object is too large",
        422 => "it refuses the object as invalid",
        429 => "it has too much to do; it is tried again",
        500.. => "it failed, or is not ready; it is tried again",
        _ => "the request was refused",
    }
}

/// Classes a failed call to the Kubernetes API: every error but a refusal is transient.
pub fn reconcile_error(attempt: &str, error: &kube::Error) -> ReconcileError {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            ReconcileError::denied(Reason::RequestFailed, format!("{attempt}: Kubernetes forbids it: {}", status.message))
        }
        kube::Error::Api(status) => {
            ReconcileError::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes answered {}: {}", status.code, status.message))
        }
        kube::Error::SerdeError(why) => {
            ReconcileError::waiting(Reason::UnreadableObject, format!("{attempt}: it does not fit its kind: {why}; correct it"))
        }
        _ => ReconcileError::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes does not answer; it is tried again")),
    }
}

/// Classes a failed call about an object of another namespace: Kubernetes names the object in its message, so the message is left out.
pub fn reconcile_error_elsewhere(attempt: &str, error: &kube::Error) -> ReconcileError {
    match error {
        kube::Error::Api(status) if status.code == 403 => ReconcileError::denied(
            Reason::RequestFailed,
            format!("{attempt}: Kubernetes forbids it to the operator; compare its Roles with those of the chart"),
        ),
        kube::Error::Api(status) => ReconcileError::transient(
            Reason::RequestFailed,
            format!("{attempt}: Kubernetes answered {}: {}", status.code, meaning(status.code)),
        ),
        kube::Error::SerdeError(_) => {
            ReconcileError::waiting(Reason::UnreadableObject, format!("{attempt}: it does not fit its kind; its owner has to correct it"))
        }
        other => reconcile_error(attempt, other),
    }
}

/// Reports whether the object was gone when the call came. While a CRD is being changed the API server answers 404 to every request for
/// that kind; only an answer that names the object is about the object.
pub fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 && status.details.as_ref().is_some_and(|details| !details.name.is_empty()))
}

/// Reports whether another write came first, or the object is another one of the same name.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Reads the metadata of an object.
pub async fn metadata<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<ObjectMeta>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let request = Request::new(K::url_path(&(), Some(namespace))).get_metadata(name, &GetParams::default());
    let found: Option<Decoded<PartialObjectMeta<K>>> = found(client.request(request.map_err(kube::Error::BuildRequest)?).await)?;
    Ok(found.map(|object| object.meta().clone()))
}

/// Reads an object; returns an error with the reason if it does not fit its kind.
pub async fn get<K: Decode>(client: &Client, namespace: Option<&str>, name: &str) -> Result<Option<K>, kube::Error> {
    read_as::<K>(client, namespace, name).await?.map(Decoded::fitting).transpose()
}

/// Returns the labels of a namespace, by which others may be allowed to it; none if it does not exist.
pub async fn namespace_labels(client: &Client, namespace: &str) -> Result<BTreeMap<String, String>, ReconcileError> {
    let found = get::<Namespace>(client, None, namespace).await.map_err(|error| reconcile_error("read the namespace", &error))?;
    Ok(found.and_then(|namespace| namespace.metadata.labels).unwrap_or_default())
}

/// Reads an object, whether or not it fits its kind.
pub async fn read_as<K: Decode>(client: &Client, namespace: Option<&str>, name: &str) -> Result<Option<Decoded<K>>, kube::Error> {
    let request = Request::new(K::url_path(&(), namespace)).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    found(client.request(request).await)
}

fn found<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Patches the status of an object, bound to its UID so that a re-created twin is never written to, and to a resource version if one is
/// given. Returns the new one.
pub async fn patch_status<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: &str,
    resource_version: Option<&str>,
    status: &Value,
) -> Result<Option<String>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let mut metadata = json!({ "uid": uid });
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = json!(version);
    }
    let patch = json!({ "metadata": metadata, "status": status });
    let request = Request::new(K::url_path(&(), Some(namespace))).patch_subresource("status", name, &params(), &Patch::Merge(patch));
    // The answer is the whole object; only its metadata are needed.
    let written: Decoded<PartialObjectMeta<K>> = client.request(request.map_err(kube::Error::BuildRequest)?).await?;
    Ok(written.meta().resource_version.clone())
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Reports whether a finalizer is on an object.
pub fn has_finalizer(metadata: &ObjectMeta, finalizer: &str) -> bool {
    metadata.finalizers.iter().flatten().any(|one| one == finalizer)
}

/// Adds or removes a finalizer. The resource version keeps a finalizer that another writer added meanwhile. Returns the new resource
/// version; None if the object is gone.
pub async fn set_finalizer<K>(client: &Client, object: &K, finalizer: &str, on: bool) -> Result<Option<String>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let meta = object.meta();
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    finalizers.retain(|one| one != finalizer);
    if on {
        finalizers.push(finalizer.to_owned());
    }
    let patch = json!({ "metadata": { "resourceVersion": meta.resource_version, "uid": meta.uid, "finalizers": finalizers } });
    let [namespace, name] = [&meta.namespace, &meta.name].map(|part| part.as_deref().unwrap_or_default());
    let request = Request::new(K::url_path(&(), Some(namespace))).patch(name, &params(), &Patch::Merge(patch));
    match client.request::<Decoded<PartialObjectMeta<K>>>(request.map_err(kube::Error::BuildRequest)?).await {
        Err(error) if !on && is_gone(&error) => Ok(None),
        other => other.map(|written| written.meta().resource_version.clone()),
    }
}
