//! The few facts about node types that decide whether n8n publishes: existing types, those that start a workflow or have a webhook, and
//! requirements of some.

use serde_json::Value;

/// The node types that this n8n has installed.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    /// A type is known when it begins with one of these,
    pub prefixes: Vec<String>,
    /// and contains none of these.
    pub missing: Vec<String>,
}

impl Default for Installed {
    fn default() -> Self {
        Self { prefixes: vec!["n8n-nodes-base.".to_owned(), "@n8n/".to_owned()], missing: vec!["doesNotExist".to_owned()] }
    }
}

impl Installed {
    pub(crate) fn knows(&self, kind: &str) -> bool {
        self.prefixes.iter().any(|prefix| kind.starts_with(prefix)) && !self.missing.iter().any(|part| kind.contains(part))
    }
}

/// Action nodes that wait for an answer through a webhook, with the version that brought it.
const WAITING_ACTIONS: &[(&str, f64)] = &[
    ("discord", 2.0),
    ("emailSend", 2.0),
    ("form", 1.0),
    ("github", 1.0),
    ("googleChat", 1.0),
    ("gmail", 2.0),
    ("microsoftOutlook", 2.0),
    ("microsoftTeams", 2.0),
    ("slack", 2.0),
    ("telegram", 1.0),
    ("wait", 1.0),
    ("whatsApp", 1.0),
    ("chat", 1.0),
];

/// Triggers without a webhook: they poll, listen, or keep time.
const TRIGGERS_WITHOUT_WEBHOOK: &[&str] = &[
    "manualTrigger",
    "manualChatTrigger",
    "scheduleTrigger",
    "executeWorkflowTrigger",
    "errorTrigger",
    "workflowTrigger",
    "n8nTrigger",
    "evaluationTrigger",
    "localFileTrigger",
    "sseTrigger",
    "rssFeedReadTrigger",
    "gmailTrigger",
    "googleDriveTrigger",
    "googleSheetsTrigger",
    "googleCalendarTrigger",
    "airtableTrigger",
    "notionTrigger",
    "postgresTrigger",
    "redisTrigger",
    "kafkaTrigger",
    "mqttTrigger",
    "amqpTrigger",
    "rabbitmqTrigger",
    "microsoftOutlookTrigger",
    "simulateTrigger",
    "toolExecutor",
];

/// Returns a node's type without its package.
pub(crate) fn short(kind: &str) -> &str {
    kind.rsplit_once('.').map_or(kind, |(_, name)| name)
}

pub(crate) fn kind(node: &Value) -> &str {
    node.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn name(node: &Value) -> &str {
    node.get("name").and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn is_disabled(node: &Value) -> bool {
    node.get("disabled") == Some(&Value::Bool(true))
}

pub(crate) fn version(node: &Value) -> f64 {
    let version = node.get("typeVersion").and_then(Value::as_f64);
    // Without a version n8n uses the newest.
    version.unwrap_or(f64::MAX)
}

pub(crate) fn parameter<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    node.get("parameters")?.get(name)
}

pub(crate) fn text_parameter<'a>(node: &'a Value, name: &str) -> &'a str {
    parameter(node, name).and_then(Value::as_str).unwrap_or_default()
}

/// Reports whether the type is in the group of triggers.
pub(crate) fn is_trigger(kind: &str) -> bool {
    let short = short(kind);
    short.ends_with("Trigger") || ["webhook", "cron", "interval", "emailReadImap"].contains(&short)
}

/// Reports whether the type has webhooks, so that n8n gives the node a `webhookId`.
pub(crate) fn has_webhook(node: &Value) -> bool {
    let short = short(kind(node));
    short == "webhook"
        || (short.ends_with("Trigger") && !TRIGGERS_WITHOUT_WEBHOOK.contains(&short))
        || WAITING_ACTIONS.iter().any(|(action, since)| *action == short && version(node) >= *since)
}

fn is_manual(kind: &str) -> bool {
    ["manualTrigger", "manualChatTrigger"].contains(&short(kind))
}

/// Reports whether n8n accepts the node as one that can start a workflow. Action nodes with a webhook count too.
pub(crate) fn starts_workflows(node: &Value) -> bool {
    !is_disabled(node) && !is_manual(kind(node)) && (is_trigger(kind(node)) || has_webhook(node))
}

/// Reports whether n8n counts the node in `triggerCount`.
pub(crate) fn counts_as_trigger(node: &Value) -> bool {
    !is_disabled(node)
        && is_trigger(kind(node))
        && !is_manual(kind(node))
        && !["executeWorkflowTrigger", "errorTrigger"].contains(&short(kind(node)))
}

/// Returns the versions that n8n names when a version is unknown, for the types in tests.
pub(crate) fn available_versions(kind: &str) -> &'static [&'static str] {
    match short(kind) {
        "set" => &["1", "2", "3", "3.1", "3.2", "3.3", "3.4", "3.5"],
        "httpRequest" => &["1", "2", "3", "4", "4.1", "4.2", "4.3", "4.4", "4.5"],
        "webhook" => &["1", "1.1", "2", "2.1"],
        _ => &["1"],
    }
}

/// Returns the missing parameters without which n8n refuses to publish.
pub(crate) fn missing_parameters(node: &Value) -> Vec<&'static str> {
    let wanted: &[&'static str] = match short(kind(node)) {
        "httpRequest" => &["url"],
        "formTrigger" => &["formTitle"],
        "executeWorkflow" if ["", "database"].contains(&text_parameter(node, "source")) && parameter(node, "workflowJson").is_none() => {
            &["workflowId"]
        }
        "slack"
            if ["", "message"].contains(&text_parameter(node, "resource")) && ["", "post"].contains(&text_parameter(node, "operation")) =>
        {
            match text_parameter(node, "messageType") {
                "" | "text" => &["select", "text"],
                _ => &["select"],
            }
        }
        "stopAndError" if text_parameter(node, "errorType") == "errorObject" => &["errorObject"],
        "stopAndError" => &["errorMessage"],
        _ => &[],
    };
    let is_empty = |name: &&&str| match parameter(node, name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Object(locator)) => matches!(locator.get("value"), None | Some(Value::Null)) || locator["value"] == "",
        Some(_) => false,
    };
    wanted.iter().filter(is_empty).copied().collect()
}

/// Returns the credential type that has to be set on the node.
pub(crate) fn required_credential(node: &Value) -> Option<&'static str> {
    let authentication = text_parameter(node, "authentication");
    match (short(kind(node)), authentication) {
        ("slack" | "slackTrigger", "oAuth2") => Some("slackOAuth2Api"),
        ("slack" | "slackTrigger", _) => Some("slackApi"),
        ("telegram" | "telegramTrigger", _) => Some("telegramApi"),
        ("postgres", _) => Some("postgres"),
        ("mySql", _) => Some("mySql"),
        ("redis" | "redisTrigger", _) => Some("redis"),
        ("openAi" | "lmChatOpenAi", _) => Some("openAiApi"),
        ("emailReadImap", _) => Some("imap"),
        ("emailSend", _) => Some("smtp"),
        ("webhook" | "formTrigger" | "chatTrigger", "basicAuth") => Some("httpBasicAuth"),
        ("webhook", "headerAuth") => Some("httpHeaderAuth"),
        ("webhook", "jwtAuth") => Some("jwtAuth"),
        _ => None,
    }
}

/// Returns the id of the workflow that an Execute Workflow node calls, if n8n checks it.
pub(crate) fn called_workflow(node: &Value) -> Option<&str> {
    if kind(node) != "n8n-nodes-base.executeWorkflow" || !["", "database"].contains(&text_parameter(node, "source")) {
        return None;
    }
    let id = parameter(node, "workflowId")?;
    let id = id.get("value").and_then(Value::as_str).or_else(|| id.as_str())?;
    (!id.is_empty() && !id.starts_with('=')).then_some(id)
}

/// Reports whether a schedule has a cron expression that does not parse.
pub(crate) fn has_bad_cron(node: &Value) -> bool {
    let rules = parameter(node, "rule").and_then(|rule| rule.get("interval"));
    let rules = rules.and_then(Value::as_array).into_iter().flatten();
    short(kind(node)) == "scheduleTrigger"
        && !is_disabled(node)
        && rules
            .filter(|rule| rule.get("field").and_then(Value::as_str) == Some("cronExpression"))
            .filter_map(|rule| rule.get("expression").and_then(Value::as_str))
            .map(|expression| expression.strip_prefix('=').unwrap_or(expression))
            .any(|expression| !expression.contains("{{") && !is_cron(expression))
}

fn is_cron(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let limits: &[u32] = match fields.len() {
        5 => &[59, 23, 31, 12, 7],
        6 => &[59, 59, 23, 31, 12, 7],
        _ => return false,
    };
    let sound = |part: &str, limit: u32| {
        part == "*"
            || part == "?"
            || part.parse::<u32>().is_ok_and(|number| number <= limit)
            || (part.len() == 3 && part.chars().all(|letter| letter.is_ascii_alphabetic()))
    };
    fields.iter().zip(limits).all(|(field, limit)| field.split(',').all(|part| part.split(['-', '/']).all(|piece| sound(piece, *limit))))
}
