//! Bodies of versions, stored in ControllerRevisions that their Workflow owns.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use kube::core::{PartialObjectMeta, Request};
use kube::{Api, Client, Resource};
use serde_json::Value;

use super::decoded::Decoded;
use super::objects::{get, is_conflict, is_gone, metadata};
use crate::api::MANAGER;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::VersionSource;
use crate::domain::stored_body;

/// Annotation of a body that holds the content of an adopted workflow.
const ADOPTED: &str = "weirkeeper.dev/adopted";

/// Stores a body, immutable and owned by its Workflow. Returns false if one of the same name and owner already holds the same definition.
/// A reconciliation whose status write fails stores it again and again, so it is looked up before it is sent.
pub async fn keep(
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
            // Another body is stored there, or it belongs to an earlier object that the garbage collector has not removed yet.
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

/// Reports whether two stored bodies hold the same definition, regardless of their compression.
fn same_body(one: Option<&RawExtension>, other: Option<&RawExtension>) -> bool {
    let decoded = |data: Option<&RawExtension>| stored_body::decode(&data?.0).ok();
    one == other || decoded(one).is_some_and(|one| decoded(other) == Some(one))
}

pub(super) async fn create(client: &Client, namespace: &str, revision: &ControllerRevision) -> Result<(), kube::Error> {
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let body = serde_json::to_vec(revision).map_err(kube::Error::SerdeError)?;
    let request = Request::new(ControllerRevision::url_path(&(), Some(namespace))).create(&params, body);
    let request = request.map_err(kube::Error::BuildRequest)?;
    client.request::<Decoded<PartialObjectMeta<ControllerRevision>>>(request).await.map(drop)
}

/// Reports whether a revision was owned by Workflows alone, none of which exists any more.
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

/// Reads a body that is stored for a Workflow. A body of another owner counts as missing.
pub async fn read(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<Option<Value>, kube::Error> {
    let revision = get::<ControllerRevision>(client, Some(namespace), name).await?;
    let revision = revision.filter(|revision| is_owned(&revision.metadata, owner));
    Ok(revision.and_then(|revision| serde_json::to_value(revision.data?).ok()))
}

/// Reports whether a body is stored as the content of an adopted workflow. The object itself says so, since a status may be forged.
pub async fn holds_adopted(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<bool, kube::Error> {
    let found = metadata::<ControllerRevision>(client, namespace, name).await?.filter(|found| is_owned(found, owner));
    Ok(found.is_some_and(|found| found.annotations.iter().flatten().any(|(key, _)| key == ADOPTED)))
}

/// Deletes what is stored for an owner and no longer needed. An object of such a name with another owner stays.
pub async fn delete(client: &Client, namespace: &str, names: &[String], owner: &str) -> Result<(), kube::Error> {
    let api = Api::<ControllerRevision>::namespaced(client.clone(), namespace);
    for name in names {
        let Some(found) = metadata::<ControllerRevision>(client, namespace, name).await? else { continue };
        if !is_owned(&found, owner) {
            continue;
        }
        let preconditions = Preconditions { uid: found.uid, resource_version: found.resource_version };
        match api.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await {
            // A concurrent change may have changed its owner.
            Err(error) if !is_gone(&error) && !is_conflict(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Reports whether the UID is that of an owner of the object.
fn is_owned(object: &ObjectMeta, owner: &str) -> bool {
    object.owner_references.iter().flatten().any(|one| one.uid == owner)
}
