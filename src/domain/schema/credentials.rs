//! Which credentials a node needs, and whether it has them.

use serde::Serialize;

use super::kinds;
use super::node::Known;
use crate::domain::catalog::{Catalog, Kind, shown};
use crate::domain::definition::Definition;
use crate::domain::finding::{Code, Finding, quoted};
use crate::domain::path;
use crate::domain::structure::MAX_NODES;

/// What a node cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeCredentials {
    /// The node's name.
    pub node: String,
    /// Credential types, all of them needed.
    pub types: Vec<String>,
    /// The OAuth scopes that n8n asks for by default, where the types say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// The credentials that each node needs with its parameters, in the order of the nodes. As for n8n, a node that is switched
/// off or that nothing is connected to needs none.
pub fn required_credentials(definition: &Definition, catalog: &Catalog) -> Vec<NodeCredentials> {
    if definition.nodes.len() > MAX_NODES {
        return Vec::new();
    }
    let nodes = kinds::resolve(definition, catalog, &mut Vec::new());
    let needs = |known: &Known<'_>| {
        let types: Vec<String> = needed(known).into_iter().map(str::to_owned).collect();
        let scopes = types.iter().filter_map(|name| catalog.credential(name)).flat_map(|facts| facts.scopes.clone()).collect();
        (known.live && !types.is_empty()).then(|| NodeCredentials { node: known.node.name().to_owned(), types, scopes })
    };
    nodes.iter().flatten().filter_map(needs).collect()
}

/// The types that a node needs: those that n8n requires, and what a parameter chooses.
fn needed<'k>(known: &'k Known<'_>) -> Vec<&'k str> {
    let Ok(values) = &known.values else { return Vec::new() };
    let around = known.around(values);
    let required = known.facts().credentials.iter().filter(|one| one.required && shown(&one.display, values, around));
    let mut found: Vec<&str> = required.map(|one| one.name.as_str()).collect();
    for name in chosen(known) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// What parameters such as `nodeCredentialType` name.
fn chosen<'k>(known: &'k Known<'_>) -> impl Iterator<Item = &'k str> {
    let parameters = known.facts().parameters.iter().filter(|parameter| parameter.kind == Kind::CredentialsSelect);
    let value = |name: &str| known.values.as_ref().ok()?.get(name)?.as_str().filter(|text| !text.is_empty() && !text.starts_with('='));
    parameters.filter_map(move |parameter| value(&parameter.name))
}

pub(super) fn check(known: &Known<'_>, catalog: &Catalog, findings: &mut Vec<Finding>) {
    let needed = needed(known);
    let at = path::key(&known.at, "credentials");
    let own = known.node.credentials();
    let has = |name: &str| own.is_some_and(|own| own.get(name).is_some_and(|reference| !reference.is_null()));
    let missing: Vec<&str> = needed.iter().copied().filter(|name| !has(name)).collect();
    // n8n passes over credentials that a node does not use; the wrong ones matter where the right ones are missing.
    let mut instead = false;
    for name in own.into_iter().flatten().map(|(name, _)| name) {
        let place = || path::key(&at, name);
        let listed = known.facts().credentials.iter().any(|one| one.name == *name);
        match catalog.credential(name) {
            Some(facts) => {
                let restricted = facts.restricted && !facts.supported_nodes.iter().any(|node| node == known.node.kind());
                if restricted && (listed || needed.contains(&name.as_str())) {
                    let message = format!("n8n allows credentials of type {} for some node types only, not for this one", quoted(name));
                    findings.push(Finding::error(Code::CredentialTypeRefused, place(), message).at_node(known.node.name()));
                } else if !listed && !needed.contains(&name.as_str()) && accepts_none_other(known) {
                    let message = format!("the node does not take credentials of type {}", quoted(name));
                    let finding = if missing.is_empty() {
                        known.warning(Code::CredentialTypeRefused, place(), message)
                    } else {
                        instead = true;
                        known.error(Code::CredentialTypeRefused, place(), message)
                    };
                    findings.push(finding.suggest(missing.first().copied()));
                }
            }
            None if listed || needed.contains(&name.as_str()) => {}
            None => {
                let message = format!("there is no credential type {}", quoted(name));
                let finding = if missing.is_empty() {
                    known.warning(Code::CredentialTypeUnknown, place(), message)
                } else {
                    instead = true;
                    known.error(Code::CredentialTypeUnknown, place(), message)
                };
                findings.push(finding.suggest(missing.first().copied().or_else(|| catalog.nearest_credential(name))));
            }
        }
    }
    if instead {
        return;
    }
    for name in missing {
        let message = format!("the node needs credentials of type {}", quoted(name));
        findings.push(known.warning(Code::CredentialsMissing, path::key(&at, name), message));
    }
}

/// Whether the node type takes the credentials that it lists and no other.
fn accepts_none_other(known: &Known<'_>) -> bool {
    !known.facts().parameters.iter().any(|parameter| matches!(parameter.kind, Kind::CredentialsSelect | Kind::Credentials))
}
