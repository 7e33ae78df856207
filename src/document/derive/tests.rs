use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::document::parse::parse;

fn seed(name: &str) -> IdentitySeed {
    IdentitySeed { cluster_id: "c".into(), namespace: "team-a".into(), name: name.into() }
}

fn document(nodes: Value) -> Definition {
    parse(&json!({"nodes": nodes, "connections": {}})).unwrap().definition
}

fn ids(definition: &Definition) -> Vec<(Option<&str>, Option<&str>)> {
    definition.nodes.iter().map(|node| (node.id(), node.webhook_id())).collect()
}

#[test]
fn missing_and_empty_ids_are_filled_in_and_given_ones_stay() {
    let nodes = json!([
        {"name": "Hook", "type": "n8n-nodes-base.webhook", "webhookId": ""},
        {"name": "Set", "type": "n8n-nodes-base.set", "id": "given"},
        {"name": "Form", "type": "n8n-nodes-base.formTrigger", "webhookId": "mine"}
    ]);
    let mut definition = document(nodes);
    fill_ids(&mut definition, &seed("orders"));
    let found = ids(&definition);
    assert!(found[0].0.is_some() && found[0].1.is_some() && found[0].0 != found[0].1);
    assert_eq!(found[1], (Some("given"), None));
    assert_eq!(found[2].1, Some("mine"));
    let before = definition.clone();
    fill_ids(&mut definition, &seed("another"));
    assert_eq!(definition, before, "filling in twice changes nothing");
}

#[test]
fn derived_ids_never_change() {
    // A change here would move the URLs of every workflow that relies on derived ids.
    let mut definition = document(json!([{"name": "Hook", "type": "n8n-nodes-base.webhook"}]));
    fill_ids(&mut definition, &seed("orders"));
    assert_eq!(ids(&definition), [(Some("9366b870-07d5-5c8f-8d04-04451d03edd8"), Some("68a89d0b-cfe1-5aad-81bd-0d923cc87d7f"))]);
}

#[test]
fn a_derived_id_that_is_in_use_is_derived_again() {
    let mut original = document(json!([{"name": "A", "type": "t"}]));
    fill_ids(&mut original, &seed("x"));
    let taken = original.nodes[0].id().unwrap();
    // The document was exported, the node renamed, and another node added under the old name.
    let mut edited = document(json!([{"name": "A", "type": "t"}, {"name": "B", "type": "t", "id": taken}]));
    fill_ids(&mut edited, &seed("x"));
    assert_ne!(edited.nodes[0].id(), edited.nodes[1].id());
    assert_eq!(edited.nodes[1].id(), Some(taken));
}

#[test]
fn parts_of_a_seed_are_separated() {
    let one = IdentitySeed { cluster_id: "c".into(), namespace: "a".into(), name: "bc".into() };
    let other = IdentitySeed { cluster_id: "c".into(), namespace: "ab".into(), name: "c".into() };
    assert_ne!(one.derive("id", "N"), other.derive("id", "N"));
    assert_ne!(one.derive("id", "N"), one.derive("webhookId", "N"));
}

#[test]
fn adoption_keeps_the_ids_of_nodes_with_the_same_name_and_type() {
    let mut definition = document(json!([
        {"name": "Hook", "type": "n8n-nodes-base.webhook"},
        {"name": "Set", "type": "n8n-nodes-base.set"},
        {"name": "Given", "type": "t", "id": "mine"}
    ]));
    let remote = [
        json!({"name": "Hook", "type": "n8n-nodes-base.webhook", "id": "r1", "webhookId": "w1"}),
        json!({"name": "Set", "type": "n8n-nodes-base.code", "id": "r2"}),
        json!({"name": "Given", "type": "t", "id": "r3"}),
    ];
    keep_ids(&mut definition, &remote);
    assert_eq!(ids(&definition), [(Some("r1"), Some("w1")), (None, None), (Some("mine"), None)]);
}

#[test]
fn adoption_never_makes_two_nodes_share_an_id() {
    let mut definition = document(json!([{"name": "A", "type": "t"}, {"name": "B", "type": "t", "id": "r1"}]));
    keep_ids(&mut definition, &[json!({"name": "A", "type": "t", "id": "r1"})]);
    assert_eq!(ids(&definition), [(None, None), (Some("r1"), None)]);
}

proptest! {
    #[test]
    fn ids_depend_on_the_node_not_on_its_place(names in prop::collection::btree_set("[a-z ]{1,8}", 1..8)) {
        let nodes = |names: &[&String]| -> Vec<Value> {
            names.iter().map(|name| json!({"name": name, "type": "n8n-nodes-base.wait"})).collect()
        };
        let names: Vec<&String> = names.iter().collect();
        let mut forward = document(json!(nodes(&names)));
        let mut backward = document(json!(nodes(&names.iter().rev().copied().collect::<Vec<_>>())));
        fill_ids(&mut forward, &seed("x"));
        fill_ids(&mut backward, &seed("x"));
        let mut turned = ids(&backward);
        turned.reverse();
        prop_assert_eq!(ids(&forward), turned);
        let distinct: HashSet<_> = ids(&forward).into_iter().flat_map(|(id, hook)| [id, hook]).collect();
        prop_assert_eq!(distinct.len(), 2 * names.len());
    }
}
