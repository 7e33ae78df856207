//! Cost of calls of language models.

use super::call::Usage;
use crate::api::money::Money;

/// Prices of a million tokens of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of questions.
    pub input: Money,
    /// Of questions that the server had in a cache; the price of others if None.
    pub cached: Option<Money>,
    /// Of answers.
    pub output: Money,
}

impl Prices {
    /// Returns the cost of some usage, rounded up to a millionth.
    pub fn cost(&self, usage: &Usage) -> Money {
        let cached = usage.cached.min(usage.input);
        let part = |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.micros().unsigned_abs());
        let sum =
            part(usage.input - cached, self.input) + part(cached, self.cached.unwrap_or(self.input)) + part(usage.output, self.output);
        Money::from_micros(i64::try_from(sum.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_exact_and_rounded_up() {
        let price = |text: &str| Money::parse(text).unwrap();
        let prices = Prices { input: price("0.15"), cached: Some(price("0.075")), output: price("0.6") };
        let usage = |input, cached, output| Usage { input, cached, output, estimated: false };
        for (usage, millionths) in [
            (usage(1_000_000, 0, 0), 150_000),
            (usage(1_000_000, 1_000_000, 0), 75_000),
            (usage(12_000, 8_000, 2_000), 600 + 600 + 1_200),
            (usage(1, 0, 0), 1),
            (usage(0, 5, 0), 0),
            (usage(0, 0, 0), 0),
        ] {
            assert_eq!(prices.cost(&usage).micros(), millionths, "{usage:?}");
        }
        let most = Prices { input: price("999999"), cached: None, output: price("999999") };
        assert_eq!(most.cost(&usage(u64::MAX, 0, u64::MAX)).micros(), i64::MAX);
        let without = Prices { cached: None, ..prices };
        assert_eq!(without.cost(&usage(1_000_000, 1_000_000, 0)).micros(), 150_000);
    }
}
