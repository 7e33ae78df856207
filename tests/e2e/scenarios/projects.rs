//! The n8n project of a workflow: it is created there, moved there, and kept there.

use serde_json::{Value, json};

use crate::harness::n8n::{N8n, answering, id, with_node};
use crate::harness::stack::{Stack, rand};
use crate::harness::world::{World, condition, current, ready};
use crate::standin::{Fault, Options, Rule, StandIn};

/// Returns the personal project of a user who is invited for that. The public API names projects with a licence only, the editor's own API
/// to logged-in users.
pub(crate) async fn second_project(stack: &Stack) -> String {
    let email = format!("second-{:x}@stack.invalid", rand());
    let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
    let invited = n8n.api("POST", "/users", Some(json!([{ "email": email, "role": "global:member" }]))).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let owner: Value = serde_json::from_str(&std::fs::read_to_string(stack.dir.join("n8n-owner.json")).expect("the owner")).expect("JSON");
    let session = owner["session"].as_str().expect("a session");
    let request = reqwest::Client::new().get(format!("{}/rest/projects", stack.n8n_url())).header("cookie", session);
    let text = request.send().await.expect("n8n answers").text().await.expect("a whole answer");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let theirs =
        all["data"].as_array().expect("projects").iter().find(|one| one["name"].as_str().is_some_and(|name| name.contains(&email)));
    theirs.expect("the project of the user")["id"].as_str().expect("an id").to_owned()
}

fn project(workflow: &Value) -> &str {
    workflow["shared"][0]["projectId"].as_str().expect("a project")
}

async fn move_in_n8n(n8n: &N8n, id: &str, to: &str) {
    let moved = n8n.api("PUT", &format!("/workflows/{id}/transfer"), Some(json!({ "destinationProjectId": to }))).await;
    assert_eq!(moved.status, 204, "{}", moved.text);
}

/// Waits until n8n has a workflow in a project.
async fn until_in(world: &World, id: &str, wanted: &str) -> Value {
    let started = std::time::Instant::now();
    loop {
        let workflow = world.n8n.workflow(id).await;
        if project(&workflow) == wanted {
            return workflow;
        }
        assert!(started.elapsed() < crate::harness::world::PATIENCE, "{id} stays in {}\n{}", project(&workflow), world.operator.tail());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_created_in_its_project_moved_by_the_spec_and_moved_back_by_the_policy() {
    let world = World::on_real_n8n("project").await;
    let second = second_project(&world.stack).await;
    let path = format!("{}/a", world.namespace);
    let spec = |more: Value| {
        let mut spec = json!({ "active": true, "interval": "1s", "definition": answering(&path, "1") });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    world.workflow("a", spec(json!({}))).await;
    let made = world.until_ready("a").await;
    let own = project(&world.n8n.workflow(&id(&made)).await).to_owned();
    let created = { json!({ "project": { "id": second }, "definition": answering(&format!("{path}-b"), "1") }) };
    world.workflow("b", spec(created)).await;
    let born = world.until_ready("b").await;
    assert_eq!(project(&world.n8n.workflow(&id(&born)).await), second);
    assert_eq!(born["status"]["project"], json!(second));

    // Published, and moved by the spec: the same version of Weirkeeper's and of n8n's stays published.
    let before = world.n8n.workflow(&id(&made)).await;
    world.workflow("a", spec(json!({ "project": { "id": second } }))).await;
    let moved = world.until_ready("a").await;
    let after = world.n8n.workflow(&id(&moved)).await;
    assert_eq!(project(&after), second);
    for same in ["active", "versionId", "activeVersionId", "versionCounter"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!((&moved["status"]["activeVersion"], moved["status"]["history"].as_array().unwrap().len()), (&json!(1), 1));
    world.n8n.expect_version(&path, "1").await;
    assert!(world.events("a").await.iter().all(|(reason, _)| reason != "DriftReverted"), "only the author moved it");

    // Somebody moves it away, and it is moved back.
    move_in_n8n(&world.n8n, &id(&moved), &own).await;
    world.until_event("a", "DriftReverted", "moved to another project").await;
    until_in(&world, &id(&moved), &second).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "1").await;

    // The same under the policy Report.
    world.workflow("a", spec(json!({ "project": { "id": second }, "driftPolicy": "Report" }))).await;
    world.until_ready("a").await;
    move_in_n8n(&world.n8n, &id(&moved), &own).await;
    let reported = world.until_reason("a", "Drifted", "DriftReported").await;
    assert!(condition(&reported, "Drifted")["message"].as_str().unwrap().contains("moved to another project"), "{:#}", reported["status"]);
    assert_eq!(project(&world.n8n.workflow(&id(&moved)).await), own);

    // A spec with the current project matches it; one without a project leaves it, and so does deletion under Retain.
    world.workflow("a", spec(json!({ "project": { "id": own }, "driftPolicy": "Report" }))).await;
    world.until("a", "Ready in its project", |object| ready(object) && object["status"]["project"] == json!(own)).await;
    world.workflow("a", spec(json!({ "deletionPolicy": "Retain" }))).await;
    world.until("a", "no project", |object| ready(object) && object["status"]["project"].is_null()).await;
    move_in_n8n(&world.n8n, &id(&moved), &second).await;
    world.delete("a").await;
    assert_eq!(project(&world.n8n.workflow(&id(&moved)).await), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_project_is_waited_for_and_changes_nothing() {
    let world = World::on_real_n8n("project-unknown").await;
    let path = format!("{}/a", world.namespace);
    let spec = |version: &str, project: Option<&str>| {
        let mut spec = json!({ "active": true, "interval": "1s", "definition": answering(&path, version) });
        if let Some(project) = project {
            spec["project"] = json!({ "id": project });
        }
        spec
    };
    let nowhere = Some("nowhere");
    world.workflow("a", spec("1", nowhere)).await;
    let waiting = world.until_reason("a", "Ready", "ProjectNotFound").await;
    assert_eq!(condition(&waiting, "Stalled")["status"], "False");
    assert!(waiting["status"]["n8nWorkflowId"].is_null() && waiting["status"]["intent"].is_null(), "{:#}", waiting["status"]);
    assert!(world.n8n.marked(&world.namespace, "a").await.is_empty());
    world.workflow("a", spec("1", None)).await;
    let made = world.until_ready("a").await;
    let before = world.n8n.workflow(&id(&made)).await;

    // Neither the move nor the new version that comes with it.
    world.workflow("a", spec("1", nowhere)).await;
    let waiting = world.until_reason("a", "Ready", "ProjectNotFound").await;
    assert_eq!((&waiting["status"]["activeVersion"], &condition(&waiting, "Live")["status"]), (&json!(1), &json!("True")));
    world.workflow("a", spec("2", nowhere)).await;
    world
        .until("a", "version 2 waits", |object| {
            current(object) && object["status"]["history"][0]["version"] == 2 && condition(object, "Ready")["reason"] == "ProjectNotFound"
        })
        .await;
    let after = world.n8n.workflow(&id(&made)).await;
    for same in ["active", "versionId", "activeVersionId", "updatedAt", "shared"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    world.n8n.expect_version(&path, "1").await;
    world.workflow("a", spec("2", None)).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "2").await;
}

/// A world on a stand-in with one Workflow `a`.
struct Small {
    world: World,
    standin: StandIn,
    path: String,
}

impl Small {
    async fn start(name: &str) -> Self {
        Self::on(name, Options::default()).await
    }

    async fn on(name: &str, options: Options) -> Self {
        let standin = StandIn::start(options);
        let world = World::at(&standin.url(), standin.api_key(), name, json!({ "requestTimeout": "2s" })).await;
        let path = format!("{}/a", world.namespace);
        Self { world, standin, path }
    }

    async fn apply(&self, version: &str, more: Value) {
        let mut spec = json!({ "active": true, "interval": "1s", "definition": answering(&self.path, version) });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.workflow("a", spec).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_in_its_project_costs_no_write() {
    let small = Small::start("project-still").await;
    let second = small.standin.add_project();
    small.apply("1", json!({ "project": { "id": second } })).await;
    small.world.until_ready("a").await;
    small.standin.log().clear();
    for number in 0..5 {
        let token = number.to_string();
        small.world.annotate("Workflow", "a", "requested-at", json!(token)).await;
        small.world.until("a", "it was reconciled", |object| object["status"]["lastHandledRequestedAt"] == token.as_str()).await;
    }
    assert_eq!(small.standin.log().writes().len(), 0, "{:?}", small.standin.log().writes());
    assert!(small.standin.log().count("GET", "/api/v1/workflows/") >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_without_the_scope_to_move_only_affects_workflows_that_are_to_be_moved() {
    let scopes = crate::standin::every_scope().into_iter().filter(|scope| scope != "workflow:move").collect();
    let small = Small::on("project-scope", Options { scopes: Some(scopes), ..Options::default() }).await;
    let second = small.standin.add_project();
    small.apply("1", json!({ "project": { "id": second } })).await;
    let made = small.world.until_ready("a").await;
    assert_eq!(project(&small.world.n8n.workflow(&id(&made)).await), second, "a create needs no other scope");
    small.world.until_kind("N8nInstance", "main", "Ready", ready).await;
    // A namespace that needs it gets the details, and the workflow stays published.
    small.apply("1", json!({ "project": { "id": small.standin.own_project() } })).await;
    let reported = small.world.until_reason("a", "Ready", "MissingScope").await;
    assert!(condition(&reported, "Ready")["message"].as_str().unwrap().contains("workflow:move"), "{:#}", reported["status"]);
    assert_eq!((&condition(&reported, "Live")["status"], &condition(&reported, "Stalled")["status"]), (&json!("True"), &json!("True")));
    small.standin.ui_move(&id(&made), &small.standin.own_project());
    small.world.until_ready("a").await;
    small.standin.ui_move(&id(&made), &second);
    small.apply("2", json!({})).await;
    small.world.until_ready("a").await;
    small.world.n8n.expect_version(&small.path, "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_move_is_retried_and_ends_published() {
    let small = Small::start("project-faults").await;
    let projects = [small.standin.add_project(), small.standin.add_project()];
    small.apply("1", json!({})).await;
    let made = small.world.until_ready("a").await;
    let faults = [Fault::DropBefore, Fault::DropAfter, Fault::HalfBody, Fault::json(500, "Internal server error"), Fault::Html404];
    for (fault, to) in faults.into_iter().zip(projects.iter().cycle()) {
        let reported = format!("{fault:?}");
        let rule = small.standin.faults().add(Rule::on("PUT", "/api/v1/workflows/*/transfer", fault).once());
        small.apply("1", json!({ "project": { "id": to } })).await;
        let there = small.world.until("a", "it is there", |object| ready(object) && object["status"]["project"] == json!(to)).await;
        assert_eq!(small.standin.faults().fired(rule), 1, "{reported}");
        assert_eq!(there["status"]["intent"], Value::Null, "{reported}");
        assert_eq!(project(&small.world.n8n.workflow(&id(&made)).await), to, "{reported}");
        small.world.n8n.expect_version(&small.path, "1").await;
    }
    // n8n reports that it moved the workflow, and could not register its triggers again.
    small.standin.configure(|options| options.moves_go_offline = true);
    let before = small.world.n8n.workflow(&id(&made)).await;
    let to = small.standin.own_project();
    small.apply("1", json!({ "project": { "id": to }, "driftPolicy": "Report" })).await;
    small.world.until("a", "it is there", |object| ready(object) && object["status"]["project"] == json!(to)).await;
    let after = small.world.n8n.workflow(&id(&made)).await;
    assert_eq!((project(&after), &after["activeVersionId"]), (to.as_str(), &before["activeVersionId"]));
    small.world.n8n.expect_version(&small.path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_does_not_exist_stops_no_rollback() {
    let small = Small::start("project-rollback").await;
    let check = |time: &str| json!({ "bakeTime": time, "minimumExecutions": 2, "maximumErrorRate": 50 });
    small.apply("1", json!({})).await;
    small.world.until("a", "version 1 is good", |object| object["status"]["history"][0]["result"] == "Good").await;
    let fails = json!({ "name": "Fails", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1, "position": [400, 0], "parameters": { "errorMessage": "broken" } });
    let mut bad = with_node(answering(&small.path, "2"), fails);
    bad["connections"]["Answer"] = json!({ "main": [[{ "node": "Fails", "type": "main", "index": 0 }]] });
    small.apply("2", json!({ "definition": bad, "healthCheck": check("10m") })).await;
    let baking = small.world.until_reason("a", "Healthy", "Baking").await;
    assert!(ready(&baking));
    // The author names a project that does not exist, and the version turns out to be bad.
    small.apply("2", json!({ "definition": bad, "healthCheck": check("10m"), "project": { "id": "nowhere" } })).await;
    small.world.until_reason("a", "Ready", "ProjectNotFound").await;
    for _ in 0..3 {
        small.world.n8n.webhook("GET", &small.path).await;
    }
    small.world.until_reason("a", "RolledBack", "RolledBack").await;
    small.world.n8n.expect_version(&small.path, "1").await;
    // The corrected version waits for the project.
    small.apply("3", json!({ "project": { "id": "nowhere" } })).await;
    small.world.until_reason("a", "Ready", "ProjectNotFound").await;
    small.world.n8n.expect_version(&small.path, "1").await;
    small.apply("3", json!({ "project": { "id": small.standin.own_project() } })).await;
    small.world.until_ready("a").await;
    small.world.n8n.expect_version(&small.path, "3").await;
}
