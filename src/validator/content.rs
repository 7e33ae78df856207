//! Checks that do not depend on node types: expressions, scripts, schedules, webhooks, the flow from the triggers, literal secrets. The
//! catalogue only tells how n8n reads a text.
//!
//! An error is something that n8n refuses or that fails whenever it runs; anything that may be intended is a warning. Source: n8n 2.39.10;
//! each module names the part that it follows.

mod bare;
mod callee;
pub(in crate::validator) mod cron;
mod expression;
mod flow;
mod graph;
mod habits;
pub(in crate::validator) mod intervals;
mod loops;
mod moustache;
mod nodes;
mod numbers;
pub mod rate;
mod reference;
mod schedule;
mod script;
pub mod secret;
mod start;
mod strings;
mod time_zone;
mod webhook;

use crate::document::definition::Definition;
use crate::document::endpoints;
use crate::document::finding::Finding;
use crate::document::odd_paths::odd_paths;
use crate::validator::schema::Resolved;
use crate::validator::structure::too_large;
use graph::Graph;

/// Returns why n8n cannot schedule a cron expression, if it cannot.
pub fn cron_error(expression: &str) -> Option<String> {
    cron::parse(expression).err()
}

/// Returns the kind of secret that a text contains, if it has the shape of one.
pub fn secret_kind(text: &str) -> Option<&'static str> {
    secret::kind(text)
}

/// Returns the findings about the content of a definition, in the order of its nodes.
///
/// `active` says whether the workflow is to be published; if not, a missing trigger is no error. A definition that is too large is reported
/// by [`crate::validator::structure`].
pub fn check_content(definition: &Definition, active: Option<bool>) -> Vec<Finding> {
    check_content_of(definition, active, &Resolved::unknown())
}

/// Does the same as [`check_content`], with the parameter that each text belongs to.
pub fn check_content_of(definition: &Definition, active: Option<bool>, resolved: &Resolved<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if too_large(definition).is_some() {
        return findings;
    }
    let graph = Graph::of(definition);
    let to_publish = active == Some(true);
    start::check(definition, to_publish, &mut findings);
    schedule::check(definition, &mut findings);
    webhook::check(definition, &graph, &mut findings);
    findings.extend(endpoints::endpoint_conflicts(definition));
    findings.extend(odd_paths(definition));
    flow::check(definition, &graph, &mut findings);
    loops::check(definition, &graph, &mut findings);
    script::check(definition, &graph, resolved, &mut findings);
    secret::check(definition, &mut findings);
    habits::check(definition, &mut findings);
    numbers::check(definition, &mut findings);
    callee::check(definition, &mut findings);
    time_zone::check(definition, &mut findings);
    findings.sort_by(|a, b| place(&a.path).cmp(&place(&b.path)).then_with(|| a.code.cmp(&b.code)));
    findings
}

/// Sorts nodes in their order, then the rest of the document.
fn place(path: &str) -> (usize, &str) {
    let index = path.strip_prefix("nodes[").and_then(|rest| rest.split_once(']')).and_then(|(index, _)| index.parse().ok());
    (index.unwrap_or(usize::MAX), path)
}

#[cfg(test)]
mod tests;
