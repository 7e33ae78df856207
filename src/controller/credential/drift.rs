//! Conditions about changes that somebody else made in n8n.

use super::reconciliation::Reconciliation;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::domain::conditions::Outcome;
use crate::domain::credential::plan::Plan;
use crate::domain::remote::RemoteCredential;

/// Sets the conditions about changes by others. Returns the outcome if they are left and the policy wants them to be seen.
pub(super) fn report(rec: &mut Reconciliation<'_>, remote: &RemoteCredential, decided: Plan) -> Option<Outcome> {
    if decided.left {
        return leave(rec, &format!("credential {} was changed in n8n", remote.id));
    }
    synced(rec);
    if !decided.drifted {
        rec.set_condition(ConditionType::Drifted, ConditionStatus::False, Reason::InSync, "");
    }
    None
}

/// Sets the conditions about a change by others that is left. Returns the outcome if the policy wants it to be seen.
pub(super) fn leave(rec: &mut Reconciliation<'_>, note: &str) -> Option<Outcome> {
    let reason = left_reason(rec.spec().drift_policy);
    rec.set_condition(ConditionType::Drifted, ConditionStatus::True, reason, note);
    if reason == Reason::DriftIgnored {
        synced(rec);
        return None;
    }
    rec.set_condition(ConditionType::Synced, ConditionStatus::False, reason, note);
    Some(Outcome::Blocked(reason, format!("{note}; {}", reason.meaning())))
}

/// Returns the reason for a change that is left; with `Revert`, because it comes again and again.
pub(super) const fn left_reason(policy: DriftPolicy) -> Reason {
    match policy {
        DriftPolicy::Revert => Reason::DriftContested,
        DriftPolicy::Report => Reason::DriftReported,
        DriftPolicy::Ignore => Reason::DriftIgnored,
    }
}

/// Sets condition Synced to True.
pub(super) fn synced(rec: &mut Reconciliation<'_>) {
    rec.set_condition(ConditionType::Synced, ConditionStatus::True, Reason::Succeeded, "");
}
