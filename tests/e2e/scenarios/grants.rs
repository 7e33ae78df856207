//! Access of another namespace to an instance, and the information that it gets.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

/// An instance that every namespace may refer to, and a namespace with the given grants.
pub struct Shared {
    pub world: World,
    pub standin: StandIn,
    pub other: String,
}

impl Shared {
    pub async fn start(name: &str) -> Self {
        let standin = StandIn::start(Options::default());
        let world = World::bare(Stack::shared(), name, &standin.url(), standin.api_key()).await;
        let other = format!("{}-team", world.namespace);
        world.namespace(&other).await;
        let shared = Self { world, standin, other };
        shared.grant(json!({})).await;
        shared
    }

    pub async fn grant(&self, mut grant: Value) {
        grant["namespaces"] = json!([self.other]);
        let more = json!({ "requestTimeout": "2s", "allowedNamespaces": { "from": "All" }, "grants": [grant] });
        self.world.instance("main", &self.standin.url(), self.standin.api_key(), more).await;
    }

    pub async fn apply(&self, namespace: &str, name: &str, more: Value) {
        let mut spec = json!({ "instanceRef": { "name": "main", "namespace": self.world.namespace }, "interval": "2s" });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.world
            .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
                "metadata": { "name": name, "namespace": namespace }, "spec": spec }))
            .await;
    }

    /// Waits until a condition of a Workflow of the other namespace has a reason, and returns its message.
    pub async fn says(&self, name: &str, kind: &str, reason: &str) -> String {
        let holds = |object: &Value| current(object) && condition(object, kind)["reason"] == reason;
        let object = self.world.until_in(&self.other, name, &format!("{kind} is {reason}"), holds).await;
        condition(&object, kind)["message"].as_str().expect("a message").to_owned()
    }

    async fn credential(&self, name: &str) -> String {
        let data = json!({ "user": "u", "password": format!("{:x}", crate::harness::stack::rand()) });
        let made = self.world.n8n.api("POST", "/credentials", Some(json!({ "name": name, "type": "httpBasicAuth", "data": data }))).await;
        made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
    }
}

fn calling(parameters: Value) -> Value {
    let call = json!({ "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2, "position": [400, 0], "parameters": parameters });
    with_node(answering("grants", "1"), call)
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_and_inline_workflows_need_the_same_grants() {
    let shared = Shared::start("around").await;
    let secret = shared.credential("Somebody's").await;
    let inline = json!({ "nodes": [{ "name": "Get", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4, "position": [0, 0], "parameters": {},
        "credentials": { "httpBasicAuth": { "id": secret, "name": "Mine" } } }], "connections": {} });
    let computed = calling(json!({ "workflowId": { "__rl": true, "mode": "id", "value": "={{ $json.id }}" } }));
    let inside = calling(json!({ "source": "parameter", "workflowJson": inline.to_string() }));
    shared.apply(&shared.other, "computed", json!({ "definition": computed })).await;
    shared.apply(&shared.other, "inside", json!({ "definition": inside })).await;
    let message = shared.says("computed", "Ready", "ReferenceNotGranted").await;
    assert!(message.contains("\"Call\"") && message.contains("spec.grants[].workflows"), "{message}");
    let message = shared.says("inside", "Ready", "ReferenceNotGranted").await;
    assert!(message.contains("\"Call\"") && message.contains(&secret) && !message.contains("Somebody's"), "{message}");
    assert!(shared.world.n8n.workflows().await.is_empty(), "nothing of either reaches n8n");
    // The namespace of the instance may.
    shared.apply(&shared.world.namespace, "computed", json!({ "definition": computed })).await;
    shared.apply(&shared.world.namespace, "inside", json!({ "definition": inside })).await;
    shared.world.until_ready("computed").await;
    shared.world.until_ready("inside").await;
    // And so may a namespace with the grants.
    shared.grant(json!({ "workflows": ["*"], "credentials": ["Somebody's"] })).await;
    shared.world.until_in(&shared.other, "computed", "Ready", ready).await;
    shared.world.until_in(&shared.other, "inside", "Ready", ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_a_status_does_not_say_whether_something_exists() {
    let shared = Shared::start("learns").await;
    let id = shared.credential("Twice").await;
    shared.credential("Twice").await;
    let theirs = shared.world.n8n.api("POST", "/workflows", Some(answering("theirs", "1"))).await.json()["id"].clone();
    for (name, existing) in [
        ("by-id", json!({ "id": id })),
        ("no-id", json!({ "id": "missing" })),
        ("twice", json!({ "name": "Twice" })),
        ("none", json!({ "name": "None" })),
    ] {
        let mut definition = answering("learns", "1");
        definition["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "Old" } });
        shared
            .apply(&shared.other, name, json!({ "definition": definition, "credentials": [{ "name": "Old", "existing": existing }] }))
            .await;
        shared.says(name, "CredentialsReady", "CredentialNotGranted").await;
    }
    for (name, adopt) in [("there", theirs.clone()), ("not-there", json!("missing"))] {
        shared.apply(&shared.other, name, json!({ "definition": answering("learns", "1"), "adopt": { "id": adopt } })).await;
        shared.says(name, "Ready", "AdoptNotGranted").await;
    }
    // A namespace that may use it gets the details.
    shared.grant(json!({ "credentials": ["*"], "adopt": ["missing"] })).await;
    shared.says("no-id", "CredentialsReady", "CredentialNotFound").await;
    shared.says("twice", "CredentialsReady", "CredentialAmbiguous").await;
    shared.says("by-id", "CredentialsReady", "CredentialsMapped").await;
    shared.says("not-there", "Ready", "AdoptNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_needs_a_grant_without_which_a_status_does_not_say_whether_it_exists() {
    let shared = Shared::start("projects").await;
    let second = shared.standin.add_project();
    for (name, project) in [("there", second.as_str()), ("not-there", "missing")] {
        shared.apply(&shared.other, name, json!({ "definition": answering(name, "1"), "project": { "id": project } })).await;
        let message = shared.says(name, "Ready", "ProjectNotGranted").await;
        assert!(message.contains(&format!("project {project} ")) && message.contains("spec.grants[].projects"), "{message}");
    }
    assert!(shared.world.n8n.workflows().await.is_empty(), "nothing of either reaches n8n");
    // The published version stays when its author names a project that is not granted, wherever the workflow is.
    shared.apply(&shared.other, "serves", json!({ "active": true, "definition": answering("serves", "1") })).await;
    shared.world.until_in(&shared.other, "serves", "Ready", ready).await;
    let own = shared.standin.own_project();
    shared
        .apply(&shared.other, "serves", json!({ "active": true, "definition": answering("serves", "1"), "project": { "id": own } }))
        .await;
    shared.says("serves", "Ready", "ProjectNotGranted").await;
    shared.world.n8n.expect_version("serves", "1").await;
    // A namespace that may use them gets the details, and the namespace of the instance may use all.
    shared.grant(json!({ "projects": [second, "missing"] })).await;
    shared.world.until_in(&shared.other, "there", "Ready", ready).await;
    shared.says("not-there", "Ready", "ProjectNotFound").await;
    shared.says("serves", "Ready", "ProjectNotGranted").await;
    shared.apply(&shared.world.namespace, "own", json!({ "definition": answering("own", "1"), "project": { "id": second } })).await;
    shared.world.until_ready("own").await;
    let observed = shared.world.n8n.workflows().await;
    let there = observed.iter().filter(|workflow| workflow["shared"][0]["projectId"] == json!(second)).count();
    assert_eq!((observed.len(), there), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_needs_a_grant_outside_the_namespace_of_the_instance() {
    let shared = Shared::start("tags").await;
    let tags = |id: &str| {
        let observed = shared.standin.workflow(id).expect("it is there")["tags"].clone();
        observed.as_array().into_iter().flatten().map(|tag| tag["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let spec = |tags: Value| json!({ "active": true, "definition": answering("tags", "1"), "tags": tags });
    shared.apply(&shared.other, "a", spec(json!(["live"]))).await;
    let message = shared.says("a", "Ready", "TagNotGranted").await;
    assert!(message.contains("\"live\"") && message.contains("spec.grants[].tags"), "{message}");
    let id = shared.world.n8n.workflows().await[0]["id"].as_str().expect("an id").to_owned();
    // The workflow itself stays published.
    shared.world.n8n.expect_version("tags", "1").await;
    assert!(tags(&id).is_empty() && shared.standin.log().count("POST", "/api/v1/tags") == 0);
    shared.grant(json!({ "tags": ["live"] })).await;
    shared.world.until_in(&shared.other, "a", "Ready", ready).await;
    assert_eq!(tags(&id), ["live"]);
    // A grant that was removed does not cover a removal of the tag either.
    shared.grant(json!({ "tags": ["other"] })).await;
    shared.apply(&shared.other, "a", spec(json!(["other"]))).await;
    let has_both = |object: &Value| current(object) && ready(object) && tags(&id).len() == 2;
    shared.world.until_in(&shared.other, "a", "the new tag is there", has_both).await;
    shared.apply(&shared.world.namespace, "own", json!({ "definition": answering("own", "1"), "tags": ["live"] })).await;
    shared.world.until_ready("own").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_is_reported_and_takes_nothing_offline() {
    let shared = Shared::start("taken-back").await;
    let secret = shared.credential("Somebody's").await;
    let theirs = shared.world.n8n.api("POST", "/workflows", Some(answering("theirs", "1"))).await.json()["id"].clone();
    let published = format!("/workflows/{}/publish", theirs.as_str().expect("an id"));
    assert_eq!(shared.world.n8n.api("POST", &published, Some(json!({}))).await.status, 200);
    let node = |kind: &str, version: f64, parameters: Value| json!({ "name": "Uses", "type": kind, "typeVersion": version, "position": [400, 0], "parameters": parameters });
    let locator = |id: &Value| json!({ "__rl": true, "mode": "id", "value": id });
    let mut with_credential = answering("credential", "1");
    with_credential["nodes"][0]["credentials"] = json!({ "httpBasicAuth": { "id": "OLD", "name": "Old" } });
    let uses = |path: &str, node: Value| json!({ "definition": with_node(answering(path, "1"), node) });
    let table = json!({ "resource": "row", "operation": "get", "returnAll": true, "dataTableId": locator(&json!("T1")) });
    let cases = [
        ("type", uses("type", node("n8n-nodes-base.code", 2.0, json!({ "jsCode": "return [];" }))), "NodeTypeNotGranted"),
        (
            "calls",
            uses("calls", node("n8n-nodes-base.executeWorkflow", 1.2, json!({ "workflowId": locator(&theirs) }))),
            "ReferenceNotGranted",
        ),
        ("table", uses("table", node("n8n-nodes-base.dataTable", 1.0, table)), "DataTableNotGranted"),
        (
            "credential",
            json!({ "definition": with_credential, "credentials": [{ "name": "Old", "existing": { "id": secret } }] }),
            "CredentialNotGranted",
        ),
    ];
    let all = json!({ "nodeTypes": ["n8n-nodes-base.code"], "workflows": [theirs], "dataTables": ["T1"], "credentials": ["Somebody's"] });
    shared.grant(all.clone()).await;
    for (name, spec, _) in &cases {
        let mut spec = spec.clone();
        spec["active"] = json!(true);
        shared.apply(&shared.other, name, spec).await;
        shared.world.until_in(&shared.other, name, "Ready", ready).await;
    }
    shared.grant(json!({})).await;
    for (name, _, reason) in &cases {
        let message = shared.says(name, "Ready", reason).await;
        println!("{name}: {reason}: {message}");
        assert!(message.contains("spec.grants[]"), "{message}");
        shared.world.n8n.expect_version(name, "1").await;
    }
    shared.grant(all).await;
    for (name, ..) in &cases {
        shared.world.until_in(&shared.other, name, "Ready", ready).await;
    }
}
