//! Step 5, reads n8n: whether the published version is really live. Nothing here runs a workflow, except probes, which the author chose.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::reconciliation::Reconciliation;
use super::{answered, probe_headers};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::Probe;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::document::endpoints::{Endpoint, EndpointKind, webhook_endpoints};
use crate::document::triggers::triggers_without_endpoint;
use crate::domain::error::ReconcileError;
use crate::domain::probe_answer::{Probed, evaluate};
use crate::domain::remote::RemoteWorkflow;
use crate::n8n::{N8nError, ProbeRequest, WebhookCheck};

/// Time for which n8n may remove the webhooks of a published workflow while it processes a write: a tenth of a second, and longer under
/// load.
const AWAY: Duration = Duration::from_secs(3);
/// Maximum number of nodes that a message names.
const MOST_NAMED: usize = 5;
const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// Checks each production endpoint of a published version, and returns which one is missing in n8n. After a write n8n is given the time to
/// register them again.
pub(super) async fn check_live(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    written: bool,
) -> Result<Option<String>, ReconcileError> {
    let began = Instant::now();
    loop {
        let missing = check_webhooks(rec, connection, definition).await?;
        rec.status.record_missing_webhooks(missing.is_some());
        if missing.is_none() || !written || began.elapsed() > AWAY {
            return Ok(missing);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn check_webhooks(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
) -> Result<Option<String>, ReconcileError> {
    let endpoints = webhook_endpoints(definition);
    let mut unknown: Vec<String> = Vec::new();
    let mut checked = 0;
    for endpoint in &endpoints {
        let template = endpoint.routes.iter().any(|route| route.id.is_some());
        match check(connection, endpoint).await? {
            // n8n names the methods of a path: another workflow may serve it with others.
            WebhookCheck::Registered(methods) if methods.is_empty() || endpoint.methods.iter().all(|method| methods.contains(method)) => {
                checked += 1
            }
            WebhookCheck::Registered(methods) if template && endpoint.methods.iter().any(|method| methods.contains(method)) => checked += 1,
            WebhookCheck::Registered(_) if template => {
                unknown.push(format!("node {:?}: n8n names another method of its path with parameters, and only one", endpoint.node));
            }
            WebhookCheck::Unknown(why) => unknown.push(format!("node {:?}: {why}", endpoint.node)),
            WebhookCheck::NoVersion => {
                let message = format!(
                    "node {:?}: n8n has the route {} and no published version behind it, so its callers get 404",
                    endpoint.node,
                    endpoint.url_path()
                );
                rec.set_condition(ConditionType::Live, ConditionStatus::False, Reason::NotLive, &message);
                return Ok(Some(message));
            }
            WebhookCheck::Registered(_) | WebhookCheck::NotRegistered => {
                let message = format!(
                    "node {:?}: {} is not registered in n8n although the workflow is published",
                    endpoint.node,
                    endpoint.url_path()
                );
                rec.set_condition(ConditionType::Live, ConditionStatus::False, Reason::NotLive, &message);
                return Ok(Some(message));
            }
        }
    }
    // n8n's publication service publishes although such a trigger failed, and reports that only to users who are logged in.
    let silent = triggers_without_endpoint(definition).filter(|name| !endpoints.iter().any(|endpoint| endpoint.node == *name));
    unknown.extend(silent.map(|name| format!("node {name:?}: n8n does not report whether this trigger was started")));
    if checked == endpoints.len() && checked > 0 && unknown.is_empty() {
        rec.set_condition(
            ConditionType::Live,
            ConditionStatus::True,
            Reason::Live,
            format!("{checked} of {checked} production URLs are registered"),
        );
    } else {
        let registered = (checked > 0).then(|| format!("{checked} production URLs are registered"));
        let parts: Vec<String> = registered.into_iter().chain(unknown.into_iter().take(MOST_NAMED)).collect();
        let message = if parts.is_empty() { Reason::NotVerifiable.meaning().to_owned() } else { parts.join("; ") };
        rec.set_condition(ConditionType::Live, ConditionStatus::Unknown, Reason::NotVerifiable, message);
    }
    Ok(None)
}

/// Checks whether one endpoint is registered, without calling it.
pub(super) async fn check(connection: &Connection, endpoint: &Endpoint) -> Result<WebhookCheck, N8nError> {
    let path = endpoint.check_path();
    let below = path.strip_prefix(&format!("/{}/", endpoint.base)).unwrap_or(&path);
    if !endpoint.verifiable {
        return Ok(WebhookCheck::Unknown("its path is computed by an expression".to_owned()));
    }
    if (endpoint.kind, endpoint.base) == (EndpointKind::Form, "form") {
        return connection.client.check_form(below).await;
    }
    let check = connection.client.check_webhook(endpoint.base, below).await?;
    // If n8n registers routes and versions at different times, the route alone proves little.
    let used = endpoint.methods.first().and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let looks = endpoint.base == "webhook" && connection.client.publishes_later() && connection.looks_behind_routes();
    match (&check, used.filter(|_| looks)) {
        (WebhookCheck::Registered(_), Some(used)) => match connection.client.check_version_behind(below, used).await? {
            WebhookCheck::NoVersion => Ok(WebhookCheck::NoVersion),
            _ => Ok(check),
        },
        _ => Ok(check),
    }
}

/// Returns the production URLs of a version, as callers use them.
pub(super) fn urls(connection: &Connection, definition: &Definition) -> Vec<String> {
    let spec = &connection.instance.spec;
    let base = spec.webhook_base_url.as_ref().unwrap_or(&spec.url).trim_end_matches('/');
    let mut urls: Vec<String> = webhook_endpoints(definition)
        .iter()
        .filter(|endpoint| endpoint.verifiable)
        .map(|endpoint| format!("{base}{}", endpoint.address()))
        .collect();
    urls.sort_unstable();
    urls.dedup();
    urls.truncate(64);
    urls
}

/// Makes the probes of the spec, up to the first that does not pass; the text says which one and its result. A call is only made if it can
/// reach nothing but this workflow, for it may carry a Secret, and counts only if this workflow ran for it.
pub(super) async fn probe(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    remote: &RemoteWorkflow,
    definition: &Definition,
) -> Result<Probed, ReconcileError> {
    let endpoints = webhook_endpoints(definition);
    let probes = rec.spec().health_check.clone().map(|check| check.probes).unwrap_or_default();
    let listing = connection.listings.scan(&connection.client).await?;
    for (at, probe) in probes.iter().enumerate() {
        let Some((endpoint, request)) = request(rec, &endpoints, probe).await? else {
            return Ok(Probed::Failed(format!(
                "probe {at}: the published version has no webhook node named {:?}; correct spec.healthCheck.probes",
                probe.node
            )));
        };
        if !listing.leads_to(&remote.id, request.method.as_str(), &request.path) {
            return Err(not_made(
                rec,
                format!(
                    "probe {at} of node {:?} is not made: n8n does not list {} {} as this workflow's alone, so the call could reach another one; give the node a path that no other workflow has",
                    probe.node,
                    request.method,
                    endpoint.url_path()
                ),
            ));
        }
        let before = answered::newest(connection, remote).await?;
        let probed = match connection.client.probe(request).await {
            Ok(answer) => {
                let runs = endpoint.kind == EndpointKind::Webhook && !matches!(answer.status, 401 | 403);
                let probed = evaluate(probe, answer.status, answer.json.as_ref(), answer.author);
                if let (true, Some(before), Probed::Passed | Probed::Failed(_)) = (runs, before, &probed)
                    && !answered::ran_since(connection, &remote.id, before).await?
                {
                    return Err(not_made(
                        rec,
                        format!(
                            "probe {at} of node {:?} was answered, and n8n lists no execution of this workflow for it, so it does not count; if n8n saves no successful executions, set spec.executionsSaved of the N8nInstance accordingly",
                            probe.node
                        ),
                    ));
                }
                probed
            }
            Err(error @ N8nError::Unsendable { .. }) => Probed::Failed(error.to_string()),
            Err(error @ (N8nError::Timeout { .. } | N8nError::HalfAnswered { .. })) => Probed::Unanswered(error.to_string()),
            // The call did not reach the workflow.
            Err(error) => return Err(ReconcileError::from(error)),
        };
        let described = |message: String| format!("probe {at} of node {:?}: {message}", probe.node);
        match probed {
            Probed::Passed => {}
            Probed::Failed(how) => return Ok(Probed::Failed(described(how))),
            Probed::Unanswered(how) => return Ok(Probed::Unanswered(described(how))),
        }
    }
    Ok(Probed::Passed)
}

/// Records that the health of the published version is unknown until the probe counts.
fn not_made(rec: &mut Reconciliation<'_>, message: String) -> ReconcileError {
    rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::ProbeUnanswered, &message);
    rec.status.record_health_decision(None);
    ReconcileError::transient(Reason::ProbeUnanswered, message)
}

async fn request<'e>(
    rec: &Reconciliation<'_>,
    endpoints: &'e [Endpoint],
    probe: &Probe,
) -> Result<Option<(&'e Endpoint, ProbeRequest)>, ReconcileError> {
    let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.node == probe.node && endpoint.verifiable && endpoint.base == "webhook")
    else {
        return Ok(None);
    };
    let method = probe.method.as_deref().or(endpoint.methods.first().map(String::as_str)).unwrap_or("GET");
    let path: Vec<&str> = endpoint
        .path
        .split('/')
        .map(|part| part.strip_prefix(':').and_then(|name| probe.path_parameters.get(name)).map_or(part, String::as_str))
        .collect();
    let request = ProbeRequest {
        method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
        path: path.join("/"),
        headers: probe_headers::headers(rec, probe).await?,
        body: probe.body.clone(),
        timeout: probe.timeout.get(),
    };
    Ok(Some((endpoint, request)))
}
