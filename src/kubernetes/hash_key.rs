//! The key of the hashes of confidential values, in a Secret of the operator. Without the key nobody can guess a value by its hash.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::OnceCell;

use super::objects;
use crate::api::MANAGER;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;

/// Name of the Secret.
pub const HASH_KEY_SECRET: &str = "weirkeeper-hash-key";
/// Key in the Secret.
const DATA_KEY: &str = "key";
/// Length of the key in bytes.
const LENGTH: usize = 32;

/// Makes keyed hashes. The key is read when it is needed first; the first operator of a cluster makes it. With another key every hash
/// differs, so that all values are written once more.
#[derive(Debug)]
pub struct HashKey {
    namespace: String,
    key: OnceCell<hmac::Key>,
}

impl HashKey {
    /// Returns the key in the Secret of a namespace.
    pub fn new(namespace: String) -> Self {
        Self { namespace, key: OnceCell::new() }
    }

    /// Returns the hash of a text, in hexadecimal.
    ///
    /// # Errors
    /// If the key can be neither read nor made.
    pub async fn hash(&self, client: &Client, parts: &[&[u8]]) -> Result<String, ReconcileError> {
        let key = self.key.get_or_try_init(|| self.load(client)).await?;
        let mut context = hmac::Context::with_key(key);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        Ok(context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn load(&self, client: &Client) -> Result<hmac::Key, ReconcileError> {
        if let Some(key) = self.read(client).await? {
            return Ok(key);
        }
        let mut bytes = vec![0; LENGTH];
        SystemRandom::new().fill(&mut bytes).map_err(|_| ReconcileError::bug("the system has no random numbers"))?;
        let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())]);
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(HASH_KEY_SECRET.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(DATA_KEY.to_owned(), ByteString(bytes))])),
            immutable: Some(true),
            ..Secret::default()
        };
        match Api::namespaced(client.clone(), &self.namespace).create(&PostParams::default(), &secret).await {
            Ok(_) => {}
            // Another replica was faster.
            Err(error) if objects::is_conflict(&error) => {}
            Err(error) => return Err(self.unstored(client, &error).await),
        }
        // The stored key counts, whoever stored it.
        self.read(client).await?.ok_or_else(|| ReconcileError::transient(Reason::RequestFailed, "the key of the hashes is gone again"))
    }

    /// Classes a failed attempt to store the key.
    async fn unstored(&self, client: &Client, error: &kube::Error) -> ReconcileError {
        let Self { namespace, .. } = self;
        let keeps = format!("in which the operator keeps Secret {HASH_KEY_SECRET} with the key of its hashes");
        let other = "or start the operator with another --lease-namespace";
        // Without its namespace the operator has no Role there either, so that the answer is that this is forbidden.
        if let Ok(None) = objects::get::<Namespace>(client, None, namespace).await {
            let message = format!("namespace {namespace} does not exist, {keeps}: create it with the Roles of the chart, {other}");
            return ReconcileError::waiting(Reason::RequestFailed, message);
        }
        if matches!(error, kube::Error::Api(status) if status.code == 403) {
            let message = format!(
                "Kubernetes forbids it to create Secrets in namespace {namespace}, {keeps}: add the Roles of the chart there, {other}"
            );
            return ReconcileError::denied(Reason::RequestFailed, message);
        }
        objects::reconcile_error_elsewhere("store the key of the hashes", error)
    }

    async fn read(&self, client: &Client) -> Result<Option<hmac::Key>, ReconcileError> {
        let secret = objects::get::<Secret>(client, Some(&self.namespace), HASH_KEY_SECRET).await;
        let secret = secret.map_err(|error| objects::reconcile_error_elsewhere("read the Secret with the key of the hashes", &error))?;
        let Some(secret) = secret else { return Ok(None) };
        let key = secret.data.and_then(|mut data| data.remove(DATA_KEY)).filter(|key| key.0.len() >= LENGTH);
        match key {
            Some(key) => Ok(Some(hmac::Key::new(hmac::HMAC_SHA256, &key.0))),
            None => Err(ReconcileError::denied(
                Reason::RequestFailed,
                format!("Secret {HASH_KEY_SECRET} of the operator has no key of {LENGTH} bytes; delete it, and the operator makes another"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_depends_on_the_key_and_on_the_division_of_its_parts() {
        let client = Client::new(
            tower::service_fn(|_: axum::http::Request<kube::client::Body>| async {
                Err::<axum::http::Response<kube::client::Body>, std::io::Error>(std::io::Error::other("not asked"))
            }),
            "default",
        );
        let with = |byte: u8| HashKey {
            namespace: "n".to_owned(),
            key: OnceCell::new_with(Some(hmac::Key::new(hmac::HMAC_SHA256, &[byte; LENGTH]))),
        };
        let hash = async |key: u8, parts: &[&[u8]]| with(key).hash(&client, parts).await.unwrap();
        let one = hash(1, &[b"ab", b"c"]).await;
        assert_eq!((one.len(), one == hash(1, &[b"ab", b"c"]).await), (64, true));
        assert!(one != hash(2, &[b"ab", b"c"]).await && one != hash(1, &[b"a", b"bc"]).await);
        assert!(!format!("{:?}", with(1)).contains("[1, 1"), "the key does not show itself");
    }
}
