use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::client::Body;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

/// The Secrets and namespaces of a cluster, by their path.
#[derive(Clone, Default)]
struct ApiServer(Arc<Mutex<HashMap<String, Value>>>);

impl ApiServer {
    fn secret(&self, key: &str) {
        let object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "ops" }, "data": { "apiKey": STANDARD.encode(key) } });
        self.0.lock().unwrap().insert("/api/v1/namespaces/ops/secrets/s".to_owned(), object);
    }

    fn namespace(&self, name: &str, labels: Value) {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        self.0.lock().unwrap().insert(format!("/api/v1/namespaces/{name}"), object);
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: axum::http::Request<Body>| {
            let found = server.0.lock().unwrap().get(request.uri().path()).cloned();
            let status = if found.is_some() { 200 } else { 404 };
            let absent = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "NotFound", "code": 404, "details": { "name": "x" } });
            let body = Body::from(serde_json::to_vec(&found.unwrap_or(absent)).unwrap());
            async move { Ok::<_, Infallible>(axum::http::Response::builder().status(status).body(body).unwrap()) }
        });
        Client::new(service, "ops")
    }
}

/// A set of providers, with what it needs.
struct World {
    server: ApiServer,
    providers: Providers,
    writer: reflector::store::Writer<IndexedProvider>,
    woken: UnboundedReceiver<ObjectRef<IndexedProvider>>,
}

impl World {
    fn new() -> Self {
        let (store, writer) = reflector::store();
        let (wake, woken) = unbounded_channel();
        let server = ApiServer::default();
        let metrics = ModelMetrics::register(&prometheus::Registry::new()).unwrap();
        let wire = ModelWire { allow_loopback: true, fence: LeaderFence::unlimited(), metrics };
        let secrets = Arc::new(Secrets::new(server.client()));
        let providers = Providers::new(server.client(), store, secrets, wire, wake);
        Self { server, providers, writer, woken }
    }

    fn put(&mut self, spec: Value, status: Value) -> Arc<ModelProvider> {
        let object = json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "ModelProvider",
            "metadata": { "name": "large", "namespace": "ops", "uid": "u1" }, "spec": spec, "status": status,
        });
        let indexed: IndexedProvider = serde_json::from_value(object.clone()).unwrap();
        self.writer.apply_watcher_event(&Event::Apply(indexed));
        Arc::new(serde_json::from_value(object).unwrap())
    }

    async fn connection(&self, namespace: &str) -> Result<Arc<ModelConnection>, ReconcileError> {
        match self.providers.for_prompt(namespace, ("ops", "large")).await? {
            Provided::Model(connection) => Ok(connection),
            Provided::Builtin => panic!("a model was asked for"),
        }
    }
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "type": "OpenAI", "baseURL": "http://127.0.0.1:9/v1", "apiKeySecretRef": { "name": "s" },
        "models": { "simple": { "name": "small", "inputPricePerMillion": "0.5", "outputPricePerMillion": "1.5" }, "complex": { "name": "large", "maximumOutputTokens": 900 } },
    });
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    spec
}

fn key(number: u32) -> String {
    format!("wk-{number:04}-{}", "abcdefghijkl".repeat(2))
}

#[tokio::test]
async fn only_allowed_namespaces_learn_that_a_provider_exists() {
    let mut world = World::new();
    world.server.secret(&key(1));
    world.server.namespace("team-a", json!({ "workflows": "enabled" }));
    world.server.namespace("team-b", json!({}));
    let absent = world.connection("team-a").await.unwrap_err();
    world.put(spec(json!({})), json!({}));
    assert!(world.connection("ops").await.is_ok());
    assert_eq!(world.connection("team-a").await.unwrap_err(), absent);
    let selector = json!({ "from": "Selector", "selector": { "matchLabels": { "workflows": "enabled" } } });
    world.put(spec(json!({ "allowedNamespaces": selector })), json!({}));
    assert!(world.connection("team-a").await.is_ok());
    let refused = world.connection("team-b").await.unwrap_err();
    assert_eq!((refused.reason, refused.class), (Reason::ProviderNotFound, crate::api::reason::Class::Waiting));
    world.put(spec(json!({ "allowedNamespaces": { "from": "All" } })), json!({}));
    assert!(world.connection("team-b").await.is_ok());
}

#[tokio::test]
async fn a_missing_key_is_explained_to_the_owner_and_not_to_others() {
    let mut world = World::new();
    world.put(spec(json!({ "allowedNamespaces": { "from": "All" } })), json!({}));
    let own = world.connection("ops").await.unwrap_err();
    assert!(own.reason == Reason::KeySecretNotFound && own.message.contains("Secret s does not exist"), "{own:?}");
    let other = world.connection("team-a").await.unwrap_err();
    assert!(other.reason == Reason::KeySecretNotFound && !other.message.contains("Secret s"), "{other:?}");
    world.server.secret(&key(1));
    assert!(world.connection("team-a").await.is_ok(), "a Secret that was missing is read again at once");
}

#[tokio::test]
async fn a_client_is_shared_until_its_server_models_or_key_change() {
    let mut world = World::new();
    world.server.secret(&key(1));
    world.put(spec(json!({})), json!({}));
    let first = world.connection("ops").await.unwrap();
    assert!(Arc::ptr_eq(&first, &world.connection("ops").await.unwrap()));
    world.put(spec(json!({ "interval": "1h", "allowedNamespaces": { "from": "All" } })), json!({ "observedGeneration": 1 }));
    let kept = world.connection("ops").await.unwrap();
    assert!(Arc::ptr_eq(&first.client, &kept.client) && kept.provider.spec != first.provider.spec);
    // The Secret was read a moment ago; an edit of the provider reads it again.
    world.server.secret(&key(2));
    assert!(Arc::ptr_eq(&kept.client, &world.connection("ops").await.unwrap().client));
    let moved = spec(json!({ "baseURL": "http://127.0.0.1:10/v1" }));
    world.put(moved, json!({}));
    let replaced = world.connection("ops").await.unwrap();
    assert!(!Arc::ptr_eq(&kept.client, &replaced.client));
    assert_eq!(replaced.settings.key.as_ref().unwrap().expose(), Some(key(2).as_str()));
    world.server.secret(&key(3));
    world.providers.forget_key(&replaced.provider);
    let rotated = world.connection("ops").await.unwrap();
    assert_eq!(rotated.settings.key.as_ref().unwrap().expose(), Some(key(3).as_str()));
    world.writer.apply_watcher_event(&Event::Delete(
        serde_json::from_value(json!({ "metadata": { "name": "large", "namespace": "ops" } })).unwrap(),
    ));
    world.providers.close_absent();
    assert!(world.providers.lock().is_empty());
    assert!(world.woken.try_recv().is_err(), "nothing was found out");
}

#[tokio::test]
async fn what_was_found_out_is_taken_from_the_status_of_the_same_server_only() {
    let mut world = World::new();
    world.server.secret(&key(1));
    let known = |digest: &str| json!({ "observedServer": digest, "models": [{ "name": "large", "output": "JSON" }, { "name": "gone", "output": "Text" }] });
    let provider = world.put(spec(json!({})), json!({}));
    let digest = server_digest(&provider.spec);
    world.put(spec(json!({})), known(&digest));
    let modes = world.connection("ops").await.unwrap().client.output_modes();
    assert_eq!(modes.into_iter().collect::<Vec<_>>(), [("large".to_owned(), OutputMode::Json)]);
    // Another key is the same server.
    world.server.secret(&key(2));
    world.providers.forget_key(&provider);
    assert_eq!(world.connection("ops").await.unwrap().client.output_modes().len(), 1);
    world.providers.close("ops", "large");
    world.put(spec(json!({})), known("another"));
    assert!(world.connection("ops").await.unwrap().client.output_modes().is_empty());
    let other = spec(json!({ "output": "Tool" }));
    world.put(other, known(&digest));
    assert!(world.connection("ops").await.unwrap().client.output_modes().is_empty());
}

#[tokio::test]
async fn a_connection_knows_its_models_and_shows_no_key() {
    let mut world = World::new();
    world.server.secret(&key(1));
    world.put(spec(json!({})), json!({}));
    let connection = world.connection("ops").await.unwrap();
    let (simple, complex) = (connection.prices(ModelTier::Simple), connection.prices(ModelTier::Complex));
    assert_eq!((simple.input.micros(), simple.output.micros(), complex.input.micros()), (500_000, 1_500_000, 0));
    assert_eq!((connection.model(ModelTier::Simple), connection.model(ModelTier::Complex)), ("small", "large"));
    let identity = connection.identity();
    assert!(identity.contains("small") && identity.contains("127.0.0.1:9"), "{identity}");
    assert!(!format!("{connection:?}{identity}").contains(&key(1)));
    let mut message = format!("wrong key {}", key(1));
    world.providers.hide_keys(&mut message);
    assert!(!message.contains(&key(1)), "{message}");
}

#[tokio::test]
async fn a_spec_that_cannot_be_used_says_which_field_is_wrong() {
    let mut world = World::new();
    world.server.secret(&key(1));
    let builtin = world.put(json!({}), json!({}));
    assert!(matches!(world.providers.open(builtin).await, Ok(Provided::Builtin)));
    for (more, field) in [
        (json!({ "baseURL": null }), "spec.baseURL"),
        (json!({ "models": null }), "spec.models"),
        (json!({ "baseURL": "http://[" }), "spec.baseURL"),
        (json!({ "baseURL": "http://h/v1?x=1" }), "query"),
        (json!({ "caBundle": "none" }), "CA bundle"),
    ] {
        world.put(spec(more), json!({}));
        let error = world.connection("ops").await.unwrap_err();
        assert!(error.reason == Reason::InvalidProvider && error.message.contains(field), "{error:?}");
    }
}
