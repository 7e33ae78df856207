//! What n8n's words mean. Measured on n8n 2.39.10.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::definition::Definition;

const TYPE: &str = "Unrecognized node type: ";
const NODES: &str = "Cannot publish workflow: ";
const CONFLICT: &str = "There is a conflict with one of the webhooks";

/// n8n's answer: the first thing that it has against a workflow, in the order in which it looks.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It does not create it.
    NotCreated(String),
    /// It has no such node type.
    UnknownType(String),
    /// It has the node type, but not in that version.
    UnknownVersion(String),
    /// Two webhooks of the workflow share an address.
    WebhookConflict,
    /// Nothing starts it.
    NoTrigger,
    /// These nodes lack something.
    Nodes(BTreeMap<String, Lacks>),
    /// It has nothing against the workflow but that it calls one that is not published.
    Passed,
    /// It failed over it, or said what is not understood here.
    Unclear(String),
}

/// What n8n misses in a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Credentials, by the names that people see.
    pub credentials: BTreeSet<String>,
    /// Parameters that are missing or malformed; `columns.id` is a column of `columns`.
    pub parameters: BTreeSet<String>,
    /// Anything else.
    pub other: BTreeSet<String>,
}

/// The meaning of a refusal to create.
pub fn read_creation(message: &str) -> Said {
    Said::NotCreated(message.to_owned())
}

/// The meaning of a refusal to publish a workflow whose fence has this name.
pub fn read_publication(status: u16, message: &str, definition: &Definition, fence: &str) -> Said {
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

/// The list of n8n's, by node. Names may hold anything, so those of the definition are looked for.
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
