//! `{{ }}` in a parameter without a leading `=`, which n8n takes for plain text.

use serde_json::{Map, Value};

use crate::validator::content::strings::each_string;
use crate::validator::schema::Reading;

/// Texts that occur only in expressions of n8n, or of another product.
const MARKS: &[&str] = &[
    "$(",
    "$json",
    "$node",
    "$input",
    "$items",
    "$item(",
    "$now",
    "$today",
    "$workflow",
    "$execution",
    "$env.",
    "$vars.",
    "$binary",
    "$itemIndex",
    "$runIndex",
    "$prevNode",
    "$parameter",
    "$fromAI",
    "DateTime.",
    "steps.",
    "trigger.",
    "bundle.",
];

/// Reports whether the text was probably meant as an expression, if n8n reads it in this way.
pub(super) fn lacks_equals(reading: &Reading<'_>, text: &str) -> bool {
    if text.starts_with('=') || !text.contains("{{") || is_markup(text) {
        return false;
    }
    match reading {
        // In a node of an unknown type a text may be code or a template, unless it is nothing but a variable.
        Reading::Unknown => is_one_piece(text) && holds_variable(text),
        _ => reading.takes_expressions() && holds_variable(text) && !holds_expressions(text),
    }
}

fn is_one_piece(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1
}

fn holds_variable(text: &str) -> bool {
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(inside, _)| {
        let inside = inside.trim_start();
        MARKS.iter().any(|mark| inside.starts_with(mark) || mark.starts_with('$') && inside.contains(mark))
    })
}

/// Reports whether the text is JSON in which every expression has its leading `=`, such as a workflow that is written into a parameter.
fn holds_expressions(text: &str) -> bool {
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(text) else { return false };
    all_marked(&document)
}

fn all_marked(document: &Map<String, Value>) -> bool {
    let mut marked = true;
    each_string(document, |_, text, _| marked &= !text.contains("{{") || text.starts_with('='));
    marked
}

fn is_markup(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("<!") || text.starts_with('<') && text.contains("</") || text.contains("</html>") || text.contains("</body>")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;
    use crate::document::definition::Definition;
    use crate::document::json_path::Step;
    use crate::validator::schema::{NodeTypes, Resolved};

    /// Reports whether the finding is made for the text at these keys, in a node of this type and version with these parameters.
    fn lacks(kind: &str, version: f64, parameters: Value, keys: &[&str]) -> bool {
        let text = keys.iter().fold(&parameters, |value, key| &value[*key]).as_str().unwrap().to_owned();
        let node = json!({"name": "A", "type": kind, "typeVersion": version, "parameters": parameters});
        let definition = Definition { nodes: vec![node.as_object().unwrap().clone().into()], ..Definition::default() };
        let types = NodeTypes::of(&definition, Catalog::embedded());
        let resolved = Resolved::of(&definition, &types, Catalog::embedded());
        lacks_equals(&resolved.reading(0, keys.iter().map(|key| Step::Key(key))), &text)
    }

    #[test]
    fn an_expression_without_equals_is_distinguished_from_literal_text() {
        let url = |text: &str| lacks("n8n-nodes-base.httpRequest", 4.2, json!({ "url": text }), &["url"]);
        assert!(url("{{ $('A').item.json.base }}/x") && url("Summary: {{ $json.text }}") && url("{{steps.fetch.output}}"));
        assert!(url("{{ 'a' + $json.b }}"));
        for text in ["={{ $json.a }}", "Hello {{name}}", "<p>{{ $json.a }}</p>", "{{ $json.a", "a $json.b }} {{c}}"] {
            assert!(!url(text), "{text}");
        }
    }

    #[test]
    fn the_catalogue_decides_which_parameters_take_expressions() {
        let whole = "{{ $json.a }} and {{ $json.b }}";
        let sql = json!({"operation": "executeQuery", "query": whole});
        assert!(!lacks("n8n-nodes-base.postgres", 2.6, sql, &["query"]), "a query, which the node evaluates by itself");
        let search = json!({"resource": "message", "operation": "search", "query": whole});
        assert!(lacks("n8n-nodes-base.slack", 2.3, search, &["query"]), "the words of a search");
        let big = json!({"operation": "executeQuery", "sqlQuery": whole});
        assert!(!lacks("n8n-nodes-base.googleBigQuery", 2.1, big, &["sqlQuery"]));
        assert!(!lacks("n8n-nodes-base.html", 1.2, json!({"operation": "generateHtmlTemplate", "html": whole}), &["html"]));
        assert!(!lacks("n8n-nodes-base.httpRequest", 4.2, json!({"body": whole}), &["body"]), "it does not show");
        assert!(!lacks("n8n-nodes-base.httpRequest", 4.2, json!({"nothing": whole}), &["nothing"]), "n8n drops it");
        assert!(
            !lacks("community.thing", 1.0, json!({"a": whole}), &["a"])
                && lacks("community.thing", 1.0, json!({"a": "{{ $json.a }}"}), &["a"])
        );
    }

    #[test]
    fn notes_of_the_editor_are_not_expressions() {
        let channel = json!({"select": "channel", "channelId": {"__rl": true, "mode": "id", "value": "{{ $json.a }}", "cachedResultName": "{{ $json.a }}"}});
        assert!(lacks("n8n-nodes-base.slack", 2.3, channel.clone(), &["channelId", "value"]));
        assert!(!lacks("n8n-nodes-base.slack", 2.3, channel, &["channelId", "cachedResultName"]));
    }

    #[test]
    fn json_whose_expressions_have_their_equals_is_fine() {
        let json = r#"{"nodes": [{"parameters": {"url": "=https://a.b/{{ $json.a }}"}}]}"#;
        let body = |text: &str| {
            lacks(
                "n8n-nodes-base.httpRequest",
                4.2,
                json!({"method": "POST", "sendBody": true, "specifyBody": "json", "jsonBody": text}),
                &["jsonBody"],
            )
        };
        assert!(!body(json) && body(r#"{"a": "{{ $json.a }}"}"#));
    }
}
