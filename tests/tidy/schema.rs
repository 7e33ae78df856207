//! The CRDs: every field is described and bounded.

use serde_json::Value;

use crate::hold;

/// Returns the schema of each kind, with its name.
pub fn kinds() -> Vec<(String, Value)> {
    let crds = weirkeeper::api::crds::all().into_iter();
    crds.map(|crd| {
        let crd = serde_json::to_value(crd).expect("a CRD is JSON");
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind").to_owned();
        (kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
    })
    .collect()
}

/// Reports whether a schema accepts any content.
pub fn is_free(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

/// Calls `with` for each field below a schema, with its path, its schema, and whether it is required.
pub fn each_field<'a>(at: &str, schema: &'a Value, with: &mut impl FnMut(&str, &'a Value, bool)) {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        with(&path, field, required(name));
        let (inner, path) = match field.get("items") {
            Some(items) => (items, format!("{path}[]")),
            None => (field, path),
        };
        each_field(&path, inner, with);
        if let Some(values) = field.get("additionalProperties") {
            each_field(&format!("{path}.*"), values, with);
        }
    }
}

#[test]
fn every_field_of_every_kind_is_described() {
    let mut complaints = Vec::new();
    for (kind, schema) in kinds() {
        each_field("", &schema, &mut |path, field, _| {
            if !matches!(path, "metadata" | "spec" | "status") && field["description"].as_str().is_none_or(|text| text.trim().len() < 10) {
                complaints.push(format!("{kind} {path}"));
            }
        });
    }
    hold("kubectl explain has nothing to say about", &complaints);
}

#[test]
fn every_field_of_every_kind_is_bounded() {
    let mut complaints = Vec::new();
    for (kind, schema) in kinds() {
        each_field("", &schema, &mut |path, field, _| {
            unbounded(field).into_iter().for_each(|what| complaints.push(format!("{kind} {path}: {what}")));
            if let Some(items) = field.get("items") {
                unbounded(items).into_iter().for_each(|what| complaints.push(format!("{kind} {path}[]: {what}")));
            }
        });
    }
    hold("without a bound", &complaints);
}

#[test]
fn every_duration_of_every_kind_has_a_shortest_and_a_longest() {
    let (mut durations, mut complaints) = (Vec::new(), Vec::new());
    for (kind, schema) in kinds() {
        each_field("", &schema, &mut |path, field, _| {
            if field["pattern"].as_str().is_none_or(|pattern| !pattern.contains("ms|s|m|h")) {
                return;
            }
            let rules = field["x-kubernetes-validations"].to_string();
            if !rules.contains("duration(self) >= ") || !rules.contains("duration(self) <= ") {
                complaints.push(format!("{kind} {path}"));
            }
            durations.push(format!("{kind} {path}"));
        });
    }
    hold("a duration without bounds", &complaints);
    durations.sort();
    let known = [
        "ModelProvider spec.interval",
        "ModelProvider spec.requestTimeout",
        "N8nCredential spec.interval",
        "N8nCredential spec.rateLimit.per",
        "N8nCredential spec.testInterval",
        "N8nInstance spec.interval",
        "N8nInstance spec.requestTimeout",
        "Workflow spec.healthCheck.bakeTime",
        "Workflow spec.healthCheck.probes[].timeout",
        "Workflow spec.interval",
        "WorkflowPolicy spec.minimumScheduleInterval",
        "WorkflowPrompt spec.limits.deadline",
        "WorkflowPrompt spec.workflow.healthCheck.bakeTime",
        "WorkflowPrompt spec.workflow.healthCheck.probes[].timeout",
        "WorkflowTemplate spec.expectedRunTime",
    ];
    assert_eq!(durations, known, "a duration has the pattern of durations");
}

/// Returns the reasons why values of a schema are unbounded.
fn unbounded(schema: &Value) -> Vec<&'static str> {
    let has = |key: &str| schema.get(key).is_some();
    let mut found = Vec::new();
    match schema["type"].as_str() {
        Some("string") if !has("maxLength") && !has("enum") && schema["format"] != "date-time" => found.push("a string without maxLength"),
        Some("array") if !has("maxItems") => found.push("an array without maxItems"),
        Some("integer" | "number") if !has("minimum") => found.push("a number without minimum"),
        Some("object") if has("additionalProperties") => {
            if !has("maxProperties") {
                found.push("a map without maxProperties");
            }
            if !unbounded(&schema["additionalProperties"]).is_empty() {
                found.push("a map whose values have no bound");
            }
        }
        None if !is_free(schema) && !has("x-kubernetes-int-or-string") => found.push("no type"),
        _ => {}
    }
    if schema["format"].as_str().is_some_and(|format| format.starts_with("uint")) {
        found.push("a format that the API server warns of");
    }
    found
}

#[test]
fn every_number_that_people_write_has_a_maximum_and_no_bool_defaults_to_true() {
    let mut complaints = Vec::new();
    for (kind, schema) in kinds() {
        each_field("", &schema["properties"]["spec"], &mut |path, field, _| {
            if matches!(field["type"].as_str(), Some("integer" | "number")) && field.get("maximum").is_none() {
                complaints.push(format!("{kind} spec.{path}: no maximum"));
            }
            if field["type"] == "boolean" && field["default"] == true {
                complaints.push(format!("{kind} spec.{path}: defaults to true"));
            }
        });
    }
    hold("the spec", &complaints);
}

#[test]
fn a_fresh_object_is_never_taken_for_a_finished_one() {
    for (kind, schema) in kinds() {
        assert_eq!(schema["properties"]["status"]["default"]["observedGeneration"], -1, "{kind}");
    }
}

#[test]
fn no_field_inside_a_list_has_a_default() {
    let mut complaints = Vec::new();
    for (kind, schema) in kinds() {
        each_field("", &schema, &mut |path, field, _| {
            if path.contains("[]") && field.get("default").is_some() {
                complaints.push(format!("{kind} {path}"));
            }
            if field["items"].get("default").is_some() {
                complaints.push(format!("{kind} {path}[]"));
            }
        });
    }
    hold("client-side apply would say `configured` each time, because the API server fills in the default of", &complaints);
}
