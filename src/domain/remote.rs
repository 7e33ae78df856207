//! What n8n holds, as its public API tells it: workflows, versions, credentials, executions.
//!
//! Reading is lenient, since n8n adds fields in minor releases: unknown fields are skipped, `null` and absent
//! mean the default. Writing is exact, since n8n refuses keys that it does not know.

mod execution;
mod ids;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::document::definition::Definition;
use crate::document::endpoints::{Kept, kept_routes};
use crate::document::lenient_json::{self, Only, Shallow};

use ids::{id, or_default};

pub use execution::{ExecutionFailure, ExecutionStatus, RemoteExecution};

/// The longest name that a list is read with, beyond what n8n or a spec holds of any. A part of a longer one is no other's.
pub const NAME_CHARS: usize = 256;

/// The memory that a document takes, and the part of a budget that it holds until it is dropped. It makes no two documents different.
#[derive(Clone, Debug, Default)]
pub struct MemoryHold {
    /// In bytes.
    pub weight: usize,
    /// The part of the budget.
    pub budget: Option<Arc<dyn Any + Send + Sync>>,
}

impl PartialEq for MemoryHold {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A workflow as n8n returns it. `nodes` and `connections` are those of the draft.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RemoteWorkflow {
    /// The id that n8n made.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The display name; not unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Whether a version is published. It does not prove that a trigger is connected.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// Whether it is archived; archived workflows stay in lists.
    #[serde(default, deserialize_with = "or_default")]
    pub is_archived: bool,
    /// The version of the draft.
    #[serde(default)]
    pub version_id: Option<String>,
    /// The published version.
    #[serde(default)]
    pub active_version_id: Option<String>,
    /// How many of its triggers count as such, once n8n has set them up; it stays when they are taken away.
    #[serde(default)]
    pub trigger_count: Option<u64>,
    /// The nodes of the draft.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<Value>,
    /// The connections of the draft: an object keyed by the name of the source node.
    #[serde(default = "empty_object", deserialize_with = "or_empty_object")]
    pub connections: Value,
    /// The settings; not versioned by n8n, so they apply to draft and published version alike.
    #[serde(default, deserialize_with = "or_default")]
    pub settings: Map<String, Value>,
    /// The groups of nodes that the editor draws.
    #[serde(default, deserialize_with = "or_default")]
    pub node_groups: Vec<Value>,
    /// The tags.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
    /// The content of the published version, where n8n sends it along.
    #[serde(default)]
    pub active_version: Option<RemoteVersion>,
    /// When it was made, as n8n writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// The id of the project that it lives in, where n8n says. n8n sends it as one entry of `shared`.
    #[serde(default, rename = "shared", deserialize_with = "owning_project")]
    pub project: Option<String>,
    /// The path of the first value that nests too deep or takes too much memory to be read, if there is one: null stands there. Compared
    /// with anything that was written, it differs; it must not be written back.
    #[serde(skip)]
    pub cut: Option<String>,
    /// The memory that it takes.
    #[serde(skip)]
    pub held: MemoryHold,
}

impl<'de> Deserialize<'de> for RemoteWorkflow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { value, cut, weight } = lenient_json::read(deserializer, &[])?;
        Ok(Self { cut, held: MemoryHold { weight, budget: None }, ..Self::deserialize(value).map_err(D::Error::custom)? })
    }
}

impl RemoteWorkflow {
    /// The workflow with what is published in place of the draft, where that is another version and its content is known.
    pub fn published_apart(&self) -> Option<Self> {
        let version = self.active_version.as_ref().filter(|_| self.active && self.active_version_id != self.version_id)?;
        Some(Self {
            version_id: self.active_version_id.clone(),
            nodes: version.nodes.clone(),
            connections: version.connections.clone(),
            node_groups: version.node_groups.clone(),
            cut: version.cut.clone().or_else(|| self.cut.clone()),
            active_version: None,
            ..self.clone()
        })
    }
}

/// A workflow with so much of its content as tells which routes n8n keeps for it: what a scan over many workflows reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteSummary {
    /// The id that n8n made.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The display name; not unique.
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    /// Whether a version is published.
    #[serde(default, deserialize_with = "lenient")]
    pub active: bool,
    /// Whether it is archived.
    #[serde(default, deserialize_with = "lenient")]
    pub is_archived: bool,
    /// The version of the draft.
    #[serde(default, deserialize_with = "lenient")]
    pub version_id: Option<String>,
    /// The published version.
    #[serde(default, deserialize_with = "lenient")]
    pub active_version_id: Option<String>,
    /// The settings.
    #[serde(default, deserialize_with = "lenient")]
    pub settings: Map<String, Value>,
    /// The tags.
    #[serde(default, deserialize_with = "lenient")]
    pub tags: Vec<Tag>,
    /// The nodes of the draft, as far as they are read.
    #[serde(default, deserialize_with = "lenient")]
    nodes: Vec<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient")]
    active_version: Option<PublishedNodes>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct PublishedNodes {
    #[serde(default, deserialize_with = "lenient")]
    nodes: Vec<Map<String, Value>>,
}

impl RemoteSummary {
    /// What is read of a workflow for its summary.
    pub const READ: Only = Only::Keys(&[
        ("id", Only::All),
        ("name", Only::All),
        ("active", Only::All),
        ("isArchived", Only::All),
        ("versionId", Only::All),
        ("activeVersionId", Only::All),
        ("settings", Only::All),
        ("tags", Only::All),
        ("nodes", Self::NODES),
        ("activeVersion", Only::Keys(&[("nodes", Self::NODES)])),
    ]);

    const NODES: Only = Only::Keys(&[
        ("name", Only::All),
        ("type", Only::All),
        ("typeVersion", Only::All),
        ("disabled", Only::All),
        ("webhookId", Only::All),
        (
            "parameters",
            Only::Keys(&[
                ("path", Only::All),
                ("httpMethod", Only::All),
                ("multipleMethods", Only::All),
                ("public", Only::All),
                ("options", Only::Keys(&[("path", Only::All)])),
            ]),
        ),
    ]);

    /// The routes that n8n keeps for what is published; those of the draft, where n8n does not send what is.
    pub fn kept_routes(&self) -> Kept {
        if !self.active {
            return Kept::default();
        }
        let nodes = self.active_version.as_ref().map_or(&self.nodes, |version| &version.nodes);
        let nodes = nodes.iter().cloned().map(Into::into).collect();
        kept_routes(&Definition { nodes, ..Definition::default() })
    }
}

/// One entry of a workflow's history: content without settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RemoteVersion {
    /// The id of the version.
    #[serde(default, deserialize_with = "or_default")]
    pub version_id: String,
    /// The nodes.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<Value>,
    /// The connections, keyed by the name of the source node.
    #[serde(default = "empty_object", deserialize_with = "or_empty_object")]
    pub connections: Value,
    /// The groups of nodes.
    #[serde(default, deserialize_with = "or_default")]
    pub node_groups: Vec<Value>,
    /// As that of [`RemoteWorkflow`].
    #[serde(skip)]
    pub cut: Option<String>,
    /// As that of [`RemoteWorkflow`].
    #[serde(skip)]
    pub held: MemoryHold,
}

impl<'de> Deserialize<'de> for RemoteVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { value, cut, weight } = lenient_json::read(deserializer, &[])?;
        Ok(Self { cut, held: MemoryHold { weight, budget: None }, ..Self::deserialize(value).map_err(D::Error::custom)? })
    }
}

/// A tag of n8n: at most 24 characters, case-sensitive, unique by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The id that n8n made.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// The body of a create or an update: exactly the keys that n8n accepts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowWrite {
    /// The display name, 1 to 128 characters.
    pub name: String,
    /// The nodes.
    pub nodes: Vec<Value>,
    /// The connections: an object.
    pub connections: Value,
    /// The settings. An update merges them: an omitted key keeps its value.
    pub settings: Map<String, Value>,
    /// The node groups; omitted when `None`, which keeps what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_groups: Option<Vec<Value>>,
}

/// A credential as lists show it; n8n never returns the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteCredential {
    /// The id that n8n made.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The name; not unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The credential type, such as `slackApi`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
}

/// The scopes of an API key, such as `workflow:create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(pub BTreeSet<String>);

/// Reads a field; one of another type counts as absent.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(T::deserialize(lenient_json::read(deserializer, &[])?.value).unwrap_or_default())
}

fn owning_project<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let shared = Value::deserialize(deserializer)?;
    let owner = shared.as_array().and_then(|all| all.iter().find(|one| one["role"] == "workflow:owner"));
    Ok(owner.and_then(|owner| owner["projectId"].as_str()).map(str::to_owned))
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

fn or_empty_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => empty_object(),
        other => other,
    })
}

#[cfg(test)]
mod tests;
