//! Isolation of two namespaces that share an n8n. Random definitions of one namespace, made of every node type of the catalogue, name
//! resources of the other in random places and spellings; a rendered definition that is not refused names none of them where n8n would act
//! on it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use weirkeeper::api::instance::N8nInstanceSpec;
use weirkeeper::api::required_credential::CredentialState;
use weirkeeper::api::workflow::WorkflowSpec;
use weirkeeper::catalog::Catalog;
use weirkeeper::document::derive::IdentitySeed;
use weirkeeper::domain::access::{Use, may_use};
use weirkeeper::domain::mark::Mark;
use weirkeeper::domain::reach::reach;
use weirkeeper::domain::remote::RemoteCredential;
use weirkeeper::domain::render::{Means, ResolvedCredential, abstract_references, credential_symbols, resolve_references};
use weirkeeper::domain::ungranted_access::ungranted;
use weirkeeper::validator::check::parse_and_check;

use crate::dice::Dice;

/// Resources of the other namespace, by kind; `OWN` holds those that this namespace is granted.
const FOREIGN: [&str; 4] = ["foreignWorkflow01", "foreignCredential01", "foreignTable01", "foreignAgent01"];
const OWN: [&str; 4] = ["ownWorkflow01", "ownCredential01", "ownTable01", "ownAgent01"];
/// Parameters by which some node selects a resource of the instance.
const KEYS: [&str; 14] = [
    "workflowId",
    "workflowJson",
    "source",
    "dataTableId",
    "resource",
    "operation",
    "agentId",
    "agent",
    "memoryKey",
    "sessionKey",
    "url",
    "value",
    "__proto__",
    "type",
];
/// Types that reach other workflows, tables, agents, memory, files or processes, identified by their names alone. They are repeated here so
/// that a gap in the catalogue's list shows.
const REACHING: [&str; 22] = [
    "code",
    "function",
    "functionItem",
    "toolCode",
    "aiTransform",
    "messageAnAgent",
    "executeCommand",
    "readWriteFile",
    "readBinaryFile",
    "readBinaryFiles",
    "writeBinaryFile",
    "localFileTrigger",
    "git",
    "snowflake",
    "editImage",
    "debugHelper",
    "vectorStoreInMemory",
    "vectorStoreInMemoryInsert",
    "vectorStoreInMemoryLoad",
    "microsoftAgent365Trigger",
    "anything",
    "notThere",
];

/// Returns an id in one of its possible spellings.
fn spelled(dice: &mut Dice, id: &str) -> Value {
    let (half, rest) = id.split_at(id.len() / 2);
    match dice.roll(13) {
        0 | 1 => json!(id),
        2 => json!(format!(" {id} ")),
        3 => json!({ "__rl": true, "mode": "list", "value": id }),
        4 => json!({ "__rl": true, "mode": "id", "value": id }),
        5 => json!({ "__rl": true, "mode": "name", "value": id }),
        6 => json!(format!("={{{{ '{half}' + '{rest}' }}}}")),
        7 => json!({ "__rl": true, "mode": "id", "value": format!("={id}") }),
        8 => json!([id]),
        10 => json!(null),
        11 => json!({ "__rl": true, "mode": "id", "value": null }),
        9 => json!({ "__proto__": { "workflowId": id, "dataTableId": id } }),
        _ => json!({ "id": id, "name": id }),
    }
}

fn any_id(dice: &mut Dice) -> &'static str {
    let all: &[&str] = if dice.roll(3) == 0 { &FOREIGN } else { &OWN };
    all[usize::try_from(dice.roll(4)).expect("a small number")]
}

fn value(dice: &mut Dice, types: &[String], depth: usize) -> Value {
    match dice.roll(9) {
        0..=3 => {
            let id = any_id(dice);
            spelled(dice, id)
        }
        4 => {
            json!(*dice.pick(&["database", "parameter", "url", "localFile", "={{ 'parameter' }}", "row", "table", "sqlAgent", "code", ""]))
        }
        5 | 6 if depth > 0 => {
            let inner = document(dice, types, depth - 1);
            let text = inner.to_string();
            // As it is, as text, and as text whose letters are written as escapes.
            match dice.roll(3) {
                0 => inner,
                1 => json!(text),
                _ => json!(text.replace("foreign", "\\u0066oreign")),
            }
        }
        7 => json!({ "nested": { "deep": value(dice, types, 0) } }),
        _ => json!(dice.roll(100)),
    }
}

fn node(dice: &mut Dice, types: &[String], at: usize, depth: usize) -> Value {
    let kind = match dice.roll(6) {
        // Types with such parameters are rare among all types.
        0 | 1 => dice
            .pick(&[
                "n8n-nodes-base.executeWorkflow",
                "@n8n/n8n-nodes-langchain.toolWorkflow",
                "@n8n/n8n-nodes-langchain.retrieverWorkflow",
                "n8n-nodes-base.dataTable",
                "n8n-nodes-base.dataTableTool",
                "n8n-nodes-base.evaluation",
                "n8n-nodes-base.evaluationTrigger",
                "n8n-nodes-acme.anything",
                "n8n-nodes-base.notThere",
                "n8n-nodes-base.executeWorkflow.set",
            ])
            .to_string(),
        2 => format!("{}Tool", dice.pick(types)),
        _ => dice.pick(types).clone(),
    };
    let mut parameters = Map::new();
    for _ in 0..dice.roll(4) {
        let key = *dice.pick(&KEYS);
        parameters.insert(key.to_owned(), value(dice, types, depth));
    }
    let mut node = json!({ "name": format!("N{at}"), "type": kind, "typeVersion": 1, "position": [0, 0], "parameters": parameters });
    if dice.roll(3) == 0 {
        let id = any_id(dice);
        node["credentials"] = match dice.roll(4) {
            0 | 1 => json!({ "httpBasicAuth": { "id": id, "name": id } }),
            2 => json!({ "httpBasicAuth": { "name": id } }),
            _ => json!({ "httpBasicAuth": spelled(dice, id) }),
        };
    }
    node
}

fn document(dice: &mut Dice, types: &[String], depth: usize) -> Value {
    let nodes: Vec<Value> = (0..1 + dice.roll(2)).map(|at| node(dice, types, usize::try_from(at).expect("small"), depth)).collect();
    let mut settings = json!({});
    for key in ["errorWorkflow", "callerIds"] {
        if dice.roll(8) == 0 {
            settings[key] = json!(any_id(dice));
        }
    }
    let mut document = json!({ "name": "Random", "nodes": nodes, "connections": {}, "settings": settings });
    if dice.roll(4) == 0 {
        let id = any_id(dice);
        document["id"] = if dice.roll(4) == 0 { spelled(dice, id) } else { json!(id) };
    }
    document
}

/// Collects everything in a document that n8n would act on and that belongs to the other namespace: an implementation of its own,
/// independent of the operator's.
fn acted_on(document: &Value, found: &mut Vec<String>) {
    let names = |value: &Value| FOREIGN.iter().any(|id| value.to_string().contains(id));
    let computed = |value: &Value| value.to_string().contains("\"=");
    // An inline workflow runs as the workflow with its id.
    if names(&document["id"]) {
        found.push("id".to_owned());
    }
    for key in ["errorWorkflow", "callerIds"] {
        if names(&document["settings"][key]) {
            found.push(format!("settings.{key}"));
        }
    }
    for node in document["nodes"].as_array().into_iter().flatten() {
        let kind = node["type"].as_str().unwrap_or_default();
        // n8n uses the first two segments, and derives tools from nodes.
        let short = kind.split('.').nth(1).unwrap_or_default();
        let short = short.strip_suffix("HitlTool").or_else(|| short.strip_suffix("Tool")).unwrap_or(short);
        let parameters = &node["parameters"];
        let mut say = |what: &str| found.push(format!("{kind}: {what} in {node}"));
        if names(&node["credentials"]) {
            say("a credential");
        }
        if REACHING.contains(&short) || (short == "sort" && parameters["type"] == "code") {
            say("a type that reaches more");
        }
        if parameters.to_string().contains("\"__proto__\":") && matches!(short, "executeWorkflow" | "dataTable") {
            say("a prototype");
        }
        if matches!(short, "dataTable" | "evaluation" | "evaluationTrigger") {
            let table = &parameters["dataTableId"];
            if names(table) || computed(table) || table["mode"] == "name" || (short == "dataTable" && parameters["resource"] == "table") {
                say("a data table");
            }
        }
        if !matches!(kind.split('.').nth(1).unwrap_or_default(), "executeWorkflow" | "toolWorkflow" | "retrieverWorkflow") {
            continue;
        }
        match parameters.get("source").map_or(Some("database"), Value::as_str) {
            Some("database") => {
                // A null selects some workflow.
                let null =
                    |id: &Value| id.is_null() || id.as_object().is_some_and(|locator| locator.get("value").is_some_and(Value::is_null));
                if names(&parameters["workflowId"]) || computed(&parameters["workflowId"]) || parameters.get("workflowId").is_some_and(null)
                {
                    say("a workflow");
                }
            }
            Some("parameter") => match &parameters["workflowJson"] {
                Value::Null => {}
                Value::String(text) => match serde_json::from_str(text) {
                    Ok(inner) => acted_on(&inner, found),
                    Err(_) => say("a workflow that is not there yet"),
                },
                inner => acted_on(inner, found),
            },
            _ => say("a workflow that is loaded"),
        }
    }
}

fn instance() -> N8nInstanceSpec {
    let grant = json!({ "namespaces": ["team-a"], "workflows": [OWN[0]], "credentials": [OWN[1]], "dataTables": [OWN[2]] });
    let spec = json!({ "url": "http://n8n.test", "apiKeySecretRef": { "name": "key" }, "grants": [grant] });
    serde_json::from_value(spec).expect("a spec")
}

#[test]
fn no_rendered_definition_names_resources_of_another_namespace() {
    let catalog = Catalog::embedded();
    let types: Vec<String> = catalog.index().nodes.iter().map(|entry| entry.name.clone()).collect();
    let instance = instance();
    let known = [OWN[1], FOREIGN[1]].map(|id| RemoteCredential {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: "httpBasicAuth".to_owned(),
        updated_at: None,
        project: None,
    });
    let granted = |wanted: Use<'_>| may_use(&instance, "ops", "team-a", wanted);
    let seed = IdentitySeed { cluster_id: "c".into(), namespace: "team-a".into(), name: "a".into() };
    let mark = Mark { cluster: "c".into(), uid: "u".into(), namespace: "team-a".into(), name: "a".into() };
    let mut dice = Dice(0x7e2a_2026);
    let (mut refused, mut rendered, mut seen, mut reaching) = (0, 0, BTreeSet::new(), 0);
    for turn in 0..20_000 {
        let document = document(&mut dice, &types, 2);
        let Ok(intake) = parse_and_check(&document) else { continue };
        let existing = *dice.pick(&[OWN[1], FOREIGN[1]]);
        let mapped = json!([{ "name": any_id(&mut dice), "existing": { "id": existing } }]);
        let references = json!([{ "id": OWN[0], "workflowRef": { "name": "child" } }]);
        let spec: WorkflowSpec = serde_json::from_value(
            json!({ "instanceRef": { "name": "main", "namespace": "ops" }, "credentials": mapped, "references": references }),
        )
        .expect("a spec");
        let symbolic = abstract_references(intake.definition, &spec, &seed);
        if ungranted(&reach(&symbolic.definition, catalog), &known, granted).is_some() {
            refused += 1;
            continue;
        }
        // As in the operator: a credential is kept if it is granted, and left out otherwise.
        let usable = |id: &str| known.iter().find(|one| one.id == id && granted(Use::Credential { id, name: &one.name })).cloned();
        let symbols = credential_symbols(&symbolic.definition);
        let exact: BTreeMap<_, _> = symbols
            .into_iter()
            .filter_map(|symbol| match symbol.means() {
                Means::Id(id) => {
                    let satisfied = |remote| ResolvedCredential { remote: Some(remote), state: CredentialState::Satisfied };
                    usable(id).map(|remote| (symbol.clone(), satisfied(remote)))
                }
                _ => None,
            })
            .collect();
        let workflows = BTreeMap::from([("child".to_owned(), OWN[0].to_owned())]);
        let write = resolve_references(&symbolic.definition, "Random", &exact, &workflows, &mark, &[]).write;
        let sent = json!({ "nodes": write.nodes, "settings": write.settings });
        let mut found = Vec::new();
        acted_on(&sent, &mut found);
        assert!(found.is_empty(), "turn {turn}: {found:#?}\nof {document:#}\nis sent {sent:#}");
        rendered += 1;
        reaching += usize::from(FOREIGN.iter().any(|id| sent.to_string().contains(id)));
        seen.extend(write.nodes.iter().filter_map(|node| node["type"].as_str().map(str::to_owned)));
    }
    println!(
        "{rendered} of {} types rendered ({reaching} with the other's ids where n8n does not act on them), {refused} refused",
        seen.len()
    );
    assert!(refused > 5_000 && rendered > 5_000 && seen.len() > 400, "both happen often");
}
