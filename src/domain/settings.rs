//! Workflow settings as n8n merges them: a key that is not sent keeps its old value, so a return to a version that lacks a key needs the
//! key's default.

use serde_json::{Map, Value, json};

use crate::domain::mark;
use crate::text::sha256::sha256_hex;

/// Returns the value that resets a settings key to n8n's default behaviour. `DEFAULT` and -1 remove the key (measured).
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

/// Returns the settings to send: those of the version, and the default of each key that an earlier version wrote.
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

/// Returns all keys ever written, including those just sent, in order.
pub fn written_after(sent: &Map<String, Value>, before: &[String]) -> Vec<String> {
    let mut written: Vec<String> = before.iter().chain(sent.keys().filter(|key| *key != mark::SETTING)).cloned().collect();
    written.sort_unstable();
    written.dedup();
    written
}

/// Returns the keys that Weirkeeper manages among those that it sends: all except the ownership mark.
pub fn managed(sent: &Map<String, Value>) -> impl Iterator<Item = &String> {
    sent.keys().filter(|key| *key != mark::SETTING)
}

/// Returns a short digest of the meaning of a setting, equal for what is sent and for what n8n holds afterwards. A value that removes the
/// key, an absent key and the key's default mean the same.
pub fn meaning(key: &str, value: Option<&Value>) -> String {
    let removes = |value: &&Value| **value == json!("DEFAULT") || **value == json!(-1);
    let meant = value.cloned().filter(|value| !removes(&value)).or_else(|| default_of(key).filter(|value| !removes(&value)));
    let text = match meant.unwrap_or_default() {
        // n8n returns numbers as JavaScript writes them: 60 for 60.0.
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        other => other.to_string(),
    };
    sha256_hex(text)[..16].to_owned()
}

/// Reports whether n8n saves the successful executions of a workflow with these settings; without them an error rate cannot be computed.
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
    fn a_reset_key_an_absent_one_and_the_default_mean_the_same() {
        for (key, same) in [
            ("timezone", vec![Some(json!("DEFAULT")), None]),
            ("executionTimeout", vec![Some(json!(-1)), None]),
            ("saveManualExecutions", vec![Some(json!(true)), None]),
            ("executionOrder", vec![Some(json!("v0")), None]),
            ("ofTheFuture", vec![Some(json!("DEFAULT")), None]),
        ] {
            let meanings: Vec<String> = same.iter().map(|value| meaning(key, value.as_ref())).collect();
            assert!(meanings.windows(2).all(|pair| pair[0] == pair[1]), "{key}");
            assert_ne!(meaning(key, Some(&json!("Europe/Berlin"))), meanings[0], "{key}");
        }
    }

    #[test]
    fn a_number_means_the_same_however_it_is_written() {
        let of = |value: Value| meaning("executionTimeout", Some(&value));
        assert_eq!(of(json!(60.0)), of(json!(60)));
        assert_ne!(of(json!(60)), of(json!(61)));
        assert_ne!(of(json!(60)), of(json!("60")));
    }
}
