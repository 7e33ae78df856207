//! The N8nCredential that a Workflow names: whether the Workflow may use it, and what publication waits for.

use crate::api::credential::RateLimit;
use crate::api::reason::Reason;
use crate::api::required_credential::CredentialState;
use crate::domain::error::ReconcileError;

/// An N8nCredential of the namespace of the Workflow that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCredential {
    /// UID of the object.
    pub uid: String,
    /// Namespace and name of its N8nInstance.
    pub instance: (String, String),
    /// Type of the credential.
    pub kind: String,
    /// Id of the credential in n8n, once it is there.
    pub id: Option<String>,
    /// Standing of the credential.
    pub standing: Standing,
    /// Message about it, for people.
    pub message: String,
    /// Number of requests that its service allows.
    pub rate_limit: Option<RateLimit>,
}

/// Standing of an N8nCredential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in n8n with its values, and no test says that it does not work.
    Ready,
    /// It is not in n8n with its values yet.
    Pending,
    /// Its values are wrong, or its test in n8n fails.
    Invalid,
    /// A person has to authorise it in n8n.
    NeedsAuthorization,
    /// It is being deleted.
    Deleting,
}

/// Use of an N8nCredential by a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUse<'a> {
    /// State for the status of the Workflow.
    pub state: CredentialState,
    /// Id in n8n to send. A credential that is not ready keeps it, so that nothing in n8n changes when it becomes ready again.
    pub id: Option<&'a str>,
    /// Reason why publication waits, if it does.
    pub wait: Option<ReconcileError>,
}

impl CredentialUse<'_> {
    /// Reports whether nothing is wrong but a failing test of the credential, for which a version that is published with it does not wait.
    pub fn only_fails_its_test(&self) -> bool {
        self.state == CredentialState::Invalid && self.id.is_some()
    }
}

/// Returns the use of a credential that a definition uses with type `kind`, if that is known, and that is mapped to the N8nCredential `name`.
/// `instance` is that of the Workflow, as namespace and name.
pub fn use_of<'a>(name: &str, kind: Option<&str>, instance: (&str, &str), found: Option<&'a NamedCredential>) -> CredentialUse<'a> {
    let which = format!("N8nCredential {name}, which spec.credentials names,");
    let Some(found) = found else {
        let kind = kind.map_or_else(|| "the type that the definition uses".to_owned(), |kind| format!("type {kind}"));
        let message =
            format!("{which} does not exist in this namespace; create it with {kind} (`weirkeeper credentials FILE` writes its manifest)");
        let wait = Some(ReconcileError::waiting(Reason::CredentialNotFound, message));
        return CredentialUse { state: CredentialState::Missing, id: None, wait };
    };
    if let Some(message) = mismatch(&which, kind, instance, found) {
        let wait = Some(ReconcileError::invalid(Reason::CredentialMismatch, message));
        return CredentialUse { state: CredentialState::Invalid, id: None, wait };
    }
    let why = &found.message;
    let (state, lack) = match found.standing {
        Standing::Ready => (CredentialState::Satisfied, None),
        Standing::Pending => (CredentialState::Missing, Some(format!("is not ready: {why}"))),
        Standing::Deleting => (CredentialState::Missing, Some("is being deleted; create it again, or name another one".to_owned())),
        Standing::Invalid => (CredentialState::Invalid, Some(format!("does not work: {why}"))),
        Standing::NeedsAuthorization => (CredentialState::NeedsAuthorization, Some(format!("has to be authorised: {why}"))),
    };
    let wait = lack.map(|lack| ReconcileError::waiting(Reason::CredentialNotReady, format!("{which} {lack}")));
    CredentialUse { state, id: found.id.as_deref(), wait }
}

/// Returns what makes an N8nCredential unusable for a Workflow, whatever its standing.
fn mismatch(which: &str, kind: Option<&str>, instance: (&str, &str), found: &NamedCredential) -> Option<String> {
    if (found.instance.0.as_str(), found.instance.1.as_str()) != instance {
        return Some(format!("{which} is on another N8nInstance; name one with the spec.instanceRef of this Workflow"));
    }
    let kind = kind.filter(|kind| *kind != found.kind)?;
    Some(format!("{which} has type {}, but the definition uses it with type {kind}; name one of type {kind}", found.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reason::Class;

    fn found(standing: Standing) -> NamedCredential {
        NamedCredential {
            uid: "u".into(),
            instance: ("ops".into(), "main".into()),
            kind: "slackApi".into(),
            id: Some("C1".into()),
            standing,
            message: "because".into(),
            rate_limit: None,
        }
    }

    #[test]
    fn publication_waits_for_every_credential_that_is_not_ready() {
        let state = |found: Option<&NamedCredential>| {
            let CredentialUse { state, wait, .. } = use_of("slack", Some("slackApi"), ("ops", "main"), found);
            (state, wait.map(|wait| (wait.class, wait.reason)))
        };
        let waiting = |reason| Some((Class::Waiting, reason));
        assert_eq!(state(None), (CredentialState::Missing, waiting(Reason::CredentialNotFound)));
        for (standing, wanted, waits) in [
            (Standing::Ready, CredentialState::Satisfied, false),
            (Standing::Pending, CredentialState::Missing, true),
            (Standing::Invalid, CredentialState::Invalid, true),
            (Standing::NeedsAuthorization, CredentialState::NeedsAuthorization, true),
            (Standing::Deleting, CredentialState::Missing, true),
        ] {
            let wait = waits.then_some((Class::Waiting, Reason::CredentialNotReady));
            assert_eq!(state(Some(&found(standing))), (wanted, wait), "{standing:?}");
            assert_eq!(use_of("slack", Some("slackApi"), ("ops", "main"), Some(&found(standing))).id, Some("C1"));
        }
    }

    #[test]
    fn another_instance_or_type_is_an_error_of_the_author() {
        for (kind, instance, word) in [
            ("slackOAuth2Api", ("ops", "main"), "has type slackApi, but the definition uses it with type slackOAuth2Api"),
            ("slackApi", ("ops", "other"), "another N8nInstance"),
            ("slackApi", ("team-a", "main"), "another N8nInstance"),
        ] {
            let ready = found(Standing::Ready);
            let CredentialUse { state, id, wait } = use_of("slack", Some(kind), instance, Some(&ready));
            let wait = wait.unwrap();
            assert_eq!((state, id, wait.class, wait.reason), (CredentialState::Invalid, None, Class::Invalid, Reason::CredentialMismatch));
            assert!(wait.message.contains(word), "{}", wait.message);
        }
    }
}
