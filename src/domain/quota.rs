//! Limits of `WorkflowQuota`: which Workflows have a place in n8n, which are published, and how much of a day's amounts is used.
//!
//! [`places`] ranks the Workflows of a namespace under the limits on their number, [`daily`] reserves and settles amounts in a day, and
//! [`report`] shows both in the status of a quota. Only increases are refused: what has a place keeps it, however low the limit becomes.

use std::fmt;

use crate::api::quota::{QuotaLimits, QuotaResource};
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;
use crate::text::one_line;

pub mod daily;
pub mod places;
pub mod report;

/// A use that a quota does not allow. Its text is the one of Kubernetes' ResourceQuota, with the action to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Name of the quota.
    pub quota: String,
    /// Limited resource.
    pub resource: QuotaResource,
    /// Requested amount.
    pub requested: i64,
    /// Amount in use.
    pub used: i64,
    /// Limit.
    pub limited: i64,
    /// Time at which the usage starts again from zero, for an amount in a day.
    pub until: Option<jiff::Timestamp>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, resource, requested, used, limited, .. } = self;
        let name = resource.as_str();
        let [requested, used, limited] = [requested, used, limited].map(|amount| resource.shown(*amount));
        write!(out, "exceeded quota: {quota}, requested: {name}={requested}, used: {used}, limited: {limited}; ")?;
        match (resource, &self.until) {
            (QuotaResource::Workflows, _) => out.write_str("delete a Workflow of this namespace, or ask for a higher limit"),
            (QuotaResource::ActiveWorkflows, _) => {
                out.write_str("set spec.active of another Workflow in this namespace to false, delete one, or ask for a higher limit")
            }
            (_, Some(until)) => write!(out, "the day ends at {until} (UTC); wait until then, or ask for a higher limit"),
            (_, None) => out.write_str("ask for a higher limit"),
        }
    }
}

impl From<Exceeded> for ReconcileError {
    fn from(exceeded: Exceeded) -> Self {
        Self::denied(Reason::QuotaExceeded, exceeded.to_string())
    }
}

/// Returns the message about a quota that does not fit its kind: limits must not be off because of that.
pub fn unreadable(name: &str, why: &str) -> String {
    format!(
        "the WorkflowQuota {name} does not fit its kind ({}), so nothing is added in this namespace; correct it, or upgrade the operator if a newer one wrote it",
        one_line(why, 200)
    )
}

/// Limits on the number of objects that apply in a namespace: the lowest of each resource over all quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    workflows: Option<Limit>,
    active_workflows: Option<Limit>,
}

/// Lowest limit of a resource, and the quota that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    hard: i64,
    quota: String,
}

impl Limits {
    /// Returns the limits that these quotas set together. A quota is given by its name and `spec.hard`.
    pub fn of<'a>(quotas: impl IntoIterator<Item = (&'a str, &'a QuotaLimits)>) -> Self {
        let mut limits = Self::default();
        for (quota, hard) in quotas {
            for (lowest, hard) in [(&mut limits.workflows, hard.workflows), (&mut limits.active_workflows, hard.active_workflows)] {
                let Some(hard) = hard else { continue };
                // Of equal limits the first by name is reported, so that the message does not change with the order.
                if lowest.as_ref().is_none_or(|lowest| (hard, quota) < (lowest.hard, lowest.quota.as_str())) {
                    *lowest = Some(Limit { hard, quota: quota.to_owned() });
                }
            }
        }
        limits
    }

    /// Reports whether no number of objects is limited.
    pub const fn is_empty(&self) -> bool {
        self.workflows.is_none() && self.active_workflows.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reason::Class;

    #[test]
    fn the_lowest_limit_of_each_resource_applies_and_is_named() {
        let hard = |workflows, active_workflows| QuotaLimits { workflows, active_workflows, ..QuotaLimits::default() };
        let (a, b, c) = (hard(Some(5), None), hard(Some(3), Some(9)), hard(Some(3), Some(2)));
        let limits = Limits::of([("a", &a), ("c", &c), ("b", &b)]);
        assert_eq!(limits.workflows, Some(Limit { hard: 3, quota: "b".to_owned() }));
        assert_eq!(limits.active_workflows, Some(Limit { hard: 2, quota: "c".to_owned() }));
        assert!(Limits::of([("d", &hard(None, None))]).is_empty());
    }

    #[test]
    fn the_message_is_the_one_of_resource_quota_and_says_what_to_do() {
        let exceeded = |resource, until| Exceeded { quota: "team-a".to_owned(), resource, requested: 1, used: 5, limited: 5, until };
        let midnight = "2026-11-30T00:00:00Z".parse().ok();
        for (exceeded, text) in [
            (
                exceeded(QuotaResource::Workflows, None),
                "exceeded quota: team-a, requested: workflows=1, used: 5, limited: 5; delete a Workflow of this namespace, or ask for a higher limit",
            ),
            (
                exceeded(QuotaResource::ActiveWorkflows, None),
                "exceeded quota: team-a, requested: activeWorkflows=1, used: 5, limited: 5; set spec.active of another Workflow in this namespace to false, delete one, or ask for a higher limit",
            ),
            (
                exceeded(QuotaResource::DeploymentsPerDay, midnight),
                "exceeded quota: team-a, requested: deploymentsPerDay=1, used: 5, limited: 5; the day ends at 2026-11-30T00:00:00Z (UTC); wait until then, or ask for a higher limit",
            ),
        ] {
            assert_eq!(exceeded.to_string(), text);
            let error = ReconcileError::from(exceeded);
            assert_eq!((error.class, error.reason), (Class::Denied, Reason::QuotaExceeded));
        }
    }
}
