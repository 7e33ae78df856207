//! The repository of a team: every file of examples/ that is meant for a cluster, with servers of this machine in place of those that the examples
//! name, and what the examples ask people to prepare: Secrets, a credential, and a workflow to adopt.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::credentials;
use crate::harness::kubectl::kubectl;
use crate::harness::n8n::N8n;
use crate::harness::world::World;
use crate::model::{Asked, ModelServer, models, ordinary};
use crate::scenarios::chart::helm::{documents, program, run};
use crate::standin::{Options, StandIn};

/// Folders of examples/ that are no objects for a cluster: Flux's own, which decide how the others are applied, and the demo, which is a test of its
/// own.
const NO_OBJECTS: [&str; 2] = ["flux", "demo"];
/// Folders that kustomize builds, with the environment of each; others belong to one of them.
const KUSTOMIZED: [(&str, Place); 3] = [("configmap", Place::Team), ("promotion/dev", Place::Dev), ("promotion/prod", Place::Prod)];

/// A namespace of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// That of the world, which stands for all namespaces of the examples that work together.
    Team,
    /// One whose policy denies the other examples.
    Rules,
    Dev,
    Prod,
}

/// The objects, and the servers that they lead to.
pub struct Repository {
    /// The objects in the order of their files, each with its namespace and the label of the world.
    pub objects: Vec<Value>,
    namespace: String,
    n8n: [StandIn; 2],
    models: ModelServer,
}

impl Repository {
    /// Reads every example and prepares the cluster for it. The world's n8n is that of its namespace; the environments `dev` and `prod` have one each.
    pub async fn new(world: &World, own: &StandIn) -> Self {
        let n8n = [StandIn::start(Options::default()), StandIn::start(Options::default())];
        let mut repository =
            Self { objects: Vec::new(), namespace: world.namespace.clone(), models: ModelServer::start(models_of_the_examples), n8n };
        for place in [Place::Rules, Place::Dev, Place::Prod] {
            world.namespace(&repository.name_of(place)).await;
        }
        repository.secrets(world, own).await;
        credentials::stand_in(&world.n8n, "httpHeaderAuth", "Team A CRM").await;
        let adopted = adoptable(&world.n8n).await;
        for (path, place) in files() {
            for object in read(world, &path) {
                let object = repository.placed(world, &path, place, object, &adopted);
                repository.objects.extend(object);
            }
        }
        repository
    }

    /// Returns the objects of some kinds, or those of all others.
    pub fn of(&self, kinds: &[&str], these: bool) -> Vec<Value> {
        let is = |object: &&Value| object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)) == these;
        self.objects.iter().filter(is).cloned().collect()
    }

    /// Returns the namespace whose policy denies the other examples.
    pub fn rules(&self) -> String {
        self.name_of(Place::Rules)
    }

    fn name_of(&self, place: Place) -> String {
        match place {
            Place::Team => self.namespace.clone(),
            Place::Rules => format!("{}-rules", self.namespace),
            Place::Dev => format!("{}-dev", self.namespace),
            Place::Prod => format!("{}-prod", self.namespace),
        }
    }

    /// Creates the Secrets that the comments of the examples ask for.
    async fn secrets(&self, world: &World, own: &StandIn) {
        let [dev, prod] = &self.n8n;
        let value = |name: &str| format!("{name} of {}", world.namespace);
        for (place, name, data) in [
            (Place::Team, "n8n-api-key", json!({ "apiKey": own.api_key() })),
            (Place::Dev, "n8n-api-key", json!({ "apiKey": dev.api_key() })),
            (Place::Prod, "n8n-api-key", json!({ "apiKey": prod.api_key() })),
            (Place::Team, "openai", json!({ "apiKey": value("openai") })),
            (Place::Team, "billing-api", json!({ "name": "X-Api-Key", "value": value("billing") })),
            (Place::Team, "orders-db", json!({ "password": value("orders") })),
            // Those that another operator makes in a cluster.
            (Place::Team, "crm", json!({ "name": "Authorization", "value": value("crm") })),
            (Place::Team, "smtp", json!({ "host": "127.0.0.1", "user": "mail", "password": value("smtp") })),
            (Place::Team, "db", json!({ "user": "reader", "password": value("db") })),
        ] {
            let metadata = json!({ "name": name, "namespace": self.name_of(place) });
            world.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data })).await;
        }
    }

    /// Returns an object as it is in Git of this test; None for kinds of other operators.
    fn placed(&self, world: &World, path: &Path, place: Place, mut object: Value, adopted: &str) -> Option<Value> {
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        let version = object["apiVersion"].as_str().expect("a version");
        if !version.starts_with("weirkeeper.dev/") && kind != "ConfigMap" {
            return None;
        }
        object["metadata"]["namespace"] = json!(self.name_of(place));
        for (name, value) in world.labels().as_object().expect("labels") {
            object["metadata"]["labels"][name] = value.clone();
        }
        // One namespace stands for those of the teams and of the platform.
        for reference in ["instanceRef", "templateRef"] {
            if object["spec"][reference]["namespace"].is_string() {
                object["spec"][reference]["namespace"] = json!(self.namespace);
            }
        }
        if kind != "N8nInstance" && object["spec"]["instanceRef"]["name"].is_string() {
            object["spec"]["instanceRef"]["name"] = json!("main");
        }
        match kind.as_str() {
            "N8nInstance" => {
                let [dev, prod] = &self.n8n;
                object["spec"]["url"] = match place {
                    Place::Dev => json!(dev.url()),
                    Place::Prod => json!(prod.url()),
                    _ => json!(world.n8n.url),
                };
                if place == Place::Team {
                    object["metadata"]["name"] = json!(path.file_stem().expect("a name").to_string_lossy());
                }
            }
            "ModelProvider" if object["spec"]["baseURL"].is_string() => object["spec"]["baseURL"] = json!(self.models.base_url()),
            "Workflow" if object["spec"]["adopt"]["id"].is_string() => object["spec"]["adopt"]["id"] = json!(adopted),
            // The stand-in for n8n does not execute the code of the definition.
            "Workflow" if [Place::Dev, Place::Prod].contains(&place) => {
                if let Some(probe) = object.pointer_mut("/spec/healthCheck/probes/0").and_then(Value::as_object_mut) {
                    probe.remove("expectedJSON");
                }
            }
            _ => {}
        }
        Some(object)
    }
}

/// Answers as a server that has the models of the examples.
fn models_of_the_examples(asked: &Asked) -> crate::model::Reply {
    match (asked.method.as_str(), asked.target.ends_with("/models")) {
        ("GET", true) => models(&["gpt-4.1-mini", "gpt-4.1", "qwen3:32b"]),
        _ => ordinary(asked),
    }
}

/// Creates the workflow that the example adopts, and returns its id.
async fn adoptable(n8n: &N8n) -> String {
    let node = json!({ "id": "a", "name": "Invoice", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "parameters": { "path": "invoices-before" } });
    let workflow = json!({ "name": "Invoices", "nodes": [node], "connections": {}, "settings": {} });
    let made = n8n.api("POST", "/workflows", Some(workflow)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.json()["id"].as_str().expect("an id").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Returns the files and folders to apply, each with its namespace. One that is applied in no way yet fails the test.
fn files() -> Vec<(PathBuf, Place)> {
    let mut all = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(root()).expect("examples/").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        match name.as_str() {
            "workflowpolicy.yaml" => all.push((path, Place::Rules)),
            _ if name.ends_with(".yaml") => all.push((path, Place::Team)),
            "helm" => all.push((path, Place::Dev)),
            "secrets-managers" => {
                let mut files: Vec<_> = std::fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
                files.sort();
                all.extend(files.into_iter().map(|file| (file, Place::Team)));
            }
            _ if NO_OBJECTS.contains(&name.as_str()) => {}
            _ => {
                let built: Vec<_> = KUSTOMIZED.iter().filter(|(folder, _)| folder.split('/').next() == Some(&name)).collect();
                assert!(!built.is_empty(), "examples/{name}: say how it is applied");
                all.extend(built.into_iter().map(|(folder, place)| (root().join(folder), *place)));
            }
        }
    }
    all
}

/// Returns the documents of a file, of a folder as kustomize builds it, or of a chart as Helm renders it.
pub fn read(world: &World, path: &Path) -> Vec<Value> {
    let name = path.to_str().expect("a path");
    let text = if path.join("Chart.yaml").is_file() {
        run(program(&world.stack, "helm", &["template", "example", name]), "").text()
    } else if path.is_dir() {
        kubectl(world, &["kustomize", name], None).text()
    } else {
        std::fs::read_to_string(path).expect("an example")
    };
    documents(&text).into_iter().map(|document| document.object).collect()
}
