use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::document::canonical::digest;

fn managed() -> BTreeSet<String> {
    ["timezone".to_owned(), "executionTimeout".to_owned()].into()
}

struct Document(Value);

impl Document {
    fn parts(&self) -> Parts<'_> {
        let list = |key: &str| self.0.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let settings = self.0["settings"].as_object().unwrap();
        Parts::read(list("nodes"), &self.0["connections"], list("nodeGroups"), settings)
    }
}

fn between(desired: Value, actual: Value) -> Difference {
    difference(Document(desired).parts(), Document(actual).parts(), &managed())
}

fn base() -> Value {
    json!({
        "nodes": [
            {"id": "1", "name": "Hook", "type": "w", "parameters": {"path": "a"}},
            {"id": "2", "name": "HTTP Request", "type": "h", "parameters": {"url": "https://s3cret", "list": [1, 2]}}
        ],
        "connections": {"Hook": {"main": [[{"node": "HTTP Request", "type": "main", "index": 0}]]}},
        "settings": {"timezone": "UTC"}
    })
}

#[test]
fn equal_documents_have_no_difference() {
    let difference = between(base(), base());
    assert!(difference.is_empty());
    assert_eq!(difference.summary(100), "");
}

#[test]
fn the_summary_says_which_fields_changed_and_never_to_what() {
    let mut actual = base();
    actual["nodes"][1]["parameters"] = json!({"url": "https://an0ther", "list": [1, 3], "new": "s3cret"});
    actual["nodes"].as_array_mut().unwrap().push(json!({"id": "3", "name": "Set", "type": "s"}));
    actual["connections"]["HTTP Request"] = json!({"main": [[{"node": "Set", "type": "main", "index": 0}]]});
    actual["settings"] = json!({"timezone": "Europe/Berlin", "executionTimeout": 9, "callerPolicy": "any"});
    let difference = between(base(), actual);
    assert_eq!(
        difference.summary(1000),
        r#"node "HTTP Request": parameters.list[1], parameters.new, parameters.url changed; node "Set" added; connections of "HTTP Request" changed; settings executionTimeout, timezone changed"#
    );
    assert_eq!(
        difference.summary(110),
        r#"node "HTTP Request": parameters.list[1], parameters.new, parameters.url changed; node "Set" added; and 2 more"#
    );
}

#[test]
fn a_node_that_keeps_its_id_under_another_name_is_renamed() {
    let mut actual = base();
    actual["nodes"][1]["name"] = json!("Call");
    actual["nodes"][1]["disabled"] = json!(true);
    actual["connections"] = json!({"Hook": {"main": [[{"node": "Call", "type": "main", "index": 0}]]}});
    assert_eq!(
        between(base(), actual).summary(1000),
        r#"node "HTTP Request" renamed to "Call", disabled changed; connections of "Hook" changed"#
    );
}

#[test]
fn added_and_removed_are_seen_from_the_actual_document() {
    let mut actual = base();
    actual["nodes"].as_array_mut().unwrap().remove(0);
    actual["connections"] = json!({});
    assert_eq!(between(base(), actual.clone()).summary(1000), r#"node "Hook" removed; connections of "Hook" changed"#);
    assert_eq!(between(actual, base()).summary(1000), r#"node "Hook" added; connections of "Hook" changed"#);
}

#[test]
fn reordered_nodes_are_reported_as_such() {
    let mut actual = base();
    actual["nodes"].as_array_mut().unwrap().reverse();
    assert_eq!(between(base(), actual).summary(1000), "nodes reordered");
}

#[test]
fn the_name_is_compared_where_the_caller_knows_both() {
    let difference = between(base(), base()).with_names("a", "b");
    assert!(!difference.is_empty());
    assert_eq!(difference.summary(100), "name changed");
    assert!(between(base(), base()).with_names("a", "a").is_empty());
}

fn any_document() -> impl Strategy<Value = Value> {
    let node = (0..4u8, 0..3u8, 0..2u8, any::<bool>()).prop_map(|(name, id, parameter, off)| {
        json!({"name": format!("N{name}"), "id": id.to_string(), "parameters": {"p": parameter}, "disabled": off})
    });
    let target = (0..4u8).prop_map(|n| json!({"main": [[{"node": format!("N{n}"), "type": "main", "index": 0}]]}));
    let sources = prop::collection::btree_map("N[0-3]", target, 0..3);
    (prop::collection::vec(node, 0..4), sources, 0..3u8)
        .prop_map(|(nodes, sources, timeout)| json!({"nodes": nodes, "connections": sources, "settings": {"executionTimeout": timeout}}))
}

proptest! {
    #[test]
    fn a_difference_is_empty_exactly_where_the_digests_are_equal(one in any_document(), other in any_document()) {
        let (one, other) = (Document(one), Document(other));
        let same = digest(one.parts(), &managed()) == digest(other.parts(), &managed());
        let difference = difference(one.parts(), other.parts(), &managed());
        prop_assert_eq!(difference.is_empty(), same, "{:?}", difference);
        prop_assert_eq!(difference.summary(500).is_empty(), same);
    }
}
