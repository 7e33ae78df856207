//! References between workflows that are imported together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::chosen::{Chosen, Note};
use crate::document::definition::Definition;
use crate::document::references::{Reference, ReferencePlace, sub_workflow_references};

/// Returns the entries of `spec.references` for each workflow, in order. A reference to a workflow that is not imported, or one that would
/// close a reference cycle, stays an id of n8n and is noted.
pub(super) fn link(taken: &[(Chosen, Definition)], notes: &mut Vec<Note>) -> Vec<Vec<Value>> {
    let names: BTreeMap<&str, &str> = taken.iter().map(|(one, _)| (one.workflow.id.as_str(), one.name.as_str())).collect();
    let found: Vec<Vec<Reference>> = taken.iter().map(|(_, definition)| sub_workflow_references(definition)).collect();
    let mut links = Links::default();
    // Calls first: if a cycle has to be broken, a setting can stay an id.
    for calls in [true, false] {
        for ((one, _), references) in taken.iter().zip(&found) {
            let wanted = |reference: &&Reference| matches!(reference.place, ReferencePlace::Node(_)) == calls;
            for reference in references.iter().filter(wanted).filter(|reference| names.contains_key(reference.id.as_str())) {
                links.add(&one.workflow.id, &reference.id);
            }
        }
    }
    let entries = taken.iter().zip(&found).map(|((one, _), references)| {
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for Reference { id, path, .. } in references.iter().filter(|reference| seen.insert(reference.id.as_str())) {
            let why = match names.get(id.as_str()) {
                Some(name) if links.has(&one.workflow.id, id) => {
                    entries.push(json!({ "id": id, "workflowRef": { "name": name } }));
                    continue;
                }
                Some(_) => "which would close a reference cycle",
                None => "which is not imported",
            };
            let message = format!("{path} refers to workflow {id} of n8n, {why}; it stays an id of this n8n");
            notes.push(Note { name: one.name.clone(), message });
        }
        entries
    });
    entries.collect()
}

/// References between workflows, without cycles.
#[derive(Default)]
struct Links<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Links<'a> {
    fn add(&mut self, from: &'a str, to: &'a str) {
        if !self.leads(to, from) {
            self.0.entry(from).or_default().insert(to);
        }
    }

    fn has(&self, from: &str, to: &str) -> bool {
        self.0.get(from).is_some_and(|all| all.contains(to))
    }

    fn leads(&self, from: &'a str, to: &str) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(self.0.get(at).into_iter().flatten());
            }
        }
        false
    }
}
