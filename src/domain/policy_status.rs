//! Result of a reconciliation of a WorkflowPolicy.

use crate::api::policy::WorkflowPolicySpec;
use crate::api::reason::Reason;
use crate::catalog::Catalog;
use crate::document::finding::join_within;
use crate::domain::conditions::{Found, Outcome};
use crate::domain::error::ReconcileError;
use crate::domain::policies::unreadable;
use crate::validator::policy::doubts;

/// Maximum length of the doubts in a message.
const MOST_CHARS: usize = 1_000;

/// Returns whether the rules of a policy can be enforced, and what is doubtful about them.
pub fn result(rules: &Result<WorkflowPolicySpec, String>, catalog: &Catalog) -> Found {
    let outcome = match rules {
        Err(why) => Outcome::Failed(ReconcileError::invalid(Reason::PolicyUnreadable, unreadable("of this object", why).message)),
        Ok(rules) => {
            let doubts = doubts(rules, catalog);
            Outcome::Ready(if doubts.is_empty() { "enforced".to_owned() } else { join_within("enforced; ", &doubts, MOST_CHARS) })
        }
    };
    Found { outcome, details: Vec::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_ready_with_its_doubts_or_invalid() {
        let of = |rules: Result<WorkflowPolicySpec, String>| result(&rules, Catalog::embedded()).outcome;
        assert_eq!(of(Ok(WorkflowPolicySpec::default())), Outcome::Ready("enforced".to_owned()));
        let doubtful = of(serde_json::from_value(json!({ "deniedNodeTypes": ["n8n-nodes-base.exec"] })).map_err(|error| error.to_string()));
        assert!(
            matches!(&doubtful, Outcome::Ready(message) if message.contains("\"n8n-nodes-base.exec\" matches no node type")),
            "{doubtful:?}"
        );
        let bad = of(Err("unknown field `x`".to_owned()));
        assert!(
            matches!(&bad, Outcome::Failed(error) if error.reason == Reason::PolicyUnreadable && error.class.needs_a_person()),
            "{bad:?}"
        );
    }
}
