//! JSON merge patches: the smallest write from one value to another, and none if they are equal.

use serde_json::{Map, Value};

/// Returns the merge patch from `old` to `new`; None if they are equal. Arrays are replaced as a whole.
pub fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in new {
        let change = match old.get(key) {
            Some(before) => merge_patch(before, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_patch_contains_only_differences() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "gone": true, "list": [1, 2] });
        let new = json!({ "a": 1, "b": { "c": 1, "d": 3 }, "list": [1], "fresh": {} });
        assert_eq!(merge_patch(&old, &new), Some(json!({ "b": { "d": 3 }, "gone": null, "list": [1], "fresh": {} })));
        assert_eq!(merge_patch(&old, &old), None);
    }
}
