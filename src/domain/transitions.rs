//! Selects the changes of a status that are reported as events.

use crate::api::annotation::RESET_AT;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::Reason;

/// A change that is reported as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// True if the event is a warning.
    pub warning: bool,
    /// Reason of the event.
    pub reason: Reason,
    /// Message of the event.
    pub note: String,
}

impl Turn {
    /// Returns a change that is no warning.
    pub fn normal(reason: Reason, note: impl Into<String>) -> Self {
        Self { warning: false, reason, note: note.into() }
    }

    /// Returns the change that a new value of the annotation `reset-at` causes, if it was handled.
    pub fn reset(before: Option<&String>, after: Option<&String>, effect: &str) -> Option<Self> {
        (before != after).then(|| Self::normal(Reason::Reset, format!("a new value of {RESET_AT} is handled: {effect}")))
    }
}

/// Returns the changes between two lists of conditions. With `another_version` the published version changed, which is reported even if
/// Ready stays as it is.
///
/// Waiting while an object comes up is no warning: objects that are applied together come up in any order.
pub fn transitions(before: &[Condition], after: &[Condition], another_version: bool) -> Vec<Turn> {
    let stalled = find(after, ConditionType::Stalled).is_some_and(|stalled| stalled.status == ConditionStatus::True);
    let mut turns: Vec<Turn> = Vec::new();
    for new in after {
        let old = find(before, new.kind);
        let turned = old.is_none_or(|old| (old.status, &old.reason) != (new.status, &new.reason));
        let serves_another = another_version && new.kind == ConditionType::Ready && new.status == ConditionStatus::True;
        let warning = match (new.kind, new.status) {
            _ if !turned && !serves_another => None,
            (ConditionType::Ready | ConditionType::Healthy, ConditionStatus::True) => Some(false),
            (ConditionType::Ready, _) => {
                let was_ready = old.is_some_and(|old| old.status == ConditionStatus::True);
                let expected = [Reason::Suspended, Reason::Progressing].iter().any(|reason| reason.as_str() == new.reason);
                Some(stalled || (was_ready && !expected))
            }
            (ConditionType::Healthy | ConditionType::CatalogReady, ConditionStatus::False) => Some(true),
            (
                ConditionType::Drifted | ConditionType::RolledBack | ConditionType::KeyExpiring | ConditionType::Exceeded,
                ConditionStatus::True,
            ) => Some(true),
            _ => None,
        };
        let turn = warning.zip(Reason::parse(&new.reason)).map(|(warning, reason)| Turn { warning, reason, note: new.message.clone() });
        // Two conditions with the same reason and message are reported once.
        if let Some(turn) = turn.filter(|turn| turns.iter().all(|earlier| (earlier.reason, &earlier.note) != (turn.reason, &turn.note))) {
            turns.push(turn);
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::{ConditionUpdate, merge};
    use jiff::Timestamp;

    fn state(updates: &[(ConditionType, ConditionStatus, Reason, &str)]) -> Vec<Condition> {
        let updates: Vec<ConditionUpdate> =
            updates.iter().map(|(kind, status, reason, message)| ConditionUpdate::new(*kind, *status, *reason, *message)).collect();
        merge(&[], &updates, 1, Timestamp::UNIX_EPOCH)
    }

    fn events(before: &[Condition], after: &[Condition], another_version: bool) -> Vec<(bool, Reason)> {
        transitions(before, after, another_version).into_iter().map(|turn| (turn.warning, turn.reason)).collect()
    }

    #[test]
    fn coming_up_in_any_order_is_no_warning_but_failures_and_stalls_are() {
        use ConditionStatus::{False, True, Unknown};
        use ConditionType::{Ready, Stalled};
        let ready = state(&[(Ready, True, Reason::Succeeded, "version 1 is published")]);
        let waits = state(&[(Ready, False, Reason::InstanceNotFound, "no instance"), (Stalled, False, Reason::InstanceNotFound, "")]);
        let denied = state(&[(Ready, False, Reason::Unauthorized, "key"), (Stalled, True, Reason::Unauthorized, "key")]);
        let suspended = state(&[(Ready, False, Reason::Suspended, "suspended")]);
        let unknown = state(&[(Ready, Unknown, Reason::InstanceUnreachable, "n8n does not answer")]);
        assert_eq!(events(&[], &waits, false), [(false, Reason::InstanceNotFound)]);
        assert_eq!(events(&waits, &ready, false), [(false, Reason::Succeeded)]);
        assert_eq!(events(&ready, &waits, false), [(true, Reason::InstanceNotFound)]);
        assert_eq!(events(&[], &denied, false), [(true, Reason::Unauthorized)]);
        assert_eq!(events(&ready, &unknown, false), [(true, Reason::InstanceUnreachable)]);
        assert_eq!(events(&ready, &suspended, false), [(false, Reason::Suspended)]);
        assert_eq!(events(&ready, &ready, false), []);
    }

    #[test]
    fn a_newly_published_version_is_reported_although_ready_stays() {
        use ConditionStatus::True;
        let one = state(&[(ConditionType::Ready, True, Reason::Succeeded, "version 1 is published")]);
        let two = state(&[(ConditionType::Ready, True, Reason::Succeeded, "version 2 is published")]);
        assert_eq!(events(&one, &two, false), []);
        assert_eq!(transitions(&one, &two, true)[0].note, "version 2 is published");
    }

    #[test]
    fn two_conditions_with_the_same_message_are_reported_once() {
        use ConditionStatus::{False, True};
        let both = state(&[
            (ConditionType::Ready, False, Reason::CatalogNotFound, "no ConfigMap"),
            (ConditionType::CatalogReady, False, Reason::CatalogNotFound, "no ConfigMap"),
            (ConditionType::KeyExpiring, True, Reason::KeyExpiring, "expires"),
        ]);
        assert_eq!(
            events(&[], &both, false).iter().map(|(_, reason)| *reason).collect::<Vec<_>>(),
            [Reason::CatalogNotFound, Reason::KeyExpiring]
        );
    }
}
