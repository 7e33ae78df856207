//! The controllers: they watch Kubernetes and reconcile on each change, at each interval and on request.

mod admissions;
mod connections;
mod context;
mod credential;
mod credential_rates;
mod credential_users;
mod deletion;
mod executions;
mod instance;
mod instance_errors;
mod listings;
mod memory;
mod metrics;
mod model_use;
mod models;
mod policies;
mod prompt;
mod provider;
mod providers;
mod quota;
mod quotas;
mod reservations;
mod runtime;
mod secret_versions;
mod sweeps;
mod template;
mod workflow;

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, PredicateConfig, WatchStreamExt};
use kube::{Api, Client, Resource, ResourceExt};
use prometheus::Registry;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use context::Settings;
pub use runtime::liveness::Liveness;

use crate::api::instance::{CatalogRef, N8nInstance};
use crate::kubernetes::catalogs::Catalogs;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::events::Events;
use crate::kubernetes::hash_key::HashKey;
use crate::kubernetes::indexed_metadata::change_hash;
use crate::kubernetes::indexed_provider::IndexedProvider;
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::objects;
use crate::kubernetes::present::Present;
use crate::kubernetes::scope::Scope;
use crate::kubernetes::secrets::Secrets;
use crate::kubernetes::stores::Stores;
use crate::kubernetes::watched::received;
use crate::kubernetes::workflow_index::IndexedWorkflow;
use crate::llm::ModelMetrics;
use crate::n8n::N8nMetrics;
use admissions::Admissions;
use connections::{Connections, Wire};
use context::Context;
use metrics::Metrics;
use models::ModelQueue;
use providers::{ModelWire, Providers};
use quotas::Quotas;
use runtime::backoffs::Backoffs;
use runtime::reconcile::Runtime;
use runtime::slots::InstanceSlots;
use sweeps::Sweeps;

/// Returns the paths that the controllers watch beside the stores.
pub fn watched_paths(scope: &Scope) -> Vec<String> {
    scope.paths::<ConfigMap>()
}

/// Reason why the controllers could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Kubernetes API does not answer or refuses.
    #[error("{attempt}: {source}")]
    Kubernetes {
        /// Attempted operation.
        attempt: &'static str,
        /// Cause.
        source: Box<kube::Error>,
    },
    /// A counter is registered twice.
    #[error("register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Metrics of the controllers and of their requests to n8n and to language models.
#[derive(Clone)]
pub struct Registered {
    controllers: Metrics,
    n8n: N8nMetrics,
    models: ModelMetrics,
}

/// Registers the metrics; those of namespaces only if that is asked for. They outlive the controllers, which end with the lease.
pub fn register(registry: &Registry, by_namespace: bool) -> Result<Registered, prometheus::Error> {
    Ok(Registered {
        controllers: Metrics::register(registry, by_namespace)?,
        n8n: N8nMetrics::register(registry)?,
        models: ModelMetrics::register(registry)?,
    })
}

/// Runs the controllers over the stores until `shutdown` resolves and the running reconciliations have ended.
pub async fn run(
    client: Client,
    stores: Arc<Stores>,
    settings: Settings,
    metrics: &Registered,
    liveness: Liveness,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    let cluster = cluster_id(&client).await?;
    let (workflows, instances) = (stores.workflows.store().clone(), stores.instances.store().clone());
    let (wake, woken) = unbounded_channel();
    let (wake_instance, woken_instances) = unbounded_channel();
    let (wake_credential, woken_credentials) = unbounded_channel();
    let (wake_quota, woken_quotas) = unbounded_channel();
    let (wake_prompt, woken_prompts) = unbounded_channel();
    let (wake_provider, woken_providers) = unbounded_channel();
    let (wake_template, woken_templates) = unbounded_channel();
    let (want_sweep, wanted_sweeps) = unbounded_channel();
    let Registered { controllers: metrics, n8n, models } = metrics.clone();
    metrics.restart();
    let secrets = Arc::new(Secrets::new(client.clone()));
    let wire = Wire { allow_loopback: settings.allow_loopback, fence: settings.fence.clone(), metrics: n8n };
    let model_wire = ModelWire { allow_loopback: settings.allow_loopback, fence: settings.fence.clone(), metrics: models };
    let ctx = Arc::new(Context {
        events: Events::new(client.clone()),
        cluster,
        slots: InstanceSlots::new(settings.concurrency),
        sweeps: Sweeps::new(want_sweep, settings.full_interval),
        admissions: Admissions::new(client.clone(), settings.selector.clone(), workflows.clone()),
        credential_rates: credential_rates::CredentialRates::default(),
        models: ModelQueue::new(metrics.model_calls.clone(), wake_prompt.clone()),
        quotas: Quotas::new(client.clone(), stores.quotas.store().clone(), settings.selector.clone(), metrics.writes.clone()),
        credential_reservations: reservations::Reservations::default(),
        secret_versions: secret_versions::SecretVersions::default(),
        hash_key: HashKey::new(settings.own_namespace.clone()),
        settings,
        workflows: workflows.clone(),
        instances: instances.clone(),
        stores: stores.clone(),
        connections: Connections::new(client.clone(), instances.clone(), secrets.clone(), wire, metrics.connections.clone()),
        providers: Providers::new(client.clone(), stores.providers.store().clone(), secrets.clone(), model_wire, wake_provider),
        secrets,
        catalogs: Catalogs::new(client.clone()),
        claims: Mutex::default(),
        reservations: reservations::Reservations::default(),
        workflow_states: memory::States::default(),
        credential_states: memory::States::default(),
        memory: Mutex::default(),
        sources_changed: Mutex::default(),
        runtime: Runtime {
            backoffs: Backoffs::default(),
            liveness: liveness.clone(),
            reconciliations: metrics.reconciliations.clone(),
            panics: metrics.panics.clone(),
        },
        metrics,
        wake,
        wake_instance,
        wake_credential,
        wake_quota,
        wake_template,
        wake_prompt,
        client: client.clone(),
    });
    let shutdown = future::FutureExt::shared(shutdown);

    let changed = Arc::new(Notify::new());
    let policies_changed = Arc::new(Notify::new());
    let selected = policies_changed.clone();
    let templates_changed = Arc::new(Notify::new());
    let users_changed = Arc::new(Notify::new());
    let notify = [changed.clone(), policies_changed.clone(), templates_changed.clone(), users_changed.clone()];
    let index = stores.workflows.follow();
    let index = index.inspect(following(ctx.clone())).inspect(move |_| notify.iter().for_each(|one| one.notify_one())).applied_objects();
    let index = index.predicate_filter(change_hash, PredicateConfig::default());
    let found = stores.instances.follow().inspect(departing(ctx.clone())).applied_objects();
    let found = found.predicate_filter(change_hash, PredicateConfig::default());
    let limits = stores.quotas.follow().inspect(limiting(ctx.clone())).applied_objects();
    let limits = limits.predicate_filter(change_hash, PredicateConfig::default());
    let asked = stores.prompts.follow().applied_objects().predicate_filter(change_hash, PredicateConfig::default());
    let offers = stores.providers.follow().inspect(providing(ctx.clone())).applied_objects();
    let offers = offers.predicate_filter(change_hash, PredicateConfig::default());
    let forms = stores.templates.follow().inspect(template::following(ctx.clone())).applied_objects();
    let forms = forms.predicate_filter(change_hash, PredicateConfig::default());
    let secrets = stores.credentials.follow().applied_objects().predicate_filter(change_hash, PredicateConfig::default());
    let unfits = stores.undecodable_instances.follow();

    let instance_controller = control(found, instances, woken_instances, shutdown.clone(), instance::reconcile, ctx.clone());
    let quotas = stores.quotas.store().clone();
    let quota_controller = control(limits, quotas, woken_quotas, shutdown.clone(), quota::reconcile, ctx.clone());
    let prompts = stores.prompts.store().clone();
    let prompt_controller = control(asked, prompts, woken_prompts, shutdown.clone(), prompt::reconcile, ctx.clone());
    let providers = stores.providers.store().clone();
    let provider_controller = control(offers, providers, woken_providers, shutdown.clone(), provider::reconcile, ctx.clone());
    let templates = stores.templates.store().clone();
    let template_controller = control(forms, templates, woken_templates, shutdown.clone(), template::reconcile, ctx.clone());
    let credentials = stores.credentials.store().clone();
    let credential_controller = control(secrets, credentials, woken_credentials, shutdown.clone(), credential::reconcile, ctx.clone());
    let workflow_controller = control(index, workflows.clone(), woken, shutdown.clone(), workflow::reconcile, ctx.clone());
    let made = future::join4(workflow_controller, template_controller, prompt_controller, credential_controller);
    tokio::select! {
        _ = future::join(made, future::join3(instance_controller, quota_controller, provider_controller)) => {}
        () = prompt::follow_changes(ctx.clone()) => {}
        () = instance::keep_counts(ctx.clone(), changed) => {}
        () = quota::keep_counts(ctx.clone()) => {}
        () = workflow::sweep::run(ctx.clone(), wanted_sweeps) => {}
        () = template::keep_counts(ctx.clone(), templates_changed) => {}
        () = credential::keep_counts(ctx.clone(), users_changed) => {}
        () = credential::following(ctx.clone()) => {}
        () = credential_users::follow(ctx.clone()) => {}
        () = credential::follow_secrets(ctx.clone()) => {}
        () = quota::admit_waiting(ctx.clone()) => {}
        () = follow_config_maps(ctx.clone()) => {}
        () = policies::follow(ctx.clone(), policies_changed.clone()) => {}
        () = stores.on_selection(|| selected.notify_one()) => {}
        () = policies::keep_status(ctx.clone(), policies_changed) => {}
        // It ends with the watch, and reconciliations may still be running then.
        () = async { instance::follow_undecodable(ctx.clone(), unfits).await; future::pending().await } => {}
        // kube's own drain also waits for reconciliations that are only scheduled; this waits for the running ones alone.
        () = async { shutdown.await; ctx.slots.close(); liveness.idle().await } => {}
    }
    Ok(())
}

/// Runs the controller of one kind until the shutdown. Objects are reconciled as the stream or `woken` names them.
async fn control<K, F>(
    changes: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    store: Store<K>,
    woken: UnboundedReceiver<ObjectRef<K>>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
    reconcile: impl FnMut(Arc<K>, Arc<Context>) -> F,
    ctx: Arc<Context>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<Action, Infallible>> + Send + 'static,
{
    Controller::for_stream(changes, store)
        .reconcile_on(received(woken))
        .graceful_shutdown_on(shutdown)
        .run(reconcile, no_error, ctx)
        .for_each(|_| future::ready(()))
        .await;
}

/// A reconciliation always returns an action; there is no error to handle.
fn no_error<K>(_: Arc<K>, error: &Infallible, _: Arc<Context>) -> Action {
    match *error {}
}

/// Moves a changed object ahead in the queue, and forgets objects that are gone. Most are forgotten by their last reconciliation; an
/// object whose finalizer was removed by hand, or whose label now selects another operator, gets none.
fn following(ctx: Arc<Context>) -> impl FnMut(&Result<Event<IndexedWorkflow>, watcher::Error>) + Send {
    move |event| match event {
        Ok(Event::Apply(indexed) | Event::InitApply(indexed)) => {
            ctx.promote(indexed, indexed.urgency());
            ctx.admissions.changed(indexed.namespace());
        }
        Ok(Event::Delete(indexed)) => {
            ctx.forget(indexed.uid());
            ctx.admissions.changed(indexed.namespace());
            ctx.wake_where(|caller| caller.namespace() == indexed.namespace() && caller.refers_to(indexed.name()));
            let (namespace, name) = indexed.instance();
            ctx.release_instance(&objects::key(namespace, name));
        }
        // An object that was deleted while the watch was broken is only missing in the new list.
        Ok(Event::InitDone) => {
            ctx.forget_absent();
            ctx.release_instances();
            ctx.admissions.all_changed();
        }
        _ => {}
    }
}

/// Notes each change of a quota: usage is counted again, and Workflows that wait for a place may get one.
fn limiting(ctx: Arc<Context>) -> impl FnMut(&Result<Event<IndexedQuota>, watcher::Error>) + Send {
    move |event| match event {
        Ok(Event::Apply(quota) | Event::InitApply(quota)) => ctx.admissions.changed(quota.namespace()),
        Ok(Event::Delete(quota)) => {
            ctx.admissions.changed(quota.namespace());
            ctx.forget_reconciled(quota.metadata.uid.as_deref().unwrap_or_default());
        }
        Ok(Event::InitDone) => ctx.admissions.all_changed(),
        _ => {}
    }
}

/// Closes the clients of providers that are gone.
fn providing(ctx: Arc<Context>) -> impl FnMut(&Result<Event<IndexedProvider>, watcher::Error>) + Send {
    move |event| match event {
        Ok(Event::Delete(provider)) => {
            ctx.providers.close(provider.namespace(), provider.name());
            ctx.forget_reconciled(provider.metadata.uid.as_deref().unwrap_or_default());
        }
        Ok(Event::InitDone) => ctx.providers.close_absent(),
        _ => {}
    }
}

/// Wakes the Workflows of an instance that is gone, and releases the resources that are held for it.
fn departing(ctx: Arc<Context>) -> impl FnMut(&Result<Event<N8nInstance>, watcher::Error>) + Send {
    let mut present = Present::default();
    move |event| {
        let Ok(event) = event else { return };
        for ObjectRef { namespace, name, extra, .. } in present.gone(event) {
            let namespace = namespace.unwrap_or_default();
            ctx.forget_reconciled(&extra.uid.unwrap_or_default());
            ctx.metrics.key_expires(&namespace, &name, None);
            ctx.wake_workflows(&namespace, &name);
            ctx.release_instance(&objects::key(&namespace, &name));
        }
        if matches!(event, Event::InitDone) {
            ctx.release_instances();
        }
    }
}

/// Returns the identity of this cluster: the UID of `kube-system`.
async fn cluster_id(client: &Client) -> Result<String, StartError> {
    let namespace = Api::<Decoded<Namespace>>::all(client.clone()).get("kube-system").await;
    let namespace =
        namespace.map_err(|source| StartError::Kubernetes { attempt: "read namespace kube-system", source: Box::new(source) })?;
    Ok(namespace.uid().unwrap_or_default())
}

/// Wakes the Workflows whose definition is in a ConfigMap that changed, and the N8nInstances whose catalogue is in it. Only metadata is
/// watched.
async fn follow_config_maps(ctx: Arc<Context>) {
    // Objects that are not in the stores yet cannot be woken.
    ctx.listed().await;
    let client = crate::kubernetes::decoded::metadata_only(ctx.client.clone());
    let all = watcher::Config::default().timeout(ctx.runtime.liveness.watch_seconds());
    let apis = ctx.stores.scope.apis::<Decoded<PartialObjectMeta<ConfigMap>>>(&client).into_iter();
    let watches = apis.map(|api| watcher(api, all.clone()).default_backoff().touched_objects().boxed());
    let changes = stream::select_all(watches).filter_map(|changed| future::ready(changed.ok()));
    changes
        .for_each(|changed| {
            config_map_changed(&ctx, &changed);
            future::ready(())
        })
        .await;
}

fn config_map_changed(ctx: &Context, changed: &Decoded<PartialObjectMeta<ConfigMap>>) {
    let (namespace, name) = (changed.namespace().unwrap_or_default(), changed.name_any());
    let holds = |asked: &CatalogRef| asked.name == name;
    let of_catalog =
        |one: &N8nInstance| one.namespace().as_deref() == Some(namespace.as_str()) && one.spec.catalog_ref.as_ref().is_some_and(holds);
    for instance in ctx.instances.state().iter().filter(|one| of_catalog(one)) {
        ctx.ask_instance(&namespace, &instance.name_any());
    }
    let version = changed.resource_version();
    let users = ctx.workflows.state_filter(|indexed| {
        indexed.namespace() == namespace && indexed.config_map() == Some(name.as_str()) && !indexed.has_read(version.as_deref())
    });
    for indexed in users {
        ctx.source_changed(&indexed);
    }
}
