//! Recovery of a published workflow: after an attempt that unpublished it, and after n8n lost webhooks.

use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::{Intent, IntentOperation};

/// Maximum number of publications within an hour that only register webhooks again. More would only disturb callers.
pub const MOST_REREGISTRATIONS: usize = 3;

/// An attempt that left the workflow unpublished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOffline<'a> {
    /// Digest of the version that was attempted.
    pub digest: &'a str,
    /// Version in n8n to publish again at once; None if that is left to people.
    pub publish: Option<&'a str>,
}

/// Decides whether an earlier attempt left the workflow unpublished. `active`: the spec wants it published; `published`: it is published.
pub fn left_offline(intent: Option<&Intent>, active: bool, published: bool, policy: RollbackPolicy) -> Option<LeftOffline<'_>> {
    let intent = intent.filter(|intent| intent.operation != IntentOperation::Create)?;
    let good = intent.last_good_n8n_version_id.as_deref()?;
    let publish = (policy == RollbackPolicy::Automatic).then_some(good);
    (active && !published).then_some(LeftOffline { digest: &intent.digest, publish })
}

/// Facts about a published version whose webhooks may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published<'a> {
    /// Version in n8n that is published; None if none is, or none should be.
    pub published: Option<&'a str>,
    /// Version in n8n that holds the version of this attempt.
    pub kept: Option<&'a str>,
    /// True if webhooks of the version were missing at the last reconciliation.
    pub missing: bool,
    /// True if n8n may still be registering them.
    pub may_come: bool,
    /// Number of publications of that kind within the last hour.
    pub reregistrations: usize,
}

/// Reports whether the published version is to be published again, so that n8n registers its webhooks.
pub fn reregisters(facts: Published<'_>) -> bool {
    facts.published.is_some()
        && facts.published == facts.kept
        && facts.missing
        && !facts.may_come
        && facts.reregistrations < MOST_REREGISTRATIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_attempt_took_offline_and_should_be_published_is_put_back() {
        use RollbackPolicy::{Automatic, Manual};
        let now = jiff::Timestamp::UNIX_EPOCH;
        let intent = |operation, good: Option<&str>| Intent::new(operation, "d", good.map(str::to_owned), now);
        let (deploy, create, blank) =
            (intent(IntentOperation::Deploy, Some("v")), intent(IntentOperation::Create, Some("v")), intent(IntentOperation::Deploy, None));
        let offline = |publish| Some(LeftOffline { digest: "d", publish });
        let table = [
            (Some(&deploy), true, false, Automatic, offline(Some("v"))),
            (Some(&deploy), true, false, Manual, offline(None)),
            (Some(&deploy), true, true, Automatic, None),
            (Some(&deploy), false, false, Automatic, None),
            (Some(&create), true, false, Automatic, None),
            (Some(&blank), true, false, Automatic, None),
            (None, true, false, Automatic, None),
        ];
        for (intent, active, published, policy, expected) in table {
            assert_eq!(left_offline(intent, active, published, policy), expected, "{intent:?} {active} {published} {policy:?}");
        }
    }

    #[test]
    fn webhooks_are_registered_again_only_for_the_version_that_is_published_and_a_few_times() {
        let lost = Published { published: Some("v"), kept: Some("v"), missing: true, may_come: false, reregistrations: 0 };
        assert!(reregisters(lost));
        assert!(reregisters(Published { reregistrations: MOST_REREGISTRATIONS - 1, ..lost }));
        for other in [
            Published { published: None, ..lost },
            Published { published: None, kept: None, ..lost },
            Published { kept: Some("w"), ..lost },
            Published { missing: false, ..lost },
            Published { may_come: true, ..lost },
            Published { reregistrations: MOST_REREGISTRATIONS, ..lost },
        ] {
            assert!(!reregisters(other), "{other:?}");
        }
    }
}
