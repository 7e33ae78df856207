//! Webhook paths that no caller, or not every caller, can reach.

use crate::document::definition::{Definition, Node};
use crate::document::endpoints::{Endpoint, LONGEST, of_node};
use crate::document::finding::{Code, Finding, cut, is_full, quoted};
use crate::document::json_path;
use crate::document::routes::is_lost;

/// Reports problems of the addresses of enabled nodes.
pub fn odd_paths(definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled()) {
        let known = |endpoint: &Endpoint| !endpoint.routes.is_empty() && !endpoint.path.is_empty();
        let Some(endpoint) = of_node(node).into_iter().find(known).filter(|_| !is_full(&findings)) else { continue };
        findings.extend(odd(index, node, &endpoint));
    }
    findings
}

fn odd(index: usize, node: &Node, endpoint: &Endpoint) -> Option<Finding> {
    let id = node.webhook_id();
    let of_id = id.is_some_and(|id| endpoint.path == id || endpoint.path.strip_prefix(id).is_some_and(|rest| rest.starts_with('/')));
    if let Some(what) = id.filter(|_| of_id).and_then(odd_id) {
        let message = format!(
            "the webhookId {} {what}, and it begins the URL path; remove it, so that one is derived, or use letters, digits and hyphens",
            quoted(&cut(id.unwrap_or_default(), LONGEST))
        );
        return Some(
            Finding::error(Code::WebhookPathInvalid, json_path::key(&json_path::index("nodes", index), "webhookId"), message)
                .at_node(node.name()),
        );
    }
    let at = json_path::key(&json_path::key(&json_path::index("nodes", index), "parameters"), "path");
    let own = id.filter(|_| of_id).and_then(|id| endpoint.path.strip_prefix(id)).unwrap_or(&endpoint.path);
    let own = own.strip_prefix('/').filter(|_| of_id || id.is_none()).unwrap_or(own);
    let error = |message: &str| Some(Finding::error(Code::WebhookPathInvalid, at.clone(), message).at_node(node.name()));
    if own.chars().any(char::is_control) {
        return error(
            "the path contains a control character, which clients and proxies remove from a URL; use a plain path, such as orders/new",
        );
    }
    if own.split('/').any(|part| matches!(part, "." | "..")) {
        return error("the path has a segment . or .., which clients resolve before n8n sees it; use a plain path, such as orders/new");
    }
    if id.is_some() && is_lost(own) {
        return error(
            "the path begins or ends with an empty segment, and n8n answers each of its calls with an error; remove the extra slash",
        );
    }
    own.contains("//").then(|| {
        let message = "the path has an empty segment: n8n serves it only with both slashes, and proxies that merge slashes call another path; \
                       use a plain path, such as orders/new";
        Finding::warning(Code::WebhookPathInvalid, at.clone(), message).at_node(node.name())
    })
}

/// Describes why a `webhookId` cannot be a segment of an address.
fn odd_id(id: &str) -> Option<&'static str> {
    if id.chars().any(char::is_control) {
        return Some("contains a control character");
    }
    match id {
        "." | ".." => Some("is . or .., which clients resolve"),
        _ if id.contains(['/', '\\']) => Some("contains a slash, so that it is more than one segment of a URL"),
        _ if id.starts_with(':') => Some("begins with a colon, so that n8n takes it for a parameter"),
        _ if is_lost(id) => Some("begins or ends with whitespace, so that n8n cannot look it up"),
        _ => None,
    }
}
