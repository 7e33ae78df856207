//! Step 1, reads Kubernetes: the object's source becomes a definition that was taken in and checked.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::Value;

use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow_status::VersionSource;
use crate::controller::store;
use crate::domain::check::disagreements;
use crate::domain::definition::Definition;
use crate::domain::finding::{Finding, has_errors, summarise};
use crate::domain::intake::{read_text, take_in};
use crate::domain::manifest::LARGEST_INLINE;
use crate::domain::structure::check_structure;
use crate::domain::trouble::Trouble;

/// The largest text of a ConfigMap; the API server itself keeps a little over 1 MiB.
const LARGEST_TEXT: usize = 1_100_000;
/// How much of the findings a condition shows.
const FINDINGS_CHARS: usize = 1_500;

/// A checked definition.
pub(super) struct Gathered {
    pub(super) definition: Definition,
    pub(super) source: VersionSource,
}

/// Reads the source, takes it in and checks its structure.
pub(super) async fn gather(work: &mut Work<'_>) -> Result<Gathered, Trouble> {
    match checked(work).await {
        Ok((gathered, warnings)) => {
            let message =
                if warnings.is_empty() { "the definition is well formed".to_owned() } else { summarise(&warnings, FINDINGS_CHARS) };
            work.verdict(ConditionType::Validated, ConditionStatus::True, Reason::Valid, message);
            Ok(gathered)
        }
        Err(trouble) => {
            work.verdict(ConditionType::Validated, ConditionStatus::False, trouble.reason, &trouble.message);
            Err(trouble)
        }
    }
}

async fn checked(work: &Work<'_>) -> Result<(Gathered, Vec<Finding>), Trouble> {
    let (raw, source, mut warnings) = read_source(work).await?;
    let refused = |findings: Vec<Finding>| Trouble::invalid(Reason::InvalidDefinition, summarise(&findings, FINDINGS_CHARS));
    let intake = take_in(&raw).map_err(refused)?;
    let (active, tags) = (work.spec().active, work.spec().tags.as_deref());
    let mut findings = check_structure(&intake.definition);
    if has_errors(&findings) {
        findings.extend(intake.warnings);
        return Err(refused(findings));
    }
    warnings.extend(intake.warnings);
    warnings.extend(findings);
    warnings.extend(disagreements(&intake.definition, active, tags));
    Ok((Gathered { definition: intake.definition, source }, warnings))
}

async fn read_source(work: &Work<'_>) -> Result<(Value, VersionSource, Vec<Finding>), Trouble> {
    if let Some(definition) = &work.spec().definition {
        let size = serde_json::to_string(definition).map_or(0, |text| text.len());
        if size > LARGEST_INLINE {
            return Err(Trouble::invalid(
                Reason::TooLarge,
                format!(
                    "spec.definition has {size} bytes and may have {LARGEST_INLINE}; put the workflow into a ConfigMap and name it in spec.definitionFrom.configMapKeyRef"
                ),
            ));
        }
        return Ok((definition.clone(), VersionSource::Definition, Vec::new()));
    }
    let Some(from) = &work.spec().definition_from else {
        return Err(Trouble::invalid(Reason::InvalidDefinition, "neither spec.definition nor spec.definitionFrom is set; set exactly one"));
    };
    let (name, key) = (&from.config_map_key_ref.name, &from.config_map_key_ref.key);
    let missing = |what: String| Trouble::waiting(Reason::SourceNotFound, what);
    let api = Api::<ConfigMap>::namespaced(work.ctx.client.clone(), &work.namespace());
    let found = api.get_opt(name).await.map_err(|error| store::trouble(&format!("read ConfigMap {name}"), &error))?;
    let found =
        found.ok_or_else(|| missing(format!("ConfigMap {name}, which spec.definitionFrom names, does not exist in this namespace")))?;
    let text = found
        .data
        .as_ref()
        .and_then(|data| data.get(key).cloned())
        .or_else(|| found.binary_data.as_ref()?.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok()))
        .ok_or_else(|| {
            let keys: Vec<&str> = found.data.iter().flatten().map(|(key, _)| key.as_str()).take(10).collect();
            missing(format!(
                "ConfigMap {name} has no key {key}; it has: {}",
                if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
            ))
        })?;
    let read = read_text(&text, LARGEST_TEXT).map_err(|findings| {
        Trouble::invalid(Reason::SourceUnreadable, format!("ConfigMap {name}, key {key}: {}", summarise(&findings, FINDINGS_CHARS)))
    })?;
    Ok((read.value, VersionSource::ConfigMap, read.warnings))
}
