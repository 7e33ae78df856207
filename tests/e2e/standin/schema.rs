//! Schemas of request bodies, with n8n's messages: it checks bodies with zod and reports the first problem only, fields in the order of the
//! schema, unknown keys last.

use serde_json::{Map, Value};

/// One field of an object.
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

/// Allowed values of a field.
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    OneOf(&'static [&'static str]),
    Record,
    /// An object, refused with the message of a custom check.
    Connections,
    StaticData,
    ReadOnly,
    Nullable(&'static Kind),
    List(&'static Kind),
    /// No key beyond these.
    Strict(&'static [Field]),
    /// Other keys are ignored.
    Loose(&'static [Field]),
}

use Kind::{Connections, Flag, List, Loose, Nullable, Number, OneOf, ReadOnly, Record, StaticData, Strict, Text};

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const TELEMETRY_TAGS: Kind = List(&Strict(&[must("key", Text), must("value", Text)]));

const NODE: Kind = Strict(&[
    may("id", Text),
    may("name", Text),
    may("webhookId", Text),
    may("disabled", Flag),
    may("notesInFlow", Flag),
    may("notes", Text),
    may("type", Text),
    may("typeVersion", Number),
    may("executeOnce", Flag),
    may("alwaysOutputData", Flag),
    may("retryOnFail", Flag),
    may("maxTries", Number),
    may("waitBetweenTries", Number),
    may("continueOnFail", Flag),
    may("onError", Text),
    may("position", List(&Number)),
    may("parameters", Record),
    may("credentials", Record),
    may("customTelemetryTags", Strict(&[may("tag", TELEMETRY_TAGS)])),
    may("createdAt", ReadOnly),
    may("updatedAt", ReadOnly),
]);

const NODE_GROUP: Kind = Strict(&[must("id", Text), must("name", Text), may("description", Text), must("nodeIds", List(&Text))]);

const SETTINGS: Kind = Strict(&[
    may("saveExecutionProgress", Flag),
    may("saveManualExecutions", Flag),
    may("saveDataErrorExecution", OneOf(&["all", "none"])),
    may("saveDataSuccessExecution", OneOf(&["all", "none"])),
    may("executionTimeout", Number),
    may("errorWorkflow", Text),
    may("timezone", Text),
    may("executionOrder", Text),
    may("binaryMode", OneOf(&["separate", "combined"])),
    may("callerPolicy", OneOf(&["any", "none", "workflowsFromAList", "workflowsFromSameOwner"])),
    may("callerIds", Text),
    may("timeSavedMode", OneOf(&["fixed", "dynamic"])),
    may("timeSavedPerExecution", Number),
    may("redactionPolicy", OneOf(&["none", "non-manual", "manual-only", "all"])),
    may("availableInMCP", Flag),
    may("customTelemetryTags", TELEMETRY_TAGS),
    may("credentialResolverId", Text),
]);

const SHARED: Kind = Strict(&[
    may("role", Text),
    may("workflowId", Text),
    may("projectId", Text),
    may("project", Record),
    may("createdAt", ReadOnly),
    may("updatedAt", ReadOnly),
]);

pub(crate) const CREATE_WORKFLOW: Kind = Strict(&[
    may("id", ReadOnly),
    must("name", Text),
    may("active", ReadOnly),
    may("createdAt", ReadOnly),
    may("updatedAt", ReadOnly),
    may("isArchived", ReadOnly),
    may("versionId", ReadOnly),
    may("triggerCount", ReadOnly),
    must("nodes", List(&NODE)),
    must("connections", Connections),
    must("settings", SETTINGS),
    may("nodeGroups", List(&NODE_GROUP)),
    may("staticData", StaticData),
    may("pinData", Nullable(&Record)),
    may("projectId", Text),
    may("parentFolderId", Nullable(&Text)),
    may("meta", ReadOnly),
    may("tags", ReadOnly),
    may("shared", List(&SHARED)),
    may("activeVersion", ReadOnly),
]);

pub(crate) const UPDATE_WORKFLOW: Kind = Strict(&[
    may("id", ReadOnly),
    must("name", Text),
    may("active", ReadOnly),
    may("createdAt", ReadOnly),
    may("updatedAt", ReadOnly),
    may("isArchived", ReadOnly),
    may("versionId", ReadOnly),
    may("triggerCount", ReadOnly),
    must("nodes", List(&NODE)),
    must("connections", Connections),
    must("settings", SETTINGS),
    may("nodeGroups", List(&NODE_GROUP)),
    may("staticData", StaticData),
    may("pinData", Nullable(&Record)),
    may("parentFolderId", Nullable(&Text)),
    may("meta", ReadOnly),
    may("tags", ReadOnly),
    may("shared", List(&SHARED)),
    may("activeVersion", ReadOnly),
    may("description", Text),
]);

pub(crate) const PUBLISH: Kind = Loose(&[may("versionId", Text), may("name", Text), may("description", Text)]);

pub(crate) const TRANSFER: Kind = Loose(&[must("destinationProjectId", Text)]);

pub(crate) const TAG_IDS: Kind = List(&Strict(&[must("id", Text)]));

pub(crate) const TAG: Kind = Loose(&[must("name", Text)]);

pub(crate) const CREATE_CREDENTIAL: Kind = Loose(&[
    may("id", ReadOnly),
    must("name", Text),
    must("type", Text),
    must("data", Record),
    may("isResolvable", Flag),
    may("createdAt", ReadOnly),
    may("updatedAt", ReadOnly),
    may("projectId", Text),
]);

pub(crate) const UPDATE_CREDENTIAL: Kind = Loose(&[
    may("name", Text),
    may("type", Text),
    may("data", Record),
    may("isGlobal", Flag),
    may("isResolvable", Flag),
    may("isPartialData", Flag),
]);

pub(crate) const RETRY: Kind = Loose(&[may("loadWorkflow", Flag)]);

/// Checks a request body; `Err` is n8n's message.
pub(crate) fn check_body(kind: &Kind, body: Option<&Value>) -> Result<(), String> {
    match body {
        None => Err("request/body Required".to_owned()),
        Some(value) => check(kind, value, ""),
    }
}

fn fault(path: &str, message: &str) -> Result<(), String> {
    Err(format!("request/body{path} {message}"))
}

pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn expect(path: &str, wanted: &str, value: &Value) -> Result<(), String> {
    if type_name(value) == wanted {
        return Ok(());
    }
    fault(path, &format!("Expected {wanted}, received {}", type_name(value)))
}

fn check(kind: &Kind, value: &Value, path: &str) -> Result<(), String> {
    match kind {
        Text => expect(path, "string", value),
        Number => expect(path, "number", value),
        Flag => expect(path, "boolean", value),
        Record => expect(path, "object", value),
        ReadOnly => fault(path, "is read-only"),
        Connections if !value.is_object() => fault(path, "must be object"),
        Connections => Ok(()),
        Nullable(_) if value.is_null() => Ok(()),
        Nullable(inner) => check(inner, value, path),
        StaticData => match value {
            Value::Null | Value::Object(_) => Ok(()),
            Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => Ok(()),
            Value::String(_) => fault(path, "must be a JSON string"),
            _ => fault(path, "Invalid input"),
        },
        OneOf(options) => match value {
            Value::String(text) if options.contains(&text.as_str()) => Ok(()),
            Value::String(text) => fault(path, &not_one_of(options, text)),
            other => {
                let wanted = quoted(options, " | ");
                let found = type_name(other);
                fault(path, &format!("Expected {wanted}, received {found}"))
            }
        },
        List(inner) => {
            expect(path, "array", value)?;
            let mut items = value.as_array().into_iter().flatten().enumerate();
            items.try_for_each(|(index, item)| check(inner, item, &format!("{path}/{index}")))
        }
        Strict(fields) => {
            let object = check_fields(fields, value, path)?;
            let unknown: Vec<&str> =
                object.keys().map(String::as_str).filter(|key| fields.iter().all(|field| field.name != *key)).collect();
            if unknown.is_empty() {
                return Ok(());
            }
            let keys = quoted(&unknown, ", ");
            fault(path, &format!("Unrecognized key(s) in object: {keys}"))
        }
        Loose(fields) => check_fields(fields, value, path).map(|_| ()),
    }
}

fn check_fields<'a>(fields: &[Field], value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, String> {
    expect(path, "object", value)?;
    let object = value.as_object().expect("an object, as just checked");
    for field in fields {
        match object.get(field.name) {
            Some(value) => check(&field.kind, value, &format!("{path}/{}", field.name))?,
            None if !field.required => {}
            // A custom check does not distinguish a missing value and returns its usual message.
            None if matches!(field.kind, Connections) => {
                fault(&format!("{path}/{}", field.name), "must be object")?;
            }
            None => fault(path, &format!("must have required property '{}'", field.name))?,
        }
    }
    Ok(object)
}

fn quoted(words: &[&str], separator: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    words.join(separator)
}

/// Returns the message for a value that is none of the options.
pub(crate) fn not_one_of(options: &[&str], found: &str) -> String {
    let options = quoted(options, " | ");
    format!("Invalid enum value. Expected {options}, received '{found}'")
}

/// Converts a number as JavaScript would: `2.0` is `2`, and integers beyond 2^53 lose their last digits.
pub(crate) fn as_javascript(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let Some(float) = number.as_f64() else {
                return Value::Number(number);
            };
            if float.fract() == 0.0 && float.abs() < 9.0e18 { Value::from(float as i64) } else { Value::from(float) }
        }
        Value::Array(items) => items.into_iter().map(as_javascript).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, as_javascript(value))).collect(),
        other => other,
    }
}
