//! Types of n8n's public API: workflows, versions, credentials, executions.
//!
//! Reading is lenient, because n8n adds fields in minor releases: unknown fields are ignored, and `null` and absent fields become the
//! default. Writing is exact, because n8n refuses unknown keys.

mod execution;
mod ids;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::document::definition::Definition;
use crate::document::endpoints::{Kept, kept_routes};
use crate::document::lenient_json::{self, Only, Shallow};

pub use ids::LONGEST_ID;
use ids::{id, or_default};

pub use execution::{ExecutionFailure, ExecutionStatus, RemoteExecution};

/// Maximum length of a name read from a list; n8n and specs allow none as long. A longer name is cut and so matches no other.
pub const NAME_CHARS: usize = 256;

/// Memory that a document takes, and the part of the memory budget that it holds until it is dropped. It does not affect equality.
#[derive(Clone, Debug, Default)]
pub struct MemoryHold {
    /// Size in bytes.
    pub weight: usize,
    /// The held part of the budget.
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
    /// The id that n8n assigned.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The display name; not unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// True if a version is published, which does not prove that a trigger is connected.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// True if it is archived; lists include archived workflows.
    #[serde(default, deserialize_with = "or_default")]
    pub is_archived: bool,
    /// The version id of the draft.
    #[serde(default)]
    pub version_id: Option<String>,
    /// The version id of the published version.
    #[serde(default)]
    pub active_version_id: Option<String>,
    /// Number of triggers that n8n counts after setting them up; it does not change when they are removed.
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
    /// The node groups that the editor draws.
    #[serde(default, deserialize_with = "or_default")]
    pub node_groups: Vec<Value>,
    /// The tags.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
    /// The content of the published version, if n8n includes it.
    #[serde(default)]
    pub active_version: Option<RemoteVersion>,
    /// Time of creation, in n8n's format.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// Time of the last write that was no execution, in n8n's format.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
    /// The id of the project that owns the workflow, if n8n reports it, as an entry of `shared`.
    #[serde(default, rename = "shared", deserialize_with = "owning_project")]
    pub project: Option<String>,
    /// The path of the first value that nests too deep or takes too much memory to be read, if any; it is replaced by null. Such a workflow
    /// differs from anything that was written, and must not be written back.
    #[serde(skip)]
    pub cut: Option<String>,
    /// The memory that the workflow takes.
    #[serde(skip)]
    pub memory: MemoryHold,
}

impl<'de> Deserialize<'de> for RemoteWorkflow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { value, cut, weight } = lenient_json::read(deserializer, &[])?;
        Ok(Self { cut, memory: MemoryHold { weight, budget: None }, ..Self::deserialize(value).map_err(D::Error::custom)? })
    }
}

impl RemoteWorkflow {
    /// Returns the workflow with the published version in place of the draft, if it is another version and its content is known.
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

/// A workflow with only the content that determines its routes in n8n; scans over many workflows read this.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteSummary {
    /// The id that n8n assigned.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The display name; not unique.
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    /// True if a version is published.
    #[serde(default, deserialize_with = "lenient")]
    pub active: bool,
    /// True if it is archived.
    #[serde(default, deserialize_with = "lenient")]
    pub is_archived: bool,
    /// The version id of the draft.
    #[serde(default, deserialize_with = "lenient")]
    pub version_id: Option<String>,
    /// The version id of the published version.
    #[serde(default, deserialize_with = "lenient")]
    pub active_version_id: Option<String>,
    /// The settings.
    #[serde(default, deserialize_with = "lenient")]
    pub settings: Map<String, Value>,
    /// The tags.
    #[serde(default, deserialize_with = "lenient")]
    pub tags: Vec<Tag>,
    /// Time of the last write that was no execution, in n8n's format.
    #[serde(default, deserialize_with = "lenient")]
    pub updated_at: String,
    /// The id of the project that owns the workflow, if n8n reports it.
    #[serde(default, rename = "shared", deserialize_with = "owning_project")]
    pub project: Option<String>,
    /// The nodes of the draft, as far as they are read.
    #[serde(default, deserialize_with = "lenient")]
    nodes: Vec<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient")]
    active_version: Option<PublishedNodes>,
    /// The routes, once they are computed.
    #[serde(skip)]
    kept: OnceLock<Kept>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct PublishedNodes {
    #[serde(default, deserialize_with = "lenient")]
    nodes: Vec<Map<String, Value>>,
}

impl RemoteSummary {
    /// Keys that are read of a workflow for its summary.
    pub const READ: Only = Only::Keys(&[
        ("id", Only::All),
        ("name", Only::All),
        ("active", Only::All),
        ("isArchived", Only::All),
        ("versionId", Only::All),
        ("activeVersionId", Only::All),
        ("settings", Only::All),
        ("tags", Only::Keys(&[("id", Only::All), ("name", Only::All)])),
        ("updatedAt", Only::All),
        ("shared", Only::Keys(&[("role", Only::All), ("projectId", Only::All)])),
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

    /// Returns the routes that n8n keeps for the published version, or those of the draft if n8n does not include the published version.
    pub fn kept_routes(&self) -> &Kept {
        self.kept.get_or_init(|| if self.active { self.routes_of_nodes() } else { Kept::default() })
    }

    /// Drops the nodes, which take a hundred times as much memory as the routes that are computed from them.
    pub fn reduce_to_routes(&mut self) {
        self.kept_routes();
        self.nodes = Vec::new();
        self.active_version = None;
    }

    fn routes_of_nodes(&self) -> Kept {
        let nodes = self.active_version.as_ref().map_or(&self.nodes, |version| &version.nodes);
        let nodes = nodes.iter().cloned().map(Into::into).collect();
        kept_routes(&Definition { nodes, ..Definition::default() })
    }
}

/// An entry of a workflow's history: content without settings.
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
    /// See [`RemoteWorkflow::cut`].
    #[serde(skip)]
    pub cut: Option<String>,
    /// See [`RemoteWorkflow::memory`].
    #[serde(skip)]
    pub memory: MemoryHold,
}

impl<'de> Deserialize<'de> for RemoteVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shallow { value, cut, weight } = lenient_json::read(deserializer, &[])?;
        Ok(Self { cut, memory: MemoryHold { weight, budget: None }, ..Self::deserialize(value).map_err(D::Error::custom)? })
    }
}

/// A tag of n8n: at most 24 characters, case-sensitive, unique by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The id that n8n assigned.
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
    /// The node groups; omitted when `None`, which keeps the current ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_groups: Option<Vec<Value>>,
}

/// A credential as lists show it; n8n never returns the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteCredential {
    /// The id that n8n assigned.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The name; not unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The credential type, such as `slackApi`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
    /// Time of the last change of its name or values.
    #[serde(default, rename = "updatedAt", deserialize_with = "short_text")]
    pub updated_at: Option<String>,
    /// Id of the project that owns it; only lists show it.
    #[serde(default, rename = "shared", deserialize_with = "owning_credential_project")]
    pub project: Option<String>,
}

/// The scopes of an API key, such as `workflow:create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(pub BTreeSet<String>);

/// Deserializes a field; a value of another type counts as absent.
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

fn owning_credential_project<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let shared = Value::deserialize(deserializer)?;
    let owner = shared.as_array().and_then(|all| all.iter().find(|one| one["role"] == "credential:owner"));
    Ok(owner.and_then(|owner| owner["id"].as_str()).filter(|id| id.len() <= LONGEST_ID).map(str::to_owned))
}

/// Reads a time or an id; anything else, and what is too long for one, counts as absent.
fn short_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::<D, Option<String>>(deserializer)?.filter(|text| text.len() <= LONGEST_ID))
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
