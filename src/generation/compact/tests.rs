use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::normal::normal;
use super::*;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding};
use crate::document::parse::parse;

mod faults;

fn built(document: &Value) -> Result<Compiled, Vec<Finding>> {
    read(document).and_then(|compact| compile(&compact, &BTreeMap::new(), Catalog::embedded()))
}

fn compiled(document: Value) -> Compiled {
    built(&document).unwrap_or_else(|findings| panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Returns the single error of a document, as (code, path, suggestion).
fn error(document: Value) -> (Code, String, Option<String>) {
    let findings = built(&document).expect_err("an error");
    let mut errors = findings.into_iter().filter(Finding::is_error);
    let first = errors.next().unwrap();
    assert_eq!(errors.next(), None);
    (first.code, first.path, first.suggestion)
}

/// Returns a workflow of a webhook `n1`, a node `n2` with these keys beside id and name, and a node `n3` behind it.
fn around(node: Value) -> Value {
    let mut node = node;
    node["id"] = "n2".into();
    node["as"] = "It's".into();
    json!({"compact": 1, "name": "w", "nodes": [
        {"id": "n1", "use": "webhook", "as": "Hook", "set": {"path": "hook", "httpMethod": "POST"}}, node,
        {"id": "n3", "use": "noOp", "as": "End"}], "edges": ["n1>n2"]})
}

fn parameters(node: Value) -> Value {
    compiled(around(node)).definition.node("It's").unwrap().0["parameters"].clone()
}

#[test]
fn code_supplies_ids_positions_versions_and_settings() {
    let definition = compiled(around(json!({"use": "slack.message.post", "set": {"text": "hi"}}))).definition;
    let slack = definition.node("It's").unwrap();
    assert_eq!((slack.kind(), slack.0["parameters"]["resource"].as_str()), ("n8n-nodes-base.slack", Some("message")));
    assert_eq!(slack.0["parameters"]["operation"], "post");
    assert!(slack.id().is_some() && slack.0["position"].is_array());
    assert_eq!(slack.type_version(), Catalog::embedded().node("n8n-nodes-base.slack").map(|facts| facts.default_version));
    assert!(definition.node("Hook").unwrap().webhook_id().is_some());
    assert_eq!(definition.settings["executionOrder"], "v1");
    let again = compiled(around(json!({"use": "slack.message.post", "set": {"text": "hi"}})));
    assert_eq!(again.definition, definition, "the same ids each time");
}

#[test]
fn a_reference_becomes_an_expression_on_the_right_node() {
    let text = |text: &str| parameters(json!({"use": "respondToWebhook", "set": {"responseBody": text}}))["responseBody"].clone();
    for (said, wanted) in [
        ("Hello {{n1.body.name}}!", "=Hello {{$('Hook').item.json.body.name}}!"),
        ("{{ n1.body.a + n1['body'].b }}", "={{ $('Hook').item.json.body.a + $('Hook').item.json['body'].b }}"),
        ("{{ $(n1).first().json.body }}", "={{ $('Hook').first().json.body }}"),
        ("{{ n1.body.map(n1 => n1.x) }}", "={{ $('Hook').item.json.body.map(n1 => n1.x) }}"),
        ("{{ $json.rows.map(n3 => n3.x + n1.body.y) }}", "={{ $json.rows.map(n3 => n3.x + $('Hook').item.json.body.y) }}"),
        ("{{ 'n1.x' + $json.n1 }}", "={{ 'n1.x' + $json.n1 }}"),
        ("{{ `${n1.body.x} n1` }}", "={{ `${$('Hook').item.json.body.x} n1` }}"),
        ("={{ n1.body.x }}", "={{ $('Hook').item.json.body.x }}"),
        ("'{{ not }}", "{{ not }}"),
        ("''quoted", "'quoted"),
        ("plain", "plain"),
    ] {
        assert_eq!(text(said), wanted, "{said}");
    }
}

#[test]
fn a_reference_behind_a_node_that_collects_reads_the_first_item() {
    let document = json!({"compact": 1, "nodes": [
        {"id": "a", "use": "manualTrigger", "as": "Start"},
        {"id": "b", "use": "aggregate", "as": "All", "set": {"aggregate": "aggregateAllItemData"}},
        {"id": "c", "use": "set", "as": "Out", "set": {"assignments": [{"x": "{{a.x}}"}, {"n:number": "{{b.n}}"}, {"flag": true}]}}],
        "edges": ["a>b>c"]});
    let definition = compiled(document).definition;
    let list = definition.node("Out").unwrap().0["parameters"]["assignments"]["assignments"].clone();
    assert_eq!(list[0]["value"], "={{$('Start').first().json.x}}");
    assert_eq!((&list[1]["value"], &list[1]["type"]), (&json!("={{$('All').item.json.n}}"), &json!("number")));
    assert_eq!((&list[2]["value"], &list[2]["type"]), (&json!(true), &json!("boolean")));
}

#[test]
fn conditions_and_cases_become_filters_and_named_outputs() {
    let filter = parameters(json!({"use": "if", "when": [{"match": "any", "of": [
        {"left": "{{n1.body.total}}", "op": "number.gt", "right": 100}, {"left": "{{n1.body.x}}", "op": "string.empty"}]}]}));
    assert_eq!(filter["conditions"]["combinator"], "or");
    assert_eq!(filter["conditions"]["conditions"][0]["operator"], json!({"type": "number", "operation": "gt"}));
    assert_eq!(filter["conditions"]["conditions"][1]["operator"]["singleValue"], true);
    let mut document = around(json!({"use": "switch", "when": [
        {"as": "bug", "of": [{"left": "{{n1.body.kind}}", "op": "string.equals", "right": "bug"}]},
        {"as": "wish", "of": [{"left": "{{n1.body.kind}}", "op": "string.equals", "right": "wish"}]}]}));
    document["edges"] = json!(["n1>n2.wish>n3"]);
    let connections = compiled(document.clone()).definition.connections;
    assert_eq!(connections["It's"]["main"][1][0]["node"], "End");
    document["edges"] = json!(["n1>n2.wishes>n3"]);
    assert_eq!(error(document), (Code::ConnectionOutput, "edges[0]".into(), Some("wish".into())));
}

#[test]
fn sub_nodes_are_connected_by_their_kind_and_an_error_edge_sets_on_error() {
    let document = json!({"compact": 1, "nodes": [
        {"id": "chat", "use": "chatTrigger", "as": "Chat"}, {"id": "agent", "use": "agent", "as": "Agent"},
        {"id": "model", "use": "lmChatOpenAi", "as": "Model", "set": {"model": "gpt-5-mini"}},
        {"id": "tool", "use": "httpRequestTool", "as": "Look up", "set": {"url": "https://example.org"}},
        {"id": "mail", "use": "noOp", "as": "Failed"}],
        "edges": ["chat>agent", "model>agent", "tool>agent", "agent.error>mail"]});
    let definition = compiled(document).definition;
    assert_eq!(definition.connections["Model"]["ai_languageModel"][0][0], json!({"node": "Agent", "type": "ai_languageModel", "index": 0}));
    assert_eq!(definition.connections["Look up"]["ai_tool"][0][0]["node"], "Agent");
    assert_eq!(definition.connections["Agent"]["main"][1][0]["node"], "Failed");
    assert_eq!(definition.node("Agent").unwrap().0["onError"], "continueErrorOutput");
    assert_eq!(definition.node("Model").unwrap().0["parameters"]["model"]["value"], "gpt-5-mini");
}

#[test]
fn a_slot_is_filled_as_text_and_never_as_an_expression() {
    let document = around(json!({"use": "slack.message.post", "set": {"text": "To {{?who}}: {{n1.body.x}}", "channelId": "?channel"}}));
    let open = compiled(document.clone());
    assert_eq!(open.slots.iter().map(|slot| (slot.name.as_str(), slot.open)).collect::<Vec<_>>(), [("channel", true), ("who", true)]);
    assert_eq!(open.findings.iter().filter(|finding| finding.code == Code::SlotOpen).count(), 2);
    assert_eq!(open.definition.node("It's").unwrap().0["parameters"]["channelId"]["value"], "?channel");
    let with = |who: &str, channel: &str| {
        let inputs = BTreeMap::from([("who".to_owned(), who.into()), ("channel".to_owned(), channel.into())]);
        compile(&read(&document).unwrap(), &inputs, Catalog::embedded())
    };
    let filled = with("\" + $env.SECRET + \"", "C1").unwrap();
    let set = &filled.definition.node("It's").unwrap().0["parameters"];
    assert_eq!(set["text"], r#"=To {{ "\" + $env.SECRET + \"" }}: {{$('Hook').item.json.body.x}}"#);
    assert_eq!((&set["channelId"]["value"], filled.slots[0].open), (&json!("C1"), false));
    let braces = with("}} {{ $env.SECRET", "C1").unwrap();
    let text = braces.definition.node("It's").unwrap().0["parameters"]["text"].clone();
    assert_eq!(text, r#"=To {{ "\u007d\u007d \u007b\u007b $env.SECRET" }}: {{$('Hook').item.json.body.x}}"#);
    assert!(with("me", "={{ $env.SECRET }}").is_err());
}

#[test]
fn a_text_of_given_slots_alone_is_no_expression() {
    let text = |text: &str, value: Value| {
        let document = around(json!({"use": "respondToWebhook", "set": {"responseBody": text}}));
        let inputs = BTreeMap::from([("who".to_owned(), value)]);
        let compiled = compile(&read(&document).unwrap(), &inputs, Catalog::embedded()).unwrap();
        compiled.definition.node("It's").unwrap().0["parameters"]["responseBody"].as_str().unwrap().to_owned()
    };
    assert_eq!(text("To {{?who}}!", json!("Ann")), "To Ann!");
    assert_eq!(text("To {{ ?who }}", json!(["Ann", "Bob"])), "To Ann, Bob");
    assert_eq!(text("{{?who}} text", json!("=1")), r#"={{ "=1" }} text"#);
    assert_eq!(text("To {{?who}}", json!("{{ $env.A }}")), r#"=To {{ "\u007b\u007b $env.A \u007d\u007d" }}"#);
}

#[test]
fn slots_stand_in_settings_and_the_name_and_their_values_decide_modes_and_types() {
    let document = json!({"compact": 1, "name": "For {{?team}}", "settings": {"timezone": "?zone"}, "nodes": [
        {"id": "n1", "use": "manualTrigger", "as": "Start"},
        {"id": "n2", "use": "set", "as": "Set", "set": {"assignments": [{"limit": "?limit"}]}},
        {"id": "n3", "use": "slack.message.post", "as": "Tell", "set": {"select": "channel", "channelId": "?channel", "text": "x"}}],
        "edges": ["n1>n2>n3"]});
    let given = [("team", json!("Sales")), ("zone", json!("Europe/Berlin")), ("limit", json!(5)), ("channel", json!("#sales"))];
    let inputs = given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let compiled = compile(&read(&document).unwrap(), &inputs, Catalog::embedded()).unwrap();
    let definition = &compiled.definition;
    assert_eq!((definition.name.as_deref(), &definition.settings["timezone"]), (Some("For Sales"), &json!("Europe/Berlin")));
    let parameters = |name: &str| definition.node(name).unwrap().0["parameters"].clone();
    assert_eq!(parameters("Set")["assignments"]["assignments"][0]["type"], "number");
    assert_eq!(parameters("Tell")["channelId"], json!({"__rl": true, "mode": "name", "value": "#sales"}));
    assert_eq!(compiled.slots.len(), 4);
    let open = built(&document).unwrap();
    assert!(open.slots.iter().all(|slot| slot.open) && open.definition.settings["timezone"] == "?zone");
}

#[test]
fn a_plain_text_in_a_locator_takes_the_mode_that_fits() {
    let mode = |text: &str| parameters(json!({"use": "slack.message.post", "set": {"channelId": text}}))["channelId"]["mode"].clone();
    assert_eq!((mode("#sales"), mode("C0123"), mode("{{n1.body.channel}}")), (json!("name"), json!("id"), json!("id")));
    let list = compiled(around(json!({"use": "slack.message.post", "set": {"channelId": {"@list": "our sales"}}})));
    assert!(list.findings.iter().any(|finding| finding.code == Code::LocatorMode));
}

#[test]
fn mistakes_are_reported_at_their_place_with_the_probable_meaning() {
    let table = [
        (json!({"use": "slak.message.post"}), Code::NodeTypeUnknown, "nodes[1].use", Some("slack")),
        (json!({"use": "slack.message.pst"}), Code::ParameterOption, "nodes[1].use", Some("post")),
        (json!({"use": "slack.post"}), Code::ParameterOption, "nodes[1].use", Some("message.post")),
        (json!({"use": "noOp", "sett": {}}), Code::CompactInvalid, "nodes[1].sett", Some("set")),
        (
            json!({"use": "noOp", "when": [{"of": [{"left": 1, "op": "number.gt", "right": 0}]}]}),
            Code::CompactInvalid,
            "nodes[1].when",
            None,
        ),
        (json!({"use": "noOp", "set": {"onError": "x"}}), Code::NodeFieldMisplaced, "nodes[1].set.onError", None),
        (json!({"use": "noOp", "onError": "ignore"}), Code::CompactInvalid, "nodes[1].onError", None),
    ];
    for (node, code, path, suggestion) in table {
        assert_eq!(error(around(node.clone())), (code, path.to_owned(), suggestion.map(str::to_owned)), "{node}");
    }
    let edges = |edges: Value| {
        let mut document = around(json!({"use": "noOp"}));
        document["edges"] = edges;
        error(document)
    };
    assert_eq!(edges(json!(["n1>n4"])).0, Code::ConnectionTargetUnknown);
    assert_eq!(edges(json!(["Hook>n3"])), (Code::ConnectionSourceUnknown, "edges[0]".into(), Some("n1".into())));
    assert_eq!(edges(json!(["n1"])).0, Code::CompactInvalid);
    assert_eq!(edges(json!([{"source": "n1"}])).0, Code::CompactInvalid);
    assert_eq!(locate("nodes[2].parameters.text"), "nodes[2].set.text");
    assert_eq!((locate("nodes[2].type"), locate("connections.A.main[0]")), ("nodes[2].use".into(), "edges".into()));
}

#[test]
fn strict_output_is_read_like_the_form_of_people() {
    let strict = json!({"compact": 1, "name": "w", "settings": null, "edges": ["n1>n2"], "nodes": [
        {"id": "n1", "use": "manualTrigger", "as": "Go", "set": [], "when": null, "onError": null, "retry": null, "flags": null},
        {"id": "n2", "use": "httpRequest", "as": "Get", "when": null, "onError": "continue", "retry": {"tries": 3, "wait": null}, "flags": ["once"],
         "set": [{"key": "url", "value": "https://example.org"}, {"key": "options", "value": {"entries": [{"key": "timeout", "value": 9000}]}}]}]});
    let plain = json!({"compact": 1, "name": "w", "edges": ["n1>n2"], "nodes": [
        {"id": "n1", "use": "manualTrigger", "as": "Go"},
        {"id": "n2", "use": "httpRequest", "as": "Get", "onError": "continue", "retry": {"tries": 3}, "flags": ["once"],
         "set": {"url": "https://example.org", "options": {"timeout": 9000}}}]});
    assert_eq!(read(&strict).unwrap(), read(&plain).unwrap());
    assert_eq!(serde_json::to_value(read(&plain).unwrap()).unwrap(), plain);
    strict_everywhere(&strict_schema());
}

/// Asserts that each object of the schema lists all of its keys and no other.
fn strict_everywhere(schema: &Value) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|_| schema.get("type").is_some()) {
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        assert_eq!(schema["required"].as_array().map(Vec::len), Some(properties.len()), "{schema}");
    }
    match schema {
        Value::Array(items) => items.iter().for_each(strict_everywhere),
        Value::Object(map) => map.values().for_each(strict_everywhere),
        _ => {}
    }
}

fn round_trip(definition: &Definition) -> Definition {
    let short = decompile(definition, Catalog::embedded()).unwrap().compact;
    let read_back = read(&serde_json::to_value(&short).unwrap()).unwrap();
    assert_eq!(read_back, short, "what is written can be read");
    compile(&short, &BTreeMap::new(), Catalog::embedded()).unwrap_or_else(|findings| panic!("{findings:?}")).definition
}

/// Graphs of nodes with one and with two outputs, with texts that are hard to write.
fn graphs() -> impl Strategy<Value = Value> {
    let kind =
        prop::sample::select(vec![("noOp", 1.0), ("if", 2.2), ("set", 3.4), ("merge", 3.0), ("aggregate", 1.0), ("httpRequest", 4.2)]);
    let text = prop::sample::select(vec![
        "",
        "=",
        "'",
        "{{ x }}",
        "={{ $json.a }}",
        "==a {{ 1 }}",
        "?slot",
        "={{ $('0 it\\'s').item.json.a }}",
        "={{",
        "'a'",
    ]);
    let nodes = prop::collection::vec((kind, text, "[a-z{}'=?$n0-9. ]{0,12}"), 1..8);
    (nodes, prop::collection::vec((0_usize..8, 0_usize..2, 0_usize..8, 0_usize..2), 0..14)).prop_map(|(nodes, edges)| {
        let count = nodes.len();
        let name = |at: usize| format!("{at} it's");
        let list: Vec<Value> = nodes.iter().enumerate().map(|(at, ((kind, version), text, free))| {
            let set = json!({"url": text, "free": free, "list": [text, {"deep": free}], "loc": {"__rl": true, "mode": "id", "value": text}});
            json!({"name": name(at), "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "position": [0, 0], "parameters": set})
        }).collect();
        let mut connections = json!({});
        for (from, output, to, input) in edges.into_iter().filter(|(from, _, to, _)| *from < count && *to < count) {
            let outputs = &mut connections[name(from)]["main"];
            if outputs.is_null() {
                *outputs = json!([[], []]);
            }
            let link = json!({"node": name(to), "type": "main", "index": input});
            if !outputs[output].as_array().unwrap().contains(&link) {
                outputs[output].as_array_mut().unwrap().push(link);
            }
        }
        json!({"name": "g", "nodes": list, "connections": connections, "settings": {}})
    })
}

fn garbage() -> impl Strategy<Value = Value> {
    let words = vec![
        "compact",
        "nodes",
        "edges",
        "id",
        "use",
        "as",
        "set",
        "when",
        "of",
        "left",
        "op",
        "n1",
        "n1>n2",
        "slack.message.post",
        "?a",
        "{{n1.x}}",
        "@list",
        "assignments",
        "'",
        ">",
        "n1:9>n1.7",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.clone()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let key = prop::sample::select(words.clone()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_generated_graph_comes_back_the_same(document in graphs()) {
        let definition = parse(&document).unwrap().definition;
        let back = round_trip(&definition);
        prop_assert_eq!(normal(&back, Catalog::embedded()), normal(&definition, Catalog::embedded()));
    }

    #[test]
    fn garbage_is_refused_or_compiled_and_never_panics(value in garbage(), node in garbage(), set in garbage(), edge in "[n0-9.:> a-z]{0,12}") {
        let _ = built(&value);
        let _ = built(&json!({"compact": 1, "nodes": [node.clone()], "edges": [edge.clone()]}));
        let first = json!({"id": "n1", "use": "slack.message.post", "as": "A", "set": {"text": set.clone(), "channelId": set, "assignments": node}});
        let second = json!({"id": "n2", "use": "if", "as": "B"});
        let _ = built(&json!({"compact": 1, "nodes": [first, second], "edges": [edge]}));
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let mut deep = json!("x");
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let document = around(json!({"use": "noOp", "set": {"a": deep}}));
    assert_eq!(error(document).0, Code::CompactInvalid);
    let many: Vec<Value> = (0..1_001).map(|at| json!({"id": format!("n{at}"), "use": "noOp", "as": at.to_string()})).collect();
    assert!(built(&json!({"compact": 1, "nodes": many, "edges": []})).is_err());
    assert_eq!(
        error(json!({"compact": 1, "nodes": [{"id": "a", "use": "noOp", "as": "A"}], "edges": ["a.999999999>a"]})).0,
        Code::ConnectionOutput
    );
}
