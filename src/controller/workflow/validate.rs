//! Step 2, reads Kubernetes: the whole validator on a definition, before anything of it is sent.
//!
//! A definition is validated once: the result is kept until the definition, the catalogue or n8n changes. The first reconciliation after a
//! start accepts the result in the status, so that a restart does not validate everything at one moment.

use std::panic::resume_unwind;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::reconciliation::Reconciliation;
use super::source::{self, Source};
use super::{policy, versions};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};
use crate::api::required_credential::RequiredCredential;
use crate::api::workflow_status::VersionSource;
use crate::controller::connections::Connection;
use crate::controller::memory::CachedValidation;
use crate::domain::credential_limits::{self, limits_of};
use crate::domain::error::ReconcileError;
use crate::domain::history;
use crate::domain::policies::Denial;
use crate::domain::render::Symbolic;
use crate::domain::validation::{self, ValidationContext, ValidationReport, accepted_before};
use crate::kubernetes::indexed_policy::IndexedPolicy;

/// Reads the source and validates it. An error stops the reconciliation, unless a pin names a stored version, which goes on.
pub(super) async fn load(rec: &mut Reconciliation<'_>, connection: &Connection) -> Result<Source, ReconcileError> {
    let validated = match source::load(rec).await {
        Ok(source) => validate(rec, connection, source).await,
        Err(error) => Err(error),
    };
    match validated {
        Err(error) if matches!(error.class, Class::Invalid | Class::Waiting) || error.reason == Reason::PolicyDenied => {
            pinned(rec).await.ok_or(error)
        }
        validated => validated,
    }
}

/// Numbers an accepted definition. A rejected one has no number: returns 0, which no version has.
pub(super) async fn number(rec: &mut Reconciliation<'_>, source: &Source, symbolic: &Symbolic) -> Result<i64, ReconcileError> {
    if source.accepted { versions::keep(rec, symbolic, source.kind).await } else { Ok(0) }
}

/// Returns the credentials that a version requires. For the spec's own definition (`own`), the last validation knows what its nodes need;
/// if the status was accepted instead, the status says it.
pub(super) async fn required(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    own: bool,
    used: &[RequiredCredential],
) -> Result<Vec<RequiredCredential>, ReconcileError> {
    let loaded = rec.ctx.catalogs.of(&connection.instance).await?;
    if !own {
        return Ok(validation::required(used, &[], loaded.catalog()));
    }
    Ok(rec.ctx.remember(&rec.uid(), |memory| match &memory.validation {
        Some(CachedValidation::Known(_, report)) => validation::required(used, &report.needs, loaded.catalog()),
        _ => validation::required(used, &rec.status.required_credentials, loaded.catalog()),
    }))
}

async fn validate(rec: &mut Reconciliation<'_>, connection: &Connection, source: Source) -> Result<Source, ReconcileError> {
    let policies = policy::of(rec)?;
    if policies.is_empty() && !policy::is_generated(rec) && believed(rec, &source) {
        return Ok(source);
    }
    let (source, report) = report_on(rec, connection, source, policies).await?;
    if !report.refused && !report.denied_by.is_empty() {
        return Err(denied(rec, &report));
    }
    if !report.refused {
        set_valid(rec, &report.message);
        return Ok(source);
    }
    let digest = versions::symbolic(rec, &source.definition).await?.digest.to_string();
    if accepted_before(&rec.status, &digest, rec.spec().active) {
        if !report.denied_by.is_empty() {
            return Err(denied(rec, &report));
        }
        let message = format!("the definition was accepted earlier and is still used; today it would be rejected: {}", report.message);
        set_valid(rec, &message);
        return Ok(source);
    }
    rec.status.record_validated(None);
    rec.set_condition(ConditionType::Validated, ConditionStatus::False, Reason::InvalidDefinition, &report.message);
    Err(ReconcileError::invalid(Reason::InvalidDefinition, &report.message))
}

/// Policies are evaluated again for each version, also for one that was accepted before.
fn denied(rec: &mut Reconciliation<'_>, report: &ValidationReport) -> ReconcileError {
    rec.status.record_validated(None);
    rec.set_condition(ConditionType::Validated, ConditionStatus::False, Reason::PolicyDenied, &report.message);
    policy::denied(rec, Denial { policies: report.denied_by.clone(), message: report.message.clone() })
}

fn set_valid(rec: &mut Reconciliation<'_>, message: &str) {
    rec.status.record_validated(Some(rec.generation()));
    rec.set_condition(ConditionType::Validated, ConditionStatus::True, Reason::Valid, message);
}

/// Reports whether the result in the status is sufficient for now: nothing is remembered, and it is about this very definition, which the
/// generation only tells for an inline one.
fn believed(rec: &mut Reconciliation<'_>, source: &Source) -> bool {
    let first = rec.ctx.remember(&rec.uid(), |memory| memory.validation.is_none());
    let stands = rec.status.validated_generation == Some(rec.generation());
    if !first || !stands || source.kind != VersionSource::Definition {
        return false;
    }
    rec.set_steady_condition(ConditionType::Validated, ConditionStatus::True, Reason::Valid, String::new());
    rec.ctx.remember(&rec.uid(), |memory| memory.validation = Some(CachedValidation::Believed));
    true
}

/// Returns the report, from memory if none of its inputs changed.
async fn report_on(
    rec: &Reconciliation<'_>,
    connection: &Connection,
    mut source: Source,
    policies: Vec<Arc<IndexedPolicy>>,
) -> Result<(Source, Arc<ValidationReport>), ReconcileError> {
    let n8n = version(connection).await?;
    let loaded = rec.ctx.catalogs.of(&connection.instance).await?;
    let instead = loaded.error.as_ref().map(|_| "the N8nInstance's own catalogue cannot be read, so the built-in one is used");
    let spec = rec.spec();
    let (active, tags) = (spec.active, spec.tags.clone());
    let namespace = rec.namespace();
    let limits = limits_of(spec, |name| rec.ctx.credential(&namespace, name)?.rate_limit());
    let mapped = (!limits.is_empty()).then(|| spec.clone());
    let (silenced, generated) = (rec.silenced(), policy::is_generated(rec));
    let dependency_digest = format!(
        "{generated}{active:?}{tags:?}{:?}{n8n:?}{}{instead:?}{silenced:?}{:?}{limits:?}{:?}",
        spec.display_name,
        loaded.id,
        policy::versions_of(&policies),
        mapped.as_ref().map(|spec| &spec.credentials)
    );
    let of: [u8; 32] = Sha256::new().chain_update(source.text).chain_update(dependency_digest).finalize().into();
    let known = rec.ctx.remember(&rec.uid(), |memory| match &memory.validation {
        Some(CachedValidation::Known(before, report)) if *before == of => Some(report.clone()),
        _ => None,
    });
    if let Some(report) = known {
        return Ok((source, report));
    }
    let timer = rec.ctx.metrics.time("validate");
    // A large definition takes long, and must not delay other reconciliations.
    let validated = tokio::task::spawn_blocking(move || {
        let measure = ValidationContext { catalog: loaded.catalog(), n8n: n8n.as_deref(), instead };
        let mut warnings = std::mem::take(&mut source.warnings);
        warnings.extend(mapped.iter().flat_map(|spec| credential_limits::warnings(&source.definition, spec, &limits)));
        let built_in = IndexedPolicy::built_in(&policies, generated);
        let rules = IndexedPolicy::rules_of(&policies, generated, built_in.as_ref());
        let report = validation::validate(&source.definition, active, tags.as_deref(), warnings, measure, &silenced, &rules);
        (source, Arc::new(report))
    });
    let (source, report) = validated.await.map_err(|stopped| match stopped.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => ReconcileError::transient(Reason::Progressing, "the operator is shutting down"),
    })?;
    timer.done();
    rec.ctx.remember(&rec.uid(), |memory| memory.validation = Some(CachedValidation::Known(of, report.clone())));
    Ok((source, report))
}

/// Returns the version of n8n from the instance's status. If the instance was not reconciled yet, n8n itself is asked: the severity of
/// findings must not depend on which object came first.
async fn version(connection: &Connection) -> Result<Option<String>, ReconcileError> {
    if knows_version(connection) {
        return Ok(connection.instance.status.as_ref().and_then(|status| status.n8n_version.clone()));
    }
    let found = connection.client.version().await?;
    Ok(found.or_else(|| connection.instance.spec.n8n_version.clone()))
}

/// Reports whether the instance's status tells the version of n8n, as far as that can be found out.
pub(super) fn knows_version(connection: &Connection) -> bool {
    let status = connection.instance.status.as_ref();
    // Scopes are known once n8n answered and accepted the key.
    status.is_some_and(|status| status.n8n_version.is_some() || !status.key_scopes.is_empty())
}

/// Returns the version that a pin names, in place of a definition that cannot be used.
async fn pinned(rec: &Reconciliation<'_>) -> Option<Source> {
    kept(rec, rec.pinned()?.trim().parse().ok()?).await
}

/// Returns a stored version in place of a definition that cannot be used. It gets no new number.
pub(super) async fn kept(rec: &Reconciliation<'_>, version: i64) -> Option<Source> {
    let kind = history::numbered(&rec.status.history, version)?.source;
    let definition = versions::read(rec, version).await.ok()?;
    Some(Source { definition, kind, text: Default::default(), source_version: None, warnings: Vec::new(), accepted: false })
}
