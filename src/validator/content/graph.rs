//! The connections as a graph of node indices.

use std::collections::HashMap;

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::Severity;
use crate::document::node_types::is_trigger;

/// A connection between two nodes that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Index of the output of the source.
    pub(super) output: usize,
    /// True if items flow along it; otherwise it attaches a model, memory, tool or the like to an agent.
    pub(super) main: bool,
}

/// Graph of a definition. Connections that are malformed or lead nowhere are left out: the structure checks report them.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    names: HashMap<&'a str, usize>,
    outgoing: Vec<Vec<Edge>>,
    incoming: Vec<Vec<Edge>>,
    /// True for each node that is wired as a tool.
    tools: Vec<bool>,
    /// True for each node that a trigger leads to. A disabled trigger still counts, since it shows what is intended to run; without any trigger
    /// every node counts.
    runs: Vec<bool>,
}

impl<'a> Graph<'a> {
    pub(super) fn of(definition: &'a Definition) -> Self {
        let count = definition.nodes.len();
        let mut graph = Self {
            names: HashMap::with_capacity(count),
            outgoing: vec![Vec::new(); count],
            incoming: vec![Vec::new(); count],
            tools: vec![false; count],
            runs: vec![true; count],
        };
        for (index, node) in definition.nodes.iter().enumerate() {
            graph.names.entry(node.name()).or_insert(index);
        }
        for (source, types) in &definition.connections {
            let Some(from) = graph.index(source) else { continue };
            for (kind, outputs) in types.as_object().into_iter().flatten() {
                let outputs = outputs.as_array().map(Vec::as_slice).unwrap_or_default();
                for (output, entry) in outputs.iter().enumerate().flat_map(|(output, bucket)| entries(output, bucket)) {
                    let Some(to) = entry.get("node").and_then(Value::as_str).and_then(|name| graph.index(name)) else { continue };
                    graph.tools[from] |= kind == "ai_tool";
                    let edge = Edge { from, to, output, main: kind == "main" };
                    graph.outgoing[from].push(edge);
                    graph.incoming[to].push(edge);
                }
            }
        }
        let triggers: Vec<usize> = (0..count).filter(|index| is_trigger(definition.nodes[*index].kind())).collect();
        if !triggers.is_empty() {
            graph.runs = graph.reached(triggers);
        }
        graph
    }

    /// Reports whether a trigger leads to the node.
    pub(super) fn runs(&self, node: usize) -> bool {
        self.runs.get(node).copied().unwrap_or(false)
    }

    /// Returns the severity of a problem that makes the node fail whenever it runs: n8n also accepts problems of a node that never runs.
    pub(super) fn severity(&self, index: usize, node: &Node) -> Severity {
        if node.disabled() || !self.runs(index) { Severity::Warning } else { Severity::Error }
    }

    /// Returns the first node of that name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Returns the names of the nodes.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.keys().copied()
    }

    pub(super) fn outgoing(&self, node: usize) -> &[Edge] {
        self.outgoing.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn incoming(&self, node: usize) -> &[Edge] {
        self.incoming.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn is_wired_as_tool(&self, node: usize) -> bool {
        self.tools.get(node).copied().unwrap_or(false)
    }

    /// Reports whether the node is attached to another as a model, tool or the like.
    pub(super) fn is_sub_node(&self, node: usize) -> bool {
        self.outgoing(node).iter().any(|edge| !edge.main)
    }

    /// Returns the nodes that run once `starts` run, including `starts`: items flow on, and a node runs together with its attached nodes.
    pub(super) fn reached(&self, starts: impl IntoIterator<Item = usize>) -> Vec<bool> {
        self.spread(starts, |graph, node, next| {
            next.extend(graph.outgoing(node).iter().filter(|edge| edge.main).map(|edge| edge.to));
            next.extend(graph.incoming(node).iter().filter(|edge| !edge.main).map(|edge| edge.from));
        })
    }

    /// Returns the nodes that items of `starts` flow to, including `starts`.
    pub(super) fn downstream(&self, starts: impl IntoIterator<Item = usize>) -> Vec<bool> {
        self.spread(starts, |graph, node, next| next.extend(graph.outgoing(node).iter().filter(|edge| edge.main).map(|edge| edge.to)))
    }

    /// Returns the nodes whose items arrive at `ends`, including `ends`.
    pub(super) fn upstream(&self, ends: impl IntoIterator<Item = usize>) -> Vec<bool> {
        self.spread(ends, |graph, node, next| next.extend(graph.incoming(node).iter().filter(|edge| edge.main).map(|edge| edge.from)))
    }

    /// Returns the nodes that may have run before `node`: those upstream of it and of the nodes that it is attached to, and their attached
    /// nodes.
    pub(super) fn before(&self, node: usize) -> Vec<bool> {
        self.spread([node], |graph, node, next| {
            next.extend(graph.incoming(node).iter().map(|edge| edge.from));
            next.extend(graph.outgoing(node).iter().filter(|edge| !edge.main).map(|edge| edge.to));
        })
    }

    fn spread(&self, starts: impl IntoIterator<Item = usize>, next: impl Fn(&Self, usize, &mut Vec<usize>)) -> Vec<bool> {
        let mut seen = vec![false; self.outgoing.len()];
        let mut open: Vec<usize> = starts.into_iter().collect();
        while let Some(node) = open.pop() {
            if let Some(mark) = seen.get_mut(node).filter(|mark| !**mark) {
                *mark = true;
                next(self, node, &mut open);
            }
        }
        seen
    }
}

fn entries(output: usize, bucket: &Value) -> impl Iterator<Item = (usize, &Value)> {
    bucket.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(move |entry| (output, entry))
}
