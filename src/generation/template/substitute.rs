//! Values in the place of placeholders in an n8n workflow.

use serde_json::Value;

use super::expressions::replaced;
use crate::document::finding::{Code, Finding, is_full};
use crate::document::json_path;
use crate::generation::compact::{is_evaluated, plain, rewrite_pieces, script_string, slot_name};
use crate::generation::outcome::Inputs;

/// Puts the values into an n8n workflow: into its name, its settings, and the parameters and credentials of its nodes. `expressions` are
/// those of the values that are to be evaluated.
///
/// # Errors
///
/// Values that n8n would evaluate where they stand.
pub(super) fn into_definition(document: &mut Value, values: &Inputs, expressions: &Inputs) -> Result<(), Vec<Finding>> {
    let mut filling = Filling { values, expressions, findings: Vec::new() };
    for key in ["name", "settings"] {
        if let Some(value) = document.get_mut(key) {
            filling.within(value, key, key);
        }
    }
    for (index, node) in document.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
        let path = json_path::index("nodes", index);
        for key in ["parameters", "credentials"] {
            if let Some(value) = node.get_mut(key) {
                filling.within(value, key, &json_path::key(&path, key));
            }
        }
    }
    if filling.findings.is_empty() { Ok(()) } else { Err(filling.findings) }
}

struct Filling<'v> {
    values: &'v Inputs,
    expressions: &'v Inputs,
    findings: Vec<Finding>,
}

impl Filling<'_> {
    fn within(&mut self, value: &mut Value, key: &str, path: &str) {
        match value {
            Value::String(text) => {
                if !["jsCode", "pythonCode", "functionCode"].contains(&key)
                    && let Some(filled) = self.filled(text, path)
                {
                    *value = filled;
                }
            }
            Value::Array(items) => items.iter_mut().enumerate().for_each(|(at, item)| self.within(item, key, &json_path::index(path, at))),
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| self.within(value, key, &json_path::key(path, key))),
            _ => {}
        }
    }

    fn filled(&mut self, text: &str, path: &str) -> Option<Value> {
        let evaluated = replaced(text, self.expressions);
        let text = evaluated.as_deref().unwrap_or(text);
        if let Some(name) = slot_name(text) {
            let value = self.values.get(name)?;
            if is_evaluated(value) && !is_full(&self.findings) {
                let message = format!("the value of ?{name} begins with =, which n8n would evaluate; begin it with something else");
                self.findings.push(Finding::error(Code::TemplateInputInvalid, path, message));
            }
            return Some(value.clone());
        }
        let values = self.values;
        let code = text.starts_with('=');
        let mut used = Vec::new();
        let filled = rewrite_pieces(text, |piece| {
            let (name, value) = slot_name(piece.trim()).and_then(|name| Some((name, values.get(name)?)))?;
            used.push(name.to_owned());
            // In an expression it is a string of JavaScript, which cannot be anything else.
            Some(if code { format!("{{{{ {} }}}}", script_string(&plain(value))) } else { plain(value) })
        });
        if !code && filled.starts_with('=') && !used.is_empty() && !is_full(&self.findings) {
            let message = format!("with the value of ?{} the text begins with =, which n8n would evaluate", used[0]);
            self.findings.push(Finding::error(Code::TemplateInputInvalid, path, message));
        }
        (evaluated.is_some() || !used.is_empty()).then_some(Value::String(filled))
    }
}
