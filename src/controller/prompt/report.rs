//! Last step: conditions, status and events.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::events::EventType;

use super::{Reconciliation, next};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::prompt_status::PromptStage;
use crate::api::reason::{Class, Reason};
use crate::controller::runtime::latest;
use crate::controller::runtime::reconcile::{Ended, Next};
use crate::controller::runtime::status;
use crate::domain::annotations::{OF_PROMPT, unknown};
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::summary::summary;
use crate::domain::transitions::transitions;
use crate::kubernetes::objects;

impl Reconciliation<'_> {
    /// Writes the status and sends the events.
    pub(super) async fn report(mut self, outcome: Outcome) -> Ended {
        if let Outcome::Failed(error) = &outcome {
            if error.reason == Reason::QuotaExceeded {
                let message = error.message.clone();
                self.set(ConditionType::BudgetExceeded, ConditionStatus::True, error.reason, message.clone());
                self.reach(PromptStage::WaitingForBudget, error.reason, message);
            } else if matches!(error.class, Class::Invalid | Class::Denied) {
                self.reach(PromptStage::Failed, error.reason, error.message.clone());
            }
        }
        let mut ended = next(&outcome);
        if let (Some(delay), Next::In(_)) = (self.requeue, ended.next) {
            ended.next = Next::In(delay);
        }
        let generation = self.prompt.metadata.generation.unwrap_or(0);
        let found = Found { outcome, details: std::mem::take(&mut self.details) };
        let (conditions, _) = conditions(&self.stored.conditions, None, &found, generation, Duration::ZERO, Timestamp::now());
        self.status.conditions = conditions;
        self.status.observed_generation = generation;
        self.status.summary = summary(&self.status.conditions);
        self.ctx.connections.hide_keys(self.status.conditions.iter_mut().map(|condition| &mut condition.message));
        let written =
            status::write(&self.ctx.client, &self.ctx.metrics.writes, &self.prompt, self.version.as_deref(), (&self.stored, &self.status));
        match written.await {
            Ok(_) => {}
            Err(error) if objects::is_conflict(&error) => return Ended::again_in(Reason::Progressing, Duration::from_millis(100)),
            Err(error) => return latest::unwritten(&error),
        }
        self.send_events().await;
        ended
    }

    async fn send_events(&self) {
        let before = self.prompt.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let mut events: Vec<(EventType, Reason, String)> = self.reached.clone();
        for turn in transitions(before, &self.status.conditions, false) {
            let kind = if turn.warning { EventType::Warning } else { EventType::Normal };
            if events.iter().all(|(_, reason, note)| *reason != turn.reason && *note != turn.note) {
                events.push((kind, turn.reason, turn.note));
            }
        }
        let message = unknown(self.prompt.metadata.annotations.as_ref(), OF_PROMPT);
        if let Some(note) = self.ctx.new_unknown_annotations(self.uid(), message) {
            events.push((EventType::Warning, Reason::UnknownAnnotation, note));
        }
        for (kind, reason, note) in events {
            self.ctx.send_event(&self.prompt, kind, reason, note).await;
        }
    }
}
