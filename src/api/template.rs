//! `WorkflowTemplate`: a workflow with inputs, from which Workflows are made.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::Condition;
use super::duration::{HOUR, Within};
use super::instance::AllowedNamespaces;
use super::schema::{free_object, free_value, input_values};

/// A workflow with typed inputs.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "WorkflowTemplate",
    namespaced,
    category = "n8n",
    shortname = "nwft",
    status = "WorkflowTemplateStatus",
    derive = "PartialEq",
    doc = "A workflow with typed inputs, from which Workflows are made by spec.templateRef.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Title", type_ = "string", json_path = ".spec.title"),
    printcolumn(name = "Category", type_ = "string", json_path = ".spec.category"),
    printcolumn(name = "Workflows", type_ = "integer", json_path = ".status.workflows"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Digest", type_ = "string", json_path = ".status.digest", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[x_kube(
    validation = kube::core::Rule::new("(has(self.definition) ? 1 : 0) + (has(self.compact) ? 1 : 0) == 1")
        .message("exactly one of definition and compact must be set"),
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowTemplateSpec {
    /// Title for people, such as `Daily report of a database to Slack`.
    #[schemars(length(min = 1, max = 128))]
    pub title: String,
    /// Kind of task that the template is for.
    pub category: TemplateCategory,
    /// Description of the workflow, for people who choose a template.
    #[schemars(length(min = 1, max = 2048))]
    pub description: String,
    /// Words that a request for such a workflow is likely to contain: services, things, verbs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub keywords: Vec<String>,
    /// Sentences that ask for this workflow, in any language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)))]
    pub phrases: Vec<String>,
    /// Values that a Workflow gives. A placeholder `?name` stands for a whole value, `{{?name}}` for a part of a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inputs: Vec<TemplateInput>,
    /// Workflow as exported by n8n, with placeholders. Exactly one of `definition` and `compact` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub definition: Option<Value>,
    /// Workflow in the compact form, with placeholders: node versions, ids and positions are supplied. Exactly one of `definition` and
    /// `compact` must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub compact: Option<Value>,
    /// Credentials that the workflow needs, for people. Workflows map their types to credentials of the n8n instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub credentials: Vec<TemplateCredential>,
    /// Time that an execution usually takes, from 1ms to 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_run_time: Option<ExpectedRunTime>,
    /// Cost of an execution in US dollars, of models and paid services together, such as `0.002`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = r"^[0-9]{1,6}(\.[0-9]{1,6})?$"))]
    pub expected_cost: Option<String>,
    /// Sets of values with which the template is known to work. Each is rendered and validated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub examples: Vec<TemplateExample>,
    /// Namespaces whose Workflows may be made from the template. Its own namespace always may. Defaults to its own namespace only.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
}

/// Time that an execution usually takes.
pub type ExpectedRunTime = Within<1, { 24 * HOUR }>;

/// Kind of task that a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TemplateCategory {
    /// Reports and digests at set times.
    Reporting,
    /// Messages about events.
    Notification,
    /// Forms, and what happens with their answers.
    Forms,
    /// Decisions by people.
    Approval,
    /// Copies of data from one place to another.
    DataSync,
    /// Backups and retention.
    Backup,
    /// Checks of services, alerts, on-call, failed workflows.
    Operations,
    /// Agents, classification, and answers by language models.
    Ai,
    /// Questions of customers.
    Support,
    /// Leads and customers.
    Sales,
    /// Invoices and payments.
    Finance,
    /// Texts, posts and their publication.
    Content,
    /// Building and releasing software.
    Development,
    /// Employees and their tasks.
    People,
}

impl TemplateCategory {
    /// Every category.
    pub const ALL: [Self; 14] = [
        Self::Reporting,
        Self::Notification,
        Self::Forms,
        Self::Approval,
        Self::DataSync,
        Self::Backup,
        Self::Operations,
        Self::Ai,
        Self::Support,
        Self::Sales,
        Self::Finance,
        Self::Content,
        Self::Development,
        Self::People,
    ];

    /// Returns the word in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reporting => "Reporting",
            Self::Notification => "Notification",
            Self::Forms => "Forms",
            Self::Approval => "Approval",
            Self::DataSync => "DataSync",
            Self::Backup => "Backup",
            Self::Operations => "Operations",
            Self::Ai => "Ai",
            Self::Support => "Support",
            Self::Sales => "Sales",
            Self::Finance => "Finance",
            Self::Content => "Content",
            Self::Development => "Development",
            Self::People => "People",
        }
    }
}

/// A value that a Workflow gives to a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateInput {
    /// Name, by which placeholders and Workflows refer to the input.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Type of the value. Defaults to `String`.
    #[serde(default, rename = "type")]
    pub kind: InputType,
    /// Purpose of the value, and where to find it.
    #[schemars(length(min = 1, max = 1024))]
    pub description: String,
    /// True if a Workflow must give the value. Defaults to false; then there must be a default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Value that is used if a Workflow gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_value")]
    pub default: Option<Value>,
    /// Values that are allowed; required for `Enum`. In a `List` they restrict the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub options: Vec<String>,
    /// Regular expression that the whole value must match: of a `String`, or of each entry of a `List`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub pattern: Option<String>,
    /// Minimum of a `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1_000_000_000_000i64, max = 1_000_000_000_000i64))]
    pub minimum: Option<i64>,
    /// Maximum of a `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1_000_000_000_000i64, max = 1_000_000_000_000i64))]
    pub maximum: Option<i64>,
    /// Minimum number of characters of a text, or of entries of a `List`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65536))]
    pub min_length: Option<i64>,
    /// Maximum number of characters of a text, or of entries of a `List`. Defaults to 4096 characters or 256 entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65536))]
    pub max_length: Option<i64>,
    /// Type of the entries of a `List`: `String`, `Number`, `Url` or `Email`. Defaults to `String`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<InputType>,
    /// Type of the credential that a `SecretReference` names, such as `slackApi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub credential_type: Option<String>,
    /// True if the value may be an expression of n8n, which begins with `=`. Defaults to false: no value is ever evaluated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expression: bool,
}

/// Type of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InputType {
    /// A text.
    #[default]
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of `options`.
    Enum,
    /// A list of texts, or of what `items` says.
    List,
    /// A cron expression as n8n takes it: 5 fields, or 6 with seconds first.
    Cron,
    /// An address that begins with `http://` or `https://`, without a password.
    Url,
    /// An e-mail address.
    Email,
    /// Name of a credential, as the `credentials` of a Workflow map it to one of the n8n instance. Never a secret itself.
    SecretReference,
}

impl InputType {
    /// Every type.
    pub const ALL: [Self; 9] =
        [Self::String, Self::Number, Self::Boolean, Self::Enum, Self::List, Self::Cron, Self::Url, Self::Email, Self::SecretReference];

    /// Returns the word in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Number => "Number",
            Self::Boolean => "Boolean",
            Self::Enum => "Enum",
            Self::List => "List",
            Self::Cron => "Cron",
            Self::Url => "Url",
            Self::Email => "Email",
            Self::SecretReference => "SecretReference",
        }
    }
}

/// A credential that the workflow of a template needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateCredential {
    /// Type of the credential, such as `slackApi`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 128))]
    pub kind: String,
    /// Purpose, and the rights that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub description: Option<String>,
}

/// Values with which a template is known to work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateExample {
    /// Description of the example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Values by name of the input.
    #[schemars(schema_with = "input_values")]
    pub inputs: Map<String, Value>,
}

/// Observed state of the WorkflowTemplate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowTemplateStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Digest of what Workflows are made from: the inputs and the workflow. It stays the same while only descriptions change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,
    /// Number of Workflows that refer to the template.
    #[schemars(range(min = 0))]
    pub workflows: i64,
    /// Conditions of the WorkflowTemplate: Ready, Reconciling and Stalled.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for WorkflowTemplateStatus {
    fn default() -> Self {
        Self { observed_generation: -1, digest: None, workflows: 0, conditions: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_that_of_the_manifests() {
        for kind in InputType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for category in TemplateCategory::ALL {
            assert_eq!(serde_json::to_value(category).unwrap(), category.as_str());
        }
    }
}
