//! The controller of `WorkflowPrompt`: gathers what a generation depends on, has the engine decide the next step, asks models in a queue of
//! their own, and keeps the Workflow that is made.

mod answers;
mod budget;
mod deliver;
mod facts;
mod inputs;
mod repair;
mod report;
mod stage;
mod wake;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::info_span;

use super::context::Context;
use super::runtime::reconcile::{Ended, Next};
use super::runtime::status;
use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate};
use crate::api::prompt::WorkflowPrompt;
use crate::api::prompt_status::{PromptStage, WorkflowPromptStatus};
use crate::api::reason::{Class, Reason};
use crate::domain::backoff;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::prompt::asked::{asked_hash, plain_hash};
use crate::domain::status::Status;
use crate::domain::transitions::Turn;
use crate::kubernetes::indexed_prompt::IndexedPrompt;
use crate::kubernetes::objects;

pub(super) use wake::follow_changes;

/// Interval at which a prompt is looked at while nothing changes: its Workflow may have been changed or deleted.
const INTERVAL: Duration = Duration::from_secs(600);

/// One reconciliation of a prompt.
struct Reconciliation<'c> {
    ctx: &'c Context,
    prompt: WorkflowPrompt,
    /// Status as it is to be.
    status: WorkflowPromptStatus,
    /// Status as it is stored.
    stored: WorkflowPromptStatus,
    /// Resource version of the stored object.
    version: Option<String>,
    /// Conditions that this reconciliation determined.
    details: Vec<ConditionUpdate>,
    /// Events for stages that were reached.
    reached: Vec<Turn>,
    /// Time of the next reconciliation, if nothing starts one before.
    requeue: Option<Duration>,
    /// True if the answer to a question of another prompt is awaited.
    follows: bool,
    /// True if what is deployed failed, and was repaired as often as is allowed.
    exhausted: bool,
}

/// Reconciles one WorkflowPrompt.
pub(super) async fn reconcile(prompt: Arc<IndexedPrompt>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let span = info_span!("prompt", namespace = prompt.namespace(), name = prompt.name());
    ctx.reconcile("prompt", span, &*prompt, reconcile_latest(&ctx, prompt.namespace(), prompt.name())).await
}

async fn reconcile_latest(ctx: &Context, namespace: &str, name: &str) -> Result<Ended, Ended> {
    let prompt = ctx.latest::<WorkflowPrompt>(namespace, name).await?;
    if prompt.metadata.deletion_timestamp.is_some() {
        // The garbage collector deletes the Workflow that the prompt owns.
        ctx.models.forget_prompt(prompt.metadata.uid.as_deref().unwrap_or_default());
        return Ok(Ended::for_good(Reason::Deleting));
    }
    let stored = prompt.status.clone().unwrap_or_default();
    let version = prompt.resource_version();
    let mut work = Reconciliation {
        ctx,
        status: stored.clone(),
        stored,
        version,
        prompt,
        details: Vec::new(),
        reached: Vec::new(),
        requeue: None,
        follows: false,
        exhausted: false,
    };
    let limited = tokio::time::timeout(ctx.settings.reconcile_timeout, work.run()).await;
    let outcome = match limited {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Failed(error),
        Err(_) => Outcome::Failed(ReconcileError::timed_out(ctx.settings.reconcile_timeout)),
    };
    work.report(outcome).await
}

impl Reconciliation<'_> {
    fn uid(&self) -> &str {
        self.prompt.metadata.uid.as_deref().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self.prompt.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn object_ref(&self) -> ObjectRef<IndexedPrompt> {
        ObjectRef::new(self.prompt.metadata.name.as_deref().unwrap_or_default()).within(self.namespace())
    }

    fn set(&mut self, kind: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) {
        self.details.push(ConditionUpdate::new(kind, status, reason, message));
    }

    /// Takes the steps from the prompt to the Workflow, until one has to wait.
    async fn run(&mut self) -> Result<Outcome, ReconcileError> {
        self.take_up_requests();
        // Answers that were paid for are kept, whatever else is to be done.
        let models = self.models().await;
        let collected = self.collect_answers(&models).await;
        self.settle_left().await;
        if self.prompt.spec.suspend == Some(true) {
            return Ok(Outcome::Suspended { spec_changed: self.asks_for_more() });
        }
        let facts = self.gather(models).await?;
        let definition = match self.take_up(&facts).await? {
            Ok(definition) => definition,
            Err(inputs) => {
                collected?;
                match self.generate(&facts, &inputs).await? {
                    Ok(definition) => definition,
                    Err(waiting) => return Ok(waiting),
                }
            }
        };
        if let Some(waiting) = self.approve(&facts, &definition).await? {
            return Ok(waiting);
        }
        self.deliver(&facts, &definition).await
    }

    /// Notes the annotations that ask for another reconciliation or another try.
    fn take_up_requests(&mut self) {
        let reset = self.status.take_requests(self.prompt.metadata.annotations.as_ref());
        if reset.is_some() {
            self.status.last_handled_reset_at.clone_from(&reset);
            // A successful generation is not repeated.
            if self.status.stage == PromptStage::Failed && self.status.proposal.is_none() {
                self.status.begun_again_at = reset;
                let plain = plain_hash(&self.prompt, &self.status);
                self.status.carry_repairs_to(&plain);
            }
        }
    }

    /// Reports whether something is asked for that is not deployed. Suspending is an edit of the spec, too, and asks for nothing.
    fn asks_for_more(&self) -> bool {
        let deployed = self.status.proposal.as_ref().is_some_and(|proposal| self.status.deployed_digest.as_ref() == Some(&proposal.digest));
        !deployed || self.status.asked_hash != Some(asked_hash(&self.prompt, &self.status))
    }

    /// Has the next reconciliation start after this time at the latest.
    fn requeue_after(&mut self, after: Duration) {
        self.requeue = Some(self.requeue.map_or(after, |before| before.min(after)));
    }

    /// Enters a stage, with an event if it is another one than before.
    fn reach(&mut self, stage: PromptStage, reason: Reason, note: impl Into<String>) {
        if self.status.stage != stage {
            self.status.stage = stage;
            self.reached.push(Turn { warning: stage == PromptStage::Failed, reason, note: note.into() });
        }
    }

    /// Writes the status before something that must not be repeated.
    async fn save(&mut self) -> Result<(), ReconcileError> {
        let written =
            status::write(&self.ctx.client, &self.ctx.metrics.writes, &self.prompt, self.version.as_deref(), (&self.stored, &self.status));
        match written.await {
            Ok(Some(version)) => {
                self.version = version;
                self.stored = self.status.clone();
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if objects::is_conflict(&error) => {
                let again = ReconcileError::transient(Reason::Progressing, "the WorkflowPrompt was changed meanwhile; retrying");
                Err(again.again_in(Duration::from_millis(100)))
            }
            Err(error) => Err(objects::reconcile_error("write the status of the WorkflowPrompt", &error)),
        }
    }
}

/// Returns what follows a reconciliation.
fn next(outcome: &Outcome) -> Ended {
    match outcome {
        Outcome::Ready(_) => Ended { reason: Reason::Succeeded, next: Next::Interval(INTERVAL) },
        Outcome::Suspended { .. } => Ended::for_good(Reason::Suspended),
        // Each is ended by an event: an answer, an approval, a change of the Workflow or of the prompt.
        Outcome::Blocked(reason, _) | Outcome::InProgress(reason, _) => Ended { reason: *reason, next: Next::In(INTERVAL) },
        Outcome::Failed(error) => match error.requeue_after {
            Some(delay) if error.class != Class::Bug => Ended::again_in(error.reason, delay),
            _ => Ended { reason: error.reason, next: Next::Backoff { asked: error.retry_after, longest: backoff::LONGEST_PAUSE } },
        },
    }
}
