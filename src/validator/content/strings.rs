//! Traversal of every string or number inside a JSON value, with its path.

use serde_json::{Map, Value, map};

use crate::document::json_path::{self, Step};

/// Location of a string.
#[derive(Debug, Default)]
pub(super) struct Trail<'a> {
    steps: Vec<Step<'a>>,
}

impl<'a> Trail<'a> {
    /// Returns the key of the object that holds the string, or the list around it.
    pub(super) fn key(&self) -> &'a str {
        self.keys().next().unwrap_or_default()
    }

    /// Returns the keys, the innermost first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.steps.iter().rev().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Index(_) => None,
        })
    }

    /// Returns the steps, the outermost first.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'a>> + '_ {
        self.steps.iter().copied()
    }

    /// Returns the path below `base`.
    pub(super) fn path(&self, base: &str) -> String {
        let mut at = base.to_owned();
        for step in &self.steps {
            match step {
                Step::Key(key) => json_path::push_key(&mut at, key),
                Step::Index(index) => json_path::push_index(&mut at, *index),
            }
        }
        at
    }
}

enum Level<'a> {
    Object(map::Iter<'a>),
    Array(std::iter::Enumerate<std::slice::Iter<'a, Value>>),
}

/// Calls `visit` for each string at any depth, together with the object that directly contains it, if any.
pub(super) fn each_string<'a>(root: &'a Map<String, Value>, mut visit: impl FnMut(&Trail<'a>, &'a str, Option<&'a Map<String, Value>>)) {
    each_value(root, |trail, value, object| {
        if let Value::String(text) = value {
            visit(trail, text, object);
        }
    });
}

/// Calls `visit` for each scalar at any depth, together with the object that directly contains it, if any. The traversal does not recurse:
/// a document may be nested deeper than the stack allows.
pub(super) fn each_value<'a>(root: &'a Map<String, Value>, mut visit: impl FnMut(&Trail<'a>, &'a Value, Option<&'a Map<String, Value>>)) {
    let mut trail = Trail::default();
    let mut levels = vec![(Level::Object(root.iter()), Some(root))];
    while let Some((level, object)) = levels.last_mut() {
        let object = *object;
        let next = match level {
            Level::Object(entries) => entries.next().map(|(key, value)| (Step::Key(key), value)),
            Level::Array(items) => items.next().map(|(index, value)| (Step::Index(index), value)),
        };
        let Some((step, value)) = next else {
            levels.pop();
            trail.steps.pop();
            continue;
        };
        trail.steps.push(step);
        match value {
            Value::Object(map) => levels.push((Level::Object(map.iter()), Some(map))),
            Value::Array(items) => levels.push((Level::Array(items.iter().enumerate()), None)),
            leaf => {
                visit(&trail, leaf, object);
                trail.steps.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_string_is_visited_once_with_its_path_and_nearest_key() {
        let value = json!({"a": "1", "b": {"c": ["2", {"d e": "3"}], "f": 4}, "g": "5"});
        let mut seen = Vec::new();
        each_string(value.as_object().unwrap(), |trail, text, _| {
            seen.push(format!("{} {} {text}", trail.path("p"), trail.key()));
        });
        assert_eq!(seen, ["p.a a 1", "p.b.c[0] c 2", r#"p.b.c[1]["d e"] d e 3"#, "p.g g 5"]);
    }

    #[test]
    fn a_value_nested_deeper_than_the_stack_is_walked() {
        let mut value = Value::String("x".into());
        for _ in 0..5_000 {
            value = Value::Array(vec![Value::Object(Map::from_iter([("a".to_owned(), value)]))]);
        }
        let root = Map::from_iter([("a".to_owned(), value)]);
        let mut seen = 0;
        each_string(&root, |_, _, _| seen += 1);
        assert_eq!(seen, 1);
        // Dropping it would recurse.
        std::mem::forget(root);
    }
}
