//! Property tests with arbitrary input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{LOOP, MANUAL, RESPOND, SET, WEBHOOK};
use crate::document::definition::{Definition, Node};
use crate::document::finding::Code;
use crate::validator::content::check_content;

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("={{ "),
        Just(" }}"),
        Just("{{"),
        Just("}}"),
        Just("$('A')"),
        Just("$node['B']"),
        Just("\\"),
        Just("'"),
        Just("`"),
        Just("("),
        Just("ü"),
        Just("\n"),
        Just("Bearer "),
        Just("https://"),
        Just("?key="),
        Just("eyJ"),
        Just("."),
        Just("*/5 "),
        Just("1-"),
        Just("sk-"),
        Just("password: '"),
        Just("//a:b@"),
        Just("-----BEGIN "),
        Just("A1b2C3d4E5f6G7h8"),
        Just("=")
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("path"),
        Just("jsCode"),
        Just("functionCode"),
        Just("rule"),
        Just("interval"),
        Just("field"),
        Just("expression"),
        Just("pollTimes"),
        Just("item"),
        Just("mode"),
        Just("name"),
        Just("value"),
        Just("code"),
        Just("execute"),
        Just("options"),
        Just("responseMode")
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_node() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just(SET),
        Just(WEBHOOK),
        Just(RESPOND),
        Just(LOOP),
        Just(MANUAL),
        Just("n8n-nodes-base.code"),
        Just("n8n-nodes-base.scheduleTrigger"),
        Just("n8n-nodes-base.cron"),
        Just("@n8n/n8n-nodes-langchain.code"),
        Just("n8n-nodes-base.httpRequest"),
        Just("")
    ];
    let name = prop_oneof![Just("A"), Just("B"), Just("C"), Just("D"), Just("")];
    (name, kind, json_value(), json_value(), any::<bool>(), json_value()).prop_map(|(name, kind, parameters, credentials, disabled, version)| {
        json!({"name": name, "type": kind, "parameters": parameters, "credentials": credentials, "disabled": disabled, "typeVersion": version})
    })
}

fn any_definition() -> impl Strategy<Value = Definition> {
    let wire = ("[ABCD]", "[ABCD]", 0usize..3, prop_oneof![Just("main"), Just("ai_tool"), Just("x")]);
    let nodes = proptest::collection::vec(any_node(), 0..6);
    (nodes, proptest::collection::vec(wire, 0..8), json_value(), json_value()).prop_map(|(nodes, wires, odd, settings)| {
        let mut connections = json!({ "D": odd });
        for (from, to, output, kind) in wires {
            let mut outputs = vec![json!([]); output];
            outputs.push(json!([{"node": to, "type": kind, "index": 0}, null, 3]));
            connections[from] = json!({ kind: outputs });
        }
        Definition {
            nodes: nodes.into_iter().filter_map(|node| node.as_object().cloned().map(Node)).collect(),
            connections: connections.as_object().cloned().unwrap_or_default(),
            settings: settings.as_object().cloned().unwrap_or_default(),
            ..Definition::default()
        }
    })
}

proptest! {
    #[test]
    fn no_definition_makes_the_checks_panic(definition in any_definition(), active in any::<Option<bool>>()) {
        let findings = check_content(&definition, active);
        prop_assert_eq!(&findings, &check_content(&definition, active));
    }

    #[test]
    fn the_order_of_the_nodes_changes_nothing_but_indices(definition in any_definition()) {
        // Nodes that share a name are distinguished by their order alone, and so are two that serve one path.
        let mut named: Vec<Node> = Vec::new();
        for node in definition.nodes {
            if !node.name().is_empty() && named.iter().all(|other| other.name() != node.name()) {
                named.push(node);
            }
        }
        let mut definition = Definition { nodes: named, ..definition };
        let said = |definition: &Definition| {
            let findings = check_content(definition, Some(true)).into_iter().filter(|f| f.code != Code::WebhookConflict);
            let mut lines: Vec<String> = findings.map(|f| {
                let path = f.path.split_once(']').filter(|_| f.path.starts_with("nodes[")).map_or(f.path.as_str(), |(_, rest)| rest);
                format!("{} {} {:?} {path} {} {:?}", f.severity, f.code, f.node, f.message, f.suggestion)
            }).collect();
            lines.sort();
            lines
        };
        let before = said(&definition);
        definition.nodes.reverse();
        prop_assert_eq!(before, said(&definition));
    }
}
