//! Data that is read from the wrong node: the answer of a service in the place of the item, a field of a request beside the body.

use serde_json::Value;

use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::generation::engine::graph::{Flow, each_text};

/// Operations that write or send; what they put out is the service's answer.
const WRITES: &[&str] = &[
    "post",
    "send",
    "create",
    "append",
    "appendOrUpdate",
    "insert",
    "update",
    "upsert",
    "delete",
    "reply",
    "upload",
    "add",
    "sendMessage",
    "sendAndWait",
    "addContact",
    "publish",
    "archive",
    "move",
    "deleteRows",
    "sendEmail",
];
/// Fields that the answers of services have, so that reading them is probably meant.
const OF_ANSWERS: &[&str] = &[
    "id",
    "ids",
    "ts",
    "url",
    "link",
    "weblink",
    "webviewlink",
    "htmllink",
    "messageid",
    "threadid",
    "success",
    "ok",
    "status",
    "statuscode",
    "error",
    "result",
    "data",
    "key",
];
/// Keys of a webhook's output.
const OF_WEBHOOK: &[&str] = &["headers", "params", "query", "body", "webhookUrl", "executionMode"];

pub(super) fn check(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    for (at, own, node) in flow.nodes() {
        let before: Vec<usize> = flow.before(at).map(|link| link.from).collect();
        let [source] = before[..] else { continue };
        let after_webhook = flow.short(source) == "webhook";
        let after_write = writes(flow, source);
        if !after_webhook && !after_write {
            continue;
        }
        let source = &flow.compact.nodes[source];
        let mut reported = false;
        let mut look = |path: &str, text: &str| {
            for key in keys_of_json(text) {
                if reported {
                    return;
                }
                let path = format!("{}.{path}", json_path::index("nodes", at));
                if after_webhook && !OF_WEBHOOK.contains(&key) {
                    reported = true;
                    let message = format!("{} is no field of a webhook's output; the fields of the request are below body", quoted(key));
                    let meant = format!("{{{{{}.body.{key}}}}}", source.id);
                    findings.push(Finding::warning(Code::WebhookFieldUnknown, path, message).at_node(&own.name).suggest(Some(meant)));
                } else if after_write && !OF_ANSWERS.contains(&key.to_lowercase().as_str()) {
                    reported = true;
                    let message = format!(
                        "$json is the answer of {} here; refer to the node that has {}, as {{{{id.{key}}}}}",
                        source.id,
                        quoted(key)
                    );
                    findings.push(Finding::warning(Code::AnswerAsData, path, message).at_node(&own.name));
                }
            }
        };
        for (key, value) in node.parameters().into_iter().flatten().filter(|(key, _)| !key.ends_with("Code")) {
            each_text(value, &json_path::key("set", key), &mut look);
        }
    }
}

fn writes(flow: &Flow<'_>, at: usize) -> bool {
    let Some(node) = flow.node(at) else { return false };
    let operation = node.parameter("operation").and_then(Value::as_str);
    let facts = flow.catalog.node(node.kind());
    let serving = facts.as_ref().and_then(|facts| facts.serving(node.type_version()));
    if serving.is_none_or(|facts| facts.credentials.is_empty() || facts.trigger || facts.polling) {
        return false;
    }
    // Without the parameter the operation is the default of its type.
    let default =
        serving.and_then(|facts| facts.parameters.iter().find(|own| own.name == "operation")).and_then(|own| own.default.as_str());
    let short = flow.short(at);
    operation.or(default).is_some_and(|operation| WRITES.contains(&operation)) || ["emailSend", "mailgun", "sendGrid"].contains(&short)
}

/// Returns the first keys of `$json.key` in the expressions of a text.
fn keys_of_json(text: &str) -> impl Iterator<Item = &str> {
    let expression = text.starts_with('=');
    text.split("$json.").skip(1).filter(move |_| expression).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}
