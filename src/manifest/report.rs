//! Reports on the workflows and instances of a set of files.

use serde::Serialize;

use crate::document::definition::Definition;
use crate::document::finding::{Finding, Severity};
use crate::document::positions::Span;
use crate::validator::rules::Pattern;
use crate::validator::schema::NodeCredentials;

/// The largest inline definition, in bytes of JSON: client-side apply keeps a copy in an annotation, which holds 262,144.
pub const LARGEST_INLINE: usize = 200_000;

/// A file, or what was typed.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name as it was given.
    pub name: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
    /// Whether it was found in a folder rather than named: what is clearly something else is then passed over.
    pub found: bool,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A workflow: an export of n8n, or a `Workflow` of Kubernetes.
    Workflow,
    /// A connection to an n8n.
    N8nInstance,
}

/// What is known of one workflow or instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is.
    pub kind: Kind,
    /// The name of its file, followed by `#` and its number from 1 where the file holds several.
    pub name: String,
    /// The file, by its place in the set.
    pub source: usize,
    /// What is wrong with it, in the order of the file.
    pub findings: Vec<Placed>,
    /// The credentials that its nodes name.
    pub required: Vec<NodeCredentials>,
    /// The workflow itself, where it could be read.
    pub definition: Option<Definition>,
    /// Whether the file could be read at all.
    pub readable: bool,
    /// The codes that an annotation of the object silences.
    pub silenced: Vec<Pattern>,
}

impl Report {
    pub(super) fn new(source: usize) -> Self {
        Self {
            kind: Kind::Workflow,
            name: String::new(),
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

    /// Whether nothing is wrong; with `strict`, nothing doubtful either.
    pub fn is_valid(&self, strict: bool) -> bool {
        let worst = if strict { Severity::Warning } else { Severity::Error };
        !self.findings.iter().any(|placed| placed.finding.severity <= worst)
    }
}

/// A finding and where it is to be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The finding.
    pub finding: Finding,
    /// The file, by its place in the set. It is another than the report's for a definition in a ConfigMap.
    pub source: usize,
    /// The place in the file.
    pub span: Option<Span>,
}
