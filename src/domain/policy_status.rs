//! Status of a WorkflowPolicy: its conditions, and how many Workflows it denies.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::policy::{WorkflowPolicySpec, WorkflowPolicyStatus};
use crate::api::reason::Reason;
use crate::catalog::Catalog;
use crate::document::finding::join_within;
use crate::domain::conditions::{Found, Outcome, conditions};
use crate::domain::error::ReconcileError;
use crate::domain::policies::unreadable;
use crate::domain::summary::summary;
use crate::validator::policy::doubts;

/// Maximum length of the doubts in a message.
const MOST_CHARS: usize = 1_000;

/// Returns the status of a policy for its generation and the number of Workflows that it denies.
pub fn status_of(
    before: &WorkflowPolicyStatus,
    rules: &Result<WorkflowPolicySpec, String>,
    (generation, denied): (i64, i64),
    catalog: &Catalog,
    now: Timestamp,
) -> WorkflowPolicyStatus {
    let outcome = match rules {
        Err(why) => Outcome::Failed(ReconcileError::invalid(Reason::PolicyUnreadable, unreadable("of this object", why).message)),
        Ok(rules) => {
            let doubts = doubts(rules, catalog);
            Outcome::Ready(if doubts.is_empty() { "enforced".to_owned() } else { join_within("enforced; ", &doubts, MOST_CHARS) })
        }
    };
    let found = Found { outcome, details: Vec::new() };
    let (conditions, _) = conditions(&before.conditions, None, &found, generation, Duration::ZERO, now);
    let summary = summary(&conditions);
    WorkflowPolicyStatus { observed_generation: generation, summary, denied, conditions }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::condition::{ConditionStatus, ConditionType, find};

    #[test]
    fn a_policy_is_ready_with_its_doubts_or_stalled() {
        let now = Timestamp::UNIX_EPOCH;
        let of = |rules: Result<WorkflowPolicySpec, String>| {
            status_of(&WorkflowPolicyStatus::default(), &rules, (2, 3), Catalog::embedded(), now)
        };
        let ready = |status: &WorkflowPolicyStatus| find(&status.conditions, ConditionType::Ready).cloned().unwrap();
        let fine = of(Ok(WorkflowPolicySpec::default()));
        assert_eq!((fine.observed_generation, fine.denied, &*ready(&fine).message), (2, 3, "enforced"));
        let doubtful = of(serde_json::from_value(json!({ "deniedNodeTypes": ["n8n-nodes-base.exec"] })).map_err(|error| error.to_string()));
        assert!(ready(&doubtful).message.contains("\"n8n-nodes-base.exec\" matches no node type"), "{doubtful:?}");
        assert_eq!(ready(&doubtful).status, ConditionStatus::True);
        let bad = of(Err("unknown field `x`".to_owned()));
        assert_eq!((ready(&bad).status, &*ready(&bad).reason), (ConditionStatus::False, "PolicyUnreadable"));
        assert_eq!(find(&bad.conditions, ConditionType::Stalled).unwrap().status, ConditionStatus::True);
    }
}
