//! The validator before every sync: what it refuses is never sent to n8n, and an accepted version is never blocked by it.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

async fn world(name: &str, n8n_version: &str) -> (StandIn, World) {
    let standin = StandIn::start(Options { n8n_version: n8n_version.to_owned(), ..Options::default() });
    let (url, key) = (standin.url(), standin.api_key().to_owned());
    let world = World::bare(Stack::shared(), name, &url, &key).await;
    world.instance("main", &url, &key, json!({})).await;
    (standin, world)
}

async fn apply(world: &World, definition: Value, more: Value) {
    let mut spec = json!({ "active": true, "interval": "1s", "definition": definition });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    world.workflow("a", spec).await;
}

fn answers(world: &World, version: &str) -> Value {
    answering(&format!("{}/a", world.namespace), version)
}

async fn answered_version(world: &World) -> Value {
    world.n8n.webhook("GET", &format!("{}/a", world.namespace)).await.json()["version"].clone()
}

/// Adds a node after the last one with an error by the catalogue, which a stand-in publishes all the same.
fn fetching(definition: Value) -> Value {
    let node = json!({ "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [400, 0],
        "parameters": { "method": "FETCH", "url": "https://a.example", "options": { "timeout": 5000 } } });
    let mut definition = with_node(definition, node);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Fetch", "type": "main", "index": 0 }]] });
    definition
}

fn unknown_type(definition: Value, name: &str) -> Value {
    let odd = json!({ "name": "Odd", "type": format!("n8n-nodes-base.{name}"), "typeVersion": 1, "position": [0, 300], "parameters": {} });
    with_node(definition, odd)
}

/// Returns a definition with a node of an unknown package: only n8n can tell that it does not exist.
fn alien() -> Value {
    json!({ "name": "Alien", "type": "n8n-nodes-acme.doesNotExist", "typeVersion": 1, "position": [0, 300], "parameters": {} })
}

fn message<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition(object, kind)["message"].as_str().unwrap_or_default()
}

/// Requests a reconciliation and waits until it is over.
async fn reconcile(world: &World, token: &str) -> Value {
    world.annotate("Workflow", "a", "requested-at", json!(token)).await;
    world.until("a", "the requested reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token).await
}

/// Returns the number of runs of the validator.
async fn validations(world: &World) -> u64 {
    let metrics = world.operator.get("/metrics").await.1;
    let counts = metrics.lines().filter(|line| line.contains("_duration_seconds_count{") && line.contains("step=\"validate\""));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_definition_is_reported_with_all_its_errors_and_not_sent() {
    let (standin, world) = world("validation", "2.39.10").await;
    let mut broken = fetching(unknown_type(answers(&world, "1"), "slak"));
    broken["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("={{ $json. }}");
    apply(&world, broken, json!({})).await;
    let refused = world.until_reason("a", "Validated", "InvalidDefinition").await;
    assert_eq!((&condition(&refused, "Validated")["status"], &condition(&refused, "Stalled")["status"]), (&json!("False"), &json!("True")));
    for part in ["3 errors, ", "node \"Odd\"", "did you mean \"n8n-nodes-base.slack\"?", "node \"Fetch\"", "node \"Answer\""] {
        assert!(message(&refused, "Ready").contains(part) && message(&refused, "Validated").contains(part), "{part}: {refused:#}");
    }
    assert_eq!((&refused["status"]["history"], &refused["status"]["n8nWorkflowId"]), (&Value::Null, &Value::Null));
    reconcile(&world, "1").await;
    assert_eq!(standin.log().writes().len(), 0, "nothing is sent");
    // Corrected; warnings are only reported.
    apply(&world, answers(&world, "1"), json!({})).await;
    let good = world.until_ready("a").await;
    assert_eq!(condition(&good, "Validated")["status"], "True");
    assert!(message(&good, "Validated").starts_with("1 warning: node \"Webhook\": "), "{}", message(&good, "Validated"));
    // An invalid edit leaves the published version.
    let writes = standin.log().writes().len();
    apply(&world, unknown_type(answers(&world, "2"), "slak"), json!({})).await;
    let refused = world.until_reason("a", "Ready", "InvalidDefinition").await;
    assert_eq!((answered_version(&world).await, standin.log().writes().len()), (json!("1"), writes));
    assert_eq!((&refused["status"]["activeVersion"], &refused["status"]["history"]), (&json!(1), &good["status"]["history"]));
    apply(&world, answers(&world, "2"), json!({})).await;
    world.until_ready("a").await;
    assert_eq!(answered_version(&world).await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_needs_a_trigger_only_if_it_is_to_be_published() {
    let (standin, world) = world("triggerless", "2.39.10").await;
    let mut definition = answers(&world, "1");
    definition["nodes"][0] =
        json!({ "name": "Webhook", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {} });
    apply(&world, definition.clone(), json!({ "active": false })).await;
    world.until_ready("a").await;
    let writes = standin.log().writes().len();
    apply(&world, definition, json!({})).await;
    let refused = world.until_reason("a", "Ready", "InvalidDefinition").await;
    assert!(message(&refused, "Ready").contains("has no trigger node"), "{refused:#}");
    assert_eq!(standin.log().writes().len(), writes, "n8n got no write");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_depend_on_the_catalogue_do_not_block_a_sync_to_another_version_of_n8n() {
    let (_standin, world) = world("otherversion", "2.40.0").await;
    apply(&world, unknown_type(answers(&world, "1"), "doesNotExist"), json!({})).await;
    let refused = world.until_reason("a", "Ready", "NoGoodVersion").await;
    assert!(message(&refused, "Ready").contains("Unrecognized node type"), "{refused:#}");
    assert_eq!(condition(&refused, "Validated")["status"], "True");
    let why = "the catalogue is that of n8n 2.39.10, the instance runs n8n 2.40.0";
    assert!(message(&refused, "Validated").contains("node \"Odd\"") && message(&refused, "Validated").contains(why), "{refused:#}");
    let mut broken = answers(&world, "1");
    broken["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"] = json!("={{ $json. }}");
    apply(&world, broken, json!({})).await;
    world.until_reason("a", "Ready", "InvalidDefinition").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stricter_validator_blocks_no_definition_that_was_accepted() {
    let (standin, mut world) = world("stricter", "2.40.0").await;
    apply(&world, fetching(answers(&world, "1")), json!({})).await;
    world.until_ready("a").await;
    let writes = standin.log().writes().len();
    // The same n8n turns out to be of the catalogue's version, so that its errors count.
    standin.configure(|options| options.n8n_version = "2.39.10".to_owned());
    world.annotate("N8nInstance", "main", "requested-at", json!("1")).await;
    let reported =
        |object: &Value| message(object, "Validated").contains("accepted earlier") && message(object, "Validated").contains("1 error");
    let published = world.until("a", "its version is evaluated anew", reported).await;
    assert!(ready(&published) && condition(&published, "Validated")["status"] == "True", "{published:#}");
    world.operator.kill();
    world.operator.start();
    let again = reconcile(&world, "1").await;
    assert!(ready(&again) && answered_version(&world).await == "1");
    assert_eq!(standin.log().writes().len(), writes);
    // The next definition is validated, and a pin does not depend on it.
    apply(&world, fetching(answers(&world, "2")), json!({})).await;
    world.until_reason("a", "Ready", "InvalidDefinition").await;
    assert_eq!(answered_version(&world).await, "1");
    // After a refusal of n8n the rollback target is a version that would not be accepted today.
    apply(&world, with_node(answers(&world, "2"), alien()), json!({})).await;
    world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(answered_version(&world).await, "1");
    apply(&world, answers(&world, "3"), json!({})).await;
    let three = world.until_ready("a").await;
    assert_eq!((answered_version(&world).await, &three["status"]["activeVersion"]), (json!("3"), &json!(3)));
    for broken in [fetching(answers(&world, "4")), json!({ "nodes": 7 })] {
        apply(&world, broken, json!({})).await;
        world.until_reason("a", "Ready", "InvalidDefinition").await;
        world.annotate("Workflow", "a", "pinned-version", json!("1")).await;
        let pinned = world.until("a", "version 1 is published", |object| object["status"]["activeVersion"] == 1 && ready(object)).await;
        assert_eq!((answered_version(&world).await, &condition(&pinned, "Validated")["status"]), (json!("1"), &json!("False")));
        assert_eq!(pinned["status"]["history"].as_array().map(Vec::len), Some(3), "what was refused has no number");
        world.annotate("Workflow", "a", "pinned-version", Value::Null).await;
        apply(&world, answers(&world, "3"), json!({})).await;
        world.until("a", "version 3 is published", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_definition_is_validated_once() {
    let (_standin, mut world) = world("once", "2.39.10").await;
    apply(&world, answers(&world, "1"), json!({})).await;
    world.until_ready("a").await;
    for token in ["1", "2", "3"] {
        reconcile(&world, token).await;
    }
    assert_eq!(validations(&world).await, 1, "four reconciliations and more");
    apply(&world, answers(&world, "2"), json!({})).await;
    world.until_ready("a").await;
    assert_eq!(validations(&world).await, 2);
    // The first reconciliation after a start trusts the status; later ones do not.
    let before = world.get("a").await;
    world.operator.kill();
    apply(&world, answers(&world, "2"), json!({ "interval": "10m" })).await;
    world.operator.start();
    world.until("a", "it is looked at", current).await;
    let first = validations(&world).await;
    reconcile(&world, "4").await;
    assert_eq!((first, validations(&world).await), (1, 1), "the spec changed, so nothing is believed");
    world.operator.kill();
    world.operator.start();
    reconcile(&world, "5").await;
    let believed = validations(&world).await;
    let after = reconcile(&world, "6").await;
    assert!(believed <= 1 && validations(&world).await == 1, "{believed}");
    assert_eq!(message(&before, "Validated"), message(&after, "Validated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_lists_the_credentials_that_nodes_need() {
    let (_standin, world) = world("needs", "2.39.10").await;
    let parameters =
        json!({ "url": "https://a.example", "authentication": "predefinedCredentialType", "nodeCredentialType": "googleSheetsOAuth2Api" });
    let fetch = json!({ "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [400, 0], "parameters": parameters });
    let mut definition = with_node(answers(&world, "1"), fetch);
    definition["connections"]["Answer"] = json!({ "main": [[{ "node": "Fetch", "type": "main", "index": 0 }]] });
    definition["nodes"][0]["parameters"]["authentication"] = json!("basicAuth");
    apply(&world, definition, json!({ "active": false })).await;
    let saved = world.until_ready("a").await;
    let needed = saved["status"]["requiredCredentials"].clone();
    let basic = json!({ "type": "httpBasicAuth", "nodes": ["Webhook"], "state": "Missing", "neededFor": "Publication" });
    assert_eq!(needed[0], basic, "{needed:#}");
    assert_eq!(
        (&needed[1]["type"], &needed[1]["nodes"], &needed[1]["neededFor"]),
        (&json!("googleSheetsOAuth2Api"), &json!(["Fetch"]), &json!("Run"))
    );
    assert!(
        needed[1]["scopes"]
            .as_array()
            .is_some_and(|scopes| scopes.iter().any(|one| one.as_str().is_some_and(|one| one.ends_with("/spreadsheets"))))
    );
    reconcile(&world, "1").await;
    assert_eq!(world.get("a").await["status"]["requiredCredentials"], needed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_suspended_workflow_is_validated_and_n8n_gets_no_request() {
    let (standin, world) = world("suspended", "2.39.10").await;
    apply(&world, answers(&world, "1"), json!({})).await;
    world.until_ready("a").await;
    apply(&world, answers(&world, "1"), json!({ "suspend": true })).await;
    world.until_reason("a", "Ready", "Suspended").await;
    let asked = standin.log().count("GET", "/api/v1/workflows");
    apply(&world, unknown_type(answers(&world, "2"), "slak"), json!({ "suspend": true })).await;
    let refused = world.until_reason("a", "Validated", "InvalidDefinition").await;
    assert_eq!(
        (&condition(&refused, "Ready")["reason"], &condition(&refused, "Stalled")["status"]),
        (&json!("Suspended"), &json!("False"))
    );
    assert_eq!(standin.log().count("GET", "/api/v1/workflows"), asked);
}
