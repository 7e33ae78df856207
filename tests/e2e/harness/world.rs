//! The environment of one test: its namespace, its operator process and its N8nInstance. Operators of other tests ignore its objects,
//! because each uses its own label.

mod operator;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::watch_object;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::n8n::N8n;
use crate::harness::stack::{Stack, Timer, rand};
use crate::standin::{Options, StandIn};

pub use operator::Operator;

/// Timeout for a condition on a slow, shared machine. Nothing takes this long when it works.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// The label by which operators divide objects.
const SHARD: &str = "weirkeeper.dev/test";

/// The environment of one test.
pub struct World {
    pub stack: Stack,
    pub namespace: String,
    /// Client with the permissions of an admin.
    pub admin: Client,
    pub n8n: N8n,
    pub operator: Operator,
    shard: String,
    _timer: Timer,
}

pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns a client for one of the stack's users.
pub async fn client(stack: &Stack, user: &str) -> Client {
    install_crypto();
    let kubeconfig = Kubeconfig::read_from(stack.kubeconfig(user)).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a usable kubeconfig");
    Client::try_from(config).expect("a client")
}

impl World {
    /// Creates a namespace, an operator, and an N8nInstance `main` with the stack's real n8n.
    pub async fn on_real_n8n(name: &str) -> Self {
        let stack = Stack::shared();
        Self::at(&stack.n8n_url(), &stack.n8n_key(), name, json!({})).await
    }

    /// Creates a stand-in for n8n, a namespace, an operator, and an N8nInstance `main` with the stand-in; `more` is merged over the
    /// instance's spec.
    pub async fn on_stand_in(name: &str, more: Value) -> (StandIn, Self) {
        let standin = StandIn::start(Options::default());
        let world = Self::at(&standin.url(), standin.api_key(), name, more).await;
        (standin, world)
    }

    /// The same with an existing n8n.
    pub async fn at(url: &str, key: &str, name: &str, more: Value) -> Self {
        let world = Self::bare(Stack::shared(), name, url, key).await;
        world.instance("main", url, key, more).await;
        world
    }

    /// Creates a namespace and an operator; `url` and `key` are for the test's own access to n8n.
    pub async fn bare(stack: Stack, name: &str, url: &str, key: &str) -> Self {
        let admin = client(&stack, "admin").await;
        install(&stack, &admin).await;
        let shard = format!("{name}-{:x}", rand());
        let namespace = shard.clone();
        let world = Self {
            operator: Operator::new(&stack, &shard),
            n8n: N8n::new(url, key),
            stack,
            namespace,
            admin,
            shard,
            _timer: Timer::start(),
        };
        world.namespace(&world.namespace).await;
        world
    }

    /// Starts a second operator for the same objects.
    pub fn another_operator(&self, name: &str, flags: &[&str]) -> Operator {
        let mut operator = Operator::stopped(&self.stack, &self.shard, &format!("{}-{name}", self.shard));
        operator.restart_with(flags);
        operator
    }

    /// Creates a namespace.
    pub async fn namespace(&self, name: &str) {
        self.apply_as_is(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": { "team": name } } }))
            .await;
    }

    /// Applies an N8nInstance with its Secret, in this world's namespace.
    pub async fn instance(&self, name: &str, url: &str, key: &str, more: Value) {
        self.secret(&format!("{name}-key"), key).await;
        let mut spec =
            json!({ "url": url, "apiKeySecretRef": { "name": format!("{name}-key") }, "requestTimeout": "20s", "interval": "20s" });
        if self.n8n.webhooks != self.n8n.url {
            spec["webhookCheckURL"] = json!(self.n8n.webhooks);
            spec["webhookBaseURL"] = json!(self.n8n.webhooks);
        }
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": name }, "spec": spec }))
            .await;
    }

    /// Applies a Secret with the key `apiKey`.
    pub async fn secret(&self, name: &str, value: &str) {
        self.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { "apiKey": value } })).await;
    }

    /// Applies a Workflow of instance `main` with `interval: 5s`; `spec` is merged over that.
    pub async fn workflow(&self, name: &str, spec: Value) {
        self.try_workflow(name, spec).await.expect("the API server takes the Workflow");
    }

    pub async fn try_workflow(&self, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        let mut whole = json!({ "instanceRef": { "name": "main" }, "interval": "5s" });
        whole.as_object_mut().expect("an object").extend(spec.as_object().cloned().unwrap_or_default());
        self.try_apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name }, "spec": whole }))
            .await
    }

    /// Applies a WorkflowQuota with these limits.
    pub async fn quota(&self, name: &str, hard: Value) {
        let spec = json!({ "hard": hard });
        self.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowQuota", "metadata": { "name": name }, "spec": spec }))
            .await;
    }

    /// Applies an object with the namespace (unless it has one) and the label of this world.
    pub async fn apply(&self, object: Value) -> DynamicObject {
        self.try_apply(object).await.expect("the API server takes the object")
    }

    pub async fn try_apply(&self, mut object: Value) -> Result<DynamicObject, kube::Error> {
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!(self.namespace);
        }
        object["metadata"]["labels"][SHARD] = json!(self.shard);
        self.try_apply_as_is(object).await
    }

    async fn apply_as_is(&self, object: Value) -> DynamicObject {
        self.try_apply_as_is(object).await.expect("the API server takes the object")
    }

    async fn try_apply_as_is(&self, object: Value) -> Result<DynamicObject, kube::Error> {
        apply(&self.admin, object).await
    }

    /// Returns the labels of objects that this world's operator manages.
    pub fn labels(&self) -> Value {
        json!({ SHARD: self.shard })
    }

    /// Returns an API of one kind in this world's namespace.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        self.api_in(&self.namespace, kind)
    }

    pub fn api_in(&self, namespace: &str, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.admin.clone(), namespace, &resource(kind))
    }

    /// Returns the current Workflow; null if it does not exist.
    pub async fn get(&self, name: &str) -> Value {
        self.get_kind("Workflow", name).await
    }

    pub async fn get_kind(&self, kind: &str, name: &str) -> Value {
        let object = self.api(kind).get_opt(name).await.expect("the API server answers");
        object.map_or(Value::Null, |object| serde_json::to_value(object).expect("an object is JSON"))
    }

    /// Returns a ControllerRevision of this world's namespace, if it exists.
    pub async fn stored(&self, name: &str) -> Option<Value> {
        let found = self.api("ControllerRevision").get_opt(name).await.expect("the API server answers");
        found.map(|object| serde_json::to_value(object).expect("an object is JSON"))
    }

    /// Waits until a Workflow satisfies a predicate.
    pub async fn until(&self, name: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until_kind("Workflow", name, wanted, holds).await
    }

    /// Waits until a Workflow of another namespace satisfies a predicate.
    pub async fn until_in(&self, namespace: &str, name: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until_there(namespace, "Workflow", name, wanted, holds).await
    }

    pub async fn until_kind(&self, kind: &str, name: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until_there(&self.namespace, kind, name, wanted, holds).await
    }

    /// Watches for changes: polling was most of the API server's work, and missed states that last a moment only.
    pub async fn until_there(&self, namespace: &str, kind: &str, name: &str, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        let mut changes = Box::pin(watch_object(self.api_in(namespace, kind), name));
        let mut seen = None;
        loop {
            match tokio::time::timeout(Duration::from_millis(50), changes.next()).await {
                Ok(Some(Ok(object))) => {
                    seen = Some(object.map_or(Value::Null, |object| serde_json::to_value(object).expect("an object is JSON")));
                }
                // An API server that restarts; the watch begins again.
                Ok(Some(Err(_))) => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(None) => panic!("{kind} {name}: the watch has ended"),
                // The predicate may depend on other state, which may have changed by now.
                Err(_) => {}
            }
            if let Some(object) = seen.take_if(|object| holds(object)) {
                return object;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{kind} {name}: timed out waiting until {wanted}; it is now {:#}\n--- operator\n{}",
                seen.map_or(Value::Null, |object| object["status"].clone()),
                self.operator.tail()
            );
        }
    }

    /// Waits until a Workflow is Ready at its current generation.
    pub async fn until_ready(&self, name: &str) -> Value {
        self.until(name, "Ready", ready).await
    }

    /// Waits until a condition has a reason, at the current generation.
    pub async fn until_reason(&self, name: &str, kind: &str, reason: &str) -> Value {
        self.until(name, &format!("{kind} is {reason}"), |object| current(object) && condition(object, kind)["reason"] == reason).await
    }

    /// Deletes a Workflow and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        self.api("Workflow").delete(name, &DeleteParams::default()).await.expect("the API server deletes");
        self.until(name, "it is gone", Value::is_null).await;
    }

    /// Sets an annotation of a Workflow; null removes it.
    pub async fn annotate(&self, kind: &str, name: &str, key: &str, value: Value) {
        let patch = json!({ "metadata": { "annotations": { format!("weirkeeper.dev/{key}"): value } } });
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
    }

    /// Makes the publication of a Workflow look old: a recent one may still be in progress if n8n publishes later.
    pub async fn published_long_ago(&self, name: &str) {
        let old = json!({ "status": { "publishedAt": "2020-01-01T00:00:00Z" } });
        self.api("Workflow").patch_status(name, &PatchParams::default(), &Patch::Merge(old)).await.expect("the API server patches");
    }

    /// Waits for an event, which is written a moment after the status that it belongs to. Returns all events of the object.
    pub async fn until_event(&self, name: &str, reason: &str, part: &str) -> Vec<(String, String)> {
        let started = Instant::now();
        loop {
            let events = self.events(name).await;
            if events.iter().any(|(word, note)| word == reason && note.contains(part)) {
                return events;
            }
            assert!(started.elapsed() < PATIENCE, "{name}: no event {reason} says {part:?}: {events:?}\n{}", self.operator.tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the events of an object, as (reason, note).
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.admin.clone(), &self.namespace);
        let all = events.list(&Default::default()).await.expect("the API server lists events");
        let ours =
            all.items.into_iter().filter(|event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name)));
        ours.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }
}

/// Installs the CRDs with their admission policies and the operator's RBAC, as a platform team would; once in each cluster, because
/// applying an unchanged CRD costs the API server as much as applying a changed one.
async fn install(stack: &Stack, admin: &Client) {
    static INSTALLED: Mutex<BTreeSet<PathBuf>> = Mutex::const_new(BTreeSet::new());
    let mut installed = INSTALLED.lock().await;
    if installed.contains(&stack.dir) {
        return;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for folder in ["crds", "config/rbac"] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder)).expect(folder).map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a manifest");
            apply(admin, serde_saphyr::from_str(&text).expect("a manifest is YAML")).await.expect("the API server takes the manifest");
        }
    }
    let started = Instant::now();
    while Api::<DynamicObject>::all_with(admin.clone(), &resource("Workflow")).list(&ListParams::default().limit(1)).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "the CRDs are not served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    installed.insert(stack.dir.clone());
}

async fn apply(client: &Client, object: Value) -> Result<DynamicObject, kube::Error> {
    let kind = object["kind"].as_str().expect("a kind").to_owned();
    let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource(&kind)),
        None => Api::all_with(client.clone(), &resource(&kind)),
    };
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await
}

fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Workflow" | "N8nInstance" | "N8nCredential" | "WorkflowPolicy" | "WorkflowQuota" | "WorkflowPrompt" | "WorkflowTemplate"
        | "ModelProvider" => ("weirkeeper.dev", "v1alpha1"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1"),
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => ("rbac.authorization.k8s.io", "v1"),
        "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => ("admissionregistration.k8s.io", "v1"),
        "ControllerRevision" => ("apps", "v1"),
        _ => ("", "v1"),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match kind.strip_suffix("Policy") {
        Some(_) => ApiResource { plural: format!("{}ies", kind.trim_end_matches('y').to_lowercase()), ..resource },
        None => resource,
    }
}

/// Returns a condition of an object; null if it is not present.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind)).unwrap_or(&Value::Null)
}

/// Reports whether the status is of the current generation.
pub fn current(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// Reports whether an object is Ready at its current generation.
pub fn ready(object: &Value) -> bool {
    current(object) && condition(object, "Ready")["status"] == "True"
}
