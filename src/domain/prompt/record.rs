//! Changes of a prompt's status, each by what happened.

use jiff::Timestamp;

use super::{line, same_content};
use crate::api::condition::whole_seconds;
use crate::api::money::Money;
use crate::api::prompt_status::{CallUsage, MOST_CALLS, MOST_GENERATIONS, PendingCall, PromptGeneration, Proposal, WorkflowPromptStatus};

/// Number of digits of a hash that lists show.
const SHOWN: usize = 16;

/// A proposal that is recorded.
#[derive(Clone, Debug)]
pub struct Proposed<'a> {
    /// The proposal.
    pub proposal: Proposal,
    /// The prompt that it was made from.
    pub prompt: &'a str,
}

/// Returns the part of a hash that lists have.
pub(super) fn shown(hash: &str) -> &str {
    hash.get(..SHOWN).unwrap_or(hash)
}

impl WorkflowPromptStatus {
    /// Begins a generation from other inputs: what was found out about the earlier ones is gone, and what is deployed stays. The hash of all
    /// inputs is not known if nothing needs to be generated.
    pub fn begin(&mut self, input_hash: Option<&str>, asked_hash: &str) {
        let kept = self.clone();
        *self = Self {
            input_hash: input_hash.map(str::to_owned),
            asked_hash: Some(asked_hash.to_owned()),
            begun_again_at: kept.begun_again_at,
            base_digest: kept.base_digest,
            repairs: kept.repairs,
            conditions: kept.conditions,
            observed_generation: kept.observed_generation,
            summary: kept.summary,
            workflow_ref: kept.workflow_ref,
            deployed_digest: kept.deployed_digest,
            history: kept.history,
            last_handled_reset_at: kept.last_handled_reset_at,
            last_handled_requested_at: kept.last_handled_requested_at,
            pending_calls: kept.pending_calls,
            ..Self::default()
        };
        self.usage.tokens = kept.usage.tokens;
        self.usage.cost = kept.usage.cost;
        self.usage.calls = kept.usage.calls;
    }

    /// Records that a call of a model is about to be made.
    pub fn record_call(&mut self, call: PendingCall, now: Timestamp) {
        self.began_at.get_or_insert_with(|| whole_seconds(now));
        if self.pending_calls.iter().all(|pending| pending.key != call.key) {
            self.pending_calls.push(call);
        }
    }

    /// Records the end of a call and what it used.
    pub fn record_answer(&mut self, key: &str, used: CallUsage) {
        self.pending_calls.retain(|pending| pending.key != key);
        let cost = Money::parse(&self.usage.cost).unwrap_or_default().micros();
        let more = Money::parse(&used.cost).unwrap_or_default().micros();
        self.usage.cost = Money::from_micros(cost.saturating_add(more)).to_string();
        self.usage.tokens = self.usage.tokens.saturating_add(used.input).saturating_add(used.output);
        self.usage.calls.push(CallUsage { key: shown(key).to_owned(), ..used });
        let surplus = self.usage.calls.len().saturating_sub(MOST_CALLS);
        self.usage.calls.drain(..surplus);
    }

    /// Returns what a recorded call used.
    pub fn used_by(&self, key: &str) -> Option<&CallUsage> {
        self.usage.calls.iter().find(|call| call.key == shown(key))
    }

    /// Records a proposal. Returns the names of ControllerRevisions that are no longer needed.
    pub fn record_proposal(&mut self, proposed: Proposed<'_>, now: Timestamp) -> Vec<String> {
        let Proposed { proposal, prompt } = proposed;
        if self.proposal.as_ref() == Some(&proposal) {
            return Vec::new();
        }
        let deployed = self.deployed_digest.as_deref().is_some_and(|deployed| same_content(deployed, &proposal.digest));
        // Other rules are no other generation.
        self.history.retain(|one| !same_content(&one.digest, &proposal.digest));
        self.history.insert(
            0,
            PromptGeneration {
                asked_hash: self.asked_hash.as_deref().map(shown).unwrap_or_default().to_owned(),
                digest: proposal.digest.clone(),
                revision: proposal.revision.clone(),
                prompt: line(prompt, 200),
                deployed,
                at: whole_seconds(now),
            },
        );
        self.proposal = Some(proposal);
        let mut dropped = Vec::new();
        while self.history.len() > MOST_GENERATIONS {
            // The deployed definition is needed for the next difference.
            let oldest = self.history.iter().rposition(|one| !self.is_deployed(one));
            match oldest {
                Some(oldest) => dropped.push(self.history.remove(oldest).revision),
                None => break,
            }
        }
        dropped.retain(|name| self.history.iter().all(|one| one.revision != *name));
        dropped
    }

    /// Records that the Workflow holds a proposal.
    pub fn record_deployed(&mut self, workflow: &str, digest: &str) {
        self.workflow_ref = Some(crate::api::workflow::LocalRef { name: workflow.to_owned() });
        self.deployed_digest = Some(digest.to_owned());
        for one in &mut self.history {
            one.deployed |= same_content(&one.digest, digest);
        }
    }

    /// Records that a call was not sent: another prompt has sent the same question, or the operator was stopped before it did. The first call
    /// of a generation had begun it.
    pub fn record_unsent(&mut self, key: &str, first: bool) {
        self.pending_calls.retain(|pending| pending.key != key);
        if first {
            self.began_at = None;
        }
    }

    /// Returns the number of listed calls that were answered since the generation began.
    pub fn answered_since_begin(&self) -> usize {
        let Some(began) = &self.began_at else { return 0 };
        self.usage.calls.iter().filter(|call| call.at.0 >= began.0).count()
    }

    /// Reports whether a generation is what is deployed.
    fn is_deployed(&self, generation: &PromptGeneration) -> bool {
        self.deployed_digest.as_deref().is_some_and(|deployed| same_content(deployed, &generation.digest))
    }

    /// Returns the earlier generations from what else the user asked for, the latest first.
    pub fn earlier(&self, asked_hash: &str) -> impl Iterator<Item = &PromptGeneration> {
        self.history.iter().filter(move |one| one.asked_hash != shown(asked_hash))
    }

    /// Returns the latest generation from what the user asks for.
    pub fn generated_from(&self, asked_hash: &str) -> Option<&PromptGeneration> {
        self.history.iter().find(|one| one.asked_hash == shown(asked_hash))
    }

    /// Returns the time of the proposal that is deployed.
    pub fn deployed_at(&self) -> Option<Timestamp> {
        self.history.iter().find(|one| self.is_deployed(one)).map(|one| one.at.0)
    }

    /// Returns the name of the ControllerRevision that holds what is deployed.
    pub fn deployed_revision(&self) -> Option<&str> {
        self.history.iter().find(|one| self.is_deployed(one)).map(|one| one.revision.as_str())
    }
}
