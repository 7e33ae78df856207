//! An edit of the spec is not a change made in n8n: it is written under every drift policy, even together with a real change, after a kill
//! during a write, and with two operators.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::n8n::{answering, id, set_value};
use crate::harness::world::{PATIENCE, World, condition, current, ready};
use crate::standin::{Fault, Gate, Rule, StandIn};

const POLICIES: [&str; 3] = ["Revert", "Report", "Ignore"];
/// A name that no definition of these tests has.
const DISPLAY: &str = "Prices of the till";

fn path(world: &World, name: &str) -> String {
    format!("{}/{name}", world.namespace)
}

/// Applies version 1 of a workflow with these fields; `active` is absent unless it is among them.
async fn apply(world: &World, name: &str, policy: &str, more: Value) {
    version(world, name, "1", policy, more).await;
}

async fn version(world: &World, name: &str, version: &str, policy: &str, more: Value) {
    let mut spec = json!({ "interval": "1h", "driftPolicy": policy, "definition": answering(&path(world, name), version) });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
}

async fn has_no_drift_event(world: &World, name: &str) {
    let reported = world.events(name).await;
    assert!(reported.iter().all(|(reason, _)| !reason.starts_with("Drift")), "{name}: only the author changed it: {reported:?}");
}

/// Edits `active` and `displayName` more often than the limit of contested drift.
async fn edits_of_the_spec(world: &World, name: &str, policy: &str) {
    apply(world, name, policy, json!({ "active": true })).await;
    let id = id(&world.until_ready(name).await);
    for (at, (more, published)) in [
        (json!({ "active": false }), false),
        (json!({ "active": true }), true),
        (json!({}), true),
        (json!({ "active": false }), false),
        (json!({}), false),
        (json!({ "active": true, "displayName": DISPLAY }), true),
        (json!({ "active": true }), true),
        (json!({ "active": false, "displayName": DISPLAY }), false),
        (json!({ "active": true }), true),
    ]
    .into_iter()
    .enumerate()
    {
        apply(world, name, policy, more.clone()).await;
        let object = world.until_ready(name).await;
        let workflow = world.n8n.workflow(&id).await;
        let own = format!("Answers {}", path(world, name));
        let wanted = more["displayName"].as_str().unwrap_or(&own);
        assert_eq!((&workflow["active"], &workflow["name"]), (&json!(published), &json!(wanted)), "{policy}, edit {at}: {more}");
        world.n8n.answers(&path(world, name), if published { 200 } else { 404 }).await;
        assert_eq!(condition(&object, "Drifted")["status"], "False", "{policy}, edit {at}: {more}: {object:#}");
        assert_eq!(object["status"]["history"].as_array().map(Vec::len), Some(1), "{policy}, edit {at}");
    }
    has_no_drift_event(world, name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_active_or_of_the_name_is_written_under_every_drift_policy() {
    let (_standin, world) = World::on_stand_in("specedits", json!({})).await;
    for policy in POLICIES {
        edits_of_the_spec(&world, &policy.to_lowercase(), policy).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_active_or_of_the_name_is_written_under_every_drift_policy_on_the_real_n8n() {
    let world = World::on_real_n8n("realspecedits").await;
    for policy in POLICIES {
        edits_of_the_spec(&world, &policy.to_lowercase(), policy).await;
    }
}

/// Edits the workflow in n8n, and the spec before the operator reconciles it. Returns the workflow's id.
async fn edited_by_both(world: &mut World, name: &str, policy: &str, active: [bool; 2], more: Value) -> String {
    apply(world, name, policy, json!({ "active": active[0] })).await;
    let id = id(&world.until_ready(name).await);
    world.operator.kill();
    world.n8n.edit(&id, active[0], |workflow| set_value(workflow, "theirs")).await;
    let mut spec = json!({ "active": active[1] });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    apply(world, name, policy, spec).await;
    world.operator.start();
    id
}

async fn edits_beside_a_change(world: &mut World) {
    for policy in POLICIES {
        // Unpublished by the spec, and the draft is the edit made in n8n.
        let name = format!("off-{}", policy.to_lowercase());
        let id = edited_by_both(world, &name, policy, [true, false], json!({})).await;
        let object = world
            .until(&name, "the edit is taken in", |object| current(object) && condition(object, "Drifted")["reason"] != "InSync")
            .await;
        world.n8n.expect_no_workflow(&path(world, &name)).await;
        let workflow = world.n8n.workflow(&id).await;
        let draft = workflow["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"].clone();
        let (reason, kept) = match policy {
            "Revert" => ("DriftReverted", "1"),
            "Report" => ("DriftReported", "theirs"),
            _ => ("DriftIgnored", "theirs"),
        };
        assert_eq!((condition(&object, "Drifted")["reason"].as_str(), draft.as_str()), (Some(reason), Some(kept)), "{object:#}");
        assert_eq!(condition(&object, "Ready")["status"], if policy == "Report" { "False" } else { "True" }, "{object:#}");
        // Renamed by the spec, and the published edit stays where the policy leaves it.
        let name = format!("name-{}", policy.to_lowercase());
        let id = edited_by_both(world, &name, policy, [true, true], json!({ "displayName": DISPLAY })).await;
        let object =
            world.until(&name, "the edit is taken in", |object| current(object) && condition(object, "Drifted")["reason"] == reason).await;
        world.n8n.expect_version(&path(world, &name), kept).await;
        assert_eq!(world.n8n.workflow(&id).await["name"], DISPLAY, "{object:#}");
        if policy == "Revert" {
            world.until_event(&name, "DriftReverted", "reverted a change in n8n").await;
        }
        // Conversely: a user changes the draft of an unpublished workflow, and the spec publishes.
        let name = format!("on-{}", policy.to_lowercase());
        edited_by_both(world, &name, policy, [false, true], json!({})).await;
        let object = world.until_ready(&name).await;
        world.n8n.expect_version(&path(world, &name), "1").await;
        assert_eq!(object["status"]["history"][0]["source"], "Drift", "the draft is kept: {object:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_spec_together_with_a_change_in_n8n_is_written_and_the_change_follows_the_policy() {
    let (_standin, mut world) = World::on_stand_in("both", json!({})).await;
    edits_beside_a_change(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_spec_together_with_a_change_in_n8n_is_written_on_the_real_n8n() {
    let mut world = World::on_real_n8n("realboth").await;
    edits_beside_a_change(&mut world).await;
}

async fn fires(standin: &StandIn, world: &World, rule: usize) {
    let started = Instant::now();
    while standin.faults().fired(rule) == 0 {
        assert!(started.elapsed() < PATIENCE, "n8n got no request\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills the operator when version 2 is written to n8n and the status does not show it yet.
async fn killed_after_the_write(standin: &StandIn, world: &mut World, name: &str, policy: &str, active: bool) -> String {
    apply(world, name, policy, json!({ "active": active })).await;
    let id = id(&world.until_ready(name).await);
    // The update waits until the read back is blocked too.
    let (save, look) = (Gate::shut(), Gate::shut());
    let saves = standin.faults().add(Rule::on("PUT", &format!("/api/v1/workflows/{id}"), Fault::Held(save.clone())));
    version(world, name, "2", policy, json!({ "active": active, "displayName": DISPLAY })).await;
    fires(standin, world, saves).await;
    let looks = standin.faults().add(Rule::on("GET", &format!("/api/v1/workflows/{id}"), Fault::Held(look.clone())));
    save.open();
    fires(standin, world, looks).await;
    world.operator.kill();
    standin.faults().clear();
    look.open();
    assert_eq!(standin.workflow(&id).expect("it is there")["name"], DISPLAY, "version 2 is there");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_an_operator_that_was_killed_is_not_reported_as_a_change_in_n8n() {
    let (standin, mut world) = World::on_stand_in("killedwrite", json!({})).await;
    for (number, policy) in POLICIES.into_iter().enumerate() {
        for (case, active, next, more) in [
            ("same", true, "2", json!({ "active": true, "displayName": DISPLAY })),
            ("back", true, "1", json!({ "active": true })),
            ("on", true, "3", json!({ "active": true, "displayName": "Another" })),
            ("off", true, "2", json!({ "active": false })),
            ("saved", false, "1", json!({ "active": false })),
        ] {
            let name = format!("{case}{number}");
            let id = killed_after_the_write(&standin, &mut world, &name, policy, active).await;
            version(&world, &name, next, policy, more.clone()).await;
            world.operator.start();
            let object = world.until(&name, "it is steady", |object| ready(object) && object["status"]["intent"].is_null()).await;
            let workflow = standin.workflow(&id).expect("it is there");
            assert_eq!(workflow["active"], more["active"], "{name} {policy}");
            assert_eq!(workflow["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"], next, "{name} {policy}");
            assert_eq!(condition(&object, "Drifted")["status"], "False", "{name} {policy}: {object:#}");
            let sources = object["status"]["history"].as_array().expect("a history");
            assert!(sources.iter().all(|one| one["source"] == "Definition"), "nothing was stored as a change of a user: {object:#}");
            has_no_drift_event(&world, &name).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_of_the_same_objects_do_not_report_each_other_as_changes_in_n8n() {
    let (standin, world) = World::on_stand_in("twooperators", json!({ "requestTimeout": "2s" })).await;
    let mut world = world;
    world.operator.restart_with(&["--leader-elect", "off"]);
    let second = world.another_operator("second", &["--leader-elect", "off"]);
    // So that their reconciliations overlap.
    standin.faults().add(Rule::on("*", "/api/v1/workflows/**", Fault::Delay(Duration::from_millis(40))));
    let names = ["a", "b", "c"];
    for round in 1..=6 {
        for name in names {
            let active = json!({ "active": round % 3 != 0, "interval": "1s", "displayName": format!("Name {round}") });
            version(&world, name, &round.to_string(), "Revert", active).await;
        }
        for name in names {
            world.until_ready(name).await;
        }
    }
    for name in names {
        let object = world.get(name).await;
        let versions: Vec<i64> =
            object["status"]["history"].as_array().into_iter().flatten().filter_map(|one| one["version"].as_i64()).collect();
        assert_eq!(versions, [6, 5, 4, 3, 2, 1], "no version is lost: {object:#}");
        assert!(object["status"]["history"].as_array().into_iter().flatten().all(|one| one["source"] == "Definition"), "{object:#}");
        has_no_drift_event(&world, name).await;
        assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1);
    }
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_real_changes_count_as_contested_drift() {
    let (standin, world) = World::on_stand_in("fight", json!({})).await;
    apply(&world, "a", "Revert", json!({ "active": true })).await;
    let id = id(&world.until_ready("a").await);
    // A change that n8n refuses to revert at first counts once.
    standin.ui_rename(&id, "Theirs").expect("the editor saves");
    let refused = standin.faults().add(Rule::on("PUT", "/api/v1/workflows/*", Fault::json(500, "Internal server error")).times(6));
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    let undone = world
        .until("a", "the name is reverted", |object| {
            condition(object, "Drifted")["reason"] == "DriftReverted" && ready(object) && standin.faults().fired(refused) == 6
        })
        .await;
    assert_eq!(undone["status"]["confirmed"]["name"], format!("Answers {}", path(&world, "a")));
    for round in 0..6 {
        apply(&world, "a", "Revert", json!({ "active": round % 2 == 1 })).await;
        world.until_ready("a").await;
    }
    // Four more are reverted, and the next one is left.
    for round in 2..=6 {
        standin.ui_rename(&id, &format!("Theirs {round}")).expect("the editor saves");
        let asked = json!(round.to_string());
        world.annotate("Workflow", "a", "requested-at", asked.clone()).await;
        let seen = world.until("a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == asked).await;
        let contested = condition(&seen, "Drifted")["reason"] == "DriftContested";
        assert_eq!(contested, round == 6, "{round}: {seen:#}");
    }
}
