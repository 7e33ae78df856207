//! Flux: our examples applied with the libraries of kustomize-controller, by the Kustomizations of examples/flux: they become healthy, no
//! reconciliation after the first finds a difference while the operator works, and what is removed is pruned.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::kubectl::kubectl;
use crate::harness::n8n::{answering, bad_cron};
use crate::harness::stack::{Stack, rand};
use crate::harness::world::{World, condition};

/// Number of reconciliations by Flux.
const ROUNDS: usize = 10;

/// A Kustomization of Flux in a test: its own file, the objects of its path, and its inventory.
struct Kustomization<'a> {
    world: &'a World,
    folder: PathBuf,
    asked: Value,
}

impl<'a> Kustomization<'a> {
    /// Takes a Kustomization of the examples, with the namespace and the label of a world.
    fn of(world: &'a World, file: &str, name: &str) -> Self {
        let text = std::fs::read_to_string(root().join("examples/flux").join(file)).expect("an example");
        let mut all = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).expect("YAML"));
        let mut asked = all.find(|one| one["metadata"]["name"] == name).expect("such a Kustomization");
        asked["spec"]["targetNamespace"] = json!(world.namespace);
        asked["spec"]["commonMetadata"] = json!({ "labels": world.labels() });
        let folder = world.stack.dir.join(format!("flux-{:x}", rand()));
        std::fs::create_dir(&folder).expect("a folder");
        Self { world, folder, asked }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, command: &str, objects: &[Value]) -> std::process::Output {
        let manifests: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
        std::fs::write(self.path("manifests.yaml"), manifests).expect("a file");
        std::fs::write(self.path("kustomization.yaml"), self.asked.to_string()).expect("a file");
        Command::new(self.world.stack.flux())
            .arg(command)
            .arg("--kustomization")
            .arg(self.path("kustomization.yaml"))
            .arg("--manifests")
            .arg(self.path("manifests.yaml"))
            .arg("--inventory")
            .arg(self.path("inventory.json"))
            .env("KUBECONFIG", self.world.stack.kubeconfig("admin"))
            .output()
            .expect("flux runs")
    }

    /// Reconciles once, as the controller does at each interval, and returns what it reports.
    fn reconcile(&self, objects: &[Value]) -> Reported {
        let output = self.run("reconcile", objects);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        Reported(lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
    }
}

/// Report of one reconciliation.
#[derive(Debug)]
struct Reported(Vec<Value>);

impl Reported {
    /// Returns the objects with an action.
    fn with(&self, action: &str) -> Vec<&str> {
        self.0.iter().filter(|line| line["action"] == action).filter_map(|line| line["subject"].as_str()).collect()
    }

    fn actions(&self) -> usize {
        self.0.iter().filter(|line| !line["action"].is_null()).count()
    }

    fn is_healthy(&self) -> bool {
        self.0.iter().any(|line| line["health"] == "healthy")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the documents of a file under examples/, or of a folder as kustomize builds it.
fn example(world: &World, path: &str) -> Vec<Value> {
    let path = root().join("examples").join(path);
    let text = if path.is_dir() {
        kubectl(world, &["kustomize", path.to_str().expect("a path")], None).text()
    } else {
        std::fs::read_to_string(&path).expect("an example")
    };
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn flux_reports_no_drift_in_ten_reconciliations_while_the_operator_works_and_prunes_what_is_removed() {
    let (_standin, world) = World::on_stand_in("flux-drift", json!({})).await;
    let flux = Kustomization::of(&world, "kustomizations.yaml", "workflows");
    let mut objects = Vec::new();
    for path in ["workflow.yaml", "health-check.yaml", "references.yaml", "configmap", "workflowquota.yaml"] {
        objects.extend(example(&world, path));
    }
    let first = flux.reconcile(&objects);
    assert_eq!(first.with("created").len(), objects.len(), "{first:?}");
    assert!(first.is_healthy(), "{first:?}");
    for round in 0..ROUNDS {
        let asked_at = json!(round.to_string());
        world.annotate("Workflow", "hello", "requested-at", asked_at.clone()).await;
        let again = flux.reconcile(&objects);
        assert_eq!((again.with("unchanged").len(), again.actions()), (objects.len(), objects.len()), "round {round}: {again:?}");
        assert!(again.is_healthy(), "{again:?}");
        world.until("hello", "the request is handled", |object| object["status"]["lastHandledRequestedAt"] == asked_at).await;
    }
    let hello = world.get("hello").await;
    let owners: Vec<&str> = hello["metadata"]["managedFields"]
        .as_array()
        .expect("managedFields")
        .iter()
        .filter(|entry| entry["fieldsV1"].get("f:spec").is_some())
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    assert_eq!(owners, ["kustomize-controller"]);

    // An edit is applied once, and what is removed from Git goes, in n8n as well.
    let id = hello["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    let left: Vec<Value> = objects
        .iter()
        .filter(|object| object["metadata"]["name"] != "hello")
        .cloned()
        .map(|mut object| {
            if object["metadata"]["name"] == "price" {
                object["spec"]["interval"] = json!("90s");
            }
            object
        })
        .collect();
    let edited = flux.reconcile(&left);
    assert_eq!(edited.with("configured"), [format!("Workflow/{}/price", world.namespace)], "{edited:?}");
    assert_eq!(edited.with("deleted"), [format!("Workflow/{}/hello", world.namespace)], "{edited:?}");
    assert!(edited.is_healthy() && world.get("hello").await.is_null(), "{edited:?}");
    assert_eq!(world.n8n.api("GET", &format!("/workflows/{id}"), None).await.status, 404);
    assert_eq!(flux.reconcile(&left).with("unchanged").len(), left.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn flux_waits_for_an_instance_and_a_workflow_that_fails_fails_the_wait_at_once() {
    let (_standin, world) = World::on_stand_in("flux-fails", json!({})).await;
    let flux = Kustomization::of(&world, "kustomizations.yaml", "workflows");
    let mut workflow = example(&world, "workflow.yaml").remove(0);
    workflow["spec"]["definition"] = bad_cron(answering(&world.namespace, "1"));
    let failed = flux.reconcile(std::slice::from_ref(&workflow));
    let health = failed.0.iter().find(|line| line["health"] == "failed").expect("a failed wait");
    let named = format!("Workflow/{}/hello status: 'Failed'", world.namespace);
    assert!(health["message"].as_str().is_some_and(|message| message.contains(&named) && message.contains("failed early")), "{health}");
    // The message that kstatus shows is that of the condition.
    let status = failed.0.iter().find(|line| line["status"] == "Failed").expect("the status of the workflow");
    let object = world.get("hello").await;
    let stalled = condition(&object, "Stalled");
    assert_eq!((&status["message"], stalled["status"].as_str()), (&stalled["message"], Some("True")), "{status}");
    assert!(stalled["message"].as_str().is_some_and(|message| !message.is_empty()));

    workflow["spec"]["definition"] = answering(&world.namespace, "2");
    let mended = flux.reconcile(&[workflow]);
    assert!(mended.is_healthy() && mended.with("configured").len() == 1, "{mended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_check_expressions_hold_a_kustomization_until_the_bake_time_is_over() {
    let (_standin, world) = World::on_stand_in("flux-bakes", json!({})).await;
    let baked = Kustomization::of(&world, "bake-time.yaml", "workflows-baked");
    let mut workflow = example(&world, "workflow.yaml").remove(0);
    workflow["spec"]["interval"] = json!("1s");
    workflow["spec"]["healthCheck"] = json!({ "bakeTime": "6s", "minimumExecutions": 1000 });
    let objects = [workflow];
    let started = std::time::Instant::now();
    let reported = baked.reconcile(&objects);
    assert!(reported.is_healthy(), "{reported:?}");
    let object = world.get("hello").await;
    assert_ne!(condition(&object, "Healthy")["reason"], "Baking", "{object:#}");
    assert!(started.elapsed() >= std::time::Duration::from_secs(6), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn post_build_of_flux_destroys_a_definition_with_braces_unless_the_object_says_not_to() {
    let world = World::bare(Stack::shared(), "flux-substitute", "http://127.0.0.1:1", "none").await;
    let mut flux = Kustomization::of(&world, "kustomizations.yaml", "workflows");
    flux.asked["spec"]["postBuild"] = json!({ "substitute": { "environment": "prod" } });
    let substituted = |objects: &[Value]| {
        let output = flux.run("substitute", objects);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let code = "return [{ json: { label: `order ${order} in ${environment}` } }]";
    let mut workflow = json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": { "name": "orders" },
        "spec": { "instanceRef": { "name": "main" }, "definition": { "nodes": [
            { "name": "Label", "type": "n8n-nodes-base.code", "typeVersion": 2, "position": [0, 0], "parameters": { "jsCode": code } },
        ], "connections": {} } },
    });
    let (ok, text) = substituted(std::slice::from_ref(&workflow));
    assert!(ok && text.contains("`order  in prod`"), "{text}");
    // A member access is no name of a variable.
    let mut member = workflow.clone();
    member["spec"]["definition"]["nodes"][0]["parameters"]["jsCode"] = json!("return [{ json: { label: `${item.json.id}` } }]");
    let (ok, text) = substituted(&[member]);
    assert!(!ok || !text.contains("${item.json.id}"), "{text}");

    workflow["metadata"]["annotations"] = json!({ "kustomize.toolkit.fluxcd.io/substitute": "disabled" });
    let (ok, text) = substituted(std::slice::from_ref(&workflow));
    assert!(ok && text.contains(code), "{text}");
    // The example for promotion has such code in a ConfigMap.
    let objects = example(&world, "promotion/prod");
    let (ok, text) = substituted(&objects);
    assert!(ok, "{text}");
    let map = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("a ConfigMap");
    let rendered: Vec<Value> = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect();
    assert!(rendered.iter().any(|object| object["data"] == map["data"]), "{text}");
}
