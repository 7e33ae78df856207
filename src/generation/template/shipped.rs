//! The templates that ship with this program: those of the folder `templates`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::api::template::WorkflowTemplateSpec;

mod table;

/// A template that ships with this program.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name, by which Workflows refer to it.
    pub name: String,
    /// The template.
    pub spec: WorkflowTemplateSpec,
}

#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
    spec: WorkflowTemplateSpec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

/// Returns the templates that ship with this program, by name. A test holds that all can be read.
pub fn shipped() -> &'static [Template] {
    static ALL: LazyLock<Vec<Template>> = LazyLock::new(|| table::FILES.iter().filter_map(|(_, text)| read(text)).collect());
    &ALL
}

fn read(text: &str) -> Option<Template> {
    let manifest: Manifest = serde_saphyr::from_str(text).ok()?;
    Some(Template { name: manifest.metadata.name, spec: manifest.spec })
}

/// Returns the manifests of the templates, by file name.
pub fn manifests() -> &'static [(&'static str, &'static str)] {
    table::FILES
}
