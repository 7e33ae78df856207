//! Rendering of an author's definition into what is sent: ids are derived, and references to workflows and credentials become symbols (the
//! content of a version) and then the ids of one instance (the body sent to n8n).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::api::required_credential::{CredentialState, RequiredCredential};
use crate::api::workflow::{CredentialMapping, WorkflowSpec};

use crate::document::canonical::{Digest, Parts, digest};
use crate::document::definition::{Definition, Node};
use crate::document::derive::{IdentitySeed, fill_ids};
use crate::document::references::{replace_references, sub_workflow_references};
use crate::domain::mark::Mark;
use crate::domain::remote::{RemoteCredential, RemoteWorkflow, WorkflowWrite};
use crate::domain::settings;

const BY_REF: &str = "weirkeeper:credential/ref/";
const BY_ID: &str = "weirkeeper:credential/id/";
const BY_NAME: &str = "weirkeeper:credential/name/";
const UNMAPPED: &str = "weirkeeper:credential/unmapped/";
const WORKFLOW: &str = "weirkeeper:workflow/";

/// A definition with derived ids whose credentials and references are symbols: the content of a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbolic {
    /// The document.
    pub definition: Definition,
    /// The digest of nodes, connections and settings.
    pub digest: Digest,
}

/// Symbol of a credential in a stored body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialSymbol {
    /// The credential's type.
    pub kind: String,
    /// The symbol.
    pub symbol: String,
}

/// Meaning of a credential symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means<'a> {
    /// The N8nCredential of the namespace with this name.
    Ref(&'a str),
    /// The credential with this id.
    Id(&'a str),
    /// The credential with this name, of which exactly one of the type must exist.
    Name(&'a str),
    /// Nothing is mapped; this is the definition's name for the credential.
    Unmapped(&'a str),
}

impl CredentialSymbol {
    /// Returns the meaning of the symbol. A value that is not a symbol is an id, as in a body that came from n8n.
    pub fn means(&self) -> Means<'_> {
        if let Some(name) = self.symbol.strip_prefix(BY_REF) {
            Means::Ref(name)
        } else if let Some(name) = self.symbol.strip_prefix(BY_NAME) {
            Means::Name(name)
        } else if let Some(name) = self.symbol.strip_prefix(UNMAPPED) {
            Means::Unmapped(name)
        } else {
            Means::Id(self.symbol.strip_prefix(BY_ID).unwrap_or(&self.symbol))
        }
    }
}

/// Makes the content of a version: fills in ids, and replaces references to credentials and workflows by symbols.
pub fn abstract_references(mut definition: Definition, spec: &WorkflowSpec, seed: &IdentitySeed) -> Symbolic {
    crate::domain::mark::strip(&mut definition.settings);
    fill_ids(&mut definition, seed);
    each_credential(&mut definition, |_, kind, entry| {
        let called = called(entry);
        let symbol = mapping_of(spec, kind, entry).and_then(|(_, mapping)| symbol(mapping));
        let symbol = symbol.unwrap_or_else(|| format!("{UNMAPPED}{called}"));
        Some(json!({ "id": symbol, "name": called }))
    });
    let workflows =
        spec.references.iter().map(|reference| (reference.id.clone(), format!("{WORKFLOW}{}", reference.workflow_ref.name))).collect();
    replace_references(&mut definition, &workflows);
    let digest = content_digest(&definition);
    Symbolic { definition, digest }
}

/// Returns the symbol of the credential that a mapping names.
fn symbol(mapping: &CredentialMapping) -> Option<String> {
    if let Some(reference) = &mapping.credential_ref {
        return Some(format!("{BY_REF}{}", reference.name));
    }
    let existing = mapping.existing.as_ref()?;
    let by_name = || existing.name.as_ref().map(|name| format!("{BY_NAME}{name}"));
    existing.id.as_ref().map(|id| format!("{BY_ID}{id}")).or_else(by_name)
}

/// Returns the symbol of the credential that these mappings give to a definition's name for it; None if none does.
pub fn mapped_symbol(mappings: &[CredentialMapping], kind: &str, called: &str) -> Option<CredentialSymbol> {
    let (_, mapping) = mapping_named(mappings, kind, |name| name == called)?;
    Some(CredentialSymbol { kind: kind.to_owned(), symbol: symbol(mapping)? })
}

/// Returns the mapping of a credential of the definition, with its index in `spec.credentials`.
pub fn mapping_of<'s>(spec: &'s WorkflowSpec, kind: &str, entry: &Value) -> Option<(usize, &'s CredentialMapping)> {
    let (name, id) = (text(entry, "name").or_else(|| entry.as_str()), text(entry, "id"));
    mapping_named(&spec.credentials, kind, |mapped| Some(mapped) == name || Some(mapped) == id)
}

/// Returns the first mapping for this type whose name in the definition fits, with its index.
fn mapping_named<'m>(mappings: &'m [CredentialMapping], kind: &str, fits: impl Fn(&str) -> bool) -> Option<(usize, &'m CredentialMapping)> {
    let is_for = |mapping: &CredentialMapping| mapping.kind.as_deref().is_none_or(|wanted| wanted == kind);
    mappings.iter().enumerate().find(|(_, mapping)| fits(&mapping.name) && is_for(mapping))
}

/// Returns the types of the credentials of a definition that the entry of `spec.credentials` at an index maps.
pub fn mapped_types<'d>(spec: &WorkflowSpec, definition: &'d Definition, index: usize) -> BTreeSet<&'d str> {
    let entries = definition.nodes.iter().filter_map(Node::credentials).flatten();
    let mapped = entries.filter(|(kind, entry)| mapping_of(spec, kind, entry).is_some_and(|(at, _)| at == index));
    mapped.map(|(kind, _)| kind.as_str()).collect()
}

/// Returns the definition's name for a credential, or its id if it has no name.
pub fn called(entry: &Value) -> String {
    text(entry, "name").or_else(|| entry.as_str()).or_else(|| text(entry, "id")).unwrap_or_default().to_owned()
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Makes the content of a version from an existing n8n workflow. Its ids are kept, so that URLs stay the same.
pub fn symbolise_remote(remote: &RemoteWorkflow) -> Symbolic {
    let mut definition = Definition {
        nodes: remote.nodes.iter().filter_map(|node| node.as_object().cloned()).map(Into::into).collect(),
        connections: remote.connections.as_object().cloned().unwrap_or_default(),
        settings: remote.settings.clone(),
        node_groups: remote.node_groups.clone(),
        ..Definition::default()
    };
    crate::domain::mark::strip(&mut definition.settings);
    let digest = content_digest(&definition);
    Symbolic { definition, digest }
}

/// Returns the digest of the content of a version.
pub fn content_digest(definition: &Definition) -> Digest {
    let managed: BTreeSet<String> = definition.settings.keys().cloned().collect();
    digest(Parts::from(definition), &managed)
}

/// Returns the credential symbols of a body, each once.
pub fn credential_symbols(definition: &Definition) -> BTreeSet<CredentialSymbol> {
    let mut found = BTreeSet::new();
    for node in &definition.nodes {
        for (kind, entry) in node.credentials().into_iter().flatten() {
            if let Some(symbol) = entry.get("id").and_then(Value::as_str) {
                found.insert(CredentialSymbol { kind: kind.clone(), symbol: symbol.to_owned() });
            }
        }
    }
    found
}

/// Returns the Workflows that a body refers to by symbol, each once, and whether n8n requires that workflow to be published first: it does
/// for references in nodes, but not for those in settings such as the error workflow.
pub fn workflow_symbols(definition: &Definition) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    for reference in sub_workflow_references(definition) {
        if let Some(name) = reference.id.strip_prefix(WORKFLOW) {
            *found.entry(name.to_owned()).or_insert(false) |= reference.needs_published;
        }
    }
    found
}

/// Replaces the symbols of Workflows in the namespace, by their names, with the ids of one instance.
pub fn put_workflow_ids(definition: &mut Definition, workflows: &BTreeMap<String, String>) {
    let ids = workflows.iter().map(|(name, id)| (format!("{WORKFLOW}{name}"), id.clone())).collect();
    replace_references(definition, &ids);
}

/// Reports whether a workflow id is a symbol of a Workflow in the namespace.
pub(super) fn is_workflow_symbol(id: &str) -> bool {
    id.starts_with(WORKFLOW)
}

/// A credential of a version on one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedCredential {
    /// The credential in n8n; None leaves it out.
    pub remote: Option<RemoteCredential>,
    /// Its state. One that is not satisfied holds up publication, even where it is in n8n.
    pub state: CredentialState,
}

/// Rendered version, ready to be sent to n8n.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The body, including the ownership mark.
    pub write: WorkflowWrite,
    /// Every credential that the version uses.
    pub credentials: Vec<RequiredCredential>,
}

/// Replaces the symbols in a body with the ids of one instance. A credential that is not in `credentials` is left out, because n8n would
/// bind an inexact reference to any credential of its type.
pub fn resolve_references(
    definition: &Definition,
    name: &str,
    credentials: &BTreeMap<CredentialSymbol, ResolvedCredential>,
    workflows: &BTreeMap<String, String>,
    mark: &Mark,
    written: &[String],
) -> Rendered {
    let mut definition = definition.clone();
    let mut required: Vec<RequiredCredential> = Vec::new();
    each_credential(&mut definition, |node, kind, entry| {
        let symbol = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        let symbol = CredentialSymbol { kind: kind.to_owned(), symbol: symbol.to_owned() };
        let found = credentials.get(&symbol);
        let called = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        let credential_ref = match symbol.means() {
            Means::Ref(name) => Some(name.to_owned()),
            _ => None,
        };
        match required.iter_mut().find(|one| one.kind == kind && one.name == called && one.credential_ref == credential_ref) {
            Some(known) => known.add_node(node),
            None => required.push(RequiredCredential {
                kind: kind.to_owned(),
                name: called.to_owned(),
                nodes: vec![node.to_owned()],
                state: found.map_or(CredentialState::Missing, |found| found.state),
                credential_ref,
                ..RequiredCredential::default()
            }),
        }
        let remote = found?.remote.as_ref()?;
        Some(json!({ "id": remote.id, "name": remote.name }))
    });
    put_workflow_ids(&mut definition, workflows);
    let mut settings = settings::to_send(&definition.settings, written);
    mark.put(&mut settings);
    let write = WorkflowWrite {
        name: name.to_owned(),
        nodes: definition.nodes.into_iter().map(|node| Value::Object(node.0)).collect(),
        connections: Value::Object(definition.connections),
        settings,
        node_groups: Some(definition.node_groups),
    };
    Rendered { write, credentials: required }
}

/// Replaces each credential of each node by the result of `with`; None removes it.
fn each_credential(definition: &mut Definition, mut with: impl FnMut(&str, &str, &Value) -> Option<Value>) {
    for node in &mut definition.nodes {
        let name = node.name().to_owned();
        let Some(Value::Object(credentials)) = node.0.get_mut("credentials") else { continue };
        let replaced: Map<String, Value> =
            credentials.iter().filter_map(|(kind, entry)| Some((kind.clone(), with(&name, kind, entry)?))).collect();
        *credentials = replaced;
        if credentials.is_empty() {
            node.0.remove("credentials");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::check::parse_and_check;

    fn spec(more: Value) -> WorkflowSpec {
        let mut spec = json!({ "instanceRef": { "name": "main" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn definition(credential: Value) -> Definition {
        parse_and_check(&json!({
            "nodes": [
                { "name": "Slack", "type": "n8n-nodes-base.slack", "typeVersion": 2, "position": [0, 0], "parameters": {}, "credentials": { "slackApi": credential } },
                { "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1, "position": [0, 0],
                  "parameters": { "workflowId": "OLD1" } },
            ],
            "connections": {}, "settings": { "executionOrder": "v1" },
        }))
        .unwrap()
        .definition
    }

    fn seed() -> IdentitySeed {
        IdentitySeed { cluster_id: "c".into(), namespace: "team-a".into(), name: "orders".into() }
    }

    fn mark() -> Mark {
        Mark { cluster: "c".into(), uid: "u".into(), namespace: "team-a".into(), name: "orders".into() }
    }

    fn slack() -> RemoteCredential {
        serde_json::from_value(json!({ "id": "C7", "name": "Team Slack", "type": "slackApi" })).unwrap()
    }

    #[test]
    fn mapped_references_are_sent_with_exact_ids() {
        let spec = spec(json!({
            "credentials": [{ "name": "My Slack", "existing": { "name": "Team Slack" } }],
            "references": [{ "id": "OLD1", "workflowRef": { "name": "child" } }],
        }));
        let symbolic = abstract_references(definition(json!({ "id": "1", "name": "My Slack" })), &spec, &seed());
        let symbols: Vec<_> = credential_symbols(&symbolic.definition).into_iter().collect();
        assert_eq!(symbols[0].means(), Means::Name("Team Slack"));
        assert_eq!(workflow_symbols(&symbolic.definition), BTreeMap::from([("child".to_owned(), true)]));
        let slack = ResolvedCredential { remote: Some(slack()), state: CredentialState::Satisfied };
        let credentials = BTreeMap::from([(symbols[0].clone(), slack)]);
        let workflows = BTreeMap::from([("child".to_owned(), "W9".to_owned())]);
        let rendered = resolve_references(&symbolic.definition, "Orders", &credentials, &workflows, &mark(), &[]);
        assert_eq!(rendered.write.nodes[0]["credentials"], json!({ "slackApi": { "id": "C7", "name": "Team Slack" } }));
        assert!(rendered.write.nodes[1]["parameters"]["workflowId"].to_string().contains("W9"));
        assert_eq!(Mark::of(&rendered.write.settings), Some(mark()));
        assert_eq!(rendered.credentials[0].state, CredentialState::Satisfied);
    }

    #[test]
    fn a_credential_that_is_not_mapped_is_never_sent() {
        let symbolic = abstract_references(definition(json!({ "id": "1", "name": "My Slack" })), &spec(json!({})), &seed());
        let rendered = resolve_references(&symbolic.definition, "Orders", &BTreeMap::new(), &BTreeMap::new(), &mark(), &[]);
        assert!(rendered.write.nodes[0].get("credentials").is_none());
        let missing = &rendered.credentials[0];
        assert_eq!(
            (missing.name.as_str(), &*missing.nodes, missing.state),
            ("My Slack", &["Slack".to_owned()][..], CredentialState::Missing)
        );
        assert_eq!(
            crate::domain::reach::reach(&symbolic.definition, crate::catalog::Catalog::embedded()).workflows,
            BTreeSet::from(["OLD1".to_owned()])
        );
    }

    #[test]
    fn a_reference_is_a_symbol_that_no_definition_can_forge() {
        let mapped = spec(json!({ "credentials": [{ "name": "My Slack", "credentialRef": { "name": "slack" } }] }));
        let symbolic = abstract_references(definition(json!({ "id": "1", "name": "My Slack" })), &mapped, &seed());
        let symbols: Vec<_> = credential_symbols(&symbolic.definition).into_iter().collect();
        assert_eq!(symbols[0].means(), Means::Ref("slack"));
        let waiting = ResolvedCredential { remote: Some(slack()), state: CredentialState::NeedsAuthorization };
        let credentials = BTreeMap::from([(symbols[0].clone(), waiting)]);
        let rendered = resolve_references(&symbolic.definition, "Orders", &credentials, &BTreeMap::new(), &mark(), &[]);
        assert_eq!(rendered.write.nodes[0]["credentials"]["slackApi"]["id"], "C7", "it is in n8n already");
        let required = &rendered.credentials[0];
        assert_eq!((required.state, required.credential_ref.as_deref()), (CredentialState::NeedsAuthorization, Some("slack")));
        let forged = json!({ "id": format!("{BY_REF}slack"), "name": "x" });
        let forged = abstract_references(definition(forged), &spec(json!({})), &seed());
        let symbols: Vec<_> = credential_symbols(&forged.definition).into_iter().collect();
        assert_eq!(symbols[0].means(), Means::Unmapped("x"));
    }

    #[test]
    fn the_digest_depends_on_the_mapping_and_not_on_the_instance() {
        let mapped = |existing: Value| spec(json!({ "credentials": [{ "name": "My Slack", "existing": existing }] }));
        let digest =
            |spec: &WorkflowSpec, id: &str| abstract_references(definition(json!({ "id": id, "name": "My Slack" })), spec, &seed()).digest;
        let one = mapped(json!({ "name": "Team Slack" }));
        assert_eq!(digest(&one, "1"), digest(&one, "2"));
        assert_ne!(digest(&one, "1"), digest(&mapped(json!({ "id": "C7" })), "1"));
    }
}
