//! The output of `weirkeeper import` is accepted by the API server, adopts the workflows, and changes nothing in the real n8n.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::kubectl::read;
use crate::harness::n8n::{N8n, answering, with_node};
use crate::harness::world::World;

/// Runs the command and returns the objects as kubectl reads them.
fn import(world: &World, arguments: &[&str]) -> (Vec<Value>, String) {
    let key = world.stack.dir.join("n8n-api-key");
    let run = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["import", "--url", &world.stack.n8n_url(), "--instance", "main", "--api-key-file"])
        .arg(key)
        .args(arguments)
        .output()
        .expect("the binary runs");
    let reported = String::from_utf8(run.stderr).expect("text");
    assert!(run.status.success(), "{reported}");
    let items = read(world, &String::from_utf8(run.stdout).expect("text"));
    let bare = |item: Value| json!({ "apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": { "name": item["metadata"]["name"] }, "spec": item["spec"] });
    (items.into_iter().map(bare).collect(), reported)
}

async fn made(n8n: &N8n, definition: Value) -> String {
    let made = n8n.api("POST", "/workflows", Some(definition)).await;
    let id = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    assert_eq!(published.status, 200, "{}", published.text);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_workflows_are_adopted_and_stay_as_they_are() {
    let world = World::on_real_n8n("import").await;
    let data = json!({ "user": "u", "password": format!("{:x}", crate::harness::stack::rand()) });
    let credential = json!({ "name": format!("Shop {}", world.namespace), "type": "httpBasicAuth", "data": data });
    let credential = world.n8n.api("POST", "/credentials", Some(credential)).await.json()["id"].as_str().unwrap().to_owned();
    let path = |name: &str| format!("{}/{name}", world.namespace);
    let child = made(&world.n8n, answering(&path("child"), "no")).await;
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0],
        "parameters": { "workflowId": { "__rl": true, "mode": "id", "value": child } } });
    let ask = json!({ "name": "Ask", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [600, 0],
        "parameters": { "url": "https://example.com", "authentication": "genericCredentialType", "genericAuthType": "httpBasicAuth", "options": {} },
        "credentials": { "httpBasicAuth": { "id": credential, "name": "Shop" } } });
    let code = json!({ "name": "Code", "type": "n8n-nodes-base.code", "typeVersion": 2, "position": [800, 0],
        "parameters": { "jsCode": "// on: no\nconst t = '12:30';\n\n  return [];\n" } });
    let parent = with_node(with_node(with_node(answering(&path("parent"), "12:30"), call), ask), code);
    let parent = made(&world.n8n, parent).await;
    let before = [world.n8n.workflow(&parent).await, world.n8n.workflow(&child).await];
    // The published version is imported, not the draft.
    world.n8n.edit(&parent, false, |workflow| workflow["nodes"][0]["position"] = json!([7, 7])).await;

    let (objects, reported) = import(&world, &["--id", &parent, &child]);
    assert!(reported.contains("the draft differs"), "{reported}");
    assert_eq!(objects.len(), 2, "{reported}");
    let mut names = Vec::new();
    for object in &objects {
        names.push(object["metadata"]["name"].as_str().unwrap().to_owned());
        world.apply(object.clone()).await;
    }
    for name in &names {
        let object = world.until(name, "its published content is confirmed", |object| object["status"]["activeVersion"].is_number()).await;
        assert!(object["spec"]["adopt"]["id"].is_string());
    }
    let after = [world.n8n.workflow(&parent).await, world.n8n.workflow(&child).await];
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["activeVersionId"], after["activeVersionId"], "the same version is published");
        assert_eq!((&before["nodes"], &before["connections"]), (&after["nodes"], &after["connections"]));
    }
    let child_object = objects.iter().find(|object| object["spec"]["adopt"]["id"] == child.as_str()).unwrap();
    world.until_ready(child_object["metadata"]["name"].as_str().unwrap()).await;
    assert_eq!(before[1]["versionId"], world.n8n.workflow(&child).await["versionId"]);
    let parent_object = objects.iter().find(|object| object["spec"]["adopt"]["id"] == parent.as_str()).unwrap();
    world.until_ready(parent_object["metadata"]["name"].as_str().unwrap()).await;
    let (again, reported) = import(&world, &["--id", &parent, "--managed"]);
    assert!(again[0]["spec"]["definition"]["settings"]["customTelemetryTags"].is_null(), "{reported}");
}

/// Runs the command with an output folder and returns its exit code and its messages.
fn import_into(world: &World, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["import", "--url", &world.stack.n8n_url(), "--instance", "main", "--api-key-file"])
        .arg(world.stack.dir.join("n8n-api-key"))
        .arg("--output-dir")
        .arg(folder)
        .args(arguments)
        .output()
        .expect("the binary runs");
    (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
}

/// Returns the files of a folder with their text, by name.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        (path.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read_to_string(&path).expect("text"))
    };
    let mut found: Vec<_> = std::fs::read_dir(folder).expect("the folder").map(read).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_by_tag_is_the_same_byte_for_byte_when_repeated() {
    let world = World::on_real_n8n("import-folder").await;
    let tag = format!("import-{:x}", crate::harness::stack::rand());
    let tagged = world.n8n.api("POST", "/tags", Some(json!({ "name": tag }))).await.json()["id"].clone();
    let title = format!("Twin {}", world.namespace);
    let word = format!("{:x}", crate::harness::stack::rand());
    let mut ids = Vec::new();
    for name in ["one", "two", "large", "old", "other"] {
        let mut workflow = answering(&format!("{}/{name}", world.namespace), "1");
        workflow["name"] = json!(if matches!(name, "one" | "two") { title.clone() } else { format!("{name} {}", world.namespace) });
        workflow["pinData"] = json!({ "Webhook": [{ "json": { "pinned": word } }] });
        workflow["staticData"] = json!({ "node:Webhook": { "kept": word } });
        if name == "large" {
            let code = format!("// {}\nreturn [];", "x".repeat(250_000));
            let node = json!({ "id": "c", "name": "Code", "type": "n8n-nodes-base.code", "typeVersion": 2, "position": [400, 0], "parameters": { "jsCode": code } });
            workflow = with_node(workflow, node);
        }
        let id = made(&world.n8n, workflow).await;
        if name != "other" {
            let answer = world.n8n.api("PUT", &format!("/workflows/{id}/tags"), Some(json!([{ "id": tagged }]))).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        if name == "old" {
            world.n8n.api("POST", &format!("/workflows/{id}/archive"), None).await;
        }
        ids.push(id);
    }
    let folder = std::env::temp_dir().join(format!("{}-import-folder", world.namespace));
    let (code, reported) = import_into(&world, &folder, &["--tag", &tag]);
    assert_eq!(code, Some(0), "{reported}");
    assert!(reported.contains("left out: it is archived") && reported.contains("3 imported, 1 left out"), "{reported}");
    let first = texts(&folder);
    let twins: Vec<&(String, String)> = first.iter().filter(|(name, _)| name.starts_with("twin-")).collect();
    assert_eq!((first.len(), twins.len()), (3, 2), "two of one name have a file each");
    let holds = |(_, text): &&&(String, String), id: &String| text.contains(id.as_str());
    assert!(twins.iter().any(|file| holds(&file, &ids[0])) && twins.iter().any(|file| holds(&file, &ids[1])));
    let key = std::fs::read_to_string(world.stack.dir.join("n8n-api-key")).expect("the key");
    for (name, text) in &first {
        assert!(!text.contains(&word) && !text.contains(key.trim()), "{name} holds pinned data, static data or the key");
        assert!(text.contains(&tag), "{name}");
    }
    let large = &first.iter().find(|(name, _)| name.starts_with("large-")).expect("the large one").1;
    assert!(large.contains("kind: ConfigMap") && large.contains("definitionFrom:"), "too large to stand inline");
    let valid = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["validate", "--output", "json"])
        .arg(&folder)
        .output()
        .expect("the binary runs");
    assert_eq!(valid.status.code(), Some(0), "{}", String::from_utf8_lossy(&valid.stdout));
    let taken = Command::new(world.stack.kubectl())
        .args(["create", "--dry-run=server", "-n", &world.namespace, "-f"])
        .arg(&folder)
        .env("KUBECONFIG", world.stack.kubeconfig("admin"))
        .output()
        .expect("kubectl runs");
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));

    // Existing files are not overwritten, and nothing else is written.
    std::fs::remove_file(folder.join(&first[0].0)).expect("the file is removed");
    let (code, reported) = import_into(&world, &folder, &["--tag", &tag]);
    assert_eq!(code, Some(1), "{reported}");
    assert!(reported.contains(&first[1].0) && reported.contains("--force"), "{reported}");
    assert_eq!(texts(&folder), first[1..]);
    let (code, reported) = import_into(&world, &folder, &["--tag", &tag, "--force"]);
    assert_eq!(code, Some(0), "{reported}");
    assert_eq!(texts(&folder), first, "the same workflows give the same text");
    // A selection gives the same names as all.
    let alone = folder.join("alone");
    let (code, reported) = import_into(&world, &alone, &["--id", &ids[1]]);
    assert_eq!(code, Some(0), "{reported}");
    assert!(first.contains(&texts(&alone)[0]));
    let (code, reported) = import_into(&world, &alone, &["--id", "nosuchworkflow01"]);
    assert_eq!(code, Some(1), "{reported}");
    let _ = std::fs::remove_dir_all(&folder);
}
