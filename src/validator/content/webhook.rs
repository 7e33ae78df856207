//! Webhooks and the nodes that respond to them.
//!
//! Source: n8n-nodes-base's `Webhook/utils.js` (`checkResponseModeConfiguration`) and `RespondToWebhook.node.js`.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::document::json_path;
use crate::document::node_types::{has_webhooks, is_trigger};
use crate::validator::content::graph::Graph;
use crate::validator::content::nodes::{nodes, parameter_path, unless_disabled};

const WEBHOOK: &str = "n8n-nodes-base.webhook";
const FORM: &str = "n8n-nodes-base.formTrigger";
const WAIT: &str = "n8n-nodes-base.wait";
const RESPOND: &str = "n8n-nodes-base.respondToWebhook";
/// Nodes that a Respond to Webhook node can respond to.
const ANSWERED: &[&str] = &[WEBHOOK, FORM, WAIT, "@n8n/n8n-nodes-langchain.chatTrigger"];

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    let answers = Answers::of(definition, graph);
    for (index, node) in nodes(definition) {
        let kind = node.kind();
        if is_trigger(kind) && has_webhooks(kind) && node.webhook_id().is_none() && !node.disabled() {
            let at = json_path::key(&json_path::index("nodes", index), "webhookId");
            let message =
                "the trigger has no webhookId, which is part of its URL in n8n; one is derived from the workflow and the node's name";
            findings.push(Finding::warning(Code::WebhookIdMissing, at, message).at_node(node.name()));
        }
        match kind {
            WEBHOOK => {
                check_path(index, node, findings);
                check_authentication(index, node, findings);
                answers.check(index, node, findings);
            }
            FORM => answers.check(index, node, findings),
            RESPOND => check_respond(&answers, index, node, findings),
            _ => {}
        }
    }
}

fn check_path(index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let missing = match node.parameter("path") {
        None | Some(Value::Null) => true,
        Some(value) => value.as_str().is_some_and(|path| path.trim().is_empty()),
    };
    if missing {
        // n8n then serves it under its webhookId alone (measured).
        let message = "the webhook has no path, so its URL is its webhookId; set a path";
        findings.push(Finding::warning(Code::WebhookPathMissing, parameter_path(index, &["path"]), message).at_node(node.name()));
    }
}

fn check_authentication(index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let open = node.parameter("authentication").is_none_or(|value| value == "none");
    if open && !node.disabled() {
        let message = "anybody who knows the URL can call this webhook; configure authentication";
        let at = parameter_path(index, &["authentication"]);
        findings.push(Finding::warning(Code::WebhookOpen, at, message).at_node(node.name()));
    }
}

/// Respond nodes of a workflow and the nodes from which they can be reached. Everything that is the same for all webhooks is computed once:
/// following the connections for each pair of webhook and Respond node would take hours in a workflow of thousands of nodes.
struct Answers<'a> {
    definition: &'a Definition,
    graph: &'a Graph<'a>,
    /// Nodes that lead to a Respond node.
    before: Vec<bool>,
    /// Nodes that follow a node that can be responded to.
    after: Vec<bool>,
    /// Wait nodes that are called themselves, and then wait for a Respond node.
    waits: Vec<usize>,
}

impl<'a> Answers<'a> {
    fn of(definition: &'a Definition, graph: &'a Graph<'a>) -> Self {
        let of_kind = |kinds: &'static [&str]| {
            nodes(definition).filter(move |(_, node)| kinds.contains(&node.kind())).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let waits = nodes(definition).filter(|(_, node)| {
            let text = |key| node.parameter(key).and_then(Value::as_str).unwrap_or_default();
            node.kind() == WAIT
                && !node.disabled()
                && matches!(text("resume"), "webhook" | "form")
                && text("responseMode") == "responseNode"
        });
        Self {
            definition,
            graph,
            before: graph.upstream(of_kind(&[RESPOND])),
            after: graph.downstream(of_kind(ANSWERED)),
            waits: waits.map(|(index, _)| index).collect(),
        }
    }

    /// Checks that a webhook that waits for a Respond node has one, and that a webhook that does not wait has none.
    fn check(&self, index: usize, node: &Node, findings: &mut Vec<Finding>) {
        let mode = node.parameter("responseMode").and_then(Value::as_str).unwrap_or("onReceived");
        if mode.starts_with('=') {
            return;
        }
        let at = parameter_path(index, &["responseMode"]);
        if mode == "responseNode" {
            if !self.before[index] {
                let message = "it waits for a Respond to Webhook node, and none follows; add one or set another responseMode";
                let finding = Finding::error(Code::RespondNodeMissing, at, message).at_node(node.name());
                // Older versions do not check for it: the caller gets an empty response when the workflow ends.
                let severity = if looks_for_answers(node) { unless_disabled(node) } else { Severity::Warning };
                findings.push(Finding { severity, ..finding });
            }
            return;
        }
        if node.kind() != WEBHOOK || mode == "streaming" || !self.before[index] {
            return;
        }
        if let Some(respond) = self.unused(index) {
            // The older version responds by itself and the Respond node does nothing.
            let severity = if looks_for_answers(node) && !respond.disabled() { unless_disabled(node) } else { Severity::Warning };
            let message = format!(
                "node {} responds, but the webhook does not wait for it; set its responseMode to responseNode",
                quoted(respond.name())
            );
            let finding = Finding::error(Code::RespondNodeUnused, at, message).at_node(node.name());
            findings.push(Finding { severity, ..finding }.mismatch(quoted(mode), r#""responseNode""#));
        }
    }

    /// Returns the first by name of the Respond nodes that follow, without those that respond to the call of a Wait node in between.
    fn unused(&self, webhook: usize) -> Option<&'a Node> {
        let follows = self.graph.downstream([webhook]);
        let owned = self.graph.downstream(self.waits.iter().copied().filter(|wait| follows[*wait]));
        let unused = |(index, node): &(usize, &Node)| node.kind() == RESPOND && follows[*index] && !owned[*index];
        nodes(self.definition).filter(unused).map(|(_, node)| node).min_by_key(|node| node.name())
    }
}

/// Reports whether this version of a webhook or form refuses to start if the response mode does not fit.
fn looks_for_answers(node: &Node) -> bool {
    node.type_version().is_some_and(|version| version >= 2.0)
}

fn check_respond(answers: &Answers<'_>, index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let graph = answers.graph;
    let runs = graph.incoming(index).iter().any(|edge| edge.main && edge.from != index);
    if !runs || answers.after[index] {
        return;
    }
    // Version 1 does not check for the webhook: it then responds to nobody.
    let strict = node.type_version().is_some_and(|version| version >= 1.1);
    let severity = if strict { graph.severity(index, node) } else { Severity::Warning };
    let at = json_path::key(&json_path::index("nodes", index), "type");
    let finding =
        Finding::error(Code::RespondWithoutWebhook, at, "no webhook precedes this node, so it has no caller to respond to; remove it");
    findings.push(Finding { severity, ..finding }.at_node(node.name()));
}
