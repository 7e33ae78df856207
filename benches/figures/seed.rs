//! Copies of a Ready Workflow, written by the benchmark itself with the status that the operator would write. An operator takes minutes for
//! ten thousand, which say nothing about the start after them. For figures in which none is reconciled on its own: their digests are those
//! of the first.

use futures::{StreamExt, stream};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::N8n;
use crate::harness::world::World;
use crate::idle::path;

const AT_ONCE: usize = 16;

/// Copies the first object, with its workflow in n8n, until there are so many. `at` returns the name of the N8nInstance of each, and its n8n.
/// No operator may run.
pub async fn copies(world: &World, objects: usize, at: impl Fn(usize) -> (String, N8n)) {
    let first = world.get("w-00000").await;
    let id = first["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    let remote = world.n8n.workflow(&id).await;
    let started = std::time::Instant::now();
    stream::iter(1..objects).for_each_concurrent(AT_ONCE, |number| copy(world, &first, &remote, number, at(number))).await;
    eprintln!("  {objects} copies after {:.0} s", started.elapsed().as_secs_f64());
}

async fn copy(world: &World, first: &Value, remote: &Value, number: usize, (instance, n8n): (String, N8n)) {
    let name = format!("w-{number:05}");
    // The path is also part of the name.
    let (old, new) = (path(world, 0), path(world, number));
    let renamed = |value: &Value| -> Value {
        let text = value.to_string().replace(&format!("{old}\""), &format!("{new}\"")).replace("w-00000", &name);
        serde_json::from_str(&text).expect("JSON")
    };
    let meta = json!({ "name": name, "finalizers": first["metadata"]["finalizers"] });
    let mut spec = renamed(&first["spec"]);
    spec["instanceRef"] = json!({ "name": instance });
    let object = json!({ "apiVersion": first["apiVersion"], "kind": "Workflow", "metadata": meta, "spec": spec });
    let applied = world.try_apply(object).await.expect("the API server takes the Workflow");
    let (uid, generation) = (applied.uid().expect("a UID"), applied.metadata.generation.unwrap_or(0));
    let first_uid = first["metadata"]["uid"].as_str().expect("a UID");
    let settings: Value = serde_json::from_str(&renamed(&remote["settings"]).to_string().replace(first_uid, &uid)).expect("JSON");
    let body = json!({ "name": renamed(&remote["name"]), "nodes": renamed(&remote["nodes"]), "connections": remote["connections"], "settings": settings });
    let made = n8n.api("POST", "/workflows", Some(body)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
    assert_eq!(published.status, 200, "{}", published.text);
    let mut status = renamed(&first["status"]);
    status["n8nWorkflowId"] = json!(id);
    status["history"][0]["n8nVersionId"] = published.json()["activeVersionId"].clone();
    status["observedGeneration"] = json!(generation);
    for condition in status["conditions"].as_array_mut().expect("conditions") {
        condition["observedGeneration"] = json!(generation);
    }
    let patch = Patch::Merge(json!({ "status": status }));
    world.api("Workflow").patch_status(&name, &PatchParams::default(), &patch).await.expect("the API server patches");
}
