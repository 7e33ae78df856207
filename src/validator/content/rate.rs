//! Requests that a workflow sends with one credential, as far as the definition tells: by its schedules, its loops and the batches of its
//! HTTP requests. The number of items is only known at run time, so each node counts as one request for each start.
//!
//! Source: `SplitInBatchesV1` to `V3`, `Wait` and `HttpRequestV3` of n8n-nodes-base, as of n8n 2.39.10.

use std::time::Duration;

use serde_json::Value;

use super::graph::Graph;
use super::intervals::gaps;
use crate::api::duration::DurationText;
use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::text::listed;
use crate::validator::structure::too_large;

const LOOP: &str = "n8n-nodes-base.splitInBatches";
const WAIT: &str = "n8n-nodes-base.wait";
const HTTP_REQUEST: &str = "n8n-nodes-base.httpRequest";

/// Maximum number of nodes that a message names.
const MOST_NAMES: usize = 5;

/// Number of requests that a service allows with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'a> {
    /// Name of the N8nCredential, for messages.
    pub credential: &'a str,
    /// Number of requests.
    pub requests: u64,
    /// Time in which they are allowed.
    pub per: Duration,
}

impl Limit<'_> {
    fn seconds(&self) -> u64 {
        self.per.as_secs().max(1)
    }
}

impl std::fmt::Display for Limit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "N8nCredential {} allows {} in {}", quoted(self.credential), self.requests, DurationText::from_secs(self.seconds()))
    }
}

/// Requests that one trigger causes by time alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Index of the trigger.
    pub trigger: usize,
    /// Greatest number of starts in the time.
    pub starts: u64,
    /// Number of nodes that use the credential and that the trigger leads to.
    pub nodes: u64,
}

impl Load {
    /// Returns the number of requests, if each node sends one at each start.
    pub fn requests(&self) -> u64 {
        self.starts.saturating_mul(self.nodes)
    }
}

/// Returns the requests that each schedule or poll of a definition causes within a time, with the credential that `uses` selects by its type
/// and entry. A trigger whose interval is computed causes none that are known.
pub fn loads(definition: &Definition, per: Duration, uses: &dyn Fn(&str, &Value) -> bool) -> Vec<Load> {
    if too_large(definition).is_some() {
        return Vec::new();
    }
    of_triggers(definition, &Graph::of(definition), per.as_secs().max(1), &users(definition, uses))
}

/// Returns warnings about schedules, loops and batches that send more requests with a credential than its service allows. `uses` selects the
/// credential by its type and entry.
pub fn check(definition: &Definition, limit: &Limit<'_>, uses: &dyn Fn(&str, &Value) -> bool) -> Vec<Finding> {
    if too_large(definition).is_some() {
        return Vec::new();
    }
    let users = users(definition, uses);
    if users.is_empty() {
        return Vec::new();
    }
    let graph = Graph::of(definition);
    let mut findings = Vec::new();
    for load in of_triggers(definition, &graph, limit.seconds(), &users).iter().filter(|load| load.requests() > limit.requests) {
        let message = format!(
            "it starts up to {} times in {}, and {} of the nodes that it leads to use the credential: {} x {} = {} requests if each sends one; \
             {limit}; start less often",
            load.starts,
            DurationText::from_secs(limit.seconds()),
            load.nodes,
            load.starts,
            load.nodes,
            load.requests()
        );
        findings.push(warning(definition, load.trigger, "", message));
    }
    for (index, node) in enabled(definition).filter(|(_, node)| node.kind() == LOOP) {
        findings.extend(of_loop(definition, &graph, (index, node), limit, &users));
    }
    findings.extend(users.iter().filter_map(|index| of_batching(definition, *index, limit)));
    findings
}

/// Returns the indices of the enabled nodes that use the credential.
fn users(definition: &Definition, uses: &dyn Fn(&str, &Value) -> bool) -> Vec<usize> {
    let used = |node: &Node| node.credentials().into_iter().flatten().any(|(kind, entry)| uses(kind, entry));
    enabled(definition).filter(|(_, node)| used(node)).map(|(index, _)| index).collect()
}

fn enabled(definition: &Definition) -> impl Iterator<Item = (usize, &Node)> {
    definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled())
}

fn of_triggers(definition: &Definition, graph: &Graph<'_>, seconds: u64, users: &[usize]) -> Vec<Load> {
    let load = |(trigger, node): (usize, &Node)| {
        let starts: u64 = gaps(node).iter().filter_map(|(_, gap)| gap.most_starts(seconds)).sum();
        let runs = graph.reached([trigger]);
        let nodes = users.iter().filter(|index| runs.get(**index) == Some(&true)).count() as u64;
        (starts > 0 && nodes > 0).then_some(Load { trigger, starts, nodes })
    };
    enabled(definition).filter_map(load).collect()
}

/// Checks a Loop Over Items node. Its body sends a request for each item of a batch; only a Wait node in it limits how often.
fn of_loop(
    definition: &Definition,
    graph: &Graph<'_>,
    (index, node): (usize, &Node),
    limit: &Limit<'_>,
    users: &[usize],
) -> Option<Finding> {
    let newest = node.type_version().is_none_or(|version| version >= 3.0);
    let size = match node.parameter("batchSize") {
        None | Some(Value::Null) => {
            if newest {
                1
            } else {
                10
            }
        }
        Some(value) => value.as_u64()?.max(1),
    };
    let output = usize::from(newest);
    let starts = graph.outgoing(index).iter().filter(|edge| edge.main && edge.output == output).map(|edge| edge.to);
    let (after, before) = (graph.downstream(starts), graph.upstream([index]));
    let flows = |at: usize| at != index && after.get(at) == Some(&true) && before.get(at) == Some(&true);
    // Attached nodes run with their node of the body.
    let attached = |at: usize| graph.outgoing(at).iter().any(|edge| !edge.main && flows(edge.to));
    let inside: Vec<usize> = users.iter().copied().filter(|at| flows(*at) || attached(*at)).collect();
    let names: Vec<String> = inside.iter().map(|at| quoted(definition.nodes[*at].name()).to_string()).collect();
    let batch = size.saturating_mul(inside.len() as u64);
    let waits: u64 = enabled(definition).filter(|(at, _)| flows(*at)).filter_map(|(_, node)| waited(node)).sum();
    let rounds = if waits == 0 { 1 } else { limit.seconds().div_ceil(waits) };
    let requests = batch.saturating_mul(rounds);
    if inside.is_empty() || requests <= limit.requests {
        return None;
    }
    let pace = match waits {
        0 => {
            format!("sent at once, and nothing in the loop waits before the next {batch}; use smaller batches, and a Wait node in the loop")
        }
        _ => format!(
            "and the loop waits {} after each batch: {batch} x {rounds} = {requests} requests in {}; use smaller batches or wait longer",
            DurationText::from_secs(waits),
            DurationText::from_secs(limit.seconds())
        ),
    };
    let message = format!(
        "each batch of {size} items is {size} x {} = {batch} requests of {}, {pace}; {limit}",
        inside.len(),
        listed(&names, MOST_NAMES)
    );
    Some(warning(definition, index, "batchSize", message))
}

/// Returns the time in seconds that a Wait node waits, if that is written in it.
fn waited(node: &Node) -> Option<u64> {
    let text = |key: &str| node.parameter(key).and_then(Value::as_str);
    if node.kind() != WAIT || text("resume").is_some_and(|resume| resume != "timeInterval") {
        return None;
    }
    let first = node.type_version() == Some(1.0);
    let amount = node.parameter("amount").map_or(Some(if first { 1.0 } else { 5.0 }), Value::as_f64)?;
    let unit = match text("unit").unwrap_or(if first { "hours" } else { "seconds" }) {
        "seconds" => 1.0,
        "minutes" => 60.0,
        "hours" => 3_600.0,
        "days" => 86_400.0,
        _ => return None,
    };
    // Less than a second is no pause that counts; the conversion saturates.
    Some((amount * unit) as u64)
}

/// Checks the batching of an HTTP Request node, by which its author limits it.
fn of_batching(definition: &Definition, index: usize, limit: &Limit<'_>) -> Option<Finding> {
    let node = definition.nodes.get(index).filter(|node| node.kind() == HTTP_REQUEST)?;
    let batch = node.parameter("options")?.get("batching")?.get("batch")?;
    let number = |key: &str, default: u64| match batch.get(key) {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_u64(),
    };
    // -1 disables batching; so does an interval of 0.
    let (size, interval) = (number("batchSize", 50)?.max(1), number("batchInterval", 1_000)?);
    if interval == 0 {
        return None;
    }
    let rounds = limit.seconds().saturating_mul(1_000).div_ceil(interval);
    let requests = size.saturating_mul(rounds);
    let message = format!(
        "batches of {size} items every {interval} ms are {size} x {rounds} = {requests} requests in {}, if there are as many items; {limit}; use smaller \
         batches or a longer interval",
        DurationText::from_secs(limit.seconds())
    );
    (requests > limit.requests).then(|| warning(definition, index, "options.batching", message))
}

fn warning(definition: &Definition, index: usize, parameter: &str, message: String) -> Finding {
    let node = json_path::index("nodes", index);
    let at = if parameter.is_empty() { node } else { format!("{node}.parameters.{parameter}") };
    let name = definition.nodes.get(index).map(Node::name).unwrap_or_default();
    Finding::warning(Code::RateLimitExceeded, at, message).at_node(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, kind: &str, version: f64, parameters: Value, credential: bool) -> Value {
        let mut node = json!({ "name": name, "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "parameters": parameters });
        if credential {
            node["credentials"] = json!({ "httpHeaderAuth": { "name": "crm" } });
        }
        node
    }

    /// A chain of nodes; the last one leads back to the node at `back`, if any, by the output of batches.
    fn definition(nodes: Vec<Value>, connections: Value) -> Definition {
        crate::validator::check::parse_and_check(&json!({ "nodes": nodes, "connections": connections, "settings": {} })).unwrap().definition
    }

    fn to(names: &[&str]) -> Value {
        json!(names.iter().map(|name| json!({ "node": name, "type": "main", "index": 0 })).collect::<Vec<_>>())
    }

    fn found(definition: &Definition, requests: u64, seconds: u64) -> Vec<String> {
        let limit = Limit { credential: "crm", requests, per: Duration::from_secs(seconds) };
        check(definition, &limit, &|kind, entry| kind == "httpHeaderAuth" && entry["name"] == "crm")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_schedule_counts_each_node_that_it_leads_to() {
        let schedule = json!({ "rule": { "interval": [{ "field": "seconds", "secondsInterval": 10 }] } });
        let definition = definition(
            vec![
                node("T", "scheduleTrigger", 1.2, schedule, false),
                node("A", "httpRequest", 4.2, json!({ "url": "https://a.example" }), true),
                node("B", "httpRequest", 4.2, json!({ "url": "https://a.example" }), true),
                node("Other", "httpRequest", 4.2, json!({ "url": "https://a.example" }), false),
                node("Alone", "httpRequest", 4.2, json!({ "url": "https://a.example" }), true),
            ],
            json!({ "T": { "main": [to(&["A"])] }, "A": { "main": [to(&["B", "Other"])] } }),
        );
        assert_eq!(found(&definition, 12, 60), [""; 0]);
        assert_eq!(
            found(&definition, 11, 60),
            [
                r#"node "T": nodes[0]: it starts up to 6 times in 1m, and 2 of the nodes that it leads to use the credential: 6 x 2 = 12 requests if each sends one; N8nCredential "crm" allows 11 in 1m; start less often"#
            ]
        );
        assert_eq!(loads(&definition, Duration::from_secs(3600), &|_, _| true), [Load { trigger: 0, starts: 360, nodes: 2 }]);
        assert_eq!(loads(&definition, Duration::from_secs(60), &|_, _| false), []);
    }

    fn looped(size: Value, wait: Option<Value>) -> Definition {
        let mut nodes = vec![
            node("T", "manualTrigger", 1.0, json!({}), false),
            node("Loop", "splitInBatches", 3.0, json!({ "batchSize": size, "options": {} }), false),
            node("A", "httpRequest", 4.2, json!({ "url": "https://a.example" }), true),
            node("Done", "httpRequest", 4.2, json!({ "url": "https://a.example" }), true),
        ];
        let back = if wait.is_some() { "Wait" } else { "Loop" };
        let mut connections =
            json!({ "T": { "main": [to(&["Loop"])] }, "Loop": { "main": [to(&["Done"]), to(&["A"])] }, "A": { "main": [to(&[back])] } });
        if let Some(wait) = wait {
            nodes.push(node("Wait", "wait", 1.1, wait, false));
            connections["Wait"] = json!({ "main": [to(&["Loop"])] });
        }
        definition(nodes, connections)
    }

    #[test]
    fn a_loop_sends_a_batch_at_once_and_as_many_as_it_waits_for() {
        assert_eq!(found(&looped(json!(60), None), 60, 60), [""; 0]);
        let all = found(&looped(json!(100), None), 60, 60);
        assert!(all.len() == 1 && all[0].contains("each batch of 100 items is 100 x 1 = 100 requests of \"A\", sent at once"), "{all:?}");
        let slow = Some(json!({ "amount": 10, "unit": "seconds" }));
        assert_eq!(found(&looped(json!(10), slow.clone()), 60, 60), [""; 0]);
        let all = found(&looped(json!(11), slow), 60, 60);
        assert!(all.len() == 1 && all[0].contains("the loop waits 10s after each batch: 11 x 6 = 66 requests in 1m"), "{all:?}");
        assert_eq!(found(&looped(json!("={{ 7 }}"), None), 1, 60), [""; 0], "a computed size is not known");
        assert_eq!(found(&looped(json!(11), Some(json!({ "amount": 10, "unit": "minutes" }))), 60, 60), [""; 0]);
    }

    #[test]
    fn the_batching_of_http_requests_is_taken_as_the_rate_that_it_allows() {
        let batched = |batch: Value| {
            let parameters = json!({ "url": "https://a.example", "options": { "batching": { "batch": batch } } });
            definition(vec![node("A", "httpRequest", 4.2, parameters, true)], json!({}))
        };
        for (batch, wanted) in [
            (json!({ "batchSize": 1, "batchInterval": 1000 }), None),
            (json!({ "batchSize": 2, "batchInterval": 1000 }), Some("batches of 2 items every 1000 ms are 2 x 60 = 120 requests in 1m")),
            (json!({}), Some("batches of 50 items every 1000 ms are 50 x 60 = 3000 requests in 1m")),
            (json!({ "batchSize": -1 }), None),
            (json!({ "batchSize": 5, "batchInterval": 0 }), None),
        ] {
            let all = found(&batched(batch.clone()), 60, 60);
            assert_eq!(all.len(), usize::from(wanted.is_some()), "{batch} {all:?}");
            assert!(wanted.is_none_or(|wanted| all[0].contains(wanted)), "{all:?}");
        }
    }
}
