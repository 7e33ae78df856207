//! Answers of models. Each question is announced in the status before it is sent and answered by a record, so that none is sent twice: a question
//! whose answer this process does not know, and which is not recorded, is lost, and what was reserved for it counts as used.

use jiff::Timestamp;
use kube::ResourceExt;
use tracing::warn;

use super::Work;
use super::facts::Facts;
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::money::Money;
use crate::api::prompt_status::{CallUsage, PendingCall};
use crate::api::reason::Reason;
use crate::controller::models::{CallState, lost};
use crate::domain::error::ReconcileError;
use crate::generation::call::{Answer, CallFailure, ModelCall, ModelReply, ModelTier};
use crate::kubernetes::prompt_records::{answer_name, lost_name};
use crate::kubernetes::{objects, prompt_records};

/// Maximum size of an answer that is stored, in bytes; etcd takes objects of a little more than a megabyte.
const LARGEST_ANSWER: usize = 1_000_000;

impl Work<'_> {
    /// Returns the recorded answer to a question. Without one the question is sent, or is on its way: then None.
    pub(super) async fn answer(&mut self, facts: &Facts, call: &ModelCall) -> Result<Option<Answer>, ReconcileError> {
        if let Some(reply) = self.recorded(&call.key).await? {
            return Ok(Some(Ok(reply)));
        }
        if let Some(lost) = self.read(&lost_name(self.uid(), &call.key), true).await? {
            return Ok(Some(Err(lost)));
        }
        if self.status.pending_calls.iter().any(|pending| pending.key == call.key) {
            return Ok(None);
        }
        let Some(models) = facts.models.clone() else { return Err(ReconcileError::bug("the built-in generator asks a model")) };
        let reserved = self.reserve(&models, call).await?;
        let now = Timestamp::now();
        let pending = PendingCall {
            key: call.key.clone(),
            stage: call.stage.as_str().to_owned(),
            tier: call.tier.as_str().to_owned(),
            tokens: reserved.tokens,
            micros: reserved.cost.micros(),
            at: whole_seconds(now),
        };
        let first = self.status.began_at.is_none();
        self.status.record_call(pending, now);
        self.save().await?;
        if first {
            self.begun().await;
        }
        self.ctx.models.start((self.uid(), self.object_ref()), models.client.clone(), call.clone());
        self.set(ConditionType::BudgetExceeded, ConditionStatus::False, Reason::WithinBudget, "");
        Ok(None)
    }

    /// Records the answers that have come, and the questions that were lost with the process that had sent them.
    pub(super) async fn collect_answers(&mut self, facts: &Facts) -> Result<(), ReconcileError> {
        let mut failed = None;
        for pending in self.status.pending_calls.clone() {
            let answer = match self.ctx.models.state(self.uid(), &pending.key) {
                Some(CallState::Running) => continue,
                Some(CallState::Done(Ok(reply))) if reply.text.len() > LARGEST_ANSWER => Err(lost("the answer is too large to be stored")),
                Some(CallState::Done(answer)) => answer,
                // The record may have been written before the status was.
                None => match self.recorded(&pending.key).await? {
                    Some(reply) => Ok(reply),
                    None => Err(lost("the operator was restarted while it waited for the answer")),
                },
            };
            let (used, cost) = match answer {
                Ok(reply) => {
                    self.keep(&answer_name(&pending.key), &json(&reply)?).await?;
                    let tier = if pending.tier == ModelTier::Simple.as_str() { ModelTier::Simple } else { ModelTier::Complex };
                    // Without its provider the price is not known any more: what was reserved counts.
                    let reserved = Money::from_micros(pending.micros);
                    let cost = facts.models.as_ref().map_or(reserved, |models| models.prices(tier).cost(&reply.usage));
                    (self.usage(&pending, &reply, cost, facts), cost)
                }
                Err(failure) if !failure.may_have_been_paid => {
                    // Nothing was used: the same question may be sent again.
                    self.settle(&pending, 0, 0).await;
                    self.status.pending_calls.retain(|one| one.key != pending.key);
                    self.ctx.models.forget(self.uid(), &pending.key);
                    failed = Some(ReconcileError::from(failure));
                    continue;
                }
                Err(failure) => {
                    warn!(message = failure.message, "the answer of a model was lost");
                    self.keep(&lost_name(self.uid(), &pending.key), &json(&CallFailure::from(failure))?).await?;
                    let cost = Money::from_micros(pending.micros);
                    (CallUsage { input: pending.tokens, estimated: true, ..self.usage_of(&pending, String::new(), cost) }, cost)
                }
            };
            let tokens = used.input.saturating_add(used.output);
            self.status.record_answer(&pending.key, used);
            self.save().await?;
            self.settle(&pending, tokens, cost.micros()).await;
            self.ctx.models.forget(self.uid(), &pending.key);
        }
        match failed {
            None => Ok(()),
            // Its class says whether a person has to act; it is tried again in any case, and not before the server allows it.
            Some(error) => {
                self.save().await?;
                Err(error)
            }
        }
    }

    fn usage(&self, pending: &PendingCall, reply: &ModelReply, cost: Money, facts: &Facts) -> CallUsage {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let provider = facts.models.as_ref().map(|models| models.provider.name_any()).unwrap_or_default();
        let usage = self.usage_of(pending, crate::text::one_line(&format!("{provider} {}", reply.model), 500), cost);
        CallUsage { input: count(reply.usage.input), output: count(reply.usage.output), estimated: reply.usage.estimated, ..usage }
    }

    fn usage_of(&self, pending: &PendingCall, model: String, cost: Money) -> CallUsage {
        CallUsage {
            key: pending.key.clone(),
            stage: pending.stage.clone(),
            model,
            input: 0,
            output: 0,
            cost: cost.to_string(),
            estimated: false,
            at: whole_seconds(Timestamp::now()),
        }
    }

    /// Returns the answer to a question that any prompt of the namespace has paid for.
    async fn recorded(&self, key: &str) -> Result<Option<ModelReply>, ReconcileError> {
        self.read(&answer_name(key), false).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, name: &str, own: bool) -> Result<Option<T>, ReconcileError> {
        let owner = own.then(|| self.uid());
        let data = prompt_records::read(&self.ctx.client, self.namespace(), name, owner).await;
        let data = data.map_err(|error| objects::reconcile_error("read the recorded answer of a model", &error))?;
        Ok(data.and_then(|data| serde_json::from_value(data["answer"].clone()).ok()))
    }
}

fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, ReconcileError> {
    let value = serde_json::to_value(value).map_err(|error| ReconcileError::bug(format!("write an answer as JSON: {error}")))?;
    Ok(serde_json::json!({ "answer": value }))
}
