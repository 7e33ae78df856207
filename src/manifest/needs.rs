//! The credentials that the workflows of a set need and that nothing in it provides, as manifests to fill in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::credentials::CredentialManifest;
use super::namespace_rules::may_share;
use super::report::{Kind, Report, Source};
use super::set::Member;
use super::skeleton::Skeleton;
use crate::api::workflow::{CredentialMapping, InstanceRef};
use crate::document::definition::Definition;
use crate::document::finding::quoted;
use crate::domain::credential::mark::LONGEST_NAME;
use crate::domain::render::{called, mapping_of};
use crate::text::sha256::sha256_hex;

use super::import::label;

/// Where credentials are to be made if a workflow does not say it.
#[derive(Clone, Debug, Default)]
pub struct ExportTarget {
    /// N8nInstance for workflows that are not Workflow objects.
    pub instance: Option<InstanceRef>,
    /// Namespace for objects without one.
    pub namespace: Option<String>,
}

/// Manifests to write, and what to tell people.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The credentials, each once, in the order in which the workflows need them.
    pub skeletons: Vec<Skeleton>,
    /// Steps that are left for a credential that needs no manifest.
    pub notes: Vec<String>,
    /// Workflows for which nothing could be written, and why.
    pub problems: Vec<String>,
}

/// A credential of one workflow.
struct Need<'a> {
    kind: &'a str,
    /// The definition's name for it; None if a node needs one and names none.
    called: Option<String>,
    node: &'a str,
    mapping: Option<&'a CredentialMapping>,
}

/// Collects what the workflows of a set need.
pub(super) fn collect(
    sources: &[Source],
    reports: &[Report],
    members: &[Member],
    declared: &[CredentialManifest],
    target: &ExportTarget,
) -> Needs {
    let mut needs = Needs::default();
    for (number, report) in reports.iter().enumerate().filter(|(_, report)| report.kind == Kind::Workflow) {
        let member = members.iter().find(|member| member.report() == number);
        let Some(definition) = &report.definition else {
            needs.problems.push(format!("{}: the workflow cannot be read; `weirkeeper validate` says why", report.name));
            continue;
        };
        let file = sources.get(report.source).map_or("", |source| source.name.as_str());
        let wanted = wanted(definition, report, member);
        if wanted.is_empty() {
            continue;
        }
        let instance = member.map(|member| member.spec().instance_ref.clone()).or_else(|| target.instance.clone());
        let Some(instance) = instance else {
            needs.problems.push(format!("{file}: this is an export of n8n, which names no N8nInstance; name it with --instance"));
            continue;
        };
        let namespace = member.and_then(|member| member.namespace().map(str::to_owned)).or_else(|| target.namespace.clone());
        let workflow = member.map_or_else(|| format!("the workflow in {file}"), |member| format!("Workflow {}", member.name()));
        for need in wanted {
            needs.add(&need, (&workflow, namespace.as_deref(), &instance), declared);
        }
    }
    needs
}

/// Returns the credentials of a workflow that no existing credential of n8n provides, each once.
fn wanted<'a>(definition: &'a Definition, report: &'a Report, member: Option<&'a Member>) -> Vec<Need<'a>> {
    let mut found: Vec<Need<'a>> = Vec::new();
    let mut seen = BTreeSet::new();
    for node in &definition.nodes {
        for (kind, entry) in node.credentials().into_iter().flatten() {
            let mapping = member.and_then(|member| mapping_of(member.spec(), kind, entry)).map(|(_, mapping)| mapping);
            let called = called(entry);
            if mapping.is_some_and(|mapping| mapping.existing.is_some()) || !seen.insert((kind.as_str(), called.clone())) {
                continue;
            }
            found.push(Need { kind, called: Some(called), node: node.name(), mapping });
        }
    }
    for needed in &report.required {
        let own = definition.node(&needed.node).and_then(|node| node.credentials());
        for kind in needed.types.iter().chain(&needed.chosen) {
            let named = own.is_some_and(|own: &serde_json::Map<String, Value>| own.contains_key(kind));
            if !named && seen.insert((kind.as_str(), String::new())) {
                found.push(Need { kind, called: None, node: &needed.node, mapping: None });
            }
        }
    }
    found
}

impl Needs {
    /// Adds a credential, or another user of one that is known.
    fn add(
        &mut self,
        need: &Need<'_>,
        (workflow, namespace, instance): (&str, Option<&str>, &InstanceRef),
        declared: &[CredentialManifest],
    ) {
        let referenced = need.mapping.and_then(|mapping| mapping.credential_ref.as_ref()).map(|reference| reference.name.as_str());
        let in_set = |name: &str| declared.iter().find(|one| one.name == name && may_share(one.namespace(), namespace));
        if referenced.is_some_and(|name| in_set(name).is_some()) {
            return;
        }
        let title = need.called.as_deref().filter(|called| !called.is_empty()).unwrap_or(need.kind);
        let same = |one: &Skeleton| {
            let called = one.display_name.as_deref().unwrap_or(&one.name);
            one.kind == need.kind && one.instance == *instance && (referenced.is_some() || called == title)
        };
        let wanted = referenced.map_or_else(|| label(title, "credential"), str::to_owned);
        let taken: BTreeMap<&str, bool> =
            self.skeletons.iter().filter(|one| one.namespace.as_deref() == namespace).map(|one| (one.name.as_str(), same(one))).collect();
        // Of two with one name, the later one of another type or instance, or that n8n calls differently, gets a suffix.
        let free = |name: &str| taken.get(name).copied().unwrap_or_else(|| in_set(name).is_none_or(|one| one.kind == need.kind));
        let name = match free(&wanted) || referenced.is_some() {
            true => wanted,
            false => format!("{wanted}-{}", &sha256_hex(format!("{}/{}/{title}", need.kind, instance.name))[..8]),
        };
        let mut comments = vec![format!("Used by node {} of {workflow}.", quoted(need.node))];
        match (&need.called, referenced) {
            (Some(_), Some(_)) => {}
            (Some(called), None) => comments.push(format!(
                "Add to spec.credentials of {workflow}: {{name: {}, type: {}, credentialRef: {{name: {name}}}}}",
                quoted(called),
                need.kind
            )),
            (None, _) => comments.push(format!(
                "The node names no credential: add credentials: {{{}: {{name: {}}}}} to it, and to spec.credentials of {workflow}: {{name: {}, \
                 credentialRef: {{name: {name}}}}}",
                need.kind,
                quoted(need.kind),
                quoted(need.kind)
            )),
        }
        if in_set(&name).is_some() {
            // The set has it, and only the mapping is missing.
            self.notes.extend(comments.pop().filter(|_| need.mapping.is_none()));
            return;
        }
        if let Some(known) = self.skeletons.iter_mut().find(|one| one.name == name && one.namespace.as_deref() == namespace) {
            return known.comments.extend(comments);
        }
        let display_name = Some(title.to_owned()).filter(|title| *title != name && (1..=LONGEST_NAME).contains(&title.chars().count()));
        self.skeletons.push(Skeleton {
            name,
            namespace: namespace.map(str::to_owned),
            instance: instance.clone(),
            kind: need.kind.to_owned(),
            display_name,
            adopt: None,
            comments,
        });
    }
}
