//! Changes of existing workflows: what is not asked for stays byte for byte.

use serde_json::{Map, Value, json};

use super::{built, request, with_replies};
use crate::document::definition::{Definition, Node};
use crate::generation::engine::{ExecutionFailure, Request};
use crate::generation::outcome::Outcome;

/// Returns a workflow as n8n has it, with everything that a compact form leaves out.
fn base() -> Definition {
    let node = |value: Value| match value {
        Value::Object(map) => Node(map),
        _ => unreachable!(),
    };
    let nodes = vec![
        node(
            json!({"id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000001", "name": "New entries", "type": "n8n-nodes-base.rssFeedReadTrigger", "typeVersion": 1, "position": [-400, 33],
            "parameters": {"pollTimes": {"item": [{"mode": "everyHour"}]}, "feedUrl": "https://example.com/feed"}, "notes": "do not touch"}),
        ),
        node(
            json!({"id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000002", "name": "Create page", "type": "n8n-nodes-base.notion", "typeVersion": 2.2, "position": [0, 33.5],
            "credentials": {"notionApi": {"id": "c7", "name": "Notion of team A"}},
            "parameters": {"resource": "databasePage", "operation": "create", "databaseId": {"__rl": true, "mode": "list", "value": "d1", "cachedResultName": "Entries"},
                "title": "={{ $json.title }}", "simple": false, "options": {}}}),
        ),
        node(
            json!({"id": "0f6e6f0e-aaaa-4bbb-8ccc-000000000003", "name": "Note", "type": "n8n-nodes-base.stickyNote", "typeVersion": 1, "position": [10, -300],
            "parameters": {"content": "## Mine", "height": 200, "color": 3}}),
        ),
    ];
    let connections: Map<String, Value> =
        [("New entries".to_owned(), json!({"main": [[{"node": "Create page", "type": "main", "index": 0}]]}))].into_iter().collect();
    let settings: Map<String, Value> =
        json!({"executionOrder": "v1", "timezone": "Europe/Vienna", "saveManualExecutions": true}).as_object().unwrap().clone();
    Definition {
        name: Some("Feed to Notion".to_owned()),
        nodes,
        connections,
        settings,
        node_groups: vec![json!({"id": "g", "name": "All", "nodeIds": ["x"]})],
        ..Definition::default()
    }
}

fn edited(prompt: &str, reply: &Value) -> Outcome {
    let base = base();
    let request = Request { base: Some(&base), timezone: None, ..request(prompt) };
    with_replies(&request, std::slice::from_ref(reply)).0
}

fn change(nodes: Value, remove: Value, edges: Value) -> Value {
    json!({"assumptions": [], "effects": [], "questions": [], "refusal": null, "workflow": null, "change": {"name": null, "nodes": nodes, "remove": remove, "edges": edges, "settings": null}})
}

/// Returns the definition as text, node by node.
fn lines(definition: &Definition) -> Vec<String> {
    definition.nodes.iter().map(|node| serde_json::to_string(node).unwrap()).collect()
}

#[test]
fn an_added_tag_leaves_every_other_byte_as_it_was() {
    let outcome = edited(
        "add the tag news to the page",
        &change(
            json!([{"id": "n2", "use": "notion.databasePage.create", "as": "Create page", "set": {"databaseId": {"@list": "d1"}, "title": "{{ $json.title }}", "simple": false,
                "propertiesUi": {"propertyValues": [{"key": "Tags|multi_select", "multiSelectValue": ["news"]}]}}}]),
            json!([]),
            Value::Null,
        ),
    );
    let (after, before) = (built(&outcome).clone(), base());
    assert_eq!(after.connections, before.connections);
    assert_eq!((&after.settings, &after.name, &after.node_groups), (&before.settings, &before.name, &before.node_groups));
    assert_eq!(lines(&after)[0], lines(&before)[0]);
    assert_eq!(lines(&after)[2], lines(&before)[2]);
    let mut expected = before.nodes[1].clone();
    expected.0["parameters"]["propertiesUi"] = json!({"propertyValues": [{"key": "Tags|multi_select", "multiSelectValue": ["news"]}]});
    assert_eq!(after.nodes[1], expected, "the id, the credential, the cached name and the old parameters stay");
}

#[test]
fn a_new_node_lies_beside_the_others_and_takes_nothing_from_them() {
    let outcome = edited(
        "also post the title to Slack #news",
        &change(
            json!([{"id": "tell", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "#news", "text": "{{n1.title}}"}}]),
            json!([]),
            json!(["n1>n2", "n1>tell"]),
        ),
    );
    let (after, before) = (built(&outcome).clone(), base());
    assert_eq!(lines(&after)[..3], lines(&before)[..]);
    let new = after.node("Tell").unwrap();
    assert_eq!(new.parameter("text").unwrap(), "={{$('New entries').item.json.title}}");
    assert_eq!(new.0["position"][0].as_f64(), Some(-180.0));
    assert_eq!(after.connections["New entries"]["main"][0].as_array().unwrap().len(), 2);
}

#[test]
fn a_renamed_node_is_renamed_in_connections_and_references() {
    let mut with_reference = base();
    with_reference.nodes[1].0["parameters"]["title"] = "={{ $('New entries').item.json.title }}".into();
    let request = Request { base: Some(&with_reference), timezone: None, ..request("rename the trigger to Feed") };
    let reply = change(
        json!([{"id": "n1", "use": "rssFeedReadTrigger", "as": "Feed", "set": {"pollTimes": {"item": [{"mode": "everyHour"}]}, "feedUrl": "https://example.com/feed"}, "note": "do not touch"}]),
        json!([]),
        Value::Null,
    );
    let (outcome, _) = with_replies(&request, &[reply]);
    let after = built(&outcome);
    assert_eq!(after.nodes[0].id(), base().nodes[0].id());
    assert_eq!(after.nodes[0].parameters(), base().nodes[0].parameters());
    assert!(after.connections.contains_key("Feed") && !after.connections.contains_key("New entries"));
    assert_eq!(after.nodes[1].parameter("title").unwrap(), "={{ $('Feed').item.json.title }}");
}

#[test]
fn a_removed_node_goes_with_its_connections() {
    let outcome = edited(
        "post to Slack #news in the place of Notion",
        &change(
            json!([{"id": "tell", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "#news", "text": "{{n1.title}}"}}]),
            json!(["n2"]),
            json!(["n1>tell"]),
        ),
    );
    let after = built(&outcome);
    assert!(after.node("Create page").is_none() && after.node("Note").is_some());
    assert_eq!(after.connections["New entries"]["main"], json!([[{"node": "Tell", "type": "main", "index": 0}]]));
}

#[test]
fn a_change_that_changes_nothing_is_no_success() {
    let outcome = edited("add the tag news", &change(json!([]), json!([]), Value::Null));
    let Outcome::Failed(failure) = outcome else { panic!() };
    assert!(failure.findings.iter().any(|finding| finding.message.contains("changes nothing")), "{failure:#?}");
}

#[test]
fn a_repair_says_what_failed_and_asks_for_no_more_than_that() {
    let base = base();
    let failure = ExecutionFailure {
        node: "Create page".to_owned(),
        message: "The property Tags does not exist".to_owned(),
        input_shape: "1 item: {title: text}".to_owned(),
    };
    let request = Request { base: Some(&base), failure: Some(&failure), timezone: None, ..request("a page for each entry, with a tag") };
    let page = json!({"id": "n2", "use": "notion.databasePage.create", "as": "Create page", "set": {"databaseId": {"@list": "d1"}, "title": "{{ $json.title }}",
        "simple": true}});
    let (outcome, calls) = with_replies(&request, &[change(json!([page]), json!([]), Value::Null)]);
    let (message, after) = (calls[0].messages.last().unwrap().text.clone(), built(&outcome).clone());
    for part in ["node: Create page", "error: The property Tags does not exist", "{title: text}", "failed as described above"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!((lines(&after)[0].clone(), lines(&after)[2].clone()), (lines(&base)[0].clone(), lines(&base)[2].clone()));
    let other = ExecutionFailure { message: "another".to_owned(), ..failure.clone() };
    assert_ne!(request.input_hash(), Request { failure: Some(&other), ..request.clone() }.input_hash());
}
