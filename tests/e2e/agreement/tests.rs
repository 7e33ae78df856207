use serde_json::{Value, json};

use super::compare::{Remark, compare};
use super::scratch::{FENCE, Scratch, TAG, scratch};
use super::words::{Said, read_creation, read_publication};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::Definition;
use weirkeeper::domain::mark;
use weirkeeper::validator::check::parse_and_check;

fn workflow(parameters: Value) -> Definition {
    let document = json!({"name": "Orders", "settings": {"errorWorkflow": "abc"}, "nodes": [
        {"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0], "webhookId": "w",
         "parameters": {"path": "/orders", "options": {}}},
        {"id": "2", "name": "Ask \"it\"", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [0, 0], "parameters": parameters,
         "credentials": {"httpBasicAuth": {"id": "x", "name": "y"}}},
        {"id": "3", "name": "Tell", "type": "n8n-nodes-base.slack", "typeVersion": 2.2, "position": [0, 0],
         "parameters": {"select": "channel", "channelId": {"__rl": true, "mode": "id", "value": "C0123456789"}, "text": "hi", "otherOptions": {}}}],
        "connections": {"Hook": {"main": [[{"node": "Ask \"it\"", "type": "main", "index": 0}]]},
                        "Ask \"it\"": {"main": [[{"node": "Tell", "type": "main", "index": 0}]]}}});
    parse_and_check(&document).unwrap().definition
}

fn whole() -> Definition {
    workflow(json!({"url": "https://shop.example", "options": {}}))
}

fn publication(message: &str) -> Said {
    read_publication(400, message, &whole(), FENCE)
}

fn remarks(definition: &Definition, said: &Said) -> Vec<String> {
    let comparison = compare(definition, said, Catalog::embedded());
    let text = |one: &Remark| format!("{:?} {:?} {} {}", one.outcome, one.subject, one.node.as_deref().unwrap_or("-"), one.what);
    comparison.remarks.iter().map(text).collect()
}

const LISTED: &str = "Cannot publish workflow: 2 nodes have configuration issues:\n\nNode \"Ask \"it\"\":\n  - Missing or invalid required \
                      parameters: url, body\n\nNode \"Tell\":\n  - Missing required credential: slackApi";

#[test]
fn a_scratch_workflow_has_no_credential_no_mark_and_no_address_in_use() {
    let mut definition = whole();
    definition.settings.insert(mark::SETTING.to_owned(), json!([{"key": mark::KEY, "value": "c/u/n/m"}]));
    let Scratch { write, fence } = scratch(&definition, Catalog::embedded(), "run1", 7);
    let text = serde_json::to_string(&write).unwrap();
    assert!(!text.contains("credentials") && !text.contains(mark::KEY) && !text.contains("errorWorkflow"), "{text}");
    assert_eq!(write.nodes[0]["parameters"]["path"], "weirkeeper-run1-orders");
    assert_eq!(write.nodes[0]["webhookId"], "weirkeeper-run1-w");
    assert_eq!(write.settings[mark::SETTING], json!([{"key": TAG, "value": "run1"}]));
    assert!(write.name.contains("run1") && write.name.len() <= 128);
    assert_eq!(write.nodes[3]["name"], fence.as_str());
    assert!(write.connections.get(&fence).is_none(), "n8n does not check nodes that are not connected");
}

#[test]
fn two_webhooks_that_share_a_path_still_do_and_a_node_may_be_called_like_the_fence() {
    let mut definition = whole();
    let mut second = definition.nodes[0].clone();
    second.0.insert("name".into(), json!(FENCE));
    definition.nodes.push(second);
    let made = scratch(&definition, Catalog::embedded(), "r", 1);
    assert_eq!(made.write.nodes[0]["parameters"]["path"], made.write.nodes[3]["parameters"]["path"]);
    assert_ne!(made.fence, FENCE);
}

#[test]
fn the_words_of_n8n_are_understood() {
    assert_eq!(publication("Unrecognized node type: n8n-nodes-x.y"), Said::UnknownType("n8n-nodes-x.y".to_owned()));
    let version = "Node type \"slack\" is not available in version 99. Available versions: 1, 2.";
    assert_eq!(publication(version), Said::UnknownVersion("slack".to_owned()));
    assert_eq!(publication("Workflow cannot be activated because it has no trigger node. At least one …"), Said::NoTrigger);
    assert_eq!(read_publication(409, "There is a conflict with one of the webhooks.", &whole(), FENCE), Said::WebhookConflict);
    let fenced = format!(
        "Cannot publish workflow: Node \"A\" references workflow 1 which is not published; Node \"{FENCE}\" references workflow 2 which is not published. Please publish all referenced sub-workflows first."
    );
    assert_eq!(publication(&fenced), Said::Passed);
    assert!(matches!(publication("Something new"), Said::Unclear(_)));
    let Said::Nodes(nodes) = publication(LISTED) else { panic!("a list") };
    assert_eq!(nodes["Ask \"it\""].parameters.iter().map(String::as_str).collect::<Vec<_>>(), ["body", "url"]);
    assert_eq!(nodes["Tell"].credentials.iter().map(String::as_str).collect::<Vec<_>>(), ["slackApi"]);
}

#[test]
fn problems_that_both_report_are_agreed_and_others_missed_or_false() {
    let empty = workflow(json!({}));
    let found = remarks(&empty, &publication(LISTED));
    assert_eq!(found, ["Agreed Parameter Ask \"it\" url", "Agreed Credential Tell slackApi", "Missed Parameter Ask \"it\" body"]);
    let found = remarks(&empty, &Said::Passed);
    assert_eq!(found, ["False Parameter Ask \"it\" parameter-missing", "False Credential Tell slackApi"]);
    let comparison = compare(
        &whole(),
        &publication(&LISTED.replace("Missing or invalid required parameters: url, body", "Missing required credential: x")),
        Catalog::embedded(),
    );
    assert_eq!((comparison.well, comparison.flagged, comparison.agrees()), (3, 0, false));
}

#[test]
fn checks_that_n8n_did_not_reach_are_not_compared() {
    let empty = workflow(json!({}));
    assert_eq!(remarks(&empty, &Said::UnknownType("n8n-nodes-base.slack".to_owned())), ["Missed NodeType Tell n8n-nodes-base.slack"]);
    assert_eq!(remarks(&empty, &Said::NoTrigger), ["Missed Trigger - nothing starts the workflow"]);
    assert!(remarks(&empty, &Said::Unclear("500".to_owned())).is_empty());
}

#[test]
fn n8n_names_the_type_from_which_it_derives_a_tool() {
    let mut definition = whole();
    definition.nodes[2].0.insert("type".into(), json!("n8n-nodes-x.searchToolTool"));
    let said = Said::UnknownType("n8n-nodes-x.searchTool".to_owned());
    assert_eq!(remarks(&definition, &said), ["Agreed NodeType Tell n8n-nodes-x.searchTool"]);
}

#[test]
fn an_error_that_only_a_run_would_show_is_neither_missed_nor_false() {
    let mut definition = whole();
    definition.nodes[1].0.insert("parameters".to_owned(), json!({"url": "={{ $('Nobody').item.json.url }}", "options": {}}));
    let listed = LISTED.replace("  - Missing or invalid required parameters: url, body", "");
    assert_eq!(
        remarks(&definition, &publication(&listed)),
        ["Agreed Credential Tell slackApi", "Beyond Other Ask \"it\" expression-node-unknown"]
    );
}

#[test]
fn a_refusal_to_create_is_compared_with_findings_about_structure() {
    let mut definition = whole();
    definition.connections.insert("Nobody".to_owned(), json!({"main": []}));
    let words = "Workflow structure is invalid. connections.Nobody (unknown_connection_source)";
    assert_eq!(remarks(&definition, &read_creation(words)), [format!("Agreed Structure - {words}")]);
    assert_eq!(remarks(&whole(), &read_creation(words)), [format!("Missed Structure - {words}")]);
    assert!(remarks(&definition, &Said::Passed).iter().any(|one| one.starts_with("False Structure")));
}
