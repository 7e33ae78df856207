//! What a definition reaches on an instance past the mappings of its Workflow: workflows and data tables by raw or computed ids, node
//! types that reach more than their own definition, and what a sub-workflow that is written inside a node, or is loaded when it
//! runs, uses by itself. One key sees everything on an n8n, so another namespace than the instance's needs a grant for each of these.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::catalog::{Capability, Catalog};
use crate::document::definition::{Definition, Node};
use crate::document::references::{CALLERS, sub_workflow_references};
use crate::domain::render::is_workflow_symbol;

/// How deep sub-workflows inside nodes are followed.
const DEEPEST: usize = 8;
/// The node type that works with data tables, and those that may take their cases from one.
const DATA_TABLE: &str = "n8n-nodes-base.dataTable";
const DATA_TABLE_USERS: [&str; 3] = [DATA_TABLE, "n8n-nodes-base.evaluation", "n8n-nodes-base.evaluationTrigger"];
/// Operations on a table as a whole that work on the one that the node names.
const OF_ONE_TABLE: [&str; 3] = ["clear", "delete", "update"];
const AGENT: &str = "@n8n/n8n-nodes-langchain.agent";

/// Node types that can sort by code.
const SORTERS: [&str; 2] = ["n8n-nodes-base.sort", "n8n-nodes-base.itemLists"];

/// What a definition reaches by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Raw ids of workflows.
    pub workflows: BTreeSet<String>,
    /// Ids of credentials that inline sub-workflows use, each with the node of the definition that holds the sub-workflow.
    pub credentials: BTreeSet<(String, String)>,
    /// Ids of data tables, each with the node.
    pub tables: BTreeSet<(String, String)>,
    /// Nodes of types that reach more than their own definition, or of which that is not known.
    pub types: BTreeSet<OffList>,
    /// Nodes that may reach any workflow.
    pub any_workflow: BTreeSet<String>,
    /// Nodes that may reach any data table.
    pub any_table: BTreeSet<String>,
    /// Nodes that may run any content, so that they reach anything.
    pub anything: BTreeSet<String>,
}

/// A node whose type is not on the list of those that reach nothing past their own definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffList {
    /// The node of the outermost definition.
    pub node: String,
    /// Whether it stands in a workflow that is written inside that node.
    pub inside: bool,
    /// Its type, as it is written.
    pub kind: String,
    /// The type that it counts as: a tool counts as the node that it is made of.
    pub base: String,
    /// Why it is not on the list.
    pub why: Why,
}

/// Why a node type is not on the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The catalogue does not know the type.
    UnknownType,
    /// The catalogue does not know that version of it.
    UnknownVersion,
    /// The catalogue does not say what node types reach.
    NotLookedAt,
    /// It reaches these.
    Reaches(Vec<Capability>),
}

/// Finds what a definition reaches by itself. It errs on the side of finding too much: what cannot be read is taken for anything.
pub fn reach(definition: &Definition, catalog: &Catalog) -> Reach {
    let mut search = Search { catalog, found: Reach::default() };
    search.follow(definition, None, 0);
    search.found
}

struct Search<'a> {
    catalog: &'a Catalog,
    found: Reach,
}

impl Search<'_> {
    /// `holder` is the node of the outermost definition inside which this one is written.
    fn follow(&mut self, definition: &Definition, holder: Option<&str>, depth: usize) {
        let ids = sub_workflow_references(definition).into_iter().map(|reference| reference.id);
        self.found.workflows.extend(ids.filter(|id| !is_workflow_symbol(id)));
        for node in &definition.nodes {
            let at = holder.unwrap_or_else(|| node.name());
            if let Some(holder) = holder {
                self.credentials_of(node, holder);
            }
            // Of `a.b.c` n8n takes the type `a.b`; and a copy of an object with such a key has what the key holds.
            if node.kind().matches('.').count() != 1 || has_prototype(&node.0) {
                self.found.anything.insert(at.to_owned());
                continue;
            }
            let base = self.catalog.base(node.kind()).unwrap_or(node.kind());
            if CALLERS.contains(&base) {
                self.call(node, at, depth);
            }
            if DATA_TABLE_USERS.contains(&base) {
                self.table(node, base, at);
            }
            if let Some(why) = self.off_list(node, base) {
                let off =
                    OffList { node: at.to_owned(), inside: holder.is_some(), kind: node.kind().to_owned(), base: base.to_owned(), why };
                self.found.types.insert(off);
            }
        }
    }

    /// Why a node is not known to be harmless, past what its parameters are read for.
    fn off_list(&self, node: &Node, base: &str) -> Option<Why> {
        let Some(known) = self.catalog.node(node.kind()) else { return Some(Why::UnknownType) };
        let newest = known.versions().last().copied().unwrap_or_default();
        let version = node.0.get("typeVersion").filter(|version| !version.is_null());
        if version.is_some_and(|version| version.as_f64().is_none_or(|version| version > newest)) {
            return Some(Why::UnknownVersion);
        }
        let Some(reaches) = self.catalog.reaches(base) else { return Some(Why::NotLookedAt) };
        let read: &[Capability] = match base {
            // A workflow from a file counts as anything.
            caller if CALLERS.contains(&caller) => &[Capability::Workflows, Capability::Files],
            user if DATA_TABLE_USERS.contains(&user) => &[Capability::DataTables],
            // Its files are those that the SQL of an agent for SQLite can attach.
            AGENT if !may_use_sqlite(node) => &[Capability::Files],
            // They run code only where they sort by it.
            sorter if SORTERS.contains(&sorter) && !may_sort_by_code(node) => &[Capability::Memory],
            _ => &[],
        };
        let left: Vec<Capability> = reaches.iter().copied().filter(|one| !read.contains(one)).collect();
        (!left.is_empty()).then_some(Why::Reaches(left))
    }

    fn call(&mut self, node: &Node, at: &str, depth: usize) {
        match node.parameter("source").map_or(Some("database"), Value::as_str) {
            Some("database") => {
                let stored = node.parameter("workflowId");
                let id = match stored {
                    // An object without a value is nothing that n8n's editor writes.
                    Some(Value::Object(locator)) => locator.get("value").or(stored),
                    stored => stored,
                };
                if !id.is_none_or(|id| id.is_null() || is_static(id)) {
                    self.found.any_workflow.insert(at.to_owned());
                }
            }
            Some("parameter") => match node.parameter("workflowJson") {
                None | Some(Value::Null) => {}
                Some(inline) => match document(inline).filter(|_| depth < DEEPEST) {
                    Some(definition) => self.follow(&definition, Some(at), depth + 1),
                    None => drop(self.found.anything.insert(at.to_owned())),
                },
            },
            // A file, a URL, or what an expression says.
            _ => drop(self.found.anything.insert(at.to_owned())),
        }
    }

    fn table(&mut self, node: &Node, base: &str, at: &str) {
        let is = |key: &str, wanted: &[&str]| node.parameter(key).and_then(Value::as_str).is_some_and(|value| wanted.contains(&value));
        if base == DATA_TABLE && node.parameter("resource").is_some() && !is("resource", &["row"]) && !is("operation", &OF_ONE_TABLE) {
            // It lists all tables, or makes one beside them.
            self.found.any_table.insert(at.to_owned());
        }
        let stored = node.parameter("dataTableId");
        let (id, by_id) = match stored {
            None | Some(Value::Null) => return,
            Some(Value::Object(locator)) => {
                // A name fits every table whose name contains it.
                (locator.get("value").or(stored), locator.get("mode").is_none_or(|mode| mode == "id" || mode == "list"))
            }
            stored => (stored, true),
        };
        match id {
            None | Some(Value::Null) => {}
            Some(Value::String(id)) if id.is_empty() => {}
            Some(Value::String(id)) if by_id && !id.trim_start().starts_with('=') => {
                self.found.tables.insert((id.clone(), at.to_owned()));
            }
            _ => drop(self.found.any_table.insert(at.to_owned())),
        }
    }

    fn credentials_of(&mut self, node: &Node, holder: &str) {
        let Some(listed) = node.0.get("credentials").filter(|listed| !listed.is_null()) else { return };
        let entries = listed.as_object().into_iter().flat_map(|entries| entries.values());
        let ids: Option<Vec<&str>> =
            entries.map(|entry| entry.get("id").and_then(Value::as_str).filter(|id| !id.is_empty() && !id.starts_with('='))).collect();
        match ids.filter(|_| listed.is_object()) {
            Some(ids) => self.found.credentials.extend(ids.into_iter().map(|id| (id.to_owned(), holder.to_owned()))),
            // Without an id n8n takes what it finds.
            None => drop(self.found.anything.insert(holder.to_owned())),
        }
    }
}

/// Whether a value is a text that n8n takes as it is.
fn is_static(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim_start().starts_with('='))
}

/// Whether an agent may be one that runs SQL on a file that it is given.
fn may_use_sqlite(node: &Node) -> bool {
    let other = |key: &str, harmless: &dyn Fn(&str) -> bool| {
        node.parameter(key).is_some_and(|value| is_static(value) && value.as_str().is_some_and(harmless))
    };
    let no_sql = node.parameter("agent").is_none() || other("agent", &|agent| agent != "sqlAgent");
    !no_sql && !other("dataSource", &|source| source == "mysql" || source == "postgres")
}

fn may_sort_by_code(node: &Node) -> bool {
    node.parameter("type").is_some_and(|way| !is_static(way) || way.as_str() == Some("code"))
}

fn has_prototype(object: &serde_json::Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| key == "__proto__" || nested(value))
}

fn nested(value: &Value) -> bool {
    match value {
        Value::Object(object) => has_prototype(object),
        Value::Array(list) => list.iter().any(nested),
        _ => false,
    }
}

/// A sub-workflow as it is written into a parameter: JSON, mostly as text.
fn document(inline: &Value) -> Option<Definition> {
    let parsed: Option<Value> = inline.as_str().and_then(|text| serde_json::from_str(text).ok());
    let document = parsed.as_ref().unwrap_or(inline).as_object()?;
    let nodes: Option<Vec<Node>> = match document.get("nodes") {
        None => Some(Vec::new()),
        Some(nodes) => nodes.as_array()?.iter().map(|node| node.as_object().cloned().map(Node)).collect(),
    };
    if document.contains_key("__proto__") {
        return None;
    }
    let settings = document.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    Some(Definition { nodes: nodes?, settings, ..Definition::default() })
}

#[cfg(test)]
mod tests;
