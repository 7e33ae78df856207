//! Settings of nodes and workflows, in both forms.

use serde_json::{Map, Value};

use super::form::{CompactNode, Flag, OnError, Retry, Settings};
use crate::document::definition::Node;

/// Flags, by n8n's key.
pub(super) const FLAGS: [(&str, Flag); 4] =
    [("executeOnce", Flag::Once), ("alwaysOutputData", Flag::Always), ("disabled", Flag::Off), ("notesInFlow", Flag::ShowNote)];
const ORDER: &str = "executionOrder";

/// Adds the settings of a node.
pub(super) fn compile(compact: &CompactNode, failing: bool, node: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| drop(node.insert(key.to_owned(), value));
    match compact.on_error {
        Some(OnError::Continue) if !failing => put("onError", "continueRegularOutput".into()),
        Some(OnError::Output) => put("onError", "continueErrorOutput".into()),
        // An edge from the error output says it.
        _ if failing => put("onError", "continueErrorOutput".into()),
        _ => {}
    }
    if let Some(retry) = compact.retry {
        put("retryOnFail", true.into());
        for (key, value) in [("maxTries", retry.tries), ("waitBetweenTries", retry.wait)] {
            if let Some(value) = value {
                put(key, value.into());
            }
        }
    }
    for (key, _) in compact.flags.iter().filter_map(|flag| FLAGS.iter().find(|(_, own)| own == flag)) {
        put(key, true.into());
    }
    if let Some(note) = &compact.note {
        put("notes", note.as_str().into());
    }
}

/// Reads the settings of a node. `error_output` says that an edge starts at its error output.
pub(super) fn decompile(node: &Node, error_output: bool, compact: &mut CompactNode) {
    let on = |key: &str| node.0.get(key) == Some(&Value::Bool(true));
    let number = |key: &str| node.0.get(key).and_then(Value::as_f64).filter(|n| (0.0..=1e9).contains(n)).map(|n| n as u32);
    compact.on_error = match node.text("onError") {
        Some("continueRegularOutput") => Some(OnError::Continue),
        Some("continueErrorOutput") if !error_output => Some(OnError::Output),
        None if on("continueOnFail") => Some(OnError::Continue),
        _ => None,
    };
    if on("retryOnFail") {
        compact.retry = Some(Retry { tries: number("maxTries"), wait: number("waitBetweenTries") });
    }
    let note = node.text("notes").filter(|note| !note.is_empty());
    compact.flags =
        FLAGS.into_iter().filter(|(key, flag)| on(key) && (*flag != Flag::ShowNote || note.is_some())).map(|(_, flag)| flag).collect();
    compact.note = note.map(str::to_owned);
}

/// Returns n8n's settings of a workflow.
pub(super) fn settings(compact: &Settings) -> Map<String, Value> {
    let mut settings = match serde_json::to_value(compact) {
        Ok(Value::Object(settings)) => settings,
        _ => Map::new(),
    };
    settings.remove("oldOrder");
    if !compact.old_order {
        settings.insert(ORDER.to_owned(), "v1".into());
    }
    settings
}

/// Returns the settings in the compact form, and the keys that it does not have.
pub(super) fn short_settings(settings: &Map<String, Value>) -> (Settings, Vec<String>) {
    let mut short = Settings::default();
    let mut left = Vec::new();
    let mut known = Map::new();
    for (key, value) in settings.iter().filter(|(key, _)| *key != ORDER) {
        let one = Value::Object([(key.clone(), value.clone())].into_iter().collect());
        match serde_json::from_value::<Settings>(one) {
            Ok(_) => drop(known.insert(key.clone(), value.clone())),
            Err(_) => left.push(key.clone()),
        }
    }
    if let Ok(read) = serde_json::from_value(Value::Object(known)) {
        short = read;
    }
    short.old_order = settings.get(ORDER).and_then(Value::as_str) != Some("v1");
    (short, left)
}
