//! Every way in which n8n refuses to publish: what served before, during and after, found by calling the webhook.
//!
//! The result is the table in docs/publish-failures.md. `WEIRKEEPER_WRITE_TABLE=1` rewrites it; otherwise its columns that
//! do not depend on the machine's speed must be as they stand there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::n8n::{N8n, answering, with_node};
use crate::world::{World, condition};

/// One way to be refused.
struct Cause {
    name: &'static str,
    /// Version 2.
    definition: Value,
    reason: &'static str,
    /// What n8n says.
    says: &'static str,
    /// How it goes live by itself, for what only waits.
    heals: Option<Heal>,
}

enum Heal {
    Publish(String),
    Unpublish(String),
    Key,
}

struct Row {
    name: &'static str,
    said: String,
    during: String,
    reason: &'static str,
    outcome: &'static str,
}

/// Adds a node after the last one, so that n8n looks at it.
fn extended(definition: Value, mut node: Value) -> Value {
    node["position"] = json!([400, 0]);
    let name = node["name"].clone();
    let mut definition = with_node(definition, node);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": name, "type": "main", "index": 0 }]] });
    definition
}

fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({ "name": name, "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "position": [0, 300], "parameters": parameters })
}

async fn by_hand(n8n: &N8n, definition: Value, publish: bool) -> String {
    let made = n8n.api("POST", "/workflows", Some(definition)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    if publish {
        let published = n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
        assert_eq!(published.status, 200, "{}", published.text);
    }
    id
}

async fn causes(world: &World, two: impl Fn(&str) -> Value) -> Vec<Cause> {
    let space = &world.namespace;
    let cause = |name, definition, reason, says| Cause { name, definition, reason, says, heals: None };
    let mut no_trigger = two("no-trigger");
    no_trigger["nodes"][0] = node("Webhook", "manualTrigger", 1.0, json!({}));
    let mut version = two("type-version");
    version["nodes"][1]["typeVersion"] = json!(99);
    let cron = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "not a cron" }] } });
    let twice = json!({ "path": format!("{space}/twice"), "httpMethod": "GET" });
    let child =
        json!({ "name": "child", "nodes": [node("In", "executeWorkflowTrigger", 1.0, json!({}))], "connections": {}, "settings": {} });
    let child = by_hand(&world.n8n, child, false).await;
    let call = node("Call", "executeWorkflow", 1.2, json!({ "workflowId": { "__rl": true, "mode": "id", "value": child }, "options": {} }));
    let taken = format!("{space}/theirs");
    let other = by_hand(&world.n8n, answering(&taken, "theirs"), true).await;
    let hook = |path: &str, id: &str| json!({ "name": "Second", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 300], "webhookId": id, "parameters": { "path": path, "httpMethod": "GET" } });
    let mut users = answering("x", "theirs");
    let shared_id = format!("{space}-users");
    users["nodes"][0] = hook(&format!("{space}/:id"), &shared_id);
    users["nodes"][0]["name"] = json!("Webhook");
    let users = by_hand(&world.n8n, users, true).await;
    vec![
        cause("no trigger", no_trigger, "PublishRefused", "has no trigger node"),
        cause(
            "unknown node type",
            with_node(two("unknown-type"), node("Odd", "doesNotExist", 1.0, json!({}))),
            "PublishRefused",
            "Unrecognized node type",
        ),
        cause("unknown type version", version, "PublishRefused", "is not available in version 99"),
        cause(
            "missing required parameter",
            extended(two("parameter"), node("HTTP", "httpRequest", 4.2, json!({}))),
            "PublishRefused",
            "Missing or invalid required parameters: url",
        ),
        cause(
            "no credential set",
            extended(
                two("credential"),
                node("Hub", "github", 1.0, json!({ "resource": "user", "operation": "getRepositories", "owner": "x" })),
            ),
            "PublishRefused",
            "Missing required credential",
        ),
        cause("bad cron", with_node(two("cron"), node("Tick", "scheduleTrigger", 1.2, cron)), "PublishRefused", "Invalid cron expression"),
        cause(
            "same path twice inside",
            with_node(two("twice"), node("Again", "webhook", 2.0, twice)),
            "PublishRefused",
            "is already served by node",
        ),
        Cause {
            heals: Some(Heal::Publish(child)),
            ..cause("unpublished sub-workflow", extended(two("child"), call), "ReferenceNotPublished", "which is not published")
        },
        Cause {
            heals: Some(Heal::Unpublish(other)),
            ..cause(
                "path of another workflow",
                with_node(two("taken"), hook(&taken, "")),
                "WebhookPathTaken",
                "conflict with one of the webhooks",
            )
        },
        Cause {
            heals: Some(Heal::Unpublish(users)),
            ..cause(
                "parameterised path of another workflow",
                with_node(two("collides"), hook(&format!("{space}/:name"), &shared_id)),
                "WebhookPathTaken",
                "conflict with one of the webhooks",
            )
        },
        Cause { heals: Some(Heal::Key), ..cause("key lacks workflow:activate", two("scope"), "MissingScope", "workflow:activate") },
    ]
}

/// Calls a webhook until told to stop, and counts the answers that are not the wanted version's.
struct Caller {
    stop: Arc<AtomicBool>,
    missed: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Caller {
    fn start(n8n: &N8n, path: &str, wanted: &'static str) -> Self {
        let (stop, missed, called) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (n8n, path) = (n8n.clone(), path.to_owned());
        let task = tokio::spawn({
            let (stop, missed, called) = (stop.clone(), missed.clone(), called.clone());
            async move {
                while !stop.load(Ordering::SeqCst) {
                    let answer = n8n.webhook("GET", &path).await;
                    called.fetch_add(1, Ordering::SeqCst);
                    missed.fetch_add(usize::from(answer.json()["version"] != wanted), Ordering::SeqCst);
                }
            }
        });
        Self { stop, missed, called, task }
    }

    async fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("the caller ends");
        (self.missed.load(Ordering::SeqCst), self.called.load(Ordering::SeqCst))
    }
}

fn slug(name: &str) -> String {
    name.replace([' ', ':'], "-").to_lowercase()
}

fn path_of(definition: &Value) -> String {
    definition["nodes"].as_array().into_iter().flatten().find_map(|node| node["parameters"]["path"].as_str()).unwrap_or_default().to_owned()
}

async fn row(world: &World, cause: Cause) -> Row {
    let name = slug(cause.name);
    let path = match path_of(&cause.definition) {
        path if path.is_empty() => format!("{}/no-trigger", world.namespace),
        path => path,
    };
    let spec = |definition: Value| json!({ "active": true, "definition": definition });
    world.workflow(&name, spec(answering(&path, "1"))).await;
    let good = world.until_ready(&name).await;
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1", "{name}: before");
    if matches!(cause.heals, Some(Heal::Key)) {
        let limited = world.stack.tell(&["apikey", "--scopes", "workflow:create,workflow:read,workflow:update,workflow:delete,workflow:list,credential:list,execution:list,execution:read,tag:list"]);
        world.secret("limited-key", &limited).await;
        let (url, key) = (world.stack.n8n_url(), world.stack.n8n_key());
        world.instance("main", &url, &key, json!({ "apiKeySecretRef": { "name": "limited-key" } })).await;
    }
    let caller = Caller::start(&world.n8n, &path, "1");
    world.workflow(&name, spec(cause.definition.clone())).await;
    let refused = match &cause.heals {
        None => world.until_reason(&name, "RolledBack", "RolledBack").await,
        Some(_) => world.until_reason(&name, "Ready", cause.reason).await,
    };
    let (missed, called) = caller.stop().await;
    let said = condition(&refused, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains(cause.says), "{name}: {said}");
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1", "{name}: after");
    let id = good["status"]["n8nWorkflowId"].as_str().expect("an id");
    if cause.heals.is_none() {
        assert_eq!(refused["status"]["history"][0]["reason"], cause.reason, "{name}");
        assert_eq!(condition(&refused, "Stalled")["status"], "True", "{name}");
        let draft = world.n8n.workflow(id).await;
        assert_eq!(draft["nodes"].as_array().map(Vec::len), Some(2), "{name}: the draft is version 1 again");
        assert_eq!(draft["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"], "1", "{name}");
    }
    let outcome = if cause.heals.is_some() { "waits, version 1 serves" } else { "rolled back, version 1 serves" };
    match cause.heals {
        Some(heal) => {
            match heal {
                Heal::Publish(id) => drop(world.n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await),
                Heal::Unpublish(id) => drop(world.n8n.api("POST", &format!("/workflows/{id}/unpublish"), Some(json!({}))).await),
                Heal::Key => world.instance("main", &world.stack.n8n_url(), &world.stack.n8n_key(), json!({})).await,
            }
            world.until_ready(&name).await;
            assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "2", "{name}: it goes live by itself");
        }
        None => {
            world.workflow(&name, spec(answering(&path, "3"))).await;
            world.until_ready(&name).await;
            assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "3", "{name}: corrected");
        }
    }
    world.delete(&name).await;
    Row { name: cause.name, said: cause.says.to_owned(), during: format!("{missed} of {called}"), reason: cause.reason, outcome }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_n8n_refuses_to_publish_the_last_good_version_serves_afterwards() {
    let world = World::on_real_n8n("publish").await;
    let space = world.namespace.clone();
    let mut rows = Vec::new();
    for cause in causes(&world, |word| answering(&format!("{space}/{word}"), "2")).await {
        rows.push(row(&world, cause).await);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/publish-failures.md");
    if std::env::var_os("WEIRKEEPER_WRITE_TABLE").is_some() {
        std::fs::write(&file, table(&rows)).expect("the table is written");
    }
    let written = std::fs::read_to_string(&file).expect("docs/publish-failures.md");
    for row in rows {
        let stable = format!("| {} | `{}` | version 1 |", row.name, row.said);
        let end = format!("| {} | {} |", row.outcome, row.reason);
        assert!(
            written.lines().any(|line| line.starts_with(&stable) && line.ends_with(&end)),
            "docs/publish-failures.md has no line {stable} … {end}"
        );
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "# What happens when n8n refuses to publish\n\nMeasured on the real n8n 2.39.10 by `tests/suite/publishing.rs`, which calls the webhook without a pause while version 2 is applied over a\nserving version 1. \"Not answered\" counts calls that version 1 did not answer, of all calls until the condition was there. A path that stands twice in one\nworkflow is refused by Weirkeeper itself, in its own words, before anything is sent. Rewritten by\n`WEIRKEEPER_WRITE_TABLE=1`; the columns that do not depend on the machine are checked by every run of the suite.\n\n| cause | what is said | served before | not answered during | after | reason |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        text.push_str(&format!("| {} | `{}` | version 1 | {} | {} | {} |\n", row.name, row.said, row.during, row.outcome, row.reason));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_that_fails_leaves_nothing_to_go_back_to_and_a_reset_tries_again() {
    let world = World::on_real_n8n("firstfail").await;
    let path = format!("{}/a", world.namespace);
    let bad = with_node(answering(&path, "1"), node("Odd", "doesNotExist", 1.0, json!({})));
    world.workflow("a", json!({ "active": true, "definition": bad })).await;
    let held = world.until_reason("a", "Ready", "NoGoodVersion").await;
    assert_eq!(condition(&held, "Stalled")["status"], "True");
    assert!(condition(&held, "Ready")["message"].as_str().unwrap().contains("Unrecognized node type"));
    assert_eq!(world.n8n.webhook("GET", &path).await.status, 404);
    let before = held["status"]["history"][0]["judgedAt"].clone();
    world.annotate("Workflow", "a", "resetAt", json!("1")).await;
    let again = world
        .until("a", "the reset was handled", |object| {
            object["status"]["lastHandledResetAt"] == "1" && condition(object, "Stalled")["status"] == "True"
        })
        .await;
    assert_eq!(again["status"]["history"].as_array().unwrap().len(), 1, "{before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_rollback_reports_and_changes_nothing() {
    let world = World::on_real_n8n("manual").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": answering(&path, "1") })).await;
    let good = world.until_ready("a").await;
    let bad = with_node(answering(&path, "2"), node("Odd", "doesNotExist", 1.0, json!({})));
    world.workflow("a", json!({ "active": true, "rollback": "Manual", "definition": bad })).await;
    world.until_reason("a", "Ready", "RollbackManual").await;
    let held = world.n8n.workflow(good["status"]["n8nWorkflowId"].as_str().unwrap()).await;
    assert_eq!(held["nodes"].as_array().unwrap().len(), 3, "the failed draft is left for the person");
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["version"], "1");
}
