//! Differences between the schema of an installed CRD and that of this version.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::text::listed;

/// Command that installs the CRDs of this version.
pub const APPLY: &str = "weirkeeper crds | kubectl apply --server-side -f -";
/// Maximum number of fields in a list.
const MOST_FIELDS: usize = 8;
/// Parts of a schema that hold further schemas, or that only people read.
const NOT_COMPARED: &[&str] = &["properties", "items", "additionalProperties", "description", "x-kubernetes-group-version-kind"];

/// Fields by which an installed schema differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrdDifference {
    /// Fields that only this version has: the API server drops what is written to them.
    pub missing: Vec<String>,
    /// Fields that only the installed CRD has.
    pub unknown: Vec<String>,
    /// Fields of both with another type, bound, default or rule.
    pub changed: Vec<String>,
}

impl CrdDifference {
    /// Returns the differences of the installed schema of a kind from this version's.
    pub fn between(own: &Value, installed: &Value) -> Self {
        let mut found = Self::default();
        // Kubernetes adds these.
        for field in ["spec", "status"] {
            found.compare(&own["properties"][field], &installed["properties"][field], field);
        }
        found
    }

    fn compare(&mut self, own: &Value, installed: &Value, at: &str) {
        match (own.is_null(), installed.is_null()) {
            (true, true) => return,
            (false, true) => return self.missing.push(at.to_owned()),
            (true, false) => return self.unknown.push(at.to_owned()),
            (false, false) => {}
        }
        if rest(own) != rest(installed) {
            self.changed.push(at.to_owned());
        }
        let (ours, theirs) = (&own["properties"], &installed["properties"]);
        let names = |schema: &'_ Value| schema.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        for name in names(ours).into_iter().chain(names(theirs).into_iter().filter(|name| ours.get(name).is_none())) {
            self.compare(&ours[&name], &theirs[&name], &format!("{at}.{name}"));
        }
        self.compare(&own["items"], &installed["items"], &format!("{at}[]"));
        if own["additionalProperties"].is_object() || installed["additionalProperties"].is_object() {
            self.compare(&own["additionalProperties"], &installed["additionalProperties"], &format!("{at}.*"));
        }
    }

    /// Reports whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.changed.is_empty()
    }

    /// Returns the differences as a text.
    pub fn describe(&self) -> String {
        let parts = [("lacks", &self.missing), ("has unknown", &self.unknown), ("has other rules for", &self.changed)];
        let parts = parts.into_iter().filter(|(_, fields)| !fields.is_empty());
        parts.map(|(verb, fields)| format!("{verb} {}", listed(fields, MOST_FIELDS))).collect::<Vec<_>>().join("; ")
    }
}

/// Returns the parts of a schema that are compared for the field itself.
fn rest(schema: &Value) -> BTreeMap<&str, &Value> {
    let fields = schema.as_object().into_iter().flatten();
    fields.map(|(key, value)| (key.as_str(), value)).filter(|(key, _)| !NOT_COMPARED.contains(key)).collect()
}

/// Returns a message about each kind that this version needs and the cluster serves without, or with fewer fields, by kind.
/// Both arguments map kinds to schemas.
pub fn outdated(own: &BTreeMap<String, Value>, served: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (kind, schema) in own {
        let message = match served.get(kind) {
            None => format!("the CRD of {kind} is not installed"),
            Some(served) => {
                let difference = CrdDifference::between(schema, served);
                if difference.missing.is_empty() {
                    continue;
                }
                let only = CrdDifference { missing: difference.missing, ..CrdDifference::default() };
                format!("the CRD of {kind} is older than this operator: it {}", only.describe())
            }
        };
        found.insert(kind.clone(), message);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(spec: Value) -> Value {
        json!({ "type": "object", "properties": { "metadata": { "type": "object" }, "spec": spec } })
    }

    #[test]
    fn differences_are_found_at_every_depth_and_descriptions_do_not_count() {
        let own = schema(json!({ "properties": {
            "same": { "type": "string", "description": "new words" },
            "fresh": { "type": "string" },
            "bound": { "type": "string", "maxLength": 10 },
            "list": { "items": { "properties": { "a": {}, "b": {} } } },
            "map": { "additionalProperties": { "properties": { "c": {} } } },
        } }));
        let installed = schema(json!({ "properties": {
            "same": { "type": "string" },
            "gone": { "type": "string" },
            "bound": { "type": "string", "maxLength": 9 },
            "list": { "items": { "properties": { "a": {} } } },
            "map": { "additionalProperties": { "properties": {} } },
        } }));
        let found = CrdDifference::between(&own, &installed);
        assert_eq!(found.missing, ["spec.fresh", "spec.list[].b", "spec.map.*.c"]);
        assert_eq!((found.unknown.as_slice(), found.changed.as_slice()), (&["spec.gone".to_owned()][..], &["spec.bound".to_owned()][..]));
        assert!(CrdDifference::between(&own, &own).is_empty());
        let text = found.describe();
        assert!(
            text.starts_with("lacks spec.fresh, ") && text.ends_with("has unknown spec.gone; has other rules for spec.bound"),
            "{text}"
        );
    }

    #[test]
    fn an_older_or_missing_crd_is_outdated_and_a_newer_one_is_not() {
        let of = |spec: Value| BTreeMap::from([("Workflow".to_owned(), schema(spec))]);
        let own = of(json!({ "properties": { "a": {}, "b": {} } }));
        let newer = of(json!({ "properties": { "a": {}, "b": {}, "c": {} } }));
        let older = of(json!({ "properties": { "a": {} } }));
        assert!(outdated(&own, &own).is_empty() && outdated(&own, &newer).is_empty());
        assert_eq!(outdated(&own, &older)["Workflow"], "the CRD of Workflow is older than this operator: it lacks spec.b");
        assert_eq!(outdated(&own, &BTreeMap::new())["Workflow"], "the CRD of Workflow is not installed");
    }
}
