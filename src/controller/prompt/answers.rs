//! Answers of models. Each question is announced in the status and claimed by a record before it is sent, and its answer is a record, so that no
//! question is sent twice in a namespace: one whose claim is here, whose answer this process does not know, and which is not recorded, is lost,
//! and what was reserved for it counts as used.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use tracing::{info, warn};

use super::Reconciliation;
use super::facts::Models;
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::money::Money;
use crate::api::prompt_status::{CallUsage, PendingCall};
use crate::api::reason::Reason;
use crate::controller::models::{Asking, CallState, lost};
use crate::controller::providers::ModelConnection;
use crate::domain::error::ReconcileError;
use crate::generation::call::{Answer, CallFailure, ModelCall, ModelReply, ModelTier};
use crate::kubernetes::objects;
use crate::kubernetes::prompt_records::{self, Claimant, Kept, answer_name, lost_name};

/// Maximum size of an answer that is stored, in bytes; etcd takes objects of a little more than a megabyte.
const LARGEST_ANSWER: usize = 1_000_000;
/// Interval at which the answer to a question of another prompt is looked for: another operator may work on that prompt.
const FOLLOWED: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(500);

/// State of a call whose answer this process does not know.
enum Unknown {
    /// It is answered; the reply was recorded by this prompt.
    Recorded(ModelReply),
    /// This prompt has claimed it, so that it may have been sent.
    Lost,
    /// It was not sent, or another prompt has sent it.
    Unsent,
}

impl Reconciliation<'_> {
    /// Returns the recorded answer to a question. Without one the question is sent, or is on its way: then None.
    pub(super) async fn answer(&mut self, models: &ModelConnection, call: &ModelCall) -> Result<Option<Answer>, ReconcileError> {
        if let Some(known) = self.known(&call.key).await? {
            return Ok(Some(known));
        }
        if self.status.pending_calls.iter().any(|pending| pending.key == call.key) {
            return Ok(None);
        }
        let owner = self.owner()?;
        if let Some(other) = self.claimant(&owner, &call.key).await? {
            return self.asked_by(&other, &call.key).await;
        }
        let reserved = self.reserve(models, call).await?;
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
        self.status.record_call(pending.clone(), now);
        self.save().await?;
        let claimed = prompt_records::claim(&self.ctx.client, self.namespace(), &owner, &call.key).await;
        if let Err(other) = claimed.map_err(|error| failed_claim(&error))?
            && other.as_ref().is_none_or(|other| other.uid != owner.uid)
        {
            self.not_sent(&pending, first).await?;
            return match other {
                Some(other) => self.asked_by(&other, &call.key).await,
                None => Err(ReconcileError::transient(Reason::Progressing, "another WorkflowPrompt has just asked the same; retrying")
                    .again_in(SOON)),
            };
        }
        // The claim of another prompt may have been released because its answer was recorded meanwhile.
        if let Some(known) = self.known(&call.key).await? {
            self.not_sent(&pending, first).await?;
            return Ok(Some(known));
        }
        if first {
            self.begun().await;
        }
        self.ctx.models.start(Asking {
            uid: self.uid().to_owned(),
            prompt: self.object_ref(),
            provider: objects::key(&models.provider.namespace().unwrap_or_default(), &models.provider.name_any()),
            client: models.client.clone(),
            call: call.clone(),
        });
        self.set(ConditionType::BudgetExceeded, ConditionStatus::False, Reason::WithinBudget, "");
        Ok(None)
    }

    /// Returns the recorded answer to a question, or that it is lost.
    async fn known(&self, key: &str) -> Result<Option<Answer>, ReconcileError> {
        if let Some((reply, _)) = self.recorded(key).await? {
            return Ok(Some(Ok(reply)));
        }
        Ok(self.shared(&lost_name(key)).await?.map(|(lost, _)| Err(lost)))
    }

    /// Waits for the answer to a question that another prompt has claimed. With that prompt its answer is lost.
    async fn asked_by(&mut self, other: &Claimant, key: &str) -> Result<Option<Answer>, ReconcileError> {
        if other.uid == self.uid() {
            // The answer was deleted by its age, and the claim was left by an operator that was stopped.
            self.release(key).await;
            return Err(ReconcileError::transient(Reason::Progressing, "an earlier claim was released; retrying").again_in(SOON));
        }
        self.ctx.models.follow(self.object_ref(), key);
        let exists = prompt_records::exists(&self.ctx.client, self.namespace(), other).await.map_err(|error| failed_claim(&error))?;
        // Its answer may have been recorded meanwhile; then it is found the next time.
        if !exists && self.recorded(key).await?.is_none() {
            let failure = lost(&format!("WorkflowPrompt {}, which had asked the same, was deleted", other.name));
            self.keep((&lost_name(key), Kept::ForATime), &self.json(&CallFailure::from(failure))?).await?;
            let released = prompt_records::release(&self.ctx.client, self.namespace(), &other.uid, key).await;
            released.map_err(|error| failed_claim(&error))?;
            self.requeue_after(SOON);
        }
        self.requeue_after(FOLLOWED);
        self.follows = true;
        Ok(None)
    }

    /// Records the answers that have come, and the questions that were lost with the process that had sent them. Without `models` the prices are
    /// not known.
    pub(super) async fn collect_answers(&mut self, models: &Models) -> Result<(), ReconcileError> {
        let models = models.as_ref().ok().and_then(Option::as_ref);
        let mut failed = None;
        for pending in self.status.pending_calls.clone() {
            let answer = match self.ctx.models.state(self.uid(), &pending.key) {
                Some(CallState::Running) => continue,
                Some(CallState::Done(Ok(reply))) if reply.text.len() > LARGEST_ANSWER => Err(lost("the answer is too large to be stored")),
                Some(CallState::Done(answer)) => answer,
                None => match self.unknown(&pending.key).await? {
                    Unknown::Recorded(reply) => Ok(reply),
                    Unknown::Lost => Err(lost("the operator was restarted while it waited for the answer")),
                    Unknown::Unsent => {
                        let first = self.status.pending_calls.len() == 1 && self.status.answered_since_begin() == 0;
                        self.not_sent(&pending, first).await?;
                        continue;
                    }
                },
            };
            let (used, cost) = match answer {
                Ok(reply) => {
                    self.keep((&answer_name(&pending.key), Kept::ForATime), &self.json(&reply)?).await?;
                    self.prune().await;
                    self.ctx.remember(self.uid(), |memory| memory.unanswered = None);
                    let tier = if pending.tier == ModelTier::Simple.as_str() { ModelTier::Simple } else { ModelTier::Complex };
                    // Without its provider the price is not known any more: what was reserved counts.
                    let reserved = Money::from_micros(pending.micros);
                    let cost = models.map_or(reserved, |models| models.prices(tier).cost(&reply.usage));
                    (self.usage(&pending, &reply, cost, models.map(|models| models.as_ref())), cost)
                }
                Err(failure) if !failure.may_have_been_paid => {
                    // Nothing was used: the same question may be sent again.
                    self.not_sent(&pending, false).await?;
                    let error = ReconcileError::from(failure);
                    self.ctx.remember(self.uid(), |memory| memory.unanswered = Some(error.clone()));
                    failed = Some(error);
                    continue;
                }
                Err(failure) => {
                    warn!(message = failure.message, "the answer of a model was lost");
                    self.keep((&lost_name(&pending.key), Kept::ForATime), &self.json(&CallFailure::from(failure))?).await?;
                    let cost = Money::from_micros(pending.micros);
                    (CallUsage { input: pending.tokens, estimated: true, ..self.usage_of(&pending, String::new(), cost) }, cost)
                }
            };
            let tokens = used.input.saturating_add(used.output);
            self.status.record_answer(&pending.key, used);
            self.save().await?;
            self.ctx.metrics.model_use.count(self.namespace(), (&pending.stage, &pending.tier), tokens, cost);
            self.settle(&pending, tokens, cost.micros()).await;
            self.release(&pending.key).await;
            self.ctx.models.forget(self.uid(), &pending.key);
        }
        // The class says whether a person has to act; it is tried again in any case, and not before the server allows it.
        failed.map_or(Ok(()), Err)
    }

    /// Finds out about a call that this process did not make.
    async fn unknown(&self, key: &str) -> Result<Unknown, ReconcileError> {
        // The record may have been written before the status was.
        if let Some((reply, payer)) = self.recorded(key).await? {
            return Ok(if payer == self.uid() { Unknown::Recorded(reply) } else { Unknown::Unsent });
        }
        let claimed = self.claimant(&self.owner()?, key).await?;
        Ok(if claimed.is_some_and(|claimant| claimant.uid == self.uid()) { Unknown::Lost } else { Unknown::Unsent })
    }

    async fn claimant(&self, owner: &OwnerReference, key: &str) -> Result<Option<Claimant>, ReconcileError> {
        let claimed = prompt_records::claimant(&self.ctx.client, self.namespace(), owner, key).await;
        claimed.map_err(|error| failed_claim(&error))
    }

    /// Takes back the announcement of a call that was not sent, or for which nothing was paid. If it was the `first` of the generation, none has
    /// begun.
    async fn not_sent(&mut self, pending: &PendingCall, first: bool) -> Result<(), ReconcileError> {
        self.release(&pending.key).await;
        self.settle(pending, 0, 0).await;
        if first {
            self.not_begun().await;
        }
        self.status.record_unsent(&pending.key, first);
        self.ctx.models.forget(self.uid(), &pending.key);
        self.save().await
    }

    /// Deletes the claim of this prompt on a question, and wakes those that follow it. A claim that stays is deleted with the prompt.
    async fn release(&self, key: &str) {
        if let Err(error) = prompt_records::release(&self.ctx.client, self.namespace(), self.uid(), key).await {
            warn!(%error, "cannot delete the claim on a question");
        }
        self.ctx.models.wake_followers(self.namespace(), key);
    }

    /// Deletes answers that are too old.
    async fn prune(&self) {
        match prompt_records::prune(&self.ctx.client, self.namespace(), Timestamp::now()).await {
            Ok(0) => {}
            Ok(deleted) => info!(deleted, "deleted old answers of models"),
            Err(error) => warn!(%error, "cannot delete old answers of models"),
        }
    }

    fn usage(&self, pending: &PendingCall, reply: &ModelReply, cost: Money, models: Option<&ModelConnection>) -> CallUsage {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let provider = models.map(|models| models.provider.name_any()).unwrap_or_default();
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

    /// Returns the answer to a question that any prompt of the namespace has paid for, and the UID of that prompt.
    async fn recorded(&self, key: &str) -> Result<Option<(ModelReply, String)>, ReconcileError> {
        self.shared(&answer_name(key)).await
    }

    async fn shared<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<(T, String)>, ReconcileError> {
        let stored = prompt_records::share(&self.ctx.client, self.namespace(), name, &self.owner()?).await;
        let stored = stored.map_err(|error| objects::reconcile_error("read the recorded answer of a model", &error))?;
        Ok(stored.and_then(|data| {
            let payer = data["payer"].as_str().unwrap_or_default().to_owned();
            let answer = STANDARD.decode(data["answer"].as_str()?).ok()?;
            Some((serde_json::from_slice(&answer).ok()?, payer))
        }))
    }

    /// Returns an answer, or that it is lost, as it is recorded.
    fn json(&self, answer: &impl serde::Serialize) -> Result<serde_json::Value, ReconcileError> {
        let answer = serde_json::to_vec(answer).map_err(|error| ReconcileError::bug(format!("write an answer as JSON: {error}")))?;
        // The API server escapes some characters of the content when an owner is added, and then takes it for changed.
        Ok(serde_json::json!({ "answer": STANDARD.encode(answer), "payer": self.uid() }))
    }
}

fn failed_claim(error: &kube::Error) -> ReconcileError {
    objects::reconcile_error("claim a question to a language model", error)
}
