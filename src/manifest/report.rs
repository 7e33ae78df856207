//! Reports on the workflows and instances of a set of files.

use serde::Serialize;

use crate::document::definition::Definition;
use crate::document::finding::{Finding, Severity};
use crate::document::positions::Span;
use crate::validator::rules::Pattern;
use crate::validator::schema::NodeCredentials;

/// A file, or standard input.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name, as given by the user.
    pub name: String,
    /// Text, or the reason why it could not be read.
    pub text: Result<String, String>,
    /// True if the file was found in a folder rather than named by the user: files that are clearly something else are then skipped.
    pub found: bool,
}

/// Kind of the object that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A workflow: an export of n8n, or a `Workflow` of Kubernetes.
    Workflow,
    /// A connection to an n8n.
    N8nInstance,
    /// A credential in n8n that is made from a Secret.
    N8nCredential,
    /// Rules for the definitions of a namespace.
    WorkflowPolicy,
    /// Limits of a namespace.
    WorkflowQuota,
    /// A source of generated workflows.
    ModelProvider,
    /// A workflow with inputs.
    WorkflowTemplate,
    /// A sentence from which a workflow is made.
    WorkflowPrompt,
}

/// Validation report on one workflow or instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Kind of the object.
    pub kind: Kind,
    /// Name of its file, followed by `#` and its number from 1 if the file holds several.
    pub name: String,
    /// Namespace of the object, if it names one.
    pub namespace: Option<String>,
    /// Index of the file in the set.
    pub source: usize,
    /// Findings, in the order of the file.
    pub findings: Vec<Placed>,
    /// Credentials that its nodes name.
    pub required: Vec<NodeCredentials>,
    /// The workflow itself, if it could be read.
    pub definition: Option<Definition>,
    /// True if the file could be read at all.
    pub readable: bool,
    /// Codes that an annotation of the object silences.
    pub silenced: Vec<Pattern>,
}

impl Report {
    pub(super) fn new(source: usize) -> Self {
        Self {
            kind: Kind::Workflow,
            name: String::new(),
            namespace: None,
            source,
            findings: Vec::new(),
            required: Vec::new(),
            definition: None,
            readable: true,
            silenced: Vec::new(),
        }
    }

    pub(super) fn with(mut self, findings: impl IntoIterator<Item = Placed>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Reports whether there are no errors; with `strict`, no warnings either.
    pub fn is_valid(&self, strict: bool) -> bool {
        let worst = if strict { Severity::Warning } else { Severity::Error };
        !self.findings.iter().any(|placed| placed.finding.severity <= worst)
    }
}

/// A finding and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The finding.
    pub finding: Finding,
    /// Index of the file in the set. It differs from the report's for a definition in a ConfigMap.
    pub source: usize,
    /// Position in the file.
    pub span: Option<Span>,
}
