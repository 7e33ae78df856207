//! Plan of a level: consequences of its parameters alone. It is computed once, on first use, and kept beside them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use serde_json::Value;

use super::display::Clause;

/// Error for values that n8n could not load: it throws when the workflow is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {0:?} has a value that n8n cannot load")]
pub struct Misshapen(pub String);

/// Cache of what is computed about the parameters beside it.
#[derive(Clone, Debug, Default)]
pub struct Planned(pub(super) OnceLock<Box<Plan>>);

impl PartialEq for Planned {
    /// Always equal: a plan follows from the parameters, whether it is computed or not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Plan that is computed from the parameters of a level.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The parameters of each name.
    pub(super) names: HashMap<String, Name>,
    /// The distinct clauses of the parameters' conditions.
    pub(super) clauses: Vec<Clause>,
    /// Indexes of clauses, those of a parameter next to each other.
    pub(super) listed: Vec<usize>,
    /// Range of each parameter in that list.
    pub(super) ranges: Vec<Range<usize>>,
    /// The order in which n8n visits the parameters.
    pub(super) visits: Result<Visits, Misshapen>,
    /// Defaults that n8n changes when it loads them, by index of the parameter.
    pub(super) defaults: HashMap<usize, Value>,
    /// Indexes of parameters that may have issues, and whether they may have one while they do not show.
    pub(super) checked: Vec<(usize, bool)>,
    /// Indexes of parameters that select a type of credential.
    pub(super) selectors: Vec<usize>,
}

/// Parameters with the same name.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    /// Their indexes.
    pub(super) at: Vec<usize>,
    /// Position of the first visit of one of them.
    pub(super) first: Option<usize>,
    /// Position of the last visit.
    pub(super) last: usize,
}

/// The order in which n8n visits the parameters.
#[derive(Clone, Debug)]
pub(super) struct Visits {
    /// All visits.
    pub(super) all: Vec<Visit>,
    /// Successive visits with the same first clause.
    pub(super) runs: Vec<Run>,
}

/// A visit of a parameter.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// Index of the parameter.
    pub(super) at: usize,
    /// True if its value is neither a collection nor groups.
    pub(super) simple: bool,
    /// True if other parameters of the level have the same name.
    pub(super) repeated: bool,
    /// True if no parameter that its conditions mention is visited again: whether it shows is certain from here on.
    pub(super) decided: bool,
}

/// Successive visits with the same first clause: if it hides one of them, it hides all.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Positions of the visits.
    pub(super) visits: Range<usize>,
    /// Index of the clause.
    pub(super) clause: Option<usize>,
    /// True if what it says is certain from the first visit on.
    pub(super) decided: bool,
}
