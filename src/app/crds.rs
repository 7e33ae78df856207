//! Comparison of the installed CRDs with those of this version, before anything is reconciled: under an older CRD the API server drops the fields
//! that it does not know, from the status too, so that each reconciliation would write again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use prometheus::{IntGaugeVec, Opts, Registry};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::api::crds;
use crate::domain::crd_difference::{APPLY, outdated};
use crate::kubernetes::served_schemas::served_schemas;

/// Time between two comparisons while the CRDs are older, and their timeout.
const AGAIN: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two comparisons afterwards. A downgrade is rare, and only reported.
const LATER: Duration = Duration::from_secs(300);

/// CRDs that the operator waits for, as `/readyz` reports them.
#[derive(Clone)]
pub(super) struct CrdReadiness(Arc<Mutex<Option<String>>>);

impl CrdReadiness {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some("comparing the installed CRDs with those of this version".to_owned()))))
    }

    /// Returns what is missing.
    pub(super) fn waiting_for(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, waiting: Option<String>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *current != waiting;
        *current = waiting;
        changed
    }
}

/// The comparison and its metric.
pub(super) struct CrdCheck {
    own: BTreeMap<String, Value>,
    metric: IntGaugeVec,
    client: Client,
}

impl CrdCheck {
    pub(super) fn new(client: Client, registry: &Registry) -> Result<Self, prometheus::Error> {
        let metric = IntGaugeVec::new(
            Opts::new("weirkeeper_crd_outdated", "1 if the installed CRD of a kind is missing or older than the operator."),
            &["kind"],
        )?;
        registry.register(Box::new(metric.clone()))?;
        Ok(Self { own: crds::schemas(), metric, client })
    }

    /// Compares once, and returns a message if a CRD is missing or older.
    async fn compare(&self) -> Result<Option<String>, String> {
        let served = timeout(TIMEOUT, served_schemas(&self.client)).await;
        let served = served.map_err(|_| "the API server does not answer".to_owned())?.map_err(|error| error.to_string())?;
        let found = outdated(&self.own, &served);
        for kind in self.own.keys() {
            self.metric.with_label_values(&[kind]).set(i64::from(found.contains_key(kind)));
        }
        let messages: Vec<String> = found.into_values().collect();
        Ok((!messages.is_empty()).then(|| format!("{}; apply the CRDs of this version: {APPLY}", messages.join("; "))))
    }

    /// Waits until every CRD has the fields of this version. An API server that refuses the comparison is believed to have them.
    pub(super) async fn until_current(&self, readiness: &CrdReadiness) {
        loop {
            match self.compare().await {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if readiness.set(Some(message.clone())) {
                        warn!("nothing is reconciled yet: {message}");
                    }
                }
                Err(error) => {
                    warn!("the installed CRDs cannot be compared with those of this version: {error}");
                    break;
                }
            }
            sleep(AGAIN).await;
        }
        if readiness.set(None) {
            info!("the installed CRDs have all fields of this version");
        }
    }

    /// Compares from time to time, and reports CRDs that were replaced by older ones. Never ends.
    pub(super) async fn keep(&self) {
        let mut said = None;
        loop {
            sleep(LATER).await;
            if let Ok(message) = self.compare().await
                && message != said
            {
                message.iter().for_each(|message| warn!("{message}"));
                said = message;
            }
        }
    }
}
