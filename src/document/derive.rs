//! Ids that the author left out, derived so that they are the same at every pass.
//!
//! n8n makes up a random id for each node that has none and a random `webhookId` for each webhook-like node
//! that has none, at every save: a new version each time, and URLs that move. So we always send both.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use crate::document::definition::{Definition, Node};
use crate::document::node_types;

/// Whose ids are derived. Two workflows with different seeds share no ids; the same seed always gives the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdentitySeed {
    /// The cluster, commonly the UID of its kube-system namespace.
    pub cluster_id: String,
    /// The namespace of the Workflow.
    pub namespace: String,
    /// The name of the Workflow.
    pub name: String,
}

/// The name space of all ids of ours: UUIDv5 of `weirkeeper.dev` in the DNS name space.
const SPACE: Uuid = Uuid::from_u128(0x3157_5ef2_340b_53e2_be94_43b1_8f80_5c70);

impl IdentitySeed {
    /// The id for a purpose, such as the node id of the node called `subject`.
    pub fn derive(&self, purpose: &str, subject: &str) -> Uuid {
        let parts = [&self.cluster_id, &self.namespace, &self.name, purpose, subject];
        let mut text = String::new();
        for part in parts {
            // The length in front keeps ("a", "bc") and ("ab", "c") apart.
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(part);
        }
        Uuid::new_v5(&SPACE, text.as_bytes())
    }
}

/// Fills in missing or empty node ids, and webhook ids of node types that have webhooks.
///
/// Ids that the author gave stay, even where two nodes share one: n8n refuses shared node ids, which
/// [`crate::validator::structure`] reports, and takes shared webhook ids. Which types have webhooks is taken from
/// [`node_types::has_webhooks`]; with a catalogue, use [`fill_ids_where`].
pub fn fill_ids(definition: &mut Definition, seed: &IdentitySeed) {
    fill_ids_where(definition, seed, |node| node_types::has_webhooks(node.kind()));
}

/// [`fill_ids`] with the caller's knowledge of which nodes have webhooks.
pub fn fill_ids_where(definition: &mut Definition, seed: &IdentitySeed, has_webhooks: impl Fn(&Node) -> bool) {
    fill(&mut definition.nodes, seed, "id", |_| true);
    fill(&mut definition.nodes, seed, "webhookId", has_webhooks);
}

fn fill(nodes: &mut [Node], seed: &IdentitySeed, key: &str, wanted: impl Fn(&Node) -> bool) {
    let given = |node: &Node| node.text(key).filter(|id| !id.is_empty()).map(str::to_owned);
    let mut used: HashSet<String> = nodes.iter().filter_map(given).collect();
    for node in nodes.iter_mut() {
        // A wrong type is for the structure check to report.
        let open = node.0.get(key).is_none_or(|value| value.is_null() || value == "");
        if !open || !wanted(node) {
            continue;
        }
        // A derived id can be taken already: export, rename the node, add another with its old name.
        let mut id = seed.derive(key, node.name()).to_string();
        let mut attempt = 1;
        while used.contains(&id) {
            attempt += 1;
            id = seed.derive(&format!("{key}#{attempt}"), node.name()).to_string();
        }
        node.set_text(key, id.clone());
        used.insert(id);
    }
}

/// For adoption: where the author left an id out, the one that n8n has for the node of the same name and type
/// is kept, so that URLs and execution history stay. Run it before [`fill_ids`].
///
/// Run it against a stored copy of what was adopted, not against the live workflow: an edit in the editor
/// must not change what is desired.
pub fn keep_ids(definition: &mut Definition, remote_nodes: &[Value]) {
    let remote: HashMap<(&str, &str), &Value> =
        remote_nodes.iter().filter_map(|node| Some(((node.get("name")?.as_str()?, node.get("type")?.as_str()?), node))).collect();
    for key in ["id", "webhookId"] {
        let given = |node: &Node| node.text(key).filter(|id| !id.is_empty()).map(str::to_owned);
        let mut used: HashSet<String> = definition.nodes.iter().filter_map(given).collect();
        for node in &mut definition.nodes {
            let open = node.0.get(key).is_none_or(|value| value.is_null() || value == "");
            let kept = remote.get(&(node.name(), node.kind())).and_then(|found| found.get(key)?.as_str());
            if let Some(id) = kept.filter(|id| open && !id.is_empty() && !used.contains(*id)) {
                node.set_text(key, id);
                used.insert(id.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests;
