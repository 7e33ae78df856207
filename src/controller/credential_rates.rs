//! Requests with N8nCredentials that have a rate limit, estimated from the executions of the Workflows that use them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::metrics::Metrics;
use crate::api::credential::RateLimit;
use crate::domain::credential_limits::per_minute;

/// The last estimate of each Workflow, by its UID.
#[derive(Debug, Default)]
pub struct CredentialRates(Mutex<HashMap<String, Observed>>);

/// Requests of one Workflow.
#[derive(Debug, Default)]
struct Observed {
    namespace: String,
    /// Requests in a minute by N8nCredential.
    requests: BTreeMap<String, f64>,
}

impl CredentialRates {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Observed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the requests in a minute of a Workflow, and the limit of each N8nCredential.
    pub fn record(&self, metrics: &Metrics, uid: &str, namespace: &str, requests: BTreeMap<String, (f64, RateLimit)>) {
        for (name, (_, limit)) in &requests {
            metrics.credential_limit.with_label_values(&[namespace, name.as_str()]).set(per_minute(*limit));
        }
        let requests = requests.into_iter().map(|(name, (requests, _))| (name, requests)).collect();
        self.replace(metrics, uid, Observed { namespace: namespace.to_owned(), requests });
    }

    /// Forgets a Workflow.
    pub fn forget(&self, metrics: &Metrics, uid: &str) {
        self.replace(metrics, uid, Observed::default());
    }

    fn replace(&self, metrics: &Metrics, uid: &str, new: Observed) {
        let mut all = self.lock();
        let old = all.remove(uid);
        let changed: BTreeSet<(String, String)> = [old.as_ref(), Some(&new)]
            .into_iter()
            .flatten()
            .flat_map(|one| one.requests.keys().map(|name| (one.namespace.clone(), name.clone())))
            .collect();
        if !new.requests.is_empty() {
            all.insert(uid.to_owned(), new);
        }
        for (namespace, name) in changed {
            let labels = [namespace.as_str(), name.as_str()];
            let users: Vec<f64> =
                all.values().filter(|one| one.namespace == namespace).filter_map(|one| one.requests.get(&name).copied()).collect();
            if users.is_empty() {
                // Removing a series that does not exist is no error.
                let _ = metrics.credential_requests.remove_label_values(&labels);
                let _ = metrics.credential_limit.remove_label_values(&labels);
            } else {
                metrics.credential_requests.with_label_values(&labels).set(users.iter().sum());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, Registry, TextEncoder};

    use super::*;

    #[test]
    fn the_users_of_a_credential_are_added_up_until_they_are_gone() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry, false).unwrap();
        let rates = CredentialRates::default();
        let limit: RateLimit = serde_json::from_value(serde_json::json!({ "requests": 120, "per": "2m" })).unwrap();
        let of = |requests: f64| BTreeMap::from([("crm".to_owned(), (requests, limit))]);
        let shown = || {
            let mut text = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            text.lines().filter(|line| line.starts_with("weirkeeper_credential_")).map(str::to_owned).collect::<Vec<_>>()
        };
        rates.record(&metrics, "a", "team-a", of(30.0));
        rates.record(&metrics, "b", "team-a", of(12.0));
        rates.record(&metrics, "c", "team-b", of(7.0));
        rates.record(&metrics, "a", "team-a", of(40.0));
        let line = |name: &str, namespace: &str, value: &str| {
            format!("weirkeeper_credential_{name}_per_minute{{credential=\"crm\",namespace=\"{namespace}\"}} {value}")
        };
        let both = ["team-a", "team-b"];
        let expected: Vec<String> = both
            .iter()
            .map(|one| line("rate_limit", one, "60"))
            .chain([line("requests", both[0], "52"), line("requests", both[1], "7")])
            .collect();
        assert_eq!(shown(), expected);
        rates.forget(&metrics, "a");
        rates.record(&metrics, "b", "team-a", BTreeMap::new());
        assert_eq!(shown(), [line("rate_limit", both[1], "60"), line("requests", both[1], "7")]);
    }
}
