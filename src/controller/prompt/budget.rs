//! Budgets: the limits of the prompt, and the quotas of its namespace, reserved before a call and settled after it.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Reconciliation;
use crate::api::money::Money;
use crate::api::prompt_status::PendingCall;
use crate::api::quota::QuotaResource;
use crate::api::reason::Reason;
use crate::controller::providers::ModelConnection;
use crate::domain::error::ReconcileError;
use crate::domain::quota::daily::Use;
use crate::generation::call::ModelCall;

/// Time from the first answer after which no further call is made, unless the prompt says otherwise.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Time until a limit that only an edit can change is looked at again.
const LATER: Duration = Duration::from_secs(600);

/// Reservation for a call.
pub(super) struct Reserved {
    pub(super) tokens: i64,
    pub(super) cost: Money,
}

impl Reconciliation<'_> {
    /// Reserves what a call may use at most. Fails if a limit of the prompt or a quota of the namespace does not allow it.
    pub(super) async fn reserve(&self, models: &ModelConnection, call: &ModelCall) -> Result<Reserved, ReconcileError> {
        let usage = models.client.reservation(call);
        let reserved = Reserved { tokens: i64::try_from(usage.total()).unwrap_or(i64::MAX), cost: models.prices(call.tier).cost(&usage) };
        self.within_limits(reserved.tokens)?;
        let generation = self.generation_key();
        let of_generation = Use { resource: QuotaResource::GenerationsPerDay, key: &generation, amount: 1 };
        let first = self.status.began_at.is_none();
        if first {
            self.ctx.quotas.reserve(self.namespace(), of_generation).await?;
        }
        let key = self.call_key(&call.key);
        let tokens = Use { resource: QuotaResource::TokensPerDay, key: &key, amount: reserved.tokens };
        let cost = Use { resource: QuotaResource::CostPerDay, key: &key, amount: reserved.cost.micros() };
        let mut taken = Vec::new();
        for of in [tokens, cost] {
            if let Err(error) = self.ctx.quotas.reserve(self.namespace(), of).await {
                for of in taken.into_iter().chain(first.then_some(of_generation)) {
                    self.ctx.quotas.settle(self.namespace(), Use { amount: 0, ..of }).await;
                }
                return Err(error);
            }
            taken.push(of);
        }
        Ok(reserved)
    }

    /// Counts the generation that has begun.
    pub(super) async fn begun(&self) {
        self.settle_generation(1).await;
    }

    /// Releases what was reserved for a generation that has not begun.
    pub(super) async fn not_begun(&self) {
        self.settle_generation(0).await;
    }

    async fn settle_generation(&self, amount: i64) {
        let key = self.generation_key();
        self.ctx.quotas.settle(self.namespace(), Use { resource: QuotaResource::GenerationsPerDay, key: &key, amount }).await;
    }

    /// Replaces what was reserved for a call by what it used.
    pub(super) async fn settle(&self, pending: &PendingCall, tokens: i64, micros: i64) {
        let key = self.call_key(&pending.key);
        for (resource, amount) in [(QuotaResource::TokensPerDay, tokens), (QuotaResource::CostPerDay, micros)] {
            self.ctx.quotas.settle(self.namespace(), Use { resource, key: &key, amount }).await;
        }
    }

    /// Settles what an operator that was stopped had reserved and not settled: before a call was announced nothing was used, and after its answer
    /// was recorded the status knows what was.
    pub(super) async fn settle_left(&self) {
        let prefix = self.call_key("");
        let known = self.ctx.quotas.known(self.namespace());
        let statuses: Vec<_> = known.iter().map(|quota| quota.status()).collect();
        let left: HashSet<(QuotaResource, &str)> = statuses
            .iter()
            .flat_map(|status| &status.reservations)
            .filter(|one| one.key.starts_with(&prefix))
            .map(|one| (one.resource, one.key.as_str()))
            .collect();
        for (resource, key) in left {
            let call = &key[prefix.len()..];
            let amount = match resource {
                QuotaResource::GenerationsPerDay if self.status.began_at.is_none() && key == self.generation_key() => continue,
                QuotaResource::GenerationsPerDay => 1,
                _ if self.status.pending_calls.iter().any(|pending| pending.key == call) => continue,
                _ => self.status.used_by(call).map_or(0, |used| match resource {
                    QuotaResource::CostPerDay => Money::parse(&used.cost).unwrap_or_default().micros(),
                    _ => used.input.saturating_add(used.output),
                }),
            };
            self.ctx.quotas.settle(self.namespace(), Use { resource, key, amount }).await;
        }
    }

    fn call_key(&self, key: &str) -> String {
        format!("{}/{key}", self.uid())
    }

    fn generation_key(&self) -> String {
        format!("{}/{}", self.uid(), self.status.asked_hash.as_deref().unwrap_or_default())
    }

    fn within_limits(&self, tokens: i64) -> Result<(), ReconcileError> {
        let limits = &self.prompt.spec.limits;
        let Some(began) = &self.status.began_at else {
            return allowed(limits.tokens, 0, tokens);
        };
        let deadline = limits.deadline.map_or(DEADLINE, |deadline| deadline.get());
        // A server that is away, or a budget that is used up, is no part of the time.
        let answered = self.status.usage.calls.iter().filter(|call| call.at.0 >= began.0).map(|call| call.at.0).min();
        let passed = answered.map(|first| Duration::try_from(Timestamp::now().duration_since(first)).unwrap_or_default());
        if let Some(first) = answered.filter(|_| passed.is_some_and(|passed| passed > deadline)) {
            let message = format!(
                "the first call was answered at {first}, and the generation may take {} s from then (spec.limits.deadline); raise the limit, or set weirkeeper.dev/reset-at to begin again",
                deadline.as_secs()
            );
            return Err(ReconcileError::denied(Reason::LimitExceeded, message).again_in(LATER));
        }
        let calls = self.status.usage.calls.iter().filter(|call| call.at.0 >= began.0);
        let used = calls.map(|call| call.input.saturating_add(call.output)).fold(0, i64::saturating_add);
        let pending = self.status.pending_calls.iter().map(|call| call.tokens).fold(0, i64::saturating_add);
        allowed(limits.tokens, used.saturating_add(pending), tokens)
    }
}

fn allowed(limit: Option<i64>, used: i64, wanted: i64) -> Result<(), ReconcileError> {
    match limit.filter(|limit| used.saturating_add(wanted) > *limit) {
        None => Ok(()),
        Some(limit) => Err(ReconcileError::denied(
            Reason::LimitExceeded,
            format!(
                "the next call may take {wanted} tokens, {used} are used, and spec.limits.tokens is {limit}; raise it, or ask for less"
            ),
        )),
    }
}
