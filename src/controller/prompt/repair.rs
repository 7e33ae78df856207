//! A deployed workflow that fails its health check: what failed is looked up in n8n once, and becomes a part of what is asked for.

use jiff::{SignedDuration, Timestamp};

use super::Reconciliation;
use super::facts::Facts;
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::VersionRecord;
use crate::domain::error::ReconcileError;
use crate::domain::prompt::asked::{asked_hash, plain_hash};
use crate::domain::prompt::made::{is_made_by, workflow_object};
use crate::domain::prompt::repair::{Due, Failed, failed_version, works};
use crate::domain::prompt::shape;
use crate::domain::remote::ExecutionStatus;
use crate::domain::transitions::Turn;
use crate::n8n::{ExecutionQuery, FailedRun};

/// Time before a version was accepted, and after it failed, within which its executions are looked for: clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

impl Reconciliation<'_> {
    /// Takes up a failure of what is deployed, or drops one that has passed.
    pub(super) async fn watch_deployed(&mut self, facts: &Facts) -> Result<(), ReconcileError> {
        let plain = plain_hash(&self.prompt, &self.status);
        self.status.keep_repairs_of(&plain);
        let Some(workflow) = facts.workflow.as_ref().filter(|found| is_made_by(&found.metadata, &self.prompt)) else { return Ok(()) };
        if works(workflow) {
            if self.status.withdraw_repair() {
                let note = "the workflow works again: the repair that was proposed is withdrawn";
                self.reached.push(Turn::normal(Reason::Succeeded, note));
            }
            return Ok(());
        }
        // Only a model can repair.
        let (Some(version), Ok(Some(_))) = (failed_version(workflow), &facts.models) else { return Ok(()) };
        match self.status.repair_due(&asked_hash(&self.prompt, &self.status)) {
            Due::Nothing => return Ok(()),
            Due::Exhausted => {
                self.exhausted = true;
                return Ok(());
            }
            Due::Repair if !self.holds_what_was_proposed(workflow).await? => return Ok(()),
            Due::Repair => {}
        }
        let failed = if self.status.knows_failure() { Failed::default() } else { self.failure(facts, workflow, version).await? };
        let at = failed.node.as_ref().map_or_else(String::new, |node| format!(" at node {node}"));
        let note = format!("the deployed workflow failed its health check{at}; a repair is generated: {}", failed.message);
        self.status.record_repair(&plain, failed, Timestamp::now());
        self.reached.push(Turn { warning: true, reason: Reason::RepairPending, note });
        Ok(())
    }

    /// Reports whether the Workflow has the definition that was proposed: one that people edited is theirs to repair.
    async fn holds_what_was_proposed(&self, workflow: &Workflow) -> Result<bool, ReconcileError> {
        let Some(revision) = self.status.deployed_revision().map(str::to_owned) else { return Ok(false) };
        let Some(definition) = self.stored_definition(&revision).await? else { return Ok(false) };
        let made = workflow_object(&self.prompt, &definition).ok();
        Ok(made.is_some_and(|made| workflow.spec.definition.as_ref() == Some(&made["spec"]["definition"])))
    }

    /// Finds out what failed: the latest failed execution of the version, or else what the health check says.
    async fn failure(&self, facts: &Facts, workflow: &Workflow, version: &VersionRecord) -> Result<Failed, ReconcileError> {
        let checked = Failed { message: version.message.clone().unwrap_or_default(), ..Failed::default() };
        let Some(id) = workflow.status.as_ref().and_then(|status| status.n8n_workflow_id.clone()) else { return Ok(checked) };
        let query = ExecutionQuery {
            workflow_id: Some(id),
            status: Some(ExecutionStatus::Error),
            started_after: version.created_at.0.checked_sub(MARGIN).ok(),
            started_before: version.decided_at.as_ref().and_then(|decided| decided.0.checked_add(MARGIN).ok()),
            limit: 1,
        };
        let client = &facts.connection.client;
        let Some(last) = client.executions(&query).await.map_err(ReconcileError::from)?.pop() else { return Ok(checked) };
        let Some(FailedRun { failure, input }) = client.failed_run(&last.id).await.map_err(ReconcileError::from)? else {
            return Ok(checked);
        };
        Ok(Failed {
            execution: Some(failure.execution_id),
            node: failure.node,
            message: format!("{} ({})", failure.message, checked.message),
            input_shape: input.map(|items| shape::of_items(&items)),
        })
    }
}
