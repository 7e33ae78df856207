//! Checks of connections against the ports of their nodes.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::node::Known;
use crate::catalog::{Port, Ports};
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, Quoted, Severity, is_full, quoted};
use crate::document::json_path::{self, JsonPath};
use crate::text::similar;

const MAIN: &str = "main";
/// Maximum number of kinds of ports that a message lists.
const MAX_LISTED: usize = 12;

/// Kinds of connections that n8n knows. Source: `NodeConnectionTypes` of n8n-workflow.
const KINDS: &[&str] = &[
    MAIN,
    "ai_agent",
    "ai_chain",
    "ai_document",
    "ai_embedding",
    "ai_languageModel",
    "ai_memory",
    "ai_outputParser",
    "ai_reranker",
    "ai_retriever",
    "ai_textSplitter",
    "ai_tool",
    "ai_vectorStore",
];

/// A node and its ports; ports that are only known at run time are `None`.
struct End<'a> {
    known: &'a Known<'a>,
    inputs: Option<Cow<'a, [Port]>>,
    outputs: Option<Cow<'a, [Port]>>,
}

/// A connection, as it is written.
struct Edge<'a> {
    source: &'a str,
    target: &'a str,
    kind: &'a str,
    output: usize,
    input: usize,
    /// Position among the connections of the output.
    position: usize,
}

impl Edge<'_> {
    /// Returns the path, which only findings need.
    fn at(&self) -> String {
        let connections = JsonPath::Root("connections");
        let (source, kind) = (JsonPath::Key(&connections, self.source), self.kind);
        JsonPath::Index(&JsonPath::Index(&JsonPath::Key(&source, kind), self.output), self.position).written()
    }
}

pub(super) fn check(definition: &Definition, nodes: &[Option<Known<'_>>], findings: &mut Vec<Finding>) {
    let mut ends: HashMap<&str, Option<End<'_>>> = HashMap::with_capacity(nodes.len());
    let mut first = Vec::with_capacity(nodes.len());
    for (node, known) in definition.nodes.iter().zip(nodes) {
        let end = || known.as_ref().map(|known| End { known, inputs: known.inputs(), outputs: known.outputs() });
        if let Entry::Vacant(entry) = ends.entry(node.name()) {
            entry.insert(end());
            first.push(node.name());
        }
    }
    let edges = edges(definition, findings);
    // Number of enabled nodes that are connected to each input, by target, kind and index.
    let mut arriving: HashMap<(&str, &str, usize), usize> = HashMap::new();
    let fed: HashSet<&str> = edges.iter().filter(|edge| edge.kind == MAIN).map(|edge| edge.target).collect();
    for edge in &edges {
        if is_full(findings) {
            return;
        }
        let (Some(source), Some(target)) = (ends.get(edge.source), ends.get(edge.target)) else { continue };
        let fine = match join(edge, source.as_ref(), target.as_ref(), &fed) {
            None => true,
            Some(finding) => {
                findings.push(finding);
                false
            }
        };
        let off = source.as_ref().is_some_and(|source| source.known.node.disabled());
        if fine && !off {
            *arriving.entry((edge.target, edge.kind, edge.input)).or_default() += 1;
        }
    }
    let used: HashSet<(&str, usize)> = edges.iter().filter(|edge| edge.kind == MAIN).map(|edge| (edge.source, edge.output)).collect();
    for (name, end) in first.into_iter().filter_map(|name| Some((name, ends.get(name)?.as_ref()?))) {
        takes(name, end, &arriving, findings);
        findings.extend(error_output(name, end, &used));
    }
}

/// Returns every well-formed connection; malformed ones are reported by [`crate::validator::structure`].
fn edges<'a>(definition: &'a Definition, findings: &mut Vec<Finding>) -> Vec<Edge<'a>> {
    let mut found = Vec::new();
    for (source, kinds) in &definition.connections {
        for (kind, outputs) in kinds.as_object().into_iter().flatten() {
            if is_full(findings) {
                return found;
            }
            if !KINDS.contains(&kind.as_str()) {
                let message = format!("there is no connection kind {}", quoted(kind));
                let meant = if kind.eq_ignore_ascii_case("onError") || kind == "error" {
                    Some(MAIN)
                } else {
                    similar::nearest(kind, KINDS.iter().copied())
                };
                let empty =
                    outputs.as_array().is_some_and(|outputs| outputs.iter().all(|bucket| bucket.as_array().is_none_or(Vec::is_empty)));
                let severity = if empty { Severity::Warning } else { Severity::Error };
                let at = json_path::key(&json_path::key("connections", source), kind);
                findings.push(Finding { severity, ..Finding::error(Code::ConnectionKind, at, message) }.at_node(source).suggest(meant));
                continue;
            }
            for (output, bucket) in outputs.as_array().into_iter().flatten().enumerate() {
                for (position, entry) in bucket.as_array().into_iter().flatten().enumerate() {
                    let text = |key: &str| entry.get(key).and_then(Value::as_str);
                    let (Some(target), Some(own), Some(input)) = (text("node"), text("type"), entry.get("index").and_then(Value::as_u64))
                    else {
                        continue;
                    };
                    let input = usize::try_from(input).unwrap_or(usize::MAX);
                    let edge = Edge { source, target, kind, output, input, position };
                    if own != kind {
                        let message = format!("the connection is of kind {} but listed under {}", quoted(own), quoted(kind));
                        // Items flow by the outer kind, and are looked up by the inner one: a sub-node is then never found.
                        let severity = if kind == MAIN { Severity::Warning } else { Severity::Error };
                        let finding = Finding::error(Code::ConnectionKind, json_path::key(&edge.at(), "type"), message);
                        findings.push(Finding { severity, ..finding }.at_node(source).suggest(Some(kind)));
                        continue;
                    }
                    found.push(edge);
                }
            }
        }
    }
    found
}

fn count(ports: &[Port], kind: &str) -> usize {
    ports.iter().filter(|port| port.kind == kind).count()
}

fn kinds(ports: &[Port]) -> String {
    let mut kinds: Vec<&str> = ports.iter().map(|port| port.kind.as_str()).collect();
    kinds.dedup();
    let more = if kinds.len() > MAX_LISTED { ", …" } else { "" };
    kinds.truncate(MAX_LISTED);
    if kinds.is_empty() { "nothing".to_owned() } else { format!("{}{more}", kinds.join(", ")) }
}

/// Reports whether items that arrive at a node that only provides a tool run it as a step of the flow: n8n does that, and passes on its
/// output (measured). Models, memories and the like fail instead.
fn is_step(end: &End<'_>) -> bool {
    end.outputs.as_ref().is_some_and(|ports| !ports.is_empty() && ports.iter().all(|port| port.kind == "ai_tool"))
}

/// Checks one connection; `fed` are the nodes to which items flow.
fn join(edge: &Edge<'_>, source: Option<&End<'_>>, target: Option<&End<'_>>, fed: &HashSet<&str>) -> Option<Finding> {
    let gives = |end: Option<&End<'_>>| end.and_then(|end| end.outputs.as_ref()).map(|ports| count(ports, edge.kind));
    let accepts = |end: Option<&End<'_>>| end.and_then(|end| end.inputs.as_ref()).map(|ports| count(ports, edge.kind));
    let (from, to) = (Quoted(edge.source), Quoted(edge.target));
    if let (Some(source), Some(given)) = (source, gives(source)) {
        if given == 0 {
            if edge.kind != MAIN && gives(target) != Some(0) && target.is_some() && accepts(Some(source)).is_some_and(|taken| taken > 0) {
                let message = format!("{from} takes {} from {to}, so the connection starts at {to}", edge.kind);
                return Some(source.known.error(Code::ConnectionReversed, edge.at(), message).suggest(Some(edge.target)));
            }
            let own = source.outputs.as_deref().map(kinds).unwrap_or_default();
            if edge.kind == MAIN && is_step(source) && fed.contains(edge.source) {
                let message = format!("{from} is a tool that runs as a step of the flow here; no agent can call it");
                return Some(source.known.warning(Code::ConnectionKind, edge.at(), message).mismatch(edge.kind, own));
            }
            let message =
                format!("{from} has no output of kind {}{}", edge.kind, setting(&source.known.facts().outputs, source, edge.kind));
            return Some(source.known.error(Code::ConnectionKind, edge.at(), message).mismatch(edge.kind, own));
        }
        let errors = usize::from(edge.kind == MAIN && source.known.node.text("onError") == Some("continueErrorOutput"));
        if edge.output >= given + errors {
            let mut message = format!("{from} has no output {} of kind {}", edge.output, edge.kind);
            if edge.kind == MAIN && edge.output == given {
                message.push_str("; an error output requires onError: continueErrorOutput");
            }
            let want = format!("0 to {}", given + errors - 1);
            return Some(source.known.error(Code::ConnectionOutput, edge.at(), message).mismatch(edge.output.to_string(), want));
        }
    }
    if let (Some(target), Some(taken)) = (target, accepts(target)) {
        if taken == 0 && edge.kind == MAIN && target.known.facts().starts() {
            // Whatever else starts the workflow, n8n passes the items of the connection through the trigger (measured).
            let message = format!("{to} starts workflows and has no input; items from {from} only pass through it");
            return Some(target.known.warning(Code::ConnectionInput, edge.at(), message));
        }
        if taken == 0 && edge.kind == MAIN && is_step(target) {
            let message = format!("{to} is a tool that runs as a step of the flow here; no agent can call it");
            return Some(target.known.warning(Code::ConnectionInput, edge.at(), message));
        }
        if taken == 0 && edge.kind == MAIN {
            let message = format!("{to} has no main input; {from} leads to it");
            return Some(target.known.error(Code::ConnectionInput, edge.at(), message));
        }
        if taken == 0 {
            let own = target.inputs.as_deref().map(kinds).unwrap_or_default();
            let finding = match target.known.facts().inputs.most(edge.kind) {
                0 => Finding::error(Code::ConnectionKind, edge.at(), format!("{to} takes no {}", edge.kind)),
                // A leftover of an option that is switched off, which n8n skips.
                _ => Finding::warning(
                    Code::ConnectionKind,
                    edge.at(),
                    format!(
                        "{to} takes no {} with these parameters{}",
                        edge.kind,
                        setting(&target.known.facts().inputs, target, edge.kind)
                    ),
                ),
            };
            return Some(finding.at_node(edge.source).mismatch(edge.kind, own));
        }
        if edge.input >= taken {
            let message = format!("{to} has no input {} of kind {}", edge.input, edge.kind);
            let (at, want) = (json_path::key(&edge.at(), "index"), format!("0 to {}", taken - 1));
            // Data on a main input that does not exist is lost; a second model is not needed while its option is off.
            let switched_off = edge.kind != MAIN && edge.input < target.known.facts().inputs.most(edge.kind);
            let finding = match switched_off {
                true => target.known.warning(Code::ConnectionInput, at, message),
                false => target.known.error(Code::ConnectionInput, at, message),
            };
            return Some(finding.mismatch(edge.input.to_string(), want));
        }
    }
    None
}

/// Describes the parameters with which there would be a port of a kind, as the end of a message.
fn setting(ports: &Ports, end: &End<'_>, kind: &str) -> String {
    let values = end.known.values.as_ref().ok();
    let wanted = values.and_then(|values| ports.wanted(kind, values, end.known.version())).unwrap_or_default();
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), quoted);
    let pairs: Vec<String> = wanted.iter().map(|(name, value)| format!("{name} to {}", shown(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("; it does if you set {}", pairs.join(" and ")) }
}

/// Reports an error output that leads nowhere: items that fail are lost, and the execution counts as a success.
fn error_output(name: &str, end: &End<'_>, used: &HashSet<(&str, usize)>) -> Option<Finding> {
    let node = end.known.node;
    if node.disabled() || node.text("onError") != Some("continueErrorOutput") {
        return None;
    }
    let errors = count(end.outputs.as_deref()?, MAIN);
    if errors == 0 || used.contains(&(name, errors)) {
        return None;
    }
    let message = format!(
        "failed items leave through output {errors} of {}, which is not connected: they are lost, and the execution counts as a success; connect it",
        quoted(name)
    );
    Some(end.known.warning(Code::ErrorOutputUnconnected, json_path::key(&end.known.at, "onError"), message))
}

/// Checks that each input has as many connections as the node requires.
fn takes(name: &str, end: &End<'_>, arriving: &HashMap<(&str, &str, usize), usize>, findings: &mut Vec<Finding>) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for port in end.inputs.as_deref().unwrap_or_default() {
        let place = places.entry(&port.kind).or_default();
        let connected = arriving.get(&(name, port.kind.as_str(), *place)).copied().unwrap_or_default();
        let label = || if port.label.is_empty() { port.kind.clone() } else { format!("{} ({})", port.label, port.kind) };
        if port.required && port.kind != MAIN && connected == 0 {
            let message = format!("no enabled node is connected to the input {}, which the node requires", label());
            findings.push(end.known.error(Code::SubNodeMissing, end.known.at.clone(), message));
        }
        if let Some(most) = port.most.filter(|most| connected > *most as usize) {
            let message = format!("too many nodes are connected to the input {}", label());
            findings.push(
                end.known
                    .error(Code::ConnectionsTooMany, end.known.at.clone(), message)
                    .mismatch(connected.to_string(), format!("at most {most}")),
            );
        }
        *place += 1;
    }
}
