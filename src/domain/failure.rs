//! Failures of a version: what a failed write says about it, when it is given up, and when it is tried again.

use crate::api::reason::{Class, Reason};
use crate::domain::error::ReconcileError;

/// Failure of a version that did not get into n8n, or did not prove itself there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The version itself is at fault: another one is chosen.
    Version(Reason, String),
    /// The version is not at fault: the reconciliation ends with this error.
    Elsewhere(ReconcileError),
}

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Self::Elsewhere(error)
    }
}

/// Consequence of a failed write for the version that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// n8n will never accept it.
    Never(Reason, String),
    /// n8n does not accept it now. That is enough to give up a version that was never published, because each attempt can unpublish the
    /// workflow.
    NotNow(Reason, String),
    /// The version may be at fault, and counts as such after repeated failures. Until then the error is reported.
    Perhaps(Reason, String, ReconcileError),
    /// The failure says nothing about the version.
    Nothing(ReconcileError),
}

/// Facts about the version whose write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// The version proved itself, and no attempt unpublishes anything.
    pub proven: bool,
    /// The version is published again after the failure of another one.
    pub rollback: bool,
    /// Attempts failed often and for long enough.
    pub too_often: bool,
}

/// Decides the consequence of a failed write.
pub fn of_write(class: FailureClass, attempted: Attempted) -> Failure {
    let elsewhere = |error: ReconcileError| match error.class {
        Class::Transient if attempted.rollback => Failure::Elsewhere(ReconcileError { reason: Reason::RollbackFailed, ..error }),
        _ => Failure::Elsewhere(error),
    };
    match class {
        FailureClass::Never(reason, message) => Failure::Version(reason, message),
        FailureClass::NotNow(reason, message) if attempted.proven => elsewhere(ReconcileError::transient(reason, message)),
        FailureClass::NotNow(reason, message) => Failure::Version(reason, message),
        FailureClass::Perhaps(reason, message, _) if attempted.too_often && !attempted.proven => {
            Failure::Version(reason, format!("{message} (tried repeatedly)"))
        }
        FailureClass::Perhaps(_, _, error) | FailureClass::Nothing(error) => elsewhere(error),
    }
}

/// Decides the consequence if n8n does not hold or publish what it accepted. `may_come` says that n8n may still be publishing it.
pub fn of_publication(message: String, reason: Reason, may_come: bool, attempted: Attempted) -> Failure {
    if !may_come && attempted.too_often && !attempted.proven {
        Failure::Version(Reason::PublishUnconfirmed, message)
    } else {
        Failure::Elsewhere(ReconcileError::transient(reason, message))
    }
}

/// Facts that can end the failure of a definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// A person set `weirkeeper.dev/reset-at`.
    pub reset: bool,
    /// The health check, a Secret of it, a credential or a reference changed since.
    pub corrected: bool,
    /// Its probes were not answered, and it was paused for long enough.
    pub rested: bool,
}

/// Reports whether a failed definition may be tried again.
pub fn is_over(failed: &str, wanted: &str, changed: Changed) -> bool {
    failed != wanted || changed.reset || changed.corrected || changed.rested
}

/// State of a workflow whose wanted version failed and that has no version to roll back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// n8n unpublished it. The version before it was not a good one, and is published again as the best one available.
    Returns,
    /// n8n unpublished it, and a person has to act.
    Offline(&'static str),
    /// Nothing was changed.
    Unchanged(&'static str),
}

/// Decides what happens to a workflow that is held for a reason. `offline` says that it should be published and is not; `recoverable`, that
/// the version that was published before is known.
pub fn after(reason: Reason, offline: bool, recoverable: bool) -> AfterFailure {
    let manual = reason == Reason::RollbackManual;
    match (manual, offline) {
        (false, true) if recoverable => AfterFailure::Returns,
        (true, true) => {
            AfterFailure::Offline("n8n took the workflow offline and spec.rollback is Manual, so nothing is published until a person acts")
        }
        (false, true) => AfterFailure::Offline(NO_GOOD_VERSION),
        (true, false) => AfterFailure::Unchanged("spec.rollback is Manual, so nothing was changed"),
        (false, false) => AfterFailure::Unchanged(NO_GOOD_VERSION),
    }
}

const NO_GOOD_VERSION: &str = "there is no good version to go back to";

#[cfg(test)]
mod tests {
    use super::*;

    fn attempted(flags: &str) -> Attempted {
        Attempted { proven: flags.contains('p'), rollback: flags.contains('r'), too_often: flags.contains('o') }
    }

    /// The reason, and whether the version is at fault.
    fn read(failure: &Failure) -> (Reason, bool) {
        match failure {
            Failure::Version(reason, _) => (*reason, true),
            Failure::Elsewhere(error) => (error.reason, false),
        }
    }

    #[test]
    fn a_failed_write_is_the_versions_fault_by_n8ns_words_or_by_repetition() {
        use Reason::{PublishRefused, PublishUnconfirmed, RequestFailed, RollbackFailed, WebhookPathTaken};
        let error = || ReconcileError::transient(RequestFailed, "e");
        let waits = || ReconcileError::waiting(WebhookPathTaken, "w");
        let never = || FailureClass::Never(PublishRefused, "m".into());
        let not_now = || FailureClass::NotNow(PublishRefused, "m".into());
        let perhaps = || FailureClass::Perhaps(PublishUnconfirmed, "m".into(), error());
        let nothing = || FailureClass::Nothing(waits());
        let table = [
            (never(), "", (PublishRefused, true)),
            (never(), "pro", (PublishRefused, true)),
            (not_now(), "", (PublishRefused, true)),
            (not_now(), "o", (PublishRefused, true)),
            (not_now(), "p", (PublishRefused, false)),
            (not_now(), "pr", (RollbackFailed, false)),
            (perhaps(), "", (RequestFailed, false)),
            (perhaps(), "o", (PublishUnconfirmed, true)),
            (perhaps(), "po", (RequestFailed, false)),
            (perhaps(), "pro", (RollbackFailed, false)),
            (FailureClass::Nothing(error()), "o", (RequestFailed, false)),
            (FailureClass::Nothing(error()), "r", (RollbackFailed, false)),
            // Waiting is no failed rollback.
            (nothing(), "r", (WebhookPathTaken, false)),
            (nothing(), "o", (WebhookPathTaken, false)),
        ];
        for (class, flags, expected) in table {
            assert_eq!(read(&of_write(class.clone(), attempted(flags))), expected, "{class:?} {flags:?}");
        }
    }

    #[test]
    fn what_n8n_does_not_serve_is_the_versions_fault_only_when_it_cannot_come_any_more() {
        for (may_come, flags, at_fault) in
            [(false, "", false), (false, "o", true), (false, "po", false), (true, "o", false), (true, "", false)]
        {
            let failure = of_publication("m".into(), Reason::NotLive, may_come, attempted(flags));
            let reason = if at_fault { Reason::PublishUnconfirmed } else { Reason::NotLive };
            assert_eq!(read(&failure), (reason, at_fault), "{may_come} {flags:?}");
        }
    }

    #[test]
    fn a_failure_is_over_with_another_definition_or_when_what_decided_it_changed() {
        let none = Changed::default();
        assert!(!is_over("a", "a", none) && is_over("a", "b", none));
        for changed in [Changed { reset: true, ..none }, Changed { corrected: true, ..none }, Changed { rested: true, ..none }] {
            assert!(is_over("a", "a", changed), "{changed:?}");
        }
    }

    #[test]
    fn a_workflow_that_is_held_returns_only_where_it_may_and_can() {
        use Reason::{NoGoodVersion, RollbackManual};
        assert_eq!(after(NoGoodVersion, true, true), AfterFailure::Returns);
        assert_eq!(after(NoGoodVersion, true, false), AfterFailure::Offline(NO_GOOD_VERSION));
        assert_eq!(after(NoGoodVersion, false, true), AfterFailure::Unchanged(NO_GOOD_VERSION));
        assert!(matches!(after(RollbackManual, true, true), AfterFailure::Offline(message) if message.contains("Manual")));
        assert!(matches!(after(RollbackManual, false, false), AfterFailure::Unchanged(message) if message.contains("Manual")));
    }
}
