use serde_json::json;

use super::*;

const EXECUTE: &str = "n8n-nodes-base.executeWorkflow";
const TOOL: &str = "@n8n/n8n-nodes-langchain.toolWorkflow";

fn of(kind: &str, parameters: Value) -> Reach {
    let node = json!({ "name": "Call", "type": kind, "parameters": parameters });
    reach(&inline::parse(&json!({ "nodes": [node] })).unwrap().definition, Catalog::embedded())
}

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_computed_id_may_be_any() {
    for id in [
        json!("={{ $json.id }}"),
        json!(" ={{ 1 }}"),
        json!({ "__rl": true, "value": "={{ $json.id }}", "mode": "id" }),
        json!(7),
        json!(["W1"]),
        json!({ "id": "W1" }),
        json!(null),
        json!({ "__rl": true, "mode": "id", "value": null }),
    ] {
        assert_eq!(of(EXECUTE, json!({ "workflowId": id })).any_workflow, words(&["Call"]), "{id}");
    }
    for id in [json!("W1"), json!({ "__rl": true, "value": "W1", "mode": "list" })] {
        let found = of(TOOL, json!({ "workflowId": id }));
        assert_eq!((found.workflows, found.any_workflow.len()), (words(&["W1"]), 0));
    }
    for parameters in [json!({}), json!({ "workflowId": "" }), json!({ "workflowId": "weirkeeper:workflow/child" })] {
        assert_eq!(of(EXECUTE, parameters.clone()), Reach::default(), "{parameters}");
    }
    assert_eq!(of("n8n-nodes-base.set", json!({ "workflowId": "={{ 1 }}", "source": "url" })), Reach::default());
}

#[test]
fn loaded_or_unreadable_content_may_reach_anything() {
    for parameters in [
        json!({ "source": "url", "workflowUrl": "http://x" }),
        json!({ "source": "localFile", "workflowPath": "/x" }),
        json!({ "source": "={{ 'parameter' }}" }),
        json!({ "source": "parameter", "workflowJson": "={{ $json.body }}" }),
        json!({ "source": "parameter", "workflowJson": "{\"nodes\": [" }),
        json!({ "source": "parameter", "workflowJson": { "nodes": "all" } }),
        json!({ "source": "parameter", "workflowJson": { "nodes": [], "id": 7 } }),
        json!({ "source": "parameter", "workflowJson": { "nodes": [], "newKey": "W1" } }),
        json!({ "source": "parameter", "workflowJson": { "nodes": [], "__proto__": null } }),
        json!({ "source": "parameter", "workflowJson": { "nodes": [], "settings": { "errorWorkflow": ["W1"] } } }),
        json!({ "source": "parameter", "workflowJson": { "nodes": [], "settings": { "callerIds": "={{ 1 }}" } } }),
    ] {
        assert_eq!(of(EXECUTE, parameters.clone()).anything, words(&["Call"]), "{parameters}");
    }
    assert_eq!(of(EXECUTE, json!({ "source": "parameter" })), Reach::default());
}

#[test]
fn an_inline_workflow_runs_under_its_own_id() {
    let export = json!({
        "id": "W1", "name": "A", "nodes": [], "connections": {}, "settings": { "executionOrder": "v1", "errorWorkflow": "DEFAULT" }, "active": false,
        "pinData": {}, "meta": { "instanceId": "x" }, "tags": [], "versionId": "v", "staticData": null,
    });
    for inline in [export.clone(), json!(export.to_string())] {
        let found = of(TOOL, json!({ "source": "parameter", "workflowJson": inline }));
        assert_eq!(found, Reach { workflows: words(&["W1"]), ..Reach::default() });
    }
}

#[test]
fn the_reach_of_inline_workflows_is_found_at_any_depth() {
    let inner = json!({ "nodes": [
        { "name": "Post", "type": "n8n-nodes-base.slack", "parameters": {}, "credentials": { "slackApi": { "id": "C7", "name": "Mine" } } },
        { "name": "Next", "type": EXECUTE, "parameters": { "workflowId": "W2" } },
        { "name": "Far", "type": EXECUTE, "parameters": { "workflowId": "={{ 1 }}" } },
    ], "settings": { "errorWorkflow": "W3" } });
    let outer = json!({ "nodes": [{ "name": "Deep", "type": TOOL, "parameters": { "source": "parameter", "workflowJson": inner } }] });
    for inline in [outer.clone(), json!(outer.to_string())] {
        let found = of(EXECUTE, json!({ "source": "parameter", "workflowJson": inline }));
        assert_eq!(found.workflows, words(&["W2", "W3"]));
        assert_eq!(found.credentials, BTreeSet::from([("C7".to_owned(), "Call".to_owned())]));
        assert_eq!((found.any_workflow, found.anything), (words(&["Call"]), words(&[])));
    }
    for credentials in
        [json!({ "slackApi": { "name": "Mine" } }), json!({ "slackApi": "Mine" }), json!([]), json!({ "slackApi": { "id": "" } })]
    {
        let inline = json!({ "nodes": [{ "name": "Post", "type": "n8n-nodes-base.slack", "credentials": credentials }] });
        let found = of(EXECUTE, json!({ "source": "parameter", "workflowJson": inline }));
        assert_eq!(found.anything, words(&["Call"]), "{credentials}");
    }
    let mut bottomless = json!({ "nodes": [] });
    for _ in 0..10 {
        bottomless =
            json!({ "nodes": [{ "name": "Call", "type": EXECUTE, "parameters": { "source": "parameter", "workflowJson": bottomless } }] });
    }
    assert_eq!(reach(&inline::parse(&bottomless).unwrap().definition, Catalog::embedded()).anything, words(&["Call"]));
}

#[test]
fn credentials_of_the_definition_itself_are_mapped_and_not_reported() {
    let node = json!({ "name": "Post", "type": "n8n-nodes-base.slack", "credentials": { "slackApi": { "name": "Mine" } } });
    assert_eq!(reach(&inline::parse(&json!({ "nodes": [node] })).unwrap().definition, Catalog::embedded()), Reach::default());
}

fn off(kind: &str, parameters: Value) -> Vec<(String, Why)> {
    of(kind, parameters).types.into_iter().map(|off| (off.base, off.why)).collect()
}

#[test]
fn every_type_that_is_not_known_to_be_harmless_is_reported() {
    use Capability::{Agents, Code, Files, Memory, Workflows};
    let reaches = |list: &[Capability]| Why::Reaches(list.to_vec());
    for (kind, why) in [
        ("@n8n/n8n-nodes-langchain.code", reaches(&[Workflows, Code])),
        ("n8n-nodes-base.messageAnAgent", reaches(&[Agents])),
        ("n8n-nodes-base.readWriteFile", reaches(&[Files])),
        ("n8n-nodes-base.executeCommand", reaches(&[Code])),
        ("@n8n/n8n-nodes-langchain.vectorStoreInMemory", reaches(&[Memory])),
        ("n8n-nodes-base.code", reaches(&[Memory])),
        ("@n8n/n8n-nodes-langchain.toolCode", reaches(&[Memory])),
        ("n8n-nodes-acme.anything", Why::UnknownType),
        ("n8n-nodes-base.doesNotExist", Why::UnknownType),
        ("n8n-nodes-base.Code", Why::UnknownType),
        ("n8n-nodes-base.ifTool", Why::UnknownType),
    ] {
        assert_eq!(off(kind, json!({})), [(kind.to_owned(), why)], "{kind}");
    }
    // A tool counts as the node from which it is derived.
    assert_eq!(off("n8n-nodes-base.snowflakeTool", json!({})), [("n8n-nodes-base.snowflake".to_owned(), reaches(&[Files]))]);
    for kind in
        ["n8n-nodes-base.httpRequest", "n8n-nodes-base.sort", "n8n-nodes-base.slackTool", "n8n-nodes-base.slackHitlTool", EXECUTE, TOOL]
    {
        assert_eq!(off(kind, json!({})), [], "{kind}");
    }
    // n8n resolves these to the type `@n8n/n8n-nodes-langchain.code`, or to none.
    for kind in ["@n8n/n8n-nodes-langchain.code.set", "set", ""] {
        assert_eq!(of(kind, json!({})).anything, words(&["Call"]), "{kind}");
    }
}

#[test]
fn a_version_that_the_catalogue_does_not_know_may_reach_anything() {
    let versioned = |version: Value| {
        let node = json!({ "name": "Get", "type": "n8n-nodes-base.httpRequest", "typeVersion": version });
        reach(&inline::parse(&json!({ "nodes": [node] })).unwrap().definition, Catalog::embedded()).types.len()
    };
    assert_eq!([json!(4.2), json!(1), json!(null)].map(versioned), [0, 0, 0]);
    assert_eq!([json!(99), json!("4.2"), json!([4])].map(versioned), [1, 1, 1]);
}

#[test]
fn a_type_inside_an_inline_workflow_counts_for_the_node_that_holds_it() {
    let inner = json!({ "nodes": [{ "name": "Run", "type": "@n8n/n8n-nodes-langchain.code", "parameters": {} }] });
    for holder in [EXECUTE, TOOL, "@n8n/n8n-nodes-langchain.retrieverWorkflow"] {
        let found = of(holder, json!({ "source": "parameter", "workflowJson": inner.to_string() })).types;
        assert_eq!(
            found.iter().map(|off| (off.node.as_str(), off.base.as_str())).collect::<Vec<_>>(),
            [("Call", "@n8n/n8n-nodes-langchain.code")]
        );
    }
}

#[test]
fn an_agent_for_a_database_that_it_is_given_as_a_file_reaches_files() {
    let counts = |parameters: Value| off(AGENT, parameters).len();
    for harmless in [json!({}), json!({ "agent": "toolsAgent" }), json!({ "agent": "sqlAgent", "dataSource": "postgres" })] {
        assert_eq!(counts(harmless.clone()), 0, "{harmless}");
    }
    for reaching in [
        json!({ "agent": "sqlAgent" }),
        json!({ "agent": "={{ $json.a }}" }),
        json!({ "agent": "sqlAgent", "dataSource": "={{ 'sqlite' }}" }),
        json!({ "agent": 1 }),
    ] {
        assert_eq!(counts(reaching.clone()), 1, "{reaching}");
    }
}

#[test]
fn sorting_runs_code_only_where_it_says_so() {
    for kind in SORTERS {
        let counts = |way: Value| off(kind, json!({ "type": way })).len();
        assert_eq!([json!("simple"), json!("random")].map(counts), [0, 0]);
        assert_eq!([json!("code"), json!("={{ 'code' }}"), json!(["code"])].map(counts), [1, 1, 1]);
    }
}

#[test]
fn a_data_table_is_reached_by_its_id_or_may_be_any() {
    let table = |parameters: Value| {
        let found = of("n8n-nodes-base.dataTable", parameters);
        (found.tables.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), found.any_table.len())
    };
    let locator = |mode: &str, value: &str| json!({ "dataTableId": { "__rl": true, "mode": mode, "value": value } });
    assert_eq!(table(json!({})), (vec![], 0));
    assert_eq!(table(locator("list", "")), (vec![], 0));
    assert_eq!(table(locator("id", "T1")), (vec!["T1".to_owned()], 0));
    assert_eq!(table(json!({ "dataTableId": "T1" })), (vec!["T1".to_owned()], 0));
    for any in [
        locator("name", "orders"),
        locator("id", "={{ $json.id }}"),
        locator("={{ 'id' }}", "T1"),
        json!({ "dataTableId": ["T1"] }),
        json!({ "dataTableId": { "id": "T1" } }),
        json!({ "resource": "table", "operation": "list" }),
        json!({ "resource": "table", "operation": "create" }),
        json!({ "resource": "table" }),
        json!({ "resource": "={{ 'table' }}", "operation": "list" }),
    ] {
        assert_eq!(table(any.clone()), (vec![], 1), "{any}");
    }
    let mut delete = locator("id", "T1");
    delete.as_object_mut().unwrap().extend([("resource".to_owned(), json!("table")), ("operation".to_owned(), json!("delete"))]);
    assert_eq!(table(delete), (vec!["T1".to_owned()], 0));
    for kind in ["n8n-nodes-base.dataTableTool", "n8n-nodes-base.evaluation", "n8n-nodes-base.evaluationTrigger"] {
        let found = of(kind, locator("list", "T1"));
        assert_eq!((found.tables.len(), found.types.len()), (1, 0), "{kind}");
    }
}

#[test]
fn a_key_that_becomes_a_prototype_hides_nothing() {
    assert_eq!(of(EXECUTE, json!({ "__proto__": { "workflowId": "W1" } })).anything, words(&["Call"]));
    let inline = "{\"nodes\": [], \"__proto__\": { \"nodes\": [] } }";
    assert_eq!(of(EXECUTE, json!({ "source": "parameter", "workflowJson": inline })).anything, words(&["Call"]));
}
