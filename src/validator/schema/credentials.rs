//! Credentials that a node requires, and whether it has them.

use serde::Serialize;

use super::kinds::{self, NodeTypes};
use super::node::Known;
use crate::catalog::js::Values as _;
use crate::catalog::{Catalog, shown};
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, is_full, quoted};
use crate::document::json_path;
use crate::validator::structure::too_large;

/// Credentials without which a node does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeCredentials {
    /// Name of the node.
    pub node: String,
    /// Types without which n8n does not publish the workflow; all of them are required.
    pub types: Vec<String>,
    /// Types that a parameter selects (`nodeCredentialType`, `genericAuthType`): n8n publishes without them, and the node fails when it
    /// runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<String>,
    /// OAuth scopes that n8n requests by default, if the types declare them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Returns the credentials that each node requires with its parameters, in the order of the nodes. As in n8n, a node that is disabled or
/// not connected requires none.
pub fn required_credentials(definition: &Definition, catalog: &Catalog) -> Vec<NodeCredentials> {
    if too_large(definition).is_some() {
        return Vec::new();
    }
    let types = NodeTypes::of(definition, catalog);
    required(&kinds::resolve(definition, &types, catalog, &mut Vec::new()), catalog)
}

pub(super) fn required(nodes: &[Option<Known<'_>>], catalog: &Catalog) -> Vec<NodeCredentials> {
    let owned = |names: Vec<&str>| -> Vec<String> { names.into_iter().map(str::to_owned).collect() };
    let needs = |known: &Known<'_>| {
        let (types, chosen) = (owned(listed(known)), owned(chosen(known)));
        let scopes = types.iter().chain(&chosen).filter_map(|name| catalog.credential(name)).flat_map(|facts| facts.scopes.clone());
        let needs = NodeCredentials { node: known.node.name().to_owned(), scopes: scopes.collect(), types, chosen };
        (!needs.types.is_empty() || !needs.chosen.is_empty()).then_some(needs)
    };
    nodes.iter().flatten().filter(|known| known.live).filter_map(needs).collect()
}

/// Returns the types that n8n requires with these parameters.
fn listed<'k>(known: &'k Known<'_>) -> Vec<&'k str> {
    let Ok(values) = &known.values else { return Vec::new() };
    let around = known.around(values);
    let required = known.facts().credentials.iter().filter(|one| one.required && shown(&one.display, values, around));
    required.map(|one| one.name.as_str()).collect()
}

/// Returns the types that parameters select.
fn chosen<'k>(known: &'k Known<'_>) -> Vec<&'k str> {
    let parameters = known.facts().level().credential_selectors();
    let value = |name: &str| known.values.as_ref().ok()?.named(name)?.as_str().filter(|text| !text.is_empty() && !text.starts_with('='));
    let mut found: Vec<&str> = parameters.filter_map(|parameter| value(&parameter.name)).collect();
    found.dedup();
    found
}

pub(super) fn check(known: &Known<'_>, catalog: &Catalog, findings: &mut Vec<Finding>) {
    let chosen = chosen(known);
    let needed: Vec<&str> = listed(known).into_iter().chain(chosen.iter().copied()).collect();
    let at = |name: &str| json_path::key(&json_path::key(&known.at, "credentials"), name);
    let own = known.node.credentials();
    let has = |name: &str| own.is_some_and(|own| own.get(name).is_some_and(|reference| !reference.is_null()));
    let missing: Vec<&str> = needed.iter().copied().filter(|name| !has(name)).collect();
    // The HTTP Request node and similar nodes accept any type, and use the selected one.
    let takes_any = known.facts().level().credential_selectors().next().is_some();
    let mut instead = false;
    for name in own.into_iter().flatten().map(|(name, _)| name.as_str()) {
        if is_full(findings) {
            return;
        }
        let listed = known.facts().credentials.iter().any(|one| one.name == name);
        let (code, message) = match catalog.credential(name) {
            Some(facts) => {
                let elsewhere = facts.restricted && !facts.supported_nodes.iter().any(|node| node == known.node.kind());
                if elsewhere && (!takes_any || chosen.contains(&name)) {
                    let message = format!("n8n allows credentials of type {} for some node types only, not for this one", quoted(name));
                    findings.push(Finding::error(Code::CredentialTypeRefused, at(name), message).at_node(known.node.name()));
                    continue;
                }
                if listed || takes_any {
                    continue;
                }
                (Code::CredentialTypeRefused, format!("the node does not take credentials of type {}", quoted(name)))
            }
            None if listed || chosen.contains(&name) => continue,
            None => (Code::CredentialTypeUnknown, format!("there is no credential type {}", quoted(name))),
        };
        // n8n skips credentials that a node does not use; wrong ones only matter if the right ones are missing.
        let finding = if missing.is_empty() {
            known.warning(code, at(name), message)
        } else {
            instead = true;
            known.error(code, at(name), message)
        };
        let nearest = || if code == Code::CredentialTypeUnknown { catalog.nearest_credential(name) } else { None };
        findings.push(finding.suggest(missing.first().copied().or_else(nearest)));
    }
    if instead {
        return;
    }
    for name in missing {
        let message = format!("the node needs credentials of type {}", quoted(name));
        findings.push(known.warning(Code::CredentialsMissing, at(name), message));
    }
}
