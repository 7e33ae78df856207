//! The admission webhook of a world: the committed configuration in front of the real API server, for the world's namespace, with the
//! address of an operator in place of the Service.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::kubectl::{Output, kubectl};
use crate::harness::stack::Stack;
use crate::harness::world::{Operator, PATIENCE, World};

/// The Secret with the certificate, whose name config/rbac allows the operator to write.
pub const SECRET: &str = "weirkeeper-webhook";

/// The webhook of a world.
pub struct Admission {
    /// Name of its configuration.
    pub name: String,
    /// Port of the operator that the API server calls.
    pub port: u16,
    namespace: String,
    stack: Stack,
}

impl Admission {
    /// Grants the operator what the webhook needs in this world's namespace, restarts it with the webhook and further flags, and puts the
    /// configuration with a failure policy in force.
    pub async fn in_front(world: &mut World, failure_policy: &str, flags: &[&str]) -> Self {
        let admission = Self::started(world, failure_policy, flags).await;
        admission.until_in_force(world).await;
        admission
    }

    /// The same, without waiting until the API server calls the operator.
    pub async fn started(world: &mut World, failure_policy: &str, flags: &[&str]) -> Self {
        let admission =
            Self { name: world.namespace.clone(), port: free_port(), namespace: world.namespace.clone(), stack: world.stack.clone() };
        admission.grant(world).await;
        admission.configure(world, failure_policy).await;
        let own = admission.flags(admission.port);
        let all: Vec<&str> = own.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        world.operator.restart_with(&all);
        admission
    }

    /// Returns the flags of an operator that serves the webhook on a port.
    pub fn flags(&self, port: u16) -> Vec<String> {
        let flags = [
            ("--webhook-address", format!("127.0.0.1:{port}")),
            ("--webhook-host", "127.0.0.1".to_owned()),
            ("--webhook-configuration", self.name.clone()),
            ("--lease-namespace", self.namespace.clone()),
        ];
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }

    /// Binds the committed Role of the operator's own namespace in the world's, and allows to keep the configuration of another name.
    async fn grant(&self, world: &World) {
        let mut role = manifest("config/rbac/role_leader.yaml");
        role["metadata"] = json!({ "name": "operator" });
        world.apply(role).await;
        let subject = json!({ "kind": "ServiceAccount", "name": "weirkeeper", "namespace": "weirkeeper-system" });
        let binding = |kind: &str, role: &str, name: &str| {
            let role_ref = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name });
            json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "roleRef": role_ref, "subjects": [subject] })
        };
        world.apply(binding("RoleBinding", "Role", "operator")).await;
        let rule = json!({ "apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingwebhookconfigurations"],
            "resourceNames": [self.name], "verbs": ["get", "patch"] });
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": self.name }, "rules": [rule] });
        for object in [role, binding("ClusterRoleBinding", "ClusterRole", &self.name)] {
            kubectl(world, &["apply", "-f", "-"], Some(&object)).text();
        }
    }

    /// Applies the committed configuration for this world's namespace; it names no authority.
    pub async fn configure(&self, world: &World, failure_policy: &str) {
        let mut configuration = manifest("config/webhook/configuration.yaml");
        configuration["metadata"]["name"] = json!(self.name);
        for webhook in configuration["webhooks"].as_array_mut().expect("webhooks") {
            webhook["clientConfig"] = json!({ "url": self.url(self.port) });
            webhook["failurePolicy"] = json!(failure_policy);
            webhook["namespaceSelector"] = json!({ "matchLabels": { "kubernetes.io/metadata.name": self.namespace } });
        }
        let params = PatchParams::apply("test").force();
        self.configurations(world).patch(&self.name, &params, &Patch::Apply(configuration)).await.expect("the API server takes it");
    }

    /// Returns the URL of the reviews of an operator on a port.
    pub fn url(&self, port: u16) -> String {
        format!("https://127.0.0.1:{port}/validate")
    }

    pub fn configurations(&self, world: &World) -> Api<ValidatingWebhookConfiguration> {
        Api::all(world.admin.clone())
    }

    pub fn secrets(&self, world: &World) -> Api<Secret> {
        Api::namespaced(world.admin.clone(), &self.namespace)
    }

    /// Directs the API server to the operator on another port.
    pub async fn direct_to(&self, world: &World, port: u16) {
        self.change(world, &json!({ "url": self.url(port) })).await;
    }

    /// Changes how the API server reaches every webhook.
    pub async fn change(&self, world: &World, client_config: &Value) {
        let found = self.configurations(world).get(&self.name).await.expect("the configuration");
        let names = found.webhooks.iter().flatten().map(|webhook| json!({ "name": webhook.name, "clientConfig": client_config }));
        let patch = Patch::Strategic(json!({ "webhooks": names.collect::<Vec<_>>() }));
        self.configurations(world).patch(&self.name, &PatchParams::default(), &patch).await.expect("the API server takes it");
    }

    /// Waits until an operator is ready, and the API server denies a definition that cannot work.
    pub async fn until_in_force(&self, world: &World) {
        until_ready(&world.operator).await;
        let started = Instant::now();
        loop {
            let tried = apply(world, &workflow("in-force", json!({ "definition": { "nodes": 7 } })), &["--dry-run=server"]);
            if tried.err.contains("denied the request") {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the webhook is not in force: {tried:?}\n{}", world.operator.tail());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Posts a body to the operator as anybody in the cluster may, and returns the status and the answer.
    pub async fn post(&self, world: &World, body: impl Into<reqwest::Body>) -> (u16, String) {
        let secret = self.secrets(world).get(SECRET).await.expect("the Secret");
        let authorities = secret.data.expect("data").remove("ca.crt").expect("authorities").0;
        let mut client = reqwest::Client::builder().timeout(Duration::from_secs(30));
        for authority in reqwest::Certificate::from_pem_bundle(&authorities).expect("PEM") {
            client = client.add_root_certificate(authority);
        }
        let sent = client.build().expect("a client").post(self.url(self.port)).body(body).send().await.expect("an answer");
        (sent.status().as_u16(), sent.text().await.expect("a whole answer"))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for kind in ["validatingwebhookconfiguration", "clusterrole", "clusterrolebinding"] {
            let mut command = Command::new(self.stack.kubectl());
            command.arg("--kubeconfig").arg(self.stack.kubeconfig("admin"));
            let _ = command.args(["delete", kind, &self.name, "--ignore-not-found", "--wait=false"]).output();
        }
    }
}

/// Waits until an operator is ready.
pub async fn until_ready(operator: &Operator) {
    let started = Instant::now();
    loop {
        let (status, text) = operator.get("/readyz").await;
        if status == 200 {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "not ready: {text}\n{}", operator.tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns a Workflow of instance `main`; `more` is merged over its spec.
pub fn workflow(name: &str, more: Value) -> Value {
    let mut spec = json!({ "instanceRef": { "name": "main" } });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": name }, "spec": spec })
}

/// Applies an object with kubectl, with the label of the world's operator.
pub fn apply(world: &World, object: &Value, flags: &[&str]) -> Output {
    kubectl(world, &[&["apply", "-f", "-"], flags].concat(), Some(&labelled(world, object)))
}

/// Returns an object with the label of the world's operator.
pub fn labelled(world: &World, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"] = world.labels();
    object
}

/// Deletes an object of the world's namespace without waiting for its end.
pub async fn delete_now(world: &World, kind: &str, name: &str) {
    world.api(kind).delete(name, &DeleteParams::default()).await.expect("the API server deletes");
}

/// Returns a free loopback port between those of the stack and those of the ephemeral range, so that no server with a port of the kernel's
/// choice and no outgoing connection takes it before the operator does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = std::process::id() as u16;
    let ports = std::iter::repeat_with(|| 32_000 + NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % 768);
    ports.take(768).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

fn manifest(path: &str) -> Value {
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a manifest");
    serde_saphyr::from_str(&text).expect("a manifest is YAML")
}
