//! Tags.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::N8nClient;
use super::error::N8nError;
use super::operation::Operation;
use crate::domain::remote::Tag;

impl N8nClient {
    /// Creates a tag, or finds the tag with that name. Names are case-sensitive and have at most 24 characters.
    ///
    /// # Errors
    /// n8n answers every failure with 409 "Tag already exists"; if no such tag is found, that error is returned.
    pub async fn create_tag(&self, name: &str) -> Result<Tag, N8nError> {
        let request = self.api(Operation::CreateTag, Method::POST, &["tags"])?.small().json(&json!({ "name": name }))?;
        match self.send_json(request).await {
            Err(error @ N8nError::Refused { status: 409, .. }) => {
                self.list_tags().await?.into_iter().find(|tag| tag.name == name).ok_or(error)
            }
            answer => answer,
        }
    }

    /// Replaces the tags of a workflow by those with these ids.
    ///
    /// # Errors
    /// `NotFound` if the workflow or one of the tags does not exist.
    pub async fn set_tags(&self, id: &str, tag_ids: &[String]) -> Result<Vec<Tag>, N8nError> {
        let body: Vec<Value> = tag_ids.iter().map(|tag| json!({ "id": tag })).collect();
        self.send_json(self.api(Operation::SetTags, Method::PUT, &["workflows", id, "tags"])?.small().json(&body)?).await
    }
}
