//! Cycles in the flow: endless ones, and Loop Over Items nodes with swapped or missing connections.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity};
use crate::document::json_path;
use crate::validator::content::graph::Graph;
use crate::validator::content::nodes::nodes;

const LOOP: &str = "n8n-nodes-base.splitInBatches";

/// Node types that have several outputs, so that items can leave a cycle.
const BRANCHING: &[&str] = &["compareDatasets", "filter", "if", "sentimentAnalysis", "splitInBatches", "switch", "textClassifier"];
/// Node types that stop the execution or wait for a person.
const PAUSING: &[&str] = &["chat", "form", "stopAndError", "wait"];
/// Node types that may output no item, which also ends a cycle.
const DRYING: &[&str] = &[
    "code",
    "dataTable",
    "executeCommand",
    "executeWorkflow",
    "function",
    "functionItem",
    "graphql",
    "httpRequest",
    "itemLists",
    "limit",
    "merge",
    "n8n",
    "removeDuplicates",
    "splitOut",
    "rssFeedRead",
    "aggregate",
    "summarize",
    "agent",
    "mySql",
    "postgres",
    "redis",
];
/// Operations that read, and so may find nothing.
const READING: &[&str] = &["executeQuery", "fetch", "find", "get", "list", "lookup", "query", "read", "search", "select"];

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    check_circles(definition, graph, findings);
    for (index, node) in nodes(definition).filter(|(_, node)| node.kind() == LOOP && !node.disabled()) {
        check_batches(graph, index, node, findings);
    }
}

/// Effect of a node on the end of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The node passes items on forever.
    Never,
    /// The type is unknown, or may output no item.
    Perhaps,
    /// Items can leave the cycle, or a person has to respond first.
    Surely,
}

fn end_at(graph: &Graph<'_>, index: usize, node: &Node) -> End {
    let text = |key| node.parameter(key).and_then(Value::as_str).unwrap_or_default();
    let ours = node.kind().strip_prefix("n8n-nodes-base.").or_else(|| node.kind().strip_prefix("@n8n/n8n-nodes-langchain."));
    let Some(name) = ours else { return End::Perhaps };
    let outputs = graph.outgoing(index).iter().filter(|edge| edge.main).map(|edge| edge.output).max().unwrap_or(0);
    let waits = PAUSING.contains(&name) && (name != "wait" || matches!(text("resume"), "webhook" | "form"));
    let continues = node.text("onError") == Some("continueErrorOutput");
    if BRANCHING.contains(&name) || waits || outputs > 0 || continues || text("operation") == "sendAndWait" {
        return End::Surely;
    }
    let reads = READING.iter().any(|verb| text("operation").starts_with(verb));
    // A cycle that waits for a time repeats like a schedule, and may be intended.
    if DRYING.contains(&name) || name == "wait" || reads { End::Perhaps } else { End::Never }
}

fn check_circles(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    for circle in circles(definition, graph) {
        let end = circle.iter().map(|index| end_at(graph, *index, &definition.nodes[*index])).max();
        let severity = match end {
            Some(End::Never) if circle.iter().any(|index| graph.runs(*index)) => Severity::Error,
            Some(End::Never) => Severity::Warning,
            Some(End::Perhaps) => Severity::Warning,
            Some(End::Surely) | None => continue,
        };
        // The author has to look at the edge that closes the cycle; of several nodes, take the last by name.
        let Some(&index) = circle.iter().max_by_key(|index| definition.nodes[**index].name()) else { continue };
        let node = &definition.nodes[index];
        let message = if circle.len() == 1 {
            "the node feeds itself in an endless cycle; insert an IF or a Loop Over Items node".to_owned()
        } else {
            let mut names: Vec<&str> = circle.iter().map(|index| definition.nodes[*index].name()).collect();
            names.sort_unstable();
            let names: Vec<String> = names.iter().take(5).map(|name| crate::document::finding::quoted(name)).collect();
            format!("these nodes form an endless cycle: {}; insert an IF or a Loop Over Items node", names.join(", "))
        };
        let at = json_path::key("connections", node.name());
        findings.push(Finding { severity, ..Finding::error(Code::LoopEndless, at, message) }.at_node(node.name()));
    }
}

/// Returns the sets of enabled nodes that can all reach each other (Tarjan's algorithm, without recursion).
fn circles(definition: &Definition, graph: &Graph<'_>) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let count = definition.nodes.len();
    let flows = |node: usize, position: usize| graph.outgoing(node).get(position).copied();
    let runs = |index: usize| !definition.nodes[index].disabled();
    let mut order = vec![NEW; count];
    let mut low = vec![NEW; count];
    let mut open = vec![false; count];
    let (mut stack, mut next, mut found) = (Vec::new(), 0, Vec::new());
    for start in (0..count).filter(|start| runs(*start)) {
        // Each call is a node and the index of its next edge.
        let mut calls = if order[start] == NEW { vec![(start, 0)] } else { Vec::new() };
        while let Some((node, position)) = calls.last_mut() {
            let node = *node;
            if order[node] == NEW {
                (order[node], low[node], open[node]) = (next, next, true);
                next += 1;
                stack.push(node);
            }
            if let Some(edge) = flows(node, *position) {
                *position += 1;
                if !edge.main || !runs(edge.to) {
                } else if order[edge.to] == NEW {
                    calls.push((edge.to, 0));
                } else if open[edge.to] {
                    low[node] = low[node].min(order[edge.to]);
                }
                continue;
            }
            calls.pop();
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[node]);
            }
            if low[node] == order[node] {
                let members = stack.split_off(stack.iter().rposition(|member| *member == node).unwrap_or(0));
                members.iter().for_each(|member| open[*member] = false);
                let feeds_itself = graph.outgoing(node).iter().any(|edge| edge.main && edge.to == node);
                if members.len() > 1 || feeds_itself {
                    found.push(members);
                }
            }
        }
    }
    found
}

/// Checks the output that carries the batches: the second since version 3, the first before.
fn check_batches(graph: &Graph<'_>, index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let (batches, done) = if node.type_version().is_none_or(|version| version >= 3.0) { (1, 0) } else { (0, 1) };
    let returns = |output: usize| {
        let starts = graph.outgoing(index).iter().filter(move |edge| edge.main && edge.output == output).map(|edge| edge.to);
        graph.downstream(starts)[index]
    };
    if returns(batches) {
        return;
    }
    let (code, message) = if returns(done) {
        (Code::LoopOutputsSwapped, "the body of the loop is connected to the output `done`; connect it to the output `loop`")
    } else {
        (
            Code::LoopNotClosed,
            "the output `loop` never leads back here, so only the first batch is processed; connect the end of the loop body to this node",
        )
    };
    let at = json_path::key("connections", node.name());
    findings.push(Finding::warning(code, at, message).at_node(node.name()));
}
