//! Import of workflows from n8n, as manifests that adopt them.

mod chosen;
mod credentials;
mod naming;
mod references;

use serde_json::{Map, Value, json};

use crate::api::workflow::InstanceRef;
use crate::api::workflow::LARGEST_INLINE;
use crate::document::definition::Definition;
use crate::document::finding::quoted;
use crate::domain::mark;
use crate::domain::remote::RemoteWorkflow;
use crate::manifest::skeleton::Skeleton;
use crate::validator::check::parse_owned_and_check;
use credentials::Adopted;

pub use chosen::{Chosen, Note};
pub use naming::{Known, label, names};

/// Maximum size of a text in a ConfigMap, with room for the rest of the object: the API server accepts a little over 1 MiB.
const LARGEST_CONFIG_MAP: usize = 1_000_000;
/// Size from which JSON in a ConfigMap is written without whitespace.
const LARGEST_INDENTED: usize = 600_000;
/// Limits of the lists in a spec.
const MOST_TAGS: usize = 32;

/// Annotation by which Flux leaves out an object from the substitution of variables.
const NO_SUBSTITUTION: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Destination of the manifests.
#[derive(Clone, Debug)]
pub struct Target {
    /// The N8nInstance for the n8n of the import.
    pub instance: InstanceRef,
    /// Namespace in the manifests, if any.
    pub namespace: Option<String>,
    /// True if N8nCredentials adopt the credentials that the workflows use.
    pub credentials: bool,
}

/// Manifests of one workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Name of the object.
    pub name: String,
    /// The objects: a ConfigMap for a large definition, then the Workflow.
    pub objects: Vec<Value>,
}

/// Manifests of all workflows.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Those of each workflow, in the order of their names.
    pub workflows: Vec<Imported>,
    /// The credentials that they use, if these are to be adopted, in the order of their names.
    pub credentials: Vec<Skeleton>,
    /// Notes for people.
    pub notes: Vec<Note>,
}

/// Generates manifests of workflows.
pub fn import(mut chosen: Vec<Chosen>, target: &Target) -> Import {
    chosen.sort_by(|a, b| a.name.cmp(&b.name));
    let mut notes = Vec::new();
    let mut taken: Vec<(Chosen, Definition)> = Vec::new();
    for one in chosen {
        match definition(&one.workflow) {
            Ok((definition, odd)) => {
                notes.extend(odd.into_iter().map(|message| Note { name: one.name.clone(), message }));
                taken.push((one, definition));
            }
            Err(message) => notes.push(Note { name: one.name, message: format!("left out: {message}") }),
        }
    }
    let linked = references::link(&taken, &mut notes);
    let adopted = target
        .credentials
        .then(|| Adopted::of(taken.iter().map(|(_, definition)| definition), &target.instance, target.namespace.as_deref()));
    let mut workflows = Vec::new();
    for ((one, definition), references) in taken.iter().zip(linked) {
        match objects(one, definition, references, (target, adopted.as_ref()), &mut notes) {
            Ok(objects) => workflows.push(Imported { name: one.name.clone(), objects }),
            Err(message) => notes.push(Note { name: one.name.clone(), message }),
        }
    }
    Import { workflows, credentials: adopted.map(Adopted::into_skeletons).unwrap_or_default(), notes }
}

/// Returns the definition without its name, the mark, pinned data and everything else that is not the author's.
fn definition(workflow: &RemoteWorkflow) -> Result<(Definition, Vec<String>), String> {
    let raw = json!({
        "nodes": workflow.nodes, "connections": workflow.connections, "settings": workflow.settings, "nodeGroups": workflow.node_groups,
    });
    let lines = |findings: Vec<crate::document::finding::Finding>| findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut intake = parse_owned_and_check(raw).map_err(|findings| lines(findings).join("; "))?;
    mark::strip(&mut intake.definition.settings);
    Ok((intake.definition, lines(intake.warnings)))
}

fn objects(
    one: &Chosen,
    definition: &Definition,
    references: Vec<Value>,
    (target, adopted): (&Target, Option<&Adopted>),
    notes: &mut Vec<Note>,
) -> Result<Vec<Value>, String> {
    let (workflow, name) = (&one.workflow, &one.name);
    let mut note = |message: String| notes.push(Note { name: name.clone(), message });
    let mut spec = Map::new();
    spec.insert("instanceRef".into(), json!(target.instance));
    if workflow.name != *name && !workflow.name.is_empty() {
        spec.insert("displayName".into(), json!(workflow.name));
    }
    spec.insert("active".into(), json!(workflow.active));
    spec.insert("adopt".into(), json!({ "id": workflow.id }));
    let (tags, odd): (Vec<&str>, Vec<&str>) = workflow
        .tags
        .iter()
        .map(|tag| tag.name.as_str())
        .partition(|tag| !tag.is_empty() && !tag.contains(',') && tag.chars().count() <= 24);
    for tag in &odd {
        note(format!("the tag {} cannot be listed in spec.tags; it is left unchanged in n8n", quoted(tag)));
    }
    let mut tags: Vec<&str> = tags.into_iter().take(MOST_TAGS).collect();
    tags.sort_unstable();
    if !tags.is_empty() {
        spec.insert("tags".into(), json!(tags));
    }
    let (mappings, unmapped) = credentials::map(definition, adopted);
    unmapped.into_iter().for_each(&mut note);
    if !mappings.is_empty() {
        spec.insert("credentials".into(), json!(mappings));
    }
    if !references.is_empty() {
        spec.insert("references".into(), json!(references));
    }
    let content = json!(definition);
    let compact = content.to_string();
    let mut objects = Vec::new();
    let mut inline = Value::Object(spec.clone()).to_string();
    if compact.len() <= LARGEST_INLINE {
        inline.push_str(&compact);
        spec.insert("definition".into(), content);
    } else {
        let indented = format!("{content:#}\n");
        let text = if indented.len() <= LARGEST_INDENTED { indented } else { compact };
        if text.len() > LARGEST_CONFIG_MAP {
            return Err(format!("left out: its definition has {} bytes and does not fit into a ConfigMap", text.len()));
        }
        let map = format!("{name}-definition");
        spec.insert("definitionFrom".into(), json!({ "configMapKeyRef": { "name": map, "key": "workflow.json" } }));
        let metadata = metadata(&map, target, &text);
        objects.push(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "workflow.json": text } }));
    }
    objects.push(
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "Workflow", "metadata": metadata(name, target, &inline), "spec": spec }),
    );
    Ok(objects)
}

/// Returns the metadata of an object with this content. A Kustomization of Flux with `postBuild` would replace each `${…}` in the object, so
/// one that has any asks it not to.
fn metadata(name: &str, target: &Target, content: &str) -> Value {
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = &target.namespace {
        metadata["namespace"] = json!(namespace);
    }
    if content.contains("${") {
        metadata["annotations"] = json!({ NO_SUBSTITUTION: "disabled" });
    }
    metadata
}

#[cfg(test)]
mod tests;
