//! Routing of requests: the operations, their scopes, and n8n's responses before a handler is reached.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::reply::{Answer, Reply};
use super::request::Request;
use super::site::{Site, is_too_large};
use super::{credentials, executions, production, projects, publish, tags, workflow_views, workflows};

const BASE: &str = "/api/v1";

/// An operation of the public API.
struct Route {
    method: &'static str,
    template: &'static str,
    scope: Option<&'static str>,
    tag: &'static str,
    operation: &'static str,
}

macro_rules! routes {
    ($($method:literal $template:literal $scope:expr, $tag:literal $operation:literal;)*) => {
        &[$(Route { method: $method, template: $template, scope: $scope, tag: $tag, operation: $operation }),*]
    };
}

/// Literal segments are listed before parameters that they would also match.
#[rustfmt::skip]
const ROUTES: &[Route] = routes! {
    "GET" "/discover" None, "Discover" "getDiscover";
    "GET" "/workflows" Some("workflow:list"), "Workflow" "getWorkflows";
    "POST" "/workflows" Some("workflow:create"), "Workflow" "createWorkflow";
    "GET" "/workflows/{id}" Some("workflow:read"), "Workflow" "getWorkflow";
    "PUT" "/workflows/{id}" Some("workflow:update"), "Workflow" "updateWorkflow";
    "DELETE" "/workflows/{id}" Some("workflow:delete"), "Workflow" "deleteWorkflow";
    "POST" "/workflows/{id}/archive" Some("workflow:delete"), "Workflow" "archiveWorkflow";
    "POST" "/workflows/{id}/unarchive" Some("workflow:delete"), "Workflow" "unarchiveWorkflow";
    "POST" "/workflows/{id}/publish" Some("workflow:activate"), "Workflow" "publishWorkflow";
    "POST" "/workflows/{id}/unpublish" Some("workflow:deactivate"), "Workflow" "unpublishWorkflow";
    "POST" "/workflows/{id}/activate" Some("workflow:activate"), "Workflow" "activateWorkflow";
    "POST" "/workflows/{id}/deactivate" Some("workflow:deactivate"), "Workflow" "deactivateWorkflow";
    "PUT" "/workflows/{id}/transfer" Some("workflow:move"), "Workflow" "transferWorkflow";
    "GET" "/workflows/{id}/history" Some("workflow:read"), "Workflow" "getWorkflowHistory";
    "GET" "/workflows/{id}/versions/{id}" Some("workflow:read"), "Workflow" "getWorkflowVersion";
    "GET" "/workflows/{id}/tags" Some("workflowTags:list"), "Workflow" "getWorkflowTags";
    "PUT" "/workflows/{id}/tags" Some("workflowTags:update"), "Workflow" "updateWorkflowTags";
    "GET" "/workflows/{id}/{id}" Some("workflow:read"), "Workflow" "getWorkflowVersionByOldPath";
    "GET" "/tags" Some("tag:list"), "Tags" "getTags";
    "POST" "/tags" Some("tag:create"), "Tags" "createTag";
    "GET" "/tags/{id}" Some("tag:read"), "Tags" "getTag";
    "PUT" "/tags/{id}" Some("tag:update"), "Tags" "updateTag";
    "DELETE" "/tags/{id}" Some("tag:delete"), "Tags" "deleteTag";
    "GET" "/credentials" Some("credential:list"), "Credential" "getCredentials";
    "POST" "/credentials" Some("credential:create"), "Credential" "createCredential";
    "GET" "/credentials/schema/{id}" None, "Credential" "getCredentialType";
    "GET" "/credentials/{id}" Some("credential:read"), "Credential" "getCredential";
    "PATCH" "/credentials/{id}" Some("credential:update"), "Credential" "updateCredential";
    "DELETE" "/credentials/{id}" Some("credential:delete"), "Credential" "deleteCredential";
    "POST" "/credentials/{id}/test" Some("credential:read"), "Credential" "testCredential";
    "GET" "/executions" Some("execution:list"), "Executions" "getExecutions";
    "GET" "/executions/{id}" Some("execution:read"), "Executions" "getExecution";
    "DELETE" "/executions/{id}" Some("execution:delete"), "Executions" "deleteExecution";
    "POST" "/executions/{id}/stop" Some("execution:stop"), "Executions" "stopExecution";
    "POST" "/executions/{id}/retry" Some("execution:retry"), "Executions" "retryExecution";
    "GET" "/projects" Some("project:list"), "Projects" "getProjects";
    "POST" "/projects" Some("project:create"), "Projects" "createProject";
    "GET" "/variables" Some("variable:list"), "Variables" "getVariables";
    "POST" "/variables" Some("variable:create"), "Variables" "createVariable";
};

/// Returns every scope that the operations require, which is the default of an owner's key.
pub(crate) fn all_scopes() -> Vec<String> {
    let mut scopes: Vec<String> = ROUTES.iter().filter_map(|route| route.scope.map(str::to_owned)).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

fn parameters(template: &str, path: &str) -> Option<Vec<String>> {
    let (wanted, found) = (template.split('/'), path.split('/'));
    if template.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut parameters = Vec::new();
    for (wanted, found) in wanted.zip(found) {
        if wanted == "{id}" && !found.is_empty() {
            parameters.push(percent_decoded(found));
        } else if wanted != found {
            return None;
        }
    }
    Some(parameters)
}

/// Decodes a path segment.
pub(crate) fn percent_decoded(text: &str) -> String {
    // A form decoder does it, once the one character with a special meaning to it is escaped.
    let text = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    let pair = url::form_urlencoded::parse(text.as_bytes()).next();
    pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Handles a request as n8n does.
pub(crate) async fn handle(site: &Arc<Site>, request: &Request) -> Reply {
    let answer = match request.path.as_str() {
        "/healthz" => Ok(Reply::json(200, &json!({ "status": "ok" }))),
        "/healthz/readiness" if site.is_ready() => Ok(Reply::json(200, &json!({ "status": "ok" }))),
        "/healthz/readiness" => Ok(Reply::json(503, &json!({ "status": "error" }))),
        // Until it is ready n8n has none of its routes, and Express answers for it.
        path if !site.is_ready() => Ok(Reply::cannot(&request.method, path)),
        "/" => Ok(front_page(&site.options().n8n_version)),
        path if path.starts_with(BASE) => call(site, request).await,
        path => match production::route(path) {
            Some(path) => production::serve(site, request, path).await,
            None => Ok(Reply::cannot(&request.method, path)),
        },
    };
    answer.unwrap_or_else(|refusal| refusal)
}

/// The editor's page. It is the only source of the version without logging in.
fn front_page(version: &str) -> Reply {
    let sentry = json!({ "dsn": "", "environment": "production", "release": format!("n8n@{version}") });
    let (rest, sentry) = (STANDARD.encode("rest"), STANDARD.encode(sentry.to_string()));
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"n8n:config:rest-endpoint\" content=\"{rest}\">\
         <meta name=\"n8n:config:sentry\" content=\"{sentry}\">\n\
         <title>n8n.io - Workflow Automation</title>\n</head>\n<body><div id=\"app\"></div></body>\n</html>\n"
    );
    Reply::new(200, "text/html; charset=utf-8", page)
}

fn check_key(site: &Site, token: &str) -> Result<Vec<String>, Reply> {
    let world = site.world();
    let key = world.keys.iter().find(|key| key.token == token);
    match key.filter(|key| key.expires.is_none_or(|at| at > jiff::Timestamp::now())) {
        Some(key) => Ok(key.scopes.clone()),
        None => Err(Reply::message(401, "Unauthorized")),
    }
}

async fn call(site: &Arc<Site>, request: &Request) -> Answer {
    if is_too_large(request) {
        return Err(Reply::error_page(413, "PayloadTooLargeError: request entity too large"));
    }
    if request.is_malformed() {
        return Err(Reply::error_page(500, "Internal Server Error"));
    }
    let path = request.path.strip_prefix(BASE).unwrap_or_default();
    let path = path.strip_suffix('/').unwrap_or(path);
    let fitting = || ROUTES.iter().filter_map(|route| Some((route, parameters(route.template, path)?)));
    let Some((route, ids)) = fitting().find(|(route, _)| route.method == request.method) else {
        // Both are checked before the key.
        let allowed: Vec<&str> = fitting().map(|(route, _)| route.method).collect();
        if allowed.is_empty() {
            return Err(Reply::message(404, "not found"));
        }
        let message = format!("{} method not allowed", request.method);
        return Err(Reply::message(405, message).with_header("allow", &allowed.join(", ")));
    };
    let scopes = check_key(site, request.header("x-n8n-api-key"))?;
    if route.scope.is_some_and(|wanted| !scopes.iter().any(|scope| scope == wanted)) {
        return Err(Reply::message(403, "Forbidden"));
    }
    let id = ids.first().map_or("", String::as_str);
    match route.operation {
        "updateWorkflow" => workflows::put(site, request, id, &scopes).await,
        "transferWorkflow" => projects::transfer(site, request, id).await,
        "publishWorkflow" | "activateWorkflow" => publish::publish_call(site, request, id).await,
        "getDiscover" => Ok(discover(request, &scopes)),
        operation => at_once(site, request, operation, &ids),
    }
}

/// The operations that complete at once.
fn at_once(site: &Site, request: &Request, operation: &str, ids: &[String]) -> Answer {
    let world = &mut *site.world();
    let id = ids.first().map_or("", String::as_str);
    match operation {
        "getWorkflows" => workflow_views::list(world, request),
        "createWorkflow" => workflows::create(world, request),
        "getWorkflow" => workflow_views::get(world, request, id),
        "deleteWorkflow" => workflows::delete(world, id),
        "archiveWorkflow" => workflows::archive(world, id),
        "unarchiveWorkflow" => workflows::unarchive(world, id),
        "unpublishWorkflow" | "deactivateWorkflow" => publish::unpublish_call(world, id),
        "getWorkflowHistory" => workflow_views::history(world, request, id),
        "getWorkflowVersion" => workflow_views::version(world, id, &ids[1]),
        "getWorkflowVersionByOldPath" => workflow_views::version(world, id, &ids[1]).map_err(|_| Reply::message(404, "Version not found")),
        "getWorkflowTags" => tags::of_workflow(world, id),
        "updateWorkflowTags" => tags::put_on_workflow(world, request, id),
        "getTags" => tags::list(world, request),
        "createTag" => tags::create(world, request),
        "getTag" => tags::get(world, id),
        "updateTag" => tags::update(world, request, id),
        "deleteTag" => tags::delete(world, id),
        "getCredentials" => credentials::list(world, request),
        "createCredential" => credentials::create(world, request),
        "getCredentialType" => credentials::schema(id),
        "getCredential" => credentials::get(world, id),
        "updateCredential" => credentials::update(world, request, id),
        "deleteCredential" => credentials::delete(world, id),
        "testCredential" => credentials::test(world, id),
        "getExecutions" => executions::list(world, request),
        "getExecution" => executions::get(world, request, id),
        "deleteExecution" => executions::delete(world, id),
        "stopExecution" => executions::stop(world, id),
        "retryExecution" => executions::retry(world, request, id),
        "getVariables" | "createVariable" => Err(unlicensed("feat:variables")),
        _ => Err(unlicensed("feat:projectRole:admin")),
    }
}

fn unlicensed(feature: &str) -> Reply {
    let message = format!(
        "Your license does not allow for {feature}. To enable {feature}, please upgrade to a license that \
         supports this feature."
    );
    Reply::message(403, message)
}

/// Returns the permissions of the key.
fn discover(request: &Request, scopes: &[String]) -> Reply {
    let mut resources = Map::new();
    for route in ROUTES {
        if route.scope.is_some_and(|wanted| !scopes.iter().any(|scope| scope == wanted)) {
            continue;
        }
        let tag = route.tag.to_lowercase();
        let resource = resources.entry(tag).or_insert_with(|| json!({ "operations": [], "endpoints": [] }));
        let endpoint = json!({ "method": route.method, "path": format!("{BASE}{}", route.template),
            "operationId": route.operation });
        push(&mut resource["endpoints"], endpoint);
        if let Some((_, operation)) = route.scope.and_then(|scope| scope.split_once(':')) {
            let operation = json!(operation);
            let known = resource["operations"].as_array();
            if !known.is_some_and(|known| known.contains(&operation)) {
                push(&mut resource["operations"], operation);
            }
        }
    }
    let names: Vec<String> = resources.keys().cloned().collect();
    if let Some(wanted) = request.query("resource") {
        let wanted = wanted.to_lowercase();
        resources.retain(|name, _| *name == wanted);
    }
    Reply::json(
        200,
        &json!({ "data": {
            "scopes": scopes,
            "resources": resources,
            "filters": {
                "resource": { "description": "Filter to a specific resource", "values": names },
                "include": { "description": "Include additional data", "values": ["schemas"] },
            },
            "specUrl": "/api/v1/openapi.yml",
        }}),
    )
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
