//! Reads and writes of Kubernetes objects, with errors classed for a pass.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{DynamicObject, Request};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::reason::Reason;
use crate::api::{MANAGER, workflow::Workflow};
use crate::domain::manifest::misfit;
use crate::domain::trouble::Trouble;

/// A failed call to the Kubernetes API, as trouble: everything but a refusal heals with time.
pub fn trouble(attempt: &str, error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Trouble::denied(Reason::RequestFailed, format!("{attempt}: Kubernetes forbids it: {}", status.message))
        }
        kube::Error::Api(status) => {
            Trouble::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes answered {}: {}", status.code, status.message))
        }
        _ => Trouble::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes does not answer")),
    }
}

/// The same for what belongs to another namespace: Kubernetes names the object in its message, and so that is left out.
pub fn trouble_elsewhere(attempt: &str, error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Trouble::denied(Reason::RequestFailed, format!("{attempt}: Kubernetes forbids it"))
        }
        kube::Error::Api(status) => Trouble::transient(Reason::RequestFailed, format!("{attempt}: Kubernetes answered {}", status.code)),
        other => trouble(attempt, other),
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

/// Reads an object without its types, so that one that does not fit can be reported.
pub async fn read<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<DynamicObject>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    let resource = kube::api::ApiResource::erase::<K>(&());
    match Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource).get(name).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An object as its kind says, or without its types and with what does not fit.
pub enum Read<K> {
    /// It fits its kind.
    Fits(Box<K>),
    /// It does not, and why.
    Unfit(Box<DynamicObject>, String),
}

/// Reads an object once, for thousands of passes do: through its types where they fit.
pub async fn read_as<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<Read<K>>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + DeserializeOwned,
{
    let request = Request::new(K::url_path(&(), Some(namespace))).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    let text = match client.request_text(request).await {
        Err(error) if is_gone(&error) => return Ok(None),
        text => text?,
    };
    if let Ok(object) = serde_json::from_str(&text) {
        return Ok(Some(Read::Fits(Box::new(object))));
    }
    let object: Value = serde_json::from_str(&text).map_err(kube::Error::SerdeError)?;
    // From a value the reason comes without line and column, which move with each write of the object. The schema names the field too.
    let why = K::deserialize(&object).err().map(|error| misfit(&K::kind(&()), &object).unwrap_or_else(|| error.to_string()));
    let why = why.unwrap_or_default();
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    Ok(Some(Read::Unfit(Box::new(object), why)))
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
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    let resource = kube::api::ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let mut metadata = json!({ "uid": uid });
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = json!(version);
    }
    let patch = json!({ "metadata": metadata, "status": status });
    let written = api.patch_status(name, &params(), &Patch::Merge(patch)).await?;
    Ok(written.metadata.resource_version)
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Puts a finalizer on an object or takes it off. The resource version keeps a finalizer of somebody else that came
/// in between. Returns the new resource version.
pub async fn set_finalizer<K>(client: &Client, object: &K, finalizer: &str, on: bool) -> Result<Option<String>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    let meta = object.meta();
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    finalizers.retain(|one| one != finalizer);
    if on {
        finalizers.push(finalizer.to_owned());
    }
    let resource = kube::api::ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), meta.namespace.as_deref().unwrap_or_default(), &resource);
    let patch = json!({ "metadata": { "resourceVersion": meta.resource_version, "uid": meta.uid, "finalizers": finalizers } });
    match api.patch(meta.name.as_deref().unwrap_or_default(), &params(), &Patch::Merge(patch)).await {
        Err(error) if !on && is_gone(&error) => Ok(None),
        other => other.map(|written| written.metadata.resource_version),
    }
}

/// Stores a body, immutable and owned by its Workflow. One of the same name and owner holds the same body already.
pub async fn keep_revision(client: &Client, workflow: &Workflow, name: &str, version: i64, data: Value) -> Result<(), kube::Error> {
    let Some(owner) = workflow.controller_owner_ref(&()) else { return Ok(()) };
    let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
    let api = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
    let revision = ControllerRevision {
        metadata: kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into()),
            owner_references: Some(vec![owner.clone()]),
            ..Default::default()
        },
        data: serde_json::from_value(data).ok(),
        revision: version,
    };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &revision).await {
        Err(error) if is_conflict(&error) => {
            let Some(twin) = api.get_opt(name).await? else { return api.create(&params, &revision).await.map(drop) };
            if twin.metadata.owner_references.iter().flatten().any(|one| one.uid == owner.uid) {
                return Ok(());
            }
            if !is_orphan(client, namespace, &twin).await? {
                return Err(error);
            }
            // It belongs to an earlier object, and the garbage collector has not come yet.
            let preconditions = Preconditions { uid: twin.metadata.uid, resource_version: None };
            let dropped = api.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await;
            dropped.map(drop).or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })?;
            api.create(&params, &revision).await.map(drop)
        }
        other => other.map(drop),
    }
}

/// Whether a revision was owned by Workflows alone, none of which exists any more.
async fn is_orphan(client: &Client, namespace: &str, revision: &ControllerRevision) -> Result<bool, kube::Error> {
    let owners = revision.metadata.owner_references.as_deref().unwrap_or_default();
    for owner in owners {
        let workflow = owner.kind == Workflow::kind(&()) && owner.api_version == Workflow::api_version(&());
        let living = read::<Workflow>(client, namespace, &owner.name).await?;
        if !workflow || living.is_some_and(|living| living.metadata.uid.as_deref() == Some(owner.uid.as_str())) {
            return Ok(false);
        }
    }
    Ok(!owners.is_empty())
}

/// Reads a stored body.
pub async fn read_revision(client: &Client, namespace: &str, name: &str) -> Result<Option<Value>, kube::Error> {
    let revision = Api::<ControllerRevision>::namespaced(client.clone(), namespace).get_opt(name).await?;
    Ok(revision.and_then(|revision| serde_json::to_value(revision.data?).ok()))
}

/// Deletes stored bodies that nobody needs any more.
pub async fn drop_revisions(client: &Client, namespace: &str, names: &[String]) -> Result<(), kube::Error> {
    let api = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
    for name in names {
        match api.delete(name, &DeleteParams::default()).await {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
