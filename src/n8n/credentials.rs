//! Credentials: created and replaced, never read back.

use std::fmt;

use reqwest::Method;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::client::N8nClient;
use super::error::{N8nError, present};
use super::operation::Operation;
use crate::domain::remote::RemoteCredential;

/// A credential to create.
#[derive(Clone, PartialEq, Serialize)]
pub struct CredentialWrite {
    /// The name, 3 to 128 characters; not necessarily unique.
    pub name: String,
    /// The credential type, such as `httpHeaderAuth`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The secret values by field.
    pub data: Map<String, Value>,
}

impl fmt::Debug for CredentialWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialWrite").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl N8nClient {
    /// Creates a credential. Not idempotent, like the creation of a workflow.
    ///
    /// # Errors
    /// `Refused` if n8n does not know the type or a field is missing.
    pub async fn create_credential(&self, credential: &CredentialWrite) -> Result<RemoteCredential, N8nError> {
        self.send_json(self.api(Operation::CreateCredential, Method::POST, &["credentials"])?.small().json(credential)?).await
    }

    /// Returns the JSON Schema of the data of a credential type.
    ///
    /// # Errors
    /// `NotFound` if n8n does not know the type.
    pub async fn credential_schema(&self, kind: &str) -> Result<Value, N8nError> {
        self.send_json(self.api(Operation::CredentialSchema, Method::GET, &["credentials", "schema", kind])?.small()).await
    }

    /// Replaces name and all data of a credential; effective from the next execution.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn update_credential(&self, id: &str, credential: &CredentialWrite) -> Result<RemoteCredential, N8nError> {
        let body = json!({ "name": credential.name, "type": credential.kind, "data": credential.data });
        self.send_json(self.api(Operation::UpdateCredential, Method::PATCH, &["credentials", id])?.small().json(&body)?).await
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
