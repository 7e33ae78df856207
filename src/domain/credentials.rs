//! Which credentials a document uses, and binding them to exact ids.
//!
//! n8n binds a reference without a usable id to whatever credential of the type it finds, without an error.
//! So nothing is ever sent that is not bound here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::definition::{Definition, Node};

/// One credential that one node uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CredentialUse {
    /// The node, by name.
    pub node: String,
    /// The credential type, such as `slackApi`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the document calls it by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the document calls it by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What a document calls a credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialKey {
    /// The credential type.
    pub kind: String,
    /// The name or the id in the document.
    pub called: String,
}

/// A credential that exists on the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundCredential {
    /// Its id in n8n.
    pub id: String,
    /// Its name in n8n.
    pub name: String,
}

/// All uses, in node order and by type within a node; disabled nodes included, since n8n stores theirs too.
pub fn credential_uses(definition: &Definition) -> Vec<CredentialUse> {
    let of_node = |node: &Node| -> Vec<CredentialUse> {
        let references = node.credentials().into_iter().flatten();
        references
            .filter_map(|(kind, reference)| use_of(node.name(), kind, reference))
            .collect()
    };
    definition.nodes.iter().flat_map(of_node).collect()
}

/// Replaces each reference by the exact id and name that `map` gives for what the document calls it: by id, or
/// else by name. References that `map` does not name are taken out of the nodes and returned.
pub fn bind_credentials(
    definition: &mut Definition,
    map: &BTreeMap<CredentialKey, BoundCredential>,
) -> Vec<CredentialUse> {
    let mut unbound = Vec::new();
    for node in &mut definition.nodes {
        let Some(references) = node.credentials() else {
            continue;
        };
        let mut bound = Map::new();
        for (kind, reference) in references {
            if is_managed_by_n8n(reference) {
                bound.insert(kind.clone(), reference.clone());
                continue;
            }
            let Some(found) = use_of(node.name(), kind, reference) else {
                continue;
            };
            let called = [&found.id, &found.name].into_iter().flatten();
            let target = called
                .filter_map(|called| {
                    map.get(&CredentialKey {
                        kind: kind.clone(),
                        called: called.clone(),
                    })
                })
                .next();
            match target {
                Some(target) => {
                    let reference = Map::from_iter([
                        ("id".to_owned(), Value::String(target.id.clone())),
                        ("name".to_owned(), Value::String(target.name.clone())),
                    ]);
                    bound.insert(kind.clone(), Value::Object(reference));
                }
                None => unbound.push(found),
            }
        }
        if bound.is_empty() {
            node.0.remove("credentials");
        } else {
            node.0.insert("credentials".into(), Value::Object(bound));
        }
    }
    unbound
}

/// References of n8n's own gateway hold no id and are resolved by n8n alone.
fn is_managed_by_n8n(reference: &Value) -> bool {
    reference.get("__aiGatewayManaged") == Some(&Value::Bool(true))
}

fn use_of(node: &str, kind: &str, reference: &Value) -> Option<CredentialUse> {
    let text = |key: &str| match reference.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (name, id) = match reference {
        Value::Null => return None,
        _ if is_managed_by_n8n(reference) => return None,
        // The form of exports before 2022.
        Value::String(name) => (Some(name.clone()).filter(|name| !name.is_empty()), None),
        _ => (text("name"), text("id")),
    };
    Some(CredentialUse {
        node: node.to_owned(),
        kind: kind.to_owned(),
        name,
        id,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::intake::take_in;

    fn document() -> Definition {
        take_in(&json!({
            "nodes": [
                {"name": "A", "type": "t", "credentials": {"slackApi": {"id": "1", "name": "Team"}, "smtp": null}},
                {"name": "B", "type": "t", "credentials": {"slackApi": "Team"}},
                {"name": "C", "type": "t", "credentials": {"slackApi": {"id": null, "name": "Other"}}},
                {"name": "D", "type": "t", "credentials": {"gw": {"id": null, "name": "", "__aiGatewayManaged": true}}},
                {"name": "E", "type": "t"},
            ],
            "connections": {}
        }))
        .unwrap()
        .definition
    }

    fn usage(node: &str, name: &str, id: Option<&str>) -> CredentialUse {
        CredentialUse {
            node: node.into(),
            kind: "slackApi".into(),
            name: Some(name.into()),
            id: id.map(str::to_owned),
        }
    }

    fn map(entries: &[(&str, &str, &str)]) -> BTreeMap<CredentialKey, BoundCredential> {
        entries
            .iter()
            .map(|(kind, called, id)| {
                let key = CredentialKey {
                    kind: (*kind).into(),
                    called: (*called).into(),
                };
                (
                    key,
                    BoundCredential {
                        id: (*id).into(),
                        name: format!("n8n {id}"),
                    },
                )
            })
            .collect()
    }

    #[test]
    fn uses_are_listed_whatever_form_they_are_written_in() {
        let expected = [
            usage("A", "Team", Some("1")),
            usage("B", "Team", None),
            usage("C", "Other", None),
        ];
        assert_eq!(credential_uses(&document()), expected);
    }

    #[test]
    fn what_is_mapped_is_bound_exactly_and_the_rest_is_taken_out_and_returned() {
        let mut definition = document();
        let unbound = bind_credentials(
            &mut definition,
            &map(&[("slackApi", "Team", "X"), ("smtp", "Other", "Y")]),
        );
        assert_eq!(unbound, [usage("C", "Other", None)]);
        let bound = json!({"slackApi": {"id": "X", "name": "n8n X"}});
        assert_eq!(definition.nodes[0].0.get("credentials"), Some(&bound));
        assert_eq!(definition.nodes[1].0.get("credentials"), Some(&bound));
        assert_eq!(definition.nodes[2].0.get("credentials"), None);
        assert!(definition.nodes[3].0.contains_key("credentials"));
    }

    #[test]
    fn an_id_in_the_document_wins_over_its_name() {
        let mut definition = document();
        bind_credentials(
            &mut definition,
            &map(&[("slackApi", "Team", "by-name"), ("slackApi", "1", "by-id")]),
        );
        assert_eq!(
            definition.nodes[0].credentials().unwrap()["slackApi"]["id"],
            "by-id"
        );
        assert_eq!(
            definition.nodes[1].credentials().unwrap()["slackApi"]["id"],
            "by-name"
        );
    }
}
