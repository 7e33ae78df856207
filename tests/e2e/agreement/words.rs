//! Parsing of n8n's messages. Measured on n8n 2.39.10.

use std::collections::{BTreeMap, BTreeSet};

use weirkeeper::document::definition::Definition;

const TYPE: &str = "Unrecognized node type: ";
const NODES: &str = "Cannot publish workflow: ";
const CONFLICT: &str = "There is a conflict with one of the webhooks";

/// n8n's answer: its first problem with a workflow, in the order of its checks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// n8n refuses to create the workflow.
    NotCreated(String),
    /// n8n does not know this node type.
    UnknownType(String),
    /// n8n knows the node type, but not this version of it.
    UnknownVersion(String),
    /// Two webhooks of the workflow share an address.
    WebhookConflict,
    /// The workflow has no trigger.
    NoTrigger,
    /// These nodes lack something.
    Nodes(BTreeMap<String, Lacks>),
    /// n8n's only objection is that the workflow calls one that is not published.
    Passed,
    /// n8n failed, or its message is not understood.
    Unclear(String),
}

/// Things that n8n misses in a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    /// Credentials, by their display names.
    pub(crate) credentials: BTreeSet<String>,
    /// Parameters that are missing or malformed; `columns.id` is a column of `columns`.
    pub(crate) parameters: BTreeSet<String>,
    /// Other complaints.
    pub(crate) other: BTreeSet<String>,
}

/// Parses a refusal to create a workflow.
pub(crate) fn read_creation(message: &str) -> Said {
    Said::NotCreated(message.to_owned())
}

/// Parses a refusal to publish a workflow whose fence has this name.
pub(crate) fn read_publication(status: u16, message: &str, definition: &Definition, fence: &str) -> Said {
    if status == 409 || message.starts_with(CONFLICT) {
        return Said::WebhookConflict;
    }
    if let Some(kind) = message.strip_prefix(TYPE) {
        return Said::UnknownType(kind.trim().to_owned());
    }
    if message.starts_with("Node type \"") && message.contains("is not available in version") {
        return Said::UnknownVersion(message.split('"').nth(1).unwrap_or_default().to_owned());
    }
    if message.starts_with("Workflow cannot be activated because it has no trigger") {
        return Said::NoTrigger;
    }
    match message.strip_prefix(NODES) {
        Some(rest) if rest.contains("configuration issues:") => Said::Nodes(nodes(rest, definition)),
        Some(rest) if rest.contains(&format!("Node \"{fence}\" references workflow")) => Said::Passed,
        _ => Said::Unclear(message.to_owned()),
    }
}

/// Splits n8n's list by node. Node names may contain anything, so the names in the definition are searched for.
fn nodes(list: &str, definition: &Definition) -> BTreeMap<String, Lacks> {
    let begins = |name: &str| format!("Node \"{name}\":\n");
    let mut places: Vec<(usize, usize, &str)> = Vec::new();
    for node in &definition.nodes {
        let head = begins(node.name());
        if let Some(at) = list.find(&head) {
            places.push((at, at + head.len(), node.name()));
        }
    }
    places.sort_unstable();
    let ends = places.iter().skip(1).map(|place| place.0).chain([list.len()]);
    places.iter().zip(ends).map(|((_, from, name), to)| ((*name).to_owned(), lacks(list.get(*from..to).unwrap_or_default()))).collect()
}

fn lacks(list: &str) -> Lacks {
    let mut lacks = Lacks::default();
    for issue in list.split("  - ").map(str::trim).filter(|issue| !issue.is_empty()) {
        let credential = issue.strip_prefix("Missing required credential: ").or_else(|| issue.strip_prefix("Credential not configured: "));
        if let Some(name) = credential {
            lacks.credentials.insert(name.to_owned());
        } else if let Some(names) = issue.strip_prefix("Missing or invalid required parameters: ") {
            lacks.parameters.extend(names.split(", ").map(str::to_owned));
        } else {
            lacks.other.insert(issue.to_owned());
        }
    }
    lacks
}
