//! Endpoints at which a published workflow can be called from outside.
//!
//! Source: `webhook.service.js` (`getNodeWebhooks`), `webhook-trigger-registrar.js` and the `webhooks` of the node descriptions of n8n
//! 2.39.10.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, cut, is_full, quoted};
use crate::document::routes::{Route, is_template, trimmed};
use crate::document::{json_path, node_types};

const WEBHOOK: &str = "n8n-nodes-base.webhook";
const FORM: &str = "n8n-nodes-base.formTrigger";
const CHAT: &str = "@n8n/n8n-nodes-langchain.chatTrigger";
const MCP: &str = "@n8n/n8n-nodes-langchain.mcpTrigger";
/// Characters that must be encoded in a segment of a URL's path (those outside `pchar` of RFC 3986). n8n decodes each segment before it
/// looks up the path (measured).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// Maximum number of characters of a path or method that a message repeats.
pub(crate) const LONGEST: usize = 200;

/// Kind of caller that an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// A Webhook node.
    Webhook,
    /// A form for people.
    Form,
    /// A public chat.
    Chat,
    /// A server for agents (Model Context Protocol).
    Mcp,
    /// A trigger that one service calls, such as Telegram or GitHub.
    Service,
}

/// An endpoint at which n8n listens on behalf of a published workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the node.
    pub node: String,
    /// Kind of caller.
    pub kind: EndpointKind,
    /// Methods that it answers, in capitals. Empty if an expression computes them.
    pub methods: Vec<String>,
    /// First segment of the URL's path, by n8n's defaults: `webhook`, `form` or `mcp`.
    pub base: &'static str,
    /// Path below [`Self::base`], without a leading slash, as n8n serves it. Parameters stay as `:name`. If an expression computes it, the
    /// expression itself.
    pub path: String,
    /// Path as the author wrote it, without slashes at its ends; None if an expression computes it, or if n8n makes it of an id.
    pub written: Option<String>,
    /// True if path and methods are known without running n8n's expressions.
    pub verifiable: bool,
    /// Entries that n8n stores for it in its table of routes, one for each method.
    pub routes: Vec<Route>,
    /// True if n8n answers 404 to every caller but the editor.
    closed: bool,
}

impl Endpoint {
    fn is_open(&self) -> bool {
        !self.closed
    }

    /// Returns the URL path with parameters as `:name`, such as `/webhook/orders`.
    pub fn url_path(&self) -> String {
        format!("/{}/{}", self.base, self.path)
    }

    /// Returns the URL path as a caller writes it: [`Self::url_path`] with reserved characters encoded.
    pub fn address(&self) -> String {
        let encoded: Vec<String> = self.path.split('/').map(|segment| utf8_percent_encode(segment, ENCODED).to_string()).collect();
        format!("/{}/{}", self.base, encoded.join("/"))
    }

    /// Returns the URL path with placeholders in place of parameters, to check that a route exists.
    pub fn check_path(&self) -> String {
        let fill = |segment: &'_ str| {
            if segment.starts_with(':') { "0".to_owned() } else { segment.to_owned() }
        };
        let path: Vec<String> = self.path.split('/').map(fill).collect();
        format!("/{}/{}", self.base, path.join("/"))
    }
}

/// Returns the endpoints of the enabled trigger nodes, in node order. Nodes that only wait for a response within an execution have no
/// endpoint. Fill in the ids first: `webhookId` is part of URLs.
pub fn webhook_endpoints(definition: &Definition) -> Vec<Endpoint> {
    definition.nodes.iter().filter(|node| !node.disabled()).flat_map(of_node).filter(Endpoint::is_open).collect()
}

/// Entries that n8n stores in its table of routes for a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Entries that are known.
    pub routes: Vec<Route>,
    /// Nodes whose entries n8n computes when it publishes.
    pub computed: Vec<String>,
}

/// Returns the routes that n8n stores for the enabled nodes, including those that nobody can call.
pub fn kept_routes(definition: &Definition) -> Kept {
    let mut kept = Kept::default();
    for endpoint in definition.nodes.iter().filter(|node| !node.disabled()).flat_map(of_node) {
        if !endpoint.verifiable && !kept.computed.contains(&endpoint.node) {
            kept.computed.push(endpoint.node);
        } else if endpoint.verifiable {
            kept.routes.extend(endpoint.routes);
        }
    }
    kept.routes.sort_unstable();
    kept.routes.dedup();
    kept
}

/// Reports whether nodes of a type can have endpoints at all.
pub fn listens(kind: &str) -> bool {
    matches!(kind, WEBHOOK | FORM | CHAT | MCP) || node_types::service_trigger(kind).is_some()
}

pub(crate) fn of_node(node: &Node) -> Vec<Endpoint> {
    match node.kind() {
        WEBHOOK => of_webhook(node),
        FORM => of_form(node),
        CHAT => vec![below_id(node, EndpointKind::Chat, &["GET", "POST"], "chat")],
        MCP => of_mcp(node),
        kind => match node_types::service_trigger(kind) {
            Some((methods, suffix)) => vec![below_id(node, EndpointKind::Service, methods, suffix)],
            None => Vec::new(),
        },
    }
}

/// Returns an endpoint whose path is the node's `webhookId` and a suffix.
fn below_id(node: &Node, kind: EndpointKind, methods: &[&str], suffix: &str) -> Endpoint {
    let path = format!("{}/{suffix}", node.webhook_id().unwrap_or_default());
    let mut found = endpoint(node, kind, "webhook", Some(owned(methods)), Written::Text(path), true);
    found.closed = kind == EndpointKind::Chat && node.parameter("public") != Some(&Value::Bool(true));
    found
}

/// A path as the author wrote it.
enum Written {
    Text(String),
    /// An expression from which n8n computes the path.
    Computed(String),
}

impl Written {
    /// n8n converts other values to text, as JavaScript does. Only the text of a number is simple enough to be predicted.
    fn of(value: Option<&Value>, suffix: &str) -> Self {
        match value {
            None | Some(Value::Null) => Self::Text(suffix.to_owned()),
            Some(Value::String(text)) if text.starts_with('=') => Self::Computed(text.clone()),
            Some(Value::String(text)) => Self::Text(format!("{text}{suffix}")),
            Some(Value::Number(number)) if number.is_u64() => Self::Text(format!("{number}{suffix}")),
            Some(other) => Self::Computed(other.to_string()),
        }
    }
}

fn owned(methods: &[&str]) -> Vec<String> {
    methods.iter().map(|method| (*method).to_owned()).collect()
}

fn endpoint(node: &Node, kind: EndpointKind, base: &'static str, methods: Option<Vec<String>>, written: Written, of_id: bool) -> Endpoint {
    let id = node.webhook_id();
    let (kept, path, own, known) = match written {
        Written::Computed(expression) => (String::new(), expression, None, false),
        Written::Text(text) if of_id => (text.clone(), text, None, true),
        Written::Text(text) => {
            let own = trimmed(&text);
            let path = match id {
                Some(id) if own.is_empty() => id.to_owned(),
                Some(id) if is_template(own) => format!("{id}/{own}"),
                _ => own.to_owned(),
            };
            (if own.is_empty() { path.clone() } else { own.to_owned() }, path, Some(own.to_owned()), true)
        }
    };
    let of_id = of_id || known && id == Some(path.as_str());
    let verifiable = known && methods.is_some() && !path.is_empty() && !path.starts_with('/');
    let methods = methods.unwrap_or_default();
    let routes = if known { methods.iter().map(|method| Route::new(method, &kept, id, of_id)).collect() } else { Vec::new() };
    Endpoint { node: node.name().to_owned(), kind, methods, base, path, written: own, verifiable, routes, closed: false }
}

fn of_webhook(node: &Node) -> Vec<Endpoint> {
    let several = node.parameter("multipleMethods").and_then(Value::as_bool).unwrap_or(false);
    let split = |methods: &str| methods.split(',').map(|method| method.trim().to_owned()).filter(|method| !method.is_empty()).collect();
    let methods: Option<Vec<String>> = match node.parameter("httpMethod") {
        Some(Value::String(expression)) if expression.starts_with('=') => None,
        Some(Value::String(methods)) if !methods.is_empty() => Some(split(methods)),
        Some(Value::Array(methods)) => {
            let plain = methods.iter().all(|method| method.as_str().is_some_and(|method| !method.starts_with('=')));
            plain.then(|| methods.iter().filter_map(Value::as_str).flat_map(|method| -> Vec<String> { split(method) }).collect())
        }
        None | Some(Value::Null | Value::String(_)) if several => Some(owned(&["GET", "POST"])),
        None | Some(Value::Null | Value::String(_)) => Some(owned(&["GET"])),
        Some(_) => None,
    };
    vec![endpoint(node, EndpointKind::Webhook, "webhook", methods, Written::of(node.parameter("path"), ""), false)]
}

fn of_form(node: &Node) -> Vec<Endpoint> {
    let methods = Some(owned(&["GET", "POST"]));
    let own = node.parameter("path");
    if node.type_version().is_some_and(|version| version < 2.0) {
        return vec![endpoint(node, EndpointKind::Form, "webhook", methods, Written::of(own, "/n8n-form"), false)];
    }
    let option = node.parameter("options").and_then(|options| options.get("path"));
    let is_set = |value: &&Value| !matches!(value, Value::Null | Value::Bool(false)) && **value != "" && **value != 0;
    let path = own.into_iter().chain(option).find(is_set);
    vec![endpoint(node, EndpointKind::Form, "form", methods, Written::of(path, ""), false)]
}

fn of_mcp(node: &Node) -> Vec<Endpoint> {
    let own = node.parameter("path");
    let of =
        |methods: &[&str], suffix: &str| endpoint(node, EndpointKind::Mcp, "mcp", Some(owned(methods)), Written::of(own, suffix), false);
    if node.type_version().is_some_and(|version| version < 2.0) {
        return vec![of(&["GET"], "/sse"), of(&["POST"], "/messages"), of(&["DELETE"], "")];
    }
    vec![of(&["GET", "POST", "DELETE"], "")]
}

/// Reports enabled nodes of one document that listen on one method and path, which n8n refuses to publish (409).
pub fn endpoint_conflicts(definition: &Definition) -> Vec<Finding> {
    // The first node, by path and method.
    let mut seen: HashMap<String, HashMap<String, &str>> = HashMap::new();
    let mut findings = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled()) {
        for endpoint in of_node(node).into_iter().filter(|endpoint| endpoint.verifiable) {
            let url = cut(&endpoint.url_path(), LONGEST);
            let first_of = seen.entry(endpoint.path).or_default();
            for method in endpoint.methods.iter().map(|method| method.to_ascii_uppercase()) {
                let Some(first) = first_of.get(&method) else {
                    first_of.insert(method, node.name());
                    continue;
                };
                if is_full(&findings) {
                    return findings;
                }
                let message = format!("{} {url} is already served by node {}", cut(&method, LONGEST), quoted(first));
                let at = json_path::key(&json_path::key(&json_path::index("nodes", index), "parameters"), "path");
                findings.push(Finding::error(Code::WebhookConflict, at, message).at_node(node.name()));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
