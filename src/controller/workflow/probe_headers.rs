//! The headers of a probe, with their values from Secrets. The API key of an instance is never sent in one.

use kube::Api;
use kube::api::ListParams;

use super::reconciliation::Reconciliation;
use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::api::workflow::{Probe, ProbeHeader, ProbeSecretRef};
use crate::domain::error::ReconcileError;
use crate::kubernetes::decoded::Decoded;
use crate::kubernetes::objects;

/// Returns the headers that a probe sends.
pub(super) async fn headers(rec: &Reconciliation<'_>, probe: &Probe) -> Result<Vec<(String, String)>, ReconcileError> {
    let mut headers = Vec::new();
    for header in &probe.headers {
        let value = match (&header.value, &header.secret_key_ref) {
            (Some(value), _) => value.clone(),
            (None, Some(secret)) => secret_value(rec, header, secret).await?,
            (None, None) => String::new(),
        };
        if rec.ctx.connections.any_key_in(&value) {
            return Err(refused(header, "has the API key of an N8nInstance in its value"));
        }
        headers.push((header.name.clone(), value));
    }
    Ok(headers)
}

async fn secret_value(rec: &Reconciliation<'_>, header: &ProbeHeader, secret: &ProbeSecretRef) -> Result<String, ReconcileError> {
    if holds_api_key(rec, &secret.name).await? {
        return Err(refused(header, &format!("names Secret {}, which holds the API key of an N8nInstance", secret.name)));
    }
    let found = rec.ctx.secrets.get(&rec.namespace(), &secret.name, &secret.key).await;
    let found = found.map_err(|error| objects::reconcile_error(&format!("read Secret {}", secret.name), &error))?;
    if let Some(value) = found {
        return Ok(value);
    }
    let lack = rec.ctx.secrets.lack(&rec.namespace(), &secret.name, &secret.key).await;
    let lack = lack.map_err(|error| objects::reconcile_error(&format!("read Secret {}", secret.name), &error))?;
    Err(ReconcileError::waiting(Reason::SourceNotFound, format!("{lack}; header {} of a probe takes its value from there", header.name)))
}

/// Returns the resource versions of the Secrets that probes send, in the order of the headers, and the hashes of the values of the
/// N8nCredentials that the spec names; none where one cannot be read. Either may be why a probe failed.
pub(super) async fn versions(rec: &Reconciliation<'_>) -> Vec<Option<String>> {
    let headers = rec.spec().health_check.iter().flat_map(|check| &check.probes).flat_map(|probe| &probe.headers);
    let mut versions = Vec::new();
    for secret in headers.filter_map(|header| header.secret_key_ref.as_ref()) {
        let read = rec.ctx.secrets.version(&rec.namespace(), &secret.name, &secret.key).await;
        versions.push(read.ok().flatten());
    }
    for reference in rec.spec().credentials.iter().filter_map(|mapping| mapping.credential_ref.as_ref()) {
        let credential = rec.ctx.credential(&rec.namespace(), &reference.name);
        versions.push(credential.and_then(|credential| credential.status()?.values_hash.clone()));
    }
    versions
}

/// Reports whether an N8nInstance of the namespace has its API key in the Secret, whichever operator that instance belongs to.
async fn holds_api_key(rec: &Reconciliation<'_>, secret: &str) -> Result<bool, ReconcileError> {
    let api = Api::<Decoded<N8nInstance>>::namespaced(rec.ctx.client.clone(), &rec.namespace());
    let instances = api.list(&ListParams::default()).await.map_err(|error| objects::reconcile_error("list the N8nInstances", &error))?;
    Ok(instances.iter().any(|instance| match &instance.0 {
        Ok(instance) => instance.spec.api_key_secret_ref.name == secret,
        Err(undecodable) => undecodable.data["spec"]["apiKeySecretRef"]["name"] == secret,
    }))
}

fn refused(header: &ProbeHeader, why: &str) -> ReconcileError {
    ReconcileError::denied(
        Reason::ProbeSecretRefused,
        format!(
            "header {} of a probe {why}; an API key is never sent to a webhook: store the value that the probe sends in a Secret of its own",
            header.name
        ),
    )
}
