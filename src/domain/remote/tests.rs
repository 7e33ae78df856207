use super::*;
use serde_json::json;

#[test]
fn null_and_absent_fields_of_a_workflow_become_defaults() {
    let workflow: RemoteWorkflow = serde_json::from_value(json!({
        "id": "a1", "name": "x", "active": null, "nodes": null, "connections": null, "settings": null,
        "tags": null, "activeVersion": null, "somethingNew": {"deep": [1]}
    }))
    .unwrap();
    assert_eq!(workflow.connections, json!({}));
    assert!(workflow.nodes.is_empty() && !workflow.active && workflow.active_version.is_none());

    let sparse: RemoteWorkflow = serde_json::from_value(json!({"id": 7})).unwrap();
    assert_eq!((sparse.id.as_str(), sparse.connections), ("7", json!({})));
}

#[test]
fn the_project_of_a_workflow_is_the_one_that_owns_it() {
    let project = |shared: Value| serde_json::from_value::<RemoteWorkflow>(json!({ "id": "a", "shared": shared })).unwrap().project;
    let owner = json!({ "role": "workflow:owner", "projectId": "p1" });
    assert_eq!(project(json!([{ "role": "workflow:editor", "projectId": "p2" }, owner])).as_deref(), Some("p1"));
    for unknown in [json!(null), json!([]), json!("other words"), json!([{ "role": "workflow:owner" }])] {
        assert_eq!(project(unknown), None);
    }
    assert_eq!(serde_json::from_value::<RemoteWorkflow>(json!({ "id": "a" })).unwrap().project, None);
}

#[test]
fn a_workflow_without_id_is_not_a_workflow() {
    assert!(serde_json::from_value::<RemoteWorkflow>(json!({"name": "x"})).is_err());
}

#[test]
fn node_groups_are_left_out_of_a_write_unless_given() {
    let mut write = WorkflowWrite { name: "x".into(), nodes: vec![], connections: json!({}), settings: Map::new(), node_groups: None };
    assert_eq!(serde_json::to_value(&write).unwrap(), json!({"name": "x", "nodes": [], "connections": {}, "settings": {}}));
    write.node_groups = Some(vec![]);
    assert_eq!(serde_json::to_value(&write).unwrap()["nodeGroups"], json!([]));
}

#[test]
fn an_execution_keeps_times_and_an_unknown_status_is_read() {
    let execution: RemoteExecution = serde_json::from_value(json!({
        "id": 12, "finished": false, "mode": "webhook", "status": "pondering", "workflowId": "w",
        "startedAt": "2026-11-21T03:40:00.123Z", "stoppedAt": null, "waitTill": null
    }))
    .unwrap();
    assert_eq!(execution.id, "12");
    assert_eq!(execution.status, ExecutionStatus::Unknown);
    assert_eq!(execution.started_at.unwrap().to_string(), "2026-11-21T03:40:00.123Z");
    assert!(execution.stopped_at.is_none());
}

#[test]
fn a_value_that_nests_too_deep_is_cut_from_a_workflow_and_its_path_recorded() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let text = format!("{{\"id\":\"a\",\"nodes\":[{{\"parameters\":{deep}}},2],\"connections\":{{}}}}");
    let workflow: RemoteWorkflow = serde_json::from_str(&text).unwrap();
    assert_eq!(workflow.nodes[1], 2);
    assert!(workflow.cut.as_deref().is_some_and(|path| path.starts_with("nodes[0].parameters[0]")), "{:?}", workflow.cut);
    let version: RemoteVersion = serde_json::from_str(&text).unwrap();
    assert!(version.cut.is_some() && version.nodes == workflow.nodes);
}

#[test]
fn a_summary_is_read_whatever_its_fields_hold() {
    let odd = json!({ "id": 7, "name": ["x"], "active": "yes", "versionId": 5, "settings": "none", "tags": [{ "name": "no id" }] });
    assert_eq!(serde_json::from_value::<RemoteSummary>(odd).unwrap(), RemoteSummary { id: "7".into(), ..RemoteSummary::default() });
}

#[test]
fn a_credential_shows_its_project_and_its_last_change_and_keeps_nothing_long() {
    let read = |more: Value| -> RemoteCredential {
        let mut credential = json!({ "id": "C7", "name": "Slack", "type": "slackApi" });
        credential.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(credential).unwrap()
    };
    let shared = |id: &str| json!([{ "id": "other", "role": "credential:user" }, { "id": id, "role": "credential:owner" }]);
    let listed = read(json!({ "updatedAt": "2026-11-30T07:52:41.054Z", "shared": shared("P1") }));
    assert_eq!((listed.updated_at.as_deref(), listed.project.as_deref()), (Some("2026-11-30T07:52:41.054Z"), Some("P1")));
    let long = "x".repeat(100_000);
    for odd in [json!({}), json!({ "updatedAt": long, "shared": shared(&long) }), json!({ "updatedAt": 7, "shared": "none" })] {
        let read = read(odd);
        assert_eq!((read.updated_at, read.project), (None, None));
    }
}
