//! Creates the credential, or writes the parts that differ.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::runtime::events::EventType;

use super::bind::{Bound, bind};
use super::reconciliation::Reconciliation;
use super::values::Wanted;
use super::{drift, project};
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::credential_status::CredentialOrigin;
use crate::api::reason::Reason;
use crate::controller::connections::{Connection, errors};
use crate::domain::conditions::Outcome;
use crate::domain::credential::plan::{Facts, Plan, Tokens, may_rewrite, plan};
use crate::domain::credential::test_result::shown;
use crate::domain::error::ReconcileError;
use crate::domain::remote::RemoteCredential;
use crate::http::boot_clock;
use crate::n8n::{CredentialUpdate, CredentialWrite, N8nError};

/// Converges the credential in n8n with the values. Returns an outcome if a change by others is left.
pub(super) async fn apply(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Wanted,
) -> Result<Option<Outcome>, ReconcileError> {
    let remote = match bind(rec, connection).await? {
        Bound::Existing(remote) => remote,
        Bound::ToCreate => {
            create(rec, connection, wanted).await?;
            drift::synced(rec);
            rec.set_condition(ConditionType::Drifted, ConditionStatus::False, Reason::InSync, "");
            return Ok(None);
        }
        Bound::LeftDeleted(note) => {
            let reason = drift::left_reason(rec.spec().drift_policy);
            let note = format!("{note}, and spec.driftPolicy leaves it so");
            rec.set_condition(ConditionType::Drifted, ConditionStatus::True, reason, &note);
            rec.set_condition(ConditionType::Synced, ConditionStatus::False, reason, &note);
            return Ok(Some(Outcome::Blocked(reason, note)));
        }
    };
    if remote.kind != rec.spec().kind {
        return Err(ReconcileError::invalid(
            Reason::InvalidCredential,
            format!(
                "credential {} in n8n has the type {} now, and spec.type is {}; set its type back, or delete it in n8n",
                remote.id,
                remote.kind,
                rec.spec().kind
            ),
        ));
    }
    let (decided, wanted_name) = decide(rec, &remote, wanted);
    if !decided.is_empty() {
        update(rec, connection, wanted, &remote, decided, wanted_name).await?;
    }
    Ok(drift::report(rec, &remote, decided))
}

fn decide(rec: &Reconciliation<'_>, remote: &RemoteCredential, wanted: &Wanted) -> (Plan, String) {
    let name = rec.wanted_name();
    let now = Timestamp::now();
    let contested = rec.ctx.remember(&rec.uid(), |memory| memory.is_contested(now));
    let status = &rec.status;
    let facts = Facts {
        name: &remote.name,
        updated_at: remote.updated_at.as_deref(),
        confirmed_name: status.name.as_deref(),
        confirmed_update: status.n8n_updated_at.as_deref(),
        confirmed_hash: status.values_hash.as_deref(),
        unconfirmed: status.sent_hash.is_some(),
        wanted_name: &name,
        wanted_hash: &wanted.hash,
        tokens: Tokens::of(&rec.spec().kind, wanted.oauth),
        may_rewrite: may_rewrite(
            status.last_synced_time.as_ref().map(|time| time.0),
            remote.updated_at.as_deref(),
            rec.is_requested(),
            now,
        ),
        policy: rec.spec().drift_policy,
        contested,
    };
    (plan(facts), name)
}

/// Creates the credential. The create is announced first, bound to the resource version, so that no two writers create; the id in the
/// response is recorded before anything else happens.
async fn create(rec: &mut Reconciliation<'_>, connection: &Connection, wanted: &Wanted) -> Result<(), ReconcileError> {
    connection.trusted()?;
    let project = project::granted(rec, connection)?;
    // Rounded down, the time would end the longest life a second early.
    let rounding = Duration::from_secs(1);
    let latest = boot_clock() + rounding + connection.client.longest_request();
    let before = rec.status.creating_since.replace(MicroTime(whole_seconds(Timestamp::now() + rounding).0));
    if let Err(error) = rec.save().await {
        // Nothing was sent, so nothing has to be waited for.
        rec.status.creating_since = before;
        return Err(error);
    }
    // Its longest life starts now.
    rec.announced_for();
    let write =
        CredentialWrite { name: rec.wanted_name(), kind: rec.spec().kind.clone(), data: &wanted.values, project_id: project.clone() };
    match connection.client.sending_until(latest).create_credential(&write).await {
        Ok(remote) => {
            rec.ctx.metrics.credential_write("create");
            let status = &mut rec.status;
            (status.n8n_credential_id, status.origin) = (Some(remote.id.clone()), Some(CredentialOrigin::Created));
            (status.creating_since, status.project) = (None, project);
            confirm(rec, &remote, &wanted.hash);
            rec.record().await
        }
        Err(error) if error.unanswered() => {
            let mut error = failed(rec, error);
            error.reason = Reason::CreatePending;
            Err(error)
        }
        Err(error) => {
            // It was answered or never sent: no late create can follow.
            rec.status.creating_since = None;
            rec.record().await?;
            Err(failed(rec, error))
        }
    }
}

async fn update(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Wanted,
    remote: &RemoteCredential,
    decided: Plan,
    name: String,
) -> Result<(), ReconcileError> {
    connection.trusted()?;
    if decided.values {
        rec.status.sent_hash = Some(wanted.hash.clone());
        rec.save().await?;
    }
    let change = CredentialUpdate { name, data: decided.values.then_some(&wanted.values), partial: decided.partial };
    let after = match connection.client.update_credential(&remote.id, &change).await {
        Ok(after) => after,
        Err(error) => {
            if matches!(error, N8nError::NotFound { .. }) {
                // The shared list still shows it.
                connection.credentials(Duration::ZERO).await?;
            }
            return Err(failed(rec, error));
        }
    };
    let rotated = rec.status.values_hash.as_deref() != Some(&wanted.hash);
    rec.ctx.metrics.credential_write(match decided {
        Plan { drifted: true, .. } => "revert",
        Plan { values: true, .. } if rotated => "rotate",
        Plan { values: true, .. } => "rewrite",
        _ => "rename",
    });
    if decided.drifted {
        let note = format!("credential {} was changed in n8n; name and values are those of the spec again", remote.id);
        rec.record_event(EventType::Warning, Reason::DriftReverted, &note);
        rec.set_condition(ConditionType::Drifted, ConditionStatus::False, Reason::DriftReverted, format!("last reverted: {note}"));
        rec.ctx.metrics.reverts.inc();
        let now = Timestamp::now();
        rec.ctx.remember(&rec.uid(), |memory| memory.reverts.note(now));
    }
    if decided.renewed_or_edited {
        let note = format!("credential {} was changed in n8n: {}", remote.id, Reason::ValuesRewritten.meaning());
        rec.record_event(EventType::Normal, Reason::ValuesRewritten, note);
    }
    let hash = if decided.values { wanted.hash.clone() } else { rec.status.values_hash.clone().unwrap_or_default() };
    confirm(rec, &after, &hash);
    rec.record().await
}

/// Records what n8n confirmed.
fn confirm(rec: &mut Reconciliation<'_>, remote: &RemoteCredential, hash: &str) {
    let status = &mut rec.status;
    let written = status.sent_hash.take().is_some() || status.values_hash.as_deref() != Some(hash);
    (status.name, status.kind) = (Some(remote.name.clone()), Some(remote.kind.clone()));
    (status.n8n_updated_at, status.values_hash) = (remote.updated_at.clone(), Some(hash.to_owned()));
    if written {
        status.last_synced_time = Some(whole_seconds(Timestamp::now()));
    }
}

/// Classes a failed write. n8n's words are shown only if they show none of the values.
fn failed(rec: &Reconciliation<'_>, error: N8nError) -> ReconcileError {
    match &error {
        N8nError::Refused { message, .. } => {
            let words = shown(message, &rec.confidential).unwrap_or_else(|| "its message repeats a value, so it is not shown".to_owned());
            ReconcileError::invalid(Reason::CredentialRejected, format!("n8n refused to save the credential: {words}"))
        }
        N8nError::Server { message: Some(message), .. } if rec.confidential.stands_in(message) => ReconcileError::transient(
            Reason::RequestFailed,
            "n8n failed to save the credential; its message repeats a value, so it is not shown",
        ),
        _ => errors::project_error(error),
    }
}
