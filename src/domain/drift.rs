//! Drift: changes that people made in n8n, and what the policy says about those that are left in place.

use crate::api::reason::Reason;
use crate::api::workflow::DriftPolicy;
use crate::domain::plan::Drift;

/// Consequence for the version of drift that a plan leaves in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftDrift {
    /// The version is in n8n as far as it matters: it is verified and reported as usual.
    Beside,
    /// The version is in n8n and is verified; the drift is reported instead of its result.
    Reported(Reason),
    /// n8n holds content or a publication of other people: there is no version of Weirkeeper's to verify.
    Foreign(Option<Reason>),
}

/// Decides the consequence of drift that is left in place.
pub fn left(drift: &[Drift], policy: DriftPolicy) -> LeftDrift {
    // Settings, a name or a project say nothing about the published content.
    let beside = |drift: &Drift| matches!(drift, Drift::DraftEdited | Drift::Settings(_) | Drift::Renamed | Drift::Moved);
    let reported = match policy {
        DriftPolicy::Ignore => None,
        _ if drift.iter().all(|drift| *drift == Drift::DraftEdited) => None,
        DriftPolicy::Report => Some(Reason::DriftReported),
        DriftPolicy::Revert => Some(Reason::DriftContested),
    };
    match (drift.iter().all(beside), reported) {
        (true, None) => LeftDrift::Beside,
        (true, Some(reason)) => LeftDrift::Reported(reason),
        (false, reason) => LeftDrift::Foreign(reason),
    }
}

/// Returns the reason that condition Drifted gives for drift that is left in place.
pub fn reason(drift: &[Drift], policy: DriftPolicy) -> Reason {
    match policy {
        _ if drift == [Drift::DraftEdited] => Reason::DraftEdited,
        DriftPolicy::Revert => Reason::DriftContested,
        DriftPolicy::Report => Reason::DriftReported,
        DriftPolicy::Ignore => Reason::DriftIgnored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_foreign_content_keeps_a_version_from_being_verified_and_the_policy_says_what_is_reported() {
        use Drift::{Archived, DraftEdited, Edited, Moved, Publication, Renamed};
        use DriftPolicy::{Ignore, Report, Revert};
        let settings = || Drift::Settings(vec!["timezone".into()]);
        let table = [
            (vec![], Revert, LeftDrift::Beside),
            (vec![DraftEdited], Revert, LeftDrift::Beside),
            (vec![DraftEdited], Report, LeftDrift::Beside),
            (vec![settings()], Ignore, LeftDrift::Beside),
            (vec![settings()], Report, LeftDrift::Reported(Reason::DriftReported)),
            (vec![Renamed, DraftEdited], Revert, LeftDrift::Reported(Reason::DriftContested)),
            (vec![Moved], Report, LeftDrift::Reported(Reason::DriftReported)),
            (vec![Edited], Report, LeftDrift::Foreign(Some(Reason::DriftReported))),
            (vec![Publication], Ignore, LeftDrift::Foreign(None)),
            (vec![Archived, Renamed], Revert, LeftDrift::Foreign(Some(Reason::DriftContested))),
        ];
        for (drift, policy, expected) in table {
            assert_eq!(left(&drift, policy), expected, "{drift:?} {policy:?}");
        }
        assert_eq!(reason(&[DraftEdited], Revert), Reason::DraftEdited);
        assert_eq!(reason(&[DraftEdited, Renamed], Ignore), Reason::DriftIgnored);
        assert_eq!(reason(&[Edited], Revert), Reason::DriftContested);
    }
}
