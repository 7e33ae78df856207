//! Triggers that ask a service for what is new. n8n keeps where they were with the published workflow.

use crate::catalog::Catalog;
use crate::document::definition::Definition;

/// Returns what is to be known about a workflow that begins with such a trigger: the same items may come again.
pub(super) fn assumption(definition: &Definition, catalog: &Catalog) -> Option<String> {
    let known = |kind: &str| definition.nodes.iter().any(|node| node.kind().ends_with(kind));
    if known(".removeDuplicates") {
        return None;
    }
    let polls = definition.nodes.iter().find(|node| {
        let facts = catalog.node(node.kind());
        facts.as_ref().and_then(|facts| facts.serving(node.type_version())).is_some_and(|facts| facts.polling)
    })?;
    Some(format!(
        "{} asks for what is new since its last run; items that were handled may come again after the workflow is made anew or was unpublished for a while, unless a Remove \
         Duplicates node follows",
        crate::document::finding::quoted(polls.name())
    ))
}
