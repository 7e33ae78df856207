//! Metrics of the controllers. Labels come from fixed sets, never from object names; only the expiry of API keys has one series for each
//! N8nInstance, and the requests with credentials one for each N8nCredential with a rate limit, of which there are few.

use std::time::Instant;

use jiff::Timestamp;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::api::credential_status::TestResult;

use super::model_use::ModelUse;

/// Metrics of both controllers.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Reconciliations by controller and reason.
    pub reconciliations: IntCounterVec,
    /// Duration in seconds by step and outcome.
    pub steps: HistogramVec,
    /// Reconciliations that wait for a slot.
    pub queue: IntGauge,
    /// Workflows by state.
    pub workflows: IntGaugeVec,
    /// N8nCredentials by state.
    pub credentials: IntGaugeVec,
    /// Tests of credentials by n8n, by result.
    credential_tests: IntCounterVec,
    /// Writes of credentials to n8n, by operation.
    credential_writes: IntCounterVec,
    /// Time at which the API key of each instance expires, in seconds since 1970.
    key_expiry: IntGaugeVec,
    /// Open connections, with their keys and listings.
    pub connections: IntGauge,
    /// Reconciliations that panicked.
    pub panics: IntCounter,
    /// Versions that failed, by reason.
    pub failures: IntCounterVec,
    /// Rollbacks to a good version.
    pub rollbacks: IntCounter,
    /// Changes made in n8n that were reverted.
    pub reverts: IntCounter,
    /// Deletions that gave up on n8n.
    pub abandoned: IntCounter,
    /// Writes to Kubernetes by kind of object.
    pub writes: IntCounterVec,
    /// Calls of language models that are running.
    pub model_calls: IntGauge,
    /// Listings of instances in place of reconciliations, by outcome.
    pub sweeps: IntCounterVec,
    /// Workflows by what a listing led to.
    pub swept: IntCounterVec,
    /// Workflows that listings confirm.
    pub covered: IntGauge,
    /// Requests in a minute with each N8nCredential that has a rate limit.
    pub credential_requests: GaugeVec,
    /// Rate limit of these in requests in a minute.
    pub credential_limit: GaugeVec,
    /// Use of language models by WorkflowPrompts.
    pub model_use: ModelUse,
}

/// States by which workflows and credentials are counted.
pub const STATES: [&str; 4] = ["ready", "reconciling", "stalled", "suspended"];

impl Metrics {
    /// Creates and registers the metrics; those of namespaces only if that is asked for.
    pub fn register(registry: &Registry, by_namespace: bool) -> Result<Self, prometheus::Error> {
        let steps = HistogramOpts::new("weirkeeper_reconcile_step_duration_seconds", "Duration of the steps of a reconciliation.")
            .buckets(vec![0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]);
        let metrics = Self {
            reconciliations: IntCounterVec::new(
                Opts::new("weirkeeper_reconcile_total", "Reconciliations by controller and reason."),
                &["controller", "reason"],
            )?,
            steps: HistogramVec::new(steps, &["step", "outcome"])?,
            queue: IntGauge::new("weirkeeper_queue_depth", "Reconciliations that wait for a slot.")?,
            workflows: IntGaugeVec::new(Opts::new("weirkeeper_workflows", "Workflows by state."), &["state"])?,
            credentials: IntGaugeVec::new(Opts::new("weirkeeper_credentials", "N8nCredentials by state."), &["state"])?,
            credential_tests: IntCounterVec::new(
                Opts::new("weirkeeper_credential_tests_total", "Tests of credentials by n8n, by result."),
                &["result"],
            )?,
            credential_writes: IntCounterVec::new(
                Opts::new("weirkeeper_credential_writes_total", "Writes of credentials to n8n, by operation."),
                &["operation"],
            )?,
            key_expiry: IntGaugeVec::new(
                Opts::new(
                    "weirkeeper_n8n_key_expiry_timestamp_seconds",
                    "When the API key of an N8nInstance expires; absent if it does not expire.",
                ),
                &["namespace", "instance"],
            )?,
            connections: IntGauge::new("weirkeeper_connections", "Open connections to n8n, with their keys and listings.")?,
            panics: IntCounter::new("weirkeeper_panics_total", "Reconciliations that panicked.")?,
            failures: IntCounterVec::new(Opts::new("weirkeeper_version_failures_total", "Versions that failed, by reason."), &["reason"])?,
            rollbacks: IntCounter::new("weirkeeper_rollbacks_total", "Rollbacks to a good version.")?,
            reverts: IntCounter::new("weirkeeper_drift_reverts_total", "Changes made in n8n that were reverted.")?,
            abandoned: IntCounter::new("weirkeeper_cleanups_abandoned_total", "Deletions that gave up on n8n.")?,
            writes: IntCounterVec::new(
                Opts::new("weirkeeper_kubernetes_writes_total", "Writes to Kubernetes by kind of object."),
                &["kind"],
            )?,
            credential_requests: GaugeVec::new(
                Opts::new(
                    "weirkeeper_credential_requests_per_minute",
                    "Requests in a minute with an N8nCredential that has a rate limit, if each node that uses it sends one in each execution.",
                ),
                &["namespace", "credential"],
            )?,
            credential_limit: GaugeVec::new(
                Opts::new("weirkeeper_credential_rate_limit_per_minute", "Rate limit of an N8nCredential in requests in a minute."),
                &["namespace", "credential"],
            )?,
            model_calls: IntGauge::new("weirkeeper_ai_calls_running", "Calls of language models that are running or queued.")?,
            sweeps: IntCounterVec::new(
                Opts::new("weirkeeper_sweeps_total", "Listings of instances that were read in place of reconciliations, by outcome."),
                &["outcome"],
            )?,
            swept: IntCounterVec::new(
                Opts::new("weirkeeper_swept_workflows_total", "Workflows that a listing confirmed, or that were reconciled because of it."),
                &["result"],
            )?,
            covered: IntGauge::new("weirkeeper_covered_workflows", "Workflows that listings of their instances confirm.")?,
            model_use: ModelUse::register(registry, by_namespace)?,
        };
        metrics.restart();
        registry.register(Box::new(metrics.reconciliations.clone()))?;
        registry.register(Box::new(metrics.steps.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.model_calls.clone()))?;
        registry.register(Box::new(metrics.sweeps.clone()))?;
        registry.register(Box::new(metrics.swept.clone()))?;
        registry.register(Box::new(metrics.covered.clone()))?;
        registry.register(Box::new(metrics.credential_requests.clone()))?;
        registry.register(Box::new(metrics.credential_limit.clone()))?;
        registry.register(Box::new(metrics.workflows.clone()))?;
        registry.register(Box::new(metrics.credentials.clone()))?;
        registry.register(Box::new(metrics.credential_tests.clone()))?;
        registry.register(Box::new(metrics.credential_writes.clone()))?;
        registry.register(Box::new(metrics.key_expiry.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.panics.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.rollbacks.clone()))?;
        registry.register(Box::new(metrics.reverts.clone()))?;
        registry.register(Box::new(metrics.abandoned.clone()))?;
        registry.register(Box::new(metrics.writes.clone()))?;
        Ok(metrics)
    }

    /// Sets what describes the present to its beginning: the controllers start, perhaps again in this process.
    pub fn restart(&self) {
        for state in STATES {
            // A state without workflows is a zero, not a gap.
            self.workflows.with_label_values(&[state]).set(0);
            self.credentials.with_label_values(&[state]).set(0);
        }
        self.connections.set(0);
        self.covered.set(0);
        self.key_expiry.reset();
        self.credential_requests.reset();
        self.credential_limit.reset();
    }

    /// Counts a test of a credential.
    pub fn credential_tested(&self, result: TestResult) {
        self.credential_tests.with_label_values(&[result.as_str()]).inc();
    }

    /// Counts a write of a credential: create, rotate, revert, rename, move, release or delete.
    pub fn credential_write(&self, operation: &'static str) {
        self.credential_writes.with_label_values(&[operation]).inc();
    }

    /// Sets when the API key of an instance expires; None if it does not expire or the instance is gone.
    pub fn key_expires(&self, namespace: &str, instance: &str, at: Option<Timestamp>) {
        let labels = [namespace, instance];
        match at {
            Some(at) => self.key_expiry.with_label_values(&labels).set(at.as_second()),
            // Removing a series that does not exist is no error.
            None => drop(self.key_expiry.remove_label_values(&labels)),
        }
    }

    /// Starts timing a step. Without a call of [`StepTimer::done`] the step is counted as abandoned, so that an early return shows where
    /// reconciliations stop.
    pub fn time(&self, step: &'static str) -> StepTimer<'_> {
        StepTimer { metrics: self, step, started: Instant::now(), outcome: "abandoned" }
    }
}

/// Times one step.
#[derive(Debug)]
pub struct StepTimer<'a> {
    metrics: &'a Metrics,
    step: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl StepTimer<'_> {
    /// Records that the step completed.
    pub fn done(mut self) {
        self.outcome = "done";
    }
}

impl Drop for StepTimer<'_> {
    fn drop(&mut self) {
        self.metrics.steps.with_label_values(&[self.step, self.outcome]).observe(self.started.elapsed().as_secs_f64());
    }
}

/// One more on a gauge until it is dropped, with the future that holds it at the latest.
pub struct Counted(IntGauge);

impl Counted {
    /// Counts one more.
    pub fn on(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
