//! Extraction of the catalogue's facts from n8n's description files.

mod parameters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::capability::Capability;
use super::model::{CredentialType, CredentialUse, NodeType, NodeVersion, Shared, Webhook};
use super::plan::Planned;
use super::ports::{Port, Ports};
use super::raw::{OneOrMany, RawCredential, RawCredentialUse, RawNode, RawParameter, RawPort, RawPorts, RawWebhook};
use super::{families, js};
use parameters::{display, parameters, text};

/// Option that n8n offers beside the operations of nodes whose credentials it can add to any request.
const CUSTOM_API_CALL: &str = "__CUSTOM_API_CALL__";
/// Credential types that authenticate requests by themselves, together with all types that extend them.
const AUTHENTICATING: &[&str] = &["oAuth2Api", "googleOAuth2Api", "oAuth1Api"];

/// A package as it was read.
#[derive(Debug, Default)]
pub struct RawPackage {
    /// Name of the package, such as `n8n-nodes-base`.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// `dist/types/nodes.json`.
    pub nodes: Vec<RawNode>,
    /// `dist/types/credentials.json`.
    pub credentials: Vec<RawCredential>,
    /// Versions and implementing classes of node types that have one implementation for each version, from their sources.
    pub implementations: BTreeMap<String, Vec<(f64, String)>>,
    /// Capabilities of each node type outside its own definition, from its sources.
    pub reaches: BTreeMap<String, BTreeSet<Capability>>,
}

/// Facts extracted from one or more packages.
#[derive(Debug, Default)]
pub struct Distilled {
    /// Node types, by name.
    pub nodes: BTreeMap<String, NodeType>,
    /// Search words that n8n gives a node type.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Credential types, by name.
    pub credentials: BTreeMap<String, CredentialType>,
    /// Capabilities of nodes outside their own definition, by node type.
    pub reaches: BTreeMap<String, BTreeSet<Capability>>,
    /// Ports given as code that is not known: the type, and `inputs` or `outputs`.
    pub unknown_ports: Vec<(String, &'static str)>,
}

/// Extracts the facts from packages.
pub fn distil(packages: &[RawPackage]) -> Distilled {
    let mut found = Distilled::default();
    let tested: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| &package.nodes)
        .flat_map(|node| &node.credentials)
        .filter(|credential| !credential.tested_by.is_null())
        .map(|credential| credential.name.as_str())
        .collect();
    let raw: BTreeMap<&str, &RawCredential> =
        packages.iter().flat_map(|package| &package.credentials).map(|credential| (credential.name.as_str(), credential)).collect();
    for package in packages {
        for credential in &package.credentials {
            let facts =
                credential_type(credential, &package.name, tested.contains(credential.name.as_str()), authenticates(credential, &raw, 0));
            found.credentials.insert(credential.name.clone(), facts);
        }
    }
    for package in packages {
        for node in &package.nodes {
            let name = format!("{}.{}", package.name, node.name);
            let reaches = package.reaches.get(&node.name).cloned().unwrap_or_else(|| BTreeSet::from([Capability::Unreviewed]));
            found.reaches.insert(name.clone(), reaches);
            let variant = node_version(node, &found.credentials);
            for (ports, side) in [(&variant.inputs, "inputs"), (&variant.outputs, "outputs")] {
                if *ports == Ports::Unknown {
                    found.unknown_ports.push((name.clone(), side));
                }
            }
            let newest = variant.versions.last().copied().unwrap_or(1.0);
            let aliases = found.aliases.entry(name.clone()).or_default();
            aliases.extend(node.codex.alias.iter().filter(|alias| !aliases.contains(alias)).cloned().collect::<Vec<_>>());
            let facts = found.nodes.entry(name.clone()).or_insert_with(|| NodeType {
                name,
                display_name: node.display_name.clone(),
                versioned: package.implementations.contains_key(&node.name),
                default_version: newest,
                variants: Vec::new(),
            });
            facts.variants.push(variant);
            facts.versioned |= facts.variants.len() > 1;
            facts.default_version = node.default_version.unwrap_or_else(|| newest.max(facts.default_version));
        }
    }
    for package in packages {
        for (name, versions) in &package.implementations {
            if let Some(node) = found.nodes.get_mut(&format!("{}.{name}", package.name)) {
                add_silent_versions(node, versions);
            }
        }
    }
    for node in found.nodes.values_mut() {
        let newest = |variant: &NodeVersion| variant.versions.last().copied().unwrap_or_default();
        node.variants.sort_by(|a, b| newest(b).total_cmp(&newest(a)));
    }
    found.unknown_ports.sort();
    found.unknown_ports.dedup();
    found
}

/// Adds versions that n8n implements but no description lists: they behave like the other versions of the same implementation.
fn add_silent_versions(node: &mut NodeType, implementations: &[(f64, String)]) {
    for (version, implementation) in implementations {
        if node.version(*version).is_some() {
            continue;
        }
        let siblings = implementations.iter().filter(|(other, name)| name == implementation && other != version);
        let listed: Vec<f64> = siblings.map(|(other, _)| *other).collect();
        let variant = node.variants.iter_mut().find(|variant| variant.versions.iter().any(|version| listed.contains(version)));
        if let Some(variant) = variant {
            variant.versions.push(*version);
            variant.versions.sort_by(f64::total_cmp);
        }
    }
}

/// Reports whether n8n can add the credential to any request.
fn authenticates(credential: &RawCredential, all: &BTreeMap<&str, &RawCredential>, depth: usize) -> bool {
    !credential.authenticate.is_null()
        || credential.extends.iter().any(|parent| {
            AUTHENTICATING.contains(&parent.as_str())
                || (depth < 8 && all.get(parent.as_str()).is_some_and(|parent| authenticates(parent, all, depth + 1)))
        })
}

fn node_version(node: &RawNode, credentials: &BTreeMap<String, CredentialType>) -> NodeVersion {
    let mut versions = match &node.version {
        OneOrMany::One(version) => vec![*version],
        OneOrMany::Many(versions) => versions.clone(),
    };
    versions.sort_by(f64::total_cmp);
    let names: Vec<String> = node.output_names.as_array().into_iter().flatten().map(text).collect();
    let mut parameters = parameters(&node.properties);
    let newest = match (node.default_version, &node.version) {
        (None, _) => true,
        (Some(default), OneOrMany::One(version)) => default == *version,
        (Some(_), OneOrMany::Many(_)) => false,
    };
    if newest && node.credentials.iter().any(|one| credentials.get(&one.name).is_some_and(|facts| facts.authenticates)) {
        for parameter in parameters.iter_mut().filter(|parameter| matches!(parameter.name.as_str(), "resource" | "operation")) {
            if !parameter.options.values.is_empty() {
                let mut own = (**parameter).clone();
                own.options.values.push(Value::from(CUSTOM_API_CALL));
                if !own.options.labels.is_empty() {
                    own.options.labels.push("Custom API Call".to_owned());
                }
                *parameter = Shared(Arc::new(own));
            }
        }
    }
    NodeVersion {
        versions,
        trigger: node.group.iter().any(|group| group == "trigger"),
        polling: node.polling,
        hidden: node.hidden,
        usable_as_tool: js::truthy(Some(&node.usable_as_tool)),
        max_nodes: node.max_nodes,
        inputs: ports(&node.inputs, &node.input_names),
        outputs: ports(&node.outputs, &names),
        required_inputs: families::required_inputs(&node.required_inputs),
        parameters,
        credentials: node.credentials.iter().map(credential_use).collect(),
        webhooks: node.webhooks.iter().map(webhook).collect(),
        plan: Planned::default(),
    }
}

fn ports(raw: &RawPorts, names: &[String]) -> Ports {
    let list = match raw {
        RawPorts::Code(code) => return families::ports(code),
        RawPorts::List(list) => list,
    };
    let port = |(at, port): (usize, &RawPort)| {
        let named = names.get(at).cloned().unwrap_or_default();
        match port {
            RawPort::Kind(kind) => Port { kind: kind.clone(), label: named, ..Port::default() },
            RawPort::Full { kind, required, max_connections, display_name, filter } => Port {
                kind: kind.clone(),
                required: *required,
                most: *max_connections,
                label: if display_name.is_empty() { named } else { display_name.clone() },
                only: filter.nodes.clone(),
            },
        }
    };
    Ports::Fixed(list.iter().enumerate().map(port).collect())
}

fn credential_use(raw: &RawCredentialUse) -> CredentialUse {
    CredentialUse {
        name: raw.name.clone(),
        required: raw.required,
        label: raw.display_name.clone(),
        display: display(&raw.display_options),
    }
}

fn webhook(raw: &RawWebhook) -> Webhook {
    Webhook {
        name: raw.name.clone(),
        method: raw.http_method.clone(),
        path: raw.path.clone(),
        full_path: raw.is_full_path,
        restart: raw.restart_webhook,
        response_mode: raw.response_mode.clone(),
        kind: raw.node_type.clone(),
    }
}

fn credential_type(raw: &RawCredential, package: &str, tested: bool, authenticates: bool) -> CredentialType {
    CredentialType {
        name: raw.name.clone(),
        display_name: raw.display_name.clone(),
        extends: raw.extends.clone(),
        scopes: scopes(&raw.properties),
        testable: tested || !raw.test.is_null(),
        authenticates,
        generic: raw.generic_auth,
        restricted: raw.restrict_to_supported_nodes,
        supported_nodes: match raw.restrict_to_supported_nodes {
            true => raw.supported_nodes.iter().map(|node| format!("{package}.{node}")).collect(),
            false => Vec::new(),
        },
        properties: parameters(&raw.properties),
    }
}

/// Returns the scopes that a credential requests: those of a property that holds them, or of the text in its expression.
fn scopes(properties: &[RawParameter]) -> Vec<String> {
    let default_of = |name: &str| properties.iter().find(|property| property.name == name).and_then(|property| property.default.as_str());
    let Some(scope) = default_of("scope") else { return Vec::new() };
    let listed = match (scope.strip_prefix('='), default_of("enabledScopes")) {
        (None, _) => scope,
        (Some(_), Some(enabled)) if !enabled.starts_with('=') => enabled,
        // The last quoted text of an expression holds the scopes that apply unless the user sets their own.
        (Some(code), _) if code.contains("$self") => code.rsplit('"').nth(1).unwrap_or_default(),
        _ => "",
    };
    listed.split([' ', ',', '\n']).map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::raw::implementations;

    #[test]
    fn a_version_that_only_the_source_lists_shares_the_description_of_its_siblings() {
        let variant = |versions: &[f64]| NodeVersion { versions: versions.to_vec(), ..NodeVersion::default() };
        let mut node = NodeType {
            name: "p.agent".into(),
            display_name: "Agent".into(),
            versioned: true,
            default_version: 3.0,
            variants: vec![variant(&[3.0]), variant(&[2.0, 2.1])],
        };
        let source = "const nodeVersions = { 2: new a_1.V2(base), 2.1: new a_1.V2(base), 2.2: new a_1.V2(base), 3: new a_1.V3(base), 4: new a_1.V4(base) };";
        add_silent_versions(&mut node, &implementations(source));
        assert_eq!(node.versions(), [2.0, 2.1, 2.2, 3.0], "4 has no description at all");
        assert!(node.serving(Some(5.0)).is_none() && node.serving(None).is_some());
    }
}
