//! The settings, as far as n8n checks them.

use serde_json::{Map, Value};

use crate::document::finding::{Code, Finding, kind_of, quoted};
use crate::document::json_path;
use crate::text::similar;

enum Want {
    Flag,
    Number,
    Text,
    OneOf(&'static [&'static str]),
    TelemetryTags,
}

const SETTINGS: &[(&str, Want)] = &[
    ("availableInMCP", Want::Flag),
    ("callerIds", Want::Text),
    ("callerPolicy", Want::OneOf(&["any", "none", "workflowsFromAList", "workflowsFromSameOwner"])),
    ("customTelemetryTags", Want::TelemetryTags),
    ("errorWorkflow", Want::Text),
    ("executionOrder", Want::Text),
    ("executionTimeout", Want::Number),
    ("saveDataErrorExecution", Want::OneOf(&["all", "none"])),
    ("saveDataSuccessExecution", Want::OneOf(&["all", "none"])),
    ("saveExecutionProgress", Want::Flag),
    ("saveManualExecutions", Want::Flag),
    ("timeSavedMode", Want::OneOf(&["fixed", "dynamic"])),
    ("timeSavedPerExecution", Want::Number),
    ("timezone", Want::Text),
];

pub(super) fn check(settings: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for (key, value) in settings {
        if let Some((_, want)) = SETTINGS.iter().find(|(name, _)| name == key) {
            findings.extend(check_one(key, value, want));
        }
    }
    let order = settings.get("executionOrder").and_then(Value::as_str);
    if let Some(order) = order.filter(|order| !matches!(*order, "v0" | "v1")) {
        let finding = Finding::warning(Code::SettingDoubtful, "settings.executionOrder", "n8n has no such execution order");
        findings.push(finding.mismatch(quoted(order), r#""v1" (or "v0", the old one)"#));
    }
}

fn check_one(key: &str, value: &Value, want: &Want) -> Option<Finding> {
    let (fits, wanted) = match want {
        Want::Flag => (value.is_boolean(), "true or false".to_owned()),
        Want::Number => (value.is_number(), "a number".to_owned()),
        Want::Text => (value.is_string(), "a string".to_owned()),
        Want::OneOf(words) => (value.as_str().is_some_and(|word| words.contains(&word)), words.join(", ")),
        Want::TelemetryTags => (are_telemetry_tags(value), r#"[{"key": "...", "value": "..."}]"#.to_owned()),
    };
    if fits {
        return None;
    }
    let finding = Finding::error(Code::SettingType, json_path::key("settings", key), "n8n refuses this value");
    Some(match (want, value.as_str()) {
        (Want::OneOf(words), Some(word)) => finding.mismatch(quoted(word), wanted).suggest(similar::nearest(word, words.iter().copied())),
        _ => finding.mismatch(kind_of(value), wanted),
    })
}

/// Reports whether this is a list of `{"key": text, "value": text}` and nothing else.
pub(super) fn are_telemetry_tags(value: &Value) -> bool {
    let is_tag = |tag: &Value| {
        tag.as_object().is_some_and(|map| map.len() == 2 && ["key", "value"].iter().all(|key| map.get(*key).is_some_and(Value::is_string)))
    };
    value.as_array().is_some_and(|tags| tags.iter().all(is_tag))
}
