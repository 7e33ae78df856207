//! Which version should serve: a pinned one, the spec's, or the last good one.

use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::WorkflowStatus;

use super::history;
use super::trouble::Trouble;

/// The version that people ask for: a pinned one, or the spec's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its number.
    pub version: i64,
    /// Its digest.
    pub digest: String,
    /// Whether a pin names it.
    pub pinned: bool,
}

/// The version that should serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What people ask for.
    Wanted,
    /// The version to which a failure goes back.
    LastGood(i64),
    /// Nothing is changed: what people ask for failed and the reason says why there is nothing else.
    Hold(Reason),
}

/// The pinned version, where there is a pin; else the spec's.
pub fn wanted(version: i64, digest: &str, status: &WorkflowStatus, pinned: Option<&str>) -> Result<Wanted, Trouble> {
    let Some(pinned) = pinned else { return Ok(Wanted { version, digest: digest.to_owned(), pinned: false }) };
    let kept = pinned.trim().parse().ok().and_then(|version| history::numbered(&status.history, version));
    kept.map(|record| Wanted { version: record.version, digest: record.digest.clone(), pinned: true }).ok_or_else(|| {
        let versions: Vec<String> = status.history.iter().map(|record| record.version.to_string()).collect();
        Trouble::invalid(
            Reason::VersionNotFound,
            format!(
                "annotation {} names version {pinned:?}, which is not kept; kept versions: {}",
                crate::api::annotation::PINNED_VERSION,
                if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
            ),
        )
    })
}

/// Chooses by what is known of the wanted version.
pub fn choose(wanted: &str, status: &WorkflowStatus, rollback: RollbackPolicy) -> Choice {
    if status.failed_digest.as_deref() != Some(wanted) {
        return Choice::Wanted;
    }
    match (rollback, history::last_good(&status.history, Some(wanted))) {
        (RollbackPolicy::Manual, _) => Choice::Hold(Reason::RollbackManual),
        (RollbackPolicy::Automatic, Some(good)) => Choice::LastGood(good.version),
        (RollbackPolicy::Automatic, None) => Choice::Hold(Reason::NoGoodVersion),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workflow_status::{VersionResult, VersionSource};

    fn status(failed: Option<&str>) -> WorkflowStatus {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut status = WorkflowStatus { failed_digest: failed.map(str::to_owned), ..WorkflowStatus::default() };
        history::accept(&mut status, "good", VersionSource::Definition, "r".into(), now);
        history::judge(&mut status.history, 1, VersionResult::Good, None, now);
        history::accept(&mut status, "bad", VersionSource::Definition, "r".into(), now);
        status
    }

    #[test]
    fn a_failed_definition_gives_way_to_the_last_good_one() {
        let choice = |desired, failed, policy| choose(desired, &status(failed), policy);
        assert_eq!(choice("bad", Some("bad"), RollbackPolicy::Automatic), Choice::LastGood(1));
        assert_eq!(choice("bad", Some("bad"), RollbackPolicy::Manual), Choice::Hold(Reason::RollbackManual));
        assert_eq!(choice("bad", None, RollbackPolicy::Automatic), Choice::Wanted);
        assert_eq!(choice("corrected", Some("bad"), RollbackPolicy::Automatic), Choice::Wanted);
        assert_eq!(choice("good", Some("good"), RollbackPolicy::Automatic), Choice::Hold(Reason::NoGoodVersion));
    }

    #[test]
    fn a_pin_wins_and_must_name_a_kept_version() {
        let pin = |pin| wanted(2, "bad", &status(Some("bad")), pin);
        assert_eq!(pin(None).unwrap(), Wanted { version: 2, digest: "bad".into(), pinned: false });
        assert_eq!(pin(Some(" 1 ")).unwrap(), Wanted { version: 1, digest: "good".into(), pinned: true });
        assert!(pin(Some("7")).unwrap_err().message.contains("kept versions: 2, 1"));
        assert!(pin(Some("latest")).is_err());
    }
}
