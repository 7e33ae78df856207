//! References of expressions and scripts: to other nodes, to n8n's variables, to an agent.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full, quoted};
use crate::document::javascript::{NodeReference, Script};
use crate::text::similar::{self, Shapes};
use crate::validator::content::graph::Graph;

/// Names that n8n defines in expressions.
///
/// Source: `workflow-data-proxy.js`, `extended-functions.js` of n8n-workflow and `get-additional-keys.js` of n8n-core; including those of
/// single features (pagination, routing, data tables).
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

/// Variables of other products that n8n calls something else.
const FOREIGN: &[&str] = &["bundle", "inputs", "nodes", "outputs", "previous", "steps", "trigger", "workflow"];
/// The same after `$node.`.
const FOREIGN_NODES: &[&str] = &["input", "last", "output", "prev", "previous"];

/// Maximum number of names for which a suggestion is made; each look-up goes over all nodes.
const MAX_SUGGESTIONS: usize = 50;

/// Checks references against one definition.
pub(super) struct References<'a> {
    definition: &'a Definition,
    graph: &'a Graph<'a>,
    /// Nodes that may have run before a node, by node; filled on demand.
    before: HashMap<usize, Vec<bool>>,
    /// Pairs of a node and the later node that it refers to, which have been reported.
    reported: HashSet<(usize, usize)>,
    shapes: OnceCell<Shapes<'a>>,
    suggested: usize,
}

impl<'a> References<'a> {
    pub(super) fn new(definition: &'a Definition, graph: &'a Graph<'a>) -> Self {
        Self { definition, graph, before: HashMap::new(), reported: HashSet::new(), shapes: OnceCell::new(), suggested: 0 }
    }

    /// Returns the severity of a problem that makes the node fail whenever it runs.
    pub(super) fn severity(&self, index: usize, node: &Node) -> Severity {
        self.graph.severity(index, node)
    }

    /// Checks the references of `scripts`, which together make up the parameter at the path that `at` returns.
    pub(super) fn check(&mut self, index: usize, node: &Node, at: &dyn Fn() -> String, scripts: &[Script], findings: &mut Vec<Finding>) {
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
                Finding { severity: self.severity(index, node), ..Finding::error(Code::FromAiOutsideTool, at(), message) }
                    .at_node(node.name()),
            );
        }
    }

    /// Reports names in expressions that n8n does not define.
    pub(super) fn check_names(node: &Node, at: &dyn Fn() -> String, scripts: &[Script], findings: &mut Vec<Finding>) {
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
            let message = format!("n8n defines no {} in expressions; use $json, $input or $('node name')", quoted(name));
            let finding = Finding::warning(Code::ExpressionNameUnknown, at(), message).at_node(node.name());
            findings.push(finding.suggest(similar::nearest(name, KNOWN.iter().copied())));
        }
    }

    fn unknown(&mut self, index: usize, node: &Node, at: &dyn Fn() -> String, reference: &NodeReference) -> Finding {
        let name = &reference.name;
        if reference.dotted && FOREIGN_NODES.contains(&name.as_str()) {
            let message = format!("n8n has no $node.{name}: $node takes the name of a node; use $json or $input for the preceding node");
            return Finding::warning(Code::ExpressionNameUnknown, at(), message);
        }
        let alike = self.shapes.get_or_init(|| Shapes::of(self.graph.names())).alike(name);
        let message = match alike {
            Some((_, how)) => format!("there is no node {}; {how}", quoted(name)),
            None => format!("there is no node {}; name one that exists", quoted(name)),
        };
        let severity = if reference.spared { Severity::Warning } else { self.severity(index, node) };
        let finding = Finding { severity, ..Finding::error(Code::ExpressionNodeUnknown, at(), message) };
        self.suggested += 1;
        let known = self.suggested <= MAX_SUGGESTIONS;
        let meant = alike.map(|(meant, _)| meant);
        finding.suggest(meant.or_else(|| known.then(|| similar::nearest(name, self.graph.names())).flatten()))
    }

    fn too_early(&mut self, index: usize, target: usize, at: &dyn Fn() -> String) -> Option<Finding> {
        let graph = self.graph;
        let before = self.before.entry(index).or_insert_with(|| graph.before(index));
        // A node that never runs is reported by another finding.
        if before.get(target).copied().unwrap_or(true) || !graph.runs(index) || !self.reported.insert((index, target)) {
            return None;
        }
        let name = self.definition.nodes.get(target).map(Node::name).unwrap_or_default();
        let message = format!("node {} is not upstream, so it may not have run yet; connect it or check isExecuted first", quoted(name));
        Some(Finding::warning(Code::ExpressionNodeNotBefore, at(), message))
    }

    /// Reports whether the node may be a tool: by its type, or by its connections. A node that is attached to another node in any way is
    /// given the benefit of the doubt.
    fn is_tool(&self, index: usize, node: &Node) -> bool {
        let name = node.kind().rsplit('.').next().unwrap_or_default();
        name.ends_with("Tool") || name.starts_with("tool") || self.graph.is_wired_as_tool(index) || self.graph.is_sub_node(index)
    }
}
