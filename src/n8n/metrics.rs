//! Counters and timings of the calls. Labels have a small fixed set of values, never the name of an object.

use std::time::Instant;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::operation::Operation;

/// Metrics of all clients in this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct N8nMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

/// From 10 ms (a read) to a publication that waits for an unreachable broker.
const BUCKETS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

impl N8nMetrics {
    /// Creates and registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("weirkeeper_n8n_requests_total", "Calls to n8n by operation and outcome."),
            &["operation", "outcome"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "weirkeeper_n8n_request_duration_seconds",
                "Time from sending a call to n8n to its complete answer, without time spent in the client's queue.",
            )
            .buckets(BUCKETS.to_vec()),
            &["operation"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { requests, duration })
    }

    /// Starts observing a call. If it is dropped without an outcome, it counts as `abandoned`.
    pub(super) fn observe(&self, operation: Operation) -> Observed<'_> {
        Observed { metrics: self, operation, sent: None, outcome: "abandoned" }
    }
}

/// A call under observation.
pub(super) struct Observed<'a> {
    metrics: &'a N8nMetrics,
    operation: Operation,
    sent: Option<Instant>,
    outcome: &'static str,
}

impl Observed<'_> {
    /// Records the end of the wait in the client's queue and the start of n8n's time.
    pub(super) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// Records the outcome of the call.
    pub(super) fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        let operation = self.operation.label();
        self.metrics.requests.with_label_values(&[operation, self.outcome]).inc();
        if let Some(sent) = self.sent {
            self.metrics.duration.with_label_values(&[operation]).observe(sent.elapsed().as_secs_f64());
        }
        tracing::debug!(operation, outcome = self.outcome, elapsed = ?self.sent.map(|s| s.elapsed()), "called n8n");
    }
}
