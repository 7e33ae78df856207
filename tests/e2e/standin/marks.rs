//! Watches telemetry marks: how many workflows with one mark existed at the same time, at any time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A mark that was on more than one workflow at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub key: String,
    pub value: String,
    /// The maximum number of workflows that had it at the same time.
    pub at_once: usize,
    /// The workflows that had it at that time.
    pub workflows: Vec<String>,
}

type Mark = (String, String);

#[derive(Default)]
pub(crate) struct Marks {
    holders: BTreeMap<Mark, BTreeSet<String>>,
    /// The inverse, so that forgetting one of thousands is fast.
    by_workflow: BTreeMap<String, Vec<Mark>>,
    seen: BTreeMap<Mark, Duplicate>,
}

/// Returns the marks in a workflow's settings.
pub(crate) fn marks_of(settings: &Map<String, Value>) -> Vec<Mark> {
    let tags = settings.get("customTelemetryTags").and_then(Value::as_array);
    tags.into_iter()
        .flatten()
        .filter_map(|tag| {
            let text = |name| tag.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((text("key")?, text("value")?))
        })
        .collect()
}

impl Marks {
    /// Follows a change of settings.
    pub(crate) fn follow(&mut self, workflow: &str, settings: &Map<String, Value>) {
        self.forget(workflow);
        let marks = marks_of(settings);
        for mark in &marks {
            let holders = self.holders.entry(mark.clone()).or_default();
            holders.insert(workflow.to_owned());
        }
        if !marks.is_empty() {
            self.by_workflow.insert(workflow.to_owned(), marks);
        }
    }

    /// Follows a create through the API, the only operation that must never create a second holder.
    pub(crate) fn created(&mut self, workflow: &str, settings: &Map<String, Value>) {
        self.follow(workflow, settings);
        for mark in marks_of(settings) {
            let holders = &self.holders[&mark];
            let known = self.seen.get(&mark).map_or(1, |seen| seen.at_once);
            if holders.len() > known {
                let duplicate = Duplicate {
                    key: mark.0.clone(),
                    value: mark.1.clone(),
                    at_once: holders.len(),
                    workflows: holders.iter().cloned().collect(),
                };
                self.seen.insert(mark, duplicate);
            }
        }
    }

    pub(crate) fn forget(&mut self, workflow: &str) {
        for mark in self.by_workflow.remove(workflow).unwrap_or_default() {
            if let Some(holders) = self.holders.get_mut(&mark) {
                holders.remove(workflow);
            }
        }
    }

    pub(crate) fn seen(&self, key: &str) -> Vec<Duplicate> {
        self.seen.values().filter(|duplicate| duplicate.key == key).cloned().collect()
    }
}
