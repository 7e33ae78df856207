//! One client for each ModelProvider, shared by all its users and replaced when its server, its models or its key change.

mod errors;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc::UnboundedSender;
use url::Url;

use crate::api::instance::AllowedFrom;
use crate::api::money::Money;
use crate::api::provider::{Model, ModelProvider, ModelProviderSpec, Models, OutputMode, ProviderType};
use crate::api::reason::Reason;
use crate::domain::access::may_refer;
use crate::domain::error::ReconcileError;
use crate::generation::call::ModelTier;
use crate::generation::cost::Prices;
use crate::http::{ApiKey, LeaderFence};
use crate::kubernetes::indexed_provider::IndexedProvider;
use crate::kubernetes::objects;
use crate::kubernetes::secrets::Secrets;
use crate::llm::{Limits, ModelClient, ModelMetrics, ModelSettings, Settings};
use crate::text::sha256::sha256_hex;

/// Offer of a ModelProvider.
#[derive(Clone, Debug)]
pub enum Provided {
    /// Templates and patterns; no model.
    Builtin,
    /// Language models.
    Model(Arc<ModelConnection>),
}

/// A client of a server of language models, and the provider that it was made for.
#[derive(Debug)]
pub struct ModelConnection {
    /// The provider as it was when it was last used.
    pub provider: Arc<ModelProvider>,
    /// The client.
    pub client: Arc<ModelClient>,
    models: Models,
    /// The settings of the client, without what was found out about the models.
    settings: Settings,
}

impl ModelConnection {
    /// Returns what answers depend on: the server and its models. The key is no part of it.
    pub fn identity(&self) -> String {
        let settings = &self.settings;
        let model = |model: &ModelSettings| format!("{} {:?}", model.name, model.maximum_output_tokens);
        [settings.base_url.as_str(), &model(&settings.simple), &model(&settings.complex)].join("\n")
    }

    /// Returns the prices of a model; zero if the provider has none.
    pub fn prices(&self, tier: ModelTier) -> Prices {
        let model = self.of(tier);
        let price = |price: Option<Money>| price.unwrap_or_default();
        Prices {
            input: price(model.input_price_per_million),
            cached: model.cached_input_price_per_million,
            output: price(model.output_price_per_million),
        }
    }

    /// Returns the name of a model.
    pub fn model(&self, tier: ModelTier) -> &str {
        &self.of(tier).name
    }

    fn of(&self, tier: ModelTier) -> &Model {
        match tier {
            ModelTier::Simple => self.models.simple(),
            ModelTier::Complex => &self.models.complex,
        }
    }
}

/// Connection settings that all clients share.
#[derive(Clone, Debug)]
pub struct ModelWire {
    /// Allows servers on loopback addresses.
    pub allow_loopback: bool,
    /// Permits calls while this process leads.
    pub fence: LeaderFence,
    /// Counters of calls.
    pub metrics: ModelMetrics,
}

/// The clients that are open.
pub struct Providers {
    client: Client,
    store: Store<IndexedProvider>,
    secrets: Arc<Secrets>,
    wire: ModelWire,
    /// Starts a reconciliation of a ModelProvider.
    wake: UnboundedSender<ObjectRef<IndexedProvider>>,
    open: Mutex<HashMap<String, Arc<ModelConnection>>>,
}

impl Providers {
    /// Returns an empty set.
    pub fn new(
        client: Client,
        store: Store<IndexedProvider>,
        secrets: Arc<Secrets>,
        wire: ModelWire,
        wake: UnboundedSender<ObjectRef<IndexedProvider>>,
    ) -> Self {
        Self { client, store, secrets, wire, wake, open: Mutex::default() }
    }

    /// Returns what a provider offers to a WorkflowPrompt in `namespace`.
    pub async fn for_prompt(&self, namespace: &str, provider: (&str, &str)) -> Result<Provided, ReconcileError> {
        let (home, name) = provider;
        let missing = || {
            ReconcileError::waiting(
                Reason::ProviderNotFound,
                format!("ModelProvider {name} does not exist in namespace {home} or does not allow namespace {namespace}"),
            )
        };
        let found = self.store.get(&ObjectRef::new(name).within(home)).ok_or_else(missing)?;
        let unreadable = |why: &str| {
            let message = format!("ModelProvider {name} cannot be read: {why}; its owner can correct it");
            // A provider in another namespace does not disclose more than that.
            if home == namespace { ReconcileError::waiting(Reason::ProviderNotFound, message) } else { missing() }
        };
        let found = found.object().map_err(unreadable)?;
        let allowed = &found.spec.allowed_namespaces;
        let labels = match allowed.from {
            AllowedFrom::Selector if home != namespace => objects::namespace_labels(&self.client, namespace).await?,
            _ => BTreeMap::new(),
        };
        if !may_refer(allowed, home, namespace, &labels) {
            return Err(missing());
        }
        // A provider in another namespace does not disclose the name of its Secret, nor its URL.
        let elsewhere = |error: ReconcileError| match error.reason {
            Reason::KeySecretNotFound if home != namespace => {
                let message = format!("the key of ModelProvider {name} cannot be read: its Secret or the key in it does not exist");
                ReconcileError::waiting(Reason::KeySecretNotFound, message)
            }
            _ => error,
        };
        self.open(Arc::new(found)).await.map_err(elsewhere)
    }

    /// Returns what a provider offers; replaces its client when the spec or the key changed.
    pub async fn open(&self, provider: Arc<ModelProvider>) -> Result<Provided, ReconcileError> {
        let spec = &provider.spec;
        if spec.kind == ProviderType::Builtin {
            return Ok(Provided::Builtin);
        }
        let (namespace, name) = (provider.namespace().unwrap_or_default(), provider.name_any());
        let at = objects::key(&namespace, &name);
        let same_object = |open: &&Arc<ModelConnection>| open.provider.metadata.uid == provider.metadata.uid;
        // An edit may have come with another key, and the key of one server must not be sent to another.
        if self.lock().get(&at).filter(same_object).is_some_and(|open| open.provider.spec != *spec) {
            self.forget_key(&provider);
        }
        let (settings, models) = settings(&provider, self.key(&provider).await?, self.wire.allow_loopback)?;
        // Of two concurrent users, the second gets the client that the first opened: its limits are those of all.
        let mut all = self.lock();
        let before = all.get(&at).filter(same_object).cloned();
        let client = match before.as_ref().filter(|open| open.settings == settings) {
            Some(open) if open.provider == provider => return Ok(Provided::Model(open.clone())),
            // Only prices, permissions or the status changed: keep the client with its limits and its breaker.
            Some(open) => open.client.clone(),
            None => Arc::new(self.connect(&provider, &settings, &known_modes(&provider, before.as_deref()))?),
        };
        let connection = Arc::new(ModelConnection { provider, client, models, settings });
        all.insert(at, connection.clone());
        Ok(Provided::Model(connection))
    }

    /// Creates a client that begins with what is known about the models.
    fn connect(
        &self,
        provider: &ModelProvider,
        settings: &Settings,
        known: &BTreeMap<String, OutputMode>,
    ) -> Result<ModelClient, ReconcileError> {
        let (namespace, name) = (provider.namespace().unwrap_or_default(), provider.name_any());
        let mut informed = settings.clone();
        for model in [&mut informed.simple, &mut informed.complex] {
            model.output = known.get(&model.name).copied();
        }
        let client = ModelClient::new(informed, self.wire.metrics.clone())
            .map_err(|error| ReconcileError::invalid(Reason::InvalidProvider, format!("ModelProvider {name}: {error}")))?;
        let (wake, object) = (self.wake.clone(), ObjectRef::new(&name).within(&namespace));
        Ok(client.fenced_by(self.wire.fence.clone()).on_change(move || {
            // The receiver only goes away with the operator.
            let _ = wake.send(object.clone());
        }))
    }

    /// Returns the key of a provider, if it has one.
    async fn key(&self, provider: &ModelProvider) -> Result<Option<ApiKey>, ReconcileError> {
        let Some(secret) = &provider.spec.api_key_secret_ref else { return Ok(None) };
        let (namespace, name) = (provider.namespace().unwrap_or_default(), provider.name_any());
        let unread = |error| objects::reconcile_error_elsewhere("read the key's Secret", &error);
        let Some(key) = self.secrets.get(&namespace, &secret.name, &secret.key).await.map_err(unread)? else {
            let lack = self.secrets.lack(&namespace, &secret.name, &secret.key).await.map_err(unread)?;
            let message = format!("the key of ModelProvider {name} cannot be read: {lack}");
            return Err(ReconcileError::waiting(Reason::KeySecretNotFound, message));
        };
        let invalid = |error| ReconcileError::invalid(Reason::InvalidProvider, format!("ModelProvider {name}: {error}"));
        ApiKey::parse(&key).map(Some).map_err(invalid)
    }

    /// Drops the cached key, so that it is read again when it is needed next.
    pub fn forget_key(&self, provider: &ModelProvider) {
        if let Some(secret) = &provider.spec.api_key_secret_ref {
            self.secrets.forget(&provider.namespace().unwrap_or_default(), &secret.name, &secret.key);
        }
    }

    /// Closes the client of a provider: one that is gone, or of which everything that was found out shall be forgotten.
    pub fn close(&self, namespace: &str, name: &str) {
        self.lock().remove(&objects::key(namespace, name));
    }

    /// Closes the clients of providers that are gone.
    pub fn close_absent(&self) {
        let present = |at: &String| {
            let (namespace, name) = at.split_once('/').unwrap_or_default();
            self.store.get(&ObjectRef::new(name).within(namespace)).is_some()
        };
        self.lock().retain(|at, _| present(at));
    }

    /// Removes the keys of open clients from a message.
    pub fn hide_keys(&self, text: &mut String) {
        self.lock().values().filter_map(|open| open.settings.key.as_ref()).for_each(|key| key.hide(text));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<ModelConnection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a digest of what the ways of asking depend on, beside the model.
pub fn server_digest(spec: &ModelProviderSpec) -> String {
    sha256_hex(format!("{}\n{}", spec.base_url.as_deref().unwrap_or_default(), spec.output.top().as_str()))[..16].to_owned()
}

/// Returns the ways of asking that models obeyed: those of the client so far, else those in the status, if they are about this server.
fn known_modes(provider: &ModelProvider, before: Option<&ModelConnection>) -> BTreeMap<String, OutputMode> {
    let digest = server_digest(&provider.spec);
    if let Some(before) = before {
        return if server_digest(&before.provider.spec) == digest { before.client.output_modes() } else { BTreeMap::new() };
    }
    let status = provider.status.as_ref().filter(|status| status.observed_server.as_ref() == Some(&digest));
    status.into_iter().flat_map(|status| &status.models).map(|model| (model.name.clone(), model.output)).collect()
}

/// Returns the settings of the client of a provider, and its models.
fn settings(provider: &ModelProvider, key: Option<ApiKey>, allow_loopback: bool) -> Result<(Settings, Models), ReconcileError> {
    let (spec, name) = (&provider.spec, provider.name_any());
    let invalid = |what: String| ReconcileError::invalid(Reason::InvalidProvider, format!("ModelProvider {name}: {what}"));
    let url = spec.base_url.as_deref().ok_or_else(|| invalid("spec.baseURL is missing".to_owned()))?;
    let models = spec.models.clone().ok_or_else(|| invalid("spec.models is missing".to_owned()))?;
    let base_url = Url::parse(url).map_err(|error| invalid(format!("spec.baseURL is not a URL: {error}")))?;
    let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let positive = |value: Option<i64>| number(value).and_then(NonZeroU32::new);
    let model = |model: &Model| ModelSettings {
        name: model.name.clone(),
        context_tokens: number(model.context_tokens),
        maximum_output_tokens: number(model.maximum_output_tokens),
        output: None,
    };
    let limits = spec.limits.clone().unwrap_or_default();
    let settings = Settings {
        base_url,
        key,
        ca_bundle: spec.ca_bundle.as_ref().map(|pem| pem.clone().into_bytes()),
        trust_named_in: "spec.caBundle",
        simple: model(models.simple()),
        complex: model(&models.complex),
        limits: Limits {
            requests_per_minute: positive(limits.requests_per_minute),
            tokens_per_minute: positive(limits.tokens_per_minute),
            concurrency: positive(limits.concurrency).unwrap_or(Limits::default().concurrency),
        },
        timeout: spec.request_timeout.get(),
        output: spec.output.top(),
        allow_loopback,
    };
    Ok((settings, models))
}
