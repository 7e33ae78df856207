//! One client for each N8nInstance, shared by all its Workflows and replaced when its spec or its key changes.

pub mod errors;
pub mod trust;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use prometheus::IntGauge;
use url::Url;

use super::executions::ExecutionLists;
use super::listings::Listings;
use super::runtime::shared_read::SharedRead;
use crate::api::annotation;
use crate::api::instance::{AllowedFrom, N8nInstance};
use crate::api::reason::Reason;
use crate::domain::access::may_refer;
use crate::domain::credential::schema::CredentialSchema;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteCredential;
use crate::domain::status_bounds;
use crate::http::{ApiKey, LeaderFence};
use crate::kubernetes::objects;
use crate::kubernetes::secrets::Secrets;
use crate::n8n::{ClientSettings, List, N8nClient, N8nError, N8nMetrics};

/// Maximum age of a list of credentials that contains every credential that is looked up.
pub const CREDENTIALS_FRESH_FOR: Duration = Duration::from_secs(60);

/// Returns the maximum age of such a list for an object with this interval, a fifth of it: a change in n8n is to be seen within the interval.
pub fn credentials_fresh_for(interval: Duration) -> Duration {
    CREDENTIALS_FRESH_FOR.min(interval / 5)
}

/// Time for which n8n's schema of a credential type is kept. The types change with n8n and its community packages.
const SCHEMA_FRESH_FOR: Duration = Duration::from_secs(600);

/// Schemas of credential types by name, and when they were read.
type KnownSchemas = HashMap<String, (Instant, Arc<CredentialSchema>)>;

/// A usable connection to one n8n.
#[derive(Debug)]
pub struct Connection {
    /// The instance as it was when the connection was made.
    pub instance: Arc<N8nInstance>,
    /// The client.
    pub client: N8nClient,
    /// Listings of the instance.
    pub listings: Arc<Listings>,
    /// Lists of its executions.
    pub executions: Arc<ExecutionLists>,
    /// Set when another n8n seems to answer; nothing is written until it is cleared.
    pub suspect: Arc<AtomicBool>,
    api_key: ApiKey,
    credentials: Arc<SharedRead<List<RemoteCredential>, N8nError>>,
    schemas: Arc<Mutex<KnownSchemas>>,
}

/// The connections that are open.
pub struct Connections {
    client: Client,
    instances: Store<N8nInstance>,
    secrets: Arc<Secrets>,
    wire: Wire,
    count: IntGauge,
    open: Mutex<HashMap<String, Arc<Connection>>>,
}

/// Connection settings that all clients share.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Allows n8n on loopback addresses.
    pub allow_loopback: bool,
    /// Permits requests that write, while this process leads.
    pub fence: LeaderFence,
    /// Counters of requests.
    pub metrics: N8nMetrics,
}

impl Connections {
    /// Returns an empty set; `count` follows the number of open connections.
    pub fn new(client: Client, instances: Store<N8nInstance>, secrets: Arc<Secrets>, wire: Wire, count: IntGauge) -> Self {
        Self { client, instances, secrets, wire, count, open: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection that was opened last, even if its Secret is gone: deletion needs it.
    pub fn last(&self, key: &str) -> Option<Arc<Connection>> {
        self.lock().get(key).cloned()
    }

    /// Reports whether a text contains the API key of an open connection.
    pub fn any_key_in(&self, text: &str) -> bool {
        self.lock().values().any(|open| open.api_key.stands_in(text))
    }

    /// Removes the API keys of open connections from messages: a name in n8n or a response may contain one.
    pub fn hide_keys(&self, text: &mut String) {
        self.lock().values().for_each(|connection| connection.api_key.hide(text));
    }

    /// Closes the connection of an instance that is gone together with all that was bound through it.
    pub fn close(&self, key: &str) -> Option<Arc<Connection>> {
        let mut open = self.lock();
        let closed = open.remove(key);
        self.count.set(i64::try_from(open.len()).unwrap_or(i64::MAX));
        closed
    }

    /// Returns the keys of the instances that have a connection.
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Drops the cached API key, so that it is read again when it is needed next.
    pub fn forget_key(&self, instance: &N8nInstance) {
        let secret = &instance.spec.api_key_secret_ref;
        self.secrets.forget(instance.metadata.namespace.as_deref().unwrap_or_default(), &secret.name, &secret.key);
    }

    /// Returns the connection of an instance for a Workflow in `namespace`.
    pub async fn for_workflow(&self, namespace: &str, instance: (&str, &str)) -> Result<Arc<Connection>, ReconcileError> {
        let missing = || {
            ReconcileError::waiting(
                Reason::InstanceNotFound,
                format!("N8nInstance {} does not exist in namespace {} or does not allow namespace {namespace}", instance.1, instance.0),
            )
        };
        let found = self.instances.get(&ObjectRef::new(instance.1).within(instance.0)).ok_or_else(missing)?;
        let labels = if instance.0 != namespace && found.spec.allowed_namespaces.from == AllowedFrom::Selector {
            objects::namespace_labels(&self.client, namespace).await?
        } else {
            Default::default()
        };
        if !may_refer(&found.spec.allowed_namespaces, instance.0, namespace, &labels) {
            return Err(missing());
        }
        // An instance in another namespace does not disclose the name of its Secret.
        let elsewhere = |error: ReconcileError| match error.reason {
            Reason::KeySecretNotFound if instance.0 != namespace => {
                let message =
                    format!("the API key of N8nInstance {} cannot be read: its Secret or the key in it does not exist", instance.1);
                ReconcileError::waiting(Reason::KeySecretNotFound, message)
            }
            _ => error,
        };
        self.open(found).await.map_err(elsewhere)
    }

    /// Returns the connection of an instance; replaces it when the instance's spec or key changed.
    pub async fn open(&self, instance: Arc<N8nInstance>) -> Result<Arc<Connection>, ReconcileError> {
        let namespace = instance.namespace().unwrap_or_default();
        let at = objects::key(&namespace, &instance.name_any());
        // An edit may have come with another key, and the key of one n8n must not be sent to another.
        let same_object = |open: &Arc<Connection>| open.instance.metadata.uid == instance.metadata.uid;
        if self.last(&at).is_some_and(|open| same_object(&open) && open.instance.spec != instance.spec) {
            self.forget_key(&instance);
        }
        let secret = &instance.spec.api_key_secret_ref;
        let unread = |error| objects::reconcile_error_elsewhere("read the API key's Secret", &error);
        let secret_value = self.secrets.get(&namespace, &secret.name, &secret.key).await.map_err(unread)?;
        let Some(api_key) = secret_value else {
            let lack = self.secrets.lack(&namespace, &secret.name, &secret.key).await.map_err(unread)?;
            let message = format!("the API key of N8nInstance {} cannot be read: {lack}", instance.name_any());
            return Err(ReconcileError::waiting(Reason::KeySecretNotFound, message));
        };
        let api_key = ApiKey::parse(&api_key)
            .map_err(|error| ReconcileError::invalid(Reason::InvalidInstance, format!("N8nInstance {}: {error}", instance.name_any())))?;
        // Of two concurrent reconciliations, the second uses the connection that the first opened: its listings know what was created.
        let mut connections = self.lock();
        let before = connections.get(&at).filter(|open| same_object(open)).cloned();
        if let Some(open) = before.as_ref().filter(|open| open.api_key == api_key && open.instance.spec == instance.spec) {
            if Arc::ptr_eq(&open.instance, &instance) {
                return Ok(open.clone());
            }
            // Only the status or metadata changed: keep the client with its rate limit and its queue.
            let moved = Arc::new(Connection {
                client: open.client.clone(),
                listings: open.listings.clone(),
                executions: open.executions.clone(),
                suspect: open.suspect.clone(),
                api_key,
                credentials: open.credentials.clone(),
                schemas: open.schemas.clone(),
                instance,
            });
            connections.insert(at, moved.clone());
            return Ok(moved);
        }
        let client = N8nClient::new(settings(&instance, api_key.clone(), self.wire.allow_loopback)?, self.wire.metrics.clone())
            .map(|client| client.fenced_by(self.wire.fence.clone()))
            .map_err(|error| ReconcileError::invalid(Reason::InvalidInstance, format!("N8nInstance {}: {error}", instance.name_any())))?;
        // Another key or another timeout does not mean another n8n; another origin does.
        let before = before.filter(|open| trust::origin(&open.instance.spec.url) == trust::origin(&instance.spec.url));
        if before.as_ref().is_some_and(|open| open.client.publishes_later()) {
            client.note_publishes_later();
        }
        let connection = Arc::new(Connection {
            client,
            listings: Arc::default(),
            executions: Arc::default(),
            suspect: before.map(|open| open.suspect.clone()).unwrap_or_default(),
            api_key,
            credentials: Arc::default(),
            schemas: Arc::default(),
            instance,
        });
        connections.insert(at, connection.clone());
        self.count.set(i64::try_from(connections.len()).unwrap_or(i64::MAX));
        Ok(connection)
    }
}

impl Connection {
    /// Returns the instance as namespace/name.
    pub fn key(&self) -> String {
        objects::key(&self.namespace(), &self.instance.name_any())
    }

    /// Returns the instance's namespace.
    pub fn namespace(&self) -> String {
        self.instance.namespace().unwrap_or_default()
    }

    /// Returns the cluster from which, by the owner's annotation, the instance's Workflows were restored.
    pub fn restored_from(&self) -> Option<&str> {
        let value = self.instance.annotations().get(annotation::RESTORED_FROM)?;
        Some(status_bounds::annotation(value).trim()).filter(|value| !value.is_empty())
    }

    /// Returns the credentials of the instance as they were at most so long ago; they are read again for an age of zero.
    pub async fn credentials(&self, max_age: Duration) -> Result<Arc<List<RemoteCredential>>, N8nError> {
        match self.credentials.recent(max_age) {
            Some(list) => Ok(list),
            None => self.credentials.read(self.client.list_credentials()).await,
        }
    }

    /// Returns n8n's schema of a credential type; None if n8n does not know the type.
    pub async fn credential_schema(&self, kind: &str) -> Result<Option<Arc<CredentialSchema>>, ReconcileError> {
        let known = || self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, schema)) = known().get(kind).filter(|(at, _)| at.elapsed() < SCHEMA_FRESH_FOR) {
            return Ok(Some(schema.clone()));
        }
        let Some(schema) = self.client.find_credential_schema(kind).await? else { return Ok(None) };
        let unread = || ReconcileError::transient(Reason::RequestFailed, format!("n8n's schema of credential type {kind} cannot be read"));
        let schema = Arc::new(CredentialSchema::parse(&schema).ok_or_else(unread)?);
        let mut known = known();
        known.retain(|_, (at, _)| at.elapsed() < SCHEMA_FRESH_FOR);
        known.insert(kind.to_owned(), (Instant::now(), schema.clone()));
        Ok(Some(schema))
    }

    /// Reports whether this version of n8n tells, without running anything, that a route has no version behind it.
    pub fn looks_behind_routes(&self) -> bool {
        let version = self.instance.status.as_ref().and_then(|status| status.n8n_version.as_deref());
        let numbers: Vec<u64> = version.unwrap_or_default().split('.').map_while(|part| part.parse().ok()).collect();
        numbers.as_slice() >= [2, 39, 10].as_slice()
    }

    /// Refuses to write while another n8n may be answering at the URL.
    pub fn trusted(&self) -> Result<(), ReconcileError> {
        trust::check(&self.instance, self.suspect.load(Ordering::SeqCst))
    }
}

fn settings(instance: &N8nInstance, api_key: ApiKey, allow_loopback: bool) -> Result<ClientSettings, ReconcileError> {
    let spec = &instance.spec;
    let name = instance.name_any();
    let invalid = |what: String| ReconcileError::invalid(Reason::InvalidInstance, format!("N8nInstance {name}: {what}"));
    let url = |field: &str, text: &str| Url::parse(text).map_err(|error| invalid(format!("spec.{field} is not a URL: {error}")));
    let number = |value: i64| u32::try_from(value).ok().and_then(NonZeroU32::new);
    Ok(ClientSettings {
        url: url("url", &spec.url)?,
        api_key,
        ca_bundle: spec.ca_bundle.as_ref().map(|pem| pem.clone().into_bytes()),
        trust_named_in: "spec.caBundle",
        request_timeout: spec.request_timeout.get(),
        requests_per_second: spec.requests_per_second.and_then(number),
        max_concurrent_requests: number(spec.max_concurrent_requests).unwrap_or(NonZeroU32::MIN),
        webhook_check_url: spec.webhook_check_url.as_deref().map(|text| url("webhookCheckURL", text)).transpose()?,
        allow_loopback,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::n8n::scripted::{self, Reply, Scripted, at_once, json as answer};

    fn connection(settings: ClientSettings) -> Connection {
        let instance = serde_json::from_value(json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main" },
            "spec": { "url": settings.url.as_str(), "apiKeySecretRef": { "name": "main" } },
        }));
        Connection {
            instance: Arc::new(instance.unwrap()),
            api_key: settings.api_key.clone(),
            client: scripted::client(settings),
            listings: Arc::default(),
            executions: Arc::default(),
            suspect: Arc::default(),
            credentials: Arc::default(),
            schemas: Arc::default(),
        }
    }

    #[test]
    fn a_connection_does_not_show_its_key() {
        let key = format!("key-of-{}", std::process::id());
        let shown = format!(
            "{:?}",
            connection(ClientSettings { api_key: ApiKey::parse(&key).unwrap(), ..scripted::settings("http://n8n.example") })
        );
        assert!(shown.contains("n8n.example") && !shown.contains(&key), "{shown}");
    }

    #[tokio::test]
    async fn credentials_that_are_known_are_returned_while_they_are_read_again() {
        let mut asked = 0;
        let n8n = Scripted::start(move |_| {
            asked += 1;
            if asked == 1 { answer(200, json!({ "data": [], "nextCursor": null })) } else { Reply::Hang }
        })
        .await;
        let connection = Arc::new(connection(n8n.settings()));
        let first = connection.credentials(CREDENTIALS_FRESH_FOR).await.unwrap();
        let other = connection.clone();
        let running = tokio::spawn(async move { other.credentials(Duration::ZERO).await });
        n8n.until_asked(2).await;
        assert!(Arc::ptr_eq(&first, &at_once(connection.credentials(CREDENTIALS_FRESH_FOR)).await.unwrap()));
        running.abort();
    }

    #[test]
    fn a_list_of_credentials_is_at_most_a_minute_and_a_fifth_of_the_interval_old() {
        let of = |seconds| credentials_fresh_for(Duration::from_secs(seconds)).as_secs();
        assert_eq!([of(10), of(20), of(300), of(3600)], [2, 4, 60, 60]);
    }

    #[tokio::test]
    async fn a_known_schema_is_returned_while_another_one_is_read() {
        let n8n = Scripted::start(|request| match request.target.ends_with("/known") {
            true => answer(200, json!({ "type": "object", "properties": {} })),
            false => Reply::Hang,
        })
        .await;
        let connection = Arc::new(connection(n8n.settings()));
        let first = connection.credential_schema("known").await.unwrap().unwrap();
        let other = connection.clone();
        let running = tokio::spawn(async move { other.credential_schema("slow").await.map(drop) });
        n8n.until_asked(2).await;
        assert!(Arc::ptr_eq(&first, &at_once(connection.credential_schema("known")).await.unwrap().unwrap()));
        running.abort();
    }
}
