//! Conditions that decide nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::generation::engine::graph::Flow;

pub(super) fn check(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    for (at, own, node) in flow.nodes() {
        let short = flow.short(at);
        if !["if", "filter", "switch"].contains(&short) {
            continue;
        }
        let path = json_path::index("nodes", at);
        let given = |key: &str| node.parameter(key).is_some_and(|value| value.as_object().is_none_or(|map| !map.is_empty()));
        let by_expression = own.set.get("mode").is_some_and(|mode| mode == "expression");
        if own.when.is_empty() && !given("conditions") && !given("rules") && !by_expression {
            let message = format!("{short} has no condition, so that everything goes one way; write `when`");
            findings.push(Finding::error(Code::ConditionMissing, json_path::key(&path, "when"), message).at_node(&own.name));
        }
        let mut targets: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for link in flow.after(at).filter(|link| link.main) {
            targets.entry(link.output).or_default().insert(link.to);
        }
        let mut different = targets.values();
        let first = different.next();
        if targets.len() > 1 && different.all(|other| Some(other) == first) {
            let message =
                format!("all outputs of {} lead to the same nodes, so that it decides nothing; lead each output to its own branch", own.id);
            findings.push(Finding::error(Code::BranchesJoined, "edges", message).at_node(&own.name));
        }
    }
}
