//! Binding of an object to a workflow in n8n. n8n's create is not idempotent and the server assigns the ids, so the ownership mark
//! decides, never the name.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::annotation;
use crate::api::reason::Reason;
use crate::api::workflow_status::{Intent, IntentOperation};

use crate::domain::error::ReconcileError;
use crate::domain::mark::Mark;

/// A workflow as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedWorkflow {
    /// Its id in n8n.
    pub id: String,
    /// The ownership mark that it carries.
    pub mark: Option<Mark>,
}

/// Decision about an object that has no recorded workflow in n8n, or whose recorded workflow is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Bind the object to this workflow, which carries its mark.
    Bind(String),
    /// Adopt this workflow.
    Adopt(String),
    /// Create a workflow: none carries the object's mark and no earlier create can still take effect.
    Create,
    /// Wait until this time: an unanswered create may still take effect.
    Wait(Timestamp),
}

/// Returns how long after its intent was recorded a create may still take effect: it is sent within one request timeout, waited for during
/// a second one, and n8n may still be processing it during a third one.
pub fn longest_life(request_timeout: Duration) -> Duration {
    request_timeout * 3
}

/// Grounds on which an object may adopt a workflow that carries the mark of another object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// The id that `spec.adopt` names.
    pub adopt: Option<&'a str>,
    /// True if the object whose mark the workflow carries still exists.
    pub claimant_exists: bool,
    /// The cluster from which the objects of the instance were restored, as the instance's owner declares. Workflows that carry the mark of
    /// an object with the same namespace and name in that cluster are adopted.
    pub restored_from: Option<&'a str>,
}

/// Decides from a listing that was read after any earlier create was announced.
pub fn decide(
    mark: &Mark,
    claim: Claim<'_>,
    seen: &[ListedWorkflow],
    late_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<Decision, ReconcileError> {
    let ours: Vec<&str> = marked(seen, |other| other.uid == mark.uid && other.cluster == mark.cluster);
    match ours.as_slice() {
        [only] => return Ok(Decision::Bind((*only).to_owned())),
        [] => {}
        several => {
            return Err(ReconcileError::denied(
                Reason::DuplicateMarks,
                format!(
                    "workflows {} in n8n all carry the ownership mark of this object; delete the copies in n8n, or remove `customTelemetryTags` from their settings",
                    several.join(", ")
                ),
            ));
        }
    }
    // A late create would result in a second workflow with this object's mark, whatever is adopted or created meanwhile.
    if let Some(until) = late_until.filter(|until| now < *until) {
        return Ok(Decision::Wait(until));
    }
    if let Some(wanted) = claim.adopt {
        return adoption(mark, wanted, seen, claim);
    }
    match marked(seen, |other| other.restored_as(mark, claim.restored_from)).as_slice() {
        [] => {}
        [only] => return Ok(Decision::Adopt((*only).to_owned())),
        several => {
            return Err(ReconcileError::denied(
                Reason::DuplicateMarks,
                format!(
                    "workflows {} in n8n all carry the ownership mark of the object from which this one was restored; delete the copies in n8n, or set spec.adopt.id to the right one",
                    several.join(", ")
                ),
            ));
        }
    }
    let previous = marked(seen, |other| other.same_name(mark));
    if let Some(id) = previous.first() {
        return Err(owned_by_previous(id, &mark.cluster));
    }
    Ok(Decision::Create)
}

/// Returns the error for an object whose workflow in n8n belongs to an earlier object of the same name.
pub fn owned_by_previous(id: &str, cluster: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::OwnedByPrevious,
        format!(
            "workflow {id} in n8n belongs to an earlier object of this name; set spec.adopt.id to {id} to adopt it, or delete it in n8n. To adopt the workflows of all restored objects at once, set the annotation {}={cluster} on the N8nInstance",
            annotation::RESTORED_FROM
        ),
    )
}

fn adoption(mark: &Mark, wanted: &str, seen: &[ListedWorkflow], claim: Claim<'_>) -> Result<Decision, ReconcileError> {
    let Some(found) = seen.iter().find(|listed| listed.id == wanted) else {
        return Err(ReconcileError::waiting(
            Reason::AdoptNotFound,
            format!("no workflow in n8n has the id {wanted} that spec.adopt names"),
        ));
    };
    match &found.mark {
        Some(other) if other.restored_as(mark, claim.restored_from) => Ok(Decision::Adopt(wanted.to_owned())),
        Some(other) if other.cluster != mark.cluster || claim.claimant_exists => Err(claimed(wanted)),
        _ => Ok(Decision::Adopt(wanted.to_owned())),
    }
}

/// Returns the error for an object that names a workflow to which another object is bound already.
pub fn claimed(id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::AlreadyClaimed,
        format!("workflow {id} in n8n is bound to another Workflow object; set spec.adopt.id to another workflow, or delete that object"),
    )
}

fn marked(seen: &[ListedWorkflow], matches: impl Fn(&Mark) -> bool) -> Vec<&str> {
    seen.iter().filter(|listed| listed.mark.as_ref().is_some_and(&matches)).map(|listed| listed.id.as_str()).collect()
}

/// Returns for how much longer a create that an earlier reconciliation announced may still take effect. `known_for` is the time since this
/// process learned of the announcement, by its own clock: the recorded time of the announcement may come from another clock, which may be
/// minutes off.
pub fn late_for(intent: Option<&Intent>, request_timeout: Duration, known_for: Duration) -> Option<Duration> {
    intent.filter(|intent| intent.operation == IntentOperation::Create)?;
    longest_life(request_timeout).checked_sub(known_for).filter(|left| !left.is_zero())
}

/// Time for which a person's confirmation that an n8n is the right one covers workflows that are missing from it.
pub const VOUCHED_FOR: Duration = Duration::from_secs(600);

/// Reports whether a person confirmed the instance within that time.
pub fn vouched(accepted_at: Option<Timestamp>, now: Timestamp) -> bool {
    accepted_at.is_some_and(|at| now.duration_since(at) < jiff::SignedDuration::try_from(VOUCHED_FOR).unwrap_or_default())
}

/// Reports whether so many bound workflows disappeared together that a different n8n must be answering at the URL. Fewer are taken for
/// workflows that people deleted by hand, even if they are all there were, and are created again.
pub fn mass_disappearance(bound: usize, missing: usize) -> bool {
    missing > 5 && missing * 10 > bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(uid: &str) -> Mark {
        Mark { cluster: "c".into(), uid: uid.into(), namespace: "team-a".into(), name: "orders".into() }
    }

    fn seen(id: &str, mark: Option<Mark>) -> ListedWorkflow {
        ListedWorkflow { id: id.into(), mark }
    }

    fn decided(adopt: Option<&str>, seen: &[ListedWorkflow], late: Option<i64>) -> Result<Decision, Reason> {
        let late = late.map(|second| Timestamp::from_second(second).unwrap());
        let now = Timestamp::from_second(100).unwrap();
        let claimant_exists =
            seen.iter().any(|one| Some(one.id.as_str()) == adopt && one.mark.as_ref().is_some_and(|mark| mark.uid == "alive"));
        decide(&mark("me"), Claim { adopt, claimant_exists, restored_from: None }, seen, late, now)
            .map_err(|reconcile_error| reconcile_error.reason)
    }

    #[test]
    fn restored_objects_adopt_workflows_marked_by_the_named_cluster_with_their_own_name() {
        let restored = |from, seen: &[ListedWorkflow]| {
            let claim = Claim { restored_from: Some(from), ..Claim::default() };
            decide(&mark("me"), claim, seen, None, Timestamp::UNIX_EPOCH).map_err(|reconcile_error| reconcile_error.reason)
        };
        let lost = Mark { cluster: "lost".into(), ..mark("previous") };
        let elsewhere = Mark { name: "invoices".into(), ..lost.clone() };
        assert_eq!(restored("c", &[seen("w1", Some(mark("previous")))]), Ok(Decision::Adopt("w1".into())));
        assert_eq!(
            restored("lost", &[seen("w1", Some(lost.clone())), seen("w2", Some(elsewhere.clone()))]),
            Ok(Decision::Adopt("w1".into()))
        );
        assert_eq!(restored("lost", &[seen("w2", Some(elsewhere))]), Ok(Decision::Create), "the workflow of another object is not adopted");
        assert_eq!(
            restored("other", &[seen("w1", Some(lost.clone()))]),
            Ok(Decision::Create),
            "the objects of a cluster that is not named may still exist"
        );
        assert_eq!(restored("lost", &[seen("w1", Some(lost.clone())), seen("w2", Some(lost.clone()))]), Err(Reason::DuplicateMarks));
        let own = [seen("w1", Some(lost)), seen("w2", Some(mark("me")))];
        assert_eq!(restored("lost", &own), Ok(Decision::Bind("w2".into())), "the workflow that carries its own mark wins");
    }

    #[test]
    fn the_mark_decides_and_never_the_name() {
        let other = Mark { name: "invoices".into(), ..mark("alive") };
        let listing = [seen("w1", None), seen("w2", Some(mark("me"))), seen("w3", Some(other))];
        assert_eq!(decided(None, &listing, None), Ok(Decision::Bind("w2".into())));
        assert_eq!(decided(None, &[seen("w1", None)], None), Ok(Decision::Create));
    }

    #[test]
    fn several_workflows_with_the_objects_mark_are_reported_and_none_is_touched() {
        let twins = [seen("w1", Some(mark("me"))), seen("w2", Some(mark("me")))];
        assert_eq!(decided(None, &twins, None), Err(Reason::DuplicateMarks));
    }

    #[test]
    fn a_mark_of_an_earlier_object_needs_an_adoption() {
        let listing = [seen("w1", Some(mark("previous")))];
        assert_eq!(decided(None, &listing, None), Err(Reason::OwnedByPrevious));
        assert_eq!(decided(Some("w1"), &listing, None), Ok(Decision::Adopt("w1".into())));
    }

    #[test]
    fn workflows_of_existing_objects_or_other_clusters_cannot_be_adopted() {
        let cluster = Mark { cluster: "other".into(), ..mark("gone") };
        assert_eq!(decided(Some("w1"), &[seen("w1", Some(mark("alive")))], None), Err(Reason::AlreadyClaimed));
        assert_eq!(decided(Some("w1"), &[seen("w1", Some(cluster))], None), Err(Reason::AlreadyClaimed));
        assert_eq!(decided(Some("w9"), &[seen("w1", None)], None), Err(Reason::AdoptNotFound));
        assert_eq!(decided(Some("w1"), &[seen("w1", None)], None), Ok(Decision::Adopt("w1".into())));
    }

    #[test]
    fn an_unanswered_create_is_waited_out() {
        assert_eq!(decided(None, &[], Some(101)), Ok(Decision::Wait(Timestamp::from_second(101).unwrap())));
        assert_eq!(decided(None, &[], Some(100)), Ok(Decision::Create));
        assert_eq!(decided(Some("w1"), &[seen("w1", None)], Some(101)), Ok(Decision::Wait(Timestamp::from_second(101).unwrap())));
        assert_eq!(decided(None, &[seen("w1", Some(mark("me")))], Some(101)), Ok(Decision::Bind("w1".into())));
    }

    #[test]
    fn the_remaining_time_of_a_late_create_is_measured_by_one_clock() {
        let timeout = Duration::from_secs(10);
        let announced = |operation, at| Intent::new(operation, "d", None, Timestamp::from_second(at).unwrap());
        // Whatever time the announcing clock recorded.
        for at in [0, 1_000, 2_000_000_000] {
            let intent = announced(IntentOperation::Create, at);
            for (known, left) in [(0, Some(30)), (29, Some(1)), (30, None), (1_000, None)] {
                let left = left.map(Duration::from_secs);
                assert_eq!(late_for(Some(&intent), timeout, Duration::from_secs(known)), left, "{at}, {known}");
            }
        }
        assert_eq!(late_for(Some(&announced(IntentOperation::Deploy, 0)), timeout, Duration::ZERO), None);
        assert_eq!(late_for(None, timeout, Duration::ZERO), None);
    }

    #[test]
    fn a_confirmation_by_a_person_counts_for_ten_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(vouched(Some(at(0)), at(599)));
        assert!(!vouched(Some(at(0)), at(600)));
        assert!(!vouched(None, at(0)));
    }

    #[test]
    fn more_than_five_and_more_than_a_tenth_is_a_mass_disappearance() {
        for (bound, missing, mass) in
            [(1, 1, false), (2, 2, false), (5, 5, false), (6, 6, true), (100, 10, false), (100, 11, true), (59, 6, true), (60, 6, false)]
        {
            assert_eq!(mass_disappearance(bound, missing), mass, "{missing} of {bound}");
        }
    }
}
