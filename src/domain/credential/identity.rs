//! Binding of an N8nCredential to a credential in n8n. As with workflows, n8n's create is not idempotent, so the mark decides.

use jiff::Timestamp;

use super::mark::CredentialMark;
use crate::api::annotation;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;

/// A credential as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedCredential {
    /// Its id in n8n.
    pub id: String,
    /// The mark in its name.
    pub mark: Option<CredentialMark>,
}

/// Decision about an object that has no recorded credential in n8n, or whose recorded credential is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Bind the object to this credential, which carries its mark.
    Bind(String),
    /// Adopt this credential.
    Adopt(String),
    /// Create a credential: none carries the object's mark and no earlier create can still take effect.
    Create,
    /// Wait until this time: an unanswered create may still take effect.
    Wait(Timestamp),
}

/// Facts about an object that is not bound.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The object's mark.
    pub mark: &'a CredentialMark,
    /// The id that `spec.adopt` names.
    pub adopt: Option<&'a str>,
    /// True if another object of this cluster is bound to the credential to adopt, or has its mark.
    pub claimed: bool,
    /// The cluster from which the objects of the instance were restored, as the instance's owner declares.
    pub restored_from: Option<&'a str>,
    /// Time until which an earlier create may still take effect.
    pub late_until: Option<Timestamp>,
}

/// Decides from a list that was read after any earlier create was announced.
pub fn decide(claim: Claim<'_>, listed: &[ListedCredential], now: Timestamp) -> Result<Decision, ReconcileError> {
    let with = |wanted: &dyn Fn(&CredentialMark) -> bool| -> Vec<&str> {
        listed.iter().filter(|one| one.mark.as_ref().is_some_and(wanted)).map(|one| one.id.as_str()).collect()
    };
    match with(&|mark| mark == claim.mark).as_slice() {
        [only] => return Ok(Decision::Bind((*only).to_owned())),
        [] => {}
        several => return Err(duplicates(several)),
    }
    // A late create would result in a second credential with this object's mark, whatever is adopted or created meanwhile.
    if let Some(until) = claim.late_until.filter(|until| now < *until) {
        return Ok(Decision::Wait(until));
    }
    if let Some(wanted) = claim.adopt {
        return adoption(claim, wanted, listed);
    }
    match with(&|mark| mark.restored_as(claim.mark, claim.restored_from)).as_slice() {
        [] => {}
        [only] => return Ok(Decision::Adopt((*only).to_owned())),
        several => return Err(duplicates(several)),
    }
    match with(&|mark| mark.same_place(claim.mark)).first() {
        Some(id) => Err(owned_by_previous(id)),
        None => Ok(Decision::Create),
    }
}

fn adoption(claim: Claim<'_>, wanted: &str, listed: &[ListedCredential]) -> Result<Decision, ReconcileError> {
    let Some(found) = listed.iter().find(|one| one.id == wanted) else {
        return Err(ReconcileError::waiting(
            Reason::AdoptNotFound,
            format!("no credential in n8n has the id {wanted} that spec.adopt names"),
        ));
    };
    let restored = found.mark.as_ref().is_some_and(|mark| mark.restored_as(claim.mark, claim.restored_from));
    let foreign = found.mark.as_ref().is_some_and(|mark| !mark.same_cluster(claim.mark));
    if claim.claimed || (foreign && !restored) {
        return Err(claimed(wanted));
    }
    Ok(Decision::Adopt(wanted.to_owned()))
}

/// Returns the error for an object that names a credential to which another object is bound.
pub fn claimed(id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::AlreadyClaimed,
        format!(
            "credential {id} in n8n is bound to another N8nCredential object; set spec.adopt.id to another credential, or delete that object"
        ),
    )
}

/// Returns the error for an object whose credential in n8n belongs to an earlier object of the same name.
pub fn owned_by_previous(id: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::OwnedByPrevious,
        format!(
            "credential {id} in n8n belongs to an earlier object of this name; set spec.adopt.id to {id} to adopt it, or delete it in n8n. To adopt the credentials of all restored objects at once, set the annotation {} on the N8nInstance",
            annotation::RESTORED_FROM
        ),
    )
}

fn duplicates(ids: &[&str]) -> ReconcileError {
    ReconcileError::denied(
        Reason::DuplicateMarks,
        format!(
            "credentials {} in n8n all carry the mark of this object in their names; delete the copies in n8n, or rename them",
            ids.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(uid: &str, name: &str) -> CredentialMark {
        CredentialMark::of("c", uid, "team-a", name)
    }

    fn listed(id: &str, mark: Option<CredentialMark>) -> ListedCredential {
        ListedCredential { id: id.to_owned(), mark }
    }

    fn decided(adopt: Option<&str>, claimed: bool, late: Option<i64>, listed: &[ListedCredential]) -> Result<Decision, Reason> {
        let own = mark("me", "slack");
        let late_until = late.map(|second| Timestamp::from_second(second).unwrap());
        let claim = Claim { mark: &own, adopt, claimed, restored_from: Some("lost"), late_until };
        decide(claim, listed, Timestamp::from_second(100).unwrap()).map_err(|error| error.reason)
    }

    #[test]
    fn the_mark_decides_and_never_the_name() {
        let others = [listed("c1", None), listed("c2", Some(mark("other", "mail")))];
        assert_eq!(decided(None, false, None, &others), Ok(Decision::Create));
        let own = [listed("c1", None), listed("c2", Some(mark("me", "slack")))];
        assert_eq!(decided(None, false, None, &own), Ok(Decision::Bind("c2".into())));
        let twins = [listed("c1", Some(mark("me", "slack"))), listed("c2", Some(mark("me", "slack")))];
        assert_eq!(decided(None, false, None, &twins), Err(Reason::DuplicateMarks));
    }

    #[test]
    fn an_unanswered_create_is_waited_out() {
        assert_eq!(decided(None, false, Some(101), &[]), Ok(Decision::Wait(Timestamp::from_second(101).unwrap())));
        assert_eq!(decided(None, false, Some(100), &[]), Ok(Decision::Create));
        assert_eq!(decided(None, false, Some(101), &[listed("c1", Some(mark("me", "slack")))]), Ok(Decision::Bind("c1".into())));
    }

    #[test]
    fn a_credential_of_an_earlier_object_needs_an_adoption() {
        let previous = [listed("c1", Some(mark("previous", "slack")))];
        assert_eq!(decided(None, false, None, &previous), Err(Reason::OwnedByPrevious));
        assert_eq!(decided(Some("c1"), false, None, &previous), Ok(Decision::Adopt("c1".into())));
        assert_eq!(decided(Some("c1"), true, None, &previous), Err(Reason::AlreadyClaimed));
        assert_eq!(decided(Some("c9"), false, None, &previous), Err(Reason::AdoptNotFound));
        assert_eq!(decided(Some("c1"), false, None, &[listed("c1", None)]), Ok(Decision::Adopt("c1".into())));
    }

    #[test]
    fn credentials_of_other_clusters_are_left_unless_the_objects_were_restored_from_there() {
        let of = |cluster: &str, name: &str| Some(CredentialMark::of(cluster, "u", "team-a", name));
        assert_eq!(decided(Some("c1"), false, None, &[listed("c1", of("other", "slack"))]), Err(Reason::AlreadyClaimed));
        assert_eq!(decided(None, false, None, &[listed("c1", of("other", "slack"))]), Ok(Decision::Create));
        assert_eq!(decided(None, false, None, &[listed("c1", of("lost", "slack"))]), Ok(Decision::Adopt("c1".into())));
        assert_eq!(decided(None, false, None, &[listed("c1", of("lost", "mail"))]), Ok(Decision::Create));
    }
}
