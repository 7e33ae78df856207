//! The ownership mark: which object a workflow in n8n belongs to.
//!
//! The mark is a telemetry tag in the workflow's settings, because settings are part of the create itself, are shown by listings and survive a
//! save in the editor (measured; a tag or a description needs a second call).

use serde_json::{Map, Value, json};

/// Settings key under which n8n keeps telemetry tags.
pub const SETTING: &str = "customTelemetryTags";
/// Key of the telemetry tag that holds the mark.
pub const KEY: &str = "weirkeeper.dev/owner";

/// Owner of a workflow in n8n.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The UID of the cluster's `kube-system` namespace, which is unique to the cluster.
    pub cluster: String,
    /// The UID of the object.
    pub uid: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Mark {
    /// Returns the mark as the value of the telemetry tag.
    pub fn to_value(&self) -> String {
        format!("{}/{}/{}/{}", self.cluster, self.uid, self.namespace, self.name)
    }

    /// Parses a tag's value; None for anything that Weirkeeper did not write. People can edit the value and its parts become parts of API
    /// paths, so the format of each part is checked.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('/');
        let mut part = |fits: fn(&str) -> bool| parts.next().filter(|part| fits(part)).map(str::to_owned);
        let mark = Self { cluster: part(is_uid)?, uid: part(is_uid)?, namespace: part(is_label)?, name: part(is_subdomain)? };
        parts.next().is_none().then_some(mark)
    }

    /// Returns the mark in a workflow's settings, if there is one.
    pub fn of(settings: &Map<String, Value>) -> Option<Self> {
        tags(settings).iter().find(|tag| tag["key"] == KEY).and_then(|tag| tag["value"].as_str()).and_then(Self::parse)
    }

    /// Writes the mark into settings and keeps the telemetry tags of people.
    pub fn put(&self, settings: &mut Map<String, Value>) {
        let mut kept = others(settings);
        kept.push(json!({ "key": KEY, "value": self.to_value() }));
        settings.insert(SETTING.to_owned(), Value::Array(kept));
    }

    /// Writes the mark into settings that replace `current`, and keeps the telemetry tags that people set there.
    pub fn put_beside(&self, settings: &mut Map<String, Value>, current: &Map<String, Value>) {
        let mut kept = others(settings);
        for tag in others(current) {
            if kept.iter().all(|one| one["key"] != tag["key"]) {
                kept.push(tag);
            }
        }
        settings.insert(SETTING.to_owned(), Value::Array(kept));
        self.put(settings);
    }

    /// Reports whether this mark belongs to the object from which `now` was restored, in the cluster that it was restored from.
    pub fn restored_as(&self, now: &Self, cluster: Option<&str>) -> bool {
        Some(self.cluster.as_str()) == cluster && self.namespace == now.namespace && self.name == now.name && self.uid != now.uid
    }

    /// Reports whether another mark names the same object in the same cluster.
    pub fn same_name(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.namespace == other.namespace && self.name == other.name
    }
}

/// Removes the mark and keeps the telemetry tags of people. The settings key stays, because n8n's PUT keeps a setting that is not sent.
pub fn release(settings: &mut Map<String, Value>) {
    let kept = others(settings);
    settings.insert(SETTING.to_owned(), Value::Array(kept));
}

/// Removes the mark from a document that was exported from n8n, where it names the owner of the exported workflow.
pub fn strip(settings: &mut Map<String, Value>) {
    if settings.contains_key(SETTING) {
        release(settings);
        if settings.get(SETTING).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            settings.remove(SETTING);
        }
    }
}

/// Kubernetes generates UUIDs, but guarantees only that a UID is a short string.
fn is_uid(part: &str) -> bool {
    (1..=64).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reports whether a part is a namespace name (RFC 1123 label).
fn is_label(part: &str) -> bool {
    part.len() <= 63 && is_word(part)
}

/// Reports whether a part is an object name (RFC 1123 subdomain).
fn is_subdomain(part: &str) -> bool {
    part.len() <= 253 && part.split('.').all(is_word)
}

fn is_word(part: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [part.bytes().next(), part.bytes().last()];
    ends.iter().all(|end| end.is_some_and(inner)) && part.bytes().all(|byte| inner(byte) || byte == b'-')
}

fn tags(settings: &Map<String, Value>) -> &[Value] {
    settings.get(SETTING).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn others(settings: &Map<String, Value>) -> Vec<Value> {
    tags(settings).iter().filter(|tag| tag["key"] != KEY).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { cluster: "c".into(), uid: "u".into(), namespace: "team-a".into(), name: "orders".into() }
    }

    #[test]
    fn a_mark_is_found_again_beside_other_peoples_tags() {
        let mut settings = Map::new();
        settings.insert(SETTING.into(), json!([{ "key": "cost-centre", "value": "7" }]));
        mark().put(&mut settings);
        mark().put(&mut settings);
        assert_eq!(Mark::of(&settings), Some(mark()));
        assert_eq!(settings[SETTING].as_array().unwrap().len(), 2);
        let mut sent = Map::new();
        sent.insert(SETTING.into(), json!([{ "key": "team", "value": "a" }]));
        mark().put_beside(&mut sent, &settings);
        let keys: Vec<_> = sent[SETTING].as_array().unwrap().iter().map(|tag| tag["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["team", "cost-centre", KEY]);
        release(&mut settings);
        assert_eq!(settings[SETTING], json!([{ "key": "cost-centre", "value": "7" }]));
        let mut exported = Map::new();
        mark().put(&mut exported);
        strip(&mut exported);
        assert!(exported.is_empty());
    }

    #[test]
    fn values_that_weirkeeper_does_not_write_are_no_mark() {
        let long = format!("c/u/n/{}", "a".repeat(254));
        let names =
            ["c/u/n/..", "c/u/n/", "c/u//a", "c/u/n/a?b", "c/u/n/a%2Fb", "c/u/n.x/a", "c/u/N/a", "c/u/n/-a", "c/../n/a", "c/u /n/a", &long];
        for value in ["", "a/b/c", "a/b/c/d/e"].into_iter().chain(names) {
            assert_eq!(Mark::parse(value), None, "{value}");
        }
        let real = "0f2c7a8e-0000-4000-8000-000000000001/0F2C7A8E-0000-4000-8000-000000000002/team-a/orders.v2";
        assert_eq!(Mark::parse(real).map(|mark| mark.to_value()).as_deref(), Some(real));
    }
}
