//! Last step: conditions, status and events.

use std::time::Duration;

use super::{Reconciliation, next};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::prompt_status::PromptStage;
use crate::api::reason::{Class, Reason};
use crate::controller::runtime::reconcile::{Ended, Next};
use crate::domain::conditions::{Found, Outcome};

impl Reconciliation<'_> {
    /// Writes the status and sends the events.
    pub(super) async fn report(mut self, outcome: Outcome) -> Result<Ended, Ended> {
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
        let found = Found { outcome, details: std::mem::take(&mut self.details) };
        let statuses = (&self.stored, &mut self.status);
        self.ctx.report(&self.prompt, self.version.as_deref(), statuses, &found, Duration::ZERO, self.reached).await?;
        Ok(ended)
    }
}
