//! Argo CD: what the API server returns for our examples, after many reconciliations and an edit, differs from Git by nothing that Argo CD
//! compares, and its health checks and actions work on real objects.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::kubectl::{Output, kubectl};
use crate::harness::n8n::{answering, bad_cron};
use crate::harness::world::{World, condition, current};
use crate::scenarios::repository::Repository;

#[path = "../../argocd/lua.rs"]
mod lua;

use lua::Customizations;

/// Number of reconciliations of each object.
const ROUNDS: usize = 10;
/// Kinds of which a reconciliation can be requested.
const ASKED: [&str; 5] = ["Workflow", "WorkflowPrompt", "N8nInstance", "N8nCredential", "ModelProvider"];
/// The field manager of Argo CD.
const ARGO_CD: &str = "argocd-controller";

/// Returns every example as it is in Git of this test, with a Workflow that the policy of the examples denies.
fn examples(repository: &Repository, world: &World) -> Vec<Value> {
    let mut all = repository.objects.clone();
    let mut denied = all.iter().find(|object| object["metadata"]["name"] == "hello").expect("examples/workflow.yaml").clone();
    denied["metadata"]["name"] = json!("denied");
    denied["metadata"]["namespace"] = json!(repository.rules());
    denied["spec"]["instanceRef"]["namespace"] = json!(world.namespace);
    all.push(denied);
    all
}

fn part<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().expect("metadata")
}

fn is_ours(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("weirkeeper.dev/"))
}

/// Returns the objects of each namespace: one kubectl for many objects takes little more time than for one.
fn by_namespace(all: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut found = BTreeMap::<&str, Vec<&Value>>::new();
    for object in all {
        found.entry(part(object, "namespace")).or_default().push(object);
    }
    found
}

/// Runs kubectl on objects of one namespace.
fn on(world: &World, namespace: &str, objects: &[&Value], arguments: &[&str]) -> Output {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl(world, &[&["-n", namespace], arguments, &["-f", "-"]].concat(), Some(&list))
}

/// Applies objects of one namespace as Argo CD does.
fn apply(world: &World, namespace: &str, objects: &[&Value], server_side: bool, more: &[&str]) -> String {
    let manager = format!("--field-manager={ARGO_CD}");
    let server_side = if server_side { &["--server-side"][..] } else { &[] };
    on(world, namespace, objects, &[&["apply", manager.as_str()], server_side, more].concat()).text()
}

async fn live(world: &World, object: &Value) -> Value {
    let api = world.api_in(part(object, "namespace"), object["kind"].as_str().expect("a kind"));
    serde_json::to_value(api.get(part(object, "name")).await.expect("the object exists")).expect("JSON")
}

/// Returns the paths where the live object has not what Git has. A map may have more fields, such as defaults; a list may not, because Argo CD
/// replaces lists as a whole.
fn differences(git: &Value, live: &Value, at: &str) -> Vec<String> {
    match (git, live) {
        (Value::Object(git), Value::Object(live)) => {
            git.iter().flat_map(|(key, value)| differences(value, live.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}"))).collect()
        }
        _ if git == live => Vec::new(),
        _ => vec![format!("{at}: {live} instead of {git}")],
    }
}

/// Asserts that the live objects are what Argo CD expects from Git, by both of its ways to compare.
async fn hold_silent(world: &World, all: &[Value], server_side: bool) {
    for (namespace, objects) in by_namespace(all) {
        let mut live_objects = Vec::new();
        for git in &objects {
            let found = live(world, git).await;
            assert_eq!(differences(git, &found, ""), Vec::<String>::new(), "{} {}", git["kind"], part(git, "name"));
            if is_ours(git) {
                hold_managed_fields(&found);
                hold_generations(&found);
            }
            live_objects.push(found);
        }
        // Server-side diff: a dry run of Argo CD's apply changes nothing.
        if server_side {
            let predicted = apply(world, namespace, &objects, true, &["--dry-run=server", "-o", "json"]);
            let mut predicted: Value = serde_json::from_str(&predicted).expect("JSON");
            let predicted =
                if objects.len() == 1 { vec![predicted] } else { predicted["items"].as_array_mut().expect("a list").split_off(0) };
            assert_eq!(predicted.len(), objects.len());
            for (mut predicted, mut unmanaged) in predicted.into_iter().zip(live_objects) {
                for object in [&mut predicted, &mut unmanaged] {
                    object["metadata"].as_object_mut().expect("metadata").remove("managedFields");
                }
                assert_eq!(predicted, unmanaged, "{} {}", unmanaged["kind"], part(&unmanaged, "name"));
            }
        } else {
            let said = apply(world, namespace, &objects, false, &[]);
            assert_eq!(said.lines().filter(|line| line.ends_with(" unchanged")).count(), objects.len(), "{said}");
            let difference = on(world, namespace, &objects, &["diff"]);
            assert!(difference.ok && difference.out.is_empty(), "{difference:?}");
        }
    }
}

/// Asserts that the operator owns its finalizer and the status, and that nobody shares a field of the spec.
fn hold_managed_fields(object: &Value) {
    let mut owners = Vec::new();
    for entry in object["metadata"]["managedFields"].as_array().expect("managedFields") {
        let (manager, fields) = (entry["manager"].as_str().expect("a manager"), &entry["fieldsV1"]);
        if fields.get("f:spec").is_some() {
            owners.push(manager);
        }
        if manager == ARGO_CD || entry["subresource"] == "status" {
            continue;
        }
        let keys: Vec<&String> = fields.as_object().expect("fields").keys().collect();
        assert_eq!(keys, ["f:metadata"], "{manager}: {fields}");
        let touched: Vec<&String> = fields["f:metadata"].as_object().expect("fields").keys().collect();
        // The annotations are those by which this test requests reconciliations.
        assert!(touched.iter().all(|key| ["f:finalizers", "f:annotations"].contains(&key.as_str())), "{manager}: {touched:?}");
    }
    assert_eq!(owners, [ARGO_CD], "{}: owners of the spec", object["metadata"]["name"]);
}

/// Asserts that the status and each condition are of the current generation.
fn hold_generations(object: &Value) {
    assert!(current(object), "{object:#}");
    for condition in object["status"]["conditions"].as_array().expect("conditions") {
        assert_eq!(
            condition["observedGeneration"], object["metadata"]["generation"],
            "{} {}: {condition}",
            object["kind"], object["metadata"]["name"]
        );
    }
}

/// Waits until the operator has seen the current generation, and the condition Ready is what the table says.
async fn until_applied(world: &World, git: &Value) {
    let name = part(git, "name");
    let reason = match name {
        "denied" => "PolicyDenied",
        // The prompt waits for a person.
        "status" => "ApprovalPending",
        _ => "Succeeded",
    };
    let kind = git["kind"].as_str().expect("a kind");
    let reported = |object: &Value| current(object) && condition(object, "Ready")["reason"] == reason;
    if kind == "Workflow" {
        world.until_in(part(git, "namespace"), name, &format!("Ready is {reason}"), reported).await;
    } else if part(git, "namespace") == world.namespace {
        world.until_kind(kind, name, &format!("Ready is {reason}"), reported).await;
    } else {
        world.until_there(part(git, "namespace"), kind, name, &format!("Ready is {reason}"), reported).await;
    }
}

/// Requests a reconciliation of every object that can be asked, and waits for its end.
async fn reconcile_all(world: &World, all: &[Value], rounds: std::ops::Range<usize>) {
    for round in rounds {
        let asked_at = json!(round.to_string());
        let asked: Vec<&Value> = all.iter().filter(|git| ASKED.iter().any(|kind| git["kind"] == *kind)).collect();
        for git in &asked {
            let patch = json!({ "metadata": { "annotations": { "weirkeeper.dev/requested-at": asked_at } } });
            let api = world.api_in(part(git, "namespace"), git["kind"].as_str().expect("a kind"));
            api.patch(part(git, "name"), &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
        }
        for git in &asked {
            let kind = git["kind"].as_str().expect("a kind");
            world
                .until_there(part(git, "namespace"), kind, part(git, "name"), &format!("round {round} is handled"), |object| {
                    object["status"]["lastHandledRequestedAt"] == asked_at
                })
                .await;
        }
    }
}

/// Applies every example, lets the operator reconcile, edits each in Git with values that are usual traps, and compares after each phase.
async fn stays_silent(name: &str, server_side: bool) {
    let (standin, world) = World::on_stand_in(name, json!({ "allowedNamespaces": { "from": "All" } })).await;
    let repository = Repository::new(&world, &standin).await;
    let mut all = examples(&repository, &world);
    println!("{} objects of examples/", all.len());
    assert!(all.len() >= 30, "only {} objects", all.len());
    for phase in 0..2 {
        for (namespace, objects) in by_namespace(&all) {
            apply(&world, namespace, &objects, server_side, &[]);
        }
        for git in all.iter().filter(|git| is_ours(git)) {
            until_applied(&world, git).await;
        }
        reconcile_all(&world, &all, phase * ROUNDS / 2..(phase + 1) * ROUNDS / 2).await;
        hold_silent(&world, &all, server_side).await;
        for git in all.iter_mut().filter(|git| git["kind"] == "Workflow") {
            // A duration in another unit, empty lists, and defaults that are written out.
            for (field, value) in [
                ("interval", json!("90s")),
                ("tags", json!([])),
                ("references", git["spec"].get("references").cloned().unwrap_or(json!([]))),
                ("driftPolicy", json!("Revert")),
                ("revisionHistoryLimit", json!(10)),
            ] {
                git["spec"][field] = value;
            }
        }
        for git in all.iter_mut().filter(|git| git["kind"] == "N8nInstance") {
            git["spec"]["requestTimeout"] = json!("1m30s");
        }
    }
    let customizations = Customizations::installed();
    for git in all.iter().filter(|git| is_ours(git)) {
        let health = customizations.health(&live(&world, git).await);
        let wanted = match part(git, "name") {
            "denied" => "Degraded",
            "status" => "Progressing",
            _ => "Healthy",
        };
        assert_eq!(health.status, wanted, "{}: {health:?}", part(git, "name"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_sees_no_difference_after_client_side_apply() {
    stays_silent("argocd-client", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_sees_no_difference_after_server_side_apply() {
    stays_silent("argocd-server", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_below_a_definition_have_owners_of_their_own_and_one_removed_from_git_is_removed() {
    let (_standin, world) = World::on_stand_in("argocd-fields", json!({})).await;
    let mut git = json!({
        "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
        "metadata": { "name": "fields", "namespace": world.namespace, "labels": world.labels() },
        "spec": { "instanceRef": { "name": "main" }, "active": true, "definition": answering(&world.namespace, "1") },
    });
    git["spec"]["definition"]["settings"]["timezone"] = json!("Europe/Berlin");
    apply(&world, &world.namespace, &[&git], true, &[]);
    world.until_ready("fields").await;
    let found = live(&world, &git).await;
    let managed = found["metadata"]["managedFields"].as_array().expect("managedFields");
    let own = managed.iter().find(|entry| entry["manager"] == ARGO_CD).expect("Argo CD's entry");
    let definition = &own["fieldsV1"]["f:spec"]["f:definition"];
    // Maps are owned key by key, lists as a whole, as docs/argocd.md says.
    assert!(definition["f:settings"]["f:timezone"].is_object() && definition["f:nodes"] == json!({}), "{definition:#}");
    git["spec"]["definition"]["settings"].as_object_mut().expect("settings").remove("timezone");
    apply(&world, &world.namespace, &[&git], true, &[]);
    world.until_ready("fields").await;
    let found = live(&world, &git).await;
    assert!(found["spec"]["definition"]["settings"].get("timezone").is_none(), "{found:#}");
    hold_silent(&world, std::slice::from_ref(&git), true).await;
}

/// Sends what Argo CD sends for an action, and returns the object.
async fn act(world: &World, name: &str, action: &str) -> Value {
    let object = world.get(name).await;
    let customizations = Customizations::installed();
    let patch = customizations.act(&object, action, &[]).expect("the action works").expect("it changes something");
    let api = world.api("Workflow");
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server patches");
    world.get(name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_of_argo_cd_do_in_the_cluster_what_they_say() {
    let (_standin, world) = World::on_stand_in("argocd-actions", json!({})).await;
    let customizations = Customizations::installed();
    let path = world.namespace.clone();
    world.workflow("hello", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("hello").await;

    act(&world, "hello", "pin").await;
    world.workflow("hello", json!({ "active": true, "definition": answering(&path, "2") })).await;
    let pinned = world.until("hello", "version 1 stays pinned", |object| current(object) && object["status"]["pinnedVersion"] == 1).await;
    assert_eq!(pinned["status"]["activeVersion"], 1);
    act(&world, "hello", "unpin").await;
    world.until("hello", "version 2 is published", |object| object["status"]["activeVersion"] == 2).await;

    act(&world, "hello", "suspend").await;
    let suspended =
        world.until("hello", "it is suspended", |object| current(object) && condition(object, "Ready")["reason"] == "Suspended").await;
    assert_eq!(customizations.health(&suspended).status, "Suspended");
    act(&world, "hello", "resume").await;
    let resumed = world.until("hello", "it goes on", |object| current(object) && condition(object, "Ready")["reason"] == "Succeeded").await;
    assert!(resumed["spec"].get("suspend").is_none(), "{resumed:#}");
    assert_eq!(customizations.health(&resumed).status, "Healthy");

    let stamped = act(&world, "hello", "retry").await["metadata"]["annotations"]["weirkeeper.dev/requested-at"].clone();
    world.until("hello", "the request is handled", |object| object["status"]["lastHandledRequestedAt"] == stamped).await;

    world.workflow("hello", json!({ "active": true, "definition": bad_cron(answering(&path, "3")) })).await;
    let failed = world.until_reason("hello", "Stalled", "RolledBack").await;
    let health = customizations.health(&failed);
    assert!(health.status == "Degraded" && health.message.starts_with("RolledBack: "), "{health:?}");
    let stamped = act(&world, "hello", "reset").await["metadata"]["annotations"]["weirkeeper.dev/reset-at"].clone();
    world.until("hello", "the reset is handled", |object| object["status"]["lastHandledResetAt"] == stamped).await;

    world.api("Workflow").delete("hello", &Default::default()).await.expect("the API server deletes");
}
