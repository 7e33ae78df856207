//! Step 5, reads n8n: whether what is published is really there. Nothing here runs a workflow, except probes, which the
//! author chose.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::probe_headers;
use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::Probe;
use crate::controller::connections::{self, Connection};
use crate::domain::definition::Definition;
use crate::domain::endpoints::{Endpoint, EndpointKind, unused_method, webhook_endpoints};
use crate::domain::probe::{Probed, judge};
use crate::domain::triggers::triggers_without_endpoint;
use crate::domain::trouble::Trouble;
use crate::n8n::{N8nError, ProbeRequest, WebhookCheck};

/// n8n takes the webhooks of a published workflow away while it takes a write, for a tenth of a second and longer under load.
const AWAY: Duration = Duration::from_secs(3);
/// So many nodes are named in a message.
const MOST_NAMED: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// Checks each production endpoint of a published version. After a write it is given the time to come back.
pub(super) async fn check_live(
    work: &mut Work<'_>,
    connection: &Connection,
    definition: &Definition,
    written: bool,
) -> Result<bool, Trouble> {
    let began = Instant::now();
    loop {
        let live = look(work, connection, definition).await?;
        if live || !written || began.elapsed() > AWAY {
            return Ok(live);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn look(work: &mut Work<'_>, connection: &Connection, definition: &Definition) -> Result<bool, Trouble> {
    let endpoints = webhook_endpoints(definition);
    let mut unknown: Vec<String> = Vec::new();
    let mut checked = 0;
    for endpoint in &endpoints {
        match check(connection, &endpoints, endpoint).await.map_err(|error| connections::trouble(&error))? {
            // n8n names the methods of a path: another workflow may serve it with others.
            WebhookCheck::Registered(methods) if methods.is_empty() || endpoint.methods.iter().all(|method| methods.contains(method)) => {
                checked += 1
            }
            WebhookCheck::Unknown(why) => unknown.push(format!("node {:?}: {why}", endpoint.node)),
            WebhookCheck::NoVersion => {
                let message = format!(
                    "node {:?}: n8n has the route {} and no published version behind it, so its callers get 404",
                    endpoint.node,
                    endpoint.url_path()
                );
                work.verdict(ConditionType::Live, ConditionStatus::False, Reason::NotLive, message);
                return Ok(false);
            }
            WebhookCheck::Registered(_) | WebhookCheck::NotRegistered => {
                let message = format!(
                    "node {:?}: {} is not registered in n8n although the workflow is published",
                    endpoint.node,
                    endpoint.url_path()
                );
                work.verdict(ConditionType::Live, ConditionStatus::False, Reason::NotLive, message);
                return Ok(false);
            }
        }
    }
    // n8n's publication service publishes although such a trigger failed, and tells only people who are logged in.
    let silent = triggers_without_endpoint(definition).filter(|name| !endpoints.iter().any(|endpoint| endpoint.node == *name));
    unknown.extend(silent.map(|name| format!("node {name:?}: n8n does not tell whether this trigger was started")));
    if checked == endpoints.len() && checked > 0 && unknown.is_empty() {
        work.verdict(
            ConditionType::Live,
            ConditionStatus::True,
            Reason::Live,
            format!("{checked} of {checked} production URLs are registered"),
        );
    } else {
        let registered = (checked > 0).then(|| format!("{checked} production URLs are registered"));
        let parts: Vec<String> = registered.into_iter().chain(unknown.into_iter().take(MOST_NAMED)).collect();
        let message = if parts.is_empty() { Reason::NotVerifiable.meaning().to_owned() } else { parts.join("; ") };
        work.verdict(ConditionType::Live, ConditionStatus::Unknown, Reason::NotVerifiable, message);
    }
    Ok(true)
}

/// Whether one endpoint is registered, without calling it.
pub(super) async fn check(connection: &Connection, endpoints: &[Endpoint], endpoint: &Endpoint) -> Result<WebhookCheck, N8nError> {
    let path = endpoint.check_path();
    let below = |base: &str| path.strip_prefix(base).unwrap_or(&path).to_owned();
    if !endpoint.verifiable {
        return Ok(WebhookCheck::Unknown("its path is computed by an expression".to_owned()));
    }
    match (endpoint.kind, endpoint.base) {
        (EndpointKind::Form, "form") => connection.client.check_form(&below("/form/")).await,
        (_, "webhook") => {
            let path = below("/webhook/");
            let method = |method: &str| Method::from_bytes(method.as_bytes()).ok();
            let check = match unused_method(endpoints, &endpoint.path).and_then(method) {
                Some(unused) => connection.client.check_webhook(&path, unused).await?,
                None => WebhookCheck::Unknown("its path answers every method".to_owned()),
            };
            // Where versions come some time after their routes and the other way round, the route alone proves little.
            let used = endpoint.methods.first().and_then(|first| method(first));
            let looks = connection.client.publishes_later() && connection.looks_behind_routes();
            match (&check, used.filter(|_| looks)) {
                (WebhookCheck::Registered(_), Some(used)) => match connection.client.check_version_behind(&path, used).await? {
                    WebhookCheck::NoVersion => Ok(WebhookCheck::NoVersion),
                    _ => Ok(check),
                },
                _ => Ok(check),
            }
        }
        _ => Ok(WebhookCheck::Unknown("n8n offers no way to ask without calling it".to_owned())),
    }
}

/// The production URLs of a version, as callers use them.
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

/// Makes the probes of the spec, up to the first that does not pass; the text says which that is and how it went.
pub(super) async fn probe(work: &Work<'_>, connection: &Connection, definition: &Definition) -> Result<Probed, Trouble> {
    let endpoints = webhook_endpoints(definition);
    for (at, probe) in work.spec().health_check.iter().flat_map(|check| &check.probes).enumerate() {
        let Some(request) = request(work, &endpoints, probe).await? else {
            return Ok(Probed::Failed(format!(
                "probe {at}: the published version has no webhook node named {:?}; correct spec.healthCheck.probes",
                probe.node
            )));
        };
        let probed = match connection.client.probe(request).await {
            Ok(answer) => judge(probe, answer.status, answer.json.as_ref(), answer.author),
            Err(error @ N8nError::Unsendable { .. }) => Probed::Failed(error.to_string()),
            Err(error @ (N8nError::Timeout { .. } | N8nError::HalfAnswered { .. })) => Probed::Unanswered(error.to_string()),
            // It did not reach the workflow.
            Err(error) => return Err(connections::trouble(&error)),
        };
        let said = |said: String| format!("probe {at} of node {:?}: {said}", probe.node);
        match probed {
            Probed::Passed => {}
            Probed::Failed(how) => return Ok(Probed::Failed(said(how))),
            Probed::Unanswered(how) => return Ok(Probed::Unanswered(said(how))),
        }
    }
    Ok(Probed::Passed)
}

async fn request(work: &Work<'_>, endpoints: &[Endpoint], probe: &Probe) -> Result<Option<ProbeRequest>, Trouble> {
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
    Ok(Some(ProbeRequest {
        method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
        path: path.join("/"),
        headers: probe_headers::headers(work, probe).await?,
        body: probe.body.clone(),
        timeout: probe.timeout.get(),
    }))
}
