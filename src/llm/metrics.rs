//! Counters and timings of the calls. Labels have a small fixed set of values, never the name of an object or a model.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::generation::call::{ModelCall, Usage};

/// Metrics of all clients in this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ModelMetrics {
    calls: IntCounterVec,
    requests: IntCounterVec,
    tokens: IntCounterVec,
    duration: Histogram,
}

/// From a cached answer to one that takes the whole time of a call.
const BUCKETS: &[f64] = &[0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0];

impl ModelMetrics {
    /// Creates and registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let calls = IntCounterVec::new(
            Opts::new(
                "weirkeeper_ai_calls_total",
                "Calls of language models by stage, tier and outcome; a call may take several requests.",
            ),
            &["stage", "tier", "outcome"],
        )?;
        let requests = IntCounterVec::new(
            Opts::new("weirkeeper_ai_requests_total", "Requests to servers of language models by outcome, repetitions included."),
            &["outcome"],
        )?;
        let tokens = IntCounterVec::new(
            Opts::new(
                "weirkeeper_ai_tokens_total",
                "Tokens of language models by stage, tier and kind: input, cached (a part of input), output. Estimated where a server reports none.",
            ),
            &["stage", "tier", "kind"],
        )?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(
                "weirkeeper_ai_call_duration_seconds",
                "Time of a call that was answered, with its repetitions and the wait for its turn.",
            )
            .buckets(BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(tokens.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { calls, requests, tokens, duration })
    }

    /// Counts a request.
    pub(super) fn request(&self, outcome: &str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// Counts a call that ended.
    pub(super) fn call(&self, call: &ModelCall, outcome: &str, usage: Usage, took: Duration) {
        let (stage, tier) = (call.stage.as_str(), call.tier.as_str());
        self.calls.with_label_values(&[stage, tier, outcome]).inc();
        for (kind, tokens) in [("input", usage.input), ("cached", usage.cached), ("output", usage.output)] {
            self.tokens.with_label_values(&[stage, tier, kind]).inc_by(tokens);
        }
        if outcome == "ok" {
            self.duration.observe(took.as_secs_f64());
        }
    }
}
