//! Unknown annotations of the `weirkeeper.dev` group, most likely misspelt.

use std::collections::BTreeMap;

use crate::api::{GROUP, annotation};

use crate::text::similar::nearest;
use crate::validator::rules::Pattern;

/// Maximum number of unknown annotations in the message.
const MOST: usize = 8;

/// Returns the annotations that the operator reads on objects of a kind.
pub fn known(kind: &str) -> &'static [&'static str] {
    use annotation::{ANSWERS, APPROVED_DIGEST, GENERATED_BY, IGNORE_FINDINGS, PINNED_VERSION, REQUESTED_AT, RESET_AT, RESTORED_FROM};
    match kind {
        "Workflow" => &[REQUESTED_AT, RESET_AT, PINNED_VERSION, IGNORE_FINDINGS, GENERATED_BY],
        "WorkflowPrompt" => &[REQUESTED_AT, RESET_AT, APPROVED_DIGEST, ANSWERS],
        "ModelProvider" => &[REQUESTED_AT, RESET_AT],
        "N8nCredential" => &[REQUESTED_AT],
        "N8nInstance" => &[REQUESTED_AT, RESET_AT, RESTORED_FROM],
        _ => &[],
    }
}

/// Reports whether an annotation belongs to the `weirkeeper.dev` group.
pub fn is_ours(key: &str) -> bool {
    key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the findings that an annotation silences, unless they are errors.
pub fn silenced(annotations: Option<&BTreeMap<String, String>>) -> Vec<Pattern> {
    annotations.and_then(|all| all.get(annotation::IGNORE_FINDINGS)).map_or_else(Vec::new, |text| Pattern::parse_known(text).0)
}

/// Returns a message about annotations of the group that objects of a kind do not have; None when there are none.
pub fn unknown(annotations: Option<&BTreeMap<String, String>>, kind: &str) -> Option<String> {
    let known = known(kind);
    let found = annotations?.keys().filter(|key| is_ours(key) && !known.contains(&key.as_str()));
    let messages: Vec<String> = found
        .take(MOST)
        .map(|key| match nearest(local(key), known.iter().map(|known| local(known))) {
            Some(meant) => format!("unknown annotation {key} is ignored; did you mean {GROUP}/{meant}?"),
            None if known.is_empty() => format!("unknown annotation {key} is ignored; objects of this kind have none"),
            None => format!("unknown annotation {key} is ignored; known annotations: {}", known.join(", ")),
        })
        .collect();
    (!messages.is_empty()).then(|| messages.join(" "))
}

/// Returns the part of a key after the group.
fn local(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str) -> Option<String> {
        unknown(Some(&BTreeMap::from([(key.to_owned(), "1".to_owned())])), "Workflow")
    }

    #[test]
    fn a_misspelt_annotation_is_reported_with_a_suggestion() {
        for (written, meant) in [
            ("requestedAt", "requested-at"),
            ("resetAt", "reset-at"),
            ("pinnedVersion", "pinned-version"),
            ("pinned-versions", "pinned-version"),
        ] {
            let message = message(&format!("weirkeeper.dev/{written}")).unwrap();
            assert!(message.contains(&format!("did you mean weirkeeper.dev/{meant}?")), "{message}");
        }
        assert!(message("weirkeeper.dev/owner-team").unwrap().contains("known annotations: weirkeeper.dev/requested-at, "));
    }

    #[test]
    fn known_annotations_and_those_of_other_groups_are_not_reported() {
        for key in ["weirkeeper.dev/reset-at", "example.com/resetat", "weirkeeper.dev.example.com/a", "weirkeeper.developers/a"] {
            assert_eq!(message(key), None, "{key}");
        }
        assert_eq!(unknown(None, "Workflow"), None);
    }
}
