//! A cluster that was restored without n8n: the objects are new objects, and take over the workflows of the earlier ones. On the real n8n.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, id};
use crate::harness::world::{World, condition};

fn name(number: usize) -> String {
    format!("a{number}")
}

async fn apply(world: &World, name: &str, version: &str) {
    let definition = answering(&format!("{}/{name}", world.namespace), version);
    world.workflow(name, json!({ "active": true, "definition": definition })).await;
}

/// Returns the UID of `kube-system`.
async fn cluster(world: &World) -> String {
    let namespaces = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(world.admin.clone());
    namespaces.get("kube-system").await.expect("kube-system").metadata.uid.expect("a UID")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_annotation_makes_all_restored_objects_adopt_their_workflows() {
    const OBJECTS: usize = 12;
    let mut world = World::on_real_n8n("restored").await;
    let mut ids = Vec::new();
    for number in 0..OBJECTS {
        apply(&world, &name(number), "1").await;
    }
    for number in 0..OBJECTS {
        ids.push(id(&world.until_ready(&name(number)).await));
    }
    world.operator.kill();
    for number in 0..OBJECTS {
        let stripped = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        world.api("Workflow").patch(&name(number), &PatchParams::default(), &stripped).await.expect("the API server patches");
        world.api("Workflow").delete(&name(number), &DeleteParams::default()).await.expect("the API server deletes");
        world.until(&name(number), "it is gone", Value::is_null).await;
        apply(&world, &name(number), "2").await;
    }
    world.operator.start();
    let cluster = cluster(&world).await;
    for number in 0..OBJECTS {
        let stalled = world.until_reason(&name(number), "Ready", "OwnedByPrevious").await;
        let message = condition(&stalled, "Ready")["message"].as_str().expect("a message");
        assert!(message.contains(&format!("weirkeeper.dev/restored-from={cluster} on the N8nInstance")), "{message}");
    }
    world.annotate("N8nInstance", "main", "restored-from", json!(cluster)).await;
    for (number, before) in ids.iter().enumerate() {
        let object = world.until_ready(&name(number)).await;
        assert_eq!(id(&object), *before, "it has the workflow that it had");
        assert_eq!(world.n8n.marked(&world.namespace, &name(number)).await, std::slice::from_ref(before));
        let path = format!("{}/{}", world.namespace, name(number));
        world.n8n.expect_version(&path, "2").await;
    }
    let message =
        |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("remove the annotation"));
    world.until_kind("N8nInstance", "main", "it says that it takes over", message).await;
    world.annotate("N8nInstance", "main", "restored-from", Value::Null).await;
    world.until_kind("N8nInstance", "main", "it is over", |object| !message(object)).await;
    apply(&world, &name(0), "3").await;
    assert_eq!(id(&world.until_ready(&name(0)).await), ids[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_workflows_of_the_named_cluster_are_adopted() {
    let world = World::on_real_n8n("lost-cluster").await;
    let mut made = Vec::new();
    for (name, cluster) in [("a", "lost"), ("b", "living")] {
        let mut definition = answering(&format!("{}/{name}", world.namespace), "theirs");
        let mark = json!({ "key": "weirkeeper.dev/owner", "value": format!("{cluster}/uid-{name}/{}/{name}", world.namespace) });
        definition["settings"]["customTelemetryTags"] = json!([mark]);
        let answer = world.n8n.api("POST", "/workflows", Some(definition)).await;
        made.push(answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned());
    }
    world.annotate("N8nInstance", "main", "restored-from", json!("lost")).await;
    let taken_in = |object: &Value| object["status"]["restoredFrom"] == "lost";
    world.until_kind("N8nInstance", "main", "the annotation is taken in", taken_in).await;
    for name in ["a", "b"] {
        apply(&world, name, "ours").await;
    }
    let taken = world.until_ready("a").await;
    assert_eq!(id(&taken), made[0]);
    assert_eq!((&taken["status"]["origin"], &taken["status"]["history"][1]["source"]), (&json!("Adopted"), &json!("Adopted")));
    assert!(id(&world.until_ready("b").await) != made[1], "the other cluster may live");
    let left = world.n8n.workflow(&made[1]).await;
    assert!(left.to_string().contains("living/uid-b/"), "its mark stays: {left}");
}
