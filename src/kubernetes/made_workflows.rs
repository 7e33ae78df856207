//! Workflows that WorkflowPrompts make.

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Client, Resource};
use serde_json::Value;

use super::decoded::Decoded;
use crate::api::MANAGER;
use crate::api::workflow::Workflow;
use crate::domain::prompt::made::patch;

/// Creates a Workflow, or changes the one that is there (`stored`), bound to its UID and resource version. Returns whether something was
/// written.
pub async fn write(client: &Client, namespace: &str, name: &str, stored: Option<&Value>, object: &Value) -> Result<bool, kube::Error> {
    let path = Request::new(Workflow::url_path(&(), Some(namespace)));
    let request = match stored {
        None => {
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            path.create(&params, serde_json::to_vec(object).map_err(kube::Error::SerdeError)?)
        }
        Some(stored) => {
            let Some(patch) = patch(stored, object) else { return Ok(false) };
            let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            path.patch(name, &params, &Patch::Merge(patch))
        }
    };
    client.request::<Decoded<PartialObjectMeta<Workflow>>>(request.map_err(kube::Error::BuildRequest)?).await.map(|_| true)
}
