//! Extraction of parameters from n8n's description files.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::display::Display;
use crate::catalog::js;
use crate::catalog::model::{Bounds, Group, Kind, LEFT_OUT, Mode, Options, Parameter, Shared};
use crate::catalog::plan::Planned;
use crate::catalog::raw::{RawDisplay, RawMode, RawParameter};

/// Maximum length of a default value; longer texts are prose, prompts or code.
const LONGEST_DEFAULT: usize = 80;

pub fn parameters(raw: &[RawParameter]) -> Vec<Shared> {
    raw.iter().filter_map(parameter).map(|parameter| Shared(Arc::new(parameter))).collect()
}

/// Returns a parameter, or `None` if n8n only shows a text or a button.
fn parameter(raw: &RawParameter) -> Option<Parameter> {
    let kind = raw.kind.as_deref()?;
    if matches!(kind, "notice" | "callout" | "button") {
        return None;
    }
    let kind = serde_json::from_value(Value::from(kind)).unwrap_or(Kind::Other);
    let name = text(&raw.name);
    let choice = matches!(kind, Kind::Options | Kind::MultiOptions);
    let groups = match kind {
        Kind::FixedCollection => raw
            .options
            .iter()
            .map(|group| Group { name: text(&group.name), fields: parameters(&group.values), plan: Planned::default() })
            .collect(),
        _ => Vec::new(),
    };
    Some(Parameter {
        kind,
        default: without_prose(&raw.default),
        required: raw.required == Value::Bool(true),
        no_data_expression: js::truthy(Some(&raw.no_data_expression)),
        display: display(&raw.display_options),
        options: if choice { options(raw, &name) } else { Options::default() },
        fields: if kind == Kind::Collection { parameters(&raw.options) } else { Vec::new() },
        groups,
        modes: raw.modes.iter().map(mode).collect(),
        bounds: bounds(raw, &raw.type_options).into(),
        plan: Planned::default(),
        name,
    })
}

fn options(raw: &RawParameter, name: &str) -> Options {
    let labelled = matches!(name, "resource" | "operation");
    let loaded = |key: &str| raw.type_options.get(key).is_some_and(|value| !value.is_null());
    let conditions = raw.options.iter().map(|choice| display(&choice.display_options)).enumerate();
    Options {
        values: raw.options.iter().map(|choice| choice.value.clone()).collect(),
        labels: if labelled { raw.options.iter().map(|choice| text(&choice.name)).collect() } else { Vec::new() },
        shown: conditions.filter(|(_, display)| !display.is_empty()).collect(),
        open: loaded("loadOptionsMethod") || loaded("loadOptions") || raw.allow_arbitrary_values,
    }
}

fn mode(raw: &RawMode) -> Mode {
    let patterns = raw.validation.iter().filter(|rule| rule.kind == "regex").map(|rule| rule.properties.regex.clone());
    Mode { name: raw.name.clone(), list: raw.kind == "list", patterns: patterns.collect() }
}

fn bounds(raw: &RawParameter, of: &Map<String, Value>) -> Bounds {
    let number = |key: &str| of.get(key).and_then(Value::as_f64);
    let whole = |key: &str| of.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let string = |key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    Bounds {
        multiple: of.get("multipleValues").and_then(Value::as_bool),
        least: number("minValue"),
        greatest: number("maxValue"),
        precision: whole("numberPrecision"),
        max_length: whole("maxLength"),
        pattern: string("regex"),
        min_fields: whole("minRequiredFields"),
        max_fields: whole("maxAllowedFields"),
        editor: string("editor"),
        validate_type: raw.validate_type.clone(),
        data_path: raw.requires_data_path.clone(),
        mapper_mode: of.get("resourceMapper").and_then(|mapper| mapper["mode"].as_str()).map(str::to_owned),
        filter_version: of.get("filter").map(|filter| filter_version(&filter["version"])).unwrap_or_default(),
        credential_types: raw.credential_types.clone(),
    }
}

/// Reads `={{ $nodeVersion >= 2.3 ? 3 : $nodeVersion >= 2.2 ? 2 : 1 }}` or a number; empty for anything else.
fn filter_version(value: &Value) -> Vec<(f64, u32)> {
    let whole = |value: &str| value.parse::<u32>().ok();
    let Some(code) = value.as_str() else {
        return value.as_u64().and_then(|n| whole(&n.to_string())).map(|n| (0.0, n)).into_iter().collect();
    };
    let plain: String = code.chars().filter(|letter| !letter.is_whitespace() && !"={}".contains(*letter)).collect();
    let mut found = Vec::new();
    for part in plain.split(':') {
        let step = match part.strip_prefix("$nodeVersion>").and_then(|part| part.split_once('?')) {
            Some((from, version)) => from.parse().ok().zip(whole(version)),
            None => whole(part).map(|version| (0.0, version)),
        };
        match step {
            Some(step) => found.push(step),
            None => return Vec::new(),
        }
    }
    found
}

pub fn display(raw: &RawDisplay) -> Display {
    Display { show: raw.show.0.clone(), hide: raw.hide.0.clone() }
}

pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns a default without long texts.
fn without_prose(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST_DEFAULT && text.contains([' ', '\n']) => {
            Value::from(if text.starts_with('=') { format!("={LEFT_OUT}") } else { LEFT_OUT.to_owned() })
        }
        Value::Array(items) => items.iter().map(without_prose).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), without_prose(value))).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_filter_version_follows_the_node_version() {
        let code = json!("={{ $nodeVersion >=3.4 ? 3 : $nodeVersion >= 3.2 ? 2 : 1 }}");
        assert_eq!(filter_version(&code), [(3.4, 3), (3.2, 2), (0.0, 1)]);
        assert_eq!(filter_version(&json!(2)), [(0.0, 2)]);
        assert_eq!(filter_version(&json!("={{ $parameter.x }}")), []);
    }

    #[test]
    fn long_defaults_are_left_out_and_expressions_stay_expressions() {
        let long = "word ".repeat(40);
        assert_eq!(
            without_prose(&json!({"a": [long, format!("={long}"), "short"]})),
            json!({"a": [LEFT_OUT, format!("={LEFT_OUT}"), "short"]})
        );
    }
}
