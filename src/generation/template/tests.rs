use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::template::{InputType, TemplateInput, WorkflowTemplateSpec};
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding, has_errors};
use crate::generation::outcome::Inputs;

mod hostile;

fn spec(inputs: Value, workflow: Value) -> WorkflowTemplateSpec {
    let mut spec = json!({"title": "T", "category": "Reporting", "description": "d", "inputs": inputs});
    spec.as_object_mut().unwrap().extend(workflow.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

/// Returns a template with these inputs, whose node `Say` has the given parameters.
fn saying(inputs: Value, set: Value) -> WorkflowTemplateSpec {
    let nodes = json!([
        {"id": "n1", "use": "webhook", "as": "Hook", "set": {"path": "p", "httpMethod": "POST"}},
        {"id": "n2", "use": "slack.message.post", "as": "Say", "set": set}]);
    spec(inputs, json!({"compact": {"compact": 1, "name": "w", "nodes": nodes, "edges": ["n1>n2"]}}))
}

fn inputs(values: Value) -> Inputs {
    values.as_object().unwrap().clone().into_iter().collect()
}

fn input(kind: InputType, more: Value) -> TemplateInput {
    let mut input = json!({"name": "x", "type": kind, "description": "An input."});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(input).unwrap()
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn every_template_that_ships_is_read_and_valid() {
    assert_eq!(templates().len(), manifests().len(), "each file of the folder can be read");
    let mut complaints = Vec::new();
    for (template, (file, _)) in templates().iter().zip(manifests()) {
        if format!("{}.yaml", template.name) != *file {
            complaints.push(format!("{file} is called {}", template.name));
        }
        let spec = &template.spec;
        if spec.examples.is_empty() || spec.phrases.len() < 3 || spec.keywords.len() < 5 || spec.expected_run_time.is_none() {
            complaints.push(format!("{file} needs an example, three phrases, five keywords and an expected run time"));
        }
        let findings = validate(spec, Catalog::embedded());
        complaints
            .extend(findings.iter().filter(|finding| !tolerated(finding)).map(|finding| format!("{file}: {}: {finding}", finding.code)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Reports whether a finding is one that a template may have: habits, and what depends on where the workflow runs.
fn tolerated(finding: &Finding) -> bool {
    finding.code.is_advice() || finding.code == Code::WebhookOpen
}

#[test]
fn each_type_takes_what_it_says_and_nothing_else() {
    let none = json!({});
    let enumerated = json!({"options": ["low", "high"]});
    let table: &[(InputType, &Value, &[Value], &[Value])] = &[
        (
            InputType::String,
            &none,
            &[json!(""), json!("two\nlines {{ }} = '")],
            &[json!(1), json!(true), json!(["a"]), json!("bell \u{7}")],
        ),
        (
            InputType::String,
            &json!({"pattern": "[a-z]+", "minLength": 2, "maxLength": 3}),
            &[json!("abc")],
            &[json!("a"), json!("abcd"), json!("ab1"), json!("ab\n")],
        ),
        (InputType::Number, &json!({"minimum": 1, "maximum": 5}), &[json!(1), json!(4.5)], &[json!(0), json!(6), json!("3")]),
        (InputType::Boolean, &none, &[json!(true)], &[json!("true"), json!(0)]),
        (InputType::Enum, &enumerated, &[json!("low")], &[json!("Low"), json!(1), json!("=low")]),
        (
            InputType::List,
            &json!({"items": "Email", "minLength": 1}),
            &[json!(["a@example.org"])],
            &[json!([]), json!("a@example.org"), json!(["a@example.org", "b"])],
        ),
        (InputType::List, &enumerated, &[json!(["low", "high"])], &[json!(["middle"])]),
        (
            InputType::Cron,
            &none,
            &[json!("0 9 * * 1-5"), json!("0 0 9 * * *")],
            &[json!("9 o'clock"), json!("0 25 * * *"), json!("=* * * * *")],
        ),
        (
            InputType::Url,
            &none,
            &[json!("https://example.org/a?b=c"), json!("http://10.0.0.1:8080")],
            &[
                json!("example.org"),
                json!("file:///etc/passwd"),
                json!("javascript:alert(1)"),
                json!("https://u:p@example.org"),
                json!("https://a b"),
                json!("=https://example.org"),
            ],
        ),
        (
            InputType::Email,
            &none,
            &[json!("ann.b+c@mail.example.org")],
            &[
                json!("ann"),
                json!("a@b"),
                json!("a b@example.org"),
                json!("a@example.org\nBcc: x@example.org"),
                json!("={{1}}@example.org"),
            ],
        ),
        (
            InputType::SecretReference,
            &none,
            &[json!("Slack of sales")],
            &[json!(""), json!("={{ 1 }}"), json!("x".repeat(129)), json!({"id": "1"})],
        ),
    ];
    for (kind, more, sound, broken) in table {
        let input = [input(*kind, (*more).clone())];
        let check = |value: &Value| check_inputs(&input, &inputs(json!({"x": value})), false);
        for value in *sound {
            assert!(check(value).is_ok(), "{kind:?} {value}");
        }
        for value in *broken {
            let findings = check(value).expect_err(&format!("{kind:?} {value}"));
            assert_eq!((codes(&findings), findings[0].path.as_str()), (vec![Code::TemplateInputInvalid], "inputs.x"), "{kind:?} {value}");
        }
    }
}

#[test]
fn a_finding_names_the_input_what_is_wanted_and_what_was_given() {
    let declared = [input(InputType::Number, json!({"required": true, "minimum": 1, "maximum": 9}))];
    let errors = |values: Value| check_inputs(&declared, &inputs(values), false).unwrap_err()[0].to_string();
    assert_eq!(errors(json!({"x": 12})), "inputs.x: the value does not fit the input (found 12, want a number from 1 to 9)");
    assert_eq!(errors(json!({})), "inputs.x: the input is required and not given: An input (found nothing, want a number from 1 to 9)");
    let unknown =
        check_inputs(&[input(InputType::String, json!({"name": "channel", "default": ""}))], &inputs(json!({"chanel": "a"})), false);
    assert!(unknown.unwrap_err()[0].to_string().ends_with(r#"did you mean "channel"?"#));
    let key = ["sk-", "q7Wz9Lk2Vb4Xn8Rt1Yc5Hd3Mf6Js0Pg"].concat();
    let secret = check_inputs(&[input(InputType::SecretReference, json!({}))], &inputs(json!({"x": key})), false).unwrap_err();
    assert!(secret[0].message.contains("credential") && !secret[0].to_string().contains(&key[6..]), "{}", secret[0]);
}

#[test]
fn a_slow_pattern_ends() {
    let declared = [input(InputType::String, json!({"pattern": "(a+)+\\1b"}))];
    assert!(check_inputs(&declared, &inputs(json!({"x": "a".repeat(4000)})), false).is_err());
}

#[test]
fn texts_of_the_command_line_become_values_of_the_type() {
    for (kind, more, text, value) in [
        (InputType::Number, json!({}), "4.5", json!(4.5)),
        (InputType::Number, json!({}), "four", json!("four")),
        (InputType::Boolean, json!({}), "true", json!(true)),
        (InputType::Boolean, json!({}), "yes", json!("yes")),
        (InputType::List, json!({}), "a, b,", json!(["a", "b"])),
        (InputType::List, json!({"items": "Number"}), "1,2", json!([1, 2])),
        (InputType::List, json!({}), r#"["a,b"]"#, json!(["a,b"])),
        (InputType::String, json!({}), "5", json!("5")),
    ] {
        assert_eq!(from_text(&input(kind, more), text), value, "{kind:?} {text}");
    }
}

#[test]
fn defaults_and_given_values_are_put_in_and_open_ones_stay() {
    let spec = saying(
        json!([{"name": "channel", "description": "c", "required": true}, {"name": "greeting", "description": "g", "default": "Hello"}]),
        json!({"select": "channel", "channelId": "?channel", "text": "{{?greeting}} {{n1.body.who}}"}),
    );
    let said = |rendered: &Rendered| rendered.definition.node("Say").unwrap().0.clone();
    let rendered = render(&spec, &inputs(json!({"channel": "#a"})), Missing::Refuse, Catalog::embedded()).unwrap();
    assert_eq!(said(&rendered)["parameters"]["text"], r#"={{ "Hello" }} {{$('Hook').item.json.body.who}}"#);
    assert_eq!(said(&rendered)["credentials"], json!({"slackApi": {"name": "slackApi"}}));
    assert_eq!(rendered.credentials, ["slackApi"]);
    assert!(!has_errors(&rendered.check(Catalog::embedded())));
    let refused = render(&spec, &Inputs::new(), Missing::Refuse, Catalog::embedded()).unwrap_err();
    assert_eq!(codes(&refused), [Code::TemplateInputMissing]);
    let open = render(&spec, &Inputs::new(), Missing::LeaveOpen, Catalog::embedded()).unwrap();
    assert_eq!(said(&open)["parameters"]["channelId"]["value"], "?channel");
    assert_eq!(open.slots.iter().filter(|slot| slot.open).map(|slot| slot.name.as_str()).collect::<Vec<_>>(), ["channel"]);
}

#[test]
fn a_secret_reference_names_the_credential_of_its_type() {
    let inputs_of =
        json!([{"name": "slack", "type": "SecretReference", "credentialType": "slackApi", "description": "s", "default": "slackApi"}]);
    let spec = saying(inputs_of, json!({"select": "channel", "channelId": "C0123ABCD", "text": "x"}));
    let rendered = render(&spec, &inputs(json!({"slack": "Slack of sales"})), Missing::Refuse, Catalog::embedded()).unwrap();
    assert_eq!(rendered.definition.node("Say").unwrap().0["credentials"], json!({"slackApi": {"name": "Slack of sales"}}));
    let placed = saying(
        json!([{"name": "slack", "type": "SecretReference", "credentialType": "slackApi", "description": "s", "required": true}]),
        json!({"select": "channel", "channelId": "C0123ABCD", "text": "{{?slack}}"}),
    );
    assert!(codes(&validate(&placed, Catalog::embedded())).contains(&Code::TemplatePlaceholder));
}

#[test]
fn only_an_input_that_says_so_may_be_an_expression() {
    let with = |expression: bool, text: &str| {
        let declared = json!([{"name": "text", "description": "t", "required": true, "expression": expression}]);
        let spec = saying(declared, json!({"select": "channel", "channelId": "C0123ABCD", "text": text}));
        let given = inputs(json!({"text": "={{ $json.body.total * 2 }}"}));
        let rendered = render(&spec, &given, Missing::Refuse, Catalog::embedded());
        rendered.map(|rendered| rendered.definition.node("Say").unwrap().0["parameters"]["text"].clone())
    };
    assert_eq!(with(true, "?text").unwrap(), "={{ $json.body.total * 2 }}");
    assert_eq!(with(true, "Sum: {{?text}}").unwrap(), "=Sum: {{ $json.body.total * 2 }}");
    assert!(with(false, "?text").is_err());
    assert_eq!(with(false, "Sum: {{?text}}").unwrap(), r#"=Sum: {{ "=\u007b\u007b $json.body.total * 2 \u007d\u007d" }}"#);
}

fn with_definition(declared: Value, parameters: Value) -> WorkflowTemplateSpec {
    let nodes = json!([
        {"name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
        {"name": "Say", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0], "parameters": parameters,
            "credentials": {"slackApi": {"name": "?credential"}}}]);
    let connections = json!({"Start": {"main": [[{"node": "Say", "type": "main", "index": 0}]]}});
    spec(
        declared,
        json!({"definition": {"name": "For {{?team}}", "nodes": nodes, "connections": connections, "settings": {"timezone": "?zone"}}}),
    )
}

#[test]
fn an_n8n_workflow_with_placeholders_is_filled_in_at_its_places() {
    let declared = json!([
        {"name": "team", "description": "t", "required": true}, {"name": "zone", "description": "z", "default": "UTC"},
        {"name": "credential", "type": "SecretReference", "description": "c", "default": "Slack"},
        {"name": "count", "type": "Number", "description": "n", "default": 3}]);
    let parameters = json!({"assignments": {"assignments": [
        {"id": "1", "name": "n", "type": "number", "value": "?count"},
        {"id": "2", "name": "s", "type": "string", "value": "Of {{?team}}"},
        {"id": "3", "name": "e", "type": "string", "value": "={{ $json.a }} {{?team}}"},
        {"id": "4", "name": "o", "type": "string", "value": "?other"}]}});
    let spec = with_definition(declared, parameters);
    let rendered = render(&spec, &inputs(json!({"team": "A \"B\" }}"})), Missing::Refuse, Catalog::embedded()).unwrap();
    let values = rendered.definition.node("Say").unwrap().0["parameters"]["assignments"]["assignments"].clone();
    let value = |at: usize| values[at]["value"].clone();
    assert_eq!((value(0), value(1)), (json!(3), json!("Of A \"B\" }}")));
    assert_eq!((value(2), value(3)), (json!(r#"={{ $json.a }} {{ "A \"B\" \u007d\u007d" }}"#), json!("?other")));
    assert_eq!((rendered.definition.name.as_deref(), &rendered.definition.settings["timezone"]), (Some("For A \"B\" }}"), &json!("UTC")));
    assert_eq!(rendered.definition.node("Say").unwrap().0["credentials"]["slackApi"]["name"], "Slack");
}

#[test]
fn a_template_says_what_is_wrong_with_it() {
    let found = |declared: Value, set: Value| codes(&validate(&saying(declared, set), Catalog::embedded()));
    let text = |text: &str| json!({"select": "channel", "channelId": "C0123ABCD", "text": text});
    let one = |more: Value| {
        let mut input = json!({"name": "x", "description": "d"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([input])
    };
    for (declared, set, wanted) in [
        (one(json!({"required": true})), text("{{?y}}"), Code::TemplatePlaceholder),
        (one(json!({"required": true})), text("plain"), Code::TemplateInputUnused),
        (one(json!({})), text("{{?x}}"), Code::TemplateInvalid),
        (one(json!({"required": true, "default": "a"})), text("{{?x}}"), Code::TemplateInvalid),
        (one(json!({"type": "Enum", "required": true})), text("{{?x}}"), Code::TemplateInvalid),
        (one(json!({"type": "Number", "default": "three"})), text("{{?x}}"), Code::TemplateInputInvalid),
        (one(json!({"pattern": "(", "required": true})), text("{{?x}}"), Code::TemplateInvalid),
        (
            json!([{"name": "x", "description": "d", "required": true}, {"name": "x", "description": "d", "required": true}]),
            text("{{?x}}"),
            Code::TemplateInvalid,
        ),
        (one(json!({"type": "SecretReference", "required": true})), text("a"), Code::TemplateInvalid),
        (one(json!({"type": "Boolean", "expression": true, "required": true})), text("{{?x}}"), Code::TemplateInvalid),
    ] {
        let codes = found(declared.clone(), set);
        assert!(codes.contains(&wanted), "{declared}: {codes:?}");
    }
    let sound = validate(&saying(one(json!({"required": true})), text("{{?x}}")), Catalog::embedded());
    assert!(!has_errors(&sound), "{sound:?}");
}

#[test]
fn a_placeholder_within_code_is_refused_and_passed_as_data_otherwise() {
    let declared = || json!([{"name": "x", "description": "d", "required": true}]);
    for (kind, set, refused) in [
        ("code", json!({"jsCode": "return [{json: {x: '{{?x}}'}}];"}), true),
        ("code", json!({"jsCode": "?x"}), true),
        ("postgres.executeQuery", json!({"query": "select * from t where id = '{{?x}}'"}), true),
        ("postgres.executeQuery", json!({"query": "?x"}), false),
        ("postgres.executeQuery", json!({"query": "select * from t where id = $1", "options": {"queryReplacement": "?x"}}), false),
        ("mySql.executeQuery", json!({"query": "select * from {{?x}}"}), true),
        ("respondToWebhook", json!({"respondWith": "json", "responseBody": "{\"a\": \"{{?x}}\"}"}), true),
        (
            "httpRequest",
            json!({"url": "https://example.org", "sendBody": true, "specifyBody": "json", "jsonBody": "{\"a\": \"{{?x}}\"}"}),
            true,
        ),
        ("httpRequest", json!({"url": "https://example.org/{{?x}}"}), false),
        ("html.generateHtmlTemplate", json!({"html": "<p>{{?x}}</p>"}), true),
        ("executeCommand", json!({"command": "?x"}), true),
        ("ssh.command.execute", json!({"command": "ls {{?x}}"}), true),
    ] {
        let nodes = json!([{"id": "n1", "use": "manualTrigger", "as": "Start"}, {"id": "n2", "use": kind, "as": "Do", "set": set}]);
        let spec = spec(declared(), json!({"compact": {"compact": 1, "name": "w", "nodes": nodes, "edges": ["n1>n2"]}}));
        let findings = validate(&spec, Catalog::embedded());
        let misplaced = codes(&findings).contains(&Code::TemplatePlaceholder);
        assert_eq!(misplaced, refused, "{kind} {set}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.code != Code::CompactInvalid), "{kind}: {findings:?}");
    }
}

#[test]
fn the_digest_changes_with_what_workflows_are_made_from() {
    let declared = |description: &str, default: &str| json!([{"name": "x", "description": description, "default": default}]);
    let set = json!({"select": "channel", "channelId": "C0123ABCD", "text": "?x"});
    let base = digest(&saying(declared("d", "a"), set.clone()));
    assert_eq!(digest(&saying(declared("other words", "a"), set.clone())), base);
    assert_ne!(digest(&saying(declared("d", "b"), set)), base);
}

#[test]
fn a_pinned_template_names_the_versions_of_its_nodes() {
    for template in templates() {
        let pinned = pinned_versions(&template.spec, Catalog::embedded()).unwrap();
        let uses = |spec: &WorkflowTemplateSpec| -> Vec<String> {
            let nodes = spec.compact.as_ref().unwrap()["nodes"].as_array().unwrap().clone();
            nodes.iter().map(|node| node["use"].as_str().unwrap().to_owned()).collect()
        };
        assert!(
            uses(&pinned).iter().all(|text| text.rsplit_once('@').is_some_and(|(_, version)| version.parse::<f64>().is_ok())),
            "{:?}",
            uses(&pinned)
        );
        assert_eq!(pinned_versions(&pinned, Catalog::embedded()).unwrap(), pinned);
        let given: Inputs = template.spec.examples[0].inputs.clone().into_iter().collect();
        let made = |spec: &WorkflowTemplateSpec| render(spec, &given, Missing::Refuse, Catalog::embedded()).unwrap().definition;
        assert_eq!(made(&pinned), made(&template.spec), "{}", template.name);
    }
}
