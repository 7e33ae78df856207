//! `weirkeeper verdict` on the real n8n: its output, and that it leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::n8n::{N8n, answering, with_node};
use crate::harness::world::World;

/// A folder of workflows, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(world: &World, workflows: &[(&str, Value)]) -> Self {
        let folder = std::env::temp_dir().join(format!("{}-verdict", world.namespace));
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, workflow) in workflows {
            std::fs::write(folder.join(format!("{name}.json")), workflow.to_string()).expect("a file");
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(world: &World, folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    command.args(["verdict", "--url", &world.stack.n8n_url(), "--output", "json", "--api-key-file"]);
    command.arg(world.stack.dir.join("n8n-api-key")).arg(&folder.0);
    command
}

/// Returns the lines, by the name of the file without its extension.
fn lines(output: &Output) -> Vec<(String, Value)> {
    let name =
        |line: &Value| PathBuf::from(line["file"].as_str().expect("a file")).file_stem().expect("a name").to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).map(|line: Value| (name(&line), line)).collect()
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
    let world = World::on_real_n8n("verdict").await;
    let path = |name: &str| format!("{}/{name}", world.namespace);
    let serving =
        world.n8n.api("POST", "/workflows", Some(answering(&path("fine"), "1"))).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.n8n.api("POST", &format!("/workflows/{serving}/publish"), Some(json!({}))).await.status, 200);
    let raw = |json: &str| node("Raw", "n8n-nodes-base.set", 3.4, json!({"mode": "raw", "jsonOutput": json, "options": {}}));
    let with = |node: Value| doing(&path("fine"), node);
    let folder = Folder::new(
        &world,
        &[
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
        ],
    );
    let output = command(&world, &folder).arg("--write-scratch-workflows").output().expect("the command runs");
    let reported = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{reported}{}", String::from_utf8_lossy(&output.stdout));
    let lines = lines(&output);
    let message = |name: &str| {
        let line = &lines.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("a line for {name}")).1;
        let remarks = line["remarks"].as_array().expect("remarks").iter();
        let words = remarks.map(|one| format!("{} {} {}", one["outcome"], one["subject"], one["what"]).replace('"', ""));
        (line["answer"].as_str().expect("an answer").to_owned(), words.collect::<Vec<_>>())
    };
    let refused = |words: &str| ("refused".to_owned(), vec![words.to_owned()]);
    assert_eq!(message("fine"), ("passed".to_owned(), vec![]));
    assert_eq!(message("calls"), refused("agreed parameter url"));
    assert_eq!(message("tells"), refused("agreed credential telegramApi"));
    assert_eq!(message("typed"), refused("agreed parameter jsonOutput"));
    assert_eq!(message("unknown"), refused("agreed nodeType n8n-nodes-base.doesNotExist"));
    assert_eq!(message("still"), refused("agreed trigger nothing starts the workflow"));
    until_none_is_left(&world.n8n).await;
    assert_eq!(world.n8n.webhook("GET", &path("fine")).await.status, 200, "the published version stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_nothing_is_sent_and_a_difference_sets_the_exit_code() {
    let world = World::on_real_n8n("verdict-exit").await;
    let folder = Folder::new(
        &world,
        &[(
            "tells",
            doing(
                &format!("{}/a", world.namespace),
                node("Tell", "n8n-nodes-base.telegram", 1.2, json!({"chatId": "1", "text": "hi", "additionalFields": {}})),
            ),
        )],
    );
    let refused = command(&world, &folder).output().expect("the command runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--write-scratch-workflows") && refused.stdout.is_empty());
    // A catalogue of another n8n, in which that node requires no credential and another parameter.
    let other = folder.0.join("other");
    for (package, nodes) in [("n8n-nodes-base", catalogue()), ("@n8n/n8n-nodes-langchain", json!([]))] {
        let types = other.join("node_modules").join(package).join("dist/types");
        std::fs::create_dir_all(&types).expect("a folder");
        std::fs::write(types.join("nodes.json"), nodes.to_string()).expect("a file");
        std::fs::write(types.join("../../package.json"), json!({"name": package, "version": "1.0.0"}).to_string()).expect("a file");
    }
    let file = folder.0.join("tells.json");
    let mut differing = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    differing.args(["verdict", "--write-scratch-workflows", "--url", &world.stack.n8n_url(), "--api-key-file"]);
    let output =
        differing.arg(world.stack.dir.join("n8n-api-key")).arg("--catalog").arg(&other).arg(&file).output().expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("node \"Tell\": missed: n8n refuses the credential: telegramApi"), "{text}");
    assert!(text.contains("node \"Tell\": false: n8n accepts the parameter: parameter-missing"), "{text}");
    let unreachable = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["verdict", "--write-scratch-workflows", "--url", "http://127.0.0.1:1"])
        .arg(&file)
        .env("WEIRKEEPER_N8N_API_KEY", "words-that-are-a-key")
        .output()
        .expect("the command runs");
    assert_eq!(unreachable.status.code(), Some(2));
    until_none_is_left(&world.n8n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_leaves_nothing_behind() {
    let world = World::on_real_n8n("verdict-interrupted").await;
    let names: Vec<String> = (0..400).map(|number| format!("w{number}")).collect();
    let workflow = answering(&format!("{}/a", world.namespace), "1");
    let folder = Folder::new(&world, &names.iter().map(|name| (name.as_str(), workflow.clone())).collect::<Vec<_>>());
    let mut running =
        command(&world, &folder).arg("--write-scratch-workflows").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut first = String::new();
    BufReader::new(running.stdout.as_mut().expect("its output")).read_line(&mut first).expect("a line");
    let reported = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill runs");
    assert!(reported.success());
    let output = running.wait_with_output().expect("it ends");
    let reported = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{reported}");
    assert!(reported.contains("interrupted after") && reported.contains("of 400 workflows"), "{reported}");
    until_none_is_left(&world.n8n).await;
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
