//! Numbered versions: each distinct accepted definition has a number, and status holds the index.

use jiff::Timestamp;

use crate::api::condition::whole_seconds;
use crate::api::reason::Reason;
use crate::api::workflow_status::{VersionRecord, VersionResult, VersionSource, WorkflowStatus};

/// Maximum length of a failure message that is kept with a version.
const MESSAGE_CHARS: usize = 500;

/// Edits kept within this many seconds before the newest one are retained together with it: a draft and the version published beside it are
/// kept one after the other.
const KEPT_TOGETHER: i64 = 60;

/// Numbers a definition. A digest that is in the history keeps its number; a new one becomes the first entry. No number is used twice, not
/// even that of a version that was pruned.
pub fn accept(status: &mut WorkflowStatus, digest: &str, source: VersionSource, revision: String, now: Timestamp) -> i64 {
    let history = &mut status.history;
    if let Some(known) = history.iter_mut().find(|record| record.digest == digest) {
        // An edit that returns is the newest one again, and kept as such.
        if source == VersionSource::Drift && known.source == VersionSource::Drift {
            known.created_at = whole_seconds(now);
        }
        return known.version;
    }
    let version = history.iter().map(|record| record.version).chain(status.last_version).max().unwrap_or(0) + 1;
    status.last_version = Some(version);
    let result = match source {
        VersionSource::Drift => VersionResult::Kept,
        // The version published before the adoption is the first one to roll back to.
        VersionSource::Adopted => VersionResult::Good,
        VersionSource::Definition | VersionSource::ConfigMap | VersionSource::Template => VersionResult::Pending,
    };
    let decided_at = (result == VersionResult::Good).then(|| whole_seconds(now));
    history.insert(
        0,
        VersionRecord {
            version,
            digest: digest.to_owned(),
            n8n_version_id: None,
            revision,
            source,
            result,
            reason: None,
            message: None,
            created_at: whole_seconds(now),
            decided_at,
        },
    );
    version
}

/// Records the version id under which n8n holds a digest.
pub fn sent(history: &mut [VersionRecord], digest: &str, n8n_version_id: Option<&str>) {
    if let Some(record) = history.iter_mut().find(|record| record.digest == digest) {
        record.n8n_version_id = n8n_version_id.map(str::to_owned).or(record.n8n_version_id.take());
    }
}

/// Returns the kept version that n8n holds under this id: one that Weirkeeper sent, or else a kept edit of a person. A copy that was kept
/// for its settings has the same id as the version it copies.
pub fn version_with_id(history: &[VersionRecord], n8n_version_id: &str) -> Option<i64> {
    let same = |record: &&VersionRecord| record.n8n_version_id.as_deref() == Some(n8n_version_id);
    let ours = history.iter().filter(same).find(|record| record.source != VersionSource::Drift);
    ours.or_else(|| history.iter().find(same)).map(|record| record.version)
}

/// Returns the record of a version number.
pub fn numbered(history: &[VersionRecord], version: i64) -> Option<&VersionRecord> {
    history.iter().find(|record| record.version == version)
}

/// Returns the version that most recently proved itself, other than the one that just failed. If none did yet, a version still in its bake
/// time is returned: it was published, was live and passed its probes, which is more than the failed one did.
pub fn last_good<'a>(history: &'a [VersionRecord], failed_digest: Option<&str>) -> Option<&'a VersionRecord> {
    let latest = |result| {
        let others = history.iter().filter(|record| record.result == result && Some(record.digest.as_str()) != failed_digest);
        others.max_by_key(|record| (record.decided_at.as_ref().map(|time| time.0), record.version))
    };
    latest(VersionResult::Good).or_else(|| latest(VersionResult::Deployed))
}

/// Records the result of a version.
pub fn record_result(history: &mut [VersionRecord], version: i64, result: VersionResult, why: Option<(Reason, &str)>, now: Timestamp) {
    if let Some(record) = history.iter_mut().find(|record| record.version == version) {
        record.result = result;
        record.reason = why.map(|(reason, _)| reason.as_str().to_owned());
        record.message = why.map(|(_, message)| message.chars().take(MESSAGE_CHARS).collect());
        record.decided_at = Some(whole_seconds(now));
    }
}

/// Drops the oldest records beyond the limit and returns the names of their revisions. Kept are the published version, the wanted one (a
/// pin may name an old one), those that a rollback would need, the spec's, the adopted one and the newest kept edit.
pub fn prune(history: &mut Vec<VersionRecord>, limit: i64, active: Option<i64>, wanted: i64, desired_digest: &str) -> Vec<String> {
    let good = last_good(history, None).map(|record| record.version);
    let other_good = last_good(history, Some(desired_digest)).map(|record| record.version);
    let edit = |record: &VersionRecord| (record.source == VersionSource::Drift).then_some(record.created_at.0.as_second());
    let newest_edit = history.iter().filter_map(edit).max();
    let fresh = |record: &VersionRecord| edit(record).zip(newest_edit).is_some_and(|(kept, newest)| newest - kept <= KEPT_TOGETHER);
    let limit = usize::try_from(limit.max(1)).unwrap_or(1);
    let mut excess = history.len().saturating_sub(limit);
    let mut dropped = Vec::new();
    for at in (0..history.len()).rev() {
        let record = &history[at];
        let version = Some(record.version);
        let needed = [active, Some(wanted), good, other_good].contains(&version) || record.digest == desired_digest;
        if excess > 0 && !needed && !fresh(record) && record.source != VersionSource::Adopted {
            dropped.push(history.remove(at).revision);
            excess -= 1;
        }
    }
    dropped
}

/// Returns the name of the ControllerRevision that holds a body. It is the same for the same content, so that a write repeated after a
/// crash finds the existing object.
pub fn revision_name(workflow: &str, digest: &str) -> String {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    let head: String = workflow.chars().take(200).collect();
    format!("{}-{}", head.trim_end_matches(['-', '.']), &hex[..hex.len().min(12)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn three_versions() -> WorkflowStatus {
        let mut status = WorkflowStatus::default();
        for (second, digest) in [(1, "a"), (2, "b"), (3, "c")] {
            accept(&mut status, digest, VersionSource::Definition, format!("r-{digest}"), at(second));
        }
        status
    }

    fn numbers(status: &WorkflowStatus) -> Vec<i64> {
        status.history.iter().map(|record| record.version).collect()
    }

    #[test]
    fn a_digest_keeps_its_number_and_a_new_one_gets_the_next() {
        let mut status = three_versions();
        assert_eq!(accept(&mut status, "b", VersionSource::ConfigMap, "r-b".into(), at(4)), 2);
        assert_eq!(accept(&mut status, "d", VersionSource::Definition, "r-d".into(), at(5)), 4);
        assert_eq!(status.history[0].version, 4);
    }

    #[test]
    fn a_rollback_goes_to_a_baking_version_only_if_no_version_is_good() {
        let mut status = three_versions();
        record_result(&mut status.history, 1, VersionResult::Deployed, None, at(4));
        record_result(&mut status.history, 2, VersionResult::Failed, None, at(5));
        assert_eq!(last_good(&status.history, Some("b")).unwrap().version, 1);
        assert_eq!(last_good(&status.history, Some("a")), None);
        record_result(&mut status.history, 3, VersionResult::Good, None, at(3));
        assert_eq!(last_good(&status.history, Some("b")).unwrap().version, 3);
    }

    #[test]
    fn the_last_good_version_is_the_one_that_proved_itself_last() {
        let mut status = three_versions();
        record_result(&mut status.history, 2, VersionResult::Good, None, at(10));
        record_result(&mut status.history, 1, VersionResult::Good, None, at(20));
        record_result(&mut status.history, 3, VersionResult::Failed, Some((Reason::PublishRefused, "no trigger")), at(30));
        assert_eq!(last_good(&status.history, Some("c")).unwrap().version, 1);
        assert_eq!(last_good(&status.history, Some("a")).unwrap().version, 2);
    }

    #[test]
    fn pruning_keeps_the_published_version_and_those_that_a_rollback_needs() {
        let mut status = three_versions();
        record_result(&mut status.history, 1, VersionResult::Good, None, at(10));
        accept(&mut status, "d", VersionSource::Definition, "r-d".into(), at(11));
        assert!(prune(&mut status.history.clone(), 1, Some(2), 3, "d").is_empty(), "a pin names version 3");
        assert_eq!(prune(&mut status.history, 1, Some(2), 4, "d"), ["r-c"]);
        assert_eq!(numbers(&status), [4, 2, 1]);
    }

    #[test]
    fn the_newest_kept_edit_stays_whatever_the_limit_is() {
        let mut status = three_versions();
        record_result(&mut status.history, 3, VersionResult::Good, None, at(4));
        for (second, digest) in [(100, "edit 1"), (200, "draft 2"), (201, "edit 2")] {
            accept(&mut status, digest, VersionSource::Drift, format!("r-{digest}"), at(second));
        }
        prune(&mut status.history, 1, Some(3), 3, "c");
        assert_eq!(numbers(&status), [6, 5, 3]);
        accept(&mut status, "edit 3", VersionSource::Drift, "r".into(), at(300));
        prune(&mut status.history, 1, Some(3), 3, "c");
        assert_eq!(numbers(&status), [7, 3]);
        // One that returns is the newest again.
        let returned = |status: &mut WorkflowStatus, second| accept(status, "edit 3", VersionSource::Drift, "r".into(), at(second));
        accept(&mut status, "edit 4", VersionSource::Drift, "r".into(), at(400));
        assert_eq!(returned(&mut status, 500), 7);
        prune(&mut status.history, 1, Some(3), 3, "c");
        assert_eq!(numbers(&status), [7, 3]);
    }

    #[test]
    fn the_number_of_a_pruned_version_is_never_used_again() {
        let mut status = three_versions();
        status.history.retain(|record| record.version == 1);
        assert_eq!(accept(&mut status, "d", VersionSource::Definition, "r".into(), at(5)), 4);
        status.history.clear();
        assert_eq!(accept(&mut status, "e", VersionSource::Definition, "r".into(), at(6)), 5);
        // A status written before the counter existed.
        status.last_version = None;
        assert_eq!(accept(&mut status, "f", VersionSource::Definition, "r".into(), at(7)), 6);
    }

    #[test]
    fn a_copy_that_was_kept_for_its_settings_is_not_the_published_version() {
        let mut status = three_versions();
        sent(&mut status.history, "a", Some("D1"));
        accept(&mut status, "theirs", VersionSource::Drift, "r-t".into(), at(4));
        sent(&mut status.history, "theirs", Some("D1"));
        assert_eq!(version_with_id(&status.history, "D1"), Some(1));
        sent(&mut status.history, "theirs", Some("D2"));
        assert_eq!((version_with_id(&status.history, "D2"), version_with_id(&status.history, "D3")), (Some(4), None));
    }

    #[test]
    fn a_revision_name_is_a_valid_object_name() {
        assert_eq!(revision_name("orders", "sha256:0123456789abcdef"), "orders-0123456789ab");
        assert!(revision_name(&"x".repeat(253), "sha256:0123456789abcdef").len() <= 253);
    }
}
