//! Comparison of the validator with the real n8n: its answer to each workflow is understood, and no scratch workflow stays. The ignored test
//! does so for the workflows of a folder (`make agreement`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::cli::catalog::read as read_catalog;
use weirkeeper::cli::validate::files;
use weirkeeper::manifest::{Report, Source, validate};

use crate::agreement::ask;
use crate::harness::n8n::{N8n, answering, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::World;

fn reports(workflows: &[(&str, Value)]) -> Vec<Report> {
    let source = |(name, workflow): &(&str, Value)| Source { name: (*name).to_owned(), text: Ok(workflow.to_string()), found: false };
    validate(&workflows.iter().map(source).collect::<Vec<_>>(), Catalog::embedded())
}

/// Waits until n8n has no scratch workflow, because other tests create some too.
async fn until_none_is_left(n8n: &N8n) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let listed = n8n.api("GET", "/workflows?limit=250&name=Weirkeeper%20scratch", None).await.json();
        let left = listed["data"].as_array().expect("a list");
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {:?}", left.iter().map(|one| &one["name"]).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Returns a workflow with a webhook, followed by the given node.
fn doing(path: &str, node: Value) -> Value {
    let name = node["name"].clone();
    let mut workflow = with_node(answering(path, "1"), node);
    workflow["connections"]["Answer"] = json!({"main": [[{"node": name, "type": "main", "index": 0}]]});
    workflow
}

fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({"id": name, "name": name, "type": kind, "typeVersion": version, "position": [400, 0], "parameters": parameters})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_workflow_is_submitted_to_n8n_and_none_is_left() {
    let world = World::on_real_n8n("agreement").await;
    let path = |name: &str| format!("{}/{name}", world.namespace);
    let serving =
        world.n8n.api("POST", "/workflows", Some(answering(&path("fine"), "1"))).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.n8n.api("POST", &format!("/workflows/{serving}/publish"), Some(json!({}))).await.status, 200);
    let raw = |json: &str| node("Raw", "n8n-nodes-base.set", 3.4, json!({"mode": "raw", "jsonOutput": json, "options": {}}));
    let with = |node: Value| doing(&path("fine"), node);
    let workflows = [
        // The path of a published workflow does not interfere.
        ("fine", answering(&path("fine"), "1")),
        ("calls", with(node("Ask", "n8n-nodes-base.httpRequest", 4.2, json!({"options": {}})))),
        ("tells", with(node("Tell", "n8n-nodes-base.telegram", 1.2, json!({"chatId": "1", "text": "hi", "additionalFields": {}})))),
        ("typed", with(raw("{ \"a\": {{ $json.b }} }"))),
        ("unknown", with(node("New", "n8n-nodes-base.doesNotExist", 1.0, json!({})))),
        (
            "still",
            json!({"name": "Still", "settings": {}, "connections": {}, "nodes": [node("Nothing", "n8n-nodes-base.noOp", 1.0, json!({}))]}),
        ),
    ];
    let table = ask(&world.n8n, &world.namespace, &reports(&workflows), Catalog::embedded()).await;
    assert!(!table.differs && table.unasked == 0, "{table}");
    let said = |name: &str| {
        let (_, answer, remarks) = table.lines.iter().find(|(file, ..)| file == name).unwrap_or_else(|| panic!("a line for {name}"));
        let words = remarks.iter().map(|one| json!(one));
        let words = words.map(|one| format!("{} {} {}", one["outcome"], one["subject"], one["what"]).replace('"', ""));
        ((*answer).to_owned(), words.collect::<Vec<_>>())
    };
    let refused = |words: &str| ("refused".to_owned(), vec![words.to_owned()]);
    assert_eq!(said("fine"), ("passed".to_owned(), vec![]));
    assert_eq!(said("calls"), refused("agreed parameter url"));
    assert_eq!(said("tells"), refused("agreed credential telegramApi"));
    assert_eq!(said("typed"), refused("agreed parameter jsonOutput"));
    assert_eq!(said("unknown"), refused("agreed nodeType n8n-nodes-base.doesNotExist"));
    assert_eq!(said("still"), refused("agreed trigger nothing starts the workflow"));
    until_none_is_left(&world.n8n).await;
    assert_eq!(world.n8n.webhook("GET", &path("fine")).await.status, 200, "the published version stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_reported_with_its_node() {
    let world = World::on_real_n8n("agreement-differs").await;
    let tells = node("Tell", "n8n-nodes-base.telegram", 1.2, json!({"chatId": "1", "text": "hi", "additionalFields": {}}));
    // A catalogue of another n8n, in which that node requires no credential and another parameter.
    let other = std::env::temp_dir().join(format!("{}-catalogue", world.namespace));
    for (package, nodes) in [("n8n-nodes-base", catalogue()), ("@n8n/n8n-nodes-langchain", json!([]))] {
        let types = other.join("node_modules").join(package).join("dist/types");
        std::fs::create_dir_all(&types).expect("a folder");
        std::fs::write(types.join("nodes.json"), nodes.to_string()).expect("a file");
        std::fs::write(types.join("../../package.json"), json!({"name": package, "version": "1.0.0"}).to_string()).expect("a file");
    }
    let catalog = read_catalog(&other).expect("a catalogue");
    std::fs::remove_dir_all(&other).expect("the folder is removed");
    let workflows = [("tells", doing(&format!("{}/a", world.namespace), tells))];
    let table = ask(&world.n8n, &world.namespace, &reports(&workflows), &catalog).await;
    let text = table.to_string();
    assert!(table.differs, "{text}");
    assert!(text.contains("node \"Tell\": missed: n8n refuses the credential: telegramApi"), "{text}");
    assert!(text.contains("node \"Tell\": false: n8n accepts the parameter: parameter-missing"), "{text}");
    until_none_is_left(&world.n8n).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a folder of workflows: make agreement DIR=…"]
async fn the_validator_agrees_with_n8n_on_the_workflows_of_a_folder() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = variable("WEIRKEEPER_AGREEMENT_DIR").expect("WEIRKEEPER_AGREEMENT_DIR names the folder");
    let n8n = match (variable("N8N_URL"), variable("N8N_API_KEY")) {
        (Some(url), Some(key)) => N8n::new(&url, &key),
        _ => N8n::new(&Stack::shared().n8n_url(), &Stack::shared().n8n_key()),
    };
    let given = variable("WEIRKEEPER_AGREEMENT_CATALOG").map(|path| read_catalog(path.as_ref()).expect("a catalogue"));
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let reports = validate(&files::read(&[folder]), catalog);
    let table = ask(&n8n, &format!("agreement-{}", std::process::id()), &reports, catalog).await;
    println!("{table}");
    assert!(table.unasked == 0 && !table.differs, "n8n and the validator differ, or some workflow has no answer");
}

fn catalogue() -> Value {
    let kind = |name: &str, version: Value, trigger: bool, properties: Value| {
        let group = if trigger { "trigger" } else { "transform" };
        json!({"name": name, "displayName": name, "group": [group], "version": version, "inputs": if trigger { json!([]) } else { json!(["main"]) }, "outputs": ["main"],
               "webhooks": if trigger { json!([{"name": "default", "httpMethod": "GET", "path": "x"}]) } else { json!([]) }, "properties": properties})
    };
    let color = json!([{"name": "color", "displayName": "Color", "type": "string", "default": "", "required": true}]);
    json!([
        kind("webhook", json!([1, 1.1, 2, 2.1]), true, json!([])),
        kind("set", json!([3, 3.1, 3.2, 3.3, 3.4]), false, json!([])),
        kind("telegram", json!([1, 1.1, 1.2]), false, color)
    ])
}
