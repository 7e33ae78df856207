//! Step 1, reads Kubernetes: parses the object's source into a definition.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::reconciliation::Reconciliation;
use super::template;
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::LARGEST_INLINE;
use crate::api::workflow_status::VersionSource;
use crate::document::definition::Definition;
use crate::document::finding::{Finding, summarise};
use crate::document::parse::read_text;
use crate::domain::admission::workflow::too_large;
use crate::domain::error::ReconcileError;
use crate::kubernetes::objects;
use crate::validator::check::parse_owned_and_check;

/// Maximum length of the text in a ConfigMap; the API server itself stores a little over 1 MiB.
const LARGEST_TEXT: usize = 1_100_000;
/// Maximum length of the findings in a condition.
const FINDINGS_CHARS: usize = 1_500;

/// A parsed definition.
pub(super) struct Source {
    pub(super) definition: Definition,
    pub(super) kind: VersionSource,
    /// Digest of the text that it was read from.
    pub(super) text: TextDigest,
    /// Resource version of the ConfigMap that it was read from.
    pub(super) source_version: Option<String>,
    /// Findings about repaired and ignored parts.
    pub(super) warnings: Vec<Finding>,
    /// Set if it may become a version. A rejected definition goes on only if a pin names another version.
    pub(super) accepted: bool,
}

/// The SHA-256 of a text.
pub(super) type TextDigest = [u8; 32];

/// Reads and parses the source.
pub(super) async fn load(rec: &mut Reconciliation<'_>) -> Result<Source, ReconcileError> {
    let source = match rec.spec().template_ref.clone() {
        Some(reference) => template::load(rec, &reference).await.map(|made| {
            let template::Made { definition, text, warnings } = made;
            named(rec, Source { definition, kind: VersionSource::Template, text, source_version: None, warnings, accepted: true })
        }),
        None => taken_in(rec).await.inspect(|_| rec.use_template(None)),
    };
    rec.source_version = source.as_ref().ok().and_then(|source| source.source_version.clone());
    if let Err(error) = &source {
        rec.status.record_validated(None);
        rec.set_condition(ConditionType::Validated, ConditionStatus::False, error.reason, &error.message);
    }
    source
}

async fn taken_in(rec: &Reconciliation<'_>) -> Result<Source, ReconcileError> {
    let Text { value, digest, source, version, mut warnings } = read_source(rec).await?;
    let intake = parse_owned_and_check(value)
        .map_err(|findings| ReconcileError::invalid(Reason::InvalidDefinition, summarise(&findings, FINDINGS_CHARS)))?;
    warnings.extend(intake.warnings);
    let definition = intake.definition;
    Ok(named(rec, Source { definition, kind: source, text: digest, source_version: version, warnings, accepted: true }))
}

/// Gives the definition the name that the spec asks for: it is sent to n8n, so it must fit the limits.
fn named(rec: &Reconciliation<'_>, mut source: Source) -> Source {
    source.definition.name = rec.spec().display_name.clone().or(source.definition.name);
    source
}

/// Text of a source.
struct Text {
    value: Value,
    digest: TextDigest,
    source: VersionSource,
    version: Option<String>,
    warnings: Vec<Finding>,
}

async fn read_source(rec: &Reconciliation<'_>) -> Result<Text, ReconcileError> {
    if let Some(definition) = &rec.spec().definition {
        let text = serde_json::to_string(definition).unwrap_or_default();
        let size = text.len();
        if size > LARGEST_INLINE {
            return Err(ReconcileError::invalid(Reason::TooLarge, too_large(size)));
        }
        let digest = Sha256::digest(&text).into();
        return Ok(Text { value: definition.clone(), digest, source: VersionSource::Definition, version: None, warnings: Vec::new() });
    }
    let Some(from) = &rec.spec().definition_from else {
        return Err(ReconcileError::invalid(
            Reason::InvalidDefinition,
            "none of spec.definition, spec.definitionFrom and spec.templateRef is set; set exactly one",
        ));
    };
    let (name, key) = (&from.config_map_key_ref.name, &from.config_map_key_ref.key);
    let missing = |what: String| ReconcileError::waiting(Reason::SourceNotFound, what);
    let found = objects::get::<ConfigMap>(&rec.ctx.client, Some(&rec.namespace()), name).await;
    let found = found.map_err(|error| objects::reconcile_error(&format!("read ConfigMap {name}"), &error))?;
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
        ReconcileError::invalid(Reason::SourceUnreadable, format!("ConfigMap {name}, key {key}: {}", summarise(&findings, FINDINGS_CHARS)))
    })?;
    let (source, version) = (VersionSource::ConfigMap, found.metadata.resource_version.clone());
    Ok(Text { value: read.value, digest: Sha256::digest(&text).into(), source, version, warnings: read.warnings })
}
