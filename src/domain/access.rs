//! Access of namespaces to an instance. One API key sees everything on an n8n, so other namespaces have no access by default.

use std::collections::BTreeMap;

use crate::api::instance::{AllowedFrom, AllowedNamespaces, Grant, N8nInstanceSpec};
use crate::document::finding::quoted;
use crate::text::pattern::matches;

/// Object or capability that a grant covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use<'a> {
    /// An existing credential, by its id or name.
    Credential {
        /// Its id in n8n.
        id: &'a str,
        /// Its name in n8n.
        name: &'a str,
    },
    /// Adoption of the existing workflow with this id.
    Adopt(&'a str),
    /// Adoption of the existing credential with this id.
    AdoptCredential(&'a str),
    /// A call of the workflow with this raw id.
    Workflow(&'a str),
    /// Placement of a workflow in this project.
    Project(&'a str),
    /// Adding this tag to a workflow, or removing it.
    Tag(&'a str),
    /// Use of the data table with this id.
    DataTable(&'a str),
    /// A node whose type is not on the list of types that reach nothing outside their own definition.
    NodeType {
        /// The node type as written in the definition.
        kind: &'a str,
        /// The node type under which grants list it.
        base: &'a str,
    },
    /// All workflows, credentials, data tables and node types.
    Everything,
}

/// Returns the message about an adoption that is not granted to a namespace.
pub fn no_adoption(namespace: &str, id: &str) -> String {
    not_granted(namespace, &format!("adoption of workflow {id}"), "adopt")
}

/// Returns the message about an adoption of a credential that is not granted to a namespace.
pub fn no_credential_adoption(namespace: &str, id: &str) -> String {
    not_granted(namespace, &format!("adoption of the credential {id}"), "adoptCredentials")
}

/// Returns the message about a project that is not granted to a namespace.
pub fn no_project(namespace: &str, id: &str) -> String {
    not_granted(namespace, &format!("use of the n8n project {id} that spec.project names"), "projects")
}

/// Returns the message about a tag that is not granted to a namespace.
pub fn no_tag(namespace: &str, name: &str) -> String {
    not_granted(namespace, &format!("use of the tag {} that spec.tags names", quoted(name)), "tags")
}

/// Returns the message about a credential that is not granted to a namespace. `what` is its id or name, `place` what names it.
pub fn no_credential(namespace: &str, kind: Option<&str>, what: &str, place: &str) -> String {
    let kind = kind.map_or_else(String::new, |kind| format!("{kind} "));
    not_granted(namespace, &format!("use of the {kind}credential with {what} that {place} names"), "credentials")
}

fn not_granted(namespace: &str, what: &str, list: &str) -> String {
    format!("the N8nInstance grants namespace {namespace} no {what}; its owner can add it under spec.grants[].{list}")
}

/// Identifier that only a grant of `*` covers.
const ANY: &str = "*";

impl Use<'_> {
    /// Any workflow.
    pub const ANY_WORKFLOW: Self = Self::Workflow(ANY);
    /// Any data table.
    pub const ANY_TABLE: Self = Self::DataTable(ANY);
    /// Any credential.
    pub const ANY_CREDENTIAL: Self = Self::Credential { id: ANY, name: ANY };
}

/// Reports whether a namespace may refer to an object at all. `home` is the namespace of the object, `labels` are those of the other.
pub fn may_refer(allowed: &AllowedNamespaces, home: &str, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    namespace == home
        || match allowed.from {
            AllowedFrom::Same => false,
            AllowedFrom::All => true,
            AllowedFrom::Selector => allowed.selector.as_ref().is_some_and(|selector| {
                !selector.match_labels.is_empty() && selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            }),
        }
}

/// Reports whether a namespace may use something that already exists in n8n.
pub fn may_use(spec: &N8nInstanceSpec, instance_namespace: &str, namespace: &str, wanted: Use<'_>) -> bool {
    let granted = |wanted| spec.grants.iter().any(|grant| covers(grant, namespace, wanted));
    let all = [Use::ANY_WORKFLOW, Use::ANY_CREDENTIAL, Use::ANY_TABLE, Use::NodeType { kind: ANY, base: ANY }];
    namespace == instance_namespace || if wanted == Use::Everything { all.into_iter().all(granted) } else { granted(wanted) }
}

fn covers(grant: &Grant, namespace: &str, wanted: Use<'_>) -> bool {
    let listed = |list: &[String], words: &[&str]| list.iter().any(|item| item == ANY || words.contains(&item.as_str()));
    listed(&grant.namespaces, &[namespace])
        && match wanted {
            Use::Credential { id, name } => listed(&grant.credentials, &[id, name]),
            Use::Adopt(id) => listed(&grant.adopt, &[id]),
            Use::AdoptCredential(id) => listed(&grant.adopt_credentials, &[id]),
            Use::Workflow(id) => listed(&grant.workflows, &[id]),
            Use::Project(id) => listed(&grant.projects, &[id]),
            Use::DataTable(id) => listed(&grant.data_tables, &[id]),
            Use::NodeType { kind, base } => grant.node_types.iter().any(|pattern| matches(pattern, kind) || matches(pattern, base)),
            // Everything is granted by the four lists together.
            Use::Everything => false,
            Use::Tag(name) => listed(&grant.tags, &[name]),
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
        assert!(may_refer(&spec(json!({})).allowed_namespaces, "ops", "ops", &none));
        assert!(!may_refer(&spec(json!({})).allowed_namespaces, "ops", "team-a", &labels));
        let all = spec(json!({ "allowedNamespaces": { "from": "All" } }));
        assert!(may_refer(&all.allowed_namespaces, "ops", "team-a", &none));
        let some = spec(json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": { "team": "a" } } } }));
        assert!(may_refer(&some.allowed_namespaces, "ops", "team-a", &labels));
        assert!(!may_refer(&some.allowed_namespaces, "ops", "team-b", &none));
    }

    #[test]
    fn a_grant_names_namespaces_and_objects() {
        let spec = spec(json!({ "grants": [{ "namespaces": ["team-a"], "credentials": ["Slack"], "adopt": ["w1"], "projects": ["p1"] }] }));
        let slack = Use::Credential { id: "c1", name: "Slack" };
        assert!(may_use(&spec, "ops", "ops", Use::Adopt("anything")));
        assert!(may_use(&spec, "ops", "team-a", slack));
        assert!(may_use(&spec, "ops", "team-a", Use::Adopt("w1")));
        assert!(!may_use(&spec, "ops", "team-a", Use::Adopt("w2")));
        assert!(!may_use(&spec, "ops", "team-a", Use::AdoptCredential("w1")), "adoption of a workflow is no adoption of a credential");
        assert!(!may_use(&spec, "ops", "team-a", Use::Workflow("w1")));
        assert!(!may_use(&spec, "ops", "team-b", slack));
        assert!(may_use(&spec, "ops", "team-a", Use::Project("p1")));
        assert!(!may_use(&spec, "ops", "team-a", Use::Project("w1")));
        assert!(may_use(&spec, "ops", "ops", Use::Tag("live")) && !may_use(&spec, "ops", "team-a", Use::Tag("live")));
    }

    #[test]
    fn a_node_type_is_granted_by_name_or_pattern_and_a_tool_with_its_node() {
        let spec =
            spec(json!({ "grants": [{ "namespaces": ["team-a"], "nodeTypes": ["n8n-nodes-base.snowflake"], "dataTables": ["T1"] }] }));
        let may = |wanted| may_use(&spec, "ops", "team-a", wanted);
        assert!(may(Use::NodeType { kind: "n8n-nodes-base.snowflakeTool", base: "n8n-nodes-base.snowflake" }));
        assert!(!may(Use::NodeType { kind: "n8n-nodes-base.git", base: "n8n-nodes-base.git" }));
        assert!(may(Use::DataTable("T1")) && !may(Use::DataTable("T2")) && !may(Use::ANY_TABLE));
    }

    #[test]
    fn everything_needs_a_star_in_all_four_lists() {
        let lists = ["workflows", "credentials", "dataTables", "nodeTypes"];
        let granting = |given: &[&str]| {
            let grants: Vec<Value> = given.iter().map(|list| json!({ "namespaces": ["*"], *list: ["*"] })).collect();
            may_use(&spec(json!({ "grants": grants })), "ops", "team-a", Use::Everything)
        };
        assert!(granting(&lists));
        (0..lists.len()).for_each(|left| {
            let given: Vec<&str> = lists.iter().enumerate().filter(|(at, _)| *at != left).map(|(_, list)| *list).collect();
            assert!(!granting(&given), "{given:?}");
        });
        assert!(may_use(&spec(json!({})), "ops", "ops", Use::Everything));
    }
}
