//! Invariants of each workflow that is right, whatever its pattern: the values and names of the prompt are in it, and its texts are whole.

use serde_json::Value;

use super::flow::{Flow, node_of, written};
use super::names;
use super::reading::Item;
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::{Act, act, is_among};
use crate::generation::compact::CompactNode;

/// Words with which no text ends.
const DANGLING: &str = "a an the and or with by via in on at to of for from as into mit per von und oder zu im am an auf fur der die das den le la les un une et ou de du des avec \
     par pour dans sur en el los las y o con por para del al";
/// Finds what does not hold of a workflow.
pub(super) fn broken(flow: &Flow<'_>, items: &[Item]) -> Option<Stuck> {
    time(items)
        .or_else(|| lost(flow, items))
        .or_else(|| dangling(flow))
        .or_else(|| repeated(flow))
        .or_else(|| idle(flow))
        .or_else(|| unused(flow))
}

/// Finds a time that no day has.
fn time(items: &[Item]) -> Option<Stuck> {
    let no_time = items.iter().find(|item| item.kind == Kind::NoTime)?;
    Some(Stuck::Unknown(format!("the time {}, which no day has", no_time.text)))
}

/// Finds a name of a place, a path, or JSON that no parameter has.
fn lost(flow: &Flow<'_>, items: &[Item]) -> Option<Stuck> {
    let has = |text: &str| flow.nodes.iter().any(|node| node.set.values().chain(cases(node)).any(|value| holds(value, text)));
    let lost_place = names::places(items).into_iter().find(|(place, name)| {
        // A channel is a value, which is looked for by itself; a team may be whom a message goes to.
        !matches!(*place, "channel" | "team") && !flow.placed.contains(name) && !has(name) && !has(name.rsplit('/').next().unwrap_or(name))
    });
    if let Some((place, name)) = lost_place {
        return Some(Stuck::Unknown(format!("the {place} {name}")));
    }
    if let Some(path) = names::path(items).filter(|path| !has(path)) {
        return Some(Stuck::Unknown(format!("the path /{path}")));
    }
    let json = items.iter().find(|item| item.kind == Kind::Json && !has(&item.text))?;
    Some(Stuck::Unknown(format!("the value {}", crate::text::one_line(&json.text, 60))))
}

/// Returns the values of a node's conditions.
fn cases(node: &CompactNode) -> impl Iterator<Item = &Value> {
    node.when.iter().flat_map(|case| case.of.iter().map(|one| &one.right))
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.to_lowercase().contains(&text.to_lowercase()),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(map) => map.values().any(|item| holds(item, text)),
        _ => false,
    }
}

/// Finds a text that stops in the middle.
fn dangling(flow: &Flow<'_>) -> Option<Stuck> {
    let texts = flow
        .nodes
        .iter()
        .flat_map(|node| node.set.iter().filter(|(key, _)| matches!(key.as_str(), "text" | "message" | "content" | "subject")));
    let ends = |text: &str| {
        let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
        text.contains(' ') && is_among(DANGLING, &last.to_lowercase())
    };
    let found = texts.filter_map(|(_, value)| value.as_str()).find(|text| ends(text))?;
    Some(Stuck::Unknown(format!("the text “{}”, which ends too early", crate::text::one_line(found, 60))))
}

/// Finds a node that only prepares something, and of which nothing makes use.
fn idle(flow: &Flow<'_>) -> Option<Stuck> {
    const PREPARES: &[&str] = &[
        "sentimentAnalysis",
        "chainLlm",
        "extractFromFile",
        "informationExtractor",
        "aggregate",
        "filter",
        "if",
        "limit",
        "removeDuplicates",
        "sort",
        "set",
        "convertToFile",
    ];
    let leads = |id: &str| flow.edges.iter().any(|edge| edge.split(['.', '>']).next() == Some(id));
    let chats = flow.nodes.first().is_some_and(|node| node.kind == "chatTrigger");
    let found = flow
        .nodes
        .iter()
        .find(|node| (PREPARES.contains(&node.kind.as_str()) || node.kind.ends_with("openAi.text.response")) && !leads(&node.id))?;
    (!chats).then(|| Stuck::Unknown(format!("what the outcome of “{}” is for", found.name)))
}

/// Finds a text that a node makes and that no other node has.
fn unused(flow: &Flow<'_>) -> Option<Stuck> {
    const MAKES: &[&str] = &["chainLlm", "deepL", "googleTranslate", "lingvaNex", "informationExtractor", "extractFromFile"];
    let text = |node: &CompactNode| node.kind != "extractFromFile" || node.set.get("operation").and_then(Value::as_str) == Some("pdf");
    let makes = |node: &CompactNode| {
        MAKES.iter().any(|kind| node.kind.starts_with(kind))
            || [".text.response", ".audio.transcribe"].iter().any(|end| node.kind.ends_with(end))
    };
    let read = |id: &str| {
        let code = format!("{id}.");
        flow.nodes.iter().any(|node| written(node).contains(&code))
    };
    // Rows of a file are the items themselves.
    let items = |node: &CompactNode| flow.data.node == node.id && flow.data.open.is_some();
    let found = flow.nodes.iter().find(|node| makes(node) && text(node) && !read(&node.id) && !items(node))?;
    let chats = flow.nodes.first().is_some_and(|node| node.kind == "chatTrigger");
    (!chats).then(|| Stuck::Unknown(format!("where the outcome of “{}” goes", found.name)))
}

/// Finds a node that does again what the node before it does: the prompt says one thing twice.
fn repeated(flow: &Flow<'_>) -> Option<Stuck> {
    const ONCE: &[Act] = &[Act::Summarize, Act::Translate, Act::Extract, Act::Transcribe];
    let asks = |node: &CompactNode| -> Vec<Act> {
        let text = serde_json::to_string(&node.set).unwrap_or_default();
        let instruction = text.split(". Answer with").next().unwrap_or_default().to_lowercase();
        instruction.split(|c: char| !c.is_alphabetic()).filter_map(act).filter(|act| ONCE.contains(act)).collect()
    };
    let is_model = |node: &CompactNode| node.kind == "chainLlm" || node.kind.ends_with("openAi.text.response");
    let twice = flow.nodes.iter().find(|own| {
        let Some(before) = flow.leading_to(&own.id).next().and_then(|from| flow.get(node_of(from))) else { return false };
        let again = is_model(before) && is_model(own) && asks(before).iter().any(|act| asks(own).contains(act));
        again || own.kind == "extractFromFile" && before.kind == own.kind
    })?;
    Some(Stuck::Unknown(format!("what seems to be said twice ({})", twice.name)))
}
