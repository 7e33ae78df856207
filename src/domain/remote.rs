//! What n8n holds, as its public API tells it: workflows, versions, credentials, executions.
//!
//! Reading is lenient, since n8n adds fields in minor releases: unknown fields are skipped, `null` and absent
//! mean the default. Writing is exact, since n8n refuses keys that it does not know.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A workflow as n8n returns it. `nodes` and `connections` are those of the draft.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    #[serde(default, rename = "shared", deserialize_with = "owning_project", skip_serializing)]
    pub project: Option<String>,
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
            active_version: None,
            ..self.clone()
        })
    }
}

/// A workflow without its content: what a scan over many workflows keeps in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteSummary {
    /// The id that n8n made.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The display name; not unique.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Whether a version is published.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// Whether it is archived.
    #[serde(default, deserialize_with = "or_default")]
    pub is_archived: bool,
    /// The version of the draft.
    #[serde(default)]
    pub version_id: Option<String>,
    /// The published version.
    #[serde(default)]
    pub active_version_id: Option<String>,
    /// The settings.
    #[serde(default, deserialize_with = "or_default")]
    pub settings: Map<String, Value>,
    /// The tags.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<Tag>,
}

/// One entry of a workflow's history: content without settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// One run of a workflow, without its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteExecution {
    /// The id: a positive integer in decimal digits.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The state.
    #[serde(default)]
    pub status: ExecutionStatus,
    /// How it was started: `webhook`, `trigger`, `manual`, `retry`, `integrated`, ...
    #[serde(default, deserialize_with = "or_default")]
    pub mode: String,
    /// When it started; absent while it is `New`.
    #[serde(default)]
    pub started_at: Option<jiff::Timestamp>,
    /// When it ended; absent while it runs.
    #[serde(default)]
    pub stopped_at: Option<jiff::Timestamp>,
    /// The workflow that ran.
    #[serde(default, deserialize_with = "id_or_default")]
    pub workflow_id: String,
    /// n8n's own flag; true for a success only, so prefer `status`.
    #[serde(default, deserialize_with = "or_default")]
    pub finished: bool,
}

/// The state of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Stopped by a person or the API.
    Canceled,
    /// n8n died while it ran.
    Crashed,
    /// It failed.
    Error,
    /// Created and not started.
    New,
    /// Running now.
    Running,
    /// It succeeded.
    Success,
    /// Paused by a Wait node.
    Waiting,
    /// A state that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ExecutionStatus {
    /// The word that n8n uses, also as a query parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Crashed => "crashed",
            Self::Error => "error",
            Self::New => "new",
            Self::Running => "running",
            Self::Success => "success",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
        }
    }

    /// Whether it ended in failure.
    pub fn failed(self) -> bool {
        matches!(self, Self::Error | Self::Crashed)
    }
}

/// Why an execution failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionFailure {
    /// The execution.
    pub execution_id: String,
    /// The node that failed, where n8n says.
    pub node: Option<String>,
    /// One line of at most 300 characters. It is data from outside: never an instruction, never markup.
    pub message: String,
}

/// The scopes of an API key, such as `workflow:create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(pub BTreeSet<String>);

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
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

/// Ids have been numbers in some releases and strings in others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Id::deserialize(deserializer)?.into())
}

fn id_or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<Id>::deserialize(deserializer)?.map(String::from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_and_absent_fields_of_a_workflow_become_defaults() {
        let workflow: RemoteWorkflow = serde_json::from_value(json!({
            "id": "a1", "name": "x", "active": null, "nodes": null, "connections": null, "settings": null,
            "tags": null, "activeVersion": null, "somethingNew": {"deep": [1]}
        }))
        .unwrap();
        assert_eq!(workflow.connections, json!({}));
        assert!(workflow.nodes.is_empty() && !workflow.active && workflow.active_version.is_none());

        let sparse: RemoteWorkflow = serde_json::from_value(json!({"id": 7})).unwrap();
        assert_eq!((sparse.id.as_str(), sparse.connections), ("7", json!({})));
    }

    #[test]
    fn a_workflow_lives_in_the_project_that_owns_it() {
        let project = |shared: Value| serde_json::from_value::<RemoteWorkflow>(json!({ "id": "a", "shared": shared })).unwrap().project;
        let owner = json!({ "role": "workflow:owner", "projectId": "p1" });
        assert_eq!(project(json!([{ "role": "workflow:editor", "projectId": "p2" }, owner])).as_deref(), Some("p1"));
        for unknown in [json!(null), json!([]), json!("other words"), json!([{ "role": "workflow:owner" }])] {
            assert_eq!(project(unknown), None);
        }
        assert_eq!(serde_json::from_value::<RemoteWorkflow>(json!({ "id": "a" })).unwrap().project, None);
    }

    #[test]
    fn a_workflow_without_id_is_not_a_workflow() {
        assert!(serde_json::from_value::<RemoteWorkflow>(json!({"name": "x"})).is_err());
    }

    #[test]
    fn node_groups_are_left_out_of_a_write_unless_given() {
        let mut write = WorkflowWrite { name: "x".into(), nodes: vec![], connections: json!({}), settings: Map::new(), node_groups: None };
        assert_eq!(serde_json::to_value(&write).unwrap(), json!({"name": "x", "nodes": [], "connections": {}, "settings": {}}));
        write.node_groups = Some(vec![]);
        assert_eq!(serde_json::to_value(&write).unwrap()["nodeGroups"], json!([]));
    }

    #[test]
    fn an_execution_keeps_times_and_survives_a_state_of_the_future() {
        let execution: RemoteExecution = serde_json::from_value(json!({
            "id": 12, "finished": false, "mode": "webhook", "status": "pondering", "workflowId": "w",
            "startedAt": "2026-11-21T03:40:00.123Z", "stoppedAt": null, "waitTill": null
        }))
        .unwrap();
        assert_eq!(execution.id, "12");
        assert_eq!(execution.status, ExecutionStatus::Unknown);
        assert_eq!(execution.started_at.unwrap().to_string(), "2026-11-21T03:40:00.123Z");
        assert!(execution.stopped_at.is_none());
    }
}
