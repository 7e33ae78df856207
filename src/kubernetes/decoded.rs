//! Decoding of Kubernetes objects, so that one which cannot be decoded affects nothing but itself: in a list, in a watch and by itself.
//!
//! kube decodes a page of a list at once, and serde_json gives up on the page where one object nests deeper than 128 levels. The
//! API server stores more, and doubles the levels in `managedFields`.

use std::borrow::Cow;

use axum::http::Request;
use axum::http::header::{ACCEPT, HeaderValue};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::ObjectMeta;
use kube::client::Body;
use kube::core::PartialObjectMeta;
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::Value;

use crate::api::credential::N8nCredential;
use crate::api::instance::N8nInstance;
use crate::api::prompt::WorkflowPrompt;
use crate::api::provider::ModelProvider;
use crate::api::quota::WorkflowQuota;
use crate::api::template::WorkflowTemplate;
use crate::api::workflow::Workflow;
use crate::document::lenient_json::{self, Shallow, Skip};
use crate::kubernetes::indexed_credential::IndexedCredential;
use crate::kubernetes::indexed_policy::IndexedPolicy;
use crate::kubernetes::indexed_prompt::IndexedPrompt;
use crate::kubernetes::indexed_provider::IndexedProvider;
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::indexed_template::IndexedTemplate;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use crate::manifest::misfit;

/// A kind that is read from Kubernetes.
pub trait Decode: Resource<DynamicType = ()> + DeserializeOwned {
    /// Paths that are not read: the owners of fields are not used.
    const SKIP: Skip<'static> = &[&["metadata", "managedFields"]];
    /// Set if an object of which a part nests too deep is of no use.
    const WHOLE: bool = true;
}

impl Decode for IndexedWorkflow {
    const SKIP: Skip<'static> = &[&["metadata", "managedFields"], &["spec", "definition"], &["spec", "templateRef", "inputs"]];
    const WHOLE: bool = false;
}
impl<K: Resource<DynamicType = ()>> Decode for PartialObjectMeta<K> {
    const SKIP: Skip<'static> = &[&["metadata", "managedFields"], &["spec"], &["status"], &["data"], &["binaryData"]];
    const WHOLE: bool = false;
}
impl Decode for IndexedPolicy {
    const WHOLE: bool = false;
}
impl Decode for IndexedQuota {
    const WHOLE: bool = false;
}
impl Decode for IndexedTemplate {
    const WHOLE: bool = false;
}
impl Decode for IndexedPrompt {
    const WHOLE: bool = false;
}
impl Decode for IndexedCredential {
    const WHOLE: bool = false;
}
impl Decode for IndexedProvider {
    const WHOLE: bool = false;
}
impl Decode for ModelProvider {}
impl Decode for N8nCredential {}
impl Decode for N8nInstance {}
impl Decode for WorkflowPrompt {}
impl Decode for Workflow {}
impl Decode for WorkflowTemplate {}
impl Decode for WorkflowQuota {}
impl Decode for ConfigMap {}
impl Decode for ControllerRevision {}
impl Decode for Namespace {}
impl Decode for Secret {}

/// An object as the API server sent it. Decoding it fails only where it is not JSON.
#[derive(Clone, Debug)]
pub struct Decoded<K>(pub Result<K, Box<Undecodable>>);

/// An object that does not fit its kind.
#[derive(Clone)]
pub struct Undecodable {
    /// Its metadata, as far as they can be read.
    pub metadata: ObjectMeta,
    /// Reason why it does not fit.
    pub why: String,
    /// The object; null stands where it nests too deep.
    pub data: Value,
}

impl std::fmt::Debug for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undecodable").field("name", &self.metadata.name).finish_non_exhaustive()
    }
}

impl<'de, K: Decode> Deserialize<'de> for Decoded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { value, cut, .. } = lenient_json::read(deserializer, K::SKIP)?;
        let fits = match cut.filter(|_| K::WHOLE) {
            // The schema names the field, if the kind is one of Weirkeeper's.
            None => K::deserialize(&value).map_err(|error| misfit(&K::kind(&()), &value).unwrap_or_else(|| error.to_string())),
            Some(path) => Err(format!("{path} {}", lenient_json::beyond())),
        };
        Ok(Self(fits.map_err(|why| Box::new(Undecodable { metadata: metadata(&value["metadata"]), why, data: value }))))
    }
}

/// Returns the metadata; if they do not fit, the parts by which an object is found and its finalizer removed.
fn metadata(value: &Value) -> ObjectMeta {
    fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
        T::deserialize(&value[name]).ok()
    }
    ObjectMeta::deserialize(value).unwrap_or_else(|_| ObjectMeta {
        name: field(value, "name"),
        namespace: field(value, "namespace"),
        uid: field(value, "uid"),
        resource_version: field(value, "resourceVersion"),
        generation: field(value, "generation"),
        deletion_timestamp: field(value, "deletionTimestamp"),
        finalizers: field(value, "finalizers"),
        ..ObjectMeta::default()
    })
}

impl<K> Decoded<K> {
    /// Returns the object, or an error if it does not fit its kind.
    pub fn fitting(self) -> Result<K, kube::Error> {
        self.0.map_err(|undecodable| kube::Error::SerdeError(serde_json::Error::custom(undecodable.why)))
    }
}

impl<K: Resource> Resource for Decoded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|undecodable| &undecodable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|undecodable| &mut undecodable.metadata, K::meta_mut)
    }
}

/// Returns the same client, which requests the metadata of objects alone. kube's own watcher of metadata decodes `managedFields`.
pub fn metadata_only(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let asking = tower::service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        let watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let kind = if watch { "PartialObjectMetadata" } else { "PartialObjectMetadataList" };
        if let Ok(accept) = HeaderValue::try_from(format!("application/json;as={kind};g=meta.k8s.io;v=v1")) {
            request.headers_mut().insert(ACCEPT, accept);
        }
        async move { client.send(request).await }
    });
    Client::new(asking, namespace)
}

#[cfg(test)]
mod tests;
