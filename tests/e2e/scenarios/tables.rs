//! The tables of `kubectl get`: observed state, in lines that fit on a screen.

use serde_json::{Value, json};

use crate::harness::kubectl::kubectl;
use crate::harness::n8n::answering;
use crate::harness::world::{World, condition, current, ready};

/// Width of the widest table with names as short as these.
const WIDEST: usize = 160;

/// Returns a table as lines of cells, with the parts that differ between runs replaced. Cells are separated at the columns of the header.
fn table(world: &World, arguments: &[&str]) -> Vec<Vec<String>> {
    let text = kubectl(world, &[&["get"], arguments].concat(), None).text();
    let header = text.lines().next().expect("a header");
    let starts: Vec<usize> = header
        .match_indices(|c: char| !c.is_whitespace())
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || header[..*at].ends_with("  "))
        .collect();
    let cells = |line: &str| -> Vec<String> {
        let chars: Vec<char> = line.chars().collect();
        let end = |at: usize| starts.get(at + 1).copied().unwrap_or(chars.len()).min(chars.len());
        let cell = |at: usize| chars[starts[at].min(chars.len())..end(at)].iter().collect::<String>().trim().to_owned();
        (0..starts.len()).map(cell).collect()
    };
    let mut lines: Vec<Vec<String>> = text.lines().map(cells).collect();
    let age = lines[0].iter().position(|cell| cell == "AGE").expect("an age");
    for line in &mut lines[1..] {
        line[age] = "AGE".to_owned();
    }
    lines
}

fn column(lines: &[Vec<String>], name: &str, column: &str) -> String {
    let at = lines[0].iter().position(|cell| cell == column).unwrap_or_else(|| panic!("{column} is none of {:?}", lines[0]));
    lines.iter().find(|line| line[0] == name).unwrap_or_else(|| panic!("{name} is missing"))[at].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_get_workflows_shows_the_observed_state_on_short_lines() {
    let (_standin, world) = World::on_stand_in("tables", json!({})).await;
    let path = |name: &str| format!("{}/{name}", world.namespace);
    let spec = |name: &str, more: Value| {
        let mut spec = json!({ "active": true, "definition": answering(&path(name), "1") });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        spec
    };
    world.workflow("serves", spec("serves", json!({}))).await;
    world.workflow("saved", spec("saved", json!({ "active": false }))).await;
    world.workflow("bakes", spec("bakes", json!({ "healthCheck": { "bakeTime": "1h" } }))).await;
    world.workflow("sleeps", spec("sleeps", json!({}))).await;
    world.workflow("pinned", spec("pinned", json!({}))).await;
    let mut invalid = answering(&path("invalid"), "1");
    for number in 0..20 {
        let long = format!("a node whose name is rather long, as names in n8n tend to be, and which is number {number}");
        invalid["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("{{ $json.}}");
        let broken = json!({ "name": long, "type": "n8n-nodes-base.noSuchNode", "typeVersion": 1, "position": [0, 0], "parameters": {} });
        invalid["nodes"].as_array_mut().expect("nodes").push(broken);
    }
    world.workflow("invalid", json!({ "active": true, "definition": invalid })).await;
    world.workflow("lost", json!({ "instanceRef": { "name": "nowhere" }, "definition": answering(&path("lost"), "1") })).await;
    for name in ["serves", "saved", "bakes", "sleeps", "pinned"] {
        world.until_ready(name).await;
    }
    world.until_reason("invalid", "Ready", "InvalidDefinition").await;
    world.until_reason("lost", "Ready", "InstanceNotFound").await;
    world.workflow("sleeps", spec("sleeps", json!({ "suspend": true }))).await;
    world.until("sleeps", "it is suspended", |object| current(object) && condition(object, "Ready")["reason"] == "Suspended").await;
    world.annotate("Workflow", "pinned", "pinned-version", json!("1")).await;
    world.until("pinned", "it is pinned", |object| object["status"]["pinnedVersion"] == 1).await;

    let lines = table(&world, &["nwf"]);
    let wanted = [
        ["NAME", "READY", "REASON", "PUBLISHED", "VERSION", "STATUS", "AGE"],
        ["bakes", "True", "Succeeded", "true", "1", "version 1 is published, baking", "AGE"],
        ["invalid", "False", "InvalidDefinition", "", "", "", "AGE"],
        ["lost", "False", "InstanceNotFound", "", "", "", "AGE"],
        ["pinned", "True", "Succeeded", "true", "1", "version 1 is pinned and published", "AGE"],
        ["saved", "True", "Succeeded", "false", "1", "version 1 is saved and not published", "AGE"],
        ["serves", "True", "Succeeded", "true", "1", "version 1 is published", "AGE"],
        ["sleeps", "True", "Suspended", "true", "1", "version 1 is published, suspended", "AGE"],
    ];
    for (line, wanted) in lines.iter().zip(wanted) {
        for ((cell, wanted), column) in line.iter().zip(wanted).zip(&lines[0]) {
            assert!(cell == wanted || (wanted.is_empty() && column == "STATUS" && !cell.is_empty()), "{column} of {wanted:?}: {line:?}");
        }
    }
    assert_eq!((lines.len(), lines[0].len()), (wanted.len(), wanted[0].len()), "{lines:#?}");
    let text = kubectl(&world, &["get", "nwf"], None).text();
    let widest = text.lines().map(|line| line.chars().count()).max().expect("lines");
    assert!(widest <= WIDEST, "{widest} characters:\n{text}");

    let wide = table(&world, &["nwf", "-o", "wide"]);
    assert_eq!(wide[0][6..], ["AGE", "PINNED", "HEALTH", "INSTANCE", "N8N ID", "MESSAGE"]);
    assert_eq!(column(&wide, "pinned", "PINNED"), "1");
    assert_eq!(column(&wide, "bakes", "HEALTH"), "Baking");
    assert_eq!(column(&wide, "lost", "INSTANCE"), "nowhere");
    assert!(column(&wide, "invalid", "MESSAGE").len() > 400, "the whole message is in the wide table");
    let shown = world.get("serves").await["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    assert_eq!(column(&wide, "serves", "N8N ID"), shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_get_instances_counts_workflows() {
    // The instance is not reconciled meanwhile.
    let (_standin, world) = World::on_stand_in("counted", json!({ "interval": "1h" })).await;
    let counted = |count: i64| move |object: &Value| object["status"]["workflows"] == count;
    world.until_kind("N8nInstance", "main", "it is Ready", ready).await;
    for name in ["a", "b", "c"] {
        world.workflow(name, json!({ "active": true, "definition": answering(&format!("{}/{name}", world.namespace), "1") })).await;
        world.until_ready(name).await;
    }
    world.until_kind("N8nInstance", "main", "three are bound", counted(3)).await;
    world.delete("b").await;
    world.until_kind("N8nInstance", "main", "two are bound", counted(2)).await;
    let lines = table(&world, &["n8ni"]);
    assert_eq!(lines[0], ["NAME", "READY", "REASON", "VERSION", "WORKFLOWS", "STATUS", "AGE"]);
    assert_eq!(lines[1], ["main", "True", "Succeeded", "2.39.10", "2", "n8n 2.39.10 answers", "AGE"]);
    let wide = table(&world, &["n8ni", "-o", "wide"]);
    assert_eq!(wide[0][7..], ["URL", "KEY EXPIRES", "MESSAGE"]);
    world.secret("main-key", "not a key").await;
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    let text = kubectl(&world, &["get", "n8ni"], None).text();
    assert!(text.lines().all(|line| line.chars().count() <= WIDEST), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_edit_the_columns_version_and_status_name_the_same_version() {
    let (_standin, world) = World::on_stand_in("same-version", json!({})).await;
    let path = format!("{}/a", world.namespace);
    let probes = |version: &str| json!({ "probes": [{ "node": "Webhook", "expectedJSON": { "version": version } }] });
    let good = json!({ "active": true, "definition": answering(&path, "1"), "healthCheck": probes("1") });
    world.workflow("a", good).await;
    world.until_ready("a").await;
    // The version is published, and its probe fails: the status is written before the rollback.
    let mut changes = Box::pin(kube::runtime::watcher::watch_object(world.api("Workflow"), "a"));
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2"), "healthCheck": probes("1") })).await;
    let reported = async {
        loop {
            let object = futures::StreamExt::next(&mut changes).await.expect("the watch goes on").expect("a change");
            let object = object.map_or(Value::Null, |object| serde_json::to_value(object).expect("an object is JSON"));
            let (version, status) =
                (&object["status"]["activeVersion"], object["status"]["summary"].as_str().unwrap_or_default().to_owned());
            let other = if *version == 2 { "version 1 is published" } else { "version 2 is published" };
            assert!(!status.starts_with(other), "VERSION {version} beside {status:?}");
            if condition(&object, "RolledBack")["status"] == "True" {
                break;
            }
        }
    };
    tokio::time::timeout(crate::harness::world::PATIENCE, reported).await.expect("it is rolled back");
}
