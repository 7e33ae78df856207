//! n8n's publication service: it reports a version as published, and sets up the version and its triggers some time after that. The status
//! of a workflow must reflect what n8n really does. On the stand-in and on the real n8n.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{answering, bad_cron, id, with_node};
use crate::harness::stack::{OwnStack, Stack};
use crate::harness::world::{PATIENCE, World, condition, ready};
use crate::standin::{Options, StandIn};

/// Returns a stand-in whose publications are set up with a delay.
async fn on_stand_in(name: &str, delay: Duration) -> (StandIn, World) {
    let standin = StandIn::start(Options { publication_delay: Some(delay), ..Options::default() });
    let world = World::at(&standin.url(), standin.api_key(), name, json!({})).await;
    (standin, world)
}

/// Reports whether the message says that the probe reached an earlier version.
fn early(object: &Value) -> bool {
    condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("an earlier one still answers"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_an_earlier_version_answered_counts_neither_for_nor_against_the_new_one() {
    let (standin, world) = on_stand_in("early", Duration::ZERO).await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), wants("1")).await;
    world.until_ready("a").await;
    standin.publish_after(Duration::from_secs(5));
    apply(&world, "a", answering(&path(&world, "a"), "2"), wants("1")).await;
    world.until("a", "the earlier version was met", early).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ProbeFailed", "{back:#}");
    apply(&world, "a", answering(&path(&world, "a"), "3"), wants("3")).await;
    let three = world.until("a", "version 3 is published", |object| ready(object) && object["status"]["activeVersion"] == 3).await;
    world.n8n.expect_version(&path(&world, "a"), "3").await;
    assert_eq!(&three["status"]["history"][0]["result"], &json!("Good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_saved_executions_a_probe_waits_until_n8n_had_time_to_set_up_the_version() {
    let (standin, world) = on_stand_in("unnoticed", Duration::ZERO).await;
    let unsaved = |version| {
        let mut definition = answering(&path(&world, "a"), version);
        definition["settings"]["saveDataSuccessExecution"] = json!("none");
        definition
    };
    apply(&world, "a", unsaved("1"), wants("1")).await;
    world.until_ready("a").await;
    standin.publish_after(Duration::from_secs(5));
    apply(&world, "a", unsaved("2"), wants("1")).await;
    let message =
        |object: &Value| condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains("saves no executions"));
    world.until("a", "the probe waits", message).await;
    world.until_reason("a", "RolledBack", "RolledBack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_workflow_is_unpublished_before_it_is_deleted() {
    let (standin, world) = on_stand_in("unpublished", Duration::ZERO).await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let bound = id(&world.until_ready("a").await);
    // Longer than one wait of the deletion.
    standin.publish_after(Duration::from_secs(4));
    world.delete("a").await;
    assert!(standin.workflow(&bound).is_none());
    assert!(world.events("a").await.iter().all(|(reason, _)| reason != "CleanupAbandoned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_webhooks_fails_after_the_time_that_the_publication_service_may_take() {
    let (standin, world) = on_stand_in("nevercomes", Duration::from_millis(300)).await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    world.until_ready("a").await;
    standin.publish_after(Duration::from_secs(3600));
    apply(&world, "a", answering(&path(&world, "other"), "2"), json!({})).await;
    world.until_reason("a", "Ready", "NotLive").await;
    // Sets the start to long ago, so that a test need not wait for it.
    let patch = Patch::Merge(json!({ "status": { "intent": { "startedAt": "2020-01-01T00:00:00Z" } } }));
    world.api("Workflow").patch_status("a", &PatchParams::default(), &patch).await.expect("the status is patched");
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "PublishUnconfirmed", "{back:#}");
    world.n8n.expect_version(&path(&world, "a"), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_a_published_version_is_not_live_and_is_published_again() {
    let (standin, world) = on_stand_in("behind", Duration::from_millis(300)).await;
    apply(&world, "a", answering(&path(&world, "a"), "1"), json!({})).await;
    let one = world.until_ready("a").await;
    assert_eq!(condition(&one, "Live")["status"], "True");
    standin.forget_running(&id(&one));
    let lost = world.until_reason("a", "Live", "NotLive").await;
    assert!(condition(&lost, "Live")["message"].as_str().is_some_and(|message| message.contains("no published version")), "{lost:#}");
    world.until("a", "it was published again", |object| ready(object) && condition(object, "Live")["status"] == "True").await;
    world.n8n.expect_version(&path(&world, "a"), "1").await;
}

/// Returns an n8n that processes one publication after the other and repairs nothing itself. It gives up a trigger that hangs after 35 s.
fn own() -> OwnStack {
    let mut flags = vec!["--only-n8n", "--shape", "publication-service"];
    for variable in [
        "N8N_WORKFLOW_PUBLICATION_CONCURRENCY=1",
        "N8N_WORKFLOW_PUBLICATION_OUTBOX_LEASE_SECONDS=50",
        "N8N_WORKFLOW_PUBLICATION_RECONCILE_INTERVAL_SECONDS=3600",
    ] {
        flags.extend(["--n8n-env", variable]);
    }
    Stack::own(&flags)
}

fn path(world: &World, word: &str) -> String {
    format!("{}/{word}", world.namespace)
}

async fn apply(world: &World, name: &str, definition: Value, more: Value) {
    let mut spec = json!({ "active": true, "definition": definition });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow(name, spec).await;
}

/// Returns a health check whose probe expects a version.
fn wants(version: &str) -> Value {
    json!({ "healthCheck": { "probes": [{ "node": "Webhook", "expectedJSON": { "version": version } }] } })
}

/// A service that accepts connections and never responds: a trigger that connects to it hangs.
struct Silent {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            let mut observed = Vec::new();
            for connection in listener.incoming() {
                observed.push(connection);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, connections }
    }

    /// Publishes a workflow whose trigger hangs, and returns when n8n is busy with it.
    async fn occupy(&self, world: &World) {
        let data = json!({ "host": "127.0.0.1", "port": self.port, "database": 0, "user": "", "password": "", "ssl": false });
        let made = world.n8n.api("POST", "/credentials", Some(json!({ "name": "silent", "type": "redis", "data": data }))).await;
        let credential = made.json()["id"].clone();
        let trigger = json!({ "name": "Red", "type": "n8n-nodes-base.redisTrigger", "typeVersion": 1, "position": [0, 300],
            "parameters": { "channels": "x", "options": {} }, "credentials": { "redis": { "id": credential, "name": "silent" } } });
        let before = self.connections.load(Ordering::SeqCst);
        let hanging = with_node(answering(&path(world, &format!("hangs-{before}")), "1"), trigger);
        let made = world.n8n.api("POST", "/workflows", Some(hanging)).await;
        let hangs = made.json()["id"].as_str().expect("an id").to_owned();
        let published = world.n8n.api("POST", &format!("/workflows/{hangs}/publish"), Some(json!({}))).await;
        assert_eq!(published.status, 200, "{}", published.text);
        let started = Instant::now();
        while self.connections.load(Ordering::SeqCst) == before {
            assert!(started.elapsed() < PATIENCE, "n8n does not start the trigger");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_real_n8n_has_not_set_up_yet_is_neither_good_nor_failed() {
    let stack = own();
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "outbox", json!({})).await;
    let silent = Silent::start();
    apply(&world, "a", answering(&path(&world, "a"), "1"), wants("1")).await;
    world.until_ready("a").await;
    // Version 2 fails its probe; version 1, which still responds, passes it.
    silent.occupy(&world).await;
    apply(&world, "a", answering(&path(&world, "a"), "2"), wants("1")).await;
    world.until("a", "the earlier version was met", early).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ProbeFailed", "{back:#}");
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    // Version 3 passes its probe; version 1 does not.
    silent.occupy(&world).await;
    apply(&world, "a", answering(&path(&world, "a"), "3"), wants("3")).await;
    world.until("a", "the earlier version was met", early).await;
    let three = world.until("a", "version 3 is published", |object| ready(object) && object["status"]["activeVersion"] == 3).await;
    world.n8n.expect_version(&path(&world, "a"), "3").await;
    assert_eq!(&three["status"]["history"][0]["result"], &json!("Good"));
    // A workflow whose webhook is not registered within the time for a version to prove itself.
    silent.occupy(&world).await;
    apply(&world, "b", answering(&path(&world, "b"), "1"), wants("1")).await;
    world.until("b", "its webhook is missed", |object| condition(object, "Live")["reason"] == "NotLive").await;
    let ready = world.until_ready("b").await;
    world.n8n.expect_version(&path(&world, "b"), "1").await;
    assert_eq!(&ready["status"]["history"][0]["result"], &json!("Good"));
    assert!(world.events("b").await.iter().all(|(reason, _)| reason != "PublishUnconfirmed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_real_n8n_partial_publications_are_reported_and_a_published_workflow_is_deleted() {
    let stack = own();
    let world = World::at(&stack.n8n_url(), &stack.n8n_key(), "partial", json!({})).await;
    // n8n cannot start the schedule, publishes the rest, and reports that only to logged-in users.
    apply(&world, "partial", bad_cron(answering(&path(&world, "partial"), "1")), json!({})).await;
    let partial = world.until_ready("partial").await;
    assert_eq!(condition(&partial, "Live")["status"], "Unknown", "{partial:#}");
    let message = condition(&partial, "Live")["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("1 production URLs are registered") && message.contains("\"Tick\""), "{message}");
    world.n8n.expect_version(&path(&world, "partial"), "1").await;
    // The route of a webhook outlives its version.
    apply(&world, "route", answering(&path(&world, "route"), "1"), json!({})).await;
    let route = world.until_ready("route").await;
    assert_eq!(condition(&route, "Live")["status"], "True");
    forget_published_version(&stack, &id(&route));
    let answer = world.n8n.webhook("GET", &path(&world, "route")).await;
    assert!(answer.text.contains("Published version not found"), "{}", answer.text);
    let lost = world.until_reason("route", "Live", "NotLive").await;
    assert!(condition(&lost, "Live")["message"].as_str().is_some_and(|message| message.contains("no published version")), "{lost:#}");
    world.until("route", "it was published again", |object| ready(object) && condition(object, "Live")["status"] == "True").await;
    world.n8n.expect_version(&path(&world, "route"), "1").await;
    // n8n answers 409 to the deletion of a published workflow.
    for name in ["partial", "route"] {
        let bound = id(&world.get(name).await);
        world.delete(name).await;
        assert_eq!(world.n8n.workflow(&bound).await["message"], "Not Found", "{name}");
        world.n8n.expect_no_workflow(&path(&world, name)).await;
        assert!(world.events(name).await.iter().all(|(reason, _)| reason != "CleanupAbandoned"), "{name}");
    }
}

/// Removes the record of the published version of a workflow from n8n's database.
fn forget_published_version(stack: &Stack, workflow: &str) {
    let script = "const { DatabaseSync } = require('node:sqlite'); const database = new DatabaseSync(process.argv[1]); \
                  database.exec('PRAGMA busy_timeout = 20000'); \
                  const gone = database.prepare('DELETE FROM workflow_published_version WHERE workflowId = ?').run(process.argv[2]); \
                  if (Number(gone.changes) !== 1) throw new Error('there is no such row'); database.close();";
    let database = stack.dir.join("n8n/.n8n/database.sqlite");
    let output = Command::new(stack.node()).args(["--eval", script]).arg(database).arg(workflow).output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
