//! Workflow settings as n8n merges them: a key that is not sent keeps its old value, so going back to a version that
//! lacks a key needs the key's default.

use serde_json::{Map, Value, json};

use super::mark;

/// The value that brings a settings key back to what n8n does without it. `DEFAULT` and -1 remove the key (measured).
fn default_of(key: &str) -> Option<Value> {
    Some(match key {
        "timezone" | "errorWorkflow" => json!("DEFAULT"),
        "executionTimeout" => json!(-1),
        "saveDataErrorExecution" | "saveDataSuccessExecution" => json!("all"),
        "saveManualExecutions" => json!(true),
        "saveExecutionProgress" | "availableInMCP" => json!(false),
        "callerPolicy" => json!("workflowsFromSameOwner"),
        "callerIds" => json!(""),
        "executionOrder" => json!("v0"),
        "timeSavedPerExecution" => json!(0),
        "timeSavedMode" => json!("fixed"),
        _ => return None,
    })
}

/// The settings to send: what the version asks for, and the default of each key that an earlier version wrote.
pub fn to_send(desired: &Map<String, Value>, written: &[String]) -> Map<String, Value> {
    let mut sent = desired.clone();
    for key in written {
        if key != mark::SETTING
            && !sent.contains_key(key)
            && let Some(value) = default_of(key)
        {
            sent.insert(key.clone(), value);
        }
    }
    sent
}

/// The keys ever written, after these were sent, in order.
pub fn written_after(sent: &Map<String, Value>, before: &[String]) -> Vec<String> {
    let mut written: Vec<String> = before.iter().chain(sent.keys().filter(|key| *key != mark::SETTING)).cloned().collect();
    written.sort_unstable();
    written.dedup();
    written
}

/// Whether n8n holds each of the settings that were sent. Keys that nobody sent are other people's.
pub fn hold(remote: &Map<String, Value>, sent: &Map<String, Value>) -> bool {
    differing(remote, sent).is_empty()
}

/// The keys that were sent and that n8n holds otherwise, in order.
pub fn differing(remote: &Map<String, Value>, sent: &Map<String, Value>) -> Vec<String> {
    let removes = |value: &Value| *value == json!("DEFAULT") || *value == json!(-1);
    sent.iter()
        .filter(|(key, value)| {
            *key != mark::SETTING
                && !match remote.get(*key) {
                    Some(held) => same(held, value),
                    None => removes(value) || default_of(key).as_ref() == Some(*value),
                }
        })
        .map(|(key, _)| key.clone())
        .collect()
}

/// n8n gives a number back as JavaScript writes it: 60 for 60.0.
fn same(held: &Value, sent: &Value) -> bool {
    match (held.as_f64(), sent.as_f64()) {
        (Some(held), Some(sent)) => held == sent,
        _ => held == sent,
    }
}

/// Whether n8n saves the successful executions of a workflow with these settings; without them no error rate means
/// anything.
pub fn saves_successes(settings: &Map<String, Value>, instance_default: bool) -> bool {
    match settings.get("saveDataSuccessExecution").and_then(Value::as_str) {
        Some("none") => false,
        Some("all") => true,
        _ => instance_default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_key_that_was_written_once_is_always_sent_again() {
        let sent = to_send(&map(json!({ "executionOrder": "v1" })), &["timezone".into(), "executionOrder".into()]);
        assert_eq!(sent, map(json!({ "executionOrder": "v1", "timezone": "DEFAULT" })));
        assert_eq!(written_after(&sent, &["executionTimeout".into()]), ["executionOrder", "executionTimeout", "timezone"]);
    }

    #[test]
    fn a_reset_key_may_be_absent_in_what_n8n_holds() {
        let sent = map(json!({ "timezone": "DEFAULT", "executionOrder": "v1", "executionTimeout": -1 }));
        assert!(hold(&map(json!({ "executionOrder": "v1", "callerPolicy": "any" })), &sent));
        assert!(!hold(&map(json!({ "executionOrder": "v1", "timezone": "Europe/Berlin" })), &sent));
        assert_eq!(differing(&map(json!({ "executionOrder": "v0" })), &sent), ["executionOrder"]);
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let sent = map(json!({ "executionTimeout": 60.0 }));
        assert!(hold(&map(json!({ "executionTimeout": 60 })), &sent));
        assert!(!hold(&map(json!({ "executionTimeout": 61 })), &sent));
        assert!(!hold(&map(json!({ "executionTimeout": "60" })), &sent));
    }
}
