//! Validation of objects against the schema of their CRD, as the API server does it: every finding names its field.

use std::sync::LazyLock;

use fancy_regex::Regex;
use kube::CustomResourceExt;
use serde_json::{Map, Value};

use crate::api::credential::N8nCredential;
use crate::api::duration;
use crate::api::instance::N8nInstance;
use crate::api::policy::WorkflowPolicy;
use crate::api::prompt::WorkflowPrompt;
use crate::api::provider::ModelProvider;
use crate::api::quota::WorkflowQuota;
use crate::api::template::WorkflowTemplate;
use crate::api::workflow::Workflow;
use crate::document::finding::{Code, Finding, is_full, kind_of, quoted};
use crate::document::json_path;
use crate::text::similar::nearest;

use super::report::Kind;
use super::rules::holds;

/// Returns the schema of a kind, without the status, which no manifest contains.
fn schema(kind: Kind) -> &'static Value {
    static WORKFLOW: LazyLock<Value> = LazyLock::new(|| of(&Workflow::crd()));
    static INSTANCE: LazyLock<Value> = LazyLock::new(|| of(&N8nInstance::crd()));
    static CREDENTIAL: LazyLock<Value> = LazyLock::new(|| of(&N8nCredential::crd()));
    static POLICY: LazyLock<Value> = LazyLock::new(|| of(&WorkflowPolicy::crd()));
    static QUOTA: LazyLock<Value> = LazyLock::new(|| of(&WorkflowQuota::crd()));
    static PROVIDER: LazyLock<Value> = LazyLock::new(|| of(&ModelProvider::crd()));
    static PROMPT: LazyLock<Value> = LazyLock::new(|| of(&WorkflowPrompt::crd()));
    static TEMPLATE: LazyLock<Value> = LazyLock::new(|| of(&WorkflowTemplate::crd()));
    match kind {
        Kind::Workflow => &WORKFLOW,
        Kind::N8nInstance => &INSTANCE,
        Kind::N8nCredential => &CREDENTIAL,
        Kind::WorkflowPolicy => &POLICY,
        Kind::WorkflowQuota => &QUOTA,
        Kind::ModelProvider => &PROVIDER,
        Kind::WorkflowPrompt => &PROMPT,
        Kind::WorkflowTemplate => &TEMPLATE,
    }
}

fn of(crd: &impl serde::Serialize) -> Value {
    let crd = serde_json::to_value(crd).unwrap_or_default();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Returns findings on everything in an object that the API server would refuse or drop, by the schema of its kind.
pub(super) fn check(kind: Kind, object: &Value) -> Vec<Finding> {
    let mut check = Check { kind, findings: Vec::new() };
    let (schema, spec) = (schema(kind), &object["spec"]);
    if spec.is_null() {
        check.report("", "spec is missing");
    } else {
        check.value(&schema["properties"]["spec"], spec, "spec");
    }
    // The rules of the whole object; its other fields are common to all objects.
    check.rules(schema, object, "metadata");
    check.findings
}

struct Check {
    kind: Kind,
    findings: Vec<Finding>,
}

impl Check {
    fn report(&mut self, at: &str, message: impl Into<String>) {
        self.push(Finding::error(Code::ManifestInvalid, at, message));
    }

    fn push(&mut self, finding: Finding) {
        if !is_full(&self.findings) {
            self.findings.push(finding);
        }
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let before = self.findings.len();
        if let Some(wanted) = schema["type"].as_str()
            && !is_of(wanted, value)
        {
            let article = if wanted.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            let wrong = Finding::error(Code::ManifestInvalid, at, format!("this must be {article} {wanted}"));
            return self.push(wrong.mismatch(kind_of(value), format!("{article} {wanted}")));
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, at),
            Value::Array(items) => {
                self.bounds(schema, items.len(), "Items", "items", at);
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], item, &json_path::index(at, index));
                }
            }
            Value::String(text) => self.text(schema, text, at),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or_default(), at),
            _ => {}
        }
        // A value of the wrong type would fail the rules for another reason.
        if self.findings.len() == before {
            self.rules(schema, value, at);
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>, at: &str) {
        self.bounds(schema, fields.len(), "Properties", "entries", at);
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        // The API server drops a null if the field is not nullable.
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let inside = json_path::key(at, name);
            match known.get(name).or_else(|| schema.get("additionalProperties").filter(|any| any.is_object())) {
                Some(schema) => self.value(schema, value, &inside),
                None if is_free(schema) => {}
                None => {
                    let place = if at == "spec" { format!("a {:?}", self.kind) } else { at.to_owned() };
                    let unknown = Finding::error(Code::ManifestInvalid, inside, format!("{place} has no field {}", quoted(name)));
                    self.push(unknown.suggest(nearest(name, known.keys().map(String::as_str))));
                }
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if fields.get(name).is_none_or(Value::is_null) {
                self.report(&json_path::key(at, name), format!("{name} is missing"));
            }
        }
    }

    fn text(&mut self, schema: &Value, text: &str, at: &str) {
        self.bounds(schema, text.chars().count(), "Length", "characters", at);
        let words: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !words.is_empty() && !words.contains(&text) {
            let wrong = Finding::error(Code::ManifestInvalid, at, format!("this must be one of {}", words.join(", ")));
            self.push(wrong.suggest(nearest(text, words)));
        }
        if let Some(pattern) = schema["pattern"].as_str()
            && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text).unwrap_or(true))
        {
            match pattern == duration::PATTERN {
                true => self.report(at, "this must be a duration: whole numbers with units, such as 30s, 5m or 1h30m"),
                false => self.report(at, format!("this must match the pattern {pattern}")),
            }
        }
    }

    fn number(&mut self, schema: &Value, number: f64, at: &str) {
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            self.report(at, format!("this must be at least {least}"));
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
            self.report(at, format!("this must be at most {most}"));
        }
    }

    /// Checks a count against `minItems` and `maxItems` and the like.
    fn bounds(&mut self, schema: &Value, count: usize, what: &str, noun: &str, at: &str) {
        let bound = |which: &str| schema[format!("{which}{what}")].as_u64().and_then(|bound| usize::try_from(bound).ok());
        let got = format!("{count}");
        if let Some(least) = bound("min").filter(|least| count < *least) {
            let wrong = Finding::error(Code::ManifestInvalid, at, format!("this must have at least {least} {noun}"));
            self.push(wrong.mismatch(got, format!("at least {least}")));
        } else if let Some(most) = bound("max").filter(|most| count > *most) {
            let wrong = Finding::error(Code::ManifestInvalid, at, format!("this must have at most {most} {noun}"));
            self.push(wrong.mismatch(got, format!("at most {most}")));
        }
    }

    fn rules(&mut self, schema: &Value, value: &Value, at: &str) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let (text, message) = (rule["rule"].as_str().unwrap_or_default(), rule["message"].as_str().unwrap_or_default());
            if holds(text, value) == Some(false) {
                self.report(at, message);
            }
        }
    }
}

fn is_of(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => true,
    }
}

/// Reports whether any field is allowed here.
fn is_free(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema.get("type").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(spec: Value) -> Vec<String> {
        let object = json!({ "metadata": { "name": "a" }, "spec": spec });
        check(Kind::Workflow, &object).iter().map(ToString::to_string).collect()
    }

    fn with(more: Value) -> Value {
        let mut spec = json!({ "instanceRef": { "name": "main" }, "definition": { "nodes": [], "anything": null } });
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        spec
    }

    #[test]
    fn every_error_names_its_field() {
        for (more, wanted) in [
            (json!({}), &[][..]),
            (json!({ "suspend": null, "interval": "1h30m", "tags": ["a"] }), &[]),
            (json!({ "actve": true }), &[r#"spec.actve: a Workflow has no field "actve"; did you mean "active"?"#]),
            (json!({ "active": "yes" }), &["spec.active: this must be a boolean (found a string, want a boolean)"]),
            (json!({ "rollback": "automatic" }), &[r#"spec.rollback: this must be one of Automatic, Manual; did you mean "Automatic"?"#]),
            (
                json!({ "interval": "5 minutes" }),
                &["spec.interval: this must be a duration: whole numbers with units, such as 30s, 5m or 1h30m"],
            ),
            (json!({ "revisionHistoryLimit": 0 }), &["spec.revisionHistoryLimit: this must be at least 1"]),
            (
                json!({ "revisionHistoryLimit": 1.5 }),
                &["spec.revisionHistoryLimit: this must be an integer (found a fraction, want an integer)"],
            ),
            (json!({ "displayName": "" }), &["spec.displayName: this must have at least 1 characters (found 0, want at least 1)"]),
            (
                json!({ "healthCheck": { "probes": [{ "node": "A" }, { "nod": "B", "method": "get" }] } }),
                &[
                    "spec.healthCheck.probes[1].method: this must match the pattern ^(GET|HEAD|POST|PUT|PATCH|DELETE)$",
                    r#"spec.healthCheck.probes[1].nod: spec.healthCheck.probes[1] has no field "nod"; did you mean "node"?"#,
                    "spec.healthCheck.probes[1].node: node is missing",
                ],
            ),
            (
                json!({ "credentials": [{ "name": "crm", "existing": {} }] }),
                &["spec.credentials[0].existing: exactly one of id and name must be set"],
            ),
            (
                json!({ "credentials": [{ "name": "crm" }, { "name": "crm", "credentialRef": { "name": "crm", "namespace": "b" } }] }),
                &[
                    "spec.credentials[0]: exactly one of credentialRef and existing must be set",
                    r#"spec.credentials[1].credentialRef.namespace: spec.credentials[1].credentialRef has no field "namespace""#,
                ],
            ),
            (json!({ "definition": null }), &["spec: exactly one of definition, definitionFrom and templateRef must be set"]),
            (json!({ "instanceRef": null }), &["spec.instanceRef: instanceRef is missing"]),
        ] {
            assert_eq!(findings(with(more.clone())), wanted, "{more}");
        }
    }

    #[test]
    fn an_instance_is_checked_against_its_own_kind() {
        let object = json!({ "metadata": { "name": "n".repeat(64) }, "spec": { "url": "n8n.example", "allowedNamespaces": { "from": "Selector" } } });
        let findings: Vec<String> = check(Kind::N8nInstance, &object).iter().map(ToString::to_string).collect();
        assert!(findings.iter().any(|one| one.starts_with("spec.url: this must match the pattern ")), "{findings:?}");
        for wanted in [
            "spec.apiKeySecretRef: apiKeySecretRef is missing",
            "spec.allowedNamespaces: from: Selector requires a selector",
            "metadata: metadata.name must be at most 63 characters long",
        ] {
            assert!(findings.iter().any(|one| one == wanted), "{wanted}: {findings:?}");
        }
    }
}
