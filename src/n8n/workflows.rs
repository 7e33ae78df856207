//! Operations on single workflows.

use reqwest::Method;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, json};

use super::client::N8nClient;
use super::error::{N8nError, present};
use super::operation::Operation;
use crate::domain::remote::{RemoteVersion, RemoteWorkflow, WorkflowWrite};

impl N8nClient {
    /// Reads a workflow, without pinned data. `None`: it does not exist, which is confirmed.
    ///
    /// # Errors
    /// Any error that prevents an answer; while n8n starts, `NotReady`.
    pub async fn get_workflow(&self, id: &str) -> Result<Option<RemoteWorkflow>, N8nError> {
        let request = self.api(Operation::GetWorkflow, Method::GET, &["workflows", id])?.query("excludePinnedData", "true");
        present(self.send_for_workflow(request).await)
    }

    /// Creates a workflow, unpublished. Not idempotent: after an [unanswered](N8nError::unanswered) call it may exist.
    ///
    /// # Errors
    /// `Refused` if n8n does not accept the definition.
    pub async fn create_workflow(&self, workflow: &WorkflowWrite) -> Result<RemoteWorkflow, N8nError> {
        self.create_workflow_in(None, workflow).await
    }

    /// Creates a workflow in a project; `None` is the personal project of the key's user.
    ///
    /// # Errors
    /// `NotFound` if there is no such project or the user may not create workflows in it.
    pub async fn create_workflow_in(&self, project: Option<&str>, workflow: &WorkflowWrite) -> Result<RemoteWorkflow, N8nError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Create<'a> {
            #[serde(flatten)]
            workflow: &'a WorkflowWrite,
            #[serde(skip_serializing_if = "Option::is_none")]
            project_id: Option<&'a str>,
        }
        let body = Create { workflow, project_id: project };
        self.send_for_workflow(self.api(Operation::CreateWorkflow, Method::POST, &["workflows"])?.json(&body)?).await
    }

    /// Moves a workflow to another project. A published workflow stays published, but its webhooks are unregistered for a moment.
    ///
    /// # Errors
    /// `NotFound` if there is no such project or workflow, `Refused` if the workflow is there already. A success does not prove that it is
    /// still published: n8n unpublishes it if its triggers cannot be registered again. Read it back.
    pub async fn transfer_workflow(&self, id: &str, project: &str) -> Result<(), N8nError> {
        let request = self.api(Operation::TransferWorkflow, Method::PUT, &["workflows", id, "transfer"])?;
        self.send_unit(request.json(&json!({ "destinationProjectId": project }))?).await
    }

    /// Replaces name, nodes and connections, and merges settings. With `publish_if_active`, a published workflow is published again, which
    /// unregisters its webhooks for a tenth of a second even if nothing changed.
    ///
    /// # Errors
    /// Update and publication are not atomic: any error after the request was sent may leave the draft saved, and some unpublish the
    /// workflow. Read it back.
    pub async fn update_workflow(&self, id: &str, workflow: &WorkflowWrite, publish_if_active: bool) -> Result<RemoteWorkflow, N8nError> {
        let request = self
            .api(Operation::UpdateWorkflow, Method::PUT, &["workflows", id])?
            .query("publishIfActive", if publish_if_active { "true" } else { "false" })
            .json(workflow)?;
        self.send_for_workflow(request).await
    }

    /// Publishes a version, or the draft.
    ///
    /// # Errors
    /// `Refused` with n8n's reason; some refusals unpublish the workflow. Read it back.
    pub async fn publish(&self, id: &str, version_id: Option<&str>) -> Result<RemoteWorkflow, N8nError> {
        let body = version_id.map_or_else(|| json!({}), |version| json!({ "versionId": version }));
        self.send_for_workflow(self.api(Operation::Publish, Method::POST, &["workflows", id, "publish"])?.json(&body)?).await
    }

    /// Unpublishes a workflow; idempotent.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn unpublish(&self, id: &str) -> Result<RemoteWorkflow, N8nError> {
        self.command(Operation::Unpublish, id, "unpublish").await
    }

    /// Archives a workflow, which unpublishes it; idempotent.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn archive(&self, id: &str) -> Result<RemoteWorkflow, N8nError> {
        self.command(Operation::Archive, id, "archive").await
    }

    /// Unarchives a workflow, which stays unpublished.
    ///
    /// # Errors
    /// `Refused` if it is not archived, `NotFound` if it does not exist.
    pub async fn unarchive(&self, id: &str) -> Result<RemoteWorkflow, N8nError> {
        self.command(Operation::Unarchive, id, "unarchive").await
    }

    /// Deletes a workflow and all its executions. `false`: it did not exist, which is confirmed.
    ///
    /// # Errors
    /// `Refused` with status 409 by the publication service while the workflow is published, and for a moment after that.
    pub async fn delete_workflow(&self, id: &str) -> Result<bool, N8nError> {
        let request = self.api(Operation::DeleteWorkflow, Method::DELETE, &["workflows", id])?;
        let answer = present(self.send_json::<IgnoredAny>(request).await);
        if matches!(&answer, Err(N8nError::Refused { status: 409, message, .. }) if message.contains("npublish")) {
            self.note_publishes_later();
        }
        Ok(answer?.is_some())
    }

    /// Reads a version from the history. `None`: the workflow or the version does not exist, which is confirmed (n8n prunes history).
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn get_version(&self, id: &str, version_id: &str) -> Result<Option<RemoteVersion>, N8nError> {
        let operation = Operation::GetVersion;
        let request = self.api(operation, Method::GET, &["workflows", id, "versions", version_id])?;
        present(self.send_json(request).await)?.map(|version| self.hold_version(operation, version)).transpose()
    }

    async fn command(&self, operation: Operation, id: &str, verb: &str) -> Result<RemoteWorkflow, N8nError> {
        self.send_for_workflow(self.api(operation, Method::POST, &["workflows", id, verb])?.json(&Map::new())?).await
    }
}
