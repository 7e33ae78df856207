//! Rate limits of the N8nCredentials that a Workflow names, compared with what its definition does.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::credential::RateLimit;
use crate::api::workflow::WorkflowSpec;
use crate::document::definition::Definition;
use crate::document::finding::Finding;
use crate::domain::render::mapping_of;
use crate::validator::content::rate::{self, Limit, Load};

/// The rate limit of an N8nCredential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLimit {
    /// Name of the N8nCredential.
    pub credential: String,
    /// The limit.
    pub limit: RateLimit,
}

impl NamedLimit {
    fn limit(&self) -> Limit<'_> {
        let requests = u64::try_from(self.limit.requests).unwrap_or(u64::MAX);
        Limit { credential: &self.credential, requests, per: self.limit.per.get() }
    }
}

/// Returns the limits of the N8nCredentials that a spec names, each once. `limit_of` knows them by name.
pub fn limits_of(spec: &WorkflowSpec, limit_of: impl Fn(&str) -> Option<RateLimit>) -> Vec<NamedLimit> {
    let mut names: Vec<&str> =
        spec.credentials.iter().filter_map(|mapping| mapping.credential_ref.as_ref()).map(|reference| reference.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| Some(NamedLimit { credential: name.to_owned(), limit: limit_of(name)? })).collect()
}

/// Returns warnings about schedules, loops and batches of a definition that exceed one of the limits.
pub fn warnings(definition: &Definition, spec: &WorkflowSpec, limits: &[NamedLimit]) -> Vec<Finding> {
    limits
        .iter()
        .flat_map(|named| rate::check(definition, &named.limit(), &|kind, entry| names(spec, kind, entry, &named.credential)))
        .collect()
}

/// Returns the number of requests with an N8nCredential that the schedules of a definition cause within a time, if each node sends one.
pub fn scheduled_requests(definition: &Definition, spec: &WorkflowSpec, credential: &str, per: Duration) -> u64 {
    rate::loads(definition, per, &|kind, entry| names(spec, kind, entry, credential)).iter().map(Load::requests).sum()
}

/// Returns a limit in requests in a minute.
pub fn per_minute(limit: RateLimit) -> f64 {
    limit.requests as f64 * 60.0 / limit.per.get().as_secs_f64()
}

/// Returns the number of nodes of a workflow in n8n that use a credential.
pub fn users(nodes: &[Value], id: &str) -> usize {
    let uses = |node: &&Value| {
        let credentials = node["credentials"].as_object();
        node["disabled"] != true && credentials.into_iter().flatten().any(|(_, entry)| entry["id"] == id)
    };
    nodes.iter().filter(uses).count()
}

/// Returns the number of executions in a minute. `since` is the beginning of the time in which they were listed; a list that was cut at `most`
/// begins with its oldest execution.
pub fn executions_per_minute(started: &[Timestamp], since: Timestamp, now: Timestamp, most: usize) -> f64 {
    let since = if started.len() >= most { started.iter().min().copied().unwrap_or(since) } else { since };
    let minutes = now.duration_since(since).as_secs_f64() / 60.0;
    // Less than a minute is too short for a rate: its executions count as those of a minute.
    started.len() as f64 / minutes.max(1.0)
}

/// Reports whether a credential of a definition is mapped to an N8nCredential.
fn names(spec: &WorkflowSpec, kind: &str, entry: &Value, credential: &str) -> bool {
    mapping_of(spec, kind, entry)
        .and_then(|(_, mapping)| mapping.credential_ref.as_ref())
        .is_some_and(|reference| reference.name == credential)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validator::check::parse_and_check;

    #[test]
    fn executions_are_counted_by_the_minute() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let some: Vec<Timestamp> = (0..10).map(|number| at(1_000 + 12 * number)).collect();
        assert_eq!(executions_per_minute(&some, at(1_000), at(1_120), 500), 5.0);
        assert_eq!(executions_per_minute(&some, at(1_000), at(1_001), 500), 10.0);
        assert_eq!(executions_per_minute(&some, at(0), at(1_120), 10), 5.0, "a list that was cut");
        assert_eq!(executions_per_minute(&[], at(0), at(1_120), 10), 0.0);
        let nodes = [
            json!({ "credentials": { "a": { "id": "7" }, "b": { "id": "8" } } }),
            json!({ "credentials": { "a": { "id": "7" } }, "disabled": true }),
            json!({}),
        ];
        assert_eq!((users(&nodes, "7"), users(&nodes, "9")), (1, 0));
    }

    #[test]
    fn only_nodes_with_the_limited_credential_count() {
        let ask = |name: &str, credential: &str| {
            json!({ "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": { "url": "https://a.example" },
                "credentials": { "httpHeaderAuth": { "name": credential } } })
        };
        let raw = json!({
            "nodes": [
                { "name": "T", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "parameters": { "rule": { "interval": [{ "field": "seconds", "secondsInterval": 1 }] } } },
                ask("A", "CRM"), ask("B", "Other"),
            ],
            "connections": { "T": { "main": [[{ "node": "A", "type": "main", "index": 0 }]] }, "A": { "main": [[{ "node": "B", "type": "main", "index": 0 }]] } },
            "settings": {},
        });
        let definition = parse_and_check(&raw).unwrap().definition;
        let spec: WorkflowSpec = serde_json::from_value(json!({
            "instanceRef": { "name": "main" },
            "credentials": [{ "name": "CRM", "credentialRef": { "name": "crm" } }, { "name": "Other", "existing": { "id": "7" } }],
        }))
        .unwrap();
        let limit = |requests: i64| serde_json::from_value::<RateLimit>(json!({ "requests": requests })).unwrap();
        assert_eq!(limits_of(&spec, |_| None), []);
        let named = limits_of(&spec, |name| (name == "crm").then(|| limit(59)));
        assert_eq!(warnings(&definition, &spec, &named).len(), 1);
        assert_eq!(warnings(&definition, &spec, &limits_of(&spec, |_| Some(limit(60)))), []);
        assert_eq!(scheduled_requests(&definition, &spec, "crm", Duration::from_secs(10)), 10);
        assert_eq!(scheduled_requests(&definition, &spec, "other", Duration::from_secs(10)), 0);
    }
}
