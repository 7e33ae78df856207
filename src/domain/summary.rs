//! One-line summary of an object, for the table that `kubectl get` prints.

use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::Reason;

/// Maximum length of the summary, in characters. The CRDs bound the field by it.
pub const LONGEST: usize = 80;

/// Returns the summary: the first clause of Ready's message, and what that does not show.
pub fn summary(conditions: &[Condition]) -> Option<String> {
    let ready = find(conditions, ConditionType::Ready)?;
    let baking = find(conditions, ConditionType::Healthy).is_some_and(|healthy| healthy.reason == Reason::Baking.as_str());
    let note = match ready.status {
        ConditionStatus::True if ready.reason == Reason::Suspended.as_str() => ", suspended",
        ConditionStatus::True if baking => ", baking",
        _ => "",
    };
    Some(format!("{}{note}", cut(first_point(&ready.message), LONGEST - note.len())))
}

/// Returns a message up to the end of its first clause: a semicolon, the end of a line or of a sentence.
fn first_point(message: &str) -> &str {
    let end = ["; ", "\n", ". "].iter().filter_map(|mark| message.find(mark)).min().unwrap_or(message.len());
    message[..end].trim_end().trim_end_matches('.')
}

fn cut(text: &str, longest: usize) -> String {
    let text = text.replace(char::is_control, " ");
    if text.chars().count() <= longest {
        return text;
    }
    let kept: String = text.chars().take(longest - 3).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::{ConditionUpdate, merge};
    use jiff::Timestamp;

    fn line(status: ConditionStatus, reason: Reason, message: &str, healthy: Reason) -> String {
        let updates = [
            ConditionUpdate::new(ConditionType::Ready, status, reason, message),
            ConditionUpdate::new(ConditionType::Healthy, ConditionStatus::Unknown, healthy, ""),
        ];
        summary(&merge(&[], &updates, 1, Timestamp::UNIX_EPOCH)).unwrap()
    }

    #[test]
    fn the_summary_is_the_first_clause_and_bounded() {
        use ConditionStatus::{False, True};
        let long = "x".repeat(300);
        for (status, reason, message, healthy, wanted) in [
            (True, Reason::Succeeded, "version 1 is published", Reason::Healthy, "version 1 is published"),
            (True, Reason::Succeeded, "version 1 is pinned and published", Reason::Baking, "version 1 is pinned and published, baking"),
            (True, Reason::Suspended, "version 1 is published", Reason::Baking, "version 1 is published, suspended"),
            (
                False,
                Reason::InvalidDefinition,
                "2 errors: node \"A\": bad; node \"B\": bad",
                Reason::HealthNotChecked,
                "2 errors: node \"A\": bad",
            ),
            (False, Reason::Suspended, "It is set. Remove it to go on.", Reason::Healthy, "It is set"),
            (False, Reason::RequestFailed, "one\ntwo", Reason::Healthy, "one"),
            (False, Reason::RequestFailed, "", Reason::Healthy, ""),
        ] {
            assert_eq!(line(status, reason, message, healthy), wanted);
        }
        let cut = line(True, Reason::Succeeded, &long, Reason::Baking);
        assert!(cut.chars().count() == LONGEST && cut.ends_with("..., baking"), "{cut}");
    }
}
