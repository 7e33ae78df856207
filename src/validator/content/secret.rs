//! Secrets written into a workflow, visible to everybody who may read it.
//!
//! No finding repeats a secret. Texts that look like placeholders are ignored.

mod hooks;
mod removal;
mod shape;
mod value;

use serde_json::{Map, Value};

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full};
use crate::document::json_path;
use crate::validator::content::nodes::parameter_path;
use crate::validator::content::strings::each_string;
pub use removal::{REMOVED, holds_secret, without_secrets};
use shape::{is_secret_name, token};
use value::{is_secret_value, looks_random};

/// Fields of a reference to a credential that n8n knows.
const OF_REFERENCE: &[&str] = &["id", "name"];

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    for (index, node) in definition.nodes.iter().enumerate() {
        if let Some(parameters) = node.parameters() {
            each_string(parameters, |trail, text, object| {
                if is_full(findings) {
                    return;
                }
                if let Some(what) = found(trail.key(), text, object) {
                    let message = format!("{what} is stored here in plain text; move it into a credential, and rotate it");
                    findings
                        .push(Finding::error(Code::SecretLiteral, trail.path(&parameter_path(index, &[])), message).at_node(node.name()));
                }
            });
        }
        check_credentials(index, node, findings);
    }
}

/// Returns the kind of secret in a text by its shape alone, if there is one.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    if text.len() < 8 { None } else { token(text).or_else(|| shape::in_text(text)) }
}

/// Returns the kind of secret in the text, if there is one.
fn found(key: &str, text: &str, object: Option<&Map<String, Value>>) -> Option<&'static str> {
    if text.len() < 8 || key.starts_with("cached") {
        return None;
    }
    kind(text).or_else(|| {
        // A header or query parameter: {"name": "X-API-Key", "value": "…"}.
        let object = object.filter(|_| key == "value")?;
        let name = object.get("name").or_else(|| object.get("key"))?.as_str()?;
        let value = text.strip_prefix('=').unwrap_or(text);
        if value.contains("://") {
            return None;
        }
        let value = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("Basic ")).unwrap_or(value);
        let secret = is_secret_name(name) && is_secret_value(value.trim()) && looks_random(value.trim());
        secret.then_some("a literal key or token")
    })
}

/// Reports other fields in a reference to a credential: n8n reads only the id and the name, and everybody who may read the workflow can
/// read the rest.
fn check_credentials(index: usize, node: &Node, findings: &mut Vec<Finding>) {
    for (kind, reference) in node.credentials().into_iter().flatten() {
        for (field, value) in reference.as_object().into_iter().flatten() {
            if is_full(findings) {
                return;
            }
            let reported = match value {
                Value::String(text) => !text.is_empty(),
                Value::Object(fields) => !fields.is_empty(),
                _ => false,
            };
            if OF_REFERENCE.contains(&field.as_str()) || !reported {
                continue;
            }
            let secret = is_secret_name(field) || value.is_object() || matches!(field.as_str(), "data" | "user" | "username");
            let severity = if secret { Severity::Error } else { Severity::Warning };
            let at = json_path::key(&json_path::key(&json_path::key(&json_path::index("nodes", index), "credentials"), kind), field);
            let message = "this belongs in the credential itself, n8n does not read it here; refer to the credential by id or name";
            findings.push(Finding { severity, ..Finding::error(Code::CredentialEmbedded, at, message) }.at_node(node.name()));
        }
    }
}
