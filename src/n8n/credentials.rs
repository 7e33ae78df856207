//! Credentials: created, changed, tested and deleted; their values are never read back.

use std::fmt;

use reqwest::Method;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::N8nClient;
use super::error::{N8nError, present};
use super::operation::Operation;
use crate::domain::remote::RemoteCredential;

/// A credential to create.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialWrite<D = Map<String, Value>> {
    /// The name, 3 to 128 characters; not necessarily unique.
    pub name: String,
    /// The credential type, such as `httpHeaderAuth`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The secret values by field.
    pub data: D,
    /// Id of the project; None is the personal project of the key's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
}

impl<D> fmt::Debug for CredentialWrite<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialWrite").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A change of a credential.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialUpdate<D = Map<String, Value>> {
    /// The name, 3 to 128 characters.
    pub name: String,
    /// The secret values by field; None keeps them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<D>,
    /// Keeps the fields that `data` lacks, such as the tokens of an OAuth account. Otherwise `data` replaces all.
    #[serde(rename = "isPartialData", skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl<D> fmt::Debug for CredentialUpdate<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialUpdate").field("name", &self.name).field("partial", &self.partial).finish_non_exhaustive()
    }
}

/// Answer to a test of a credential. A failed test is an answer like any other.
#[derive(Deserialize)]
pub struct CredentialTestAnswer {
    /// `OK` or `Error`.
    #[serde(default)]
    pub status: String,
    /// Message of n8n, or of the service: it may repeat a value.
    #[serde(default)]
    pub message: String,
}

impl fmt::Debug for CredentialTestAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialTestAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl N8nClient {
    /// Reads a credential, without its values and its project. `None`: it does not exist, which is confirmed.
    ///
    /// # Errors
    /// Any error that prevents an answer; while n8n starts, `NotReady`.
    pub async fn get_credential(&self, id: &str) -> Result<Option<RemoteCredential>, N8nError> {
        present(self.send_json(self.api(Operation::GetCredential, Method::GET, &["credentials", id])?.small()).await)
    }

    /// Creates a credential. Not idempotent, like the creation of a workflow.
    ///
    /// # Errors
    /// `Refused` if n8n does not know the type or a field is missing, `NotFound` if there is no such project.
    pub async fn create_credential<D: Serialize + Sync>(&self, credential: &CredentialWrite<D>) -> Result<RemoteCredential, N8nError> {
        self.send_json(self.api(Operation::CreateCredential, Method::POST, &["credentials"])?.small().json(credential)?).await
    }

    /// Returns the JSON Schema of the data of a credential type. `None`: n8n does not know the type, which is confirmed.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn find_credential_schema(&self, kind: &str) -> Result<Option<Value>, N8nError> {
        present(self.credential_schema(kind).await)
    }

    /// Returns the JSON Schema of the data of a credential type.
    ///
    /// # Errors
    /// `NotFound` if n8n does not know the type.
    pub async fn credential_schema(&self, kind: &str) -> Result<Value, N8nError> {
        self.send_json(self.api(Operation::CredentialSchema, Method::GET, &["credentials", "schema", kind])?.small()).await
    }

    /// Changes a credential; effective from the next execution.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn update_credential<D: Serialize + Sync>(
        &self,
        id: &str,
        change: &CredentialUpdate<D>,
    ) -> Result<RemoteCredential, N8nError> {
        self.send_json(self.api(Operation::UpdateCredential, Method::PATCH, &["credentials", id])?.small().json(change)?).await
    }

    /// Tests a credential as the editor does: mostly, n8n calls the service with it. A key needs no scope beside that of reading.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn test_credential(&self, id: &str) -> Result<CredentialTestAnswer, N8nError> {
        self.send_json(self.api(Operation::TestCredential, Method::POST, &["credentials", id, "test"])?.small().json(&Map::new())?).await
    }

    /// Moves a credential to another project.
    ///
    /// # Errors
    /// `NotFound` if there is no such project or credential, `Refused` if the credential is there already.
    pub async fn transfer_credential(&self, id: &str, project: &str) -> Result<(), N8nError> {
        let request = self.api(Operation::TransferCredential, Method::PUT, &["credentials", id, "transfer"])?;
        self.send_unit(request.json(&json!({ "destinationProjectId": project }))?).await
    }

    /// Deletes a credential, even one in use. `false`: it did not exist, which is confirmed.
    ///
    /// # Errors
    /// Any error that prevents an answer.
    pub async fn delete_credential(&self, id: &str) -> Result<bool, N8nError> {
        let request = self.api(Operation::DeleteCredential, Method::DELETE, &["credentials", id])?;
        Ok(present(self.send_json::<IgnoredAny>(request).await)?.is_some())
    }
}
