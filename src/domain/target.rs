//! Which version should serve: the spec's, a pinned one, or the last good one.

use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::WorkflowStatus;

use super::history;
use super::trouble::Trouble;

/// The version that should serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The spec's definition.
    Desired,
    /// A kept version that a person pinned.
    Pinned(i64),
    /// The version to which a failure goes back.
    LastGood(i64),
    /// Nothing is changed: the spec's definition failed and the reason says why there is nothing else.
    Hold(Reason),
}

/// Chooses by the pin first, then by what is known of the spec's definition.
pub fn choose(desired: &str, status: &WorkflowStatus, pinned: Option<&str>, rollback: RollbackPolicy) -> Result<Choice, Trouble> {
    if let Some(pinned) = pinned {
        let kept = pinned.trim().parse().ok().filter(|version| history::numbered(&status.history, *version).is_some());
        return kept.map(Choice::Pinned).ok_or_else(|| {
            let versions: Vec<String> = status.history.iter().map(|record| record.version.to_string()).collect();
            Trouble::invalid(
                Reason::VersionNotFound,
                format!(
                    "annotation {} names version {pinned:?}, which is not kept; kept versions: {}",
                    crate::api::annotation::PINNED_VERSION,
                    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
                ),
            )
        });
    }
    if status.failed_digest.as_deref() != Some(desired) {
        return Ok(Choice::Desired);
    }
    Ok(match (rollback, history::last_good(&status.history, Some(desired))) {
        (RollbackPolicy::Manual, _) => Choice::Hold(Reason::RollbackManual),
        (RollbackPolicy::Automatic, Some(good)) => Choice::LastGood(good.version),
        (RollbackPolicy::Automatic, None) => Choice::Hold(Reason::NoGoodVersion),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workflow_status::{VersionResult, VersionSource};

    fn status(failed: Option<&str>) -> WorkflowStatus {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut status = WorkflowStatus { failed_digest: failed.map(str::to_owned), ..WorkflowStatus::default() };
        history::accept(&mut status.history, "good", VersionSource::Definition, "r".into(), now);
        history::judge(&mut status.history, 1, VersionResult::Good, None, now);
        history::accept(&mut status.history, "bad", VersionSource::Definition, "r".into(), now);
        status
    }

    #[test]
    fn a_failed_definition_gives_way_to_the_last_good_one() {
        let choice = |desired, failed, policy| choose(desired, &status(failed), None, policy).unwrap();
        assert_eq!(choice("bad", Some("bad"), RollbackPolicy::Automatic), Choice::LastGood(1));
        assert_eq!(choice("bad", Some("bad"), RollbackPolicy::Manual), Choice::Hold(Reason::RollbackManual));
        assert_eq!(choice("bad", None, RollbackPolicy::Automatic), Choice::Desired);
        assert_eq!(choice("corrected", Some("bad"), RollbackPolicy::Automatic), Choice::Desired);
        assert_eq!(choice("good", Some("good"), RollbackPolicy::Automatic), Choice::Hold(Reason::NoGoodVersion));
    }

    #[test]
    fn a_pin_wins_and_must_name_a_kept_version() {
        let pin = |pin| choose("bad", &status(Some("bad")), Some(pin), RollbackPolicy::Automatic);
        assert_eq!(pin("2").unwrap(), Choice::Pinned(2));
        assert!(pin("7").unwrap_err().message.contains("kept versions: 2, 1"));
        assert!(pin("latest").is_err());
    }
}
