//! Analysis of a prompt for which nothing is built.

use serde_json::Map;

use super::compose::Composed;
use super::nearest::nearest;
use super::services::VENDORS;
use super::stuck::Stuck;
use crate::catalog::{Around, Catalog, filled, shown};
use crate::generation::outcome::Abstention;

/// Analysis of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Names of services, in the order of the prompt.
    pub services: Vec<String>,
    /// Full names of node types.
    pub node_types: Vec<String>,
    /// Types of credentials.
    pub credentials: Vec<String>,
    /// Number of parts that a workflow for it would have, roughly: up to 4 is simple, from 10 on complex.
    pub complexity: u32,
    /// Parts that no pattern covers, for people.
    pub uncovered: Vec<String>,
}

/// Returns what is recognised.
pub(super) fn analysis(composed: &Composed<'_>, catalog: &Catalog) -> Analysis {
    let mut found = Analysis::default();
    let add = |list: &mut Vec<String>, text: &str| {
        if !text.is_empty() && !list.iter().any(|own| own == text) {
            list.push(text.to_owned());
        }
    };
    for item in &composed.items {
        if let Some(at) = item.service {
            let service = &composed.flow.lexicon.services[at];
            add(&mut found.services, &service.display);
            for kind in [&service.action, &service.trigger].into_iter().flatten() {
                add(&mut found.node_types, kind);
            }
        }
        if let Some(at) = item.vendor {
            add(&mut found.services, VENDORS[at].display);
            add(&mut found.node_types, &format!("@n8n/n8n-nodes-langchain.{}", VENDORS[at].chat));
        }
    }
    for node in &composed.flow.nodes {
        let short = node.kind.split('.').next().unwrap_or_default();
        if let Some(kind) = catalog.whole_names(short).first() {
            add(&mut found.node_types, kind);
        }
    }
    for kind in found.node_types.clone() {
        for credential in credentials(&kind, catalog) {
            add(&mut found.credentials, &credential);
        }
    }
    let verbs = composed.items.iter().filter(|item| item.is_verb && item.act.is_some_and(|act| act != super::words::Act::Light)).count();
    let conditions = composed
        .items
        .iter()
        .filter(|item| item.is(&["if", "otherwise", "else", "unless", "wenn", "falls", "sonst", "si", "sinon"]))
        .count();
    let models = composed.items.iter().filter(|item| item.vendor.is_some()).count();
    let parts = verbs + 2 * conditions + 2 * models + found.services.len() + composed.items.len() / 40;
    found.complexity = u32::try_from(parts).unwrap_or(u32::MAX);
    found.uncovered = uncovered(&composed.stuck);
    found
}

/// Returns the credentials that nodes of a type need with n8n's defaults.
fn credentials(kind: &str, catalog: &Catalog) -> Vec<String> {
    let Some(facts) = catalog.node(kind) else { return Vec::new() };
    let Some(latest) = facts.latest() else { return Vec::new() };
    let version = facts.default_version;
    let Ok(values) = filled(latest, &Map::new(), version, kind) else { return Vec::new() };
    let needed = latest.credentials.iter().filter(|one| one.required && shown(&one.display, &values, Around::new(&values, version, kind)));
    needed.map(|one| one.name.clone()).collect()
}

fn uncovered(stuck: &[Stuck]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for one in stuck {
        let text = match one {
            Stuck::Unknown(text) | Stuck::Condition(text) => crate::text::one_line(text, 100),
            Stuck::Channel => "where the message goes".to_owned(),
            Stuck::Place(noun) => format!("where the {noun} is"),
        };
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Returns the abstention. `why` is a reason beside what no pattern covers.
pub(super) fn from(composed: &Composed<'_>, catalog: &Catalog, why: Option<String>) -> Abstention {
    let analysis = analysis(composed, catalog);
    let parts: Vec<String> = analysis.uncovered.iter().take(4).map(|part| format!("“{part}”")).collect();
    let reason = match (why, parts.is_empty()) {
        (Some(why), _) => format!("Nothing is built without a model: {why}"),
        (None, false) => {
            format!("No pattern covers {}; a language model would be needed for that, or another wording", crate::text::listed(&parts, 4))
        }
        (None, true) => "The prompt asks for no step that is known; say what the workflow does, and where".to_owned(),
    };
    Abstention {
        reason,
        services: analysis.services,
        node_types: analysis.node_types,
        credentials: analysis.credentials,
        nearest: nearest(&composed.items),
    }
}

/// Returns what the workflow would be so far, for people.
pub(super) fn candidates(composed: &Composed<'_>) -> Vec<String> {
    let names: Vec<&str> = composed.flow.nodes.iter().map(|node| node.name.as_str()).collect();
    if names.is_empty() { Vec::new() } else { vec![names.join(" → ")] }
}
