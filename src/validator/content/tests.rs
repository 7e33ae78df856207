mod arbitrary;

use serde_json::{Value, json};

use super::*;
use crate::document::finding::Code;
use crate::validator::check::parse_and_check;

const SET: &str = "n8n-nodes-base.set";
const WEBHOOK: &str = "n8n-nodes-base.webhook";
const RESPOND: &str = "n8n-nodes-base.respondToWebhook";
const LOOP: &str = "n8n-nodes-base.splitInBatches";
const MANUAL: &str = "n8n-nodes-base.manualTrigger";

fn node(name: &str, kind: &str, parameters: Value) -> Value {
    json!({"name": name, "type": kind, "typeVersion": 3, "position": [0, 0], "parameters": parameters, "webhookId": "w"})
}

fn with(mut node: Value, key: &str, value: Value) -> Value {
    node[key] = value;
    node
}

/// `A>B` connects the first output of A to B, `A>1>B` its second, `A>tool>B` attaches A to B as a tool.
fn workflow(nodes: &[Value], wires: &[&str]) -> Definition {
    let mut connections = json!({});
    for wire in wires {
        let parts: Vec<&str> = wire.split('>').collect();
        let (from, via, to) = if let [from, via, to] = parts[..] { (from, via, to) } else { (parts[0], "0", parts[1]) };
        let (kind, output) = via.parse().map_or((format!("ai_{via}"), 0), |output: usize| ("main".to_owned(), output));
        let outputs = &mut connections[from][&kind];
        while outputs.as_array().is_none_or(|outputs| outputs.len() <= output) {
            let mut longer = outputs.as_array().cloned().unwrap_or_default();
            longer.push(json!([]));
            *outputs = Value::Array(longer);
        }
        outputs[output].as_array_mut().unwrap().push(json!({"node": to, "type": kind, "index": 0}));
    }
    parse_and_check(&json!({"nodes": nodes, "connections": connections, "settings": {"errorWorkflow": "e"}})).unwrap().definition
}

fn reported(definition: &Definition, active: Option<bool>) -> Vec<String> {
    let line = |f: Finding| format!("{} {} {}", f.severity, f.code, f.node.unwrap_or_else(|| "-".into()));
    check_content(definition, active).into_iter().map(line).collect()
}

/// Returns the findings about one node that runs, without habits.
fn said_of(kind: &str, parameters: Value) -> Vec<String> {
    let definition = workflow(&[node("Start", MANUAL, json!({})), node("A", kind, parameters)], &["Start>A"]);
    let findings = check_content(&definition, None).into_iter().filter(|f| f.code != Code::HttpWithoutTimeout);
    findings.map(|f| format!("{} {} {}", f.severity, f.code, f.path.trim_start_matches("nodes[1].parameters."))).collect()
}

#[test]
fn expressions_are_checked_piece_by_piece() {
    for (text, want) in [
        ("={{ $json.a }} and {{ $now.toISO() }}", ""),
        ("=no code", ""),
        ("={{ $json. }}", "error expression-syntax"),
        ("={{ }}", "error expression-syntax"),
        ("={{ if (a) b }}", "error expression-syntax"),
        ("={{ $json.a.constructor }}", "error expression-syntax"),
        ("={{ $.body.a }}", "error expression-syntax"),
        ("={{ await $json.a }}", "error expression-syntax"),
        ("=x {{ $json.a }", "error expression-unclosed"),
        ("=x {{ $json.a", "warning expression-unclosed"),
        ("={{ {a: {b: 1} } }}", ""),
        ("={{ $('Start').item.json.a }}", ""),
        ("={{ $('Strat').item.json.a }}", "error expression-node-unknown"),
        ("={{ $node[\"Nope\"].json.a }}", "error expression-node-unknown"),
        ("={{ $node.Nope.json.a }}", "error expression-node-unknown"),
        ("={{ $items('Nope')[0] }}", "error expression-node-unknown"),
        ("={{ $node.previous.output }}", "warning expression-name-unknown"),
        ("={{ steps.x.output }}", "warning expression-name-unknown"),
        ("={{ $jsn.x }}", "warning expression-name-unknown"),
        ("={{ [1].map($x => $x) }}", ""),
        ("={{ $fromAI('a') }}", "error from-ai-outside-tool"),
        ("{{ $json.a }}", "warning expression-without-equals"),
        ("=$json.a", "warning expression-without-braces"),
        ("$('Start').item.json.a", "warning expression-without-braces"),
        ("$100", ""),
    ] {
        let want: Vec<String> = if want.is_empty() { Vec::new() } else { vec![format!("{want} a")] };
        assert_eq!(said_of(SET, json!({ "a": text })), want, "{text}");
    }
}

#[test]
fn an_unknown_node_comes_with_the_nearest_name() {
    let definition = workflow(&[node("Start", MANUAL, json!({})), node("A", SET, json!({"a": "={{ $('Strat').all() }}"}))], &["Start>A"]);
    assert_eq!(check_content(&definition, None)[0].suggestion.as_deref(), Some("Start"));
}

#[test]
fn problems_of_nodes_that_never_run_are_warnings() {
    let broken = node("A", SET, json!({"a": "={{ $json. }}"}));
    let start = node("Start", MANUAL, json!({}));
    let off = workflow(&[start.clone(), with(broken.clone(), "disabled", json!(true))], &["Start>A"]);
    assert_eq!(reported(&off, None), ["warning expression-syntax A"]);
    let cut = workflow(&[start, broken, node("B", SET, json!({}))], &["Start>B"]);
    assert_eq!(reported(&cut, None), ["warning node-unconnected A", "warning expression-syntax A"]);
}

#[test]
fn a_reference_to_a_node_that_runs_later_is_doubtful() {
    let later = json!({"a": "={{ $('B').first().json.x }}"});
    let nodes = [node("Start", MANUAL, json!({})), node("A", SET, later), node("B", SET, json!({}))];
    assert_eq!(reported(&workflow(&nodes, &["Start>A", "A>B"]), None), ["warning expression-node-not-before A"]);
    assert_eq!(reported(&workflow(&nodes, &["Start>B", "B>A"]), None), [] as [&str; 0]);
    let asked = json!({"a": "={{ $if($('B').isExecuted, $('B').first().json.x, 1) }}"});
    let nodes = [node("Start", MANUAL, json!({})), node("A", SET, asked), node("B", SET, json!({}))];
    assert_eq!(reported(&workflow(&nodes, &["Start>A", "A>B"]), None), [] as [&str; 0]);
    // A tool can refer to the nodes that its agent can refer to.
    let nodes = [
        node("Start", MANUAL, json!({})),
        node("Agent", "@n8n/n8n-nodes-langchain.agent", json!({})),
        node("T", "n8n-nodes-base.gmailTool", json!({"a": "={{ $('Start').item.json.x }} {{ $fromAI('b') }}"})),
    ];
    assert_eq!(reported(&workflow(&nodes, &["Start>Agent", "T>tool>Agent"]), None), [] as [&str; 0]);
}

#[test]
fn code_is_read_as_the_body_of_an_async_function() {
    let code = "n8n-nodes-base.code";
    for (parameters, want) in [
        (json!({"jsCode": "return await $('Start').all()"}), ""),
        (json!({"jsCode": "return ["}), "error script-syntax jsCode"),
        (json!({"jsCode": "return $('Nope').all()"}), "error expression-node-unknown jsCode"),
        (json!({"jsCode": "try { return $('Nope').all() } catch { return [] }"}), "warning expression-node-unknown jsCode"),
        (json!({"language": "python", "jsCode": "return [", "pythonCode": "return ["}), ""),
        (json!({"jsCode": "=return ["}), "error script-syntax jsCode"),
        (json!({"jsCode": "=const t = '{{#each rows}}'; return [{ json: { t } }]"}), ""),
    ] {
        let want: Vec<&str> = if want.is_empty() { Vec::new() } else { vec![want] };
        assert_eq!(said_of(code, parameters.clone()), want, "{parameters}");
    }
    assert_eq!(said_of("n8n-nodes-base.function", json!({"functionCode": "return items"})), [] as [&str; 0]);
    assert_eq!(said_of("n8n-nodes-base.functionItem", json!({"functionCode": "}"})), ["error script-syntax functionCode"]);
    let langchain = said_of("@n8n/n8n-nodes-langchain.code", json!({"code": {"execute": {"code": "("}}}));
    assert_eq!(langchain, ["error script-syntax code.execute.code"]);
}

#[test]
fn schedules_are_checked_by_their_rule() {
    let trigger = |kind: &str, parameters| reported(&workflow(&[node("T", kind, parameters)], &[]), None);
    let schedule = |interval: Value| trigger("n8n-nodes-base.scheduleTrigger", json!({"rule": {"interval": [interval]}}));
    for (interval, want) in [
        (json!({"field": "cronExpression", "expression": "0 9 * * *"}), ""),
        (json!({"field": "cronExpression", "expression": "61 25 * * *"}), "error cron-invalid T"),
        (json!({"field": "cronExpression", "expression": "={{ $json.cron }}"}), ""),
        (json!({"field": "cronExpression", "expression": "*/10 * * * * *"}), "warning schedule-too-often T"),
        (json!({"field": "cronExpression"}), "error cron-invalid T"),
        (json!({"field": "seconds"}), "warning schedule-too-often T"),
        (json!({"field": "minutes", "minutesInterval": 0}), "error schedule-invalid T"),
        (json!({"field": "minutes", "minutesInterval": 90}), "error schedule-invalid T"),
        (json!({"field": "hours", "hoursInterval": 2}), ""),
        (json!({"field": "weeks"}), ""),
        (json!({"field": "weeks", "weeksInterval": 0}), "error schedule-invalid T"),
        (json!({"field": "days", "triggerAtHour": 24}), "error schedule-invalid T"),
        (json!({"field": "months", "triggerAtDayOfMonth": 0}), "error schedule-invalid T"),
        (json!({"field": "hours", "triggerAtMinute": 59, "triggerAtHour": 99}), ""),
        (json!({}), ""),
    ] {
        let want: Vec<&str> = if want.is_empty() { Vec::new() } else { vec![want] };
        assert_eq!(schedule(interval.clone()), want, "{interval}");
    }
    let times = |expression: &str| json!({"item": [{"mode": "custom", "cronExpression": expression}]});
    assert_eq!(trigger("n8n-nodes-base.cron", json!({"triggerTimes": times("* * *")})), ["error cron-invalid T"]);
    assert_eq!(trigger("n8n-nodes-base.gmailTrigger", json!({"pollTimes": times("* * * * * *")})), ["error poll-too-often T"]);
    assert_eq!(trigger("n8n-nodes-base.gmailTrigger", json!({"pollTimes": times("*/5 * * * *")})), [] as [&str; 0]);
    assert_eq!(trigger("n8n-nodes-base.gmailTrigger", json!({"pollTimes": times("5-5 * * * * *")})), ["error poll-too-often T"]);
    assert_eq!(trigger("n8n-nodes-base.gmailTrigger", json!({"pollTimes": times("@secondly")})), ["warning poll-too-often T"]);
    let poll = |item: Value| trigger("n8n-nodes-base.gmailTrigger", json!({"pollTimes": {"item": [item]}}));
    assert_eq!(poll(json!({"mode": "everyX", "unit": "minutes", "value": 0})), ["error schedule-invalid T"]);
    assert_eq!(poll(json!({"mode": "everyDay", "hour": 25, "minute": 0})), ["error schedule-invalid T"]);
    assert_eq!(poll(json!({"mode": "everyX", "unit": "minutes", "value": 90})), [] as [&str; 0]);
}

#[test]
fn a_published_workflow_needs_a_trigger_that_n8n_counts() {
    let of = |kind: &str, disabled| {
        workflow(&[with(node("T", kind, json!({})), "disabled", json!(disabled)), node("B", SET, json!({}))], &["T>B"])
    };
    let schedule = "n8n-nodes-base.scheduleTrigger";
    assert_eq!(reported(&of(schedule, false), Some(true)), [] as [&str; 0]);
    assert_eq!(reported(&of(schedule, true), Some(true)), ["error trigger-missing T"]);
    assert_eq!(reported(&of(schedule, true), None), [] as [&str; 0]);
    assert_eq!(reported(&of(MANUAL, false), Some(true)), ["error trigger-missing T"]);
    assert_eq!(reported(&of(MANUAL, false), Some(false)), [] as [&str; 0]);
    assert_eq!(reported(&of(SET, false), Some(true)), ["error trigger-missing -"]);
    assert_eq!(reported(&of(SET, false), None), ["warning trigger-missing -"]);
}

#[test]
fn webhooks_and_their_answers_belong_together() {
    let hook = |mode: &str| node("W", WEBHOOK, json!({"path": "a", "responseMode": mode, "authentication": "headerAuth"}));
    let respond = node("R", RESPOND, json!({}));
    let (set, none) = (node("S", SET, json!({})), [] as [&str; 0]);
    let said = |nodes: &[Value], wires: &[&str]| reported(&workflow(nodes, wires), None);
    assert_eq!(said(&[hook("responseNode"), set.clone(), respond.clone()], &["W>S", "S>R"]), none);
    assert_eq!(said(&[hook("responseNode"), set.clone()], &["W>S"]), ["error respond-node-missing W"]);
    assert_eq!(said(&[hook("onReceived"), respond.clone()], &["W>R"]), ["error respond-node-unused W"]);
    assert_eq!(said(&[hook("streaming"), respond.clone()], &["W>R"]), none);
    let old = with(hook("onReceived"), "typeVersion", json!(1));
    assert_eq!(said(&[old, respond.clone()], &["W>R"]), ["warning respond-node-unused W"]);
    let wait = node("Wait", "n8n-nodes-base.wait", json!({"resume": "webhook", "responseMode": "responseNode"}));
    assert_eq!(said(&[hook("onReceived"), wait, respond.clone()], &["W>Wait", "Wait>R"]), none);
    assert_eq!(said(&[node("M", MANUAL, json!({})), respond.clone()], &["M>R"]), ["error respond-without-webhook R"]);
    let open = with(node("W", WEBHOOK, json!({})), "webhookId", json!(""));
    assert_eq!(said(&[open, set], &["W>S"]), ["warning webhook-open W", "warning webhook-path-missing W", "warning webhook-id-missing W"]);
    let twice = [hook("onReceived"), with(hook("onReceived"), "name", json!("V")), node("S", SET, json!({}))];
    assert_eq!(said(&twice, &["W>S", "V>S"]), ["error webhook-conflict V"]);
}

#[test]
fn unreachable_parts_are_reported_at_their_first_node() {
    let start = node("Start", MANUAL, json!({}));
    let set = |name: &str| node(name, SET, json!({}));
    let said = |nodes: &[Value], wires: &[&str]| reported(&workflow(nodes, wires), None);
    assert_eq!(said(&[start.clone(), set("A"), set("B"), set("C")], &["Start>A", "B>C"]), ["warning node-unreachable B"]);
    assert_eq!(said(&[start.clone(), set("A"), set("B")], &["Start>A"]), ["warning node-unconnected B"]);
    assert_eq!(said(&[start.clone(), set("A")], &[]), ["warning trigger-disconnected Start", "warning node-unconnected A"]);
    // An agent that is cut off is reported in place of its model.
    let nodes = [start.clone(), set("A"), node("M", "x.lmChat", json!({})), node("G", "x.agent", json!({}))];
    assert_eq!(said(&nodes, &["Start>A", "M>languageModel>G"]), ["warning node-unreachable G"]);
    assert_eq!(said(&nodes, &["Start>A", "A>G", "M>languageModel>G"]), [] as [&str; 0]);
    let note = node("N", "n8n-nodes-base.stickyNote", json!({"content": "{{ $json.a }}"}));
    assert_eq!(said(&[start, set("A"), note], &["Start>A"]), [] as [&str; 0]);
}

#[test]
fn an_endless_cycle_is_reported() {
    let start = node("Start", MANUAL, json!({}));
    let set = |name: &str| node(name, SET, json!({}));
    let said = |nodes: &[Value], wires: &[&str]| reported(&workflow(nodes, wires), None);
    assert_eq!(said(&[start.clone(), set("A")], &["Start>A", "A>A"]), ["error loop-endless A"]);
    assert_eq!(said(&[start.clone(), set("A"), set("B")], &["Start>A", "A>B", "B>A"]), ["error loop-endless B"]);
    let circle = |b: Value| said(&[start.clone(), set("A"), b], &["Start>A", "A>B", "B>A"]);
    assert_eq!(circle(node("B", "n8n-nodes-base.if", json!({}))), [] as [&str; 0]);
    assert_eq!(circle(node("B", "n8n-nodes-base.code", json!({}))), ["warning loop-endless B"]);
    assert_eq!(circle(node("B", "community.thing", json!({}))), ["warning loop-endless B"]);
    assert_eq!(circle(node("B", "n8n-nodes-base.wait", json!({"amount": 1, "unit": "hours"}))), ["warning loop-endless B"]);
    assert_eq!(circle(node("B", "n8n-nodes-base.slack", json!({"operation": "sendAndWait"}))), [] as [&str; 0]);
    assert_eq!(circle(with(set("B"), "onError", json!("continueErrorOutput"))), [] as [&str; 0]);
    assert_eq!(circle(with(set("B"), "disabled", json!(true))), [] as [&str; 0]);
    let deep: Vec<Value> = std::iter::once(start).chain((0..3_000).map(|i| set(&i.to_string()))).collect();
    let wires: Vec<String> = (0..3_000).map(|i| format!("{i}>{}", (i + 1) % 3_000)).chain(["Start>0".into()]).collect();
    let wires: Vec<&str> = wires.iter().map(String::as_str).collect();
    assert_eq!(reported(&workflow(&deep, &wires), None), ["error loop-endless 999"]);
}

#[test]
fn a_loop_over_items_is_wired_by_its_version() {
    let nodes = |version: u32| {
        let batches = with(node("L", LOOP, json!({})), "typeVersion", json!(version));
        [node("Start", MANUAL, json!({})), batches, node("A", SET, json!({})), node("B", SET, json!({}))]
    };
    let said = |version, wires: &[&str]| reported(&workflow(&nodes(version), wires), None);
    assert_eq!(said(3, &["Start>L", "L>1>A", "A>L", "L>0>B"]), [] as [&str; 0]);
    assert_eq!(said(3, &["Start>L", "L>0>A", "A>L", "L>1>B"]), ["warning loop-outputs-swapped L"]);
    assert_eq!(said(3, &["Start>L", "L>1>A", "A>B"]), ["warning loop-not-closed L"]);
    assert_eq!(said(1, &["Start>L", "L>0>A", "A>L", "A>B"]), [] as [&str; 0]);
}

#[test]
fn literal_secrets_are_found_and_placeholders_are_not() {
    // Generated, so that the source holds no literal secret.
    let body: String = ["Ab3", "dE5", "gH7"].concat().repeat(5);
    let hex = "4f9a27c1".repeat(4);
    let sk = format!("{}-{body}", "sk");
    let jwt = format!("{}.{}.{}", ["ey", "J", &body].concat(), ["ey", "J", &body].concat(), body);
    let pem = format!("{} PRIVATE KEY-----\n{body}{body}\n{} PRIVATE KEY-----", "-----BEGIN", "-----END");
    for parameters in [
        json!({"a": sk}),
        json!({"a": format!("=Bearer {sk}")}),
        json!({"h": [{"name": "Authorization", "value": format!("Bearer {body}")}]}),
        json!({"h": [{"name": "X-Api-Key", "value": hex}]}),
        json!({"a": format!("https://a.b/c?city=Oslo&api_key={hex}")}),
        json!({"jsonHeaders": format!("{{\"Authorization\": \"Bearer {body}\"}}")}),
        json!({"jsCode": format!("const apiKey = '{hex}';")}),
        json!({"jsCode": format!("const dbPassword = \"{}\";", ["hunt", "er2", "-x9y"].concat())}),
        json!({"a": format!("{}_{}", "ghp", body)}),
        json!({"a": format!("{}-{}-{}", "xoxb", "1234567", body)}),
        json!({"a": format!("{}{}", "AKIA", "Q7W9E2R4T6Y8U1I3")}),
        json!({"a": jwt}),
        json!({"a": pem}),
        json!({"a": format!("postgres://{}:{}@db/x", "bob", ["p4ss", "w0rdq"].concat())}),
    ] {
        let definition = workflow(&[node("Start", MANUAL, json!({})), node("A", SET, parameters.clone())], &["Start>A"]);
        let findings = check_content(&definition, None);
        let secrets = findings.iter().filter(|f| f.code == Code::SecretLiteral && f.is_error()).count();
        assert_eq!(secrets, 1, "{parameters}: {findings:?}");
        let shown = format!("{findings:?}");
        assert!(!shown.contains(&body) && !shown.contains(&hex), "{shown}");
    }
    for text in [
        "Bearer YOUR_API_KEY",
        "=Bearer {{ $json.token }}",
        "Bearer <token>",
        "Bearer xxxxxxxxxxxxxxxxxxxx1",
        "https://a.b/c?api_key=YOUR_API_KEY_1234567",
        "https://a.b/c?api_key={{ $env.KEY1 }}",
        "https://a.b/c?page_token=CAUQAA1",
        "const token = $json.token1;",
        "const apiKey = 'YOUR_API_KEY_GOES_1';",
        "const password = 'password';",
        "task-list-of-things-to-do-2024",
        "sk-circle-fade-dot-animation-now",
        "0f42cd20f9617401a0f42cd20f961740",
        "https://user@host/path",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "a token: 'next page'",
    ] {
        let said = said_of(SET, json!({ "a": text }));
        assert!(!said.iter().any(|line| line.contains("secret")), "{text}: {said:?}");
        if text.contains("Bearer") {
            let said = said_of(SET, json!({"h": [{"name": "Authorization", "value": text}]}));
            assert!(!said.iter().any(|line| line.contains("secret")), "{text}: {said:?}");
        }
    }
}

#[test]
fn a_credential_that_is_written_out_is_found() {
    let with_credentials = |credentials: Value| {
        let a = with(node("A", SET, json!({})), "credentials", credentials);
        let findings = reported(&workflow(&[node("Start", MANUAL, json!({})), a], &["Start>A"]), None);
        findings.into_iter().filter(|line| line.contains("credential")).collect::<Vec<_>>()
    };
    assert_eq!(with_credentials(json!({"x": {"id": "1", "name": "a"}})), [] as [&str; 0]);
    assert_eq!(with_credentials(json!({"x": "by name"})), [] as [&str; 0]);
    assert_eq!(with_credentials(json!({"x": {"accessToken": "t", "name": "a"}})), ["error credential-embedded A"]);
    assert_eq!(with_credentials(json!({"x": {"data": {"user": "t"}}})), ["error credential-embedded A"]);
}

#[test]
fn habits_are_reported_once() {
    let http = |name: &str, options: Value| node(name, "n8n-nodes-base.httpRequest", json!({"url": "https://a.b", "options": options}));
    let nodes = [node("Start", MANUAL, json!({})), http("A", json!({})), http("B", json!({})), http("C", json!({"timeout": 1}))];
    let mut definition = workflow(&nodes, &["Start>A", "A>B", "B>C"]);
    assert_eq!(reported(&definition, None), ["info http-without-timeout A"]);
    definition.settings.clear();
    assert_eq!(reported(&definition, None), ["info errors-unhandled A", "info http-without-timeout A"]);
}

#[test]
fn a_time_zone_must_exist() {
    let mut definition = workflow(&[node("Start", MANUAL, json!({}))], &[]);
    definition.settings.insert("timezone".into(), json!("Europe/Berln"));
    let findings = check_content(&definition, None);
    assert_eq!(findings[0].code, Code::TimeZoneUnknown);
    assert_eq!(findings[0].suggestion.as_deref(), Some("Europe/Berlin"));
}
