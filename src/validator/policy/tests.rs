use serde_json::{Value, json};

use super::*;
use crate::document::definition::Node;

fn spec(rules: Value) -> WorkflowPolicySpec {
    serde_json::from_value(rules).unwrap()
}

fn definition(nodes: &Value, settings: Value) -> Definition {
    let nodes = nodes.as_array().unwrap().iter().map(|node| Node(node.as_object().unwrap().clone())).collect();
    Definition { nodes, settings: settings.as_object().unwrap().clone(), ..Definition::default() }
}

/// Returns severity, code and path of the violations of one policy.
fn broken(rules: Value, nodes: Value) -> Vec<(Severity, &'static str, String)> {
    let (rules, definition) = (spec(rules), definition(&nodes, json!({})));
    let mut findings = Vec::new();
    check(&definition, &[Policy { name: "p", rules: &rules }], Catalog::embedded(), &mut findings);
    findings.into_iter().map(|finding| (finding.severity, finding.code.as_str(), finding.path)).collect()
}

fn node(kind: &str, parameters: Value) -> Value {
    json!({ "name": "A", "type": kind, "typeVersion": 1, "parameters": parameters })
}

const DENIED: (Severity, &str) = (Severity::Error, "policy-node-type");

#[test]
fn node_types_are_allowed_and_denied() {
    let command = || node("n8n-nodes-base.executeCommand", json!({}));
    let http_tool = || node("n8n-nodes-base.httpRequestTool", json!({}));
    let inline = || {
        let inside = json!({ "nodes": [command()] }).to_string();
        node("n8n-nodes-base.executeWorkflow", json!({ "source": "parameter", "workflowJson": inside }))
    };
    let computed = || {
        let inside = json!({ "nodes": [command()] }).to_string();
        node("n8n-nodes-base.executeWorkflow", json!({ "source": "=parameter", "workflowJson": inside }))
    };
    let loaded = || node("n8n-nodes-base.executeWorkflow", json!({ "source": "url", "workflowUrl": "https://a.example/w.json" }));
    for (rules, node, path) in [
        (json!({ "deniedNodeTypes": ["n8n-nodes-base.executeCommand"] }), command(), Some("nodes[0].type")),
        (json!({ "deniedNodeTypes": ["*Command"], "allowedNodeTypes": ["*"] }), command(), Some("nodes[0].type")),
        (json!({ "deniedNodeTypes": ["n8n-nodes-base.ssh"] }), command(), None),
        (json!({ "deniedNodeTypes": ["n8n-nodes-base.httpRequest"] }), http_tool(), Some("nodes[0].type")),
        (json!({ "allowedNodeTypes": ["n8n-nodes-base.httpRequest"] }), http_tool(), None),
        (json!({ "allowedNodeTypes": [] }), http_tool(), Some("nodes[0].type")),
        (json!({ "allowedNodeTypes": [] }), node("n8n-nodes-base.stickyNote", json!({})), None),
        (json!({ "deniedNodeTypes": ["*Command"] }), inline(), Some("nodes[0].parameters.workflowJson")),
        (json!({ "deniedNodeTypes": ["*Command"] }), loaded(), Some("nodes[0]")),
        (json!({ "deniedNodeTypes": ["*Command"] }), computed(), Some("nodes[0]")),
        // n8n reads a type with three parts as its first two.
        (json!({ "deniedNodeTypes": ["*.executeCommand"] }), node("n8n-nodes-base.executeCommand.x", json!({})), Some("nodes[0].type")),
    ] {
        let wanted: Vec<_> = path.map(|path| (DENIED.0, DENIED.1, path.to_owned())).into_iter().collect();
        assert_eq!(broken(rules.clone(), json!([node])), wanted, "{rules} {node}");
    }
}

#[test]
fn a_type_that_is_nearly_an_allowed_one_gets_a_suggestion() {
    let rules = spec(json!({ "allowedNodeTypes": ["n8n-nodes-base.httpRequest"] }));
    let mut findings = Vec::new();
    let definition = definition(&json!([node("n8n-nodes-base.httpRequst", json!({}))]), json!({}));
    check(&definition, &[Policy { name: "p", rules: &rules }], Catalog::embedded(), &mut findings);
    assert!(findings[0].to_string().contains("did you mean \"n8n-nodes-base.httpRequest\"?"), "{}", findings[0]);
}

#[test]
fn hosts_are_allowed_denied_or_unknown() {
    let http = |url: &str| node("n8n-nodes-base.httpRequest", json!({ "url": url }));
    let at = "nodes[0].parameters.url".to_owned();
    let host = vec![(Severity::Error, "policy-host", at.clone())];
    let unknown = |severity| vec![(severity, "policy-host-unknown", at.clone())];
    for (url, mode, wanted) in [
        ("https://api.example.com/", "Deny", Vec::new()),
        ("https://api.example.net/", "Deny", host.clone()),
        ("https://api.example.net/", "Warn", host),
        ("={{ $json.url }}", "Deny", unknown(Severity::Error)),
        ("={{ $json.url }}", "Warn", unknown(Severity::Warning)),
        ("=https://api.example.com/{{ $json.id }}", "Deny", Vec::new()),
        ("", "Deny", Vec::new()),
    ] {
        let rules = json!({ "allowedHosts": ["*.example.com"], "unknownHosts": mode });
        assert_eq!(broken(rules, json!([http(url)])), wanted, "{url} {mode}");
    }
    let proxied =
        node("n8n-nodes-base.httpRequest", json!({ "url": "https://a.example.com/", "options": { "proxy": "http://b.example/" } }));
    let found = broken(json!({ "allowedHosts": ["*.example.com"] }), json!([proxied]));
    assert_eq!(found, [(Severity::Error, "policy-host", "nodes[0].parameters.options.proxy".to_owned())]);
}

#[test]
fn webhook_paths_begin_with_the_prefix_as_whole_segments() {
    let hook = |path: &str| node("n8n-nodes-base.webhook", json!({ "path": path }));
    for (path, fits) in [
        ("team-a", true),
        ("team-a/orders", true),
        ("team-ab", false),
        ("orders", false),
        ("orders/team-a", false),
        ("={{ $env.PATH }}", false),
        ("team-a/../team-b", false),
    ] {
        assert_eq!(broken(json!({ "webhookPathPrefix": "team-a" }), json!([hook(path)])).is_empty(), fits, "{path}");
    }
    let mut off = hook("orders");
    off["disabled"] = json!(true);
    assert!(broken(json!({ "webhookPathPrefix": "team-a" }), json!([off])).is_empty(), "a disabled trigger has no path");
}

#[test]
fn starts_are_apart_by_the_minimum() {
    let schedule = |rule: Value| node("n8n-nodes-base.scheduleTrigger", json!({ "rule": { "interval": [rule] } }));
    let poll = |item: Value| node("n8n-nodes-base.gmailTrigger", json!({ "pollTimes": { "item": [item] } }));
    for (trigger, fits) in [
        (schedule(json!({ "field": "minutes", "minutesInterval": 15 })), true),
        (schedule(json!({ "field": "minutes", "minutesInterval": 14 })), false),
        (schedule(json!({ "field": "minutes", "minutesInterval": "={{ 5 }}" })), false),
        (schedule(json!({ "field": "seconds", "secondsInterval": 900 })), true),
        (schedule(json!({ "field": "cronExpression", "expression": "*/20 * * * *" })), true),
        (schedule(json!({ "field": "cronExpression", "expression": "0,5 3 * * *" })), false),
        (schedule(json!({ "field": "cronExpression", "expression": "={{ $json.cron }}" })), false),
        (schedule(json!({})), true),
        (poll(json!({ "mode": "everyMinute" })), false),
        (poll(json!({ "mode": "everyX", "value": 2, "unit": "hours" })), true),
        (poll(json!({ "mode": "custom", "cronExpression": "* * * * *" })), false),
        (node("n8n-nodes-base.interval", json!({ "interval": 10, "unit": "minutes" })), false),
    ] {
        assert_eq!(broken(json!({ "minimumScheduleInterval": "15m" }), json!([trigger])).is_empty(), fits, "{trigger}");
    }
}

#[test]
fn several_schedules_and_polls_are_counted_together() {
    let cron = |expression: &str| json!({ "field": "cronExpression", "expression": expression });
    let schedule = |rules: Value| node("n8n-nodes-base.scheduleTrigger", json!({ "rule": { "interval": rules } }));
    let poll = node("n8n-nodes-base.gmailTrigger", json!({ "pollTimes": { "item": [{ "mode": "everyHour", "minute": 7 }] } }));
    let quarters = |minutes: &[u32]| -> Vec<Value> { minutes.iter().map(|minute| cron(&format!("{minute} * * * *"))).collect() };
    for (least, triggers, fits) in [
        ("15m", vec![schedule(json!(quarters(&[0, 15, 30, 45])))], true),
        ("15m", vec![schedule(json!(quarters(&[0, 12, 24, 36, 48])))], false),
        ("30m", vec![schedule(json!(quarters(&[0]))), poll.clone()], true),
        ("31m", vec![schedule(json!(quarters(&[0]))), poll.clone()], false),
        // Starts near one another are rare here, and each rule alone keeps to the minimum.
        ("1h", vec![schedule(json!([cron("0 9 * * *"), cron("5 9 * * *")]))], true),
        ("24h", vec![schedule(json!([cron("0 9 * * 1"), cron("0 9 * * 3")]))], true),
        ("168h", vec![schedule(json!([cron("0 9 * * 1"), cron("0 9 * * 3")]))], false),
        ("5m", vec![schedule(json!([cron("*/5 9 * * *"), cron("*/5 17 * * *")]))], true),
        ("8760h", vec![schedule(json!([cron("0 9 1 1 *")]))], true),
        ("8760h", vec![schedule(json!([cron("0 9 1 1 *"), cron("0 9 1 7 *")]))], false),
    ] {
        let found = broken(json!({ "minimumScheduleInterval": least }), json!(triggers));
        assert_eq!(found.is_empty(), fits, "{least} {triggers:?}: {found:?}");
    }
    let (rules, often) = (spec(json!({ "minimumScheduleInterval": "15m" })), json!([schedule(json!(quarters(&[0, 12, 24, 36, 48])))]));
    let mut found = Vec::new();
    check(&definition(&often, json!({})), &[Policy { name: "p", rules: &rules }], Catalog::embedded(), &mut found);
    let message = found[0].to_string();
    assert!(found.len() == 1 && message.contains("the 5 schedules and polls of this one are too often together"), "{message}");
    assert!(message.contains("12m between two starts on average") && message.contains("at least 15m"), "{message}");
    let mut off = poll;
    off["disabled"] = json!(true);
    assert!(broken(json!({ "minimumScheduleInterval": "31m" }), json!([schedule(json!(quarters(&[0]))), off])).is_empty());
}

#[test]
fn the_strictest_policy_decides_about_literal_secrets() {
    let [deny, warn] = ["Deny", "Warn"].map(|effect| spec(json!({ "literalSecrets": effect })));
    for (policies, severity) in [
        (vec![], Severity::Error),
        (vec![&deny], Severity::Error),
        (vec![&warn], Severity::Warning),
        (vec![&warn, &deny], Severity::Error),
        (vec![&warn, &warn], Severity::Warning),
    ] {
        let policies: Vec<Policy<'_>> = policies.into_iter().map(|rules| Policy { name: "p", rules }).collect();
        let mut findings = vec![Finding::error(Code::SecretLiteral, "nodes[0]", "a secret")];
        check(&Definition::default(), &policies, Catalog::embedded(), &mut findings);
        assert_eq!(findings[0].severity, severity);
    }
}

#[test]
fn an_error_workflow_and_a_size_are_checked() {
    let rules = spec(json!({ "requireErrorWorkflow": true, "maximumNodes": 1 }));
    let note = node("n8n-nodes-base.stickyNote", json!({}));
    let step = node("n8n-nodes-base.noOp", json!({}));
    for (nodes, settings, wanted) in [
        (json!([step, note]), json!({ "errorWorkflow": "e" }), vec![]),
        (json!([step]), json!({ "errorWorkflow": "" }), vec!["policy-error-workflow"]),
        (json!([step, step]), json!({}), vec!["policy-error-workflow", "policy-nodes"]),
    ] {
        let mut findings = Vec::new();
        check(&definition(&nodes, settings), &[Policy { name: "p", rules: &rules }], Catalog::embedded(), &mut findings);
        assert_eq!(findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn patterns_that_match_nothing_are_found() {
    let rules = spec(json!({
        "allowedNodeTypes": ["n8n-nodes-base.httpRequst", "n8n-nodes-base.*", "n8n-nodes-acme.*", "n8n-nodes-base.httpRequestTool", "*.code"],
        "deniedNodeTypes": ["@n8n/n8n-nodes-langchain.agnt", "*", "executeCommand", "*.executecommand"]
    }));
    let wanted = ["n8n-nodes-base.httpRequst", "@n8n/n8n-nodes-langchain.agnt", "executeCommand", "*.executecommand"];
    assert_eq!(unmatched(&rules, Catalog::embedded()), wanted);
}

#[test]
fn doubts_about_a_policy_are_reported() {
    let rules = spec(json!({
        "allowedNodeTypes": ["n8n-nodes-base.httpRequst", "n8n-nodes-base.ssh", "n8n-nodes-base.s*"],
        "deniedNodeTypes": ["n8n-nodes-base.ss*"]
    }));
    let doubts = doubts(&rules, Catalog::embedded());
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts[0].contains("did you mean \"n8n-nodes-base.httpRequest\"?"), "{doubts:?}");
    assert!(doubts[1].contains("\"n8n-nodes-base.ssh\" of allowedNodeTypes allows nothing"), "{doubts:?}");
    let mut found = Vec::new();
    let step = definition(&json!([node("n8n-nodes-base.ssh", json!({}))]), json!({}));
    check(&step, &[Policy { name: "p", rules: &rules }], Catalog::embedded(), &mut found);
    assert_eq!(found[0].policy.as_deref(), Some("p"));
}

#[test]
fn a_type_of_three_parts_is_the_one_that_n8n_reads() {
    let cron = json!({ "rule": { "interval": [{ "field": "cronExpression", "expression": "* * * * *" }] } });
    for (rules, kind, parameters) in [
        (json!({ "allowedHosts": ["api.example.com"] }), "n8n-nodes-base.httpRequest", json!({ "url": "https://other.example.com" })),
        (json!({ "webhookPathPrefix": "team-a" }), "n8n-nodes-base.webhook", json!({ "path": "b" })),
        (json!({ "minimumScheduleInterval": "15m" }), "n8n-nodes-base.scheduleTrigger", cron),
    ] {
        let of = |kind: &str| broken(rules.clone(), json!([node(kind, parameters.clone())]));
        let wanted = of(kind);
        assert!(!wanted.is_empty(), "{rules}");
        assert_eq!(of(&format!("{kind}.x")), wanted, "{rules}");
    }
}
