//! Tests of the validator with arbitrary input: it never panics, its findings do not depend on order, and it ends soon. No stack is needed.
//! Times are processor time, which other work on the machine hardly changes.

// Tests unwrap and expect their preconditions; a panic is how a test fails.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod catalogue;
#[path = "../e2e/harness/dice.rs"]
mod dice;
mod extremes;
#[path = "../../benches/figures/made.rs"]
mod made;
mod mutate;
mod mutations;
mod seeds;
mod tenants;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::document::finding::{Code, Finding};
use weirkeeper::manifest::{Report, Source, validate};
use weirkeeper::validator::check::check;

/// Returns the processor time of this thread.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the reports of `weirkeeper validate` on a text.
fn reports(text: String) -> Vec<Report> {
    validate(&[Source { name: "-".into(), text: Ok(text), found: false }], Catalog::embedded())
}

/// Returns the findings about each node, independent of its position; sorted.
fn said(definition: &Definition) -> Vec<String> {
    // These codes depend on the order by their nature: they name the first of several nodes, or the second.
    let by_order = [Code::NodeIdDuplicate, Code::NodeTypeUncovered, Code::WebhookConflict];
    // Removes the index of a node from paths, including those in suggestions.
    let placeless = |path: &str| path.split_once(']').filter(|_| path.starts_with("nodes[")).map_or(path, |(_, rest)| rest).to_owned();
    let line = |finding: Finding| {
        let (path, suggestion) = (placeless(&finding.path), finding.suggestion.as_deref().map(placeless));
        let Finding { severity, code, node, message, got, want, .. } = &finding;
        format!("{severity} {code} {node:?} {path} {message} {got:?} {want:?} {suggestion:?}")
    };
    let findings = check(definition, Some(true), Catalog::embedded());
    let mut lines: Vec<String> = findings.into_iter().filter(|finding| !by_order.contains(&finding.code)).map(line).collect();
    lines.sort();
    lines
}

/// Asserts that the order of the nodes does not change the findings about them.
fn hold_in_any_order(mut definition: Definition) {
    // Nodes that share a name are distinguished by their order alone.
    let mut named: Vec<Node> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for node in definition.nodes {
        if !node.name().is_empty() && names.insert(node.name().to_owned()) {
            named.push(node);
        }
    }
    definition.nodes = named;
    let before = said(&definition);
    assert_eq!(before, said(&definition), "it says the same twice");
    definition.nodes.reverse();
    let after = said(&definition);
    let lost: Vec<&String> = before.iter().filter(|line| !after.contains(line)).take(3).collect();
    let new: Vec<&String> = after.iter().filter(|line| !before.contains(line)).take(3).collect();
    assert_eq!(before.len(), after.len(), "the order of the nodes matters: only before {lost:#?}, only after {new:#?}");
    assert!(lost.is_empty() && new.is_empty(), "the order of the nodes matters: only before {lost:#?}, only after {new:#?}");
}

/// Writes JSON with the keys of every object in reverse order.
fn reversed(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (at, (key, inner)) in map.iter().rev().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                reversed(inner, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, inner) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                reversed(inner, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}
