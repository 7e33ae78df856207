//! From the compact form to n8n's definition.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::edges::{self, Edge, Ports};
use super::form::{Compact, CompactNode};
use super::graph::Graph;
use super::scan::rewrite_pieces;
use super::texts::{Texts, plain, slot_name};
use super::uses::{self, Use};
use super::values::Known;
use super::{conditions, layout, nodes, values};
use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::derive::{IdentitySeed, fill_ids_where};
use crate::document::finding::{Code, Finding, bounded, has_errors, quoted};
use crate::document::json_path;
use crate::document::node_types::{self, STICKY_NOTE};

/// A compiled workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The workflow as n8n takes it. Its nodes are those of the compact form in their order, then its notes.
    pub definition: Definition,
    /// Values that the user gives, in the order in which they come first.
    pub slots: Vec<OpenValue>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// A value that the user gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenValue {
    /// Name, without the question mark.
    pub name: String,
    /// Places in the compact document.
    pub paths: Vec<String>,
    /// True if there is no value for it yet: the definition has `?name` in its place.
    pub open: bool,
}

/// Compiles a workflow, with the values of its slots.
///
/// # Errors
///
/// Errors, and warnings. The paths are those of the compact document.
pub fn compile(compact: &Compact, inputs: &BTreeMap<String, Value>, catalog: &Catalog) -> Result<Compiled, Vec<Finding>> {
    let mut findings = Vec::new();
    let used = read_uses(compact, catalog, &mut findings);
    let column = |of: fn(&CompactNode) -> &String| compact.nodes.iter().map(|node| of(node).clone()).collect::<Vec<_>>();
    let kinds = used.iter().map(|used| used.kind.clone()).collect();
    let mut graph = Graph::new(column(|node| &node.id), column(|node| &node.name), kinds);
    unique(&compact.nodes, &mut findings);
    let edges = edges::read(&compact.edges, &graph, &mut findings);
    edges.iter().for_each(|edge| graph.join(edge.from, edge.to));
    let mut slots = Vec::new();
    let mut parameters = Vec::with_capacity(compact.nodes.len());
    for (at, (node, used)) in compact.nodes.iter().zip(&used).enumerate() {
        let mut texts = Texts::new(&graph, at, inputs);
        parameters.push(parameters_of(node, used, &mut texts, &json_path::index("nodes", at)));
        findings.extend(texts.findings.into_iter().map(|finding| finding.at_node(&node.name)));
        slots.extend(texts.slots);
    }
    let each = used.iter().zip(&parameters);
    let ports: Vec<Ports> = each.map(|(used, parameters)| Ports::of(&used.kind, used.facts(), used.version, parameters)).collect();
    let (connections, failing) = edges::connect(&edges, &graph, &ports, &mut findings);
    let settings = around_nodes(compact, inputs, &mut slots);
    let slots = gathered(slots, inputs, &mut findings);
    if has_errors(&findings) {
        return Err(bounded(findings));
    }
    let name = compact.name.as_deref().map(|name| filled_in(name, inputs));
    let mut definition = Definition { name, connections, settings, ..Definition::default() };
    for (at, (node, used)) in compact.nodes.iter().zip(&used).enumerate() {
        let mut built = Map::new();
        built.insert("name".to_owned(), node.name.as_str().into());
        built.insert("type".to_owned(), used.kind.as_str().into());
        built.insert("typeVersion".to_owned(), number(used.version));
        built.insert("parameters".to_owned(), Value::Object(std::mem::take(&mut parameters[at])));
        nodes::compile(node, failing.contains(&at), &mut built);
        definition.nodes.push(Node(built));
    }
    place(&mut definition, &edges, &ports);
    let notes: Vec<String> = compact.notes.iter().map(|note| filled_in(note, inputs)).collect();
    add_notes(&mut definition, &notes);
    let seed = IdentitySeed { cluster_id: String::new(), namespace: String::new(), name: compact.name.clone().unwrap_or_default() };
    fill_ids_where(&mut definition, &seed, |node| has_webhooks(node, catalog));
    Ok(Compiled { definition, slots, findings: bounded(findings) })
}

/// Returns the settings with the values of their slots, and records the slots in the settings, the name and the notes.
fn around_nodes(compact: &Compact, inputs: &BTreeMap<String, Value>, slots: &mut Vec<(String, String)>) -> Map<String, Value> {
    let name = compact.name.iter().map(|name| (name, "name".to_owned()));
    let notes = compact.notes.iter().enumerate().map(|(at, note)| (note, json_path::index("notes", at)));
    for (text, path) in name.chain(notes) {
        rewrite_pieces(text, |code| {
            slots.extend(slot_name(code.trim()).map(|name| (name.to_owned(), path.clone())));
            None
        });
    }
    let mut settings = nodes::settings(&compact.settings);
    for (key, value) in &mut settings {
        let Some(name) = value.as_str().and_then(slot_name).map(str::to_owned) else { continue };
        if let Some(given) = inputs.get(&name) {
            *value = Value::from(plain(given));
        }
        slots.push((name, json_path::key("settings", key)));
    }
    settings
}

/// Returns a name or a note with the values of its slots. n8n evaluates nothing there.
fn filled_in(name: &str, inputs: &BTreeMap<String, Value>) -> String {
    rewrite_pieces(name, |code| Some(plain(inputs.get(slot_name(code.trim())?)?)))
}

fn read_uses(compact: &Compact, catalog: &Catalog, findings: &mut Vec<Finding>) -> Vec<Use> {
    let mut used = Vec::with_capacity(compact.nodes.len());
    for (at, node) in compact.nodes.iter().enumerate() {
        let path = json_path::key(&json_path::index("nodes", at), "use");
        used.push(uses::read(&node.kind, catalog, &path).unwrap_or_else(|finding| {
            findings.push(finding.at_node(&node.name));
            Use::default()
        }));
    }
    used
}

/// Reports ids and names that two nodes share.
fn unique(nodes: &[CompactNode], findings: &mut Vec<Finding>) {
    let (mut ids, mut names) = (HashMap::new(), HashMap::new());
    for (at, node) in nodes.iter().enumerate() {
        let path = json_path::index("nodes", at);
        for (known, own, key, code) in
            [(&mut ids, &node.id, "id", Code::NodeIdDuplicate), (&mut names, &node.name, "as", Code::NodeNameDuplicate)]
        {
            if let Some(first) = known.insert(own.as_str(), at) {
                let message = format!("nodes[{first}] has the same {key} {}", quoted(own));
                findings.push(Finding::error(code, json_path::key(&path, key), message).at_node(&node.name));
            }
        }
    }
}

fn parameters_of(node: &CompactNode, used: &Use, texts: &mut Texts<'_>, path: &str) -> Map<String, Value> {
    let at = json_path::key(path, "set");
    let facts = used.facts();
    let known =
        Known { facts, resource: used.resource.as_deref(), operation: used.operation.as_deref(), version: used.version, kind: &used.kind };
    let mut parameters = values::compile(&node.set, known, texts, &at);
    for (key, value) in [("resource", &used.resource), ("operation", &used.operation)] {
        let Some(value) = value else { continue };
        if parameters.insert(key.to_owned(), value.as_str().into()).is_some_and(|other| other != value.as_str()) {
            let message = format!("{key} is set to something other than `use` says; leave it out here");
            texts.push(Finding::error(Code::CompactInvalid, json_path::key(&at, key), message));
        }
    }
    conditions::compile(&node.when, &used.kind, facts, used.version, &mut parameters, texts, &json_path::key(path, "when"));
    parameters
}

fn gathered(found: Vec<(String, String)>, inputs: &BTreeMap<String, Value>, findings: &mut Vec<Finding>) -> Vec<OpenValue> {
    let mut slots: Vec<OpenValue> = Vec::new();
    for (name, path) in found {
        match slots.iter_mut().find(|slot| slot.name == name) {
            Some(slot) => slot.paths.push(path),
            None => slots.push(OpenValue { open: !inputs.contains_key(&name), paths: vec![path], name }),
        }
    }
    for slot in slots.iter().filter(|slot| slot.open) {
        let message = format!("the value of ?{} is still to be given", slot.name);
        findings.push(Finding::warning(Code::SlotOpen, slot.paths[0].clone(), message));
    }
    slots
}

/// Returns a version without a fraction as an integer, as n8n writes it.
fn number(version: f64) -> Value {
    if version.fract() == 0.0 && (0.0..1e6).contains(&version) { Value::from(version as u64) } else { Value::from(version) }
}

fn place(definition: &mut Definition, edges: &[Edge], ports: &[Ports]) {
    let is_sub = |edge: &Edge| ports[edge.from].output(edge.output.as_deref()).is_ok_and(|(kind, _)| kind != "main");
    let links: Vec<(usize, usize, bool)> = edges.iter().map(|edge| (edge.from, edge.to, is_sub(edge))).collect();
    let positions = layout::positions(definition.nodes.len(), &links);
    definition.nodes.iter_mut().zip(positions).for_each(|(node, position)| layout::place(&mut node.0, position));
}

/// Adds the notes above the nodes.
fn add_notes(definition: &mut Definition, notes: &[String]) {
    let mut number = 0;
    for (at, note) in notes.iter().enumerate() {
        let name = loop {
            let name = if number == 0 { "Sticky Note".to_owned() } else { format!("Sticky Note{number}") };
            number += 1;
            if definition.node(&name).is_none() {
                break name;
            }
        };
        let parameters: Map<String, Value> = [("content".to_owned(), Value::from(note.as_str()))].into_iter().collect();
        let x = i64::try_from(at).unwrap_or_default() * 260;
        let node =
            serde_json::json!({"name": name, "type": STICKY_NOTE, "typeVersion": 1, "position": [x, -260], "parameters": parameters});
        if let Value::Object(node) = node {
            definition.nodes.push(Node(node));
        }
    }
}

fn has_webhooks(node: &Node, catalog: &Catalog) -> bool {
    let facts = catalog.node(node.kind());
    let serving = facts.as_ref().and_then(|facts| facts.serving(node.type_version()));
    serving.map_or_else(|| node_types::has_webhooks(node.kind()), |facts| !facts.webhooks.is_empty())
}

/// Returns the place in the compact document of a place in the compiled definition, for findings of the validator.
pub fn locate(path: &str) -> String {
    if path.starts_with("connections") {
        return "edges".to_owned();
    }
    let Some((node, rest)) = path.strip_prefix("nodes[").and_then(|rest| rest.split_once(']')) else { return path.to_owned() };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let (field, inner) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
    let field = match field {
        "parameters" => "set",
        "name" => "as",
        "type" | "typeVersion" => "use",
        "retryOnFail" | "maxTries" | "waitBetweenTries" => "retry",
        "notes" => "note",
        other => other,
    };
    let dot = if field.is_empty() { "" } else { "." };
    format!("nodes[{node}]{dot}{field}{inner}")
}
