//! Compares the findings of the check against the catalogue for real and for broken workflows with the responses of a real n8n.
//!
//! The corpora are stored beside the repository and are never part of it; tests/corpora/folder.rs says what happens without them.
#![allow(clippy::unwrap_used)] // Clippy does not count helpers of tests as tests.

#[path = "corpora/folder.rs"]
mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::document::finding::{Code, Finding};
use weirkeeper::document::parse::read_text;
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::schema::{NodeCredentials, check_against, examine};

use folder::corpora;

const NOTE: &str = "n8n-nodes-base.stickyNote";

/// Labels whose defect only the catalogue can show; the others are found without it.
const REMIT: &[&str] = &[
    "ai_",
    "conn_edge_type_mismatch",
    "conn_unknown_type",
    "connection_into_trigger",
    "cred_missing",
    "cred_type_hallucinated",
    "cred_wrong_type",
    "error_output_without_onError",
    "http_v1_shape_on_v4",
    "if_v1_shape_on_v2",
    "input_index_out_of_range",
    "invalid_",
    "missing_required_param",
    "output_index_out_of_range",
    "param_",
    "resource_locator_",
    "set_v1_shape_on_v3",
    "switch_v1_shape_on_v3",
    "typeVersion_of_other_package",
    "typeVersion_unknown",
    "unknown_node_type_",
];

/// Labels of errors that n8n publishes and runs all the same: it accepts newer versions, passes items through a trigger, and takes the
/// value of a locator with an unknown mode for an id.
const ACCEPTED: &[&str] =
    &["connection_into_trigger", "resource_locator_as_bad_object", "typeVersion_of_other_package", "typeVersion_unknown"];

fn definition(path: &Path) -> Option<Definition> {
    let read = read_text(&fs::read_to_string(path).unwrap(), 4 << 20).ok()?;
    Some(parse_and_check(&read.value).ok()?.definition)
}

struct Looked {
    definition: Definition,
    findings: Vec<Finding>,
    needs: Vec<NodeCredentials>,
}

fn look(path: &Path) -> Option<Looked> {
    let definition = definition(path)?;
    let mut findings = Vec::new();
    let needs = examine(&definition, Catalog::embedded(), &mut findings);
    Some(Looked { definition, findings, needs })
}

/// n8n's message about one node when it was asked to publish.
#[derive(Default)]
struct Said {
    credentials: BTreeSet<String>,
    parameters: Vec<String>,
}

/// Parses a message by node; the table holds it on one line, with two blanks in place of each line break.
fn said(message: &str) -> BTreeMap<String, Said> {
    let mut nodes = BTreeMap::new();
    for piece in message.split("  Node \"").skip(1) {
        let (name, issues) = piece.split_once("\":").unwrap();
        let said: &mut Said = nodes.entry(name.to_owned()).or_default();
        for issue in issues.split("  - ") {
            if let Some(name) = issue.trim().strip_prefix("Missing required credential: ") {
                said.credentials.insert(name.to_owned());
            } else if let Some(names) = issue.trim().strip_prefix("Missing or invalid required parameters: ") {
                said.parameters.extend(names.split(", ").map(str::to_owned));
            }
        }
    }
    nodes
}

/// Returns n8n's name of a credential, which for some types is the display name.
fn label(node: &Node, credential: &str) -> String {
    let kind = Catalog::embedded().node(node.kind()).unwrap();
    let uses = &kind.serving(node.type_version()).unwrap().credentials;
    let labels: Vec<&String> = uses.iter().filter(|one| one.name == credential).filter_map(|one| one.label.as_ref()).collect();
    labels.first().map_or(credential, |label| label.as_str()).to_owned()
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

#[test]
fn what_n8n_refuses_is_found_and_what_it_finds_well_configured_is_not_flagged() {
    let Some(corpora) = corpora() else { return };
    let folder = corpora.join("dev");
    let table = fs::read_to_string(folder.join("N8N_VERDICT.tsv")).unwrap();
    let (mut refusals, mut found) = (0, 0);
    let (mut both, mut ours_only, mut theirs_only, mut chosen) = (0, 0, 0, 0);
    let (mut well, mut flagged) = (0, 0);
    let mut disagreements: Vec<String> = Vec::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (file, status, message) = (cells[0], cells.get(3).copied().unwrap_or_default(), cells.get(4).copied().unwrap_or_default());
        let Some(looked) = look(&folder.join(file)) else { continue };
        if let Some(kind) = message.strip_prefix("Unrecognized node type: ") {
            refusals += 1;
            // n8n names the type from which it would derive a tool.
            let is_kind = |own: &str| own.strip_suffix("Tool").unwrap_or(own) == kind.strip_suffix("Tool").unwrap_or(kind);
            let of_kind = |finding: &Finding| {
                finding.node.as_ref().and_then(|name| looked.definition.node(name)).is_some_and(|node| is_kind(node.kind()))
            };
            let hit = looked.findings.iter().any(|finding| finding.code.as_str().starts_with("node-type-") && of_kind(finding));
            found += usize::from(hit);
            if !hit {
                disagreements.push(format!("{file}: n8n does not know {kind}"));
            }
            continue;
        }
        let listed = message.starts_with("Cannot publish workflow:");
        // If a service was unreachable or an address was wrong, the nodes had passed.
        if !listed && status != "200" && status != "500" && !message.starts_with("There was a problem activating") {
            continue;
        }
        let nodes = said(message);
        let is_flagged =
            |name: &str| looked.findings.iter().any(|one| one.is_error() && one.node.as_deref().map(one_line).as_deref() == Some(name));
        for (name, said) in &nodes {
            for parameter in &said.parameters {
                refusals += 1;
                let by_name = |one: &Finding| {
                    one.is_error() && one.node.as_deref().map(one_line).as_ref() == Some(name) && one.path.contains(parameter.as_str())
                };
                let hit = looked.findings.iter().any(by_name);
                found += usize::from(hit);
                if !hit {
                    disagreements.push(format!("{file} {name}: n8n misses {parameter}"));
                }
            }
        }
        for node in looked.definition.nodes.iter().filter(|node| node.kind() != NOTE) {
            let name = one_line(node.name());
            let said = nodes.get(&name);
            if said.is_none_or(|said| said.parameters.is_empty()) {
                well += 1;
                if is_flagged(&name) {
                    flagged += 1;
                    disagreements.push(format!("{file} {name}: flagged, and well configured to n8n"));
                }
            }
            if listed {
                let needs = looked.needs.iter().find(|needs| needs.node == node.name());
                let ours: BTreeSet<String> = needs.iter().flat_map(|needs| &needs.types).map(|one| label(node, one)).collect();
                let theirs = said.map(|said| said.credentials.clone()).unwrap_or_default();
                both += ours.intersection(&theirs).count();
                ours_only += ours.difference(&theirs).count();
                theirs_only += theirs.difference(&ours).count();
                chosen += needs.map_or(0, |needs| needs.chosen.len());
                if ours != theirs {
                    disagreements.push(format!("{file} {name}: we say {ours:?}, n8n {theirs:?}"));
                }
            }
        }
    }
    let f1 = f64::from(2 * both as u32) / f64::from((2 * both + ours_only + theirs_only) as u32);
    println!("refusals of n8n found         {found} of {refusals}");
    println!(
        "credentials                   {both} agreed, {ours_only} only ours, {theirs_only} only n8n's, F1 {f1:.4}; {chosen} chosen by parameters beside"
    );
    println!("well configured and flagged   {flagged} of {well}");
    println!("{}", disagreements.join("\n"));
    assert!(refusals >= 75 && both >= 800 && well >= 2500, "{refusals} {both} {well}");
    assert!(found * 100 >= refusals * 99);
    assert!(f1 >= 0.98);
    assert!(flagged * 100 <= well);
}

#[test]
fn labelled_defects_are_found_on_the_right_node_and_traps_are_not() {
    let Some(corpora) = corpora() else { return };
    let table = fs::read_to_string(corpora.join("broken/dev/LABELS.tsv")).unwrap();
    let (mut labels, mut hits, mut traps) = (0, 0, 0);
    let (mut missed, mut fallen) = (Vec::new(), Vec::new());
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (file, class, node, base) = (cells[0], cells[1], cells[4], cells[5]);
        if class.starts_with("control_") {
            traps += 1;
            // The defects of the base file remain; no other error may be added.
            let told = |path: &str| -> BTreeSet<(Code, Option<String>)> {
                let looked = look(&corpora.join(path)).unwrap();
                looked.findings.into_iter().filter(Finding::is_error).map(|one| (one.code, one.node)).collect()
            };
            fallen.extend(told(file).difference(&told(base)).map(|one| format!("{file}: {one:?}")));
        } else if REMIT.iter().any(|remit| class.starts_with(remit)) && cells[6] == "mutated" {
            labels += 1;
            let hit = look(&corpora.join(file)).is_some_and(|looked| {
                looked
                    .findings
                    .iter()
                    .any(|one| one.node.as_deref() == Some(node) && (one.is_error() || cells[3] == "warning" || ACCEPTED.contains(&class)))
            });
            hits += usize::from(hit);
            if !hit {
                missed.push(format!("{file}: {class} on {node}"));
            }
        }
    }
    println!("labelled defects found        {hits} of {labels}; traps {traps}, fallen into {}", fallen.len());
    println!("{}", [missed, fallen.clone()].concat().join("\n"));
    assert!(labels >= 35 && traps >= 10);
    assert!(hits * 100 >= labels * 98);
    assert!(fallen.is_empty());
}

/// Prints the number of workflows per second; meaningful in an optimised build only.
fn codes(document: Value) -> Vec<String> {
    let definition = parse_and_check(&document).unwrap().definition;
    let mut findings = Vec::new();
    check_against(&definition, Catalog::embedded(), &mut findings);
    findings.iter().map(|one| format!("{} {}", one.severity, one.code)).collect()
}

fn wired(kind: &str, version: f64, parameters: Value) -> Value {
    json!({"name": "x", "settings": {}, "nodes": [
        {"name": "T", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
        {"name": "N", "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters}],
        "connections": {"T": {"main": [[{"node": "N", "type": "main", "index": 0}]]}}})
}

#[test]
fn the_shape_of_an_older_version_is_an_error_and_a_leftover_a_warning() {
    let old = json!({"url": "https://a.example", "requestMethod": "POST", "bodyParametersJson": "{}"});
    let found = codes(wired("n8n-nodes-base.httpRequest", 4.2, old));
    assert!(found.len() == 2 && found.iter().all(|one| one == "error parameter-of-other-version"), "{found:?}");
    let mixed = json!({"url": "https://a.example", "requestMethod": "POST", "method": "POST", "sendBody": true});
    assert_eq!(codes(wired("n8n-nodes-base.httpRequest", 4.2, mixed)), ["warning parameter-of-other-version"]);
}

#[test]
fn a_choice_of_what_the_node_does_is_an_error_and_another_choice_a_warning() {
    let method = json!({"url": "https://a.example", "method": "FETCH"});
    assert_eq!(codes(wired("n8n-nodes-base.httpRequest", 4.2, method)), ["error parameter-option-unknown"]);
    // Methods that n8n does not offer and yet sends.
    for method in ["PROPFIND", "get"] {
        let found = codes(wired("n8n-nodes-base.httpRequest", 4.2, json!({"url": "https://a.example", "method": method})));
        assert_eq!(found, ["warning parameter-option-unknown"], "{method}");
    }
    // n8n's own code still accepts it.
    let legacy = json!({"language": "python", "pythonCode": "return []"});
    let found = codes(wired("n8n-nodes-base.code", 2.0, legacy));
    assert!(found.iter().all(|one| one.starts_with("warning")), "{found:?}");
}

#[test]
fn a_sub_node_that_the_parameters_switch_off_is_a_warning_and_one_that_never_fits_an_error() {
    let parser = json!({"name": "P", "type": "@n8n/n8n-nodes-langchain.outputParserStructured", "typeVersion": 1.2, "position": [0, 0], "parameters": {}});
    let model = json!({"name": "M", "type": "@n8n/n8n-nodes-langchain.lmChatOpenAi", "typeVersion": 1.2, "position": [0, 0],
                       "parameters": {"model": {"__rl": true, "mode": "id", "value": "m"}}});
    let attached = |kind: &str, input: u32, parameters: Value| {
        let mut document = wired("@n8n/n8n-nodes-langchain.agent", 2.0, parameters);
        document["nodes"].as_array_mut().unwrap().extend([parser.clone(), model.clone()]);
        document["connections"]["M"] = json!({"ai_languageModel": [[{"node": "N", "type": "ai_languageModel", "index": 0}]]});
        document["connections"]["P"] = json!({kind: [[{"node": "N", "type": kind, "index": input}]]});
        codes(document).into_iter().filter(|code| code.contains("connection-")).collect::<Vec<_>>()
    };
    assert_eq!(attached("ai_outputParser", 0, json!({"options": {}})), ["warning connection-kind"]);
    assert!(attached("ai_outputParser", 0, json!({"hasOutputParser": true, "options": {}})).is_empty());
    assert_eq!(attached("ai_embedding", 0, json!({"options": {}})), ["error connection-kind"]);
}

#[test]
fn a_locator_that_holds_neither_mode_nor_value_is_an_error() {
    let to = |user: Value| wired("n8n-nodes-base.slack", 2.3, json!({"select": "user", "user": user, "text": "hi", "otherOptions": {}}));
    assert!(codes(to(json!({"id": "U012345", "name": "Ann"}))).contains(&"error parameter-shape".to_owned()));
    assert!(!codes(to(json!({"__rl": true, "mode": "id", "value": "U0123456789"}))).contains(&"error parameter-shape".to_owned()));
}

#[test]
fn a_tool_on_main_is_a_warning_where_items_flow_to_it() {
    let mut document = wired("n8n-nodes-base.httpRequestTool", 4.2, json!({"toolDescription": "x", "url": "https://a.example"}));
    let after = json!({"name": "M", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "position": [0, 0], "parameters": {}});
    document["nodes"].as_array_mut().unwrap().push(after);
    document["connections"]["N"] = json!({"main": [[{"node": "M", "type": "main", "index": 0}]]});
    let found = codes(document.clone());
    assert_eq!(found, ["warning connection-kind", "warning connection-input-unknown"]);
    document["connections"]["T"] = json!({"main": [[{"node": "M", "type": "main", "index": 0}]]});
    assert_eq!(codes(document), ["error connection-kind"]);
}

#[test]
fn problems_that_n8n_does_not_check_are_at_most_warnings() {
    let mut document = wired("n8n-nodes-base.httpRequest", 4.2, json!({}));
    assert_eq!(codes(document.clone()), ["error parameter-missing"]);
    document["nodes"][1]["disabled"] = json!(true);
    assert_eq!(codes(document.clone()), ["warning parameter-missing"]);
    document["nodes"][1]["disabled"] = json!(false);
    document["connections"] = json!({});
    assert_eq!(codes(document), ["warning parameter-missing"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("={{ 1 }}".to_owned()), Just("main".to_owned()), Just("id".to_owned()), "[a-z]{0,6}"].prop_map(Value::from),
    ];
    let keys = || {
        prop_oneof![
            "resource",
            "operation",
            "rules",
            "values",
            "conditions",
            "assignments",
            "options",
            "mode",
            "value",
            "main",
            "node",
            "index",
            "[a-z]{0,4}"
        ]
    };
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys(), inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Returns the same values with the keys of every object inserted in reverse order.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().collect::<Vec<_>>().into_iter().rev().map(|(key, one)| (key.clone(), turned(one))).collect())
        }
        Value::Array(items) => items.iter().map(turned).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_json_is_examined_and_the_order_of_keys_says_nothing(
        kind in prop::sample::select(vec!["switch", "set", "if", "merge", "slack", "httpRequest", "googleSheets", "webhook", "code", "notion", "?"]),
        version in prop::sample::select(vec![0.0, 1.0, 2.0, 2.2, 3.0, 3.4, 4.2, 1e300]),
        parameters in any_json(), credentials in any_json(), connections in any_json(), wires in any_json(),
    ) {
        let node = json!({"name": "N", "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "parameters": parameters, "credentials": credentials});
        let mut wired = Map::new();
        wired.insert("N".to_owned(), json!({"main": wires, "ai_tool": connections}));
        let say = |node: &Value, wired: &Value| {
            let nodes = vec![Node(node.as_object().unwrap().clone())];
            let definition = Definition { nodes, connections: wired.as_object().unwrap().clone(), ..Definition::default() };
            let mut findings = Vec::new();
            (examine(&definition, Catalog::embedded(), &mut findings), findings)
        };
        let wired = Value::Object(wired);
        prop_assert_eq!(say(&node, &wired), say(&turned(&node), &turned(&wired)));
    }
}
