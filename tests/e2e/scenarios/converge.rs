//! A property: after any sequence of edits of the spec, edits in n8n and faults, the object converges under Revert to the last good spec,
//! with at most one workflow in n8n.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::dice::Dice;
use crate::harness::n8n::{N8n, answering, with_node};
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Fault, Rule, StandIn};

/// A step of a sequence.
#[derive(Clone, Copy, Debug)]
enum Deed {
    EditSpec,
    /// A version that n8n refuses to publish.
    BreakSpec,
    PublishOther,
    SaveDraft,
    Unpublish,
    Rename,
    Archive,
    Delete,
    /// The next write to n8n fails, if n8n is the stand-in.
    Fault,
}

const DEEDS: [Deed; 9] = [
    Deed::EditSpec,
    Deed::BreakSpec,
    Deed::PublishOther,
    Deed::SaveDraft,
    Deed::Unpublish,
    Deed::Rename,
    Deed::Archive,
    Deed::Delete,
    Deed::Fault,
];

/// The state that the spec asks for, and the expected answer.
struct State {
    path: String,
    version: u32,
    good: u32,
}

async fn apply(world: &World, name: &str, state: &State, broken: bool) {
    let mut definition = answering(&state.path, &state.version.to_string());
    if broken {
        let odd = json!({ "name": "Odd", "type": "n8n-nodes-acme.doesNotExist", "typeVersion": 1, "position": [0, 300], "parameters": {} });
        definition = with_node(definition, odd);
    }
    world.workflow(name, json!({ "active": true, "interval": "1s", "definition": definition })).await;
}

/// Changes a workflow in n8n. It may be gone or archived at the moment; a user would see the same error.
async fn meddle(n8n: &N8n, id: &str, deed: Deed) {
    let post = async |verb: &str| drop(n8n.api("POST", &format!("/workflows/{id}/{verb}"), Some(json!({}))).await);
    match deed {
        Deed::Unpublish => post("unpublish").await,
        Deed::Archive => post("archive").await,
        Deed::Delete => n8n.delete(id).await,
        _ => {
            let mut workflow = n8n.workflow(id).await;
            if workflow["nodes"].is_null() {
                return;
            }
            match deed {
                Deed::Rename => workflow["name"] = json!("Renamed by hand"),
                _ => workflow["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("by hand"),
            }
            let body = json!({ "name": workflow["name"], "nodes": workflow["nodes"], "connections": workflow["connections"], "settings": workflow["settings"] });
            let publish = !matches!(deed, Deed::SaveDraft);
            drop(n8n.api("PUT", &format!("/workflows/{id}?publishIfActive={publish}"), Some(body)).await);
        }
    }
}

/// Waits until the object is Ready with the version of the spec, or rolled back to the last good one, and the webhook answers with that.
async fn becomes_steady(world: &World, name: &str, state: &State, trail: &[Deed]) {
    let wanted = |object: &Value| {
        let rolled_back = state.good != state.version && condition(object, "RolledBack")["status"] == "True";
        current(object) && (ready(object) && state.good == state.version || rolled_back)
    };
    let object = world.until(name, &format!("it becomes steady after {trail:?}"), wanted).await;
    let (started, good) = (std::time::Instant::now(), state.good.to_string());
    // Drift is noticed at the next interval, so for a moment the edit in n8n may still answer.
    loop {
        let answer = world.n8n.webhook("GET", &state.path).await;
        if answer.json()["version"].as_str() == Some(good.as_str()) {
            break;
        }
        assert!(
            started.elapsed() < crate::harness::world::PATIENCE,
            "{name} answers {} and not {} after {trail:?}\n{:#}\n{}",
            answer.text,
            state.good,
            object["status"],
            world.operator.tail()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.until(name, "it is steady", wanted).await;
    assert_eq!(world.n8n.marked(&world.namespace, name).await.len(), 1, "{trail:?}");
}

/// Runs one random sequence on one object.
async fn play(world: &World, standin: Option<&StandIn>, name: &str, dice: &mut Dice, length: usize) -> Vec<Deed> {
    let mut state = State { path: format!("{}/{name}", world.namespace), version: 1, good: 1 };
    let mut trail = Vec::new();
    apply(world, name, &state, false).await;
    world.until_ready(name).await;
    // Five reverts within the hour are allowed; a sequence stays below, because contested drift has a test of its own.
    let mut meddled = 0;
    for _ in 0..length {
        let deed = *dice.pick(&DEEDS);
        trail.push(deed);
        match deed {
            Deed::EditSpec | Deed::BreakSpec => {
                // A good version has to exist before a bad one can be rolled back to it.
                becomes_steady(world, name, &state, &trail).await;
                let broken = matches!(deed, Deed::BreakSpec);
                state.version += 1;
                state.good = if broken { state.good } else { state.version };
                apply(world, name, &state, broken).await;
            }
            Deed::Fault => {
                if let Some(standin) = standin {
                    let faults = [
                        Fault::DropAfter,
                        Fault::DropBefore,
                        Fault::HalfBody,
                        Fault::bad_gateway(),
                        Fault::json(500, "Internal server error"),
                    ];
                    let calls = [("PUT", "/api/v1/workflows/*"), ("POST", "/api/v1/workflows/**"), ("GET", "/api/v1/workflows/*")];
                    let (method, path) = *dice.pick(&calls);
                    standin.faults().add(Rule::on(method, path, dice.pick(&faults).clone()).once());
                }
            }
            _ if meddled < 4 => {
                meddled += 1;
                // The fault is for the operator, not for the user of the editor.
                standin.inspect(|standin| standin.faults().clear());
                let id = world.get(name).await["status"]["n8nWorkflowId"].as_str().unwrap_or_default().to_owned();
                meddle(&world.n8n, &id, deed).await;
            }
            _ => {}
        }
        if dice.roll(2) == 0 {
            becomes_steady(world, name, &state, &trail).await;
        }
    }
    // Any draft that was left is replaced by the next real change.
    becomes_steady(world, name, &state, &trail).await;
    state.version += 1;
    state.good = state.version;
    apply(world, name, &state, false).await;
    becomes_steady(world, name, &state, &trail).await;
    trail
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sequence_of_edits_and_faults_converges_on_the_stand_in() {
    let (standin, world) = World::on_stand_in("property", json!({ "requestTimeout": "1s" })).await;
    let mut deeds = 0;
    for case in 0..24_u64 {
        let trail = play(&world, Some(&standin), &format!("p{case}"), &mut Dice(0xc0ff_ee00 + case), 8).await;
        standin.faults().clear();
        deeds += trail.len();
        world.delete(&format!("p{case}")).await;
    }
    assert!(standin.duplicates_seen("weirkeeper.dev/owner").is_empty());
    println!("property: {deeds} deeds in 24 sequences on the stand-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sequence_of_edits_converges_on_the_real_n8n() {
    let world = World::on_real_n8n("realproperty").await;
    let mut deeds = 0;
    for case in 0..5_u64 {
        let trail = play(&world, None, &format!("p{case}"), &mut Dice(0xdec0_de00 + case), 8).await;
        deeds += trail.len();
        world.delete(&format!("p{case}")).await;
    }
    println!("property: {deeds} deeds in 5 sequences on the real n8n");
}
