//! The example for promotion: one definition, two environments, built by kustomize, valid, and accepted by the API server.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::kubectl::kubectl;
use crate::harness::stack::Stack;
use crate::harness::world::World;

/// Returns what kustomize makes of an overlay, after `weirkeeper validate` has read it.
fn rendered(world: &World, overlay: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/promotion").join(overlay);
    let text = kubectl(world, &["kustomize", path.to_str().expect("a path")], None).text();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weirkeeper"))
        .args(["validate", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("weirkeeper runs");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("weirkeeper reads");
    let output = child.wait_with_output().expect("weirkeeper ends");
    assert!(output.status.success(), "{overlay}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}

fn of<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overlays_of_the_promotion_example_share_a_definition_and_differ_in_what_is_theirs() {
    let world = World::bare(Stack::shared(), "promotion", "http://127.0.0.1:1", "none").await;
    let (dev, prod) = (rendered(&world, "dev"), rendered(&world, "prod"));
    assert_eq!(of(&dev, "ConfigMap")["data"], of(&prod, "ConfigMap")["data"]);
    let name = &of(&dev, "ConfigMap")["metadata"]["name"];
    for (objects, namespace, url) in [(&dev, "dev", "https://n8n.dev.example.com"), (&prod, "prod", "https://n8n.example.com")] {
        let workflow = of(objects, "Workflow");
        // The hashed name follows into the Workflow: an edit of the definition is an edit of the object.
        assert_eq!(&workflow["spec"]["definitionFrom"]["configMapKeyRef"]["name"], name);
        assert_eq!((&workflow["metadata"]["namespace"], &of(objects, "N8nInstance")["spec"]["url"]), (&json!(namespace), &json!(url)));
        for object in objects {
            let mut here = object.clone();
            here["metadata"]["namespace"] = json!(world.namespace);
            kubectl(&world, &["apply", "--server-side", "--dry-run=server", "-f", "-"], Some(&here)).text();
        }
    }
    assert_eq!(of(&dev, "Workflow")["spec"]["rollback"], "Manual");
    assert_eq!(of(&prod, "Workflow")["spec"]["healthCheck"]["bakeTime"], "1h");
}
