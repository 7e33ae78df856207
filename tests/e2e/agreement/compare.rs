//! Comparison, node by node.

use std::collections::BTreeSet;

use serde::Serialize;

use super::words::Said;
use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::document::finding::{Code, Finding};
use weirkeeper::validator::check::check;
use weirkeeper::validator::schema::{has_start, required_credentials};

/// Source of a remark: n8n, the validator, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// Both.
    Agreed,
    /// Only n8n.
    Missed,
    /// Only the validator, about something that n8n checks.
    False,
    /// Only the validator, about something that n8n does not check before the workflow runs.
    Beyond,
}

/// Subject of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    Structure,
    NodeType,
    Webhook,
    Trigger,
    Parameter,
    Credential,
    Other,
}

/// A problem that n8n, the validator or both report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Remark {
    /// Source of the remark.
    pub(crate) outcome: Outcome,
    /// Subject of the remark.
    pub(crate) subject: Subject,
    /// The node, by name.
    pub(crate) node: Option<String>,
    /// The parameter or credential, n8n's message, or the code of the finding.
    pub(crate) what: String,
}

/// Result of the comparison for one workflow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The remarks, sorted, each once.
    pub(crate) remarks: Vec<Remark>,
    /// Number of nodes that n8n checked without a complaint.
    pub(crate) well: usize,
    /// Number of those in which the validator finds any error.
    pub(crate) flagged: usize,
}

impl Comparison {
    /// Reports whether both agree about everything that n8n checks.
    pub(crate) fn agrees(&self) -> bool {
        !self.remarks.iter().any(|remark| matches!(remark.outcome, Outcome::Missed | Outcome::False))
    }
}

const NOTE: &str = "n8n-nodes-base.stickyNote";

/// Compares the validator's findings about a definition that is to be published with n8n's answer.
pub(crate) fn compare(definition: &Definition, said: &Said, catalog: &Catalog) -> Comparison {
    let findings = check(definition, Some(true), catalog);
    let mut work = Work { definition, catalog, findings: &findings, found: BTreeSet::new(), well: 0, flagged: 0 };
    match said {
        Said::NotCreated(message) => {
            let hit = work.has(|one| subject(one.code) == Subject::Structure);
            work.tell(if hit { Outcome::Agreed } else { Outcome::Missed }, Subject::Structure, None, message);
        }
        Said::UnknownType(kind) => work.types(kind, |node| is_kind(node.kind(), kind)),
        Said::UnknownVersion(kind) => work.types(kind, |node| node.kind().rsplit('.').next().is_some_and(|own| is_kind(own, kind))),
        Said::WebhookConflict => work.stage(Subject::Webhook, Code::WebhookConflict, "two webhooks share an address"),
        Said::NoTrigger => work.stage(Subject::Trigger, Code::TriggerMissing, "nothing starts the workflow"),
        Said::Nodes(_) | Said::Passed => work.nodes(said),
        Said::Unclear(_) => {}
    }
    if !matches!(said, Said::Unclear(_)) {
        work.passed(stage_of(said));
    }
    Comparison { remarks: work.found.into_iter().collect(), well: work.well, flagged: work.flagged }
}

/// Reports whether a node's type is the one that n8n names, or derived from it.
fn is_kind(own: &str, named: &str) -> bool {
    own == named || ["Tool", "HitlTool"].iter().any(|suffix| own.strip_suffix(suffix) == Some(named))
}

/// Returns the stage at which n8n stopped; it reports nothing about the stages after its first problem.
fn stage_of(said: &Said) -> Subject {
    match said {
        Said::NotCreated(_) => Subject::Structure,
        Said::UnknownType(_) | Said::UnknownVersion(_) | Said::Unclear(_) => Subject::NodeType,
        Said::WebhookConflict => Subject::Webhook,
        Said::NoTrigger => Subject::Trigger,
        Said::Nodes(_) | Said::Passed => Subject::Other,
    }
}

/// Returns the subject of a code, as far as n8n checks it before a workflow runs.
fn subject(code: Code) -> Subject {
    match code {
        Code::NodeTypeUnknown | Code::NodeTypeUncovered | Code::NodeTypeRestricted | Code::NodeVersionUnknown => Subject::NodeType,
        Code::WebhookConflict => Subject::Webhook,
        Code::TriggerMissing => Subject::Trigger,
        Code::ParameterMissing | Code::ParameterInvalid => Subject::Parameter,
        // Credentials are left out of the workflow that n8n is asked about.
        Code::CredentialsInvalid => Subject::Credential,
        Code::NodesMissing
        | Code::NodesInvalid
        | Code::NodeFieldType
        | Code::NodeNameMissing
        | Code::NodeNameDuplicate
        | Code::NodeTypeMissing
        | Code::NodeIdDuplicate
        | Code::ConnectionsMissing
        | Code::ConnectionsInvalid
        | Code::ConnectionSourceUnknown
        | Code::ConnectionTargetUnknown
        | Code::SettingsInvalid
        | Code::SettingType
        | Code::NodeGroupsInvalid
        | Code::NodeGroupConflict => Subject::Structure,
        _ => Subject::Other,
    }
}

struct Work<'a> {
    definition: &'a Definition,
    catalog: &'a Catalog,
    findings: &'a [Finding],
    found: BTreeSet<Remark>,
    well: usize,
    flagged: usize,
}

impl Work<'_> {
    fn tell(&mut self, outcome: Outcome, subject: Subject, node: Option<&str>, what: &str) {
        self.found.insert(Remark { outcome, subject, node: node.map(str::to_owned), what: what.to_owned() });
    }

    fn has(&self, fits: impl Fn(&Finding) -> bool) -> bool {
        self.findings.iter().any(fits)
    }

    /// Compares a refusal of the whole workflow that concerns no single node.
    fn stage(&mut self, subject: Subject, code: Code, words: &str) {
        let hit = self.has(|one| one.is_error() && one.code == code);
        self.tell(if hit { Outcome::Agreed } else { Outcome::Missed }, subject, None, words);
    }

    /// Compares an unknown type or version; a warning counts as agreement if only n8n can know the type.
    fn types(&mut self, kind: &str, is_kind: impl Fn(&Node) -> bool) {
        let of_kind = |one: &Finding| one.node.as_deref().and_then(|name| self.definition.node(name)).is_some_and(&is_kind);
        let hit = self.has(|one| subject(one.code) == Subject::NodeType && of_kind(one));
        let node = self.definition.nodes.iter().find(|node| is_kind(node)).map(|node| node.name().to_owned());
        self.tell(if hit { Outcome::Agreed } else { Outcome::Missed }, Subject::NodeType, node.as_deref(), kind);
    }

    /// Compares n8n's check of every node.
    fn nodes(&mut self, said: &Said) {
        let nothing = Default::default();
        let needs = required_credentials(self.definition, self.catalog);
        for node in self.definition.nodes.iter().filter(|node| node.kind() != NOTE) {
            let name = node.name();
            let lacks = match said {
                Said::Nodes(nodes) => nodes.get(name).unwrap_or(&nothing),
                _ => &nothing,
            };
            let mut right = BTreeSet::new();
            for parameter in &lacks.parameters {
                let hits = self
                    .findings
                    .iter()
                    .enumerate()
                    .filter(|(_, one)| one.is_error() && one.node.as_deref() == Some(name) && names(one, parameter));
                let hits: Vec<usize> = hits.map(|(at, _)| at).collect();
                let outcome = if hits.is_empty() { Outcome::Missed } else { Outcome::Agreed };
                right.extend(hits);
                self.tell(outcome, Subject::Parameter, Some(name), parameter);
            }
            for other in &lacks.other {
                let hit = self.has(|one| one.is_error() && one.node.as_deref() == Some(name));
                self.tell(if hit { Outcome::Agreed } else { Outcome::Missed }, Subject::Parameter, Some(name), other);
            }
            let ours: BTreeSet<String> =
                needs.iter().filter(|needs| needs.node == name).flat_map(|needs| &needs.types).map(|one| self.label(node, one)).collect();
            for credential in ours.union(&lacks.credentials) {
                let outcome = match (ours.contains(credential), lacks.credentials.contains(credential)) {
                    (true, true) => Outcome::Agreed,
                    (true, false) => Outcome::False,
                    (false, _) => Outcome::Missed,
                };
                self.tell(outcome, Subject::Credential, Some(name), credential);
            }
            if lacks.parameters.is_empty() && lacks.other.is_empty() {
                self.well += 1;
                self.flagged += usize::from(self.has(|one| one.is_error() && one.node.as_deref() == Some(name)));
                let findings = self.findings;
                for one in findings.iter().filter(|one| one.is_error() && one.node.as_deref() == Some(name)) {
                    if subject(one.code) == Subject::Parameter {
                        self.tell(Outcome::False, Subject::Parameter, Some(name), one.code.as_str());
                    }
                }
            }
        }
    }

    /// Compares the stages before the one that n8n reached, which it passed, and the checks that n8n never makes.
    fn passed(&mut self, reached: Subject) {
        let findings = self.findings;
        for one in findings.iter().filter(|one| one.is_error()) {
            let subject = subject(one.code);
            let outcome = match subject {
                Subject::Other => Outcome::Beyond,
                // n8n accepts a node that waits for an answer as a start, but nothing would trigger it.
                Subject::Trigger if has_start(self.definition, self.catalog) == Some(true) => Outcome::Beyond,
                Subject::Parameter | Subject::Credential => continue,
                subject if subject < reached => Outcome::False,
                _ => continue,
            };
            self.tell(outcome, subject, one.node.as_deref(), one.code.as_str());
        }
    }

    /// Returns the name under which n8n reports a credential, which for some is the display name.
    fn label(&self, node: &Node, credential: &str) -> String {
        let kind = self.catalog.node(node.kind());
        let uses = kind.as_ref().and_then(|kind| kind.serving(node.type_version())).map(|facts| facts.credentials.as_slice());
        let label = uses.unwrap_or_default().iter().find(|one| one.name == credential).and_then(|one| one.label.clone());
        label.unwrap_or_else(|| credential.to_owned())
    }
}

/// Reports whether a finding is about a parameter that n8n names, which is the end of its path or precedes the column.
fn names(finding: &Finding, parameter: &str) -> bool {
    let whole = parameter.split_once('.').map_or(parameter, |(outer, _)| outer);
    finding.path.split(['.', '[', ']']).any(|step| step.trim_matches('"') == whole) || finding.message.contains(&format!("\"{parameter}\""))
}
