//! Reads and writes of Kubernetes objects, with errors classed for a pass.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, GetParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{PartialObjectMeta, Request};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};

use super::decoded::{Decode, Decoded};
use crate::api::reason::Reason;
use crate::api::workflow_status::VersionSource;
use crate::api::{MANAGER, workflow::Workflow};
use crate::domain::error::ReconcileError;
use crate::domain::stored_body;

/// The annotation of a stored body that an adopted workflow held.
const ADOPTED: &str = "weirkeeper.dev/adopted";

/// A failed call to the Kubernetes API, as trouble: everything but a refusal heals with time.
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
        _ => ReconcileError::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes does not answer")),
    }
}

/// The same for what belongs to another namespace: Kubernetes names the object in its message, and so that is left out.
pub fn reconcile_error_elsewhere(attempt: &str, error: &kube::Error) -> ReconcileError {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            ReconcileError::denied(Reason::RequestFailed, format!("{attempt}: Kubernetes forbids it"))
        }
        kube::Error::Api(status) => {
            ReconcileError::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes answered {}", status.code))
        }
        kube::Error::SerdeError(_) => ReconcileError::waiting(Reason::UnreadableObject, format!("{attempt}: it does not fit its kind")),
        other => reconcile_error(attempt, other),
    }
}

/// Whether the object was gone when the call came. While a CRD is being changed the API server answers 404 to everything
/// of that kind; only an answer that names the object speaks of the object.
pub fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 && status.details.as_ref().is_some_and(|details| !details.name.is_empty()))
}

/// Whether another write came first, or the object is another one of the same name.
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

/// Reads an object; one that does not fit its kind is an error that says why.
pub async fn get<K: Decode>(client: &Client, namespace: Option<&str>, name: &str) -> Result<Option<K>, kube::Error> {
    read_as::<K>(client, namespace, name).await?.map(Decoded::fitting).transpose()
}

/// Reads an object, be it that it does not fit its kind.
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

/// Patches the status of an object, bound to its UID so that a re-created twin is never written to, and to a resource
/// version where one is given. Returns the new one.
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

/// Puts a finalizer on an object or takes it off. The resource version keeps a finalizer of somebody else that came
/// in between. Returns the new resource version; none where the object is gone.
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

/// Stores a body, immutable and owned by its Workflow, and tells whether it was not there yet: one of the same name and owner that holds
/// the same definition. A pass whose status is refused stores it again and again, so it is looked for before it is sent.
pub async fn keep_revision(
    client: &Client,
    workflow: &Workflow,
    name: &str,
    (version, source): (i64, VersionSource),
    data: Value,
) -> Result<bool, kube::Error> {
    let Some(owner) = workflow.controller_owner_ref(&()) else { return Ok(false) };
    let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
    let data = serde_json::from_value(data).ok();
    if let Some(twin) = get::<ControllerRevision>(client, Some(namespace), name).await? {
        let ours = is_owned(&twin.metadata, &owner.uid);
        if ours && same_body(twin.data.as_ref(), data.as_ref()) {
            return Ok(false);
        }
        if ours || is_orphan(client, namespace, &twin.metadata).await? {
            // Somebody put another body there, or it belongs to an earlier object and the garbage collector has not come yet.
            let preconditions = Preconditions { uid: twin.metadata.uid, resource_version: None };
            let api = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
            let dropped = api.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await;
            dropped.map(drop).or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })?;
        }
    }
    let revision = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into()),
            annotations: (source == VersionSource::Adopted).then(|| [(ADOPTED.to_owned(), "true".to_owned())].into()),
            owner_references: Some(vec![owner]),
            ..Default::default()
        },
        data,
        revision: version,
    };
    create(client, namespace, &revision).await.map(|()| true)
}

/// Whether two stored bodies hold the same definition, however they are packed.
fn same_body(one: Option<&RawExtension>, other: Option<&RawExtension>) -> bool {
    let read = |data: Option<&RawExtension>| stored_body::decode(&data?.0).ok();
    one == other || read(one).is_some_and(|one| read(other) == Some(one))
}

async fn create(client: &Client, namespace: &str, revision: &ControllerRevision) -> Result<(), kube::Error> {
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let body = serde_json::to_vec(revision).map_err(kube::Error::SerdeError)?;
    let request = Request::new(ControllerRevision::url_path(&(), Some(namespace))).create(&params, body);
    let request = request.map_err(kube::Error::BuildRequest)?;
    client.request::<Decoded<PartialObjectMeta<ControllerRevision>>>(request).await.map(drop)
}

/// Whether a revision was owned by Workflows alone, none of which exists any more.
async fn is_orphan(client: &Client, namespace: &str, revision: &ObjectMeta) -> Result<bool, kube::Error> {
    let owners = revision.owner_references.as_deref().unwrap_or_default();
    for owner in owners {
        let workflow = owner.kind == Workflow::kind(&()) && owner.api_version == Workflow::api_version(&());
        let living = metadata::<Workflow>(client, namespace, &owner.name).await?;
        if !workflow || living.is_some_and(|living| living.uid.as_deref() == Some(owner.uid.as_str())) {
            return Ok(false);
        }
    }
    Ok(!owners.is_empty())
}

/// Reads a body that is stored for a Workflow. What another object owns is not there.
pub async fn read_revision(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<Option<Value>, kube::Error> {
    let revision = get::<ControllerRevision>(client, Some(namespace), name).await?;
    let revision = revision.filter(|revision| is_owned(&revision.metadata, owner));
    Ok(revision.and_then(|revision| serde_json::to_value(revision.data?).ok()))
}

/// Whether a body is stored as what an adopted workflow held. Its object says so, which a status that somebody forged does not.
pub async fn holds_adopted(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<bool, kube::Error> {
    let found = metadata::<ControllerRevision>(client, namespace, name).await?.filter(|found| is_owned(found, owner));
    Ok(found.is_some_and(|found| found.annotations.iter().flatten().any(|(key, _)| key == ADOPTED)))
}

/// Deletes bodies that are stored for a Workflow and that nobody needs any more. Whatever has such a name and another owner stays.
pub async fn drop_revisions(client: &Client, namespace: &str, names: &[String], owner: &str) -> Result<(), kube::Error> {
    let api = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
    for name in names {
        let Some(found) = metadata::<ControllerRevision>(client, namespace, name).await? else { continue };
        if !is_owned(&found, owner) {
            continue;
        }
        let preconditions = Preconditions { uid: found.uid, resource_version: found.resource_version };
        match api.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await {
            // Whoever changed it meanwhile may have changed its owner.
            Err(error) if !is_gone(&error) && !is_conflict(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an object has the owner of this UID.
fn is_owned(object: &ObjectMeta, owner: &str) -> bool {
    object.owner_references.iter().flatten().any(|one| one.uid == owner)
}
