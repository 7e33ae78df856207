//! Nodes by id and name, and the ways between them.

use std::collections::{HashMap, VecDeque};

/// Node types that make one item of many: the items behind them no longer belong to single items before them.
const COLLECTORS: &[&str] = &["n8n-nodes-base.aggregate", "n8n-nodes-base.summarize"];

/// Nodes that are called over HTTP, and the keys of their output.
pub(super) const WEBHOOK: &str = "n8n-nodes-base.webhook";
pub(super) const WEBHOOK_KEYS: &[&str] = &["headers", "params", "query", "body", "webhookUrl", "executionMode"];

/// Nodes of a workflow, by index.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub ids: Vec<String>,
    pub names: Vec<String>,
    pub kinds: Vec<String>,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    next: Vec<Vec<usize>>,
}

impl Graph {
    pub(super) fn new(ids: Vec<String>, names: Vec<String>, kinds: Vec<String>) -> Self {
        let index = |texts: &[String]| texts.iter().enumerate().rev().map(|(at, text)| (text.clone(), at)).collect();
        Self { by_id: index(&ids), by_name: index(&names), next: vec![Vec::new(); ids.len()], ids, names, kinds }
    }

    pub(super) fn join(&mut self, from: usize, to: usize) {
        if let Some(next) = self.next.get_mut(from).filter(|next| !next.contains(&to)) {
            next.push(to);
        }
    }

    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn by_name(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Returns the code that reads the output of one node in another: of the item that belongs to the current one, or of the first item if
    /// all ways between the two lead through a node that collects items.
    pub(super) fn accessor(&self, from: usize, at: usize) -> &'static str {
        const ITEM: &str = ".item.json";
        if !self.kinds.iter().any(|kind| COLLECTORS.contains(&kind.as_str())) {
            return ITEM;
        }
        if !self.reaches(from, at, false) && self.reaches(from, at, true) { ".first().json" } else { ITEM }
    }

    fn reaches(&self, from: usize, to: usize, through_collectors: bool) -> bool {
        let mut seen = vec![false; self.ids.len()];
        let mut waiting = VecDeque::from([from]);
        while let Some(at) = waiting.pop_front() {
            if at != from && !through_collectors && COLLECTORS.contains(&self.kinds[at].as_str()) {
                continue;
            }
            for next in &self.next[at] {
                if *next == to {
                    return true;
                }
                if !std::mem::replace(&mut seen[*next], true) {
                    waiting.push_back(*next);
                }
            }
        }
        false
    }
}
