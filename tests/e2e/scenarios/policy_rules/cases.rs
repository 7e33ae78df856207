//! The cases: for each rule what is allowed, what is denied, and what cannot be known.

use std::fmt;

use serde_json::{Value, json};

use crate::harness::stack::rand;

/// Expected answer, with the code of the finding.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Allowed,
    Denied(&'static str),
    Warned(&'static str),
}

/// A policy and a definition.
pub(super) struct Case {
    rule: &'static str,
    what: &'static str,
    pub(super) rules: Value,
    pub(super) definition: Value,
    pub(super) wanted: Wanted,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = match self.wanted {
            Wanted::Allowed => "allowed".to_owned(),
            Wanted::Denied(code) => format!("denied ({code})"),
            Wanted::Warned(code) => format!("warned ({code})"),
        };
        write!(out, "{}, {}: {wanted}", self.rule, self.what)
    }
}

fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({ "name": name, "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters })
}

fn tick() -> Value {
    scheduled(json!({ "field": "hours", "hoursInterval": 2 }))
}

fn scheduled(rule: Value) -> Value {
    node("Tick", "n8n-nodes-base.scheduleTrigger", 1.2, json!({ "rule": { "interval": [rule] } }))
}

/// Returns a trigger with a schedule for each of these minutes of the hour.
fn each_hour_at(minutes: &[u32]) -> Value {
    let rules = minutes.iter().map(|minute| json!({ "field": "cronExpression", "expression": format!("{minute} * * * *") }));
    node("Tick", "n8n-nodes-base.scheduleTrigger", 1.2, json!({ "rule": { "interval": rules.collect::<Vec<_>>() } }))
}

fn step() -> Value {
    node("Step", "n8n-nodes-base.noOp", 1.0, json!({}))
}

fn command() -> Value {
    node("Run", "n8n-nodes-base.executeCommand", 1.0, json!({ "command": "date" }))
}

fn http(url: &str) -> Value {
    node("Fetch", "n8n-nodes-base.httpRequest", 4.2, json!({ "url": url, "options": {} }))
}

fn hook(path: &str) -> Value {
    let parameters = json!({ "path": path, "httpMethod": "GET", "responseMode": "onReceived", "options": {} });
    let mut hook = node("Hook", "n8n-nodes-base.webhook", 2.0, parameters);
    hook["webhookId"] = json!(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, path.as_bytes()).to_string());
    hook
}

fn poll(item: Value) -> Value {
    let parameters = json!({ "feedUrl": "https://news.example.com/feed", "pollTimes": { "item": [item] } });
    node("Feed", "n8n-nodes-base.rssFeedReadTrigger", 1.0, parameters)
}

/// Returns a node that runs a workflow which its parameter holds.
fn inline(workflow: &str) -> Value {
    node("Sub", "n8n-nodes-base.executeWorkflow", 1.2, json!({ "source": "parameter", "workflowJson": workflow, "options": {} }))
}

fn inside(nodes: &[Value]) -> Value {
    inline(&chain(nodes).to_string())
}

/// Returns a definition whose nodes are connected one after the other.
fn chain(nodes: &[Value]) -> Value {
    let mut connections = json!({});
    for pair in nodes.windows(2) {
        connections[pair[0]["name"].as_str().expect("a name")] =
            json!({ "main": [[{ "node": pair[1]["name"], "type": "main", "index": 0 }]] });
    }
    json!({ "name": "Rules", "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}

/// Returns an agent with a tool of the HTTP Request node.
fn with_tool() -> Value {
    let agent = node("Agent", "@n8n/n8n-nodes-langchain.agent", 1.7, json!({ "promptType": "define", "text": "Say hello", "options": {} }));
    let model = node("Model", "@n8n/n8n-nodes-langchain.lmChatOllama", 1.0, json!({ "model": "small", "options": {} }));
    let tool = node("Look up", "n8n-nodes-base.httpRequestTool", 4.2, json!({ "url": "https://api.example.com/", "options": {} }));
    let mut definition = chain(&[tick(), agent]);
    definition["nodes"].as_array_mut().expect("nodes").extend([model, tool]);
    definition["connections"]["Model"] = json!({ "ai_languageModel": [[{ "node": "Agent", "type": "ai_languageModel", "index": 0 }]] });
    definition["connections"]["Look up"] = json!({ "ai_tool": [[{ "node": "Agent", "type": "ai_tool", "index": 0 }]] });
    definition
}

fn with_secret() -> Value {
    let header = json!({ "name": "Authorization", "value": format!("Bearer {:016x}{:016x}", rand(), rand()) });
    let mut fetch = http("https://api.example.com/");
    fetch["parameters"]["sendHeaders"] = json!(true);
    fetch["parameters"]["headerParameters"] = json!({ "parameters": [header] });
    chain(&[tick(), fetch])
}

fn with_error_workflow() -> Value {
    let mut definition = chain(&[tick(), step()]);
    definition["settings"]["errorWorkflow"] = json!("handler");
    definition
}

const NODE_TYPE: Wanted = Wanted::Denied("policy-node-type");
const HOST: Wanted = Wanted::Denied("policy-host");
const PATH: Wanted = Wanted::Denied("policy-webhook-path");
const OFTEN: Wanted = Wanted::Denied("policy-schedule-interval");
const NODES: Wanted = Wanted::Denied("policy-nodes");
const ALLOWED: Wanted = Wanted::Allowed;

/// Returns all cases.
pub(super) fn cases() -> Vec<Case> {
    let case = |rule, what, rules: &Value, definition, wanted| Case { rule, what, rules: rules.clone(), definition, wanted };
    let mut all = Vec::new();
    let few = json!({ "allowedNodeTypes": ["*Trigger", "n8n-nodes-base.noOp", "n8n-nodes-base.executeWorkflow"] });
    for (what, definition, wanted) in [
        ("a type of the list", chain(&[tick(), step()]), ALLOWED),
        ("another type", chain(&[tick(), http("https://api.example.com/")]), NODE_TYPE),
        ("another type inside a node", chain(&[tick(), inside(&[tick(), command()])]), NODE_TYPE),
        ("a workflow that is only known at run time", chain(&[tick(), inline("={{ $json.workflow }}")]), NODE_TYPE),
    ] {
        all.push(case("allowedNodeTypes", what, &few, definition, wanted));
    }
    let tools = json!({ "allowedNodeTypes": ["*Trigger", "@n8n/n8n-nodes-langchain.*", "n8n-nodes-base.httpRequest"] });
    all.push(case("allowedNodeTypes", "the tool of a type of the list", &tools, with_tool(), ALLOWED));
    let no_command = json!({ "deniedNodeTypes": ["n8n-nodes-base.executeCommand"] });
    for (what, rules, definition, wanted) in [
        ("a type that is not in the list", no_command.clone(), chain(&[tick(), step()]), ALLOWED),
        ("a type of the list", no_command.clone(), chain(&[tick(), command()]), NODE_TYPE),
        ("a type of the list inside a node", no_command.clone(), chain(&[tick(), inside(&[tick(), command()])]), NODE_TYPE),
        ("a workflow that is only known at run time", no_command, chain(&[tick(), inline("={{ $json.workflow }}")]), NODE_TYPE),
        ("a glob", json!({ "deniedNodeTypes": ["*.exec*Command"] }), chain(&[tick(), command()]), NODE_TYPE),
        (
            "also allowed",
            json!({ "deniedNodeTypes": ["n8n-nodes-base.executeCommand"], "allowedNodeTypes": ["n8n-nodes-base.*"] }),
            chain(&[tick(), command()]),
            NODE_TYPE,
        ),
        ("the tool of a type of the list", json!({ "deniedNodeTypes": ["n8n-nodes-base.httpRequest"] }), with_tool(), NODE_TYPE),
    ] {
        all.push(case("deniedNodeTypes", what, &rules, definition, wanted));
    }
    let hosts = json!({ "allowedHosts": ["*.example.com"] });
    for (what, url, wanted) in [
        ("a host of the list", "https://api.example.com/a", ALLOWED),
        ("a host of the list before an expression", "=https://api.example.com/{{ $json.id }}", ALLOWED),
        ("another host", "https://api.example.net/a", HOST),
        ("a host that an expression computes", "={{ $json.url }}", Wanted::Denied("policy-host-unknown")),
    ] {
        all.push(case("allowedHosts", what, &hosts, chain(&[tick(), http(url)]), wanted));
    }
    for (what, effect, wanted) in
        [("Deny", "Deny", Wanted::Denied("policy-host-unknown")), ("Warn", "Warn", Wanted::Warned("policy-host-unknown"))]
    {
        let rules = json!({ "allowedHosts": ["*.example.com"], "unknownHosts": effect });
        all.push(case("unknownHosts", what, &rules, chain(&[tick(), http("={{ $json.url }}")]), wanted));
    }
    let warn = json!({ "allowedHosts": ["*.example.com"], "unknownHosts": "Warn" });
    all.push(case("unknownHosts", "Warn, and another host", &warn, chain(&[tick(), http("https://api.example.net/a")]), HOST));
    let prefix = json!({ "webhookPathPrefix": "team-a" });
    for (what, path, wanted) in [
        ("a path below it", "team-a/orders", ALLOWED),
        ("another path", "orders", PATH),
        ("a path that begins with the same letters", "team-ab/orders", PATH),
        ("a path that an expression computes", "={{ $vars.path }}", PATH),
    ] {
        all.push(case("webhookPathPrefix", what, &prefix, chain(&[hook(path), step()]), wanted));
    }
    let seldom = json!({ "minimumScheduleInterval": "15m" });
    let cron = |expression: &str| scheduled(json!({ "field": "cronExpression", "expression": expression }));
    for (what, trigger, wanted) in [
        ("an interval", tick(), ALLOWED),
        ("a short interval", scheduled(json!({ "field": "minutes", "minutesInterval": 5 })), OFTEN),
        (
            "an interval that an expression computes",
            scheduled(json!({ "field": "minutes", "minutesInterval": "={{ $vars.often }}" })),
            OFTEN,
        ),
        ("a cron expression", cron("0 3 * * *"), ALLOWED),
        ("a cron expression with a short gap", cron("0,5 3 * * *"), OFTEN),
        ("a cron expression that is computed", cron("={{ $vars.cron }}"), OFTEN),
        ("a poll", poll(json!({ "mode": "everyHour", "minute": 0 })), ALLOWED),
        ("a frequent poll", poll(json!({ "mode": "everyMinute" })), OFTEN),
        ("several schedules that are seldom enough together", each_hour_at(&[0, 30]), ALLOWED),
        ("several schedules that are too often together", each_hour_at(&[0, 12, 24, 36, 48]), OFTEN),
        ("a poll by a cron expression", poll(json!({ "mode": "custom", "cronExpression": "0 */5 * * * *" })), OFTEN),
    ] {
        all.push(case("minimumScheduleInterval", what, &seldom, chain(&[trigger, step()]), wanted));
    }
    for (what, effect, definition, wanted) in [
        ("Deny", "Deny", with_secret(), Wanted::Denied("secret-literal")),
        ("Warn", "Warn", with_secret(), Wanted::Warned("secret-literal")),
        ("no secret", "Deny", chain(&[tick(), http("https://api.example.com/")]), ALLOWED),
    ] {
        all.push(case("literalSecrets", what, &json!({ "literalSecrets": effect }), definition, wanted));
    }
    let handled = json!({ "requireErrorWorkflow": true });
    all.push(case("requireErrorWorkflow", "with one", &handled, with_error_workflow(), ALLOWED));
    all.push(case("requireErrorWorkflow", "without one", &handled, chain(&[tick(), step()]), Wanted::Denied("policy-error-workflow")));
    let note = node("Note", "n8n-nodes-base.stickyNote", 1.0, json!({ "content": "x" }));
    let mut noted = chain(&[tick(), step()]);
    noted["nodes"].as_array_mut().expect("nodes").push(note);
    for (what, definition, wanted) in [
        ("as many, and a note", noted, ALLOWED),
        ("one too many", chain(&[tick(), step(), http("https://api.example.com/")]), NODES),
        ("too many with those inside a node", chain(&[tick(), inside(&[tick(), step()])]), NODES),
    ] {
        all.push(case("maximumNodes", what, &json!({ "maximumNodes": 2 }), definition, wanted));
    }
    for (what, applies, wanted) in [("All", "All", NODE_TYPE), ("Generated, and a definition of the author", "Generated", ALLOWED)] {
        let rules = json!({ "appliesTo": applies, "deniedNodeTypes": ["n8n-nodes-base.noOp"] });
        all.push(case("appliesTo", what, &rules, chain(&[tick(), step()]), wanted));
    }
    all
}
