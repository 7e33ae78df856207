//! Policies of the namespace: evaluated before every deployment, and, for those with `enforce: Running`, on what is in n8n already.

use std::sync::Arc;

use kube::runtime::events::EventType;

use super::bind::{self, Bound};
use super::reconciliation::Reconciliation;
use super::versions;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::policy::Enforce;
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::policies::{self, Denial};
use crate::kubernetes::indexed_policy::IndexedPolicy;

/// Returns the policies that apply to the object's definition. One that cannot be read denies everything.
pub(super) fn of(rec: &mut Reconciliation<'_>) -> Result<Vec<Arc<IndexedPolicy>>, ReconcileError> {
    let all = rec.ctx.stores.policies_of(&rec.namespace());
    match all.iter().find_map(|policy| policy.unreadable()) {
        Some(denial) => Err(denied(rec, denial)),
        None => Ok(all),
    }
}

/// Reports whether a WorkflowPrompt made the object.
pub(super) fn is_generated(rec: &Reconciliation<'_>) -> bool {
    policies::is_generated(&rec.workflow.metadata)
}

/// Returns a denial as an error, and records which policies it is by.
pub(super) fn denied(rec: &mut Reconciliation<'_>, denial: Denial) -> ReconcileError {
    rec.denied_by = denial.policies;
    ReconcileError::denied(Reason::PolicyDenied, denial.message)
}

/// Fails if a policy denies a stored version that is to be deployed. What is published already may stay.
pub(super) async fn enforce(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    version: i64,
    definition: &Definition,
) -> Result<(), ReconcileError> {
    if rec.status.active_version == Some(version) && rec.status.published_at.is_some() {
        return Ok(());
    }
    let all = of(rec)?;
    let Some(denial) = broken_by(rec, connection, definition, &all, BuiltIn::With).await? else { return Ok(()) };
    let error = denied(rec, denial);
    Err(ReconcileError { message: format!("version {version}: {}", error.message), ..error })
}

/// Fails if a policy denies the version that a pin names.
pub(super) async fn enforce_on_pinned(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<(), ReconcileError> {
    let version = rec.pinned().and_then(|pin| pin.trim().parse().ok());
    let kept = version.filter(|version| history::numbered(&rec.status.history, *version).is_some());
    let Some(version) = kept else { return Ok(()) };
    let all = of(rec)?;
    let definition = versions::read(rec, version).await?;
    match broken_by(rec, connection, &definition, &all, BuiltIn::With).await? {
        None => Ok(()),
        Some(denial) => {
            let error = denied(rec, denial);
            Err(ReconcileError { message: format!("version {version}, which is pinned: {}", error.message), ..error })
        }
    }
}

/// Unpublishes the version in n8n if a policy with `enforce: Running` denies it. Returns whether one does. A policy that cannot be read denies
/// deployments, and takes nothing away from what runs.
pub(super) async fn withdraw(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<bool, ReconcileError> {
    let mut running = rec.ctx.stores.policies_of(&rec.namespace());
    running.retain(|policy| policy.spec.0.as_ref().is_ok_and(|rules| rules.enforce == Enforce::Running));
    let Some(version) = rec.status.active_version.filter(|_| !running.is_empty()) else { return Ok(false) };
    let catalog = rec.ctx.catalogs.of(&connection.instance).await?.id;
    let evaluated = format!("{} {:?} {catalog}", versions::digest_of(&rec.status, version), versions_of(&running));
    // An idle Workflow must not cost a read of its version each time.
    if rec.ctx.remember(&rec.uid(), |memory| memory.allowed.as_ref() == Some(&evaluated)) {
        return Ok(false);
    }
    let definition = versions::read(rec, version).await?;
    // The built-in rules do not unpublish anything.
    let Some(denial) = broken_by(rec, connection, &definition, &running, BuiltIn::Without).await? else {
        rec.ctx.remember(&rec.uid(), |memory| memory.allowed = Some(evaluated));
        return Ok(false);
    };
    let Bound::Existing(remote) = bind::bind(rec, connection).await? else { return Ok(true) };
    if remote.active {
        connection.trusted()?;
        // The publication is no longer compared: publishing it later is no drift, and no recovery brings it back.
        rec.status.forget_publication();
        rec.save().await?;
        connection.client.unpublish(&remote.id).await?;
        let note = format!("version {version} was unpublished, as the policy requires (enforce: Running): {}", denial.message);
        rec.record_event(EventType::Warning, Reason::PolicyDenied, note);
    }
    if remote.active || rec.status.published_at.is_some() {
        rec.not_published();
        rec.ctx.forget_claims(&rec.uid());
        rec.record().await?;
    }
    Ok(true)
}

/// Reports on the conditions that nothing is published because of a policy.
pub(super) fn report_withdrawn(rec: &mut Reconciliation<'_>, error: ReconcileError) -> ReconcileError {
    let message = "a policy with enforce: Running denies what n8n has";
    rec.not_published();
    rec.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::PolicyDenied, message);
    rec.set_condition(ConditionType::Healthy, ConditionStatus::Unknown, Reason::HealthNotChecked, message);
    ReconcileError { message: format!("{}; it is not published (enforce: Running)", error.message), ..error }
}

/// Returns the UID and generation of each policy, which tell one state of the policies from another.
pub(super) fn versions_of(policies: &[Arc<IndexedPolicy>]) -> Vec<(&str, Option<i64>)> {
    let mut versions: Vec<_> =
        policies.iter().map(|policy| (policy.metadata.uid.as_deref().unwrap_or_default(), policy.metadata.generation)).collect();
    versions.sort_unstable();
    versions
}

/// Returns true if the built-in rules for generated definitions apply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BuiltIn {
    With,
    Without,
}

/// Returns which of these policies, and of the built-in rules for a generated definition, a definition breaks.
async fn broken_by(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    definition: &Definition,
    policies: &[Arc<IndexedPolicy>],
    built_in: BuiltIn,
) -> Result<Option<Denial>, ReconcileError> {
    let generated = is_generated(rec);
    let built_in = IndexedPolicy::built_in(policies, generated && built_in == BuiltIn::With);
    let rules = IndexedPolicy::rules_of(policies, generated, built_in.as_ref());
    if rules.is_empty() {
        return Ok(None);
    }
    let catalog = rec.ctx.catalogs.of(&connection.instance).await?;
    Ok(policies::denial(definition, &rules, catalog.catalog()))
}
