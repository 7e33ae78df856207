//! The catalogue as a model reads it: each node type that may be used, with its resources, in an order that never changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::denied::Denied;
use super::signature::{Detail, Operation, operations, short};
use crate::catalog::{Catalog, NodeEntry, Ports};
use crate::document::node_types::STICKY_NOTE;

/// Operations that many workflows need and whose signatures are always told.
const CORE: &[&str] = &[
    "n8n-nodes-base.webhook",
    "n8n-nodes-base.respondToWebhook",
    "n8n-nodes-base.httpRequest",
    "n8n-nodes-base.merge",
    "n8n-nodes-base.aggregate",
    "n8n-nodes-base.wait",
    "n8n-nodes-base.sort",
    "n8n-nodes-base.limit",
    "n8n-nodes-base.dateTime",
    "n8n-nodes-base.html",
    "n8n-nodes-base.xml",
    "n8n-nodes-base.extractFromFile",
    "n8n-nodes-base.convertToFile",
    "n8n-nodes-base.emailSend",
    "n8n-nodes-base.dataTable",
    "@n8n/n8n-nodes-langchain.chatTrigger",
    "@n8n/n8n-nodes-langchain.lmChatOpenAi",
    "@n8n/n8n-nodes-langchain.textClassifier",
];
/// Maximum number of operations of a type without resources that are listed.
const MOST_OPERATIONS: usize = 9;

/// Types with which n8n is tested or taught. Workflows have no use for them.
const OF_TESTS: &[&str] =
    &["e2eTest", "e2eTestPollingTrigger", "debugHelper", "n8nTrainingCustomerDatastore", "n8nTrainingCustomerMessenger"];

/// Headings, in the order of the text, with the kind of output of the types below them.
const HEADINGS: &[(&str, &str)] = &[
    ("triggers", "Triggers"),
    ("main", "Actions"),
    ("ai_languageModel", "Language models (sub-nodes)"),
    ("ai_memory", "Memories (sub-nodes)"),
    ("ai_tool", "Tools of agents (sub-nodes)"),
    ("ai_embedding", "Embeddings (sub-nodes)"),
    ("ai_vectorStore", "Vector stores"),
    ("ai_document", "Document loaders (sub-nodes)"),
    ("ai_textSplitter", "Text splitters (sub-nodes)"),
    ("ai_outputParser", "Output parsers (sub-nodes)"),
    ("ai_retriever", "Retrievers (sub-nodes)"),
    ("ai_reranker", "Rerankers (sub-nodes)"),
];

/// Reports whether a type is told to a model.
pub(super) fn is_told(entry: &NodeEntry, denied: &Denied<'_>) -> bool {
    let short = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(_, short)| short);
    !entry.hidden && entry.name != STICKY_NOTE && !OF_TESTS.contains(&short) && !denied.denies(&entry.name)
}

/// Returns the node types that may be used, one line each if they have resources.
pub(super) fn lines(catalog: &Catalog, denied: &Denied<'_>) -> String {
    let mut groups: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for entry in catalog.index().nodes.iter().filter(|entry| is_told(entry, denied)) {
        let Some(facts) = catalog.node(&entry.name) else { continue };
        let Some(newest) = facts.latest().filter(|newest| !newest.hidden) else { continue };
        let output = match &newest.outputs {
            Ports::Fixed(ports) => ports.first().map_or("main", |port| port.kind.as_str()),
            Ports::Cases(_) | Ports::Unknown => "main",
        };
        let is_store = entry.name.contains(".vectorStore");
        let wanted = if newest.starts() && output == "main" && entry.name.contains("rigger") {
            "triggers"
        } else if is_store {
            "ai_vectorStore"
        } else {
            output
        };
        let heading = HEADINGS.iter().map(|(kind, _)| *kind).find(|kind| *kind == wanted).unwrap_or("main");
        let name = short(&entry.name, catalog);
        let (plain, detailed) = groups.entry(heading).or_default();
        match resources(&operations(&entry.name, catalog)) {
            Some(words) if heading == "main" => detailed.push(format!("{name}: {words}")),
            _ => plain.push(name.to_owned()),
        }
    }
    let mut out = String::new();
    for (kind, heading) in HEADINGS {
        let Some((plain, detailed)) = groups.get(kind) else { continue };
        let _ = writeln!(out, "{heading}: {}", plain.join(" "));
        for line in detailed {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// Returns the resources of a type in one text, or its operations if it has no resources.
fn resources(operations: &[Operation]) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    for operation in operations {
        let Some(word) = operation.resource.as_deref().or(operation.operation.as_deref()) else { continue };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() {
        return None;
    }
    let more = words.len() > MOST_OPERATIONS;
    words.truncate(MOST_OPERATIONS);
    if more {
        words.push("…");
    }
    // A type with resources is told apart from one with operations only.
    let by_resource = operations.iter().any(|operation| operation.resource.is_some());
    Some(format!("{}{}", if by_resource { "" } else { "." }, words.join(if by_resource { " " } else { " ." })))
}

/// Returns the signatures of the operations that are always told.
pub(super) fn core(catalog: &Catalog, denied: &Denied<'_>) -> String {
    let mut out = String::new();
    for kind in CORE.iter().filter(|kind| !denied.denies(kind)) {
        for signature in operations(kind, catalog).iter().take(1).filter_map(|operation| operation.signature(catalog, Detail::CORE)) {
            let _ = writeln!(out, "{signature}");
        }
    }
    out
}
