//! Repair of a deployed workflow that failed its health check: when it is due, and what a model reads of the failure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::shown;
use super::{line, same_content};
use crate::api::condition::{ConditionStatus, ConditionType, find, whole_seconds};
use crate::api::prompt_repair::PromptRepair;
use crate::api::prompt_status::{MOST_REPAIRS, WorkflowPromptStatus};
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::{VersionRecord, VersionResult};

/// Maximum length of a message.
const LONGEST_MESSAGE: usize = 480;
/// Maximum length of a name of a node.
const LONGEST_NAME: usize = 240;

/// Failure of a deployed workflow, as n8n and the health check report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Id of the execution in n8n.
    pub execution: Option<String>,
    /// Node that failed.
    pub node: Option<String>,
    /// Message.
    pub message: String,
    /// Shape of the node's input.
    pub input_shape: Option<String>,
}

/// Returns the version that failed its health check, if it is the one that the Workflow's spec asks for.
pub fn failed_version(workflow: &Workflow) -> Option<&VersionRecord> {
    let status = workflow.status.as_ref().filter(|status| Some(status.observed_generation) == workflow.metadata.generation)?;
    let digest = status.failed_digest.as_ref()?;
    let version = status.history.iter().find(|version| version.digest == *digest && version.result == VersionResult::Failed)?;
    let by_health = [Reason::ProbeFailed, Reason::ErrorRateExceeded].map(Reason::as_str);
    version.reason.as_deref().filter(|reason| by_health.contains(reason)).map(|_| version)
}

/// Reports whether the Workflow's current spec works.
pub fn works(workflow: &Workflow) -> bool {
    let current = workflow.status.as_ref().filter(|status| Some(status.observed_generation) == workflow.metadata.generation);
    let ready = current.and_then(|status| find(&status.conditions, ConditionType::Ready));
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
}

/// Returns the failures that are part of what a prompt asks for, by its hash without them.
pub fn in_effect<'s>(status: &'s WorkflowPromptStatus, plain_hash: &str) -> impl Iterator<Item = &'s PromptRepair> {
    let asked = shown(plain_hash).to_owned();
    status.repairs.iter().filter(move |one| one.asked_hash == asked && !one.withdrawn)
}

/// Returns the part of a failure that a model reads.
pub(super) fn shown_to_model(repair: &PromptRepair) -> Value {
    json!([repair.node, repair.message, repair.input_shape])
}

/// Next step after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is to be repaired: find out about the execution.
    Repair,
    /// As often as is allowed it was repaired before.
    Exhausted,
    /// It is being repaired, or is no part of what was deployed from this prompt.
    Nothing,
}

impl WorkflowPromptStatus {
    /// Decides what is to be done about a failure of what is deployed, if nothing else is asked for meanwhile. `asked` is the hash of that.
    pub fn repair_due(&self, asked: &str) -> Due {
        let Some(deployed) = self.deployed_digest.as_deref() else { return Due::Nothing };
        let current = self.proposal.as_ref().is_some_and(|proposal| same_content(&proposal.digest, deployed));
        if self.asked_hash.as_deref() != Some(asked) || !current || self.repairs.iter().any(|one| is_of(one, deployed) && !one.withdrawn) {
            return Due::Nothing;
        }
        let known = self.repairs.iter().any(|one| is_of(one, deployed));
        if !known && self.repairs.len() >= MOST_REPAIRS { Due::Exhausted } else { Due::Repair }
    }

    /// Records a failure that is to be repaired. One that was withdrawn comes back as it was, so that its repair is not generated again.
    pub fn record_repair(&mut self, plain_hash: &str, failed: Failed, now: Timestamp) {
        let Some(deployed) = self.deployed_digest.clone() else { return };
        if let Some(known) = self.repairs.iter_mut().find(|one| is_of(one, &deployed)) {
            known.withdrawn = false;
            return;
        }
        self.repairs.push(PromptRepair {
            asked_hash: shown(plain_hash).to_owned(),
            failed_digest: deployed,
            execution: failed.execution,
            node: failed.node.map(|node| line(&node, LONGEST_NAME)),
            message: line(&failed.message, LONGEST_MESSAGE),
            input_shape: failed.input_shape,
            withdrawn: false,
            at: whole_seconds(now),
        });
    }

    /// Reports whether a failure of what is deployed was recorded before.
    pub fn knows_failure(&self) -> bool {
        self.deployed_digest.as_deref().is_some_and(|deployed| self.repairs.iter().any(|one| is_of(one, deployed)))
    }

    /// Withdraws the failure of what is deployed, which works by now. Returns whether there was one.
    pub fn withdraw_repair(&mut self) -> bool {
        let Some(deployed) = self.deployed_digest.clone() else { return false };
        let open = self.repairs.iter_mut().find(|one| is_of(one, &deployed) && !one.withdrawn);
        open.map(|one| one.withdrawn = true).is_some()
    }

    /// Forgets the failures of what was asked for before.
    pub fn keep_repairs_of(&mut self, plain_hash: &str) {
        self.repairs.retain(|one| one.asked_hash == shown(plain_hash));
    }

    /// Takes the failures over to what is asked for now: the same, again.
    pub fn carry_repairs_to(&mut self, plain_hash: &str) {
        for one in &mut self.repairs {
            shown(plain_hash).clone_into(&mut one.asked_hash);
        }
    }
}

fn is_of(repair: &PromptRepair, digest: &str) -> bool {
    same_content(&repair.failed_digest, digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::prompt_status::Proposal;

    fn deployed(digest: &str) -> WorkflowPromptStatus {
        WorkflowPromptStatus {
            asked_hash: Some("asked".into()),
            proposal: Some(Proposal { digest: digest.to_owned(), ..Proposal::default() }),
            deployed_digest: Some(digest.to_owned()),
            ..WorkflowPromptStatus::default()
        }
    }

    fn fails(status: &mut WorkflowPromptStatus, message: &str) {
        status.record_repair("plain", Failed { message: message.to_owned(), ..Failed::default() }, Timestamp::UNIX_EPOCH);
    }

    fn deploy(status: &mut WorkflowPromptStatus, digest: &str) {
        status.deployed_digest = Some(digest.to_owned());
        status.proposal = Some(Proposal { digest: digest.to_owned(), ..Proposal::default() });
    }

    #[test]
    fn two_failures_are_repaired_and_a_third_is_not() {
        let mut status = deployed("one");
        for (digest, next) in [("one", "two"), ("two", "three")] {
            assert_eq!((status.deployed_digest.as_deref(), status.repair_due("asked")), (Some(digest), Due::Repair));
            fails(&mut status, digest);
            assert_eq!(status.repair_due("asked"), Due::Nothing, "it is being repaired");
            deploy(&mut status, next);
        }
        assert_eq!(status.repair_due("asked"), Due::Exhausted);
        assert_eq!(in_effect(&status, "plain").count(), 2, "what was repaired stays part of what is asked for");
        status.keep_repairs_of("other");
        assert_eq!((status.repairs.len(), status.repair_due("asked")), (0, Due::Repair));
    }

    #[test]
    fn a_failure_that_passes_is_withdrawn_and_comes_back_as_it_was() {
        let mut status = deployed("one");
        assert!(!status.withdraw_repair());
        fails(&mut status, "first");
        assert!(status.withdraw_repair() && !status.withdraw_repair() && status.knows_failure());
        assert_eq!((in_effect(&status, "plain").count(), status.repair_due("asked")), (0, Due::Repair));
        fails(&mut status, "second");
        assert_eq!(status.repairs.iter().map(|one| (one.message.as_str(), one.withdrawn)).collect::<Vec<_>>(), [("first", false)]);
    }

    #[test]
    fn nothing_is_repaired_while_something_else_is_asked_for_or_proposed() {
        let mut status = deployed("one");
        assert_eq!(status.repair_due("other words"), Due::Nothing);
        status.proposal = Some(Proposal { digest: "two".into(), ..Proposal::default() });
        assert_eq!(status.repair_due("asked"), Due::Nothing);
        status.deployed_digest = None;
        assert_eq!(status.repair_due("asked"), Due::Nothing);
    }
}
