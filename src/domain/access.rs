//! Who may use an instance for what. One key sees everything on an n8n, so the default for other namespaces is nothing.

use std::collections::BTreeMap;

use crate::api::instance::{AllowedFrom, Grant, N8nInstanceSpec};

/// What a grant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use<'a> {
    /// Using a credential that exists, by its id or name.
    Credential {
        /// Its id in n8n.
        id: &'a str,
        /// Its name in n8n.
        name: &'a str,
    },
    /// Taking over a workflow that exists.
    Adopt(&'a str),
    /// Calling a workflow by its raw id.
    Workflow(&'a str),
    /// Putting a workflow into a project.
    Project(&'a str),
}

/// Whether a namespace may refer to the instance at all.
pub fn may_refer(spec: &N8nInstanceSpec, instance_namespace: &str, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    namespace == instance_namespace
        || match spec.allowed_namespaces.from {
            AllowedFrom::Same => false,
            AllowedFrom::All => true,
            AllowedFrom::Selector => spec.allowed_namespaces.selector.as_ref().is_some_and(|selector| {
                !selector.match_labels.is_empty() && selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            }),
        }
}

/// Whether a namespace may use something that already exists in n8n.
pub fn may_use(spec: &N8nInstanceSpec, instance_namespace: &str, namespace: &str, wanted: Use<'_>) -> bool {
    namespace == instance_namespace || spec.grants.iter().any(|grant| covers(grant, namespace, wanted))
}

fn covers(grant: &Grant, namespace: &str, wanted: Use<'_>) -> bool {
    let listed = |list: &[String], words: &[&str]| list.iter().any(|item| item == "*" || words.contains(&item.as_str()));
    listed(&grant.namespaces, &[namespace])
        && match wanted {
            Use::Credential { id, name } => listed(&grant.credentials, &[id, name]),
            Use::Adopt(id) => listed(&grant.adopt, &[id]),
            Use::Workflow(id) => listed(&grant.workflows, &[id]),
            Use::Project(id) => listed(&grant.projects, &[id]),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(more: Value) -> N8nInstanceSpec {
        let mut spec = json!({ "url": "http://n8n.test", "apiKeySecretRef": { "name": "key" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn other_namespaces_may_refer_only_when_they_are_allowed() {
        let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        let none = BTreeMap::new();
        assert!(may_refer(&spec(json!({})), "ops", "ops", &none));
        assert!(!may_refer(&spec(json!({})), "ops", "team-a", &labels));
        let all = spec(json!({ "allowedNamespaces": { "from": "All" } }));
        assert!(may_refer(&all, "ops", "team-a", &none));
        let some = spec(json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": { "team": "a" } } } }));
        assert!(may_refer(&some, "ops", "team-a", &labels));
        assert!(!may_refer(&some, "ops", "team-b", &none));
    }

    #[test]
    fn a_grant_names_who_and_what() {
        let spec = spec(json!({ "grants": [{ "namespaces": ["team-a"], "credentials": ["Slack"], "adopt": ["w1"], "projects": ["p1"] }] }));
        let slack = Use::Credential { id: "c1", name: "Slack" };
        assert!(may_use(&spec, "ops", "ops", Use::Adopt("anything")));
        assert!(may_use(&spec, "ops", "team-a", slack));
        assert!(may_use(&spec, "ops", "team-a", Use::Adopt("w1")));
        assert!(!may_use(&spec, "ops", "team-a", Use::Adopt("w2")));
        assert!(!may_use(&spec, "ops", "team-a", Use::Workflow("w1")));
        assert!(!may_use(&spec, "ops", "team-b", slack));
        assert!(may_use(&spec, "ops", "team-a", Use::Project("p1")));
        assert!(!may_use(&spec, "ops", "team-a", Use::Project("w1")));
    }
}
