//! Production traffic: calls of webhooks, forms and chats, and their executions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::executions::{Execution, Start};
use super::node_types::{kind, name, parameter, short, text_parameter};
use super::reply::{Answer, Reply};
use super::request::Request;
use super::routes::percent_decoded;
use super::run::Pause;
use super::site::Site;
use super::store::World;
use super::webhooks::{Hook, not_registered};

/// The target of a request for production traffic.
pub(crate) struct Target {
    path: String,
    is_form: bool,
    /// Below this path n8n serves MCP servers only, which it checks after it has found route and version.
    is_mcp: bool,
    is_test: bool,
}

/// Returns the target of a path under which n8n serves workflows.
pub(crate) fn route(path: &str) -> Option<Target> {
    let (first, rest) = path.strip_prefix('/')?.split_once('/')?;
    let is_form = first.starts_with("form");
    ["webhook", "webhook-test", "form", "form-test", "mcp"].contains(&first).then(|| {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments: Vec<String> = rest.split('/').map(percent_decoded).collect();
        Target { path: segments.join("/"), is_form, is_mcp: first == "mcp", is_test: first.ends_with("-test") }
    })
}

fn unregistered(request: &Request, target: &Target, methods: &[String]) -> Reply {
    if target.is_form {
        let page = "<!DOCTYPE html>\n<html lang='en'>\n<head><title>Problem loading form</title></head>\n\
                    <body><h1>Problem loading form</h1></body>\n</html>\n";
        return Reply::new(404, "text/html; charset=utf-8", page);
    }
    let (message, hint) = not_registered(&request.method, &target.path, methods);
    let mut body = json!({ "code": 404, "message": message });
    if target.is_test {
        body["message"] = json!(format!("The requested webhook \"{}\" is not registered.", target.path));
        body["hint"] = json!(
            "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only \
             works for one call after you click this button)"
        );
    } else if !hint.is_empty() {
        body["hint"] = json!(hint);
    }
    Reply::json(404, &body)
}

/// n8n answers OPTIONS itself: with the methods of the path, where the caller names an origin.
fn named_methods(world: &World, request: &Request, target: &Target) -> Answer {
    if request.header("origin").is_empty() {
        return Ok(Reply::new(204, "text/plain", ""));
    }
    if target.is_test {
        return Err(unregistered(request, target, &[]));
    }
    let methods: Vec<String> = std::iter::once("OPTIONS".to_owned()).chain(world.methods_at(&target.path)).collect();
    Ok(Reply::new(204, "text/plain", "").with_header("access-control-allow-methods", &methods.join(", ")))
}

/// Runs the workflow that serves the path, if there is one.
pub(crate) async fn serve(site: &Arc<Site>, request: &Request, target: Target) -> Answer {
    if request.method == "OPTIONS" {
        return named_methods(&site.world(), request, &target);
    }
    let begun = begin(&mut site.world(), request, &target)?;
    let took = begun.pause.unwrap_or_default() + site.options().execution_time;
    if took.is_zero() {
        site.world().finish(begun.execution);
    } else if begun.waits {
        tokio::time::sleep(took).await;
        site.world().finish(begun.execution);
    } else {
        let later = Arc::clone(site);
        site.spawn(async move {
            tokio::time::sleep(took).await;
            later.world().finish(begun.execution);
        });
    }
    Ok(begun.reply)
}

struct Begun {
    execution: u64,
    reply: Reply,
    /// True if the client gets its response only when the run is over.
    waits: bool,
    pause: Option<Duration>,
}

fn begin(world: &mut World, request: &Request, target: &Target) -> Result<Begun, Reply> {
    let missing = |methods: &[String]| unregistered(request, target, methods);
    if target.is_test {
        return Err(missing(&[]));
    }
    let methods = world.methods_at(&target.path);
    let hook = world.find_hook(&request.method, &target.path);
    let Some(hook) = hook.filter(|hook| hook.is_form == target.is_form).cloned() else {
        return Err(missing(&methods));
    };
    let workflow = world.workflows.get(&hook.workflow_id);
    let Some((workflow, version)) = workflow.and_then(|known| Some((known, world.running_version(known)?))) else {
        let which = if world.outbox.is_some() { "Published" } else { "Active" };
        let message = format!("{which} version not found for workflow with id \"{}\"", hook.workflow_id);
        return Err(Reply::json(404, &json!({ "code": 404, "message": message })));
    };
    if target.is_mcp {
        return Err(missing(&methods));
    }
    let node = version.content.node_list().iter().find(|node| name(node) == hook.node);
    let node = node.cloned().unwrap_or_default();
    check_caller(world, request, &node)?;
    let is_chat = short(kind(&node)) == "chatTrigger";
    if is_chat && parameter(&node, "public") != Some(&json!(true)) {
        return Err(Reply::new(404, "text/plain", ""));
    }
    if request.method == "GET" && (hook.is_form || is_chat) {
        let title = text_parameter(&node, "formTitle");
        let page = format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><form></form></body></html>");
        return Err(Reply::new(200, "text/html; charset=utf-8", page));
    }
    let start = Start {
        workflow_id: workflow.id.clone(),
        mode: "webhook",
        content: Arc::clone(&version.content),
        version_id: workflow.version_id.clone(),
        start: hook.node.clone(),
        input: vec![item(request, &hook, &target.path)],
        retry_of: None,
    };
    let execution = world.begin(start);
    let run = &world.executions[&execution];
    let (reply, waits) = answer(&node, run, is_chat);
    let pause = match &run.outcome.pause {
        Some(Pause::For(time)) => Some(*time),
        _ => None,
    };
    Ok(Begun { execution, reply, waits, pause })
}

fn check_caller(world: &World, request: &Request, node: &Value) -> Result<(), Reply> {
    let of = |kind: &str| {
        let id = node["credentials"][kind]["id"].as_str().unwrap_or_default();
        world.credentials.iter().find(|known| known.id == id)
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let refuse = |status| Reply::new(status, "text/html; charset=utf-8", "Authorization data is wrong!");
    match text_parameter(node, "authentication") {
        "headerAuth" => {
            let Some(wanted) = of("httpHeaderAuth") else {
                return Err(Reply::new(500, "text/html; charset=utf-8", "No authentication data defined on node!"));
            };
            let name = text(wanted.data.get("name")).to_lowercase();
            if request.header(&name) != text(wanted.data.get("value")) {
                return Err(refuse(403));
            }
        }
        "basicAuth" => {
            let Some(wanted) = of("httpBasicAuth") else {
                return Err(Reply::new(500, "text/html; charset=utf-8", "No authentication data defined on node!"));
            };
            let pair = format!("{}:{}", text(wanted.data.get("user")), text(wanted.data.get("password")));
            let given = request.header("authorization");
            if given.is_empty() {
                let reply = Reply::new(401, "text/html; charset=utf-8", "Authorization is required!");
                return Err(reply.with_header("www-authenticate", "Basic realm=\"Webhook\""));
            }
            if given != format!("Basic {}", STANDARD.encode(pair)) {
                return Err(refuse(403));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Returns the output of the trigger.
fn item(request: &Request, hook: &Hook, path: &str) -> Value {
    let body = if request.header("content-type").starts_with("application/json") {
        serde_json::from_slice(&request.body).unwrap_or(json!({}))
    } else {
        let fields: HashMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        json!(fields)
    };
    if hook.is_form {
        return body;
    }
    let parts = path.split('/').skip(1);
    let params: HashMap<&str, &str> = hook
        .path
        .split('/')
        .zip(parts)
        .filter_map(|(name, value)| Some((name.strip_prefix(':')?, value)))
        .filter(|_| hook.webhook_id.is_some())
        .collect();
    json!({
        "headers": request.headers, "params": params, "query": request.queries(), "body": body,
        "webhookUrl": format!("http://{}{}", request.header("host"), request.path),
        "executionMode": "production",
    })
}

fn status_of(node: &Value) -> u16 {
    let options = parameter(node, "options").and_then(|options| options.get("responseCode"));
    let nested = options.and_then(|code| code.get("values")).and_then(|values| values.get("responseCode"));
    let code = nested.or_else(|| parameter(node, "responseCode"));
    code.and_then(Value::as_u64).unwrap_or(200) as u16
}

/// Header that n8n sends with every response of a workflow, and not with its own refusals.
const SANDBOX: &str = "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups \
                       allow-popups-to-escape-sandbox allow-presentation allow-scripts allow-top-navigation-by-user-activation \
                       allow-top-navigation-to-custom-protocols";

fn answer(node: &Value, run: &Execution, is_chat: bool) -> (Reply, bool) {
    let mode = match text_parameter(node, "responseMode") {
        "" if is_chat => "lastNode",
        mode => mode,
    };
    let status = status_of(node);
    let outcome = &run.outcome;
    let failed = || Reply::json(500, &json!({ "message": "Error in workflow" }));
    let first = || Reply::json(status, outcome.items.first().unwrap_or(&Value::Null));
    let (reply, waits) = match mode {
        "lastNode" if outcome.error.is_some() => return (failed(), true),
        "lastNode" => match text_parameter(node, "responseData") {
            "allEntries" => (Reply::json(status, &json!(outcome.items)), true),
            "noData" => (Reply::new(status, "text/html; charset=utf-8", ""), true),
            _ => (first(), true),
        },
        "responseNode" => match &outcome.response {
            Some(reply) => (reply.clone(), true),
            None if outcome.error.is_some() => return (failed(), true),
            None => (first(), true),
        },
        _ if short(kind(node)) == "formTrigger" => {
            let shown = json!({ "formSubmittedText": "Your response has been recorded" });
            (Reply::json(200, &shown), false)
        }
        _ => (Reply::json(status, &json!({ "message": "Workflow was started" })), false),
    };
    (reply.with_header("content-security-policy", SANDBOX), waits)
}
