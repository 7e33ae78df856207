//! Flux: our examples applied with the libraries of kustomize-controller, by the Kustomizations of examples/flux: they become healthy, no
//! reconciliation after the first finds a difference while the operator works, and what is removed is pruned.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron};
use crate::harness::stack::{Stack, rand};
use crate::harness::world::{World, condition};
use crate::scenarios::chart::helm::run;
use crate::scenarios::repository::{Repository, read};

/// Number of reconciliations by Flux.
const ROUNDS: usize = 10;
/// Objects that the operator is asked to reconcile meanwhile, one of each kind that can be asked.
const ASKED: [(&str, &str); 5] = [
    ("Workflow", "hello"),
    ("N8nInstance", "n8ninstance"),
    ("N8nCredential", "orders-db"),
    ("ModelProvider", "openai"),
    ("WorkflowPrompt", "status"),
];

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
    read(world, &root().join("examples").join(path))
}

/// Kinds of the first Kustomization of the examples: instances, with the rules of their namespaces and what else Workflows refer to.
const FIRST: [&str; 6] = ["N8nInstance", "WorkflowPolicy", "WorkflowQuota", "ModelProvider", "N8nCredential", "WorkflowTemplate"];

/// Returns the Kustomizations in the order in which their `dependsOn` lets them start. Flux starts one when those before it are Ready, which with
/// `wait: true` means that their objects are healthy.
fn in_order<'a, 'b>(all: &'a [&'a Kustomization<'b>]) -> Vec<&'a Kustomization<'b>> {
    let name = |one: &Kustomization<'_>| one.asked["metadata"]["name"].as_str().expect("a name").to_owned();
    let mut order: Vec<&Kustomization<'_>> = Vec::new();
    while order.len() < all.len() {
        let done: Vec<String> = order.iter().map(|one| name(one)).collect();
        let may_start = |one: &&&Kustomization<'_>| {
            let mut before = one.asked["spec"]["dependsOn"].as_array().into_iter().flatten();
            !done.contains(&name(one)) && before.all(|other| done.iter().any(|done| other["name"] == **done))
        };
        order.push(all.iter().find(may_start).expect("dependsOn has no cycle"));
    }
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn flux_reports_no_drift_in_ten_reconciliations_while_the_operator_works_and_prunes_what_is_removed() {
    let (standin, world) = World::on_stand_in("flux-drift", json!({ "allowedNamespaces": { "from": "All" } })).await;
    let repository = Repository::new(&world, &standin).await;
    let [mut n8n, mut flux] = ["n8n", "workflows"].map(|name| Kustomization::of(&world, "kustomizations.yaml", name));
    for one in [&mut n8n, &mut flux] {
        // The examples are of several namespaces, which their objects name.
        one.asked["spec"].as_object_mut().expect("a spec").remove("targetNamespace");
        one.asked["spec"]["timeout"] = json!("90s");
    }
    // Whatever their order in the file is, the instances are first.
    let both = [&flux, &n8n];
    let order: Vec<&Value> = in_order(&both).into_iter().map(|one| &one.asked["metadata"]["name"]).collect();
    assert_eq!(order, ["n8n", "workflows"]);
    let (first, objects) = (repository.of(&FIRST, true), repository.of(&FIRST, false));
    let instances = n8n.reconcile(&first);
    assert!(instances.with("created").len() == first.len() && instances.is_healthy(), "{instances:?}");

    // A prompt waits for a person, so the Kustomization waits until its timeout, and is healthy after the approval.
    flux.asked["spec"]["timeout"] = json!("45s");
    let waiting = flux.reconcile(&objects);
    let unready = waiting.0.iter().filter(|line| line["status"].is_string() && line["status"] != "Current");
    let unready: Vec<(&Value, &Value)> = unready.map(|line| (&line["subject"], &line["status"])).collect();
    assert_eq!(unready, [(&json!(format!("WorkflowPrompt/{}/status", world.namespace)), &json!("InProgress"))], "{waiting:?}");
    flux.asked["spec"]["timeout"] = json!("90s");
    let prompt = world.get_kind("WorkflowPrompt", "status").await;
    world.annotate("WorkflowPrompt", "status", "approved-digest", prompt["status"]["proposal"]["digest"].clone()).await;
    println!("{} objects of examples/ in two Kustomizations", first.len() + objects.len());

    for round in 0..ROUNDS {
        let asked_at = json!(round.to_string());
        for (kind, name) in ASKED {
            world.annotate(kind, name, "requested-at", asked_at.clone()).await;
        }
        for (one, objects) in [(&n8n, &first), (&flux, &objects)] {
            let again = one.reconcile(objects);
            assert_eq!((again.with("unchanged").len(), again.actions()), (objects.len(), objects.len()), "round {round}: {again:?}");
            assert!(again.is_healthy(), "{again:?}");
        }
        for (kind, name) in ASKED {
            world.until_kind(kind, name, "the request is handled", |object| object["status"]["lastHandledRequestedAt"] == asked_at).await;
        }
    }
    for object in first.iter().chain(&objects).filter(|object| object["kind"] != "ConfigMap") {
        let (kind, name) = (object["kind"].as_str().expect("a kind"), object["metadata"]["name"].as_str().expect("a name"));
        let api = world.api_in(object["metadata"]["namespace"].as_str().expect("a namespace"), kind);
        let live = serde_json::to_value(api.get(name).await.expect("the object exists")).expect("JSON");
        let entries = live["metadata"]["managedFields"].as_array().expect("managedFields");
        let owners = entries.iter().filter(|entry| entry["fieldsV1"].get("f:spec").is_some()).filter_map(|entry| entry["manager"].as_str());
        assert_eq!(owners.collect::<Vec<_>>(), ["kustomize-controller"], "{kind} {name}");
    }

    // An edit is applied once, and what is removed from Git goes, in n8n as well.
    let hello = world.get("hello").await;
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
async fn a_kustomization_whose_instance_does_not_answer_holds_up_those_that_depend_on_it() {
    let (_standin, world) = World::on_stand_in("flux-depends", json!({})).await;
    let [mut n8n, flux] = ["n8n", "workflows"].map(|name| Kustomization::of(&world, "kustomizations.yaml", name));
    n8n.asked["spec"]["timeout"] = json!("20s");
    let mut instance = example(&world, "n8ninstance.yaml").remove(0);
    // Nothing listens there.
    instance["spec"]["url"] = json!("http://127.0.0.1:1");
    instance["metadata"]["name"] = json!("away");
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "n8n-api-key" }, "stringData": { "apiKey": "none" } });
    world.apply(secret).await;
    let mut workflow = example(&world, "workflow.yaml").remove(0);
    workflow["spec"]["instanceRef"]["name"] = json!("away");
    // As Flux: the next one starts only if the one before is Ready.
    let mut reconciled = Vec::new();
    for (one, objects) in in_order(&[&flux, &n8n]).into_iter().zip([vec![instance], vec![workflow]]) {
        let reported = one.reconcile(&objects);
        let healthy = reported.is_healthy();
        reconciled.push(reported);
        if !healthy {
            break;
        }
    }
    let [failed] = reconciled.as_slice() else { panic!("{reconciled:?}") };
    let status = failed.0.iter().find(|line| line["status"] == "InProgress").expect("the status of the instance");
    println!("{status}");
    assert_eq!(status["subject"], format!("N8nInstance/{}/away", world.namespace), "{failed:?}");
    assert!(status["message"].as_str().is_some_and(|message| message.contains("cannot connect")), "it says what is wrong: {status}");
    assert!(world.get("hello").await.is_null(), "the Workflow was not applied");
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
    let (valid, said) = validated(&text);
    assert!(valid, "{said}");
    // The example for promotion has such code in a ConfigMap.
    for overlay in ["promotion/dev", "promotion/prod"] {
        let objects = example(&world, overlay);
        let (ok, text) = substituted(&objects);
        assert!(ok, "{text}");
        let map = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("a ConfigMap");
        let rendered: Vec<Value> = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect();
        assert!(rendered.iter().any(|object| object["data"] == map["data"]), "{text}");
        let (valid, said) = validated(&text);
        assert!(valid && said.contains(": 0 errors"), "{overlay}: {said}");
        // Without the annotation, the variable is replaced or refused.
        let destroyed: Vec<Value> = objects
            .iter()
            .cloned()
            .map(|mut object| {
                object["metadata"].as_object_mut().expect("metadata").remove("annotations");
                object
            })
            .collect();
        let (ok, text) = substituted(&destroyed);
        assert!(!ok || !text.contains("${item.json.body.order}"), "{text}");
    }
}

/// Returns whether `weirkeeper validate` accepts manifests, and what it says.
fn validated(text: &str) -> (bool, String) {
    let mut validate = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    validate.args(["validate", "-"]);
    let output = run(validate, text);
    (output.ok, output.out + &output.err)
}
