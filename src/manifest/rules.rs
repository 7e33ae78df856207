//! The CEL rules of the CRDs as functions: an interpreter of CEL would be larger than all of them.

use std::time::Duration;

use serde_json::Value;

use crate::api::duration::DurationText;
use crate::api::headers::{NO_STEERING_HEADER, is_steering};

type Rule = (&'static str, fn(&Value) -> bool);

/// Rules as they stand in the CRD, with their functions. A rule that compares with the previous object cannot be checked in a file.
const RULES: &[Rule] = &[
    ("(has(self.definition) ? 1 : 0) + (has(self.definitionFrom) ? 1 : 0) + (has(self.templateRef) ? 1 : 0) == 1", |spec| {
        ["definition", "definitionFrom", "templateRef"].iter().filter(|field| has(spec, field)).count() == 1
    }),
    ("(has(self.definition) ? 1 : 0) + (has(self.compact) ? 1 : 0) == 1", |spec| has(spec, "definition") != has(spec, "compact")),
    ("self.kind != 'BuiltinTemplate' || !has(self.namespace)", |reference| {
        reference["kind"] != "BuiltinTemplate" || !has(reference, "namespace")
    }),
    ("has(self.existing) != has(self.credentialRef)", |mapping| has(mapping, "existing") != has(mapping, "credentialRef")),
    ("has(self.secretRef) != has(self.data)", |spec| has(spec, "secretRef") != has(spec, "data")),
    ("has(self.id) != has(self.name)", |existing| has(existing, "id") != has(existing, "name")),
    ("has(self.value) != has(self.secretKeyRef)", |header| has(header, "value") != has(header, "secretKeyRef")),
    (NO_STEERING_HEADER, |header| header["name"].as_str().is_none_or(|name| !is_steering(name))),
    ("self.from != 'Selector' || has(self.selector)", |allowed| allowed["from"] != "Selector" || has(allowed, "selector")),
    (
        "!has(self.probes) || self.probes.map(probe, has(probe.timeout) ? duration(probe.timeout) : duration('10s')).sum() <= duration('5m')",
        |check| probing(check) <= Duration::from_secs(300),
    ),
    ("self.metadata.name.size() <= 63", |object| object["metadata"]["name"].as_str().is_none_or(|name| name.chars().count() <= 63)),
    ("!self.matches('/api/v1/*$')", |url| url.as_str().is_none_or(|url| !url.trim_end_matches('/').ends_with("/api/v1"))),
    ("self.type == 'Builtin' || (has(self.baseURL) && has(self.models))", |spec| {
        is_builtin(spec) || (has(spec, "baseURL") && has(spec, "models"))
    }),
    (
        "self.type == 'OpenAI' || !(has(self.baseURL) || has(self.models) || has(self.apiKeySecretRef) || has(self.caBundle) || has(self.limits))",
        |spec| !is_builtin(spec) || !["baseURL", "models", "apiKeySecretRef", "caBundle", "limits"].iter().any(|field| has(spec, field)),
    ),
    ("!self.matches('/chat/completions/*$')", |url| {
        url.as_str().is_none_or(|url| !url.trim_end_matches('/').ends_with("/chat/completions"))
    }),
    ("has(self.inputPricePerMillion) == has(self.outputPricePerMillion)", |model| {
        has(model, "inputPricePerMillion") == has(model, "outputPricePerMillion")
    }),
    ("!has(self.cachedInputPricePerMillion) || has(self.inputPricePerMillion)", |model| {
        !has(model, "cachedInputPricePerMillion") || has(model, "inputPricePerMillion")
    }),
];

/// Reports whether a value satisfies a rule; `None` for a rule that only the API server can check.
pub(super) fn holds(rule: &str, value: &Value) -> Option<bool> {
    let known = RULES.iter().find(|(text, _)| *text == rule).map(|(_, holds)| holds(value));
    known.or_else(|| Some(is_within(value, duration_bounds(rule)?)))
}

/// Reports whether the spec of a ModelProvider is that of the built-in generator, which is the default.
fn is_builtin(spec: &Value) -> bool {
    spec["type"].as_str().is_none_or(|kind| kind == "Builtin")
}

/// Returns the bounds of a rule for durations, which every field of that type has.
fn duration_bounds(rule: &str) -> Option<(DurationText, DurationText)> {
    let bounds = rule.strip_prefix("duration(self) >= duration('")?.strip_suffix("')")?;
    let (least, most) = bounds.split_once("') && duration(self) <= duration('")?;
    Some((DurationText::parse(least).ok()?, DurationText::parse(most).ok()?))
}

/// Reports whether a duration is within bounds. Texts that are not a duration are reported by the pattern of the field.
fn is_within(value: &Value, (least, most): (DurationText, DurationText)) -> bool {
    value.as_str().and_then(|text| DurationText::parse(text).ok()).is_none_or(|span| least <= span && span <= most)
}

/// Returns the maximum duration of all probes of a health check. Texts that are not a duration are reported by the pattern of the field.
fn probing(check: &Value) -> Duration {
    let timeout = |probe: &Value| {
        probe["timeout"]
            .as_str()
            .map_or(Duration::from_secs(10), |text| DurationText::parse(text).map_or(Duration::ZERO, DurationText::get))
    };
    check["probes"].as_array().into_iter().flatten().map(timeout).sum()
}

fn has(object: &Value, field: &str) -> bool {
    object.get(field).is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(fields) => {
                let own = fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
                found.extend(own.filter_map(|rule| rule["rule"].as_str().map(str::to_owned)));
                fields.values().for_each(|inner| rules(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| rules(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn the_bounds_of_durations_are_read_from_their_rule() {
        let rule = "duration(self) >= duration('1s') && duration(self) <= duration('5m')";
        for (text, fits) in [("1s", true), ("5m", true), ("999ms", false), ("9999h", false), ("soon", true)] {
            assert_eq!(holds(rule, &Value::from(text)), Some(fits), "{text}");
        }
        assert_eq!(holds("duration(self) > duration('1s')", &Value::from("1s")), None);
    }

    #[test]
    fn every_crd_rule_that_can_be_checked_in_a_file_is_implemented() {
        let mut found = Vec::new();
        for crd in crate::api::crds::all() {
            rules(&serde_json::to_value(crd).unwrap(), &mut found);
        }
        assert!(found.len() >= 5, "{found:?}");
        let unknown: Vec<&String> = found.iter().filter(|rule| !rule.contains("oldSelf") && holds(rule, &Value::Null).is_none()).collect();
        assert!(unknown.is_empty(), "say in src/manifest/rules.rs what these mean: {unknown:#?}");
        let stale: Vec<&str> = RULES.iter().map(|(text, _)| *text).filter(|text| !found.iter().any(|rule| rule == text)).collect();
        assert!(stale.is_empty(), "no CRD has these any more: {stale:#?}");
    }
}
