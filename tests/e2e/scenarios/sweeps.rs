//! One listing in place of a read of each workflow: every change that people make in n8n is seen within the interval all the same, and nothing
//! that did not change is read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::projects::second_project;
use crate::harness::credentials::stand_in;
use crate::harness::n8n::{N8n, answering, id, set_value};
use crate::harness::relay::Relay;
use crate::harness::stack::Stack;
use crate::harness::world::{PATIENCE, World, condition, ready};

/// The shortest interval for which listings are read.
const INTERVAL: Duration = Duration::from_secs(30);
/// Workflows that nobody changes.
const UNTOUCHED: usize = 12;

/// A change that people make in n8n.
struct Change {
    what: &'static str,
    /// Makes the change in the workflow with an id.
    make: fn(&'static str, N8n, String, Beside) -> BoxFuture<'static, ()>,
    /// Tells from the object and from the workflow in n8n whether the operator has noticed it.
    noticed: fn(&Value, &Value) -> bool,
}

/// Beside the workflow: another project, and the credential that one of the workflows uses.
#[derive(Clone)]
struct Beside {
    project: String,
    credential: String,
}

async fn ok(n8n: &N8n, method: &str, path: String, body: Value) {
    let answer = n8n.api(method, &path, (!body.is_null()).then_some(body)).await;
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
}

fn event_is_due(object: &Value) -> bool {
    // A change that was reverted leaves no trace in n8n; the condition tells.
    condition(object, "Drifted")["reason"] == "DriftReverted"
}

fn changes() -> Vec<Change> {
    let change = |what, make, noticed| Change { what, make, noticed };
    vec![
        change(
            "draft saved",
            |_, n8n, id, _| Box::pin(async move { n8n.edit(&id, false, |workflow| set_value(workflow, "edited")).await }),
            |object, _| condition(object, "Drifted")["reason"] == "DraftEdited",
        ),
        change(
            "saved and published",
            |_, n8n, id, _| Box::pin(async move { n8n.edit(&id, true, |workflow| set_value(workflow, "edited")).await }),
            |object, _| event_is_due(object),
        ),
        change(
            "unpublished",
            |_, n8n, id, _| Box::pin(async move { ok(&n8n, "POST", format!("/workflows/{id}/unpublish"), json!({})).await }),
            |object, workflow| event_is_due(object) && workflow["active"] == true,
        ),
        change(
            "a setting",
            |_, n8n, id, _| Box::pin(async move { n8n.edit(&id, false, |one| one["settings"]["executionOrder"] = json!("v0")).await }),
            |object, workflow| event_is_due(object) && workflow["settings"]["executionOrder"] == "v1",
        ),
        change(
            "renamed",
            |_, n8n, id, _| Box::pin(async move { n8n.edit(&id, false, |one| one["name"] = json!("Renamed")).await }),
            |object, workflow| event_is_due(object) && workflow["name"] != "Renamed",
        ),
        change(
            "archived",
            |_, n8n, id, _| Box::pin(async move { ok(&n8n, "POST", format!("/workflows/{id}/archive"), json!({})).await }),
            |_, workflow| workflow["isArchived"] == false && workflow["active"] == true,
        ),
        change(
            "the tags removed",
            |_, n8n, id, _| Box::pin(async move { ok(&n8n, "PUT", format!("/workflows/{id}/tags"), json!([])).await }),
            |_, workflow| workflow["tags"].as_array().is_some_and(|tags| !tags.is_empty()),
        ),
        change(
            "the mark removed",
            |_, n8n, id, _| Box::pin(async move { n8n.edit(&id, false, |one| one["settings"]["customTelemetryTags"] = json!([])).await }),
            |_, workflow| workflow["settings"]["customTelemetryTags"].as_array().is_some_and(|tags| !tags.is_empty()),
        ),
        change(
            "moved to another project",
            |_, n8n, id, beside| {
                let body = json!({ "destinationProjectId": beside.project });
                Box::pin(async move { ok(&n8n, "PUT", format!("/workflows/{id}/transfer"), body).await })
            },
            |object, workflow| workflow["shared"][0]["projectId"] == object["spec"]["project"]["id"],
        ),
        change(
            "deleted",
            |_, n8n, id, _| Box::pin(async move { n8n.delete(&id).await }),
            |object, workflow| ready(object) && workflow["active"] == true,
        ),
        change(
            "an earlier version published",
            |_, n8n, id, _| {
                Box::pin(async move {
                    let before = n8n.workflow(&id).await["versionId"].clone();
                    n8n.edit(&id, true, |workflow| set_value(workflow, "edited")).await;
                    n8n.edit(&id, true, |workflow| set_value(workflow, "edited again")).await;
                    // The draft stays the edited one.
                    ok(&n8n, "POST", format!("/workflows/{id}/publish"), json!({ "versionId": before })).await;
                })
            },
            // A listing between two of these calls finds the edit, which is reverted as one that was published.
            |object, _| event_is_due(object) || condition(object, "Drifted")["reason"] == "DraftEdited",
        ),
        change(
            "its credential deleted",
            |_, n8n, _, beside| {
                Box::pin(async move { ok(&n8n, "DELETE", format!("/credentials/{}", beside.credential), Value::Null).await })
            },
            |object, _| condition(object, "CredentialsReady")["reason"] == "CredentialNotFound",
        ),
    ]
}

fn name(number: usize) -> String {
    format!("w{number:02}")
}

/// Returns the ids of the workflows that were read one by one since the first `from` requests.
fn read_alone(n8n: &Relay, from: usize) -> BTreeSet<String> {
    let reads = n8n.since(from).into_iter().filter(|one| one.method == "GET");
    reads.filter_map(|one| one.path.strip_prefix("/api/v1/workflows/").map(str::to_owned)).filter(|id| !id.contains('/')).collect()
}

fn listings(n8n: &Relay, from: usize) -> usize {
    n8n.since(from).iter().filter(|one| one.path == "/api/v1/workflows" && one.method == "GET").count()
}

async fn until(world: &World, what: &str, holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "timed out: {what}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_in_n8n_is_seen_within_the_interval_and_nothing_else_is_read() {
    // An n8n of its own: it is restarted, and a listing of the shared one has the workflows of all tests.
    let own = Stack::own(&["--only-n8n"]);
    let mut world = World::bare(Stack::shared(), "swept", &own.n8n_url(), &own.n8n_key()).await;
    let n8n = Relay::to(&own.n8n_url());
    world.instance("main", &n8n.url, &own.n8n_key(), json!({ "interval": "1h" })).await;
    let beside = Beside { project: second_project(&own).await, credential: stand_in(&world.n8n, "httpHeaderAuth", "shared").await };
    // Allowed by a policy, and some with a credential and with a bake time: all that may have changed while no operator runs.
    stand_in(&world.n8n, "httpBasicAuth", "kept").await;
    policy(&world, "n8n-nodes-base.ssh").await;
    let home = world.n8n.workflows().await;
    assert!(home.is_empty(), "{home:?}");
    let changes = changes();
    let all = changes.len() + UNTOUCHED;
    // Created first, so that its project can be named.
    world.workflow(&name(0), spec(&world, 0, None, false)).await;
    let made = world.until_ready(&name(0)).await;
    let project = world.n8n.workflow(&id(&made)).await["shared"][0]["projectId"].as_str().expect("a project").to_owned();
    stream::iter(0..all)
        .for_each_concurrent(8, |number| {
            let (world, project, credential) = (&world, &project, changes.get(number).is_some_and(|one| one.what.contains("credential")));
            async move { world.workflow(&name(number), spec(world, number, Some(project), credential)).await }
        })
        .await;
    let mut ids = Vec::new();
    for number in 0..all {
        ids.push(id(&world.until_ready(&name(number)).await));
    }
    // All are covered once a listing replaced their reads.
    until(&world, "a listing replaces the reads", async || {
        let from = n8n.count();
        tokio::time::sleep(INTERVAL).await;
        read_alone(&n8n, from).is_empty()
    })
    .await;

    let from = n8n.count();
    let (changed, mut open): (Instant, Vec<usize>) = (Instant::now(), (0..changes.len()).collect());
    stream::iter(changes.iter().zip(&ids))
        .for_each_concurrent(4, |(change, id)| (change.make)(change.what, world.n8n.clone(), id.clone(), beside.clone()))
        .await;
    let made_within = changed.elapsed();
    while !open.is_empty() {
        let mut left = Vec::new();
        for number in open {
            let object = world.get(&name(number)).await;
            let workflow = match object["status"]["n8nWorkflowId"].as_str() {
                Some(id) => world.n8n.workflow(id).await,
                None => Value::Null,
            };
            if !(changes[number].noticed)(&object, &workflow) {
                left.push(number);
            }
        }
        open = left;
        let missed: Vec<&str> = open.iter().map(|number| changes[*number].what).collect();
        // The time to make the changes, one interval, and some for a debug build to write them back.
        assert!(changed.elapsed() < made_within + INTERVAL * 2, "not seen within the interval: {missed:?}\n{}", world.operator.tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("sweeps: {} changes, made within {made_within:?}, were seen after {:?}", changes.len(), changed.elapsed());
    let read = read_alone(&n8n, from);
    let untouched: Vec<&String> = ids[changes.len()..].iter().filter(|id| read.contains(*id)).collect();
    assert!(untouched.is_empty(), "{} of {UNTOUCHED} unchanged workflows were read", untouched.len());
    // One that finds the changes, and those that search for the deleted workflow before it is created again.
    assert!((1..=6).contains(&listings(&n8n, from)), "{} listings", listings(&n8n, from));

    cold_start(&mut world, &n8n, &ids[changes.len()..]).await;
    restart(&world, &n8n, &own, &ids[changes.len()..]).await;
}

/// A start of the operator confirms what did not change by one listing, and finds a change that was made meanwhile.
async fn cold_start(world: &mut World, n8n: &Relay, untouched: &[String]) {
    world.operator.kill();
    let edited = &untouched[0];
    world.n8n.edit(edited, true, |workflow| set_value(workflow, "edited")).await;
    let from = n8n.count();
    world.operator.start();
    until(world, "the edit is reverted", async || {
        let number = changes().len();
        event_is_due(&world.get(&name(number)).await) && world.n8n.workflow(edited).await["active"] == true
    })
    .await;
    until(world, "all are Ready for the operator", async || {
        let metrics = world.operator.get("/metrics").await.1;
        let ready = metrics.lines().find_map(|line| line.strip_prefix("weirkeeper_workflows{state=\"ready\"} ")?.parse::<usize>().ok());
        ready.is_some_and(|ready| ready >= UNTOUCHED)
    })
    .await;
    let read = read_alone(n8n, from);
    let others: Vec<&String> = untouched[1..].iter().filter(|id| read.contains(*id)).collect();
    assert!(others.is_empty() && read.contains(edited), "{others:?} were read at the start");

    // Another policy may deny what the one before allowed.
    world.operator.kill();
    policy(world, "n8n-nodes-base.git").await;
    let from = n8n.count();
    world.operator.start();
    until(world, "all are reconciled under the changed policy", async || {
        let read = read_alone(n8n, from);
        untouched.iter().all(|id| read.contains(id))
    })
    .await;
}

async fn policy(world: &World, denied: &str) {
    let spec = json!({ "deniedNodeTypes": [denied] });
    let metadata = json!({ "name": "rules", "namespace": world.namespace });
    world.apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": metadata, "spec": spec })).await;
}

/// Webhooks are checked after n8n was started again.
async fn restart(world: &World, n8n: &Relay, own: &Stack, untouched: &[String]) {
    world.annotate("N8nInstance", "main", "requested-at", json!("before")).await;
    world.until_kind("N8nInstance", "main", "it is checked", |one| one["status"]["lastHandledRequestedAt"] == "before").await;
    own.tell(&["restart", "n8n"]);
    let from = n8n.count();
    world.annotate("N8nInstance", "main", "requested-at", json!("after")).await;
    let paths: BTreeSet<String> =
        (changes().len()..changes().len() + untouched.len()).map(|number| format!("/webhook/{}/{number}", world.namespace)).collect();
    until(world, "the webhooks are checked", async || {
        let checked: BTreeSet<String> = n8n.since(from).into_iter().filter(|one| one.method == "OPTIONS").map(|one| one.path).collect();
        paths.is_subset(&checked)
    })
    .await;
}

fn spec(world: &World, number: usize, project: Option<&String>, credential: bool) -> Value {
    let mut definition = answering(&format!("{}/{number}", world.namespace), "1");
    let mut spec = json!({ "active": true, "interval": "30s", "tags": ["swept"] });
    if credential {
        definition["nodes"][0]["parameters"]["authentication"] = json!("headerAuth");
        definition["nodes"][0]["credentials"] = json!({ "httpHeaderAuth": { "id": "OLD", "name": "theirs" } });
        spec["credentials"] = json!([{ "name": "theirs", "existing": { "name": "shared" } }]);
    }
    match number.checked_sub(changes().len()) {
        Some(1) => {
            definition["nodes"][0]["parameters"]["authentication"] = json!("basicAuth");
            definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "theirs" } });
            spec["credentials"] = json!([{ "name": "theirs", "existing": { "name": "kept" } }]);
        }
        Some(2) => spec["healthCheck"] = json!({ "bakeTime": "1s", "minimumExecutions": 1, "maximumErrorRate": 50 }),
        _ => {}
    }
    if let Some(project) = project {
        spec["project"] = json!({ "id": project });
    }
    spec["definition"] = definition;
    spec
}
