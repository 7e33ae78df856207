//! Metrics of what WorkflowPrompts use: cost, and by namespace only if that is asked for, since each namespace is a series of its own.

use prometheus::{CounterVec, IntCounterVec, Opts, Registry};

use crate::api::money::Money;

/// Counters of what WorkflowPrompts use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ModelUse {
    cost: CounterVec,
    by_namespace: Option<(IntCounterVec, CounterVec)>,
}

impl ModelUse {
    /// Creates and registers the counters.
    pub fn register(registry: &Registry, by_namespace: bool) -> Result<Self, prometheus::Error> {
        let cost = CounterVec::new(
            Opts::new(
                "weirkeeper_ai_cost_total",
                "Cost of calls of language models by stage and tier, in the currency of the providers' prices.",
            ),
            &["stage", "tier"],
        )?;
        registry.register(Box::new(cost.clone()))?;
        if !by_namespace {
            return Ok(Self { cost, by_namespace: None });
        }
        let tokens = IntCounterVec::new(
            Opts::new("weirkeeper_ai_namespace_tokens_total", "Tokens of language models by namespace."),
            &["namespace"],
        )?;
        let spent = CounterVec::new(
            Opts::new(
                "weirkeeper_ai_namespace_cost_total",
                "Cost of language models by namespace, in the currency of the providers' prices.",
            ),
            &["namespace"],
        )?;
        registry.register(Box::new(tokens.clone()))?;
        registry.register(Box::new(spent.clone()))?;
        Ok(Self { cost, by_namespace: Some((tokens, spent)) })
    }

    /// Counts a call that is paid for, or whose answer was lost and may have been.
    pub fn count(&self, namespace: &str, (stage, tier): (&str, &str), tokens: i64, cost: Money) {
        // Nobody pays so much that the rounding of a float matters.
        let cost = cost.micros() as f64 / 1e6;
        self.cost.with_label_values(&[stage, tier]).inc_by(cost);
        if let Some((counted, spent)) = &self.by_namespace {
            counted.with_label_values(&[namespace]).inc_by(u64::try_from(tokens).unwrap_or(0));
            spent.with_label_values(&[namespace]).inc_by(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(by_namespace: bool) -> String {
        let registry = Registry::new();
        let metrics = ModelUse::register(&registry, by_namespace).unwrap();
        metrics.count("team-a", ("plan", "simple"), 120, Money::from_micros(1_500_000));
        metrics.count("team-b", ("plan", "simple"), -1, Money::from_micros(250_000));
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn namespaces_are_labels_only_if_that_is_asked_for() {
        let (without, with) = (shown(false), shown(true));
        assert!(
            without.contains("weirkeeper_ai_cost_total{stage=\"plan\",tier=\"simple\"} 1.75") && !without.contains("team-a"),
            "{without}"
        );
        for line in [
            "weirkeeper_ai_namespace_tokens_total{namespace=\"team-a\"} 120",
            "weirkeeper_ai_namespace_cost_total{namespace=\"team-a\"} 1.5",
            "weirkeeper_ai_namespace_cost_total{namespace=\"team-b\"} 0.25",
        ] {
            assert!(with.contains(line), "{line}: {with}");
        }
    }
}
