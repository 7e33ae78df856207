//! Workflows that are made from templates: changed and pinned templates, missing ones, those of other namespaces, and bad inputs.

use serde_json::{Value, json};

use crate::harness::world::{World, condition, current, ready};

/// Returns a template whose webhook answers with `prefix` and the input `version`.
fn answering(prefix: &str) -> Value {
    let nodes = json!([
        {"id": "ask", "use": "webhook", "as": "Ask", "set": {"httpMethod": "GET", "path": "?path", "responseMode": "lastNode"}},
        {"id": "answer", "use": "set", "as": "Answer", "set": {"assignments": [{"version": format!("{prefix}{{{{?version}}}}")}]}}]);
    json!({
        "title": "Answers", "category": "Development", "description": "Answers with a version.",
        "inputs": [
            {"name": "path", "description": "Path.", "required": true, "pattern": "[a-z0-9/-]+"},
            {"name": "version", "description": "Version.", "default": "1", "maxLength": 40}],
        "examples": [{"inputs": {"path": "a"}}],
        "compact": {"compact": 1, "name": "Answers", "nodes": nodes, "edges": ["ask>answer"]},
    })
}

async fn template(world: &World, name: &str, namespace: Option<&str>, spec: Value) {
    let metadata = json!({"name": name, "namespace": namespace});
    world.apply(json!({"apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowTemplate", "metadata": metadata, "spec": spec})).await;
}

fn path(world: &World, name: &str) -> String {
    format!("{}/{name}", world.namespace)
}

async fn made(world: &World, name: &str, more: Value) {
    let mut reference = json!({"name": "answers", "inputs": {"path": path(world, name)}});
    for (key, value) in more.as_object().expect("fields") {
        reference[key] = value.clone();
    }
    world.workflow(name, json!({"active": true, "interval": "3s", "templateRef": reference})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_template_is_followed_unless_it_is_pinned() {
    let mut world = World::on_real_n8n("follow").await;
    template(&world, "answers", None, answering("first ")).await;
    made(&world, "follows", json!({})).await;
    made(&world, "pins", json!({"policy": "Pin", "inputs": {"path": path(&world, "pins"), "version": "a \"b\" {{ $json }}"}})).await;
    let follows = world.until_ready("follows").await;
    let pins = world.until_ready("pins").await;
    world.n8n.expect_version(&path(&world, "follows"), "first 1").await;
    world.n8n.expect_version(&path(&world, "pins"), "first a \"b\" {{ $json }}").await;
    let stored = world
        .until_kind("WorkflowTemplate", "answers", "it is Ready and counted", |object| ready(object) && object["status"]["workflows"] == 2)
        .await;
    let used = &follows["status"]["template"];
    assert_eq!((&used["digest"], &used["revision"]), (&stored["status"]["digest"], &Value::Null));
    assert_eq!(
        (&pins["status"]["template"]["digest"], follows["status"]["history"][0]["source"].as_str()),
        (&used["digest"], Some("Template"))
    );
    let revision = pins["status"]["template"]["revision"].as_str().expect("a stored template").to_owned();

    // Only the one that follows is deployed again.
    template(&world, "answers", None, answering("second ")).await;
    world.until("follows", "it follows", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    world.n8n.expect_version(&path(&world, "follows"), "second 1").await;
    world.operator.kill();
    world.operator.start();
    world.annotate("Workflow", "pins", "requested-at", json!("1")).await;
    let pins =
        world.until("pins", "it was looked at again", |object| object["status"]["lastHandledRequestedAt"] == "1" && ready(object)).await;
    assert_eq!((&pins["status"]["activeVersion"], &pins["status"]["template"]["revision"]), (&json!(1), &json!(revision)));
    world.n8n.expect_version(&path(&world, "pins"), "first a \"b\" {{ $json }}").await;

    // Changed inputs are rendered with the pinned template, even if the template is gone.
    world.api("WorkflowTemplate").delete("answers", &Default::default()).await.expect("it is deleted");
    made(&world, "pins", json!({"policy": "Pin", "inputs": {"path": path(&world, "pins"), "version": "2"}})).await;
    world.until("pins", "it has its inputs", |object| ready(object) && object["status"]["activeVersion"] == 2).await;
    world.n8n.expect_version(&path(&world, "pins"), "first 2").await;
    let waits = world.until_reason("follows", "Validated", "TemplateNotFound").await;
    assert!(!ready(&waits) && waits["status"]["published"] == true, "{waits:#}");
    world.n8n.expect_version(&path(&world, "follows"), "second 1").await;

    // It comes back, and the pin is given up: the stored template goes.
    template(&world, "answers", None, answering("third ")).await;
    world.until("follows", "it follows again", |object| ready(object) && object["status"]["activeVersion"] == 3).await;
    made(&world, "pins", json!({})).await;
    let free = world.until("pins", "it follows", |object| ready(object) && object["status"]["activeVersion"] == 3).await;
    assert_eq!(free["status"]["template"]["revision"], Value::Null);
    world.n8n.expect_version(&path(&world, "pins"), "third 1").await;
    assert!(world.stored(&revision).await.is_none(), "{revision} is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_missing_or_not_allowed_is_waited_for() {
    let world = World::on_real_n8n("allowed").await;
    let home = format!("{}-platform", world.namespace);
    world.namespace(&home).await;
    let from = |more: Value| {
        let mut spec = answering("shared ");
        spec["allowedNamespaces"] = more;
        spec
    };
    made(&world, "a", json!({"namespace": home})).await;
    let message_of = |object: &Value| condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    let missing = message_of(&world.until_reason("a", "Ready", "TemplateNotFound").await);
    template(&world, "answers", Some(&home), from(json!({"from": "Same"}))).await;
    world.until_there(&home, "WorkflowTemplate", "answers", "Ready", ready).await;
    world.annotate("Workflow", "a", "requested-at", json!("1")).await;
    let denied =
        world.until("a", "it was looked at again", |object| current(object) && object["status"]["lastHandledRequestedAt"] == "1").await;
    assert_eq!(message_of(&denied), missing, "nobody learns that it exists");
    let labels = json!({"from": "Selector", "selector": {"matchLabels": {"team": world.namespace}}});
    template(&world, "answers", Some(&home), from(labels)).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path(&world, "a"), "shared 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_inputs_and_broken_templates_are_named_and_nothing_is_deployed() {
    let world = World::on_real_n8n("inputs").await;
    template(&world, "answers", None, answering("")).await;
    made(&world, "a", json!({})).await;
    world.until_ready("a").await;
    let message_of = |object: &Value| condition(object, "Stalled")["message"].as_str().unwrap_or_default().to_owned();
    made(&world, "a", json!({"inputs": {"pth": "x", "version": 7}})).await;
    let stalled = world.until_reason("a", "Stalled", "TemplateInputsInvalid").await;
    for part in ["inputs.pth", "did you mean \"path\"?", "inputs.path", "required", "inputs.version", "want a text"] {
        assert!(message_of(&stalled).contains(part), "{part} is not in {}", message_of(&stalled));
    }
    world.n8n.expect_version(&path(&world, "a"), "1").await;
    made(&world, "a", json!({"inputs": {"path": path(&world, "a"), "version": "={{ $env.PATH }}"}})).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path(&world, "a"), "={{ $env.PATH }}").await;

    let mut broken = answering("");
    broken["compact"]["nodes"][1]["use"] = json!("setx");
    template(&world, "answers", None, broken).await;
    let stored =
        world.until_kind("WorkflowTemplate", "answers", "it is Stalled", |object| condition(object, "Stalled")["status"] == "True").await;
    assert!(
        message_of(&stored).contains("compact.nodes[1].use") && condition(&stored, "Stalled")["reason"] == "TemplateInvalid",
        "{}",
        message_of(&stored)
    );
    world.until_reason("a", "Stalled", "TemplateInvalid").await;
    world.n8n.expect_version(&path(&world, "a"), "={{ $env.PATH }}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_ships_with_the_operator_needs_no_object() {
    let world = World::on_real_n8n("ships").await;
    let reference =
        json!({"kind": "BuiltinTemplate", "name": "status-endpoint", "inputs": {"path": path(&world, "s"), "service": "orders"}});
    world.workflow("s", json!({"active": true, "templateRef": reference})).await;
    let object = world.until_ready("s").await;
    assert_eq!(object["status"]["template"]["kind"], "BuiltinTemplate");
    assert_eq!(world.n8n.webhook("GET", &path(&world, "s")).await.json()["service"], "orders");
    // Two of one template do not share ids, and with them addresses.
    let form = json!({"kind": "BuiltinTemplate", "name": "form-to-data-table", "inputs": {"table": "none"}});
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        world.workflow(name, json!({"templateRef": form})).await;
        let object = world.until_ready(name).await;
        let workflow = world.n8n.workflow(object["status"]["n8nWorkflowId"].as_str().expect("an id")).await;
        ids.push(workflow["nodes"][0]["webhookId"].clone());
    }
    assert!(ids[0].is_string() && ids[0] != ids[1], "{ids:?}");
    world.workflow("s", json!({"active": true, "templateRef": {"kind": "BuiltinTemplate", "name": "status-endpont"}})).await;
    let gone = world.until_reason("s", "Ready", "TemplateNotFound").await;
    assert!(
        condition(&gone, "Ready")["message"].as_str().is_some_and(|message| message.contains("did you mean status-endpoint?")),
        "{gone:#}"
    );
    let refused =
        world.try_workflow("b", json!({"templateRef": {"kind": "BuiltinTemplate", "name": "status-endpoint", "namespace": "a"}})).await;
    assert!(refused.expect_err("it is refused").to_string().contains("a BuiltinTemplate has no namespace"));
}
