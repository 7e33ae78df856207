//! Target version: the pinned one, the spec's, or the last good one.

use crate::api::reason::Reason;
use crate::api::workflow::{RollbackPolicy, WorkflowSpec};
use crate::api::workflow_status::WorkflowStatus;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::text::sha256::sha256_hex;

/// The version that people ask for: a pinned one, or the spec's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its number.
    pub version: i64,
    /// Its digest.
    pub digest: String,
    /// True if a pin names it.
    pub pinned: bool,
}

/// The version to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The wanted version.
    Wanted,
    /// The version to which a failure rolls back.
    LastGood(i64),
    /// No change: the wanted version failed, and the reason says why there is no rollback.
    Hold(Reason),
}

/// Returns the pinned version, if there is a pin; else the spec's.
pub fn wanted(version: i64, digest: &str, status: &WorkflowStatus, pinned: Option<&str>) -> Result<Wanted, ReconcileError> {
    let Some(pinned) = pinned else { return Ok(Wanted { version, digest: digest.to_owned(), pinned: false }) };
    let kept = pinned.trim().parse().ok().and_then(|version| history::numbered(&status.history, version));
    kept.map(|record| Wanted { version: record.version, digest: record.digest.clone(), pinned: true }).ok_or_else(|| {
        let versions: Vec<String> = status.history.iter().map(|record| record.version.to_string()).collect();
        ReconcileError::invalid(
            Reason::VersionNotFound,
            format!(
                "annotation {} names version {pinned:?}, which is not kept; kept versions: {}",
                crate::api::annotation::PINNED_VERSION,
                if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
            ),
        )
    })
}

/// Chooses by what status records about the wanted version.
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

/// Returns a digest of what determines, beside the definition, whether a version fails: its mapped credentials and references, and, if it
/// was probed, the health check and the versions of the Secrets that probes sent (`secrets`). When the digest changes, an earlier failure
/// does not count any more.
pub fn circumstances(spec: &WorkflowSpec, secrets: Option<&[Option<String>]>) -> String {
    let checks = secrets.map(|secrets| (&spec.health_check, secrets));
    // Serialization of plain data cannot fail.
    let text = serde_json::to_vec(&(checks, &spec.credentials, &spec.references)).unwrap_or_default();
    format!("sha256:{}", sha256_hex(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workflow_status::{VersionResult, VersionSource};

    fn status(failed: Option<&str>) -> WorkflowStatus {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut status = WorkflowStatus { failed_digest: failed.map(str::to_owned), ..WorkflowStatus::default() };
        history::accept(&mut status, "good", VersionSource::Definition, "r".into(), now);
        history::record_result(&mut status.history, 1, VersionResult::Good, None, now);
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
    fn a_changed_health_check_or_mapping_makes_an_earlier_failure_void() {
        let spec = |more: serde_json::Value| {
            let mut spec = serde_json::json!({ "instanceRef": { "name": "main" }, "definition": {} });
            spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            serde_json::from_value::<WorkflowSpec>(spec).unwrap()
        };
        let probing = |status: u16| serde_json::json!({ "healthCheck": { "probes": [{ "node": "a", "expectedStatus": status }] } });
        let mapped = |name: &str| serde_json::json!({ "credentials": [{ "name": "crm", "existing": { "name": name } }] });
        let of = |more, secrets: Option<&[Option<String>]>| circumstances(&spec(more), secrets);
        let (probed, refused) = (Some(&[][..]), None);
        assert_eq!(of(probing(200), probed), of(probing(200), probed));
        assert_ne!(of(probing(200), probed), of(probing(204), probed));
        assert_eq!(of(probing(200), refused), of(probing(204), refused), "a version that n8n refuses is not probed");
        assert_ne!(of(mapped("one"), refused), of(mapped("two"), refused));
        assert_eq!(of(serde_json::json!({ "interval": "1h", "displayName": "x" }), probed), of(serde_json::json!({}), probed));
        let versions = [Some("1".to_owned()), None, Some("2".to_owned())];
        let sent: Vec<String> = versions.iter().map(|version| of(probing(200), Some(std::slice::from_ref(version)))).collect();
        assert!(sent[0] != sent[1] && sent[1] != sent[2] && sent[0] != sent[2], "a Secret that a probe sends was edited: {sent:?}");
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
