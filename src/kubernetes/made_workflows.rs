//! Workflows that WorkflowPrompts make.

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Client, Resource};
use serde_json::Value;

use super::decoded::Decoded;
use crate::api::MANAGER;
use crate::api::prompt::WorkflowPrompt;
use crate::api::workflow::Workflow;
use crate::domain::prompt::made::{ownership, patch};

/// Brings the owner reference of a Workflow in line with the deletion policy of its prompt. Returns whether something was written.
pub async fn own(client: &Client, namespace: &str, name: &str, stored: &Workflow, prompt: &WorkflowPrompt) -> Result<bool, kube::Error> {
    let Some(patch) = ownership(&serde_json::to_value(stored).map_err(kube::Error::SerdeError)?, prompt) else { return Ok(false) };
    change(client, namespace, name, patch).await
}

/// Creates a Workflow, or changes the one that is there (`stored`), bound to its UID and resource version. Returns whether something was
/// written.
pub async fn write(client: &Client, namespace: &str, name: &str, stored: Option<&Value>, object: &Value) -> Result<bool, kube::Error> {
    match stored {
        None => {
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
            let request = Request::new(Workflow::url_path(&(), Some(namespace))).create(&params, body);
            client.request::<Decoded<PartialObjectMeta<Workflow>>>(request.map_err(kube::Error::BuildRequest)?).await.map(|_| true)
        }
        Some(stored) => match patch(stored, object) {
            Some(patch) => change(client, namespace, name, patch).await,
            None => Ok(false),
        },
    }
}

async fn change(client: &Client, namespace: &str, name: &str, patch: Value) -> Result<bool, kube::Error> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let request = Request::new(Workflow::url_path(&(), Some(namespace))).patch(name, &params, &Patch::Merge(patch));
    client.request::<Decoded<PartialObjectMeta<Workflow>>>(request.map_err(kube::Error::BuildRequest)?).await.map(|_| true)
}
