//! The workflow while it grows: nodes, edges, and what the items are about.

use serde_json::{Map, Value};

use super::data::Data;
use super::fill::{self, Placed};
use super::given::Source;
use super::operations::Operation;
use super::services::Lexicon;
use crate::catalog::Catalog;
use crate::generation::compact::{Case, CompactNode};

/// A workflow that grows.
pub(super) struct Flow<'c> {
    pub catalog: &'c Catalog,
    pub lexicon: &'c Lexicon,
    pub nodes: Vec<CompactNode>,
    pub edges: Vec<String>,
    /// Where the next node is attached: an id, with an output if it needs one.
    pub tail: String,
    /// Data of the items.
    pub data: Data,
    /// Their data before, the latest last.
    pub earlier: Vec<Data>,
    /// Text that was made for the item: the code that reads it.
    pub made: Option<String>,
    /// Node and property that hold the item's file.
    pub file: Option<(String, String)>,
    pub assumptions: Vec<String>,
    /// Number of nodes with an effect outside the workflow.
    pub effects: usize,
    /// True if each item is handled for itself, as the prompt says.
    pub each: bool,
    /// Node whose outputs are the moods of the text.
    pub mood: Option<String>,
    /// Node that collected the items.
    pub collected: Option<String>,
    /// Names of the prompt for places that have their parameter.
    pub placed: Vec<String>,
}

/// Returns the node of an output: `if` of `if.true`.
pub(super) fn node_of(output: &str) -> &str {
    output.split_once('.').map_or(output, |(node, _)| node)
}

/// Returns the parameters and the conditions of a node as a text, to look for values in.
pub(super) fn written(node: &CompactNode) -> String {
    serde_json::to_string(&(&node.set, &node.when)).unwrap_or_default()
}

impl<'c> Flow<'c> {
    pub(super) fn new(catalog: &'c Catalog, lexicon: &'c Lexicon) -> Self {
        Self {
            catalog,
            lexicon,
            nodes: Vec::new(),
            edges: Vec::new(),
            tail: String::new(),
            data: Data::default(),
            earlier: Vec::new(),
            made: None,
            file: None,
            assumptions: Vec::new(),
            effects: 0,
            each: false,
            mood: None,
            collected: None,
            placed: Vec::new(),
        }
    }

    /// Begins the workflow with a trigger, whose output is the data.
    pub(super) fn begin(&mut self, id: &str, kind: &str, event: Option<&str>, noun: &str) {
        self.extend(id);
        let data = Data::of(id, kind, event);
        // An unknown event of a service is a record as it is.
        let raw = data.fields.is_empty() && data.open.is_none();
        self.data = Data { noun: noun.to_owned(), raw, ..data };
    }

    /// Returns the type of a node.
    pub(super) fn get(&self, id: &str) -> Option<&CompactNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    pub(super) fn kind_of(&self, id: &str) -> &str {
        self.get(id).map(|node| node.kind.as_str()).unwrap_or_default()
    }

    /// Adds a node without connections; returns its id.
    pub(super) fn node(&mut self, kind: &str, name: &str, set: Map<String, Value>) -> String {
        let id = format!("n{}", self.nodes.len() + 1);
        let taken = |name: &str| self.nodes.iter().any(|node| node.name == name);
        let name =
            (1..).map(|at| if at == 1 { name.to_owned() } else { format!("{name} {at}") }).find(|name| !taken(name)).unwrap_or_default();
        self.nodes.push(CompactNode { id: id.clone(), kind: kind.to_owned(), name, set, ..CompactNode::default() });
        id
    }

    /// Attaches a node to the end of the branch; the branch goes on as before.
    pub(super) fn attach(&mut self, id: &str) {
        if !self.tail.is_empty() {
            self.edges.push(format!("{}>{id}", self.tail));
        }
    }

    /// Attaches a node to the end of the branch, which goes on behind it.
    pub(super) fn extend(&mut self, id: &str) {
        self.attach(id);
        id.clone_into(&mut self.tail);
    }

    /// Attaches a node to the node that holds the item's file, behind the conditions that stand between it and the end of the branch: other nodes drop
    /// the file.
    ///
    /// # Errors
    ///
    /// A message where a condition stands behind a node that drops the file.
    pub(super) fn attach_to_file(&mut self, holder: &str, id: &str) -> Result<(), String> {
        let chooses =
            |own: &str| matches!(self.kind_of(own), "filter" | "if" | "limit" | "removeDuplicates" | "sort" | "wait" | "sentimentAnalysis");
        // From the end of the branch back to the holder: each node with the output that leads to it.
        let mut path = vec![self.tail.as_str()];
        while let Some(from) = path.last().copied().map(node_of).filter(|own| *own != holder).and_then(|own| self.leading_to(own).next())
            && path.len() <= self.nodes.len()
        {
            path.push(from);
        }
        path.reverse();
        let kept = path.iter().take_while(|output| node_of(output) == holder || chooses(node_of(output))).count();
        if path[kept..].iter().any(|output| chooses(node_of(output))) {
            return Err("the file behind a condition".to_owned());
        }
        let source = kept.checked_sub(1).map_or(holder, |last| path[last]);
        let edge = format!("{source}>{id}");
        self.edges.push(edge);
        Ok(())
    }

    /// Returns the outputs that lead to a node.
    pub(super) fn leading_to<'f>(&'f self, id: &'f str) -> impl Iterator<Item = &'f str> {
        self.edges.iter().filter_map(move |edge| edge.split_once('>').filter(|(_, to)| *to == id).map(|(from, _)| from))
    }

    /// Returns the last node at the end of the branch from which nothing goes on.
    pub(super) fn last_effect(&self) -> Option<String> {
        let leads = |id: &str| self.edges.iter().any(|edge| edge.split(['.', '>']).next() == Some(id));
        let last = self.nodes.iter().rev().find(|node| !leads(&node.id) && !self.tail.starts_with(&node.id))?;
        let mut from = self.leading_to(&last.id).next()?;
        // Behind the node that prepares its record.
        if self.nodes.iter().any(|node| node.id == node_of(from) && node.name.starts_with("Prepare Record")) {
            from = self.leading_to(node_of(from)).next()?;
        }
        (from == self.tail).then(|| last.id.clone())
    }

    /// Removes a node that repeats another: a prompt may name the place of one thing twice.
    pub(super) fn drop_repeated(&mut self) {
        let repeats = |flow: &Self, at: usize| {
            let node = &flow.nodes[at];
            let leads = flow.edges.iter().any(|edge| edge.split(['.', '>']).next() == Some(node.id.as_str()));
            let same = |other: &CompactNode| {
                (&other.kind, &other.set) == (&node.kind, &node.set) && flow.leading_to(&other.id).eq(flow.leading_to(&node.id))
            };
            !leads && !node.set.is_empty() && flow.nodes[..at].iter().any(same)
        };
        while let Some(at) = (1..self.nodes.len()).find(|at| repeats(self, *at)) {
            let node = self.nodes.remove(at);
            self.edges.retain(|edge| edge.split_once('>').is_none_or(|(_, to)| to != node.id));
            self.effects = self.effects.saturating_sub(1);
        }
    }

    /// Makes the items those of another node.
    pub(super) fn turn_to(&mut self, data: Data) {
        let before = std::mem::replace(&mut self.data, data);
        self.earlier.push(before);
        self.made = None;
    }

    /// Remembers the places of the prompt that have their parameter, and says where an id is to be given because n8n takes no name.
    pub(super) fn place(&mut self, placed: Vec<Placed>) {
        for Placed { place, name, slot } in placed {
            if let Some(slot) = slot {
                self.assume(format!("Give the id of the {place} {name} as {slot}"));
            }
            self.placed.push(name);
        }
    }

    pub(super) fn assume(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.assumptions.contains(&text) {
            self.assumptions.push(text);
        }
    }

    /// Returns the node of an id.
    pub(super) fn by_id(&mut self, id: &str) -> Option<&mut CompactNode> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    /// Adds a condition with these cases, behind which the branch goes on at `true`.
    pub(super) fn condition(&mut self, kind: &str, name: &str, cases: Vec<Case>) -> String {
        let id = self.node(kind, name, Map::new());
        if let Some(node) = self.by_id(&id) {
            node.when = cases;
        }
        self.attach(&id);
        self.tail = if kind == "filter" { id.clone() } else { format!("{id}.true") };
        id
    }

    /// Returns the code that reads what a noun means, in the latest data that has it.
    pub(super) fn read(&self, noun: &str) -> Option<String> {
        let all = || std::iter::once(&self.data).chain(self.earlier.iter().rev());
        let known = all().find_map(|data| data.field(noun).map(|field| data.code(&field.path)));
        known.or_else(|| all().find_map(|data| data.read(noun)))
    }

    /// Returns the code of the item's e-mail address.
    pub(super) fn address(&self) -> Option<String> {
        std::iter::once(&self.data).chain(self.earlier.iter().rev()).find_map(Data::address)
    }

    /// Adds a node of a service and fills it in; returns its id, without a connection.
    ///
    /// # Errors
    ///
    /// The name of a parameter that has no value.
    pub(super) fn act(
        &mut self,
        full: &str,
        operation: &Operation,
        name: &str,
        source: &Source,
        mut set: Map<String, Value>,
    ) -> Result<String, String> {
        if operation.in_set {
            set.insert("operation".to_owned(), operation.operation.as_str().into());
        }
        const OF_ONE: &[&str] = &[
            "get",
            "update",
            "delete",
            "close",
            "complete",
            "archive",
            "reopen",
            "move",
            "deleteRecord",
            "edit",
            "cancel",
            "addNote",
            "addLabels",
            "markAsRead",
        ];
        let mut source = source.clone();
        let parts: Vec<&str> = operation.name.split('.').collect();
        source.service = parts.first().copied().unwrap_or_default().to_owned();
        if OF_ONE.contains(&operation.operation.as_str()) && !set.keys().any(|key| key.to_lowercase().ends_with("id")) {
            source.own_id = parts.get(1).filter(|_| parts.len() > 2).copied().unwrap_or("record").to_owned();
        }
        let source = &source;
        let placed = fill::fill(&operation.name, full, &operation.operation, &mut set, source, self.catalog)?;
        self.place(placed);
        Ok(self.node(&operation.kind, name, set))
    }
}
