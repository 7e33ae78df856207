//! Reference of a `Workflow` to a template, and what its status records of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::input_values;

/// A template, and the values of its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("self.kind != 'BuiltinTemplate' || !has(self.namespace)").message("a BuiltinTemplate has no namespace"))]
pub struct TemplateRef {
    /// Kind of the template: `WorkflowTemplate`, an object of the cluster, or `BuiltinTemplate`, one that ships with the operator. Defaults
    /// to `WorkflowTemplate`.
    #[serde(default)]
    pub kind: TemplateKind,
    /// Name of the template.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the WorkflowTemplate. Defaults to the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Values of the template's inputs by name. An input that is left out has its default.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "input_values")]
    pub inputs: Map<String, Value>,
    /// Handling of a changed template: `Follow` renders it again, `Pin` keeps the template as it was when the Workflow first used
    /// it; changed inputs are rendered with that. Defaults to `Follow`.
    #[serde(default)]
    pub policy: TemplatePolicy,
}

/// Kind of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateKind {
    /// An object of the cluster.
    #[default]
    WorkflowTemplate,
    /// One that ships with the operator.
    BuiltinTemplate,
}

/// Handling of a changed template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplatePolicy {
    /// The Workflow is rendered again.
    #[default]
    Follow,
    /// The Workflow keeps the template as it was.
    Pin,
}

/// The template that a Workflow was last rendered from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateUse {
    /// Kind of the template.
    #[serde(default)]
    pub kind: TemplateKind,
    /// Name of the template.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Namespace of the WorkflowTemplate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Digest of the template, as in the status of a WorkflowTemplate.
    #[schemars(length(max = 64))]
    pub digest: String,
    /// ControllerRevision that holds the template, with policy `Pin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub revision: Option<String>,
}

impl TemplateUse {
    /// Reports whether it is the template that a Workflow in this namespace refers to.
    pub fn is_of(&self, reference: &TemplateRef, namespace: &str) -> bool {
        let home = reference.home(namespace);
        (self.kind, self.name.as_str(), self.namespace.as_deref()) == (reference.kind, reference.name.as_str(), home)
    }
}

impl TemplateRef {
    /// Returns the namespace of the template, for a Workflow in `namespace`; None for one that ships with the operator.
    pub fn home<'a>(&'a self, namespace: &'a str) -> Option<&'a str> {
        match self.kind {
            TemplateKind::WorkflowTemplate => Some(self.namespace.as_deref().unwrap_or(namespace)),
            TemplateKind::BuiltinTemplate => None,
        }
    }
}
