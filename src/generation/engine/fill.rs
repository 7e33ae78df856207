//! The parameters of a plan, asked for in groups at the same time.

use serde_json::{Value, json};

use super::autofix::{even, even_node};
use super::calls::{Ask, Step};
use super::evaluation::{Context, Draft};
use super::fence::{fence, fenced};
use super::output::{Content, read_parameters};
use super::prompt::{redacted, rules};
use super::repair::named;
use super::signature::Detail;
use crate::generation::call::{Message, ModelCall, ModelReply, ModelTier, Role, Stage};
use crate::generation::extract::extract;

/// Nodes of a group.
const GROUP: usize = 6;
/// Maximum number of groups.
const MOST_GROUPS: usize = 8;
/// Maximum number of tokens of an answer.
const ROOM: u32 = 3_000;
/// Bytes of the signatures of a group.
const SIGNATURES: usize = 9_000;

/// Fills in the parameters of a plan. An answer that cannot be read leaves its nodes as they are: the repair asks for them.
pub(super) fn fill(
    context: &Context<'_>,
    draft: &mut Draft,
    ask: impl Fn(Vec<ModelCall>) -> Result<Vec<ModelReply>, Step>,
) -> Result<(), Step> {
    let fixes = even(&mut draft.workflow);
    draft.fixes.extend(fixes);
    let nodes: Vec<Value> = draft.workflow.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let bare: Vec<&Value> = nodes.iter().filter(|node| needs_parameters(node)).collect();
    let calls: Vec<ModelCall> = bare.chunks(GROUP).take(MOST_GROUPS).map(|group| group_call(context, &draft.workflow, group)).collect();
    for reply in ask(calls)? {
        let Ok(object) = extract(&reply.text) else { continue };
        for (id, given) in read_parameters(&object) {
            let own = draft.workflow.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten();
            let Some(node) = own.into_iter().find(|node| node.get("id").and_then(Value::as_str) == Some(&id)) else { continue };
            if let Some(node) = node.as_object_mut() {
                // Conditions of the plan stay: the edges were made for them.
                node.extend(given.into_iter().filter(|(key, _)| key == "set" || !node.contains_key(key)).collect::<Vec<_>>());
            }
            even_node(node, &mut draft.fixes);
        }
    }
    Ok(())
}

fn needs_parameters(node: &Value) -> bool {
    let kind = node.get("use").and_then(Value::as_str).unwrap_or_default();
    !["noOp", "manualTrigger", "errorTrigger"].contains(&kind)
}

fn group_call(context: &Context<'_>, plan: &Value, group: &[&Value]) -> ModelCall {
    let request = context.request;
    let text = |node: &&Value, key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ids: Vec<String> = group.iter().map(|node| text(node, "id")).collect();
    let mut signatures: Vec<String> = Vec::new();
    let mut left = SIGNATURES;
    for node in group {
        for operation in named(&text(node, "use"), request.catalog) {
            let Some(signature) = operation.signature(request.catalog, Detail::EXACT) else { continue };
            if signature.len() <= left && !signatures.contains(&signature) {
                left -= signature.len();
                signatures.push(signature);
            }
        }
    }
    let answers: Vec<String> = request.answers.iter().map(|(id, answer)| format!("{id}: {answer}")).collect();
    let task = json!({"nodes": [{"id": "n1", "set": {}, "when": null}]});
    let user = format!(
        "# Signatures\n\n{}\n\n# Plan\n\n{}\n\n{}{}\n\nWrite the parameters of the nodes {} of this plan, and of no others: {task}. Set only what differs from the default.",
        signatures.join("\n"),
        fence("plan", &redacted(plan).to_string()),
        if answers.is_empty() { String::new() } else { format!("{}\n\n", fenced("answers", &answers.join("\n"))) },
        fenced("request", request.prompt),
        ids.join(", "),
    );
    let messages = vec![Message { role: Role::System, text: rules(request, context.denied) }, Message { role: Role::User, text: user }];
    let ask = Ask { stage: Stage::Fill, tier: ModelTier::Complex, messages, content: Content::Parameters, room: ROOM, attempt: 1 };
    ask.call(request)
}
