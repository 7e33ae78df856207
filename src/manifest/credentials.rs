//! N8nCredentials of a set, and the Workflows that name them: references without a target, other types and instances, rate limits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, join};
use super::embedded::text;
use super::namespace_rules::may_share;
use super::report::{Placed, Report};
use super::set::Member;
use crate::api::credential::{N8nCredential, RateLimit};
use crate::api::duration::DurationText as Time;
use crate::api::workflow::InstanceRef;
use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, Severity, quoted};
use crate::document::positions::Span;
use crate::domain::credential_limits::{self, limits_of, scheduled_requests};
use crate::domain::render::mapped_types;
use crate::text::listed;
use crate::text::similar::nearest;

/// Maximum number of Workflows that a message names.
const MOST_NAMES: usize = 10;

/// An N8nCredential of the set.
pub(super) struct CredentialManifest {
    report: usize,
    source: usize,
    span: Option<Span>,
    namespace: Option<String>,
    pub(super) name: String,
    pub(super) kind: String,
    instance: InstanceRef,
    rate_limit: Option<RateLimit>,
}

impl CredentialManifest {
    /// Reads an N8nCredential whose report has this index; one that does not fit its kind is reported there.
    pub(super) fn of(document: &Document<'_>, object: &Value, at: &str, report: usize) -> Option<Self> {
        let spec = serde_json::from_value::<N8nCredential>(object.clone()).ok()?.spec;
        Some(Self {
            report,
            source: document.source,
            span: document.span(&join(at, "spec.rateLimit")),
            namespace: text(object, "namespace"),
            name: text(object, "name")?,
            kind: spec.kind,
            instance: spec.instance_ref,
            rate_limit: spec.rate_limit,
        })
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    fn instance(&self) -> (Option<&str>, &str) {
        (self.instance.namespace.as_deref().or(self.namespace.as_deref()), &self.instance.name)
    }
}

/// Returns the findings of these checks, each with the index of its report.
pub(super) fn check(members: &[Member], declared: &[CredentialManifest], reports: &[Report]) -> Vec<(usize, Placed)> {
    let mut found = Vec::new();
    for member in members {
        let definition = reports.get(member.report()).and_then(|report| report.definition.as_ref());
        found.extend(references(member, definition, declared).into_iter().map(|finding| member.placed(finding)));
        let limits = limits_of(member.spec(), |name| {
            declared.iter().find(|one| one.name == name && may_share(one.namespace(), member.namespace()))?.rate_limit
        });
        let warnings = definition.into_iter().flat_map(|definition| credential_limits::warnings(definition, member.spec(), &limits));
        found.extend(warnings.map(|finding| member.placed(at_definition(member, finding))));
    }
    found.extend(declared.iter().filter_map(|one| shared(one, members, reports)));
    found
}

/// Returns a finding on the definition of a Workflow as one on its manifest.
fn at_definition(member: &Member, finding: Finding) -> Finding {
    let spec = member.spec();
    let path = match (&spec.definition, &spec.definition_from) {
        (Some(_), _) => format!("spec.definition.{}", finding.path),
        (None, Some(_)) => "spec.definitionFrom".to_owned(),
        (None, None) => "spec.templateRef".to_owned(),
    };
    Finding { path, ..finding }
}

/// Reports N8nCredentials that the set does not hold, and those of another type or instance. One that is missing may be in the cluster, unless
/// a very similar name in the set makes a typing error more likely.
fn references(member: &Member, definition: Option<&Definition>, declared: &[CredentialManifest]) -> Vec<Finding> {
    let beside: Vec<&CredentialManifest> = declared.iter().filter(|one| may_share(one.namespace(), member.namespace())).collect();
    let mut findings = Vec::new();
    for (index, mapping) in member.spec().credentials.iter().enumerate() {
        let Some(name) = mapping.credential_ref.as_ref().map(|reference| reference.name.as_str()) else { continue };
        let warning =
            |message: String| Finding::warning(Code::CredentialNotFound, format!("spec.credentials[{index}].credentialRef.name"), message);
        let Some(found) = beside.iter().find(|one| one.name == name) else {
            let near = nearest(name, beside.iter().map(|one| one.name.as_str()));
            let message = format!("N8nCredential {} is not among the files; publication waits until the namespace has it", quoted(name));
            let finding = warning(message).suggest(near);
            findings.push(if near.is_some() { finding } else { Finding { severity: Severity::Info, ..finding } });
            continue;
        };
        if found.instance() != member.instance() {
            findings.push(warning(format!("N8nCredential {} is on another N8nInstance, so publication waits for ever", quoted(name))));
        }
        let kinds = definition.map(|definition| mapped_types(member.spec(), definition, index)).unwrap_or_default();
        if let Some(kind) = kinds.into_iter().find(|kind| *kind != found.kind) {
            let message =
                format!("the definition uses this credential with type {kind}, and N8nCredential {} has another type", quoted(name));
            findings.push(warning(message).mismatch(&found.kind, kind));
        }
    }
    findings
}

/// Reports a limit that the schedules of several Workflows exceed together, though none of them does alone.
fn shared(credential: &CredentialManifest, members: &[Member], reports: &[Report]) -> Option<(usize, Placed)> {
    let limit = credential.rate_limit?;
    let (allowed, per) = (u64::try_from(limit.requests).ok()?, limit.per.get());
    let users =
        members.iter().filter(|member| may_share(credential.namespace(), member.namespace()) && member.spec().active != Some(false));
    let mut requests: BTreeMap<&str, u64> = BTreeMap::new();
    for member in users {
        let Some(definition) = reports.get(member.report()).and_then(|report| report.definition.as_ref()) else { continue };
        let own = scheduled_requests(definition, member.spec(), &credential.name, per);
        if own > 0 {
            *requests.entry(member.name()).or_default() += own;
        }
    }
    let total: u64 = requests.values().sum();
    if requests.len() < 2 || total <= allowed || requests.values().any(|own| *own > allowed) {
        return None;
    }
    let sum: Vec<String> = requests.iter().map(|(name, own)| format!("{name} {own}")).collect();
    let message = format!(
        "the schedules of {} Workflows together send {} = {total} requests in {}, if each node sends one; {allowed} are allowed",
        requests.len(),
        listed(&sum, MOST_NAMES).replace(", ", " + "),
        Time::from_secs(per.as_secs())
    );
    let finding = Finding::warning(Code::RateLimitExceeded, "spec.rateLimit", message);
    Some((credential.report, Placed { finding, source: credential.source, span: credential.span }))
}
