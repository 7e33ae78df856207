use super::*;
use crate::api::condition::whole_seconds;
use crate::api::workflow_status::{PublishedContent, Snapshot, VersionRecord, VersionResult, VersionSource};
use crate::domain::mark::Mark;
use crate::domain::remote::RemoteWorkflow;
use crate::domain::settings;
use serde_json::{Map, Value, json};

fn mark() -> Mark {
    let uid = |digit: &str| format!("{0}{0}-{0}-{0}-{0}-{0}{0}{0}", digit.repeat(4));
    Mark { cluster: uid("a"), uid: uid("b"), namespace: "team-a".into(), name: "orders".into() }
}

fn listed() -> Value {
    let mut settings = json!({ "executionOrder": "v1" }).as_object().unwrap().clone();
    mark().put(&mut settings);
    json!({
        "id": "w", "name": "Orders", "active": true, "isArchived": false, "versionId": "v2", "activeVersionId": "v2",
        "updatedAt": "2026-11-30T07:43:16.600Z", "settings": settings, "tags": [{ "id": "t", "name": "shop" }],
        "shared": [{ "role": "workflow:owner", "projectId": "p" }], "nodes": [], "connections": {},
    })
}

fn shown(change: impl FnOnce(&mut Value)) -> Shown {
    let mut listed = listed();
    change(&mut listed);
    Shown::of(&serde_json::from_value(listed).unwrap())
}

fn recorded() -> Recorded {
    let record = VersionRecord {
        version: 2,
        digest: "d".into(),
        n8n_version_id: Some("v2".into()),
        revision: "r".into(),
        source: VersionSource::Definition,
        result: VersionResult::Good,
        reason: None,
        message: None,
        created_at: whole_seconds(jiff::Timestamp::UNIX_EPOCH),
        decided_at: None,
    };
    let confirmed = Snapshot {
        name: Some("Orders".into()),
        draft: Some("d".into()),
        publication: Some(PublishedContent { digest: Some("d".into()) }),
        settings: ["executionOrder", "timezone"]
            .map(|key| (key.to_owned(), settings::meaning(key, (key == "executionOrder").then_some(&json!("v1")))))
            .into(),
    };
    let state = ConfirmedState {
        generation: 3,
        version: 2,
        history: &[record],
        confirmed: &confirmed,
        published: true,
        project: Some("p"),
        callers: None,
        added_tags: &["shop".to_owned()],
    };
    Recorded::of(state).unwrap()
}

/// A change of what a listing shows.
type Change = fn(&mut Value);

#[test]
fn each_change_that_a_reconciliation_compares_is_shown_and_confirms_nothing() {
    let (tags, before) = ([hash("shop")], shown(|_| {}));
    let asked = Asked { active: Some(true), tags: Some(&tags), project: Some(hash("p")) };
    assert!(recorded().is_shown(asked, &mark(), &before));
    let changes: [(&str, Change); 15] = [
        ("a draft", |one| one["versionId"] = json!("v3")),
        ("another published version", |one| one["activeVersionId"] = json!("v1")),
        ("both", |one| (one["versionId"], one["activeVersionId"]) = (json!("v3"), json!("v3"))),
        ("unpublished", |one| (one["active"], one["activeVersionId"]) = (json!(false), Value::Null)),
        ("archived", |one| one["isArchived"] = json!(true)),
        ("renamed", |one| one["name"] = json!("Other")),
        ("a managed setting", |one| one["settings"]["executionOrder"] = json!("v0")),
        ("a managed setting removed", |one| drop(one["settings"].as_object_mut().unwrap().remove("executionOrder"))),
        ("a managed setting that was absent", |one| one["settings"]["timezone"] = json!("Europe/Paris")),
        ("the mark removed", |one| one["settings"][crate::domain::mark::SETTING] = json!([])),
        ("the mark of another object", |one| {
            let mut settings = Map::new();
            Mark { name: "other".into(), ..mark() }.put(&mut settings);
            one["settings"][crate::domain::mark::SETTING] = settings[crate::domain::mark::SETTING].clone();
        }),
        ("moved", |one| one["shared"][0]["projectId"] = json!("q")),
        ("a tag removed", |one| one["tags"] = json!([])),
        ("a tag renamed", |one| one["tags"][0]["name"] = json!("sold")),
        ("no version id", |one| one["versionId"] = Value::Null),
    ];
    for (what, change) in changes {
        let after = shown(change);
        assert!(after.fingerprint != before.fingerprint, "{what}: the same fingerprint");
        assert!(!recorded().is_shown(asked, &mark(), &after), "{what}: confirmed by the status");
    }
}

#[test]
fn what_people_may_do_beside_the_spec_is_confirmed_by_the_status_and_costs_one_reconciliation_while_the_operator_runs() {
    let (tags, before) = ([hash("shop")], shown(|_| {}));
    let asked = Asked { active: Some(true), tags: Some(&tags), project: None };
    let changes: [(&str, Change); 4] = [
        ("a tag added", |one| one["tags"].as_array_mut().unwrap().push(json!({ "id": "u", "name": "theirs" }))),
        ("a setting that is not managed", |one| one["settings"]["saveManualExecutions"] = json!(false)),
        ("saved without a change", |one| one["updatedAt"] = json!("2026-11-30T08:00:00.000Z")),
        ("moved, which the spec leaves to people", |one| one["shared"][0]["projectId"] = json!("q")),
    ];
    for (what, change) in changes {
        let after = shown(change);
        assert!(after.fingerprint != before.fingerprint, "{what}");
        assert!(recorded().is_shown(asked, &mark(), &after), "{what}");
    }
}

#[test]
fn a_listing_and_a_read_of_the_workflow_alone_have_the_same_fingerprint() {
    let mut alone = listed();
    // Only the read of one workflow has these.
    alone["description"] = json!("x");
    alone["shared"][0]["project"] = json!({ "id": "p", "name": "P" });
    let remote: RemoteWorkflow = serde_json::from_value(alone).unwrap();
    assert_eq!(fingerprint(&remote), shown(|_| {}).fingerprint);
    // n8n lists tags in any order.
    let two = json!([{ "id": "a", "name": "x" }, { "id": "b", "name": "y" }]);
    let reversed = json!([{ "id": "b", "name": "y" }, { "id": "a", "name": "x" }]);
    assert_eq!(shown(|one| one["tags"] = two).fingerprint, shown(|one| one["tags"] = reversed).fingerprint);
}

#[test]
fn the_spec_decides_which_publication_is_right() {
    let offline: Change = |one| (one["active"], one["activeVersionId"]) = (json!(false), Value::Null);
    for (active, change, right) in [
        (Some(true), None, true),
        (Some(false), None, false),
        (None, None, true),
        (Some(true), Some(offline), false),
        (None, Some(offline), false),
    ] {
        let after = shown(change.unwrap_or(|_| {}));
        assert_eq!(recorded().is_shown(Asked { active, ..Asked::default() }, &mark(), &after), right, "{active:?}");
    }
}
