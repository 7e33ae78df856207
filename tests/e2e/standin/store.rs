//! The database of the stand-in's n8n.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::executions::Execution;
use super::marks::Marks;
use super::outbox::Outbox;
use super::projects::Project;
use super::webhooks::Hook;

/// Returns the current time as n8n prints it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Everything that n8n stores.
pub(crate) struct World {
    /// By id, because lists are in the order of ids.
    pub workflows: BTreeMap<String, Workflow>,
    pub tags: BTreeMap<String, Tag>,
    pub credentials: Vec<Credential>,
    pub executions: BTreeMap<u64, Execution>,
    /// Registered production webhooks by (method, path), which is n8n's primary key.
    pub webhooks: HashMap<(String, String), Hook>,
    /// Present if publications are set up later.
    pub outbox: Option<Outbox>,
    pub keys: Vec<Key>,
    pub marks: Marks,
    /// The maximum number of workflows, and of published ones, that existed at the same time.
    pub most: (usize, usize),
    /// The personal project of the owner of the keys.
    pub project_id: String,
    pub projects: Vec<Project>,
    pub user_id: String,
    pub born: String,
    random: Random,
    publications: u64,
    execution_ids: u64,
}

/// An API key with its permissions.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub token: String,
    pub scopes: Vec<String>,
    pub expires: Option<jiff::Timestamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub id: String,
    pub name: String,
    pub created_at: String,
    pub updated_at: String,
}

impl Tag {
    pub(crate) fn json(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "createdAt": self.created_at, "updatedAt": self.updated_at })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub data: Map<String, Value>,
    pub created_at: String,
    pub updated_at: String,
}

/// The content of a version. Its text is generated once and shared by all views.
#[derive(Debug)]
pub(crate) struct Content {
    pub nodes: Value,
    pub connections: Value,
    pub groups: Value,
    /// `"nodes":…,"connections":…,"nodeGroups":…`
    pub text: String,
}

impl Content {
    pub(crate) fn new(nodes: Value, connections: Value, groups: Value) -> Arc<Self> {
        let text = format!("\"nodes\":{nodes},\"connections\":{connections},\"nodeGroups\":{groups}");
        Arc::new(Self { nodes, connections, groups, text })
    }

    pub(crate) fn node_list(&self) -> &[Value] {
        self.nodes.as_array().map_or(&[], Vec::as_slice)
    }
}

/// An entry of a workflow's history.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub id: String,
    pub content: Arc<Content>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub autosaved: bool,
    pub created_at: String,
    pub updated_at: String,
}

/// A line of a workflow's publish history.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub id: u64,
    pub version_id: String,
    pub event: &'static str,
    pub created_at: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub project_id: String,
    /// Time at which it was added to its project.
    pub shared_at: String,
    /// The draft, as shown in the editor.
    pub content: Arc<Content>,
    pub settings: Map<String, Value>,
    pub static_data: Value,
    pub pin_data: Value,
    pub version_id: String,
    pub version_counter: u64,
    pub active_version_id: Option<String>,
    pub is_archived: bool,
    pub trigger_count: usize,
    pub tag_ids: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
    /// Oldest first.
    pub history: Vec<Version>,
    pub publications: Vec<Publication>,
}

impl Workflow {
    pub(crate) fn is_active(&self) -> bool {
        self.active_version_id.is_some()
    }

    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.history.iter().rev().find(|version| version.id == id)
    }

    pub(crate) fn active_version(&self) -> Option<&Version> {
        self.version(self.active_version_id.as_deref()?)
    }

    /// Adds the draft to the history under its current version id.
    pub(crate) fn save_version(&mut self, autosaved: bool) {
        let at = now();
        self.history.push(Version {
            id: self.version_id.clone(),
            content: Arc::clone(&self.content),
            name: None,
            description: None,
            autosaved,
            created_at: at.clone(),
            updated_at: at,
        });
    }
}

impl World {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let mut random = Random::new(seed.unwrap_or_else(clock_seed));
        let (project_id, user_id) = (random.nano_id(), random.uuid());
        Self {
            workflows: BTreeMap::new(),
            tags: BTreeMap::new(),
            credentials: Vec::new(),
            executions: BTreeMap::new(),
            webhooks: HashMap::new(),
            outbox: None,
            keys: Vec::new(),
            marks: Marks::default(),
            most: (0, 0),
            projects: vec![Project::personal(project_id.clone(), super::workflow_views::PROJECT_NAME, user_id.clone())],
            project_id,
            user_id,
            born: now(),
            random,
            publications: 0,
            execution_ids: 0,
        }
    }

    /// Returns the number of workflows, and of published ones.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.workflows.len(), self.workflows.values().filter(|workflow| workflow.is_active()).count())
    }

    /// Follows a creation or a publication.
    pub(crate) fn note_most(&mut self) {
        let (all, active) = self.counts();
        self.most = (self.most.0.max(all), self.most.1.max(active));
    }

    pub(crate) fn nano_id(&mut self) -> String {
        self.random.nano_id()
    }

    pub(crate) fn uuid(&mut self) -> String {
        self.random.uuid()
    }

    pub(crate) fn next_execution(&mut self) -> u64 {
        self.execution_ids += 1;
        self.execution_ids
    }

    /// Adds a line to a workflow's publish history.
    pub(crate) fn record_publication(&mut self, workflow: &str, version: &str, event: &'static str) {
        self.publications += 1;
        let line = Publication { id: self.publications, version_id: version.to_owned(), event, created_at: now() };
        if let Some(workflow) = self.workflows.get_mut(workflow) {
            workflow.publications.push(line);
        }
    }

    /// Removes a workflow with its webhooks and executions, as n8n does.
    pub(crate) fn remove_workflow(&mut self, id: &str) -> Option<Workflow> {
        let workflow = self.workflows.remove(id)?;
        self.remove_webhooks(id);
        self.executions.retain(|_, run| run.workflow_id != id);
        self.marks.forget(id);
        Some(workflow)
    }
}

/// SplitMix64: sufficient for ids that only have to differ, and reproducible from a seed.
pub(crate) struct Random(u64);

fn clock_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32)
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number between 0 and 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns sixteen letters and digits, like n8n's ids of workflows, tags, credentials and projects.
    pub(crate) fn nano_id(&mut self) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..16).map(|_| LETTERS[(self.next() % 62) as usize] as char).collect()
    }

    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}
