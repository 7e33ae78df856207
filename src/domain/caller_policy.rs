//! Callers that a workflow admits as a sub-workflow or error workflow: n8n's settings `callerPolicy` and `callerIds`.
//!
//! One API key owns all workflows that it creates, so n8n's default, callers of the same owner, admits all of them. Only a list restricts a
//! workflow to the callers whose `spec.references` name it (2.39.10, measured).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::document::definition::Definition;

/// Setting that selects which workflows may call.
pub const POLICY: &str = "callerPolicy";
const IDS: &str = "callerIds";
const LISTED: &str = "workflowsFromAList";
/// Maximum number of callers in a list; with more, n8n's default policy is set.
pub const MOST: usize = 256;

/// Node types at which a call begins, even if they are disabled: n8n's triggers for calls, and its `STARTING_NODES`.
const ENTRIES: [&str; 4] = [
    "n8n-nodes-base.executeWorkflowTrigger",
    "n8n-nodes-base.errorTrigger",
    "n8n-nodes-base.manualTrigger",
    "@n8n/n8n-nodes-langchain.manualChatTrigger",
];

/// Reports whether other workflows can call this one and its author has not set a caller policy.
pub fn undecided(definition: &Definition) -> bool {
    !definition.settings.contains_key(POLICY) && definition.nodes.iter().any(|node| ENTRIES.contains(&node.kind()))
}

/// Sets the list of workflows that may call, or n8n's default policy if they are too many.
pub fn admit(settings: &mut Map<String, Value>, ids: &BTreeSet<String>) {
    if ids.len() > MOST {
        settings.insert(POLICY.to_owned(), json!("workflowsFromSameOwner"));
        return;
    }
    settings.insert(POLICY.to_owned(), json!(LISTED));
    settings.insert(IDS.to_owned(), json!(ids.iter().map(String::as_str).collect::<Vec<_>>().join(",")));
}

/// Returns the workflows that may call a workflow with these settings; `None` if no list restricts them.
pub fn admitted(settings: &Map<String, Value>) -> Option<BTreeSet<String>> {
    (settings.get(POLICY)? == LISTED).then(|| {
        let ids = settings.get(IDS).and_then(Value::as_str).unwrap_or_default();
        ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::check::parse_and_check;

    #[test]
    fn a_list_names_the_callers_and_other_policies_are_left_to_people() {
        let ids: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        let mut settings = Map::new();
        assert_eq!(admitted(&settings), None);
        admit(&mut settings, &ids);
        assert_eq!(Value::Object(settings.clone()), json!({ "callerPolicy": "workflowsFromAList", "callerIds": "a,b" }));
        assert_eq!(admitted(&settings), Some(ids));
        settings.insert(IDS.to_owned(), json!(" a ,,c"));
        assert_eq!(admitted(&settings), Some(["a", "c"].map(str::to_owned).into()));
        for policy in ["none", "any", "workflowsFromSameOwner"] {
            settings.insert(POLICY.to_owned(), json!(policy));
            assert_eq!(admitted(&settings), None, "{policy}");
        }
        let mut crowd = Map::new();
        admit(&mut crowd, &(0..=MOST).map(|number| number.to_string()).collect());
        assert_eq!(admitted(&crowd), None);
    }

    #[test]
    fn only_callable_workflows_without_a_policy_of_their_author_get_a_list() {
        let with = |kind: &str, disabled: bool, settings: Value| {
            let node = json!({ "name": "T", "type": kind, "disabled": disabled });
            undecided(&parse_and_check(&json!({ "nodes": [node], "connections": {}, "settings": settings })).unwrap().definition)
        };
        for kind in ENTRIES {
            assert!(with(kind, false, json!({})) && with(kind, true, json!({})), "{kind}");
            assert!(!with(kind, false, json!({ "callerPolicy": "any" })), "{kind}");
        }
        assert!(!with("n8n-nodes-base.webhook", false, json!({})), "n8n finds no start in it when it is called");
    }
}
