//! Ids that the author omitted, derived so that they are the same in every reconciliation.
//!
//! On every save, n8n generates a random id for each node without one and a random `webhookId` for each node with webhooks and without one:
//! a new version each time, and URLs that move. Therefore both are always sent.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use crate::document::definition::{Definition, Node};
use crate::document::node_types;

/// Identity that ids are derived from. Two workflows with different seeds share no ids; the same seed always gives the same ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdentitySeed {
    /// Id of the cluster, commonly the UID of its kube-system namespace.
    pub cluster_id: String,
    /// Namespace of the Workflow.
    pub namespace: String,
    /// Name of the Workflow.
    pub name: String,
}

/// Name space of all derived ids: UUIDv5 of `weirkeeper.dev` in the DNS name space.
const SPACE: Uuid = Uuid::from_u128(0x3157_5ef2_340b_53e2_be94_43b1_8f80_5c70);

impl IdentitySeed {
    /// Derives the id for a purpose, such as the node id of the node called `subject`.
    pub fn derive(&self, purpose: &str, subject: &str) -> Uuid {
        let parts = [&self.cluster_id, &self.namespace, &self.name, purpose, subject];
        let mut text = String::new();
        for part in parts {
            // The length prefix keeps ("a", "bc") and ("ab", "c") apart.
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(part);
        }
        Uuid::new_v5(&SPACE, text.as_bytes())
    }
}

/// Fills in missing or empty node ids, and webhook ids of node types that have webhooks.
///
/// Ids that the author gave stay, even if two nodes share one: n8n refuses shared node ids, which [`crate::validator::structure`] reports,
/// and accepts shared webhook ids. [`node_types::has_webhooks`] decides which types have webhooks; with a catalogue, use
/// [`fill_ids_where`].
pub fn fill_ids(definition: &mut Definition, seed: &IdentitySeed) {
    fill_ids_where(definition, seed, |node| node_types::has_webhooks(node.kind()));
}

/// Does the same as [`fill_ids`], with the caller's knowledge of which nodes have webhooks.
pub fn fill_ids_where(definition: &mut Definition, seed: &IdentitySeed, has_webhooks: impl Fn(&Node) -> bool) {
    fill(&mut definition.nodes, seed, "id", |_| true);
    fill(&mut definition.nodes, seed, "webhookId", has_webhooks);
}

fn fill(nodes: &mut [Node], seed: &IdentitySeed, key: &str, wanted: impl Fn(&Node) -> bool) {
    let given = |node: &Node| node.text(key).filter(|id| !id.is_empty()).map(str::to_owned);
    let mut used: HashSet<String> = nodes.iter().filter_map(given).collect();
    for node in nodes.iter_mut() {
        // A value of the wrong type is reported by the structure check.
        let open = node.0.get(key).is_none_or(|value| value.is_null() || value == "");
        if !open || !wanted(node) {
            continue;
        }
        // A derived id can already be in use: export, rename the node, add another with its old name.
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

/// For adoption: where the author omitted an id, keeps the id that n8n has for the node of the same name and type, so that URLs and
/// execution history stay. Call it before [`fill_ids`].
///
/// Use a stored copy of the adopted workflow, not the live one: an edit in the editor must not change the desired state.
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
