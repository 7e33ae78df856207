//! Effects that were asked for: each has a node that a trigger leads to, and happens as often as it should.

use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::generation::compact::Flag;
use crate::generation::engine::graph::Flow;
use crate::generation::engine::output::Effect;

/// Types whose nodes only change, order or route items. They have an effect only as the last node before an answer.
const INNER: &[&str] = &[
    "set",
    "if",
    "filter",
    "switch",
    "merge",
    "noOp",
    "aggregate",
    "splitOut",
    "splitInBatches",
    "sort",
    "limit",
    "removeDuplicates",
    "renameKeys",
    "summarize",
    "dateTime",
    "stickyNote",
    "compareDatasets",
    "markdown",
    "wait",
    "manualTrigger",
    "scheduleTrigger",
];
/// Types that make one item of several.
const COLLECTORS: &[&str] = &["aggregate", "summarize", "convertToFile", "code", "html", "limit"];
/// Types that put out one item for each run.
const SINGLE: &[&str] =
    &["webhook", "formTrigger", "chatTrigger", "manualTrigger", "scheduleTrigger", "set", "if", "switch", "filter", "noOp", "wait"];

pub(super) fn check(flow: &Flow<'_>, effects: &[Effect], findings: &mut Vec<Finding>) {
    let reached = flow.reached();
    for effect in effects {
        let Some(at) = flow.compact.nodes.iter().position(|node| node.id == effect.node || node.name == effect.node) else {
            let message = format!("the effect {} has no node: there is no node {}; add it", quoted(&effect.what), quoted(&effect.node));
            findings.push(Finding::error(Code::EffectMissing, "nodes", message));
            continue;
        };
        let node = &flow.compact.nodes[at];
        let path = json_path::index("nodes", at);
        if INNER.contains(&flow.short(at)) && !answers(flow) {
            let message = format!("{} only changes items and cannot {}; add a node that does", flow.short(at), quoted(&effect.what));
            findings.push(Finding::error(Code::EffectMissing, json_path::key(&path, "use"), message).at_node(&node.name));
        } else if !reached.contains(&at) {
            let message = format!("no trigger leads to the node that is to {}; connect it", quoted(&effect.what));
            findings.push(Finding::error(Code::EffectMissing, path, message).at_node(&node.name));
        } else if effect.once && is_repeated(flow, at) {
            let message =
                format!("{} is to happen once and would for each item; put an aggregate before it, or the flag once", quoted(&effect.what));
            findings.push(Finding::warning(Code::SentPerItem, path, message).at_node(&node.name));
        }
    }
    phantoms(flow, findings);
}

/// Reports whether the workflow answers its caller with the output of its last node.
fn answers(flow: &Flow<'_>) -> bool {
    flow.nodes().any(|(at, own, _)| {
        let mode = own.set.get("responseMode").and_then(serde_json::Value::as_str);
        match flow.short(at) {
            "webhook" | "formTrigger" => mode == Some("lastNode"),
            "chatTrigger" | "executeWorkflowTrigger" | "mcpTrigger" => true,
            _ => false,
        }
    })
}

/// Reports whether several items may reach a node: nothing between it and a source of items makes one of them.
pub(super) fn is_repeated(flow: &Flow<'_>, at: usize) -> bool {
    let once = |at: usize| flow.compact.nodes[at].flags.contains(&Flag::Once);
    if once(at) {
        return false;
    }
    // Walk back until a node collects; a source of items before that repeats.
    let mut waiting: Vec<usize> = flow.before(at).map(|link| link.from).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(next) = waiting.pop() {
        if !seen.insert(next) || COLLECTORS.contains(&flow.short(next)) || once(next) {
            continue;
        }
        // A finished loop outputs all its items at once; within the loop the author counts.
        if is_source(flow, next) {
            return true;
        }
        waiting.extend(flow.before(next).map(|link| link.from));
    }
    false
}

fn is_source(flow: &Flow<'_>, at: usize) -> bool {
    let short = flow.short(at);
    if SINGLE.contains(&short) {
        return false;
    }
    let parameter = |key: &str| flow.node(at).and_then(|node| node.parameter(key));
    if parameter("limit").and_then(serde_json::Value::as_u64) == Some(1)
        && parameter("returnAll").and_then(serde_json::Value::as_bool) != Some(true)
    {
        return false;
    }
    let operation = parameter("operation").and_then(serde_json::Value::as_str).unwrap_or_default();
    let many = |operation: &str| ["getAll", "getMany", "list", "search", "read"].iter().any(|word| operation.starts_with(word));
    many(operation) || ["splitOut", "rssFeedRead", "itemLists"].contains(&short)
}

/// Reports nodes that put out an empty item to go on without data, which then counts as a row.
fn phantoms(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    let has = |at: usize, flag| flow.compact.nodes[at].flags.contains(&flag);
    for (at, own, _) in flow.nodes().filter(|(at, _, _)| has(*at, Flag::Always)) {
        // A node that runs once in any case reads no item for each row.
        let decides = |to: usize| ["if", "filter", "switch", "code", "aggregate"].contains(&flow.short(to)) || has(to, Flag::Once);
        let decided = flow.after(at).filter(|link| link.main).all(|link| decides(link.to));
        if !decided {
            let message = "with the flag always an empty item goes on as if it were data; leave the flag out, or let an if follow";
            let path = json_path::key(&json_path::index("nodes", at), "flags");
            findings.push(Finding::warning(Code::SentPerItem, path, message).at_node(&own.name));
        }
    }
}
