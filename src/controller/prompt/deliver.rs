//! Approval, and the Workflow that is made: written once for each proposal, and followed from then on.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::Reconciliation;
use super::facts::Facts;
use crate::api::annotation;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::prompt_status::{PromptStage, Proposal};
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::document::definition::Definition;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::prompt::made::{is_made_by, workflow_name, workflow_object};
use crate::domain::prompt::record::Proposed;
use crate::domain::prompt::{approval_required, conversation, is_approved, proposal, proposal_digest, same_content};
use crate::domain::stored_body;
use crate::kubernetes::prompt_records::{self, Kept};
use crate::kubernetes::{made_workflows, objects, revisions};

impl Reconciliation<'_> {
    /// Reads a workflow that was stored as a proposal.
    pub(super) async fn stored_definition(&self, revision: &str) -> Result<Option<Definition>, ReconcileError> {
        let data = prompt_records::read(&self.ctx.client, self.namespace(), revision, self.uid()).await;
        let data = data.map_err(|error| objects::reconcile_error("read the stored proposal", &error))?;
        // One that cannot be read is made again from the recorded answers.
        Ok(data.and_then(|data| stored_body::decode(&data).ok()))
    }

    /// Stores a workflow as the proposal, and returns how to go on if it waits for the approval of a person.
    pub(super) async fn approve(&mut self, facts: &Facts, definition: &Definition) -> Result<Option<Outcome>, ReconcileError> {
        let digest = proposal_digest(&self.prompt, definition, facts.rules());
        if self.status.proposal.as_ref().is_none_or(|proposal| proposal.digest != digest) {
            self.propose(facts, definition, &digest).await?;
        }
        if self.status.deployed_digest.as_deref().is_some_and(|deployed| same_content(deployed, &digest)) {
            self.set(ConditionType::Approved, ConditionStatus::True, Reason::Approved, "what was proposed is deployed");
            return Ok(None);
        }
        let required = approval_required(&self.prompt, facts.rules());
        let Some(by) = required else {
            self.set(ConditionType::Approved, ConditionStatus::True, Reason::ApprovalNotRequired, "");
            return Ok(None);
        };
        if is_approved(&self.prompt, &digest) {
            self.set(ConditionType::Approved, ConditionStatus::True, Reason::Approved, format!("proposal {digest} is approved"));
            return Ok(None);
        }
        let name = self.prompt.name_any();
        let message = format!(
            "the proposal waits for an approval ({by}); read it with: kubectl describe nwfp {name}; approve it with: kubectl annotate --overwrite nwfp {name} {}={digest}",
            annotation::APPROVED_DIGEST
        );
        self.set(ConditionType::Approved, ConditionStatus::False, Reason::ApprovalPending, &message);
        self.reach(PromptStage::WaitingForApproval, Reason::ApprovalPending, &message);
        Ok(Some(Outcome::InProgress(Reason::ApprovalPending, message)))
    }

    async fn propose(&mut self, facts: &Facts, definition: &Definition, digest: &str) -> Result<(), ReconcileError> {
        let revision = prompt_records::proposal_name(self.uid(), digest);
        let deployed = match self.status.deployed_revision().map(str::to_owned) {
            Some(deployed) => self.stored_definition(&deployed).await?,
            None => None,
        };
        let catalog = facts.catalog();
        let mapped = self.prompt.spec.workflow.credentials.iter().map(|mapping| mapping.name.as_str()).collect();
        self.status.required_credentials = proposal::credentials(definition, &mapped, catalog);
        self.status.plan = proposal::plan(definition, catalog);
        let proposal = Proposal {
            digest: digest.to_owned(),
            revision,
            summary: proposal::effect(definition, &self.status.required_credentials),
            difference: deployed.map(|deployed| proposal::changes(&deployed, definition)).unwrap_or_default(),
        };
        let said = conversation::said(&self.prompt.spec.prompt, &facts.answers, &proposal);
        self.keep((&proposal.revision, Kept::ForOwner), &conversation::with(stored_body::encode(definition), said)).await?;
        let dropped = self.status.record_proposal(Proposed { proposal, prompt: &self.prompt.spec.prompt }, Timestamp::now());
        self.save().await?;
        revisions::delete(&self.ctx.client, self.namespace(), &dropped, self.uid())
            .await
            .map_err(|error| objects::reconcile_error("delete an earlier proposal", &error))
    }

    /// Returns the owner reference of what the prompt stores.
    pub(super) fn owner(&self) -> Result<OwnerReference, ReconcileError> {
        self.prompt.controller_owner_ref(&()).ok_or_else(|| ReconcileError::bug("the WorkflowPrompt has no UID"))
    }

    /// Stores content that the prompt owns.
    pub(super) async fn keep(&self, what: (&str, Kept), data: &serde_json::Value) -> Result<(), ReconcileError> {
        prompt_records::keep(&self.ctx.client, self.namespace(), &self.owner()?, what, data)
            .await
            .map_err(|error| objects::reconcile_error("store what was generated", &error))
    }

    /// Fails if the name of the Workflow is taken: before a model is paid for something that could not be deployed.
    pub(super) fn free_name(&mut self, facts: &Facts) -> Result<(), ReconcileError> {
        let Some(other) = facts.workflow.as_ref().filter(|found| !is_made_by(&found.metadata, &self.prompt)) else { return Ok(()) };
        let message = format!(
            "a Workflow {} exists that this WorkflowPrompt did not make; choose another name in spec.workflow.name, or delete it",
            other.name_any()
        );
        self.set(ConditionType::Deployed, ConditionStatus::False, Reason::WorkflowExists, &message);
        Err(ReconcileError::invalid(Reason::WorkflowExists, message))
    }

    /// Writes the Workflow if it does not hold the proposal yet, and follows it.
    pub(super) async fn deliver(&mut self, facts: &Facts, definition: &Definition) -> Result<Outcome, ReconcileError> {
        let Some(digest) = self.status.proposal.as_ref().map(|proposal| proposal.digest.clone()) else {
            return Err(ReconcileError::bug("there is no proposal to deploy"));
        };
        self.free_name(facts)?;
        let name = workflow_name(&self.prompt).to_owned();
        let found = facts.workflow.as_ref();
        let deployed = self.status.deployed_digest.as_deref().is_some_and(|deployed| same_content(deployed, &digest));
        if found.is_none() || !deployed {
            self.reach(PromptStage::Deployment, Reason::DeploymentPending, format!("deployment: Workflow {name} gets proposal {digest}"));
            let object = workflow_object(&self.prompt, definition).map_err(|message| ReconcileError::invalid(Reason::TooLarge, message))?;
            // Recorded before the write: a Workflow that is only marked would not be recognised after a crash.
            self.status.workflow_ref = Some(crate::api::workflow::LocalRef { name: name.clone() });
            self.save().await?;
            let stored = found.map(|found| serde_json::to_value(found).unwrap_or_default());
            let written = made_workflows::write(&self.ctx.client, self.namespace(), &name, stored.as_ref(), &object).await;
            if written.map_err(|error| self.refused(&name, &error))? {
                self.ctx.metrics.writes.with_label_values(&["Workflow"]).inc();
            }
            self.status.record_deployed(&name, &digest);
            self.save().await?;
        }
        let message = format!("Workflow {name} holds proposal {digest}");
        self.set(ConditionType::Deployed, ConditionStatus::True, Reason::Deployed, message);
        // The state from before the write says nothing about the written object.
        let Some(found) = found.filter(|_| deployed) else { return Ok(self.follow(&name, None)) };
        let owned = made_workflows::own(&self.ctx.client, self.namespace(), &name, found, &self.prompt).await;
        owned.map_err(|error| self.refused(&name, &error))?;
        Ok(self.follow(&name, Some(found)))
    }

    /// Returns the error for a Workflow that cannot be written. A denial by a policy or a quota has the words for the author.
    fn refused(&self, name: &str, error: &kube::Error) -> ReconcileError {
        match error {
            kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
                ReconcileError::denied(Reason::DeploymentPending, format!("write Workflow {name}: {}", status.message))
            }
            error => objects::reconcile_error(&format!("write Workflow {name}"), error),
        }
    }

    /// Returns the outcome that follows from the state of the Workflow.
    fn follow(&mut self, name: &str, workflow: Option<&Workflow>) -> Outcome {
        let state = workflow.and_then(|workflow| Some((workflow.status.as_ref()?, workflow.metadata.generation?)));
        let current = state.filter(|(status, generation)| status.observed_generation == *generation);
        let conditions = current.map(|(status, _)| status.conditions.as_slice()).unwrap_or_default();
        let is = |kind, status| find(conditions, kind).filter(|condition: &&Condition| condition.status == status);
        if let Some(ready) = is(ConditionType::Ready, ConditionStatus::True) {
            let message = format!("Workflow {name}: {}", ready.message);
            self.reach(PromptStage::Monitoring, Reason::Succeeded, format!("monitoring: {message}"));
            return Outcome::Ready(message);
        }
        if let Some(stalled) = is(ConditionType::Stalled, ConditionStatus::True) {
            let more = if self.exhausted { "; two repairs were made already: change the prompt" } else { "" };
            return Outcome::Blocked(
                Reason::WorkflowNotReady,
                format!("Workflow {name} is not Ready ({}): {}{more}", stalled.reason, stalled.message),
            );
        }
        let why = find(conditions, ConditionType::Ready).map_or_else(
            || format!("Workflow {name} is being reconciled"),
            |ready| format!("Workflow {name} is not Ready yet ({}): {}", ready.reason, ready.message),
        );
        Outcome::InProgress(Reason::WorkflowNotReady, why)
    }
}
