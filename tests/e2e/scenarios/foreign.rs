//! Access of nodes in another namespace than the instance's: types, data tables and versions that did not exist at adoption.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::n8n::{N8n, answering, id, set_value, with_node};
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Options, StandIn};

/// An instance that every namespace may refer to, and a namespace with the given grants.
struct Foreign {
    world: World,
    url: String,
    key: String,
    other: String,
}

impl Foreign {
    async fn at(name: &str, url: &str, key: &str) -> Self {
        let world = World::bare(Stack::shared(), name, url, key).await;
        let other = format!("{}-team", world.namespace);
        world.namespace(&other).await;
        let foreign = Self { world, url: url.to_owned(), key: key.to_owned(), other };
        foreign.grant(json!({})).await;
        foreign
    }

    async fn grant(&self, mut grant: Value) {
        grant["namespaces"] = json!([self.other]);
        let more = json!({ "allowedNamespaces": { "from": "All" }, "grants": [grant] });
        self.world.instance("main", &self.url, &self.key, more).await;
    }

    async fn apply(&self, name: &str, more: Value) {
        let mut spec = json!({ "instanceRef": { "name": "main", "namespace": self.world.namespace }, "interval": "2s" });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.world
            .apply(json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow",
                "metadata": { "name": name, "namespace": self.other }, "spec": spec }))
            .await;
    }

    /// Waits until a condition has a reason, and returns its message.
    async fn says(&self, name: &str, kind: &str, reason: &str) -> String {
        let holds = |object: &Value| current(object) && condition(object, kind)["reason"] == reason;
        let object = self.world.until_in(&self.other, name, &format!("{kind} is {reason}"), holds).await;
        condition(&object, kind)["message"].as_str().expect("a message").to_owned()
    }

    async fn until_ready(&self, name: &str) -> Value {
        self.world.until_in(&self.other, name, "Ready", ready).await
    }

    /// Returns the workflows in n8n that carry the mark of an object of the other namespace.
    async fn reached(&self, names: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for name in names {
            found.extend(self.world.n8n.marked(&self.other, name).await);
        }
        found
    }
}

/// Returns a workflow with a webhook whose answer is the output of the given node.
fn with(path: &str, kind: &str, version: f64, parameters: Value) -> Value {
    let node = json!({ "name": "Run", "type": kind, "typeVersion": version, "position": [200, 0], "parameters": parameters });
    let mut definition = with_node(answering(path, "1"), node);
    definition["nodes"].as_array_mut().expect("nodes").remove(1);
    definition["connections"] = json!({ "Webhook": { "main": [[{ "node": "Run", "type": "main", "index": 0 }]] } });
    definition
}

/// Returns the langchain code node, whose sandbox has `this.executeWorkflow`, with one main input and output.
fn running(id: &str) -> Value {
    let code = format!("return [{{ json: {{ got: JSON.stringify(await this.executeWorkflow({{ id: '{id}' }})) }} }}];");
    json!({ "code": { "execute": { "code": code } }, "inputs": { "input": [{ "type": "main" }] }, "outputs": { "output": [{ "type": "main" }] } })
}

/// The same with the code of a workflow that carries a credential by its id and sends it to a URL.
fn sending(credential: &str, url: &str) -> Value {
    let nodes = json!([
        called(),
        { "id": "2", "name": "Send", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0],
          "parameters": { "url": url, "authentication": "genericCredentialType", "genericAuthType": "httpBasicAuth", "options": {} },
          "credentials": { "httpBasicAuth": { "id": credential, "name": "Any" } } },
    ]);
    let code = json!({ "nodes": nodes, "connections": { "Called": { "main": [[{ "node": "Send", "type": "main", "index": 0 }]] } } });
    let code = format!("return [{{ json: {{ got: JSON.stringify(await this.executeWorkflow({{ code: {code} }})) }} }}];");
    json!({ "code": { "execute": { "code": code } }, "inputs": { "input": [{ "type": "main" }] }, "outputs": { "output": [{ "type": "main" }] } })
}

/// Creates a credential of the instance's owner; returns its id and the value that is sent with it.
async fn somebodys_credential(n8n: &N8n) -> (String, String) {
    let password = format!("{:x}", crate::harness::stack::rand());
    let data = json!({ "user": "u", "password": password });
    let made = n8n.api("POST", "/credentials", Some(json!({ "name": "Somebody's", "type": "httpBasicAuth", "data": data }))).await;
    let id = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    (id, format!("Basic {}", STANDARD.encode(format!("u:{password}"))))
}

/// Returns a workflow of one node.
fn alone(kind: &str, version: f64, parameters: &Value) -> Value {
    json!({ "nodes": [{ "name": "Deep", "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters }], "connections": {} })
}

/// Returns the parameters of a node that runs a workflow which is written inside it.
fn inline(workflow: &Value) -> Value {
    json!({ "source": "parameter", "workflowJson": workflow.to_string(), "options": {} })
}

/// The trigger of a workflow inside a node.
fn called() -> Value {
    json!({ "id": "1", "name": "Called", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1.1, "position": [0, 0], "parameters": { "inputSource": "passthrough" } })
}

/// A workflow inside a node that fails under the id of another one.
fn failing_as(id: &str) -> Value {
    let stop = json!({ "id": "2", "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [200, 0], "parameters": { "errorMessage": "made up" } });
    let workflow = json!({ "id": id, "nodes": [called(), stop], "connections": { "Called": { "main": [[{ "node": "Stop", "type": "main", "index": 0 }]] } } });
    inline(&workflow)
}

/// A workflow inside a node with a tool whose workflow id is null.
fn calling_null() -> Value {
    let nodes = json!([
        called(),
        { "id": "2", "name": "Run", "type": "@n8n/n8n-nodes-langchain.toolExecutor", "typeVersion": 1, "position": [200, 0], "parameters": { "query": "{}", "toolName": "" } },
        { "id": "3", "name": "tool", "type": "@n8n/n8n-nodes-langchain.toolWorkflow", "typeVersion": 2.1, "position": [200, 200],
          "parameters": { "name": "tool", "description": "d", "source": "database", "workflowId": { "__rl": true, "mode": "id", "value": null } } },
    ]);
    let connections = json!({ "Called": { "main": [[{ "node": "Run", "type": "main", "index": 0 }]] }, "tool": { "ai_tool": [[{ "node": "Run", "type": "ai_tool", "index": 0 }]] } });
    inline(&json!({ "nodes": nodes, "connections": connections }))
}

const CODE: &str = "@n8n/n8n-nodes-langchain.code";
const EXECUTE: &str = "n8n-nodes-base.executeWorkflow";

/// On the real n8n: with the grant the same definition runs the other's workflow, so the attack is what is refused without it.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_runs_a_workflow_of_another_namespace_is_refused_wherever_it_is() {
    let stack = Stack::shared();
    let foreign = Foreign::at("runsothers", &stack.n8n_url(), &stack.n8n_key()).await;
    let n8n = &foreign.world.n8n;
    let victim = json!({ "name": "Victim", "connections": { "Called": { "main": [[{ "node": "Answer", "type": "main", "index": 0 }]] } }, "settings": {}, "nodes": [
        called(),
        answering("x", "the victim ran")["nodes"][1],
    ] });
    let victim = n8n.api("POST", "/workflows", Some(victim)).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(n8n.api("POST", &format!("/workflows/{victim}/publish"), Some(json!({}))).await.status, 200);
    let path = |name: &str| format!("{}/{name}", foreign.other);
    let hidden = alone(CODE, 1.0, &running(&victim));
    // A webhook of the attacker's own, to which the owner's credential is sent.
    let (credential, sent) = somebodys_credential(n8n).await;
    let mut collects = answering(&path("collects"), "");
    set_value(&mut collects, "={{ $json.headers.authorization }}");
    let tries = [
        ("plain", with(&path("plain"), CODE, 1.0, running(&victim)), "NodeTypeNotGranted"),
        (
            "sends",
            with(&path("sends"), CODE, 1.0, sending(&credential, &format!("{}/webhook/{}", n8n.webhooks, path("collects")))),
            "NodeTypeNotGranted",
        ),
        // n8n takes the first two parts for the type.
        ("dotted", with(&path("dotted"), &format!("{CODE}.set"), 1.0, running(&victim)), "ReferenceNotGranted"),
        ("inline", with(&path("inline"), EXECUTE, 1.2, inline(&hidden)), "NodeTypeNotGranted"),
        (
            "by-id",
            with(&path("by-id"), EXECUTE, 1.2, json!({ "workflowId": { "__rl": true, "mode": "id", "value": victim } })),
            "ReferenceNotGranted",
        ),
        // n8n runs a workflow inside a node as the workflow with its id.
        ("as-another", with(&path("as-another"), EXECUTE, 1.2, failing_as(&victim)), "ReferenceNotGranted"),
        // A null id selects the workflow with the smallest id.
        ("null-id", with(&path("null-id"), EXECUTE, 1.2, calling_null()), "ReferenceNotGranted"),
    ];
    for (name, definition, reason) in &tries {
        foreign.apply(name, json!({ "active": true, "definition": definition })).await;
        let message = foreign.says(name, "Ready", reason).await;
        println!("{name}: {reason}: {message}");
        assert!(message.contains("spec.grants[]"), "{message}");
    }
    assert!(
        foreign.reached(&["plain", "sends", "dotted", "inline", "by-id", "as-another", "null-id"]).await.is_empty(),
        "nothing of them reaches n8n"
    );
    // The attacks without the defence.
    foreign.apply("collects", json!({ "active": true, "definition": collects })).await;
    foreign.until_ready("collects").await;
    foreign.grant(json!({ "nodeTypes": [CODE], "workflows": [victim] })).await;
    foreign.until_ready("as-another").await;
    n8n.webhook("GET", &path("as-another")).await;
    let failed = n8n.api("GET", &format!("/executions?status=error&workflowId={victim}"), None).await.json();
    assert!(failed["data"].as_array().is_some_and(|all| !all.is_empty()), "the victim's error rate rises: {failed}");
    foreign.until_ready("plain").await;
    let got = n8n.webhook("GET", &path("plain")).await;
    assert!(got.text.contains("the victim ran"), "{}: {}", got.status, got.text);
    foreign.until_ready("sends").await;
    let got = n8n.webhook("GET", &path("sends")).await;
    assert!(got.text.contains(&sent), "{}: {}", got.status, got.text);
    foreign.says("dotted", "Ready", "ReferenceNotGranted").await;
    n8n.api("POST", &format!("/workflows/{victim}/unpublish"), None).await;
    n8n.api("DELETE", &format!("/workflows/{victim}"), None).await;
    n8n.api("DELETE", &format!("/credentials/{credential}"), None).await;
}

/// On the real n8n: a grant names an id; a list of all tables needs a grant of all.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_table_needs_a_grant_of_its_id_and_one_by_name_a_grant_of_all() {
    let stack = Stack::shared();
    let foreign = Foreign::at("tablesof", &stack.n8n_url(), &stack.n8n_key()).await;
    let n8n = &foreign.world.n8n;
    let name = format!("t{:x}", crate::harness::stack::rand());
    let made = n8n.api("POST", "/data-tables", Some(json!({ "name": name, "columns": [{ "name": "word", "type": "string" }] }))).await;
    let table = made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let filled = n8n
        .api("POST", &format!("/data-tables/{table}/rows"), Some(json!({ "data": [{ "word": "somebody's" }], "returnType": "count" })))
        .await;
    assert_eq!(filled.status, 200, "{}", filled.text);
    let path = |name: &str| format!("{}/{name}", foreign.other);
    let get = |mode: &str, value: &str| json!({ "resource": "row", "operation": "get", "returnAll": true, "dataTableId": { "__rl": true, "mode": mode, "value": value } });
    let tries = [
        ("by-id", get("id", &table)),
        ("by-name", get("name", &name)),
        ("computed", get("id", &format!("={{{{ '{table}' }}}}"))),
        ("listing", json!({ "resource": "table", "operation": "list", "returnAll": true, "options": {} })),
    ];
    for (name, parameters) in &tries {
        let definition = with(&path(name), "n8n-nodes-base.dataTable", 1.0, parameters.clone());
        foreign.apply(name, json!({ "active": true, "definition": definition })).await;
        let message = foreign.says(name, "Ready", "DataTableNotGranted").await;
        println!("{name}: {message}");
        assert!(message.contains("\"Run\"") && message.contains("spec.grants[].dataTables"), "{message}");
    }
    assert!(foreign.reached(&["by-id", "by-name", "computed", "listing"]).await.is_empty());
    foreign.grant(json!({ "dataTables": [table] })).await;
    foreign.until_ready("by-id").await;
    let got = n8n.webhook("GET", &path("by-id")).await;
    assert!(got.text.contains("somebody's"), "{}: {}", got.status, got.text);
    for name in ["by-name", "computed", "listing"] {
        foreign.says(name, "Ready", "DataTableNotGranted").await;
    }
    n8n.api("DELETE", &format!("/data-tables/{table}"), None).await;
}

/// The attacks, each as a node of a namespace without grants; docs/threat-model.md has the table.
#[tokio::test(flavor = "multi_thread")]
async fn no_node_that_accesses_more_than_its_definition_is_sent_without_a_grant() {
    let standin = StandIn::start(Options::default());
    let foreign = Foreign::at("tries", &standin.url(), standin.api_key()).await;
    let deep = |kind: &str| inline(&alone(kind, 1.0, &json!({})));
    let (types, reference, tables) = ("NodeTypeNotGranted", "ReferenceNotGranted", "DataTableNotGranted");
    let tries = [
        (CODE, 1.0, json!({}), types),
        ("n8n-nodes-base.code", 2.0, json!({ "jsCode": "return [];" }), types),
        ("@n8n/n8n-nodes-langchain.toolCode", 1.1, json!({ "jsCode": "return '';" }), types),
        ("n8n-nodes-base.function", 1.0, json!({ "functionCode": "return items;" }), types),
        ("n8n-nodes-base.sort", 1.0, json!({ "type": "code", "code": "return 0;" }), types),
        ("n8n-nodes-base.messageAnAgent", 1.0, json!({}), types),
        ("@n8n/n8n-nodes-langchain.agent", 1.7, json!({ "agent": "sqlAgent", "dataSource": "sqlite" }), types),
        ("@n8n/n8n-nodes-langchain.vectorStoreInMemory", 1.3, json!({}), types),
        ("@n8n/n8n-nodes-langchain.vectorStoreInMemoryLoad", 1.0, json!({}), types),
        ("n8n-nodes-base.executeCommand", 1.0, json!({ "command": "id" }), types),
        ("n8n-nodes-base.readWriteFile", 1.0, json!({ "fileSelector": "/etc/passwd" }), types),
        ("n8n-nodes-base.readBinaryFile", 1.0, json!({ "filePath": "/etc/passwd" }), types),
        ("n8n-nodes-base.git", 1.1, json!({ "operation": "clone", "repositoryPath": "/tmp/x", "sourceRepository": "file:///etc" }), types),
        ("n8n-nodes-base.snowflake", 1.0, json!({ "operation": "executeQuery", "query": "PUT file:///etc/passwd @~" }), types),
        ("n8n-nodes-base.snowflakeTool", 1.0, json!({ "operation": "executeQuery", "query": "SELECT 1" }), types),
        ("n8n-nodes-base.editImage", 1.0, json!({}), types),
        ("n8n-nodes-base.debugHelper", 1.0, json!({}), types),
        ("n8n-nodes-acme.anything", 1.0, json!({}), types),
        ("n8n-nodes-base.dataTableTool", 1.0, json!({ "dataTableId": { "__rl": true, "mode": "list", "value": "T1" } }), tables),
        ("n8n-nodes-base.evaluation", 4.8, json!({ "dataTableId": { "__rl": true, "mode": "list", "value": "T1" } }), tables),
        (
            "n8n-nodes-base.evaluationTrigger",
            4.7,
            json!({ "source": "dataTable", "dataTableId": { "__rl": true, "mode": "id", "value": "T1" } }),
            tables,
        ),
        (EXECUTE, 1.2, deep(CODE), types),
        (EXECUTE, 1.2, deep("n8n-nodes-base.messageAnAgent"), types),
        (EXECUTE, 1.2, inline(&alone(EXECUTE, 1.2, &deep(CODE))), types),
        ("@n8n/n8n-nodes-langchain.toolWorkflow", 2.2, deep(CODE), types),
        ("@n8n/n8n-nodes-langchain.retrieverWorkflow", 1.1, deep(CODE), types),
        (EXECUTE, 1.2, json!({ "source": "localFile", "workflowPath": "/tmp/x.json" }), reference),
        (EXECUTE, 1.2, json!({ "source": "url", "workflowUrl": "http://127.0.0.1/x.json" }), reference),
        (EXECUTE, 1.2, json!({ "workflowId": { "__rl": true, "mode": "id", "value": "={{ 'W' + 1 }}" } }), reference),
    ];
    let names: Vec<String> = (0..tries.len()).map(|at| format!("try-{at}")).collect();
    for (name, (kind, version, parameters, _)) in names.iter().zip(&tries) {
        let node = json!({ "name": "Try", "type": kind, "typeVersion": version, "position": [600, 0], "parameters": parameters });
        foreign.apply(name, json!({ "definition": with_node(answering(&format!("tries/{name}"), "1"), node) })).await;
    }
    for (name, (kind, _, parameters, reason)) in names.iter().zip(&tries) {
        let message = foreign.says(name, "Ready", reason).await;
        println!("{kind} {parameters}: {message}");
        assert!(message.contains("\"Try\"") && message.contains("spec.grants[]"), "{kind}: {message}");
    }
    assert!(foreign.world.n8n.workflows().await.is_empty(), "nothing of them reaches n8n");
    // With the grants all of them may be used, and a granted type needs no other grant.
    foreign.grant(json!({ "nodeTypes": ["n8n-nodes-base.co*"] })).await;
    foreign.until_ready("try-1").await;
    foreign.says("try-0", "Ready", types).await;
    foreign.grant(json!({ "workflows": ["*"], "credentials": ["*"] })).await;
    foreign.until_ready("try-0").await;
    foreign.says("try-5", "Ready", types).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_stored_after_adoption_needs_the_grants_of_its_credentials() {
    let standin = StandIn::start(Options::default());
    let foreign = Foreign::at("pinned", &standin.url(), standin.api_key()).await;
    let n8n = &foreign.world.n8n;
    let mut ids = Vec::new();
    for name in ["There at adoption", "Somebody's"] {
        let data = json!({ "user": "u", "password": format!("{:x}", crate::harness::stack::rand()) });
        let made = n8n.api("POST", "/credentials", Some(json!({ "name": name, "type": "httpBasicAuth", "data": data }))).await;
        ids.push(made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned());
    }
    let using = |id: &str| json!({ "httpBasicAuth": { "id": id, "name": "Any" } });
    let path = format!("{}/adopted", foreign.other);
    let mut theirs = answering(&path, "adopted");
    theirs["nodes"][0]["credentials"] = using(&ids[0]);
    let theirs = n8n.api("POST", "/workflows", Some(theirs)).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(n8n.api("POST", &format!("/workflows/{theirs}/publish"), Some(json!({}))).await.status, 200);
    foreign.grant(json!({ "adopt": [theirs] })).await;
    foreign.apply("a", json!({ "active": true, "adopt": { "id": theirs }, "definition": answering(&path, "ours") })).await;
    let adopted = foreign.until_ready("a").await;
    let version = |object: &Value, source: &str| {
        let history = object["status"]["history"].as_array().into_iter().flatten();
        history.filter(|one| one["source"] == source).filter_map(|one| one["version"].as_i64()).max()
    };
    let first = version(&adopted, "Adopted").expect("the adopted version is kept");
    // Somebody edits it in n8n, with a credential that this namespace may not use; the edit is reverted and stored.
    standin
        .ui_edit_draft(&id(&adopted), |draft| {
            set_value(draft, "edited");
            draft["nodes"][0]["credentials"] = using(&ids[1]);
        })
        .expect("the editor saves");
    standin.ui_publish(&id(&adopted)).expect("the editor publishes");
    let kept =
        foreign.world.until_in(&foreign.other, "a", "the edit is kept", |object| version(object, "Drift").is_some() && ready(object)).await;
    let edit = version(&kept, "Drift").expect("a version");
    let pin = async |to: i64| {
        let patch = json!({ "metadata": { "annotations": { "weirkeeper.dev/pinned-version": to.to_string() } } });
        let api = foreign.world.api_in(&foreign.other, "Workflow");
        api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.expect("the API server takes the pin");
    };
    pin(edit).await;
    let message = foreign.says("a", "CredentialsReady", "CredentialNotGranted").await;
    assert!(
        message.contains(&ids[1]) && message.contains("the kept version") && message.contains("spec.grants[].credentials"),
        "{message}"
    );
    // The published version stays.
    foreign.world.n8n.expect_version(&path, "ours").await;
    let sent = foreign.world.n8n.workflow(&theirs).await;
    assert!(!sent.to_string().contains(&ids[1]), "the credential is in nothing that n8n was sent: {sent:#}");
    // The adopted content may be published with the credentials that it had.
    pin(first).await;
    foreign
        .world
        .until_in(&foreign.other, "a", "the adopted version is published", |object| {
            object["status"]["activeVersion"] == first && ready(object)
        })
        .await;
    foreign.world.n8n.expect_version(&path, "adopted").await;
}

/// On the real n8n: after a grant was removed and the owner unpublished the version, a failure of the next version does not publish it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_needs_the_grants_of_its_version() {
    let stack = Stack::shared();
    let foreign = Foreign::at("backto", &stack.n8n_url(), &stack.n8n_key()).await;
    let n8n = &foreign.world.n8n;
    let path = format!("{}/back", foreign.other);
    foreign.grant(json!({ "nodeTypes": ["n8n-nodes-base.code"] })).await;
    let code = with(&path, "n8n-nodes-base.code", 2.0, json!({ "jsCode": "return [{ json: { got: 'by code' } }];" }));
    foreign.apply("back", json!({ "active": true, "definition": code })).await;
    let object = foreign.until_ready("back").await;
    assert!(n8n.webhook("GET", &path).await.text.contains("by code"));
    foreign.grant(json!({})).await;
    foreign.says("back", "Ready", "NodeTypeNotGranted").await;
    let workflow = object["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    assert_eq!(n8n.api("POST", &format!("/workflows/{workflow}/unpublish"), None).await.status, 200);
    let probes = json!([{ "node": "Webhook", "expectedStatus": 418 }]);
    foreign.apply("back", json!({ "active": true, "definition": answering(&path, "2"), "healthCheck": { "probes": probes } })).await;
    let failed = |object: &Value| {
        let history = object["status"]["history"].as_array();
        history.is_some_and(|all| all.iter().any(|one| one["version"] == 2 && one["result"] == "Failed"))
    };
    foreign.world.until_in(&foreign.other, "back", "version 2 failed", failed).await;
    foreign.says("back", "Ready", "NodeTypeNotGranted").await;
    let got = n8n.webhook("GET", &path).await;
    assert!(!got.text.contains("by code"), "{}: {}", got.status, got.text);
}
