//! Requests and tokens a minute. A call waits for its turn until its deadline; what a minute allows may be used at once.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::error::{ErrorKind, ModelError};
use super::settings::Limits;

/// Limits of one server on requests and tokens.
#[derive(Debug)]
pub(super) struct RateLimits {
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

impl RateLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        let limiter = |most: NonZeroU32| RateLimiter::direct(Quota::per_minute(most));
        Self { requests: limits.requests_per_minute.map(limiter), tokens: limits.tokens_per_minute.map(|most| (limiter(most), most)) }
    }

    /// Waits for the turn of a request that takes this many tokens.
    pub(super) async fn turn(&self, tokens: u64) -> Result<(), ModelError> {
        if let Some((limiter, most)) = &self.tokens {
            let over = || {
                let message =
                    format!("the call may take {tokens} tokens, more than limits.tokensPerMinute of the provider ever allows ({most})");
                ModelError::new(ErrorKind::OverLimit, message)
            };
            let tokens = u32::try_from(tokens).map_err(|_| over())?;
            limiter.until_n_ready(NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN)).await.map_err(|_| over())?;
        }
        if let Some(limiter) = &self.requests {
            limiter.until_ready().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(requests: Option<u32>, tokens: Option<u32>) -> RateLimits {
        let number = |most: Option<u32>| most.and_then(NonZeroU32::new);
        RateLimits::new(&Limits { requests_per_minute: number(requests), tokens_per_minute: number(tokens), ..Limits::default() })
    }

    async fn in_time(limits: &RateLimits, tokens: u64) -> bool {
        tokio::time::timeout(Duration::from_millis(30), limits.turn(tokens)).await.is_ok_and(|turn| turn.is_ok())
    }

    #[tokio::test]
    async fn what_a_minute_allows_passes_at_once_and_the_next_waits() {
        let two = limits(Some(2), None);
        assert!(in_time(&two, 1).await && in_time(&two, 1).await && !in_time(&two, 1).await);
        let thousand = limits(None, Some(1000));
        assert!(in_time(&thousand, 700).await && !in_time(&thousand, 700).await && in_time(&thousand, 200).await);
        let none = limits(None, None);
        assert!(in_time(&none, u64::MAX).await);
    }

    #[tokio::test]
    async fn a_call_that_never_fits_fails_at_once() {
        let error = limits(None, Some(1000)).turn(1001).await.unwrap_err();
        assert!(error.kind == ErrorKind::OverLimit && error.message.contains("1001") && error.message.contains("1000"), "{error}");
    }
}
