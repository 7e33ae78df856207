//! Creating and changing workflows.

use serde_json::{Value, json};

use super::{Side, text, with};
use crate::scenarios::standin_check::caller::{answering, document, set};

pub(super) async fn creating(side: &mut Side) {
    let sound = answering("sound", "cmp-a", "v1");
    let mut without = sound.clone();
    without.as_object_mut().unwrap().remove("name");
    let mut no_connections = sound.clone();
    no_connections.as_object_mut().unwrap().remove("connections");
    let mut foreign = sound.clone();
    foreign["nodes"][0]["color"] = json!(1);
    let mut no_position = sound.clone();
    no_position["nodes"][0].as_object_mut().unwrap().remove("position");
    let group = |members: Value| json!([{ "id": "g", "name": "G", "nodeIds": members }]);
    for (label, body) in [
        ("no name", without),
        ("no connections", no_connections),
        ("an empty name", with(&sound, "name", json!(""))),
        ("a long name", with(&sound, "name", json!("x".repeat(129)))),
        ("a foreign node key", foreign),
        ("no position", no_position),
        ("an id", with(&sound, "id", json!("x"))),
        ("tags", with(&sound, "tags", json!([]))),
        ("a description", with(&sound, "description", json!("x"))),
        ("an unknown key", with(&sound, "versionCounter", json!(1))),
        ("an unknown setting", with(&sound, "settings", json!({ "foo": 1 }))),
        ("a bad setting", with(&sound, "settings", json!({ "callerPolicy": "x" }))),
        ("null settings", with(&sound, "settings", json!(null))),
        ("another project", with(&sound, "projectId", json!("nope"))),
        ("another folder", with(&sound, "parentFolderId", json!("nope"))),
        ("an empty group", with(&sound, "nodeGroups", group(json!([])))),
        ("a group with a trigger", with(&sound, "nodeGroups", group(json!(["w1"])))),
        ("a group of an unknown node", with(&sound, "nodeGroups", group(json!(["zz"])))),
        ("the same name twice", document("d", vec![set("x"), set("y")])),
        ("an array", json!([])),
    ] {
        side.api(&format!("create with {label}"), "POST", "/workflows", Some(body)).await;
    }
}

pub(super) async fn saving(side: &mut Side) {
    let mut sent = answering("saving", "cmp-save", "v1");
    sent["nodes"][1]["typeVersion"] = json!(3.4);
    sent["settings"] = json!({ "binaryMode": "separate", "timezone": "DEFAULT", "executionTimeout": -1,
        "customTelemetryTags": [{ "key": "k", "value": "v" }] });
    sent["staticData"] = json!({ "a": 1 });
    let made = side.api("create", "POST", "/workflows", Some(sent.clone())).await;
    let path = format!("/workflows/{}", text(&made, "id"));
    side.api("get", "GET", &path, None).await;
    side.api("get without pins", "GET", &format!("{path}?excludePinnedData=true"), None).await;
    side.api("get with a bad flag", "GET", &format!("{path}?excludePinnedData=x"), None).await;
    sent["settings"] = json!({});
    sent.as_object_mut().unwrap().remove("staticData");
    side.api("put the same", "PUT", &path, Some(sent.clone())).await;
    let described = with(&sent, "description", json!("why"));
    side.api("put a description", "PUT", &path, Some(described)).await;
    side.api("put an empty name", "PUT", &path, Some(with(&sent, "name", json!("")))).await;
    side.api("put a long name", "PUT", &path, Some(with(&sent, "name", json!("x".repeat(129))))).await;
    let zoned = with(&sent, "settings", json!({ "timezone": "UTC", "executionTimeout": 5 }));
    side.api("put settings", "PUT", &path, Some(zoned)).await;
    let reset = json!({ "timezone": "DEFAULT", "executionTimeout": -1 });
    side.api("put settings back", "PUT", &path, Some(with(&sent, "settings", reset))).await;
    let changed = with(&sent, "nodes", json!([sent["nodes"][0], set("v2")]));
    side.api("put nodes", "PUT", &path, Some(changed.clone())).await;
    let loose = with(&changed, "connections", json!({}));
    side.api("put connections", "PUT", &path, Some(loose)).await;
    let group = json!([{ "id": "g", "name": "G", "nodeIds": ["s1"] }]);
    side.api("put a group", "PUT", &path, Some(with(&changed, "nodeGroups", group))).await;
    side.api("put the group again unsaid", "PUT", &path, Some(changed.clone())).await;
    let mut bare = changed;
    bare["nodes"][0].as_object_mut().unwrap().remove("webhookId");
    bare["nodes"][1].as_object_mut().unwrap().remove("id");
    side.api("put without ids", "PUT", &path, Some(bare)).await;
    side.api("put an unknown key", "PUT", &path, Some(with(&sent, "projectId", json!("x")))).await;
    side.api("put a bad flag", "PUT", &format!("{path}?publishIfActive=x"), Some(sent.clone())).await;
    side.api("history", "GET", &format!("{path}/history"), None).await;
    let version = text(&made, "versionId");
    side.api("a version", "GET", &format!("{path}/versions/{version}"), None).await;
    side.api("no version", "GET", &format!("{path}/versions/nope"), None).await;
    side.api("list by name", "GET", "/workflows?name=SAVING", None).await;
    side.api("list with a bad limit", "GET", "/workflows?limit=x", None).await;
    side.api("list with a bad cursor", "GET", "/workflows?cursor=x", None).await;
    side.api("archive", "POST", &format!("{path}/archive"), None).await;
    side.api("archive again", "POST", &format!("{path}/archive"), None).await;
    side.api("put archived", "PUT", &path, Some(sent)).await;
    side.api("publish archived", "POST", &format!("{path}/publish"), None).await;
    side.api("unarchive", "POST", &format!("{path}/unarchive"), None).await;
    side.api("unarchive again", "POST", &format!("{path}/unarchive"), None).await;
    side.api("delete", "DELETE", &path, None).await;
    let missing = [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/archive"),
        ("POST", "/unarchive"),
        ("POST", "/publish"),
        ("POST", "/unpublish"),
        ("POST", "/activate"),
        ("GET", "/history"),
        ("GET", "/versions/x"),
        ("GET", "/tags"),
    ];
    for (method, rest) in missing {
        let label = format!("{method} {rest} of none");
        side.api(&label, method, &format!("{path}{rest}"), None).await;
    }
    let sent = answering("saving", "cmp-save", "v1");
    side.api("PUT of none", "PUT", &path, Some(sent)).await;
}
