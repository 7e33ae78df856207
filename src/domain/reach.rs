//! Reach of a definition on an instance, outside the mappings of its Workflow: workflows and data tables by raw or computed ids, node
//! types that reach more than their own definition, and what sub-workflows use that are written inside a node or loaded at run time. One
//! API key sees everything on an n8n, so in another namespace than the instance's each of these needs a grant.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::catalog::{Capability, Catalog};
use crate::document::definition::{Definition, Node};
use crate::document::inline::{self, DEEPEST, Inline, has_prototype, is_static};
use crate::document::references::{CALLERS, sub_workflow_references};
use crate::domain::render::is_workflow_symbol;

/// The node type that works with data tables, and the node types that may take test cases from one.
const DATA_TABLE: &str = "n8n-nodes-base.dataTable";
const DATA_TABLE_USERS: [&str; 3] = [DATA_TABLE, "n8n-nodes-base.evaluation", "n8n-nodes-base.evaluationTrigger"];
/// Table operations that work on the table that the node names.
const OF_ONE_TABLE: [&str; 3] = ["clear", "delete", "update"];
const AGENT: &str = "@n8n/n8n-nodes-langchain.agent";

/// Node types that can sort by code.
const SORTERS: [&str; 2] = ["n8n-nodes-base.sort", "n8n-nodes-base.itemLists"];

/// Everything that a definition reaches by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Raw ids of workflows.
    pub workflows: BTreeSet<String>,
    /// Ids of credentials that inline sub-workflows use, each with the node of the definition that holds the sub-workflow.
    pub credentials: BTreeSet<(String, String)>,
    /// Ids of data tables, each with the node.
    pub tables: BTreeSet<(String, String)>,
    /// Nodes of types that reach more than their own definition, or of which this is not known.
    pub types: BTreeSet<OffList>,
    /// Nodes that may reach any workflow.
    pub any_workflow: BTreeSet<String>,
    /// Nodes that may reach any data table.
    pub any_table: BTreeSet<String>,
    /// Nodes that may run any content and so reach anything.
    pub anything: BTreeSet<String>,
}

/// A node whose type is not on the list of types that reach nothing outside their own definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffList {
    /// The node in the outermost definition.
    pub node: String,
    /// True if the typed node is part of a workflow that is written inside that node.
    pub inside: bool,
    /// Its type, as written in the definition.
    pub kind: String,
    /// The type under which grants list it: a tool counts as the node from which it is derived.
    pub base: String,
    /// Reason why it is not on the list.
    pub why: Why,
}

/// Reason why a node type is not on the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The catalogue does not know the type.
    UnknownType,
    /// The catalogue does not know that version of it.
    UnknownVersion,
    /// The catalogue does not record what node types reach.
    NotLookedAt,
    /// The type has these capabilities.
    Reaches(Vec<Capability>),
}

/// Finds what a definition reaches by itself. In doubt it finds too much: anything that cannot be read counts as reaching anything.
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
    /// `holder` is the node of the outermost definition inside which this definition is written.
    fn follow(&mut self, definition: &Definition, holder: Option<&str>, depth: usize) {
        let ids = sub_workflow_references(definition).into_iter().map(|reference| reference.id);
        self.found.workflows.extend(ids.filter(|id| !is_workflow_symbol(id)));
        for node in &definition.nodes {
            let at = holder.unwrap_or_else(|| node.name());
            if let Some(holder) = holder {
                self.credentials_of(node, holder);
            }
            // n8n reads `a.b.c` as type `a.b`; and a copy of an object with the key `__proto__` has the fields of that key's value.
            if node.text("type").unwrap_or_default().matches('.').count() != 1 || has_prototype(&node.0) {
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

    /// Returns why a node is not known to be harmless, apart from what its parameters are examined for.
    fn off_list(&self, node: &Node, base: &str) -> Option<Why> {
        let Some(known) = self.catalog.node(node.kind()) else { return Some(Why::UnknownType) };
        let newest = known.versions().last().copied().unwrap_or_default();
        let version = node.0.get("typeVersion").filter(|version| !version.is_null());
        if version.is_some_and(|version| version.as_f64().is_none_or(|version| version > newest)) {
            return Some(Why::UnknownVersion);
        }
        let Some(reaches) = self.catalog.reaches(base) else { return Some(Why::NotLookedAt) };
        let read: &[Capability] = match base {
            // Loading a workflow from a file counts as reaching anything.
            caller if CALLERS.contains(&caller) => &[Capability::Workflows, Capability::Files],
            user if DATA_TABLE_USERS.contains(&user) => &[Capability::DataTables],
            // An agent reaches files only through the SQL of its SQLite mode, which can attach them.
            AGENT if !may_use_sqlite(node) => &[Capability::Files],
            // These nodes run code only if they sort by it.
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
                    // n8n's editor never writes an object without a value.
                    Some(Value::Object(locator)) => locator.get("value").or(stored),
                    stored => stored,
                };
                // A null selects the workflow with the smallest id where n8n does not require the parameter (measured: as a tool).
                if !id.is_none_or(is_static) {
                    self.found.any_workflow.insert(at.to_owned());
                }
            }
            Some("parameter") => match node.parameter("workflowJson") {
                None | Some(Value::Null) => {}
                Some(inline) => match inline::parse(inline).filter(|_| depth < DEEPEST) {
                    Some(Inline { id, definition }) => {
                        self.found.workflows.extend(id);
                        self.follow(&definition, Some(at), depth + 1);
                    }
                    None => drop(self.found.anything.insert(at.to_owned())),
                },
            },
            // Loaded from a file or a URL, or computed by an expression.
            _ => drop(self.found.anything.insert(at.to_owned())),
        }
    }

    fn table(&mut self, node: &Node, base: &str, at: &str) {
        let is = |key: &str, wanted: &[&str]| node.parameter(key).and_then(Value::as_str).is_some_and(|value| wanted.contains(&value));
        if base == DATA_TABLE && node.parameter("resource").is_some() && !is("resource", &["row"]) && !is("operation", &OF_ONE_TABLE) {
            // The operation lists all tables, or creates one.
            self.found.any_table.insert(at.to_owned());
        }
        let stored = node.parameter("dataTableId");
        let (id, by_id) = match stored {
            None => return,
            Some(Value::Object(locator)) => {
                // A name matches every table whose name contains it.
                (locator.get("value").or(stored), locator.get("mode").is_none_or(|mode| mode == "id" || mode == "list"))
            }
            stored => (stored, true),
        };
        match id {
            None => {}
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
            // Without an id n8n uses any credential that it finds.
            None => drop(self.found.anything.insert(holder.to_owned())),
        }
    }
}

/// Reports whether an agent may run SQL on a file that it is given.
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

#[cfg(test)]
mod tests;
