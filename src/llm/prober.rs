//! Checks of a server that cost nothing: the list of models, and a completion that asks for nothing and that no server can answer.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::client::ModelClient;
use super::error::{ErrorKind, ModelError};
use super::refusal::Refusal;
use crate::document::lenient_json::{self, LARGEST, Meter, Only};
use crate::http::{Request, RequestLength, Response, SMALL_ANSWER, asked_pause, below};

/// Maximum time for each of the two requests.
const LIMIT: Duration = Duration::from_secs(15);
/// The parts of a list of models that are read.
const IDS: Only = Only::Keys(&[("data", Only::Keys(&[("id", Only::All)])), ("error", Only::All)]);

/// Models of a server, as it lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// True if the server lists its models.
    pub lists: bool,
    /// Models of the settings that are not in the list. Some servers accept names that they do not list.
    pub missing: Vec<String>,
}

impl ModelClient {
    /// Checks that the server answers and accepts the key.
    ///
    /// # Errors
    /// If it does not, or no server of models answers.
    pub async fn check(&self) -> Result<Listed, ModelError> {
        let listed = self.list().await?;
        // Some servers list their models to everybody, so that only a completion tells whether the key is accepted.
        let answer = self.probe(Method::POST, &["chat", "completions"], Some(b"{}".to_vec())).await?;
        let refusal = Refusal::read(answer.status.as_u16(), &answer.body);
        let error = refusal.error(asked_pause(&answer.headers), self.server.settings.key.as_ref());
        match error.kind {
            _ if answer.status.is_success() => {}
            ErrorKind::Unauthorized | ErrorKind::OutOfQuota | ErrorKind::NotApi => return Err(error),
            ErrorKind::NotFound if listed.is_none() => return Err(error),
            ErrorKind::Unavailable if listed.is_none() => return Err(error),
            _ => {}
        }
        Ok(Listed { lists: listed.is_some(), missing: listed.map(|ids| self.missing(&ids)).unwrap_or_default() })
    }

    /// Returns the names of the server's models; None if it does not list them.
    async fn list(&self) -> Result<Option<Vec<String>>, ModelError> {
        let answer = self.probe(Method::GET, &["models"], None).await?;
        if matches!(answer.status.as_u16(), 404 | 405 | 501) {
            return Ok(None);
        }
        let refused = |refusal: &Refusal| refusal.error(asked_pause(&answer.headers), self.server.settings.key.as_ref());
        if !answer.status.is_success() {
            return Err(refused(&Refusal::read(answer.status.as_u16(), &answer.body)));
        }
        let read = lenient_json::read_only(&mut serde_json::Deserializer::from_slice(&answer.body), IDS, &Meter::new(LARGEST));
        let Ok(value) = read.map(|read| read.value) else {
            let message = "what answers at the base URL is no server of models: its list of models is not JSON; the base URL is the part before /chat/completions";
            return Err(ModelError::new(ErrorKind::NotApi, message));
        };
        if let Some(refusal) = Refusal::in_success(&value) {
            return Err(refused(&refusal));
        }
        let ids = value.get("data").and_then(Value::as_array);
        Ok(ids.map(|ids| ids.iter().filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect()))
    }

    /// Returns the models of the settings that are not in a list. Ollama leaves out or adds the tag of the newest version.
    fn missing(&self, ids: &[String]) -> Vec<String> {
        let settings = &self.server.settings;
        let there = |name: &str| {
            ids.iter().any(|id| id == name || id.strip_suffix(":latest") == Some(name) || name.strip_suffix(":latest") == Some(id))
        };
        let mut missing: Vec<String> = [&settings.simple, &settings.complex].map(|model| model.name.clone()).into();
        missing.dedup();
        missing.retain(|name| !there(name));
        missing
    }

    async fn probe(&self, method: Method, path: &[&str], body: Option<Vec<u8>>) -> Result<Response, ModelError> {
        let settings = &self.server.settings;
        let url = below(&settings.base_url, path).map_err(|reason| ModelError::new(ErrorKind::Unsendable, reason))?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &settings.key {
            headers.insert(AUTHORIZATION, key.bearer());
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let timeout = LIMIT.min(settings.timeout);
        let request = Request { method, url, headers, body, timeout, limit: SMALL_ANSWER };
        let answer = self.server.http.exchange(RequestLength::Long, &request, None, || {}).await;
        answer.map_err(|error| ModelError { may_have_been_paid: false, ..ModelError::of_transport(error, timeout) })
    }
}
