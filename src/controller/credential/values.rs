//! The values of a credential: read from Secrets with `get`, and converted to the types of n8n's schema. They live as long as the reconciliation.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;
use secrecy::zeroize::Zeroize;

use super::reconciliation::Reconciliation;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::domain::credential::schema::CredentialSchema;
use crate::domain::credential::values::{CredentialValues, GivenField, typed};
use crate::domain::error::ReconcileError;
use crate::kubernetes::objects;

/// Desired content of the credential in n8n.
pub(super) struct Wanted {
    /// Values by field.
    pub(super) values: CredentialValues,
    /// Their keyed hash.
    pub(super) hash: String,
    /// True if the type is authorised by a person, or n8n renews its tokens.
    pub(super) oauth: bool,
}

/// Reads the fields.
pub(super) async fn read(rec: &mut Reconciliation<'_>) -> Result<Vec<GivenField>, ReconcileError> {
    let (namespace, mut secrets, mut missing) = (rec.namespace(), BTreeMap::<String, BTreeMap<String, Vec<u8>>>::new(), Vec::new());
    let names: Vec<String> = rec.spec().secrets().into_iter().map(str::to_owned).collect();
    for name in names {
        let secret = objects::get::<Secret>(&rec.ctx.client, Some(&namespace), &name).await;
        let secret = secret.map_err(|error| objects::reconcile_error(&format!("read Secret {name}"), &error))?;
        let version = secret.as_ref().and_then(|secret| secret.metadata.resource_version.clone());
        rec.ctx.secret_versions.note(&namespace, &name, version);
        match secret {
            Some(secret) => {
                let data = secret.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
                secrets.insert(name, data);
            }
            None => missing.push(format!("Secret {name} does not exist")),
        }
    }
    let (mut given, mut unreadable) = (Vec::new(), Vec::new());
    let mut take = |field: &str, secret: &str, key: &str, bytes: Vec<u8>| {
        let place = format!("key {key} of Secret {secret}");
        match String::from_utf8(bytes) {
            Ok(text) => given.push(GivenField { field: field.to_owned(), text: text.into(), place }),
            Err(_) => unreadable.push(format!(
                "{place} holds bytes that are no text in UTF-8, and n8n keeps texts: store it as the field wants it, such as in base64"
            )),
        }
    };
    if let Some(secret) = &rec.spec().secret_ref {
        for (key, bytes) in secrets.remove(&secret.name).unwrap_or_default() {
            take(&key, &secret.name, &key, bytes);
        }
    }
    for field in &rec.spec().data {
        let Some(reference) = &field.secret_key_ref else { continue };
        let Some(data) = secrets.get(&reference.name) else { continue };
        match data.get(&reference.key) {
            Some(bytes) => take(&field.field, &reference.name, &reference.key, bytes.clone()),
            None => missing.push(format!("Secret {} has no key {}", reference.name, reference.key)),
        }
    }
    secrets.values_mut().flat_map(BTreeMap::values_mut).for_each(Zeroize::zeroize);
    if !missing.is_empty() {
        let kept = if rec.status.n8n_credential_id.is_some() { "; the credential in n8n keeps the values that it has" } else { "" };
        return Err(ReconcileError::waiting(Reason::SecretNotFound, missing.join("; ") + kept));
    }
    if !unreadable.is_empty() {
        return Err(ReconcileError::invalid(Reason::InvalidCredential, unreadable.join("; ")));
    }
    rec.confidential = given.iter().map(|field| field.text.clone()).collect();
    let written = rec.spec().data.iter().filter_map(|field| {
        let text = SecretString::from(field.value.clone()?);
        Some(GivenField { field: field.field.clone(), text, place: "its value in spec.data".to_owned() })
    });
    given.extend(written);
    Ok(given)
}

/// Converts the fields by n8n's own schema of the type.
pub(super) async fn wanted(rec: &Reconciliation<'_>, connection: &Connection, given: &[GivenField]) -> Result<Wanted, ReconcileError> {
    let kind = &rec.spec().kind;
    let schema = connection.credential_schema(kind).await?.ok_or_else(|| {
        ReconcileError::invalid(
            Reason::UnknownCredentialType,
            format!("n8n has no credential type {kind}; correct spec.type, or install the community package that has it"),
        )
    })?;
    let values = typed(&schema, kind, given).map_err(|faults| ReconcileError::invalid(Reason::InvalidCredential, faults.join("; ")))?;
    let mut json = Vec::new();
    values.with_json(|bytes| json = bytes.to_vec());
    let hash = rec.ctx.hash_key.hash(&rec.ctx.client, &[kind.as_bytes(), &json]).await;
    json.zeroize();
    Ok(Wanted { values, hash: hash?, oauth: CredentialSchema::is_oauth(&schema) })
}
