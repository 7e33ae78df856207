//! Step 2, reads Kubernetes: the whole validator on a definition, before anything of it is sent.
//!
//! A definition is validated once: the verdict is kept until the definition, the catalogue or n8n changes. The first look after a
//! start believes a verdict that stands in the status, so that a restart does not validate everything at one moment.

use std::panic::resume_unwind;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::converge::{Round, symbolic};
use super::gather::{LoadedSource, gather};
use super::versions;
use super::work::Work;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::reason::{Class, Reason};
use crate::api::workflow_status::{Operation, RequiredCredential, VersionSource};
use crate::controller::connections::{self, Connection};
use crate::controller::memory::CachedValidation;
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::render::Symbolic;
use crate::domain::validation::{self, ValidationContext, ValidationReport, accepted_before};

/// Reads the source and judges it. What cannot work stops the pass, unless a pin names a version that is kept: that one goes on.
pub(super) async fn judge(work: &mut Work<'_>, connection: &Connection) -> Result<LoadedSource, ReconcileError> {
    let judged = match gather(work).await {
        Ok(gathered) => look(work, connection, gathered).await,
        Err(reconcile_error) => Err(reconcile_error),
    };
    match judged {
        Err(reconcile_error) if matches!(reconcile_error.class, Class::Invalid | Class::Waiting) => {
            pinned(work).await.ok_or(reconcile_error)
        }
        judged => judged,
    }
}

/// Numbers what was accepted. What was refused has no number; 0 is nobody's.
pub(super) async fn number(work: &mut Work<'_>, gathered: &LoadedSource, symbolic: &Symbolic) -> Result<i64, ReconcileError> {
    if gathered.accepted { versions::keep(work, symbolic, gathered.source).await } else { Ok(0) }
}

/// The credentials of what is on its way. Of the spec's own definition it is known what its nodes need; where the verdict was
/// believed, the status says it.
pub(super) async fn required(
    work: &Work<'_>,
    round: &Round<'_>,
    used: &[RequiredCredential],
) -> Result<Vec<RequiredCredential>, ReconcileError> {
    let held = work.ctx.catalogs.of(&round.connection.instance).await?;
    if round.pinned || round.operation == Operation::Rollback {
        return Ok(validation::required(used, &[], held.catalog()));
    }
    Ok(work.ctx.remember(&work.uid(), |memory| match &memory.judged {
        Some(CachedValidation::Known(_, judgement)) => validation::required(used, &judgement.needs, held.catalog()),
        _ => validation::required(used, &work.status.required_credentials, held.catalog()),
    }))
}

async fn look(work: &mut Work<'_>, connection: &Connection, gathered: LoadedSource) -> Result<LoadedSource, ReconcileError> {
    if believed(work, &gathered) {
        return Ok(gathered);
    }
    let (gathered, judgement) = verdict_on(work, connection, gathered).await?;
    if !judgement.refused {
        work.set_condition(ConditionType::Validated, ConditionStatus::True, Reason::Valid, &judgement.said);
        return Ok(gathered);
    }
    let digest = symbolic(work, &gathered).await?.digest.to_string();
    if accepted_before(&work.status, &digest, work.spec().active) {
        let said = format!("it was accepted before, so nothing of it is held up; today it would be refused: {}", judgement.said);
        work.set_condition(ConditionType::Validated, ConditionStatus::True, Reason::Valid, said);
        return Ok(gathered);
    }
    work.set_condition(ConditionType::Validated, ConditionStatus::False, Reason::InvalidDefinition, &judgement.said);
    Err(ReconcileError::invalid(Reason::InvalidDefinition, &judgement.said))
}

/// Whether the verdict in the status is enough for now: nothing is remembered, and it speaks of this very definition, which the
/// generation only tells of an inline one.
fn believed(work: &mut Work<'_>, gathered: &LoadedSource) -> bool {
    let first = work.ctx.remember(&work.uid(), |memory| memory.judged.is_none());
    if !first || gathered.source != VersionSource::Definition {
        return false;
    }
    let standing = find(&work.status.conditions, ConditionType::Validated)
        .filter(|one| one.status == ConditionStatus::True && one.observed_generation == work.generation())
        .map(|one| one.message.clone());
    let Some(message) = standing else { return false };
    work.set_condition(ConditionType::Validated, ConditionStatus::True, Reason::Valid, message);
    work.ctx.remember(&work.uid(), |memory| memory.judged = Some(CachedValidation::Believed));
    true
}

/// The judgement, from memory where nothing that it rests on changed.
async fn verdict_on(
    work: &Work<'_>,
    connection: &Connection,
    mut gathered: LoadedSource,
) -> Result<(LoadedSource, Arc<ValidationReport>), ReconcileError> {
    let n8n = version(connection).await?;
    let held = work.ctx.catalogs.of(&connection.instance).await?;
    let instead =
        held.reconcile_error.as_ref().map(|_| "the N8nInstance's own catalogue cannot be read and the built-in one stands in for it");
    let spec = work.spec();
    let (active, tags) = (spec.active, spec.tags.clone());
    let silenced = work.silenced();
    let rests_on = format!("{active:?}{tags:?}{:?}{n8n:?}{}{instead:?}{silenced:?}", spec.display_name, held.id);
    let of: [u8; 32] = Sha256::new().chain_update(gathered.text).chain_update(rests_on).finalize().into();
    let known = work.ctx.remember(&work.uid(), |memory| match &memory.judged {
        Some(CachedValidation::Known(before, judgement)) if *before == of => Some(judgement.clone()),
        _ => None,
    });
    if let Some(judgement) = known {
        return Ok((gathered, judgement));
    }
    let timer = work.ctx.metrics.time("validate");
    // A large definition takes its time, which must not be that of other passes.
    let validated = tokio::task::spawn_blocking(move || {
        let measure = ValidationContext { catalog: held.catalog(), n8n: n8n.as_deref(), instead };
        let warnings = std::mem::take(&mut gathered.warnings);
        let judgement = validation::judge(&gathered.definition, active, tags.as_deref(), warnings, measure, &silenced);
        (gathered, Arc::new(judgement))
    });
    let (gathered, judgement) = validated.await.map_err(|stopped| match stopped.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => ReconcileError::transient(Reason::Progressing, "the operator stops"),
    })?;
    timer.done();
    work.ctx.remember(&work.uid(), |memory| memory.judged = Some(CachedValidation::Known(of, judgement.clone())));
    Ok((gathered, judgement))
}

/// The version of n8n, as the instance's last look found it. Where nobody reached it yet, n8n itself is asked: what is certain must
/// not depend on who came first.
async fn version(connection: &Connection) -> Result<Option<String>, ReconcileError> {
    if knows(connection) {
        return Ok(connection.instance.status.as_ref().and_then(|status| status.n8n_version.clone()));
    }
    let found = connection.client.version().await.map_err(|error| connections::reconcile_error(&error))?;
    Ok(found.or_else(|| connection.instance.spec.n8n_version.clone()))
}

/// Whether the instance's last look tells which n8n it is, as far as that can be found out.
pub(super) fn knows(connection: &Connection) -> bool {
    let reached = |conditions: &[Condition]| find(conditions, ConditionType::Reachable).map(|one| one.status);
    let status = connection.instance.status.as_ref();
    status.is_some_and(|status| status.n8n_version.is_some() || reached(&status.conditions) == Some(ConditionStatus::True))
}

/// The version that a pin names, in place of a definition that cannot be used.
async fn pinned(work: &Work<'_>) -> Option<LoadedSource> {
    kept(work, work.pinned()?.trim().parse().ok()?).await
}

/// A kept version in place of a definition that cannot be used. It gets no number anew.
pub(super) async fn kept(work: &Work<'_>, version: i64) -> Option<LoadedSource> {
    let source = history::numbered(&work.status.history, version)?.source;
    let definition = versions::read(work, version).await.ok()?;
    Some(LoadedSource { definition, source, text: Default::default(), source_version: None, warnings: Vec::new(), accepted: false })
}
