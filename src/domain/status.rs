//! The part of a status that is the same for every kind: the result of a reconciliation, and the annotations that were handled.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::annotation;
use crate::api::condition::Condition;
use crate::api::credential_status::N8nCredentialStatus;
use crate::api::instance::N8nInstanceStatus;
use crate::api::policy::WorkflowPolicyStatus;
use crate::api::prompt_status::WorkflowPromptStatus;
use crate::api::provider::ModelProviderStatus;
use crate::api::quota::WorkflowQuotaStatus;
use crate::api::template::WorkflowTemplateStatus;
use crate::api::workflow_status::WorkflowStatus;
use crate::domain::conditions::{Found, conditions};
use crate::domain::status_bounds::{self, ANNOTATION, cut_some, fit_conditions, say_some};
use crate::domain::summary::{self, summary};

/// Fields that the status of every kind has, and those that only some kinds have.
pub struct Common<'s> {
    observed_generation: &'s mut i64,
    conditions: &'s mut Vec<Condition>,
    summary: Option<&'s mut Option<String>>,
    unverified_since: Option<&'s mut Option<Time>>,
    last_handled_requested_at: Option<&'s mut Option<String>>,
    last_handled_reset_at: Option<&'s mut Option<String>>,
}

impl<'s> Common<'s> {
    /// Returns the fields of a kind that has no more than these.
    fn new(observed_generation: &'s mut i64, conditions: &'s mut Vec<Condition>) -> Self {
        Self {
            observed_generation,
            conditions,
            summary: None,
            unverified_since: None,
            last_handled_requested_at: None,
            last_handled_reset_at: None,
        }
    }
}

/// Status of a kind.
pub trait Status: Clone + Default + Serialize + DeserializeOwned {
    /// Effect of an object that does not fit its kind, for the message that says so.
    const WHILE_UNREADABLE: &'static str = "";

    /// Returns the fields that are the same for several kinds.
    fn common(&mut self) -> Common<'_>;

    /// Returns the conditions.
    fn conditions(&mut self) -> &[Condition] {
        self.common().conditions
    }

    /// Limits the fields that only this kind has to the bounds of its CRD.
    fn fit_own(&mut self) {}

    /// Limits the status to the bounds of its CRD.
    fn fit(&mut self) {
        self.fit_own();
        let Common { conditions, summary, last_handled_requested_at, last_handled_reset_at, .. } = self.common();
        fit_conditions(conditions);
        summary.into_iter().for_each(|summary| say_some(summary, summary::LONGEST));
        last_handled_requested_at.into_iter().chain(last_handled_reset_at).for_each(|value| cut_some(value, ANNOTATION));
    }

    /// Returns the texts for people.
    fn texts(&mut self) -> Vec<&mut String> {
        let Common { conditions, summary, .. } = self.common();
        conditions.iter_mut().map(|condition| &mut condition.message).chain(summary.into_iter().flatten()).collect()
    }

    /// Records the result of a reconciliation of a generation, and returns the conditions before it. While the server that the object is about
    /// cannot be asked, Ready stays True for `grace`.
    fn report(&mut self, found: &Found, generation: i64, grace: Duration, now: Timestamp) -> Vec<Condition> {
        let common = self.common();
        let since = common.unverified_since.as_ref().and_then(|since| since.as_ref());
        let (after, since) = conditions(common.conditions, since, found, generation, grace, now);
        *common.observed_generation = generation;
        common.summary.into_iter().for_each(|line| *line = summary(&after));
        common.unverified_since.into_iter().for_each(|unverified| *unverified = since.clone());
        let before = std::mem::replace(common.conditions, after);
        self.fit();
        before
    }

    /// Records the value of the annotation `requested-at`, and returns that of `reset-at` if it is not handled yet.
    fn take_requests(&mut self, annotations: Option<&BTreeMap<String, String>>) -> Option<String> {
        let value = |key| annotations.and_then(|all| all.get(key)).map(|value| status_bounds::annotation(value).to_owned());
        let Common { last_handled_requested_at, last_handled_reset_at, .. } = self.common();
        last_handled_requested_at.into_iter().for_each(|handled| *handled = value(annotation::REQUESTED_AT).or(handled.take()));
        let handled = last_handled_reset_at?.as_ref();
        value(annotation::RESET_AT).filter(|reset| handled != Some(reset))
    }
}

/// Names the common fields that a kind has beside the conditions and their generation.
macro_rules! common {
    ($($field:ident),*) => {
        fn common(&mut self) -> Common<'_> {
            Common { $($field: Some(&mut self.$field),)* ..Common::new(&mut self.observed_generation, &mut self.conditions) }
        }
    };
}

impl Status for WorkflowStatus {
    common!(summary, unverified_since, last_handled_requested_at, last_handled_reset_at);

    fn texts(&mut self) -> Vec<&mut String> {
        let conditions = self.conditions.iter_mut().map(|condition| &mut condition.message);
        let history = self.history.iter_mut().filter_map(|record| record.message.as_mut());
        let failure = self.last_failure.iter_mut().flat_map(|failure| failure.node.iter_mut().chain([&mut failure.message]));
        let names = [&mut self.confirmed, &mut self.sent].into_iter().flatten().filter_map(|snapshot| snapshot.name.as_mut());
        conditions.chain(history).chain(failure).chain(names).chain(&mut self.summary).collect()
    }
}

impl Status for N8nInstanceStatus {
    common!(summary, unverified_since, last_handled_requested_at, last_handled_reset_at);

    fn fit_own(&mut self) {
        status_bounds::fit_instance(self);
    }
}

impl Status for N8nCredentialStatus {
    common!(summary, unverified_since, last_handled_requested_at);

    fn fit_own(&mut self) {
        status_bounds::fit_credential(self);
    }

    fn texts(&mut self) -> Vec<&mut String> {
        let conditions = self.conditions.iter_mut().map(|condition| &mut condition.message);
        let test = self.test.iter_mut().filter_map(|test| test.message.as_mut());
        conditions.chain(test).chain(&mut self.summary).collect()
    }
}

impl Status for ModelProviderStatus {
    const WHILE_UNREADABLE: &'static str = ": nobody can use it until then";

    common!(summary, unverified_since, last_handled_requested_at, last_handled_reset_at);

    fn fit_own(&mut self) {
        status_bounds::fit_provider(self);
    }
}

impl Status for WorkflowPromptStatus {
    common!(summary, last_handled_requested_at, last_handled_reset_at);
}

impl Status for WorkflowPolicyStatus {
    common!(summary);
}

impl Status for WorkflowTemplateStatus {
    common!();
}

impl Status for WorkflowQuotaStatus {
    const WHILE_UNREADABLE: &'static str = ": nothing is added in this namespace until then";

    // Its summary is the usage.
    common!();
}

#[cfg(test)]
mod tests;
