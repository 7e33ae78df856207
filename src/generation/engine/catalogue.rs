//! The catalogue as a model reads it: each node type that may be used, with its resources, in an order that never changes.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use super::denied::Denied;
use super::signature::{Detail, OperationSignature, operations, short};
use crate::catalog::{Catalog, NodeEntry, Ports};
use crate::document::node_types::STICKY_NOTE;

/// Operations that many workflows need and whose signatures are always sent.
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

/// Reports whether a model is offered a type.
pub(super) fn is_sent(entry: &NodeEntry, denied: &Denied<'_>) -> bool {
    is_offered(entry) && !denied.denies(&entry.name)
}

fn is_offered(entry: &NodeEntry) -> bool {
    let short = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(_, short)| short);
    !entry.hidden && entry.name != STICKY_NOTE && !OF_TESTS.contains(&short)
}

/// A node type as a model reads it.
struct Entry {
    /// Full name.
    kind: String,
    /// Index of its heading.
    heading: usize,
    /// Short name.
    name: String,
    /// Its resources, if they are listed.
    words: Option<String>,
}

/// Returns the node types of a catalogue; those of the built-in one are put together once.
fn entries(catalog: &Catalog) -> Arc<[Entry]> {
    static BUILT_IN: OnceLock<Arc<[Entry]>> = OnceLock::new();
    if std::ptr::eq(catalog, Catalog::embedded()) { Arc::clone(BUILT_IN.get_or_init(|| all(catalog).into())) } else { all(catalog).into() }
}

fn all(catalog: &Catalog) -> Vec<Entry> {
    let mut found = Vec::new();
    for entry in catalog.index().nodes.iter().filter(|entry| is_offered(entry)) {
        let Some(facts) = catalog.node(&entry.name) else { continue };
        let Some(newest) = facts.latest().filter(|newest| !newest.hidden) else { continue };
        let output = match &newest.outputs {
            Ports::Fixed(ports) => ports.first().map_or("main", |port| port.kind.as_str()),
            Ports::Cases(_) | Ports::Unknown => "main",
        };
        let wanted = if newest.starts() && output == "main" && entry.name.contains("rigger") {
            "triggers"
        } else if entry.name.contains(".vectorStore") {
            "ai_vectorStore"
        } else {
            output
        };
        let place = |name: &str| HEADINGS.iter().position(|(kind, _)| *kind == name);
        let heading = place(wanted).or_else(|| place("main")).unwrap_or_default();
        let words = resources(&operations(&entry.name, catalog)).filter(|_| HEADINGS[heading].0 == "main");
        found.push(Entry { kind: entry.name.clone(), heading, name: short(&entry.name, catalog).to_owned(), words });
    }
    found
}

/// Returns the node types that may be used, one line each if they have resources.
pub(super) fn lines(catalog: &Catalog, denied: &Denied<'_>) -> String {
    let entries = entries(catalog);
    let mut out = String::new();
    for (at, (_, heading)) in HEADINGS.iter().enumerate() {
        let own: Vec<&Entry> = entries.iter().filter(|entry| entry.heading == at && !denied.denies(&entry.kind)).collect();
        if own.is_empty() {
            continue;
        }
        let plain: Vec<&str> = own.iter().filter(|entry| entry.words.is_none()).map(|entry| entry.name.as_str()).collect();
        let _ = writeln!(out, "{heading}: {}", plain.join(" "));
        for entry in own {
            if let Some(words) = &entry.words {
                let _ = writeln!(out, "{}: {words}", entry.name);
            }
        }
    }
    out
}

/// Returns the resources of a type in one text, or its operations if it has no resources.
fn resources(operations: &[OperationSignature]) -> Option<String> {
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
    // A type with resources is distinguished from one with operations only.
    let by_resource = operations.iter().any(|operation| operation.resource.is_some());
    Some(format!("{}{}", if by_resource { "" } else { "." }, words.join(if by_resource { " " } else { " ." })))
}

/// Returns the signatures of the operations that are always sent.
pub(super) fn core(catalog: &Catalog, denied: &Denied<'_>) -> String {
    let mut out = String::new();
    for kind in CORE.iter().filter(|kind| !denied.denies(kind)) {
        for signature in operations(kind, catalog).iter().take(1).filter_map(|operation| operation.signature(catalog, Detail::CORE)) {
            let _ = writeln!(out, "{signature}");
        }
    }
    out
}
