//! Texts of parameters that are JSON.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::node::Known;
use crate::catalog::Parameter;
use crate::document::finding::{Code, Finding};
use crate::document::json_path::JsonPath;
use crate::document::parse::json_problem;

/// Parameters for which a node of n8n 2.39.10 was observed to fail on every run if their text is not JSON. Others are sometimes read
/// leniently, or passed on unchanged.
const PROVEN: &[(&str, &[&str])] = &[
    ("n8n-nodes-base.executeWorkflow", &["workflowJson"]),
    ("n8n-nodes-base.graphql", &["variables"]),
    ("n8n-nodes-base.httpRequest", &["jsonBody", "jsonHeaders", "jsonQuery", "queryParametersJson"]),
    ("n8n-nodes-base.respondToWebhook", &["responseBody"]),
    ("n8n-nodes-base.stopAndError", &["errorObject"]),
];

/// Reports whether the text is used as it is: no expression changes it.
pub(super) fn is_fixed(parameter: &Parameter, text: &str) -> bool {
    parameter.no_data_expression || !text.starts_with('=') || !text.contains("{{")
}

pub(super) fn check(known: &Known<'_>, parameter: &Parameter, value: &Value, place: JsonPath<'_>) -> Option<Finding> {
    let text = value.as_str().filter(|text| is_fixed(parameter, text))?;
    let text = text.strip_prefix('=').unwrap_or(text);
    // n8n itself checks values with a declared type, and accepts more as an object than JSON does.
    if text.trim().is_empty() || parameter.bounds.validate_type.is_some() {
        return None;
    }
    // `IgnoredAny` accepts unpaired surrogates and deep nesting, as JavaScript does.
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    let problem = json_problem(text, &error);
    let proven = PROVEN.iter().any(|(kind, names)| *kind == known.node.kind() && names.contains(&parameter.name.as_str()));
    let (code, at) = (Code::ParameterJson, place.written());
    Some(if proven {
        known.error(code, at, format!("this is not valid JSON, so the node fails on every run: {problem}"))
    } else {
        known.warning(code, at, format!("this is not valid JSON, so the node can hardly use it: {problem}"))
    })
}
