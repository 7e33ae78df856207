//! Requests of a prompt, and the nodes that fulfil them.

use super::super::clauses::is_event_word;
use super::super::reading::Item;
use super::super::trail::{Part, PartKind, Trail, values};
use super::super::words::Act;
use crate::generation::compact::CompactNode;

/// Kinds of nodes that do what a verb asks for, where more than an effect is needed.
const DOERS: &[(Act, &[&str])] = &[
    (Act::Translate, &["deepL", "googleTranslate", "lingvaNex", "chainLlm", "agent", "openAi"]),
    (Act::Summarize, &["chainLlm", "agent", "openAi", "aggregate", "@n8n"]),
    (Act::Write, &["chainLlm", "agent", "openAi", "@n8n"]),
    (Act::Classify, &["sentimentAnalysis", "chainLlm", "agent", "textClassifier"]),
    (Act::Extract, &["informationExtractor", "extractFromFile", "awsTextract", "mindee"]),
    (Act::Transcribe, &["@n8n/n8n-nodes-langchain.openAi", "openAi", "awsTranscribe"]),
    (Act::Draw, &["@n8n/n8n-nodes-langchain.openAi", "openAi"]),
    (Act::Filter, &["filter", "if"]),
    (Act::Sort, &["sort"]),
    (Act::Deduplicate, &["removeDuplicates"]),
    (Act::Wait, &["wait"]),
    (Act::Collect, &["aggregate"]),
    (Act::Convert, &["extractFromFile", "convertToFile", "xml", "markdown", "html", "chainLlm", "@n8n", "openAi", "compression"]),
    (Act::Stop, &["stopAndError"]),
];
/// Nodes that choose, shape or hold, and have no effect of their own.
const INNER: &[&str] = &["filter", "if", "switch", "set", "aggregate", "limit", "removeDuplicates", "sort", "wait", "convertToFile"];

/// Reports whether a node reads records.
pub(super) fn reads(node: &CompactNode) -> bool {
    node.name.starts_with("Get ") || node.name == "Read Feed"
}

/// Reports whether a node has an effect, or makes something.
pub(super) fn acts(node: &CompactNode) -> bool {
    !INNER.contains(&node.kind.as_str()) && !node.kind.ends_with("Trigger") && !reads(node)
}

/// Reports whether the nodes of a part do what one of its verbs asks for.
pub(super) fn is_done(trail: &Trail<'_>, part: &Part, item: &Item) -> bool {
    let Some(act) = item.act else { return false };
    let any = |test: &dyn Fn(&CompactNode) -> bool| trail.nodes(part).any(test);
    // A node that repeats another was taken out again.
    let repeated = part.nodes.iter().any(|id| !trail.flow.nodes.iter().any(|node| node.id == *id));
    let tests = trail.flow.nodes.iter().any(|node| !node.when.is_empty() || node.on_error.is_some());
    if part.kind == PartKind::Condition && tests || repeated {
        return true;
    }
    if part.starts() {
        return matches!(act, Act::Light | Act::Get | Act::Download)
            || is_event_word(&item.word)
            || arrives(part, item)
            || makes_start(part, item)
            || trail.is_tested(item)
            || any(&|node| values(node).contains(&item.word));
    }
    if let Some((_, kinds)) = DOERS.iter().find(|(own, _)| *own == act) {
        return any(&|node| kinds.iter().any(|kind| node.kind.starts_with(kind)));
    }
    match act {
        Act::Light => true,
        // The start of the workflow, and the records that are read for it, are there.
        Act::Get | Act::Download | Act::Call | Act::Process => true,
        Act::Delete => any(&|node| values(node).contains("delete") || node.kind.contains("delete")),
        // `whatever text I send it` tells what arrives.
        Act::Send if arrives(part, item) => true,
        Act::Send if any(&|node| node.kind == "httpRequest") => true,
        _ => any(&acts),
    }
}

/// Reports whether a verb tells what comes, rather than asking for a step: `whatever I send`, `suppliers send us orders`.
fn arrives(part: &Part, item: &Item) -> bool {
    let Some(at) = part.items.iter().position(|own| own.at == item.at) else { return false };
    let before = at.checked_sub(1).map(|before| &part.items[before]);
    let us = part.starts() && part.items.get(at + 1).is_some_and(|next| next.among("us me uns mir nous nos"));
    us || before.is_some_and(|before| before.among("i we you they people users customers someone somebody who"))
}

/// Reports whether a verb asks for what starts the workflow: `create an endpoint /hello`, `ask the user in a form`.
fn makes_start(part: &Part, item: &Item) -> bool {
    let at = part.items.iter().position(|own| own.at == item.at).unwrap_or_default();
    let is_start = |item: &Item| matches!(item.noun, Some("webhook" | "form" | "chat" | "bot" | "workflow"));
    let behind = part.items[at..].iter().take(8).any(is_start);
    let asks = item.among("ask asks asking frage fragt demande pide") && part.items.iter().any(is_start);
    // `a sign-up form`.
    let joined = part.items.get(at + 1).is_some_and(|next| next.joint == Some('-'));
    matches!(item.act, Some(Act::Create | Act::Upload)) && behind || asks || joined
}
