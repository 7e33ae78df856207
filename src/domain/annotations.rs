//! Annotations of our own group that nobody reads, most likely because they are misspelt.

use std::collections::BTreeMap;

use crate::api::{GROUP, annotation};

use crate::text::similar::nearest;

/// The annotations that are read on a Workflow.
pub const OF_WORKFLOW: &[&str] = &[annotation::REQUESTED_AT, annotation::RESET_AT, annotation::PINNED_VERSION, annotation::IGNORE_FINDINGS];
/// The annotations that are read on an N8nInstance.
pub const OF_INSTANCE: &[&str] = &[annotation::REQUESTED_AT, annotation::RESET_AT, annotation::RESTORED_FROM];

/// The most that are named.
const MOST: usize = 8;

/// Whether an annotation is one of our group.
pub fn is_ours(key: &str) -> bool {
    key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'))
}

/// What to say about the annotations of our group that are not among the known ones; None where there is nothing to say.
pub fn unknown(annotations: Option<&BTreeMap<String, String>>, known: &[&str]) -> Option<String> {
    let found = annotations?.keys().filter(|key| is_ours(key) && !known.contains(&key.as_str()));
    let said: Vec<String> = found
        .take(MOST)
        .map(|key| match nearest(local(key), known.iter().map(|known| local(known))) {
            Some(meant) => format!("annotation {key} is not known and does nothing; did you mean {GROUP}/{meant}?"),
            None => format!("annotation {key} is not known and does nothing; known are {}", known.join(", ")),
        })
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// The part of a key after the group.
fn local(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str) -> Option<String> {
        unknown(Some(&BTreeMap::from([(key.to_owned(), "1".to_owned())])), OF_WORKFLOW)
    }

    #[test]
    fn a_misspelt_annotation_is_told_with_what_was_meant() {
        for (written, meant) in [
            ("requestedAt", "requested-at"),
            ("resetAt", "reset-at"),
            ("pinnedVersion", "pinned-version"),
            ("pinned-versions", "pinned-version"),
        ] {
            let said = said(&format!("weirkeeper.dev/{written}")).unwrap();
            assert!(said.contains(&format!("did you mean weirkeeper.dev/{meant}?")), "{said}");
        }
        assert!(said("weirkeeper.dev/owner-team").unwrap().contains("known are weirkeeper.dev/requested-at, "));
    }

    #[test]
    fn what_is_known_or_belongs_to_others_is_not_told() {
        for key in ["weirkeeper.dev/reset-at", "example.com/resetat", "weirkeeper.dev.example.com/a", "weirkeeper.developers/a"] {
            assert_eq!(said(key), None, "{key}");
        }
        assert_eq!(unknown(None, OF_WORKFLOW), None);
    }
}
