//! The objects of Weirkeeper's kinds in memory, on every replica.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use futures::{FutureExt, StreamExt, future};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ObjectMeta;
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tokio_util::task::AbortOnDropHandle;

use super::absent::empty_while_absent;
use super::decoded::{Decode, Decoded, metadata_only};
use super::indexed_credential::IndexedCredential;
use super::indexed_policy::IndexedPolicy;
use super::indexed_prompt::IndexedPrompt;
use super::indexed_provider::IndexedProvider;
use super::indexed_quota::IndexedQuota;
use super::indexed_template::IndexedTemplate;
use super::merged::merged;
use super::scope::Scope;
use super::undecodable::UndecodableObjects;
use super::watched::Watched;
use super::watches::decodable;
use super::workflow_index::IndexedWorkflow;
use crate::api::credential::N8nCredential;
use crate::api::instance::N8nInstance;
use crate::api::policy::WorkflowPolicy;
use crate::api::prompt::WorkflowPrompt;
use crate::api::provider::ModelProvider;
use crate::api::quota::WorkflowQuota;
use crate::api::template::WorkflowTemplate;
use crate::api::workflow::Workflow;

/// Page size of lists: an object may have one and a half megabytes, and any tenant may fill a page with such objects.
const PAGE: u32 = 50;

/// The objects of all kinds.
pub struct Stores {
    /// Every Workflow, without its definition.
    pub workflows: Watched<IndexedWorkflow>,
    /// Every N8nInstance that fits its kind.
    pub instances: Watched<N8nInstance>,
    /// Every N8nCredential, without its values.
    pub credentials: Watched<IndexedCredential>,
    /// Every WorkflowPolicy.
    pub policies: Watched<IndexedPolicy>,
    /// Every WorkflowPrompt, without its prompt.
    pub prompts: Watched<IndexedPrompt>,
    /// Every ModelProvider.
    pub providers: Watched<IndexedProvider>,
    /// Every WorkflowTemplate, without its workflow.
    pub templates: Watched<IndexedTemplate>,
    /// Every WorkflowQuota.
    pub quotas: Watched<IndexedQuota>,
    /// The WorkflowPolicies that the selector selects, if there is one: the operator keeps their status.
    selected_policies: Option<Watched<PartialObjectMeta<WorkflowPolicy>>>,
    /// N8nInstances that do not fit their kind.
    pub undecodable_instances: UndecodableObjects,
    /// Restriction of the objects above.
    pub scope: Scope,
    /// Metadata of every namespace, or of those that the scope names.
    pub namespaces: Watched<PartialObjectMeta<Namespace>>,
    _watches: Vec<AbortOnDropHandle<()>>,
}

impl Stores {
    /// Starts the watches. The selector of the scope restricts Workflows, their quotas and N8nInstances, not the rules for definitions; the API
    /// server is asked to end each watch after `watch_seconds`.
    pub fn start(client: &Client, scope: Scope, watch_seconds: u32) -> Self {
        let selector = scope.selector.as_deref();
        let all = watcher::Config::default().page_size(PAGE).timeout(watch_seconds);
        let ours = selector.iter().fold(all.clone(), |config, selector| config.labels(selector));
        let undecodable_instances = UndecodableObjects::default();
        let bare = |metadata, _| Some(IndexedWorkflow { metadata, spec: Default::default(), status: Default::default() });
        let (workflows, keep_workflows) = watch(client, &scope, ours.clone(), bare, IndexedWorkflow::slim);
        let (instances, keep_instances) = watch_instances(client, &scope, ours.clone(), undecodable_instances.clone());
        let (credentials, keep_credentials) =
            watch(client, &scope, ours.clone(), |metadata, _| Some(IndexedCredential::without_spec(metadata)), IndexedCredential::slim);
        // Usage is written to a quota, so that two operators must not count for the same one.
        let (prompts, keep_prompts) =
            watch(client, &scope, ours.clone(), |metadata, _| Some(IndexedPrompt::without_references(metadata)), IndexedPrompt::slim);
        let (providers, keep_providers) =
            watch(client, &scope, ours.clone(), |metadata, _| Some(IndexedProvider::without_spec(metadata)), IndexedProvider::slim);
        let (quotas, keep_quotas) =
            watch(client, &scope, ours.clone(), |metadata, _| Some(IndexedQuota::without_limits(metadata)), IndexedQuota::slim);
        let (templates, keep_templates) =
            watch(client, &scope, ours.clone(), |metadata, _| Some(IndexedTemplate::without_spec(metadata)), IndexedTemplate::slim);
        let (policies, keep_policies) =
            watch(client, &scope, all, |metadata, _| Some(IndexedPolicy::without_rules(metadata)), IndexedPolicy::slim);
        let (namespaces, keep_namespaces) = watch_namespaces(client, &scope, watch_seconds);
        let metadata = metadata_only(client.clone());
        let selected = selector.map(|_| watch(&metadata, &scope, ours, |_, _| None, |_| {}));
        let (selected_policies, keep_selected) = selected.unzip();
        let tasks = [
            keep_workflows,
            keep_instances,
            keep_credentials,
            keep_policies,
            keep_prompts,
            keep_providers,
            keep_templates,
            keep_quotas,
            keep_namespaces,
        ];
        let watches = tasks.into_iter().chain(keep_selected).map(|task| AbortOnDropHandle::new(tokio::spawn(task))).collect();
        Self {
            workflows,
            instances,
            credentials,
            policies,
            prompts,
            templates,
            selected_policies,
            providers,
            quotas,
            undecodable_instances,
            scope,
            namespaces,
            _watches: watches,
        }
    }

    /// Returns the paths that are watched on every replica.
    pub fn paths(scope: &Scope) -> Vec<String> {
        let objects = [
            scope.paths::<Workflow>(),
            scope.paths::<N8nInstance>(),
            scope.paths::<N8nCredential>(),
            scope.paths::<WorkflowPolicy>(),
            scope.paths::<WorkflowPrompt>(),
            scope.paths::<ModelProvider>(),
            scope.paths::<WorkflowTemplate>(),
            scope.paths::<WorkflowQuota>(),
            vec![Namespace::url_path(&(), None)],
        ];
        objects.concat()
    }

    /// Reports whether there was a complete list of each kind.
    pub fn is_synced(&self) -> bool {
        let ours = self.workflows.is_synced() && self.instances.is_synced() && self.credentials.is_synced();
        let selected = self.selected_policies.as_ref().is_none_or(Watched::is_synced);
        let rules = self.policies.is_synced() && self.quotas.is_synced() && self.namespaces.is_synced();
        let rest = self.prompts.is_synced() && self.providers.is_synced() && self.templates.is_synced();
        ours && selected && rules && rest
    }

    /// Waits until all lists are complete: without the instances a Workflow would report that its instance does not exist, without the
    /// policies and quotas its rules would be off, and without the Workflows an instance would seem unused.
    pub async fn synced(&self) {
        let models = future::join3(self.providers.synced(), self.templates.synced(), self.credentials.synced());
        let ours = future::join4(self.workflows.synced(), self.instances.synced(), self.prompts.synced(), models);
        future::join4(ours, self.policies.synced(), self.quotas.synced(), self.namespaces.synced()).await;
        if let Some(selected) = &self.selected_policies {
            selected.synced().await;
        }
    }

    /// Returns the policies of a namespace in the order of their names.
    pub fn policies_of(&self, namespace: &str) -> Vec<Arc<IndexedPolicy>> {
        let mut found = self.policies.store().state_filter(|policy| policy.namespace() == namespace);
        found.sort_by(|one, other| one.name().cmp(other.name()));
        found
    }

    /// Returns the quotas of a namespace.
    pub fn quotas_of(&self, namespace: &str) -> Vec<Arc<IndexedQuota>> {
        self.quotas.store().state_filter(|quota| quota.namespace() == namespace)
    }

    /// Calls a function at each change of the policies whose status this operator keeps by its selector.
    pub async fn on_selection(&self, notify: impl Fn()) {
        if let Some(selected) = &self.selected_policies {
            let mut changes = std::pin::pin!(selected.follow());
            while changes.next().await.is_some() {
                notify();
            }
        }
        future::pending().await
    }

    /// Reports whether this operator keeps the status of a policy. With a selector its rules count for the Workflows of every operator,
    /// and the status would change for ever if each of them wrote it.
    pub fn keeps(&self, policy: &IndexedPolicy) -> bool {
        let Some(selected) = &self.selected_policies else { return true };
        selected.store().get(&ObjectRef::new(policy.name()).within(policy.namespace())).is_some()
    }
}

type Task = future::BoxFuture<'static, ()>;

fn watch<K>(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    instead: impl Fn(ObjectMeta, bool) -> Option<K> + Send + Sync + 'static,
    slim: fn(&mut K),
) -> (Watched<K>, Task)
where
    K: Decode + Resource<Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    let namespaces = scope.namespaces.iter().cloned().map(Some).chain(std::iter::repeat(None));
    let watches = scope.apis(client).into_iter().zip(namespaces).map(|(api, namespace)| (api, config.clone(), namespace));
    keep(client, watches, instead, slim)
}

/// Keeps the objects of watches, one for each API with its configuration and the namespace that it is restricted to.
fn keep<K: Decode + Clone + Debug + Send + Sync + 'static>(
    client: &Client,
    watches: impl Iterator<Item = (Api<Decoded<K>>, watcher::Config, Option<String>)>,
    instead: impl Fn(ObjectMeta, bool) -> Option<K> + Send + Sync + 'static,
    slim: fn(&mut K),
) -> (Watched<K>, Task) {
    let (instead, known) = (Arc::new(instead), Arc::new(OnceLock::<Watched<K>>::new()));
    let each = watches.map(|(api, config, namespace)| {
        let instead = instead.clone();
        let events = decodable(watcher::watcher(api, config), move |metadata, deleted| instead(metadata, deleted)).default_backoff();
        match namespace {
            Some(namespace) => empty_while_absent(events, client.clone(), namespace).boxed(),
            None => events.boxed(),
        }
    });
    let last = known.clone();
    let last_known = move |object: &ObjectRef<K>| last.get()?.store().get(object).map(|object| (*object).clone());
    let (watched, keeping) = Watched::of(merged(each.collect(), last_known).modify(slim));
    // It is set once.
    let _ = known.set(watched.clone());
    (watched, keeping.boxed())
}

/// Watches the metadata of namespaces: admission needs their labels, and whether they are being deleted.
fn watch_namespaces(client: &Client, scope: &Scope, watch_seconds: u32) -> (Watched<PartialObjectMeta<Namespace>>, Task) {
    let slim = |namespace: &mut PartialObjectMeta<Namespace>| namespace.metadata.annotations = None;
    let client = metadata_only(client.clone());
    let configs = scope.of_namespaces(&watcher::Config::default().timeout(watch_seconds));
    keep(&client, configs.into_iter().map(|config| (Api::all(client.clone()), config, None)), |_, _| None, slim)
}

fn watch_instances(
    client: &Client,
    scope: &Scope,
    config: watcher::Config,
    undecodable: UndecodableObjects,
) -> (Watched<N8nInstance>, Task) {
    let known = Arc::new(OnceLock::<Watched<N8nInstance>>::new());
    let last = known.clone();
    // The deletion of an object that does not fit is reported as that of the last version that did.
    let last_known = move |metadata: ObjectMeta, deleted: bool| {
        let object = ObjectRef::new(metadata.name.as_deref().unwrap_or_default()).within(metadata.namespace.as_deref().unwrap_or_default());
        undecodable.report(metadata, deleted);
        last.get()?.store().get(&object).filter(|_| deleted).map(|instance| (*instance).clone())
    };
    let (instances, task) =
        watch(client, scope, config, last_known, |instance: &mut N8nInstance| *instance.managed_fields_mut() = Vec::new());
    // It is set once.
    let _ = known.set(instances.clone());
    (instances, task)
}
