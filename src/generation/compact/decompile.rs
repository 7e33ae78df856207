//! From n8n's definition to the compact form.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::edges::{self, Edge, Ports};
use super::form::{Compact, CompactNode, VERSION};
use super::graph::Graph;
use super::scan::in_name;
use super::values::Known;
use super::{conditions, nodes, uses, values};
use crate::catalog::{Catalog, NodeVersion, filled};
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, bounded, has_errors, is_full, quoted};
use crate::document::json_path;
use crate::document::node_types::STICKY_NOTE;

/// A workflow in the compact form.
#[derive(Debug, Clone, PartialEq)]
pub struct Decompiled {
    /// The workflow.
    pub compact: Compact,
    /// Findings about parts that the form cannot express and that were left out.
    pub findings: Vec<Finding>,
}

/// Writes a workflow in the compact form.
///
/// # Errors
///
/// Nodes without a name, or with one name for two: n8n refers to nodes by name.
pub fn decompile(definition: &Definition, catalog: &Catalog) -> Result<Decompiled, Vec<Finding>> {
    let mut findings = Vec::new();
    check_names(definition, &mut findings);
    if has_errors(&findings) {
        return Err(bounded(findings));
    }
    let (notes, own): (Vec<&Node>, Vec<&Node>) = definition.nodes.iter().partition(|node| node.kind() == STICKY_NOTE && is_note(node));
    let prefix = prefix(definition);
    let ids = (1..=own.len()).map(|number| format!("{prefix}{number}")).collect();
    let column = |of: fn(&Node) -> &str| own.iter().map(|node| of(node).to_owned()).collect();
    let mut graph = Graph::new(ids, column(Node::name), column(Node::kind));
    let links = links(definition, &graph, &mut findings);
    links.iter().for_each(|link| graph.join(link.from, link.to));
    let mut compact = Compact { compact: VERSION, name: definition.name.clone(), ..Compact::default() };
    let mut ports = Vec::with_capacity(own.len());
    for (at, node) in own.iter().enumerate() {
        let (short, own_ports) = node_of(node, at, &graph, catalog);
        compact.nodes.push(short);
        ports.push(own_ports);
    }
    let edges: Vec<Edge> = links.into_iter().filter_map(|link| edge(link, &own, &ports, &graph, &mut findings)).collect();
    for (at, node) in own.iter().enumerate() {
        let failing = edges.iter().any(|edge| edge.from == at && edge.output.as_deref() == Some("error"));
        nodes::decompile(node, failing, &mut compact.nodes[at]);
    }
    compact.edges = edges::write(&edges, &graph);
    compact.notes = notes.iter().filter_map(|note| note.parameter("content")?.as_str()).map(str::to_owned).collect();
    let (settings, left) = nodes::short_settings(&definition.settings);
    compact.settings = settings;
    for key in left {
        let message = format!("the compact form has no setting {}; it was left out", quoted(&key));
        findings.push(Finding::warning(Code::CompactInvalid, json_path::key("settings", &key), message));
    }
    if !definition.node_groups.is_empty() {
        let message = "the compact form has no frames on the canvas; they were left out";
        findings.push(Finding::warning(Code::CompactInvalid, "nodeGroups", message));
    }
    Ok(Decompiled { compact, findings: bounded(findings) })
}

/// Reports whether a note is a plain text.
fn is_note(node: &Node) -> bool {
    let plain = |(key, value): (&String, &Value)| match key.as_str() {
        "content" => value.is_string(),
        key => ["height", "width", "color"].contains(&key),
    };
    node.parameters().is_some_and(|parameters| parameters.contains_key("content") && parameters.iter().all(plain))
}

fn check_names(definition: &Definition, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for (at, node) in definition.nodes.iter().enumerate() {
        let path = json_path::key(&json_path::index("nodes", at), "name");
        if node.name().is_empty() {
            findings.push(Finding::error(Code::NodeNameMissing, path, "the node has no name"));
        } else if !seen.insert(node.name()) {
            findings.push(Finding::error(Code::NodeNameDuplicate, path, "another node has this name").at_node(node.name()));
        }
    }
}

/// Returns a beginning of ids that no expression uses as a name.
fn prefix(definition: &Definition) -> &'static str {
    let is_used = |prefix: &str| {
        definition.nodes.iter().any(|node| node.parameters().is_some_and(|map| map.values().any(|value| uses_name(value, prefix))))
    };
    ["n", "k", "node", "step", "wk_n"].into_iter().find(|prefix| !is_used(prefix)).unwrap_or("wk_node_")
}

/// Reports whether an expression uses a name of this prefix and a number.
fn uses_name(value: &Value, prefix: &str) -> bool {
    match value {
        Value::String(text) if text.starts_with('=') => text.match_indices(prefix).any(|(at, _)| {
            let number = text[at + prefix.len()..].starts_with(|c: char| c.is_ascii_digit());
            number && !text[..at].ends_with(|c: char| in_name(c) || c == '.')
        }),
        Value::Array(items) => items.iter().any(|item| uses_name(item, prefix)),
        Value::Object(map) => map.values().any(|item| uses_name(item, prefix)),
        _ => false,
    }
}

struct Link {
    from: usize,
    kind: String,
    output: usize,
    to: usize,
    to_kind: String,
    input: usize,
}

/// Returns the connections between nodes that exist, in the order of the nodes.
fn links(definition: &Definition, graph: &Graph, findings: &mut Vec<Finding>) -> Vec<Link> {
    let mut links = Vec::new();
    for (from, name) in graph.names.iter().enumerate() {
        let kinds = definition.connections.get(name).and_then(Value::as_object);
        for (kind, outputs) in kinds.into_iter().flatten() {
            for (output, targets) in outputs.as_array().into_iter().flatten().enumerate() {
                for target in targets.as_array().into_iter().flatten() {
                    let text = |key: &str| target.get(key).and_then(Value::as_str);
                    let Some(to) = text("node").and_then(|name| graph.by_name(name)) else { continue };
                    let input =
                        target.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok()).unwrap_or_default();
                    let to_kind = text("type").unwrap_or(kind).to_owned();
                    links.push(Link { from, kind: kind.clone(), output, to, to_kind, input });
                }
            }
        }
    }
    let known = |name: &String| graph.by_name(name).is_some();
    if definition.connections.keys().any(|name| !known(name)) && !is_full(findings) {
        let message = "connections of nodes that do not exist were left out";
        findings.push(Finding::warning(Code::ConnectionSourceUnknown, "connections", message));
    }
    links
}

fn edge(link: Link, own: &[&Node], ports: &[Ports], graph: &Graph, findings: &mut Vec<Finding>) -> Option<Edge> {
    let fails = own[link.from].text("onError") == Some("continueErrorOutput");
    let output = ports[link.from].name_of(&link.kind, link.output, fails).filter(|_| link.kind == link.to_kind);
    let input = (link.input > 0).then(|| link.input.to_string());
    let fits = ports[link.to].input(&link.kind, input.as_deref()) == Ok(link.input);
    let Some(output) = output.filter(|_| fits) else {
        if !is_full(findings) {
            let message =
                format!("the form cannot express output {} of kind {}; the connection was left out", link.output, quoted(&link.kind));
            findings.push(Finding::warning(Code::CompactInvalid, "connections", message).at_node(&graph.names[link.from]));
        }
        return None;
    };
    Some(Edge { from: link.from, output, to: link.to, input, path: String::new() })
}

fn node_of(node: &Node, at: usize, graph: &Graph, catalog: &Catalog) -> (CompactNode, Ports) {
    let facts = catalog.node(node.kind());
    let version = node.type_version().or(facts.as_ref().map(|facts| facts.default_version)).unwrap_or(1.0);
    let serving = facts.as_ref().and_then(|facts| facts.serving(Some(version)));
    let none = Map::new();
    let given = node.parameters().unwrap_or(&none);
    let ports = Ports::of(node.kind(), serving, version, given);
    let mut values = serving.map_or_else(|| given.clone(), |serving| essential(serving, given, version, node.kind()));
    let full = serving.and_then(|serving| filled(serving, given, version, node.kind()).ok());
    let (kind, operated) = uses::write(node.kind(), version, full.as_ref().unwrap_or(given), catalog);
    if operated {
        values.remove("resource");
        values.remove("operation");
    } else {
        let kept = ["resource", "operation"].into_iter().filter_map(|key| given.get_key_value(key));
        values.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    }
    let (when, values) = conditions::decompile(node.kind(), serving, version, &values, graph, at);
    let said = |key: &str| full.as_ref().and_then(|full| full.get(key)).and_then(Value::as_str).filter(|_| operated);
    let known = Known { facts: serving, resource: said("resource"), operation: said("operation"), version, kind: node.kind() };
    let mut values = values;
    values.retain(|key, _| !known.is_misplaced(key));
    let set = values::decompile(&values, known, graph, at);
    let short = CompactNode { id: graph.ids[at].clone(), kind, name: node.name().to_owned(), set, when, ..CompactNode::default() };
    (short, ports)
}

/// Returns the parameters without those that make no difference: their values are n8n's defaults, or they do not show.
fn essential(facts: &NodeVersion, given: &Map<String, Value>, version: f64, kind: &str) -> Map<String, Value> {
    let Ok(full) = filled(facts, given, version, kind) else { return given.clone() };
    let mut kept = given.clone();
    for key in given.keys().filter(|key| facts.parameters.iter().any(|parameter| parameter.name == **key)) {
        let Some(value) = kept.remove(key) else { continue };
        if filled(facts, &kept, version, kind).ok().as_ref() != Some(&full) {
            kept.insert(key.clone(), value);
        }
    }
    kept
}
