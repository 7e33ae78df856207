//! References of a Workflow that cannot be right, and uses of an instance that its owner does not grant.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::instance::N8nInstanceSpec;
use crate::api::workflow::WorkflowSpec;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::derive::IdentitySeed;
use crate::document::finding::quoted;
use crate::domain::access::{Use, may_refer, may_use, no_adoption, no_credential, no_project, no_tag};
use crate::domain::reach::{Reach, reach};
use crate::domain::reference_cycle::{CycleSearch, missing};
use crate::domain::render::abstract_references;
use crate::domain::ungranted_access::ungranted;

/// The N8nInstance that a Workflow refers to, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct InstanceFacts<'a> {
    /// Namespace of the instance.
    pub namespace: &'a str,
    /// Spec of the instance; None if there is none of that name.
    pub spec: Option<&'a N8nInstanceSpec>,
    /// Labels of the Workflow's namespace, if they are known.
    pub labels: Option<&'a BTreeMap<String, String>>,
}

impl<'a> InstanceFacts<'a> {
    /// Returns the spec of the instance if it exists and allows a namespace. The two are never distinguished: who may not refer to an instance
    /// does not learn that it exists.
    fn allowing(&self, namespace: &str) -> Option<&'a N8nInstanceSpec> {
        let none = BTreeMap::new();
        self.spec.filter(|spec| may_refer(&spec.allowed_namespaces, self.namespace, namespace, self.labels.unwrap_or(&none)))
    }
}

/// Returns the problems of the references and grants, each with whether it is certain. `definition` is the inline one, if it could be read;
/// `references_of` returns what a Workflow of the namespace refers to, None if there is none of that name.
pub fn problems(
    spec: &WorkflowSpec,
    definition: Option<&Definition>,
    (namespace, name): (&str, &str),
    instance: InstanceFacts<'_>,
    (catalog, certain): (&Catalog, bool),
    references_of: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    cycle_or_missing(spec, name, references_of, &mut found);
    let Some(target) = instance.allowing(namespace) else {
        // It may be applied or allowed later, in whatever order.
        let name = &spec.instance_ref.name;
        let lack = match instance.namespace == namespace {
            true => format!("N8nInstance {name} does not exist in this namespace"),
            false => {
                format!("N8nInstance {name} does not exist in namespace {} or does not allow namespace {namespace}", instance.namespace)
            }
        };
        found.insert(0, (false, format!("{lack}; the Workflow waits until it does")));
        return found;
    };
    if instance.namespace == namespace {
        return found;
    }
    let granted = |wanted: Use<'_>| may_use(target, instance.namespace, namespace, wanted);
    if let Some(adopt) = spec.adopt.as_ref().filter(|adopt| !granted(Use::Adopt(&adopt.id))) {
        found.push((true, no_adoption(namespace, &adopt.id)));
    }
    if let Some(project) = spec.project.as_ref().filter(|project| !granted(Use::Project(&project.id))) {
        found.push((true, no_project(namespace, &project.id)));
    }
    found.extend(spec.tags.iter().flatten().filter(|tag| !granted(Use::Tag(tag))).map(|tag| (true, no_tag(namespace, tag))));
    credentials(spec, target, namespace, &granted, &mut found);
    if let Some(definition) = definition {
        reached(spec, definition, namespace, target, (catalog, certain), &granted, &mut found);
    }
    found
}

/// Follows the references to Workflows: a cycle can never be published, one that is missing may be created later.
fn cycle_or_missing(spec: &WorkflowSpec, name: &str, references_of: &dyn Fn(&str) -> Option<Vec<String>>, found: &mut Vec<(bool, String)>) {
    let names: BTreeSet<&str> = spec.references.iter().map(|reference| reference.workflow_ref.name.as_str()).collect();
    let lacking = names.iter().filter(|other| **other != name && references_of(other).is_none());
    found.extend(lacking.map(|other| (false, format!("{}; the Workflow waits until it does", missing(other)))));
    let mut search = CycleSearch::new(name, names.iter().map(|other| (*other).to_owned()));
    loop {
        match search.advance().map(|next| next.map(|next| references_of(next).unwrap_or_default())) {
            Ok(Some(references)) => search.follow(references),
            Ok(None) => return,
            Err(message) => return found.push((true, message)),
        }
    }
}

/// A credential that is named by its id may be granted by its name and the other way round, which only n8n can resolve.
fn credentials(
    spec: &WorkflowSpec,
    target: &N8nInstanceSpec,
    namespace: &str,
    granted: &dyn Fn(Use<'_>) -> bool,
    found: &mut Vec<(bool, String)>,
) {
    let any = grants_credentials(target, namespace);
    for mapping in &spec.credentials {
        // An N8nCredential of the namespace needs no grant: its own controller decides what it may be.
        let Some(existing) = &mapping.existing else { continue };
        let Some(word) = existing.id.as_deref().or(existing.name.as_deref()) else { continue };
        if granted(Use::Credential { id: word, name: word }) {
            continue;
        }
        let what = if existing.id.is_some() { format!("id {word}") } else { format!("name {}", quoted(word)) };
        found.push((!any, no_credential(namespace, mapping.kind.as_deref(), &what, "spec.credentials")));
    }
}

/// Reports whether the namespace is granted any credential.
fn grants_credentials(target: &N8nInstanceSpec, namespace: &str) -> bool {
    let of_namespace = |list: &[String]| list.iter().any(|one| one == "*" || one == namespace);
    target.grants.iter().any(|grant| of_namespace(&grant.namespaces) && !grant.credentials.is_empty())
}

fn reached(
    spec: &WorkflowSpec,
    definition: &Definition,
    namespace: &str,
    target: &N8nInstanceSpec,
    (catalog, certain): (&Catalog, bool),
    granted: &dyn Fn(Use<'_>) -> bool,
    found: &mut Vec<(bool, String)>,
) {
    // Ids that are derived from the identity of the object reach nothing.
    let seed = IdentitySeed { cluster_id: String::new(), namespace: namespace.to_owned(), name: String::new() };
    let symbolic = abstract_references(definition.clone(), spec, &seed);
    let whole = reach(&symbolic.definition, catalog);
    let by_id = Reach { credentials: whole.credentials.clone(), ..Reach::default() };
    let rest = Reach { credentials: BTreeSet::new(), ..whole };
    let any = grants_credentials(target, namespace);
    found.extend(ungranted(&rest, &[], granted).map(|error| (certain, error.message)));
    found.extend(ungranted(&by_id, &[], granted).map(|error| (!any, error.message)));
}

#[cfg(test)]
mod tests;
