//! Checks across a set of Workflows: references and mappings without a target, probes of unknown nodes, webhook paths in several Workflows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::api::workflow::{Probe, WorkflowSpec};
use crate::document::definition::Definition;
use crate::document::derive::{IdentitySeed, fill_ids};
use crate::document::endpoints::{Endpoint, webhook_endpoints};
use crate::document::finding::{Code, Finding, Severity, cut, quoted};
use crate::document::json_path;
use crate::document::positions::Span;
use crate::document::references::sub_workflow_references;
use crate::domain::quota::places::Places;
use crate::domain::render::{called, mapping_of};
use crate::text::similar::nearest;

use super::document::{Document, join};
use super::embedded::text;
use super::namespace_rules::may_share;
use super::report::{Placed, Report, Source};

/// A Workflow of the set.
pub(super) struct Member {
    /// Index of its report.
    report: usize,
    source: usize,
    namespace: Option<String>,
    name: String,
    spec: WorkflowSpec,
    /// Positions of the fields that findings can refer to.
    spans: BTreeMap<String, Span>,
}

impl Member {
    pub(super) fn new(document: &Document<'_>, object: &Value, at: &str, report: usize, spec: WorkflowSpec) -> Self {
        let mut paths = vec!["metadata.name".to_owned(), "spec".to_owned(), "spec.credentials".to_owned()];
        let items = |list: &str, count: usize, fields: &[&str]| -> Vec<String> {
            let one = |index| fields.iter().map(move |field| format!("{list}[{index}].{field}"));
            (0..count).flat_map(one).collect()
        };
        paths.extend(spec.active.map(|_| "spec.active".to_owned()));
        paths.extend(items("spec.credentials", spec.credentials.len(), &["name", "credentialRef.name"]));
        paths.extend(items("spec.references", spec.references.len(), &["id", "workflowRef.name"]));
        let probes = spec.health_check.as_ref().map_or(0, |check| check.probes.len());
        paths.extend(items("spec.healthCheck.probes", probes, &["node", "method", "pathParameters"]));
        let nodes = object["spec"]["definition"]["nodes"].as_array().map_or(0, Vec::len);
        paths.extend((0..nodes).flat_map(|index| ["", ".parameters.path"].map(|rest| format!("spec.definition.nodes[{index}]{rest}"))));
        let spans = paths.into_iter().filter_map(|path| Some((document.span(&join(at, &path))?, path))).map(|(span, path)| (path, span));
        Self {
            report,
            source: document.source,
            namespace: text(object, "namespace"),
            name: text(object, "name").unwrap_or_default(),
            spec,
            spans: spans.collect(),
        }
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Returns the index of its report.
    pub(super) fn report(&self) -> usize {
        self.report
    }

    pub(super) fn spec(&self) -> &WorkflowSpec {
        &self.spec
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the places that the Workflow asks for under a quota.
    pub(super) fn claims(&self) -> Places {
        Places::claimed(self.spec.active, self.spec.suspend == Some(true), false)
    }

    /// Returns a finding with its position, and the index of its report.
    pub(super) fn placed(&self, finding: Finding) -> (usize, Placed) {
        let node = || self.spans.get(finding.path.split(".parameters").next().unwrap_or_default());
        let span = self.spans.get(&finding.path).or_else(node).or_else(|| self.spans.get("spec")).copied();
        (self.report, Placed { finding, source: self.source, span })
    }

    /// Returns the namespace and name of the instance. If none is named, a later step of the delivery sets the same one for all.
    pub(super) fn instance(&self) -> (Option<&str>, &str) {
        let instance = &self.spec.instance_ref;
        (instance.namespace.as_deref().or(self.namespace.as_deref()), &instance.name)
    }
}

/// Returns the findings of these checks, each with the index of its report.
pub(super) fn check(members: &[Member], sources: &[Source], reports: &[Report]) -> Vec<(usize, Placed)> {
    let mut found = Vec::new();
    let mut routes = Routes::default();
    for member in members {
        let mut say = |finding: Finding| found.push(member.placed(finding));
        workflow_refs(member, members).into_iter().for_each(&mut say);
        let Some(mut definition) = reports.get(member.report).and_then(|report| report.definition.clone()) else { continue };
        mappings(&member.spec, &definition).into_iter().for_each(&mut say);
        // Only which nodes have ids matters here.
        fill_ids(&mut definition, &IdentitySeed { cluster_id: String::new(), namespace: String::new(), name: member.name.clone() });
        let endpoints = webhook_endpoints(&definition);
        let probes = member.spec.health_check.iter().flat_map(|check| &check.probes).enumerate();
        probes.filter_map(|(at, probe)| probe_finding(at, probe, &definition, &endpoints)).for_each(&mut say);
        routes.add(member, &definition, &endpoints, sources).into_iter().for_each(&mut say);
    }
    found
}

fn warning(code: Code, at: String, message: String) -> Finding {
    Finding { severity: Severity::Warning, ..Finding::error(code, at, message) }
}

/// Reports references to Workflows that the set does not hold. They may be in the cluster, unless a very similar name in the set makes a
/// typing error more likely.
fn workflow_refs(member: &Member, members: &[Member]) -> Vec<Finding> {
    let beside = |other: &&Member| may_share(other.namespace(), member.namespace());
    let names: BTreeSet<&str> =
        members.iter().filter(beside).map(|other| other.name.as_str()).filter(|name| *name != member.name).collect();
    let missing = member.spec.references.iter().enumerate().filter(|(_, one)| !names.contains(one.workflow_ref.name.as_str()));
    let finding = |(index, one): (usize, &crate::api::workflow::WorkflowReference)| {
        let name = &one.workflow_ref.name;
        let message = if *name == member.name {
            "the Workflow refers to itself, and would wait for itself".to_owned()
        } else {
            format!("Workflow {} is not among the files; publication waits until the namespace has it", quoted(name))
        };
        let near = nearest(name, names.iter().copied());
        let finding = warning(Code::WorkflowNotFound, format!("spec.references[{index}].workflowRef.name"), message).suggest(near);
        if near.is_some() || *name == member.name { finding } else { Finding { severity: Severity::Info, ..finding } }
    };
    missing.map(finding).collect()
}

/// Reports credentials without a mapping, and mappings that the definition does not use.
fn mappings(spec: &WorkflowSpec, definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut used, mut reported) = (BTreeSet::new(), BTreeSet::new());
    for node in &definition.nodes {
        for (kind, entry) in node.credentials().into_iter().flatten() {
            match mapping_of(spec, kind, entry) {
                Some((at, _)) => drop(used.insert(at)),
                None if reported.insert((kind.clone(), called(entry))) => {
                    let message = format!(
                        "credential {} of type {kind} is not mapped to an N8nCredential or to a credential of the instance, so publication waits; add it to spec.credentials (`weirkeeper credentials` writes the manifest of an N8nCredential)",
                        quoted(&called(entry))
                    );
                    findings.push(warning(Code::CredentialUnmapped, "spec.credentials".to_owned(), message).at_node(node.name()));
                }
                None => {}
            }
        }
    }
    let names: BTreeSet<String> = reported.into_iter().map(|(_, name)| name).collect();
    for (index, mapping) in spec.credentials.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
        let of = mapping.kind.as_ref().map_or_else(String::new, |kind| format!(" of type {kind}"));
        let message = format!("the definition uses no credential {}{of}", quoted(&mapping.name));
        let finding = warning(Code::MappingUnused, format!("spec.credentials[{index}].name"), message);
        findings.push(finding.suggest(nearest(&mapping.name, names.iter().map(String::as_str))));
    }
    let ids: BTreeSet<String> = sub_workflow_references(definition).into_iter().map(|reference| reference.id).collect();
    for (index, reference) in spec.references.iter().enumerate().filter(|(_, reference)| !ids.contains(&reference.id)) {
        let message = format!("the definition calls no workflow {}, so the mapping has no effect", quoted(&reference.id));
        let finding = warning(Code::MappingUnused, format!("spec.references[{index}].id"), message);
        findings.push(finding.suggest(nearest(&reference.id, ids.iter().map(String::as_str))));
    }
    findings
}

/// Reports a probe that cannot be sent: it fails every version.
fn probe_finding(at: usize, probe: &Probe, definition: &Definition, endpoints: &[Endpoint]) -> Option<Finding> {
    let field = |name: &str| format!("spec.healthCheck.probes[{at}].{name}");
    let error = |name: &str, message: String| Some(Finding::error(Code::ProbeInvalid, field(name), message));
    let node = quoted(&probe.node);
    let Some(endpoint) = endpoints.iter().find(|one| one.node == probe.node && one.verifiable && one.base == "webhook") else {
        let names: BTreeSet<&str> = endpoints.iter().filter(|one| one.base == "webhook").map(|one| one.node.as_str()).collect();
        let message = match definition.node(&probe.node) {
            None => format!("the definition has no node {node} to probe"),
            Some(found) if found.disabled() => format!("node {node} is disabled, so there is nothing to probe"),
            Some(_) if names.contains(probe.node.as_str()) => {
                format!("the path of node {node} is computed by an expression, so it cannot be probed")
            }
            Some(_) => format!("node {node} is not a webhook, so it cannot be probed"),
        };
        let near = nearest(&probe.node, names);
        return error("node", message).map(|finding| finding.suggest(near));
    };
    if let Some(method) = probe.method.as_ref().filter(|method| !endpoint.methods.is_empty() && !endpoint.methods.contains(method)) {
        return error("method", format!("node {node} does not answer {method}"))
            .map(|one| one.mismatch(method, endpoint.methods.join(", ")));
    }
    let parts: Vec<&str> = endpoint.path.split('/').filter_map(|part| part.strip_prefix(':')).collect();
    if let Some(missing) = parts.iter().find(|part| !probe.path_parameters.contains_key(**part)) {
        return error("pathParameters", format!("the path of node {node} has a parameter :{missing}, which needs a value here"));
    }
    let unused = probe.path_parameters.keys().find(|name| !parts.contains(&name.as_str()))?;
    let finding = warning(Code::ProbeInvalid, field("pathParameters"), format!("the path of node {node} has no parameter :{unused}"));
    Some(finding.suggest(nearest(unused, parts)))
}

/// The Workflow that serves each method and path of an instance.
#[derive(Default)]
struct Routes(HashMap<(String, String, String), (String, String)>);

impl Routes {
    /// Adds the routes of a Workflow that is published, and reports those that another one has. A Workflow of the same name is the same
    /// object, for another cluster or stage.
    fn add(&mut self, member: &Member, definition: &Definition, endpoints: &[Endpoint], sources: &[Source]) -> Vec<Finding> {
        if member.spec.active == Some(false) {
            return Vec::new();
        }
        let (namespace, instance) = member.instance();
        let instance = format!("{}/{instance}", namespace.unwrap_or_default());
        let file = sources.get(member.source).map_or("", |source| source.name.as_str());
        let mut findings = Vec::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.verifiable) {
            for route in &endpoint.routes {
                let method = &route.method;
                let key = (instance.clone(), method.clone(), route.path.clone());
                let (name, first) = self.0.entry(key).or_insert_with(|| (member.name.clone(), file.to_owned()));
                if *name == member.name {
                    continue;
                }
                let index = definition.nodes.iter().position(|node| node.name() == endpoint.node).unwrap_or_default();
                let at = json_path::key(&json_path::key(&json_path::index("spec.definition.nodes", index), "parameters"), "path");
                let message = format!(
                    "{method} {} is also served by Workflow {} ({}) on the same instance; only one of them can be published",
                    cut(&endpoint.url_path(), 200),
                    quoted(name),
                    cut(first, 200)
                );
                findings.push(warning(Code::WebhookConflict, at, message).at_node(&endpoint.node));
            }
        }
        findings
    }
}
