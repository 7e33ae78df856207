//! The project of a workflow.

use serde_json::json;

use super::{Side, text, with};
use crate::scenarios::standin_check::caller::answering;

pub(super) async fn moving(side: &mut Side) {
    let second = side.second_project.clone();
    let sound = answering("moves", "cmp-moves", "x");
    let made = side.api("create", "POST", "/workflows", Some(sound.clone())).await;
    let own = text(&made["shared"][0], "projectId");
    let path = format!("/workflows/{}", text(&made, "id"));
    let there = side.api("create in another", "POST", "/workflows", Some(with(&sound, "projectId", json!(second)))).await;
    // A list would show two in the order of their ids, which are random.
    side.api("delete the other", "DELETE", &format!("/workflows/{}", text(&there, "id")), None).await;
    side.api("create in none", "POST", "/workflows", Some(with(&sound, "projectId", json!("")))).await;
    let moved = |to: &str| Some(json!({ "destinationProjectId": to }));
    side.api("move a draft", "PUT", &format!("{path}/transfer"), moved(&second)).await;
    side.api("get it", "GET", &path, None).await;
    side.api("move it back", "PUT", &format!("{path}/transfer"), moved(&own)).await;
    side.api("publish", "POST", &format!("{path}/publish"), None).await;
    side.api("move what is published", "PUT", &format!("{path}/transfer"), moved(&second)).await;
    side.api("get what is published", "GET", &path, None).await;
    side.call("its webhook", "GET", "/webhook/cmp-moves", None).await;
    side.api("list the project", "GET", &format!("/workflows?projectId={second}"), None).await;
    side.api("move to the same", "PUT", &format!("{path}/transfer"), moved(&second)).await;
    side.api("move to none", "PUT", &format!("{path}/transfer"), moved("nope")).await;
    side.api("move to nothing", "PUT", &format!("{path}/transfer"), Some(json!({}))).await;
    side.api("move to a number", "PUT", &format!("{path}/transfer"), Some(json!({ "destinationProjectId": 5 }))).await;
    side.api("move what is not there", "PUT", "/workflows/nope/transfer", moved(&own)).await;
    side.api("archive", "POST", &format!("{path}/archive"), None).await;
    side.api("move what is archived", "PUT", &format!("{path}/transfer"), moved(&own)).await;
    side.api("get what is archived", "GET", &path, None).await;
    side.api("delete", "DELETE", &path, None).await;
}
