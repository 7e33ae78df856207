//! Webhooks and the nodes that answer them.
//!
//! Source: n8n-nodes-base's `Webhook/utils.js` (`checkResponseModeConfiguration`) and `RespondToWebhook.node.js`.

use serde_json::Value;

use crate::domain::definition::{Definition, Node};
use crate::domain::finding::{Code, Finding, Severity, quoted};
use crate::domain::node_types::{has_webhooks, is_trigger};
use crate::domain::path;
use crate::domain::validate::graph::Graph;
use crate::domain::validate::{nodes, parameter_path, unless_disabled};

const WEBHOOK: &str = "n8n-nodes-base.webhook";
const FORM: &str = "n8n-nodes-base.formTrigger";
const WAIT: &str = "n8n-nodes-base.wait";
const RESPOND: &str = "n8n-nodes-base.respondToWebhook";
/// What a Respond to Webhook node can answer.
const ANSWERED: &[&str] = &[WEBHOOK, FORM, WAIT, "@n8n/n8n-nodes-langchain.chatTrigger"];

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    for (index, node) in nodes(definition) {
        let kind = node.kind();
        if is_trigger(kind) && has_webhooks(kind) && node.webhook_id().is_none() && !node.disabled() {
            let at = path::key(&path::index("nodes", index), "webhookId");
            let message =
                "the trigger has no webhookId, which is part of its URL in n8n; one is derived from the workflow and the node's name";
            findings.push(Finding::warning(Code::WebhookIdMissing, at, message).at_node(node.name()));
        }
        match kind {
            WEBHOOK => {
                check_path(index, node, findings);
                check_authentication(index, node, findings);
                check_answer(definition, graph, index, node, findings);
            }
            FORM => check_answer(definition, graph, index, node, findings),
            RESPOND => check_respond(definition, graph, index, node, findings),
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
        let message = "the webhook has no path, so that its URL is its webhookId; give it one";
        findings.push(Finding::warning(Code::WebhookPathMissing, parameter_path(index, &["path"]), message).at_node(node.name()));
    }
}

fn check_authentication(index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let open = node.parameter("authentication").is_none_or(|value| value == "none");
    if open && !node.disabled() {
        let message = "anybody who knows the URL can call this webhook; set an authentication";
        let at = parameter_path(index, &["authentication"]);
        findings.push(Finding::warning(Code::WebhookOpen, at, message).at_node(node.name()));
    }
}

/// Whether a webhook that waits for a Respond node has one, and one that does not wait has none.
fn check_answer(definition: &Definition, graph: &Graph<'_>, index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let mode = node.parameter("responseMode").and_then(Value::as_str).unwrap_or("onReceived");
    if mode.starts_with('=') {
        return;
    }
    let downstream = graph.downstream([index]);
    let responds = || nodes(definition).filter(|(other, node)| *other != index && downstream[*other] && node.kind() == RESPOND);
    let at = parameter_path(index, &["responseMode"]);
    if mode == "responseNode" {
        if responds().next().is_none() {
            let message = "it waits for a Respond to Webhook node, and none follows; add one or respond in another way";
            let finding = Finding::error(Code::RespondNodeMissing, at, message).at_node(node.name());
            // The older versions do not look for it: the caller gets an empty answer when the workflow ends.
            let severity = if looks_for_answers(node) { unless_disabled(node) } else { Severity::Warning };
            findings.push(Finding { severity, ..finding });
        }
        return;
    }
    if node.kind() != WEBHOOK || mode == "streaming" {
        return;
    }
    let unused =
        responds().filter(|(other, _)| !is_owned_by_wait(definition, graph, *other, &downstream)).min_by_key(|(_, node)| node.name());
    if let Some((_, respond)) = unused {
        // The older version answers by itself and the Respond node does nothing.
        let severity = if looks_for_answers(node) && !respond.disabled() { unless_disabled(node) } else { Severity::Warning };
        let message =
            format!("node {} answers, but the webhook does not wait for it; set it to respond by that node", quoted(respond.name()));
        let finding = Finding::error(Code::RespondNodeUnused, at, message).at_node(node.name());
        findings.push(Finding { severity, ..finding }.mismatch(quoted(mode), r#""responseNode""#));
    }
}

/// Whether this version of a webhook or form refuses to start where the way to answer does not fit.
fn looks_for_answers(node: &Node) -> bool {
    node.type_version().is_some_and(|version| version >= 2.0)
}

fn is_owned_by_wait(definition: &Definition, graph: &Graph<'_>, respond: usize, downstream: &[bool]) -> bool {
    let upstream = graph.upstream(respond);
    nodes(definition).any(|(index, node)| {
        let text = |key| node.parameter(key).and_then(Value::as_str).unwrap_or_default();
        upstream[index]
            && downstream[index]
            && node.kind() == WAIT
            && !node.disabled()
            && matches!(text("resume"), "webhook" | "form")
            && text("responseMode") == "responseNode"
    })
}

fn check_respond(definition: &Definition, graph: &Graph<'_>, index: usize, node: &Node, findings: &mut Vec<Finding>) {
    let upstream = graph.upstream(index);
    let runs = graph.incoming(index).iter().any(|edge| edge.main && edge.from != index);
    let answers = nodes(definition).any(|(other, node)| upstream[other] && ANSWERED.contains(&node.kind()));
    if !runs || answers {
        return;
    }
    // Version 1 does not look for the webhook: it then answers nobody.
    let strict = node.type_version().is_some_and(|version| version >= 1.1);
    let severity = if strict { graph.severity(index, node) } else { Severity::Warning };
    let at = path::key(&path::index("nodes", index), "type");
    let finding = Finding::error(Code::RespondWithoutWebhook, at, "no webhook comes before it, so there is nobody to answer; remove it");
    findings.push(Finding { severity, ..finding }.at_node(node.name()));
}
