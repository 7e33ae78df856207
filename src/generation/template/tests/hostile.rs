//! Values of every kind stay data, wherever they stand.

use super::*;

/// Pieces of values that end texts, begin expressions, or look like placeholders.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "=",
    "'",
    "\"",
    "`",
    "\\",
    "\n",
    "$env.SECRET",
    "{{?x}}",
    "?x",
    " ",
    "{",
    "}",
    "${",
    "</script>",
    "\u{2028}",
    "--",
    ";",
    "é",
    "'}]",
    "x",
];

fn value() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat())
}

/// Returns the pieces of an expression that n8n evaluates, and the text around them.
fn pieces(text: &str) -> (Vec<String>, String) {
    let (mut code, mut around, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, behind) = after.split_once("}}").expect("each piece ends");
        code.push(inner.trim().to_owned());
        around.push_str(before);
        rest = behind;
    }
    (code, around + rest)
}

/// Asserts that a text shows the value between `before` and `after`, and evaluates nothing but `own`.
fn holds(text: &str, value: &str, (before, after): (&str, &str), own: &[&str]) {
    let Some(expression) = text.strip_prefix('=') else {
        assert!(own.is_empty());
        return assert_eq!(text, format!("{before}{value}{after}"));
    };
    let (code, _) = pieces(expression);
    let strings: Vec<String> =
        code.iter().filter(|code| !own.contains(&code.as_str())).map(|code| serde_json::from_str(code).expect(code)).collect();
    assert_eq!(strings, [value], "{text}");
    assert_eq!(code.len(), own.len() + 1, "{text}");
}

proptest! {
    #[test]
    fn a_value_never_leaves_its_text_and_is_never_evaluated(value in value()) {
        let declared = json!([{"name": "x", "description": "d", "required": true}]);
        let given = inputs(json!({"x": value}));
        let text = |set: &str| {
            let spec = saying(declared.clone(), json!({"select": "channel", "channelId": "C0123ABCD", "text": set}));
            let rendered = render(&spec, &given, Missing::Refuse, Catalog::embedded());
            rendered.map(|rendered| rendered.definition.node("Say").unwrap().0["parameters"]["text"].as_str().unwrap().to_owned())
        };
        match text("?x") {
            Ok(text) => prop_assert!(text == value && !text.starts_with('=')),
            Err(findings) => prop_assert!(value.starts_with('=') && findings.iter().all(|finding| finding.is_error())),
        }
        holds(&text("a {{?x}} b").unwrap(), &value, ("a ", " b"), &[]);
        holds(&text("{{?x}}").unwrap(), &value, ("", ""), &[]);
        let own = "$('Hook').item.json.body.y";
        holds(&text("{{n1.body.y}}: {{?x}}").unwrap(), &value, ("", ""), &[own]);
    }

    #[test]
    fn a_value_in_an_n8n_workflow_never_leaves_its_text_either(value in value()) {
        let declared = json!([
            {"name": "team", "description": "t", "default": "T"}, {"name": "zone", "description": "z", "default": "UTC"},
            {"name": "credential", "type": "SecretReference", "description": "c", "default": "Slack"},
            {"name": "x", "description": "d", "required": true}]);
        let given = inputs(json!({"x": value}));
        let text = |own: &str| {
            let parameters = json!({"assignments": {"assignments": [{"id": "1", "name": "n", "type": "string", "value": own}]}});
            let rendered = render(&with_definition(declared.clone(), parameters), &given, Missing::Refuse, Catalog::embedded());
            rendered.map(|rendered| {
                rendered.definition.node("Say").unwrap().0["parameters"]["assignments"]["assignments"][0]["value"].as_str().unwrap().to_owned()
            })
        };
        for whole in ["?x", "{{?x}}"] {
            match text(whole) {
                Ok(text) => prop_assert!(text == value && !text.starts_with('=')),
                Err(_) => prop_assert!(value.starts_with('=')),
            }
        }
        holds(&text("a {{?x}} b").unwrap(), &value, ("a ", " b"), &[]);
        holds(&text("={{ $json.y }}: {{?x}}").unwrap(), &value, ("", ""), &["$json.y"]);
    }
}
