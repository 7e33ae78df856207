//! `{{ }}` in a parameter without a leading `=`, which n8n takes for plain text.

use crate::domain::validate::strings::Trail;

/// What only an expression of n8n holds, or one of another product.
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

/// Keys of parameters that hold code, templates, schemas or notes, where `{{ }}` may be meant as it stands.
const AS_IT_STANDS: &[&str] = &[
    "code",
    "css",
    "functionCode",
    "html",
    "inputSchema",
    "jsCode",
    "jsonSchema",
    "jsonSchemaExample",
    "notes",
    "pythonCode",
    "query",
    "schema",
    "sql",
    "template",
    "workflowJson",
];

/// Whether the text was probably meant as an expression.
pub(super) fn lacks_equals(kind: &str, trail: &Trail<'_>, text: &str) -> bool {
    if text.starts_with('=') || !text.contains("{{") {
        return false;
    }
    let of_template = matches!(kind, "n8n-nodes-base.html" | "n8n-nodes-base.stickyNote" | "n8n-nodes-base.htmlExtract");
    let as_it_stands = |key: &str| AS_IT_STANDS.contains(&key) || key.starts_with("cached");
    if of_template || trail.keys().any(as_it_stands) || is_markup(text) {
        return false;
    }
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(inside, _)| {
        let inside = inside.trim_start();
        MARKS.iter().any(|mark| inside.starts_with(mark) || mark.starts_with('$') && inside.contains(mark))
    })
}

fn is_markup(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("<!") || text.starts_with('<') && text.contains("</") || text.contains("</html>") || text.contains("</body>")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::validate::strings::each_string;

    fn lacks(kind: &str, key: &str, text: &str) -> bool {
        let parameters = json!({ key: text });
        let mut answer = false;
        each_string(parameters.as_object().unwrap(), |trail, text, _| answer = lacks_equals(kind, trail, text));
        answer
    }

    #[test]
    fn an_expression_without_equals_is_told_from_text_that_is_meant() {
        let http = "n8n-nodes-base.httpRequest";
        assert!(lacks(http, "url", "{{ $('A').item.json.base }}/x"));
        assert!(lacks(http, "text", "Summary: {{ $json.text }}"));
        assert!(lacks(http, "text", "{{steps.fetch.output}}"));
        assert!(lacks(http, "text", "{{ 'a' + $json.b }}"));
        for (key, text) in [
            ("url", "={{ $json.a }}"),
            ("text", "Hello {{name}}"),
            ("jsCode", "const t = '{{ $json.a }}'"),
            ("html", "<p>{{ $json.a }}</p>"),
            ("body", "<!DOCTYPE html><p>{{ $json.a }}</p>"),
            ("jsonSchemaExample", "{\"a\": \"{{ $json.a }}\"}"),
            ("cachedResultName", "{{ $json.a }}"),
            ("text", "{{ $json.a"),
            ("text", "a $json.b }} {{c}}"),
        ] {
            assert!(!lacks(http, key, text), "{key}: {text}");
        }
        assert!(!lacks("n8n-nodes-base.stickyNote", "content", "{{ $json.a }}"));
    }
}
