//! Secrets are read by name with `get`, never listed or watched, and again about once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use crate::domain::backoff::jittered;
use crate::kubernetes::objects;

const FRESH_FOR: Duration = Duration::from_secs(60);

/// Cache of values, shared between all users.
pub struct Secrets {
    client: Client,
    read: Mutex<HashMap<(String, String, String), Entry>>,
}

struct Entry {
    value: Option<String>,
    /// The resource version of the Secret.
    version: Option<String>,
    until: Instant,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secrets(redacted)")
    }
}

impl Secrets {
    /// Returns an empty cache over a cluster.
    pub fn new(client: Client) -> Self {
        Self { client, read: Mutex::default() }
    }

    /// Returns the value of a key; None if there is no such Secret, key or text.
    pub async fn get(&self, namespace: &str, name: &str, key: &str) -> Result<Option<String>, kube::Error> {
        self.read(namespace, name, key).await.map(|(value, _)| value)
    }

    /// Returns the resource version of the Secret that the value of a key was read from. It tells that a Secret was edited, and nothing
    /// about its content.
    pub async fn version(&self, namespace: &str, name: &str, key: &str) -> Result<Option<String>, kube::Error> {
        self.read(namespace, name, key).await.map(|(_, version)| version)
    }

    async fn read(&self, namespace: &str, name: &str, key: &str) -> Result<(Option<String>, Option<String>), kube::Error> {
        let at = (namespace.to_owned(), name.to_owned(), key.to_owned());
        if let Some(entry) = self.lock().get(&at).filter(|entry| Instant::now() < entry.until) {
            return Ok((entry.value.clone(), entry.version.clone()));
        }
        let secret = objects::get::<Secret>(&self.client, Some(namespace), name).await?;
        let version = secret.as_ref().and_then(|secret| secret.metadata.resource_version.clone());
        let value = secret
            .and_then(|secret| secret.data?.remove(key))
            .and_then(|bytes| String::from_utf8(bytes.0).ok())
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        // A missing Secret is looked up again at once, so that creating it helps at once.
        if value.is_some() {
            let now = Instant::now();
            let mut read = self.lock();
            // Values that were not requested since they expired are dropped.
            read.retain(|_, entry| now < entry.until);
            read.insert(at, Entry { value: value.clone(), version: version.clone(), until: now + jittered(FRESH_FOR, name, 0) });
        }
        Ok((value, version))
    }

    /// Returns why there is no value: which of Secret, key and text is missing. The value itself is in no message.
    pub async fn lack(&self, namespace: &str, name: &str, key: &str) -> Result<String, kube::Error> {
        let secret = objects::get::<Secret>(&self.client, Some(namespace), name).await?;
        Ok(match secret.map(|secret| secret.data.unwrap_or_default().contains_key(key)) {
            None => format!("Secret {name} does not exist"),
            Some(false) => format!("Secret {name} has no key {key}"),
            Some(true) => format!("key {key} of Secret {name} holds no text"),
        })
    }

    /// Drops a value that did not work, so that a renewed one is read at the next attempt.
    pub fn forget(&self, namespace: &str, name: &str, key: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned(), key.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, String), Entry>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
