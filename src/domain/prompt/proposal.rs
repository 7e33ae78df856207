//! Proposal for approval: the plan node by node, the effect, and the difference to what is deployed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use serde_json::Value;
use url::Url;

use super::line;
use crate::api::prompt_status::MOST_ITEMS;
use crate::api::required_credential::{CredentialState, RequiredCredential};
use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::document::difference::difference;
use crate::document::finding::quoted;
use crate::document::node_types::{self, STICKY_NOTE};
use crate::text::listed;

/// Maximum length of a line of the plan.
const LONGEST_LINE: usize = 200;
/// Maximum length of the effect.
const LONGEST_EFFECT: usize = 1_900;
/// Maximum length of a line of the difference.
const LONGEST_CHANGE: usize = 400;
/// Maximum number of names in a list.
const MOST_NAMES: usize = 8;

/// Returns a line for each node, in the order of execution.
pub fn plan(definition: &Definition, catalog: &Catalog) -> Vec<String> {
    let nodes: Vec<&Node> = definition.nodes.iter().filter(|node| node.kind() != STICKY_NOTE).collect();
    let order = in_order(definition, &nodes);
    let mut lines: Vec<String> = order.iter().take(MOST_ITEMS).map(|node| line(&described(node, catalog), LONGEST_LINE)).collect();
    if nodes.len() > lines.len() {
        lines.pop();
        lines.push(format!("and {} more nodes", nodes.len() - lines.len()));
    }
    lines
}

fn described(node: &Node, catalog: &Catalog) -> String {
    let facts = catalog.node(node.kind());
    let service = facts.as_ref().map_or_else(|| node.kind().to_owned(), |facts| facts.display_name.clone());
    let text = |name: &str| node.parameter(name).and_then(Value::as_str).filter(|text| !text.starts_with('='));
    let does = [text("resource"), text("operation")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let what = if does.is_empty() { service } else { format!("{service}, {does}") };
    let where_to = text("url").or_else(|| text("path")).map_or_else(String::new, |place| format!(" at {place}"));
    format!("{} ({what}){where_to}", node.name())
}

/// Returns the nodes so that each comes after those that lead to it; sub-nodes come before the node that uses them.
fn in_order<'a>(definition: &Definition, nodes: &[&'a Node]) -> Vec<&'a Node> {
    let by_name: HashMap<&str, &Node> = nodes.iter().map(|node| (node.name(), *node)).collect();
    let targets = |name: &str| -> Vec<String> {
        let outputs = definition.connections.get(name).and_then(Value::as_object);
        let ends = outputs
            .into_iter()
            .flat_map(|outputs| outputs.values())
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_array)
            .flatten();
        ends.filter_map(|end| end["node"].as_str().map(str::to_owned)).collect()
    };
    let led_to: HashSet<String> = nodes.iter().flat_map(|node| targets(node.name())).collect();
    let mut queue: VecDeque<String> = nodes.iter().map(|node| node.name().to_owned()).filter(|name| !led_to.contains(name)).collect();
    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    while let Some(name) = queue.pop_front() {
        if !seen.insert(name.clone()) {
            continue;
        }
        order.extend(by_name.get(name.as_str()).copied());
        queue.extend(targets(&name));
    }
    order.extend(nodes.iter().filter(|node| !seen.contains(node.name())).copied());
    order
}

/// Returns the hosts of the literal addresses in the definition's nodes.
fn hosts(definition: &Definition) -> BTreeSet<String> {
    let texts = definition.nodes.iter().filter(|node| node.kind() != STICKY_NOTE).filter_map(|node| node.parameter("url")?.as_str());
    texts.filter_map(|text| Some(Url::parse(text.trim_start_matches('=')).ok()?.host_str()?.to_owned())).collect()
}

/// Returns the effect of a workflow in a few sentences.
pub fn effect(definition: &Definition, credentials: &[RequiredCredential]) -> String {
    let is_trigger = |node: &&Node| node_types::is_trigger(node.kind()) || node_types::is_manual_trigger(node.kind());
    let names = |nodes: Vec<&Node>| nodes.iter().map(|node| quoted(node.name()).to_string()).collect::<Vec<_>>();
    let nodes = || definition.nodes.iter().filter(|node| node.kind() != STICKY_NOTE);
    let starts = names(nodes().filter(is_trigger).collect());
    let mut sentences = vec![match starts.is_empty() {
        true => "It has no trigger, so that only other workflows or people start it.".to_owned(),
        false => format!("It is started by {}.", listed(&starts, MOST_NAMES)),
    }];
    sentences.push(format!("It has {} nodes.", nodes().count()));
    let hosts: Vec<String> = hosts(definition).into_iter().collect();
    if !hosts.is_empty() {
        sentences.push(format!("It calls {}.", listed(&hosts, MOST_NAMES)));
    }
    let mut kinds: Vec<&str> = credentials.iter().map(|one| one.kind.as_str()).collect();
    kinds.dedup();
    if !kinds.is_empty() {
        sentences.push(format!("It needs credentials of the types {}.", listed(&kinds, MOST_NAMES)));
    }
    line(&sentences.join(" "), LONGEST_EFFECT)
}

/// Returns the difference of a workflow to the one that is deployed.
pub fn changes(deployed: &Definition, proposed: &Definition) -> Vec<String> {
    let settings: BTreeSet<String> = deployed.settings.keys().chain(proposed.settings.keys()).cloned().collect();
    let found = difference(deployed.into(), proposed.into(), &settings);
    let found = found.with_names(deployed.name.as_deref().unwrap_or_default(), proposed.name.as_deref().unwrap_or_default());
    let all = found.lines();
    let mut shown: Vec<String> = all.iter().take(MOST_ITEMS).map(|change| line(change, LONGEST_CHANGE)).collect();
    if all.len() > shown.len() {
        shown.pop();
        shown.push(format!("and {} more changes: compare the stored revision with the one before", all.len() - shown.len()));
    }
    shown
}

/// Returns the credentials that the nodes of a generated workflow name, each once. `mapped` are the names that the prompt maps.
pub fn credentials(definition: &Definition, mapped: &BTreeSet<&str>, catalog: &Catalog) -> Vec<RequiredCredential> {
    let mut all: Vec<RequiredCredential> = Vec::new();
    for node in &definition.nodes {
        for (kind, value) in node.credentials().into_iter().flatten() {
            let name = value.as_str().or_else(|| value["name"].as_str()).unwrap_or_default();
            if let Some(known) = all.iter_mut().find(|one| one.kind == *kind && one.name == name) {
                known.add_node(node.name());
                continue;
            }
            if all.len() == MOST_ITEMS {
                continue;
            }
            let scopes = catalog.credential(kind).map(|facts| facts.scopes.clone()).unwrap_or_default();
            all.push(RequiredCredential {
                kind: kind.clone(),
                name: name.to_owned(),
                nodes: vec![node.name().to_owned()],
                state: if mapped.contains(name) { CredentialState::Satisfied } else { CredentialState::Missing },
                scopes: scopes.into_iter().take(64).collect(),
                ..RequiredCredential::default()
            });
        }
    }
    all
}
