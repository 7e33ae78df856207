//! What expressions and scripts refer to: other nodes, values of n8n, an agent.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full, quoted};
use crate::document::javascript::{NodeReference, Script};
use crate::text::similar::{self, Shapes};
use crate::validator::content::graph::Graph;

/// Names that n8n gives to expressions.
///
/// Source: `workflow-data-proxy.js`, `extended-functions.js` of n8n-workflow and `get-additional-keys.js` of n8n-core;
/// those of single features (pagination, routing, data tables) included.
const KNOWN: &[&str] = &[
    "$",
    "$agentInfo",
    "$average",
    "$binary",
    "$credentials",
    "$data",
    "$env",
    "$evaluateExpression",
    "$evaluation",
    "$execution",
    "$executionId",
    "$fromAI",
    "$fromAi",
    "$fromai",
    "$getPairedItem",
    "$getWorkflowStaticData",
    "$if",
    "$ifEmpty",
    "$index",
    "$input",
    "$item",
    "$itemIndex",
    "$items",
    "$jmesPath",
    "$jmespath",
    "$json",
    "$max",
    "$min",
    "$mode",
    "$node",
    "$nodeId",
    "$nodeVersion",
    "$not",
    "$now",
    "$pageCount",
    "$parameter",
    "$parent",
    "$position",
    "$prevNode",
    "$rawParameter",
    "$request",
    "$response",
    "$responseItem",
    "$resumeWebhookUrl",
    "$runIndex",
    "$secrets",
    "$self",
    "$thisItem",
    "$thisItemIndex",
    "$thisRunIndex",
    "$today",
    "$tool",
    "$value",
    "$vars",
    "$version",
    "$webhookId",
    "$workflow",
];

/// Words by which other products call what n8n calls something else.
const FOREIGN: &[&str] = &["bundle", "inputs", "nodes", "outputs", "previous", "steps", "trigger", "workflow"];
/// The same after `$node.`.
const FOREIGN_NODES: &[&str] = &["input", "last", "output", "prev", "previous"];

/// How many names are looked up to say which was meant; each look-up goes over all nodes.
const MAX_SUGGESTIONS: usize = 50;

/// Checks references against one definition.
pub(super) struct References<'a> {
    definition: &'a Definition,
    graph: &'a Graph<'a>,
    /// By node, what may have run before it; filled as needed.
    before: HashMap<usize, Vec<bool>>,
    /// References that are too early and said to be: each node and the one it refers to once.
    told: HashSet<(usize, usize)>,
    shapes: OnceCell<Shapes<'a>>,
    suggested: usize,
}

impl<'a> References<'a> {
    pub(super) fn new(definition: &'a Definition, graph: &'a Graph<'a>) -> Self {
        Self { definition, graph, before: HashMap::new(), told: HashSet::new(), shapes: OnceCell::new(), suggested: 0 }
    }

    /// How bad it is when the node fails whenever it runs.
    pub(super) fn severity(&self, index: usize, node: &Node) -> Severity {
        self.graph.severity(index, node)
    }

    /// What is wrong with the references of `scripts`, which together make up the parameter at `at`.
    pub(super) fn check(&mut self, index: usize, node: &Node, at: &str, scripts: &[Script], findings: &mut Vec<Finding>) {
        let mut references: Vec<&NodeReference> = scripts.iter().flat_map(|script| &script.nodes).collect();
        references.sort();
        references.dedup_by(|a, b| a.name == b.name);
        let asked: HashSet<&str> = scripts.iter().flat_map(|script| &script.asked).map(String::as_str).collect();
        for reference in references {
            if is_full(findings) {
                return;
            }
            let finding = match self.graph.index(&reference.name) {
                None => Some(self.unknown(index, node, at, reference)),
                Some(_) if asked.contains(reference.name.as_str()) => None,
                Some(target) => self.too_early(index, target, at),
            };
            findings.extend(finding.map(|finding| finding.at_node(node.name())));
        }
        if scripts.iter().any(|script| script.from_ai) && !self.is_tool(index, node) {
            let message = "$fromAI only has a value in a tool of an agent; connect the node as a tool or use another expression";
            findings.push(
                Finding { severity: self.severity(index, node), ..Finding::error(Code::FromAiOutsideTool, at, message) }
                    .at_node(node.name()),
            );
        }
    }

    /// Names in expressions that n8n does not give them.
    pub(super) fn check_names(node: &Node, at: &str, scripts: &[Script], findings: &mut Vec<Finding>) {
        let mut free: Vec<&str> = scripts.iter().flat_map(|script| &script.free).map(String::as_str).collect();
        free.sort_unstable();
        free.dedup();
        for name in free {
            if is_full(findings) {
                return;
            }
            let foreign = FOREIGN.contains(&name);
            if !foreign && (!name.starts_with('$') || KNOWN.contains(&name)) {
                continue;
            }
            let message = format!("n8n gives expressions no {}; use $json, $input or $('node name')", quoted(name));
            let finding = Finding::warning(Code::ExpressionNameUnknown, at, message).at_node(node.name());
            findings.push(finding.suggest(similar::nearest(name, KNOWN.iter().copied())));
        }
    }

    fn unknown(&mut self, index: usize, node: &Node, at: &str, reference: &NodeReference) -> Finding {
        let name = &reference.name;
        if reference.dotted && FOREIGN_NODES.contains(&name.as_str()) {
            let message = format!("$node.{name} is not of n8n: $node takes the name of a node; use $json or $input for the node before");
            return Finding::warning(Code::ExpressionNameUnknown, at, message);
        }
        let alike = self.shapes.get_or_init(|| Shapes::of(self.graph.names())).alike(name);
        let message = match alike {
            Some((_, how)) => format!("there is no node {}; {how}", quoted(name)),
            None => format!("there is no node {}; name one that exists", quoted(name)),
        };
        let severity = if reference.spared { Severity::Warning } else { self.severity(index, node) };
        let finding = Finding { severity, ..Finding::error(Code::ExpressionNodeUnknown, at, message) };
        self.suggested += 1;
        let known = self.suggested <= MAX_SUGGESTIONS;
        let meant = alike.map(|(meant, _)| meant);
        finding.suggest(meant.or_else(|| known.then(|| similar::nearest(name, self.graph.names())).flatten()))
    }

    fn too_early(&mut self, index: usize, target: usize, at: &str) -> Option<Finding> {
        let graph = self.graph;
        let before = self.before.entry(index).or_insert_with(|| graph.before(index));
        // Of a node that never runs, that alone is said.
        if before.get(target).copied().unwrap_or(true) || !graph.runs(index) || !self.told.insert((index, target)) {
            return None;
        }
        let name = self.definition.nodes.get(target).map(Node::name).unwrap_or_default();
        let message = format!("node {} is not upstream, so it may not have run yet; connect it or ask isExecuted first", quoted(name));
        Some(Finding::warning(Code::ExpressionNodeNotBefore, at, message))
    }

    /// Whether the node may be a tool: by its type, or by how it is wired. What is attached to another node in any
    /// way gets the benefit of the doubt.
    fn is_tool(&self, index: usize, node: &Node) -> bool {
        let name = node.kind().rsplit('.').next().unwrap_or_default();
        name.ends_with("Tool") || name.starts_with("tool") || self.graph.is_wired_as_tool(index) || self.graph.is_sub_node(index)
    }
}
