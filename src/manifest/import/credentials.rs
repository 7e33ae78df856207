//! Mapping of the credentials of a definition to those of the instance that it came from, or to N8nCredentials that adopt these.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::naming::label;
use crate::api::workflow::InstanceRef;
use crate::document::definition::Definition;
use crate::document::finding::quoted;
use crate::domain::credential::mark::LONGEST_NAME;
use crate::manifest::skeleton::Skeleton;
use crate::text::sha256::sha256_hex;

/// A credential as a node of a workflow in n8n names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    kind: &'a str,
    id: &'a str,
    /// The node's name for it, or its id if it has none.
    name: &'a str,
}

/// The N8nCredentials that adopt the credentials of all imported workflows.
#[derive(Debug, Default)]
pub(super) struct Adopted {
    /// By type and id in n8n.
    all: BTreeMap<(String, String), Skeleton>,
}

impl Adopted {
    /// Makes one N8nCredential for each credential that the definitions use, whatever each of them calls it.
    pub(super) fn of<'a>(definitions: impl Iterator<Item = &'a Definition>, instance: &InstanceRef, namespace: Option<&str>) -> Self {
        let mut titles: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for definition in definitions {
            for entry in entries(definition) {
                titles.entry((entry.kind.to_owned(), entry.id.to_owned())).or_default().insert(entry.name.to_owned());
            }
        }
        let plain = |titles: &BTreeSet<String>| label(titles.first().map_or("", String::as_str), "credential");
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        titles.values().for_each(|titles| *counts.entry(plain(titles)).or_default() += 1);
        let skeleton = |(key, titles): (&(String, String), &BTreeSet<String>)| {
            let name = plain(titles);
            // None of several with one name keeps it, so that their order does not matter.
            let name = if counts[&name] > 1 { format!("{name}-{}", &sha256_hex(&key.1)[..8]) } else { name };
            let title = titles.first().cloned().unwrap_or_default();
            let fits = title != name && (1..=LONGEST_NAME).contains(&title.chars().count());
            let skeleton = Skeleton {
                name,
                namespace: namespace.map(str::to_owned),
                instance: instance.clone(),
                kind: key.0.clone(),
                display_name: fits.then_some(title),
                adopt: Some(key.1.clone()),
                comments: Vec::new(),
            };
            (key.clone(), skeleton)
        };
        Self { all: titles.iter().map(skeleton).collect() }
    }

    /// Returns the name of the N8nCredential for a credential.
    fn name(&self, kind: &str, id: &str) -> Option<&str> {
        Some(&self.all.get(&(kind.to_owned(), id.to_owned()))?.name)
    }

    /// Returns the N8nCredentials in the order of their names.
    pub(super) fn into_skeletons(self) -> Vec<Skeleton> {
        let mut all: Vec<Skeleton> = self.all.into_values().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

/// Returns the credentials that the nodes name with an id.
fn entries(definition: &Definition) -> impl Iterator<Item = Entry<'_>> {
    let all = definition.nodes.iter().flat_map(|node| node.credentials().into_iter().flatten());
    all.filter_map(|(kind, reference)| {
        let id = text(reference, "id")?;
        Some(Entry { kind, id, name: text(reference, "name").unwrap_or(id) })
    })
}

fn text<'a>(reference: &'a Value, key: &str) -> Option<&'a str> {
    reference.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Returns the entries of `spec.credentials`, and notes on credentials that could not be mapped. With `adopted` they name N8nCredentials.
pub(super) fn map(definition: &Definition, adopted: Option<&Adopted>) -> (Vec<Value>, Vec<String>) {
    let mut unmapped = Vec::new();
    for node in &definition.nodes {
        for (kind, _) in node.credentials().into_iter().flatten().filter(|(_, reference)| text(reference, "id").is_none()) {
            unmapped.push(format!("node {}: its credential of type {kind} has no id; map it in spec.credentials", quoted(node.name())));
        }
    }
    // Ids by name, then by type.
    let mut called: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for entry in entries(definition) {
        called.entry(entry.name).or_default().entry(entry.kind).or_default().insert(entry.id);
    }
    let mut mappings = Vec::new();
    for (name, kinds) in &called {
        for (kind, ids) in kinds {
            for id in ids {
                // Several of one name and type are distinguished by their ids, which the nodes hold too.
                let mut mapping = json!({ "name": if ids.len() > 1 { id } else { name } });
                match adopted.and_then(|adopted| adopted.name(kind, id)) {
                    Some(object) => mapping["credentialRef"] = json!({ "name": object }),
                    None => mapping["existing"] = json!({ "id": id }),
                }
                if kinds.len() > 1 {
                    mapping["type"] = json!(kind);
                }
                mappings.push(mapping);
            }
        }
    }
    (mappings, unmapped)
}
