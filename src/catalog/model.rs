//! Data model of the catalogue: names, kinds, values and conditions, and no prose.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::display::Display;
use super::plan::Planned;
use super::ports::{Ports, RequiredInputs};
use super::serde_default::is_default;

/// Stands for a default that the catalogue does not carry: a long text, such as a prompt or a piece of code. It is not empty.
pub const LEFT_OUT: &str = "(default of n8n)";

/// A node type with all its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeType {
    /// Full name, such as `n8n-nodes-base.slack`.
    pub name: String,
    /// Display name, such as `Slack`.
    pub display_name: String,
    /// True if n8n has one implementation for each version. If so, a version that is not listed does not work; otherwise n8n uses its
    /// single description for any version.
    pub versioned: bool,
    /// Version that n8n uses for a node without one.
    pub default_version: f64,
    /// Descriptions, the newest first; each covers one or more versions.
    pub variants: Vec<NodeVersion>,
}

/// Description of one or more versions of a node type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeVersion<R = Shared> {
    /// Versions that the description covers, ascending.
    pub versions: Vec<f64>,
    /// True if the node is in n8n's `trigger` group and starts workflows.
    #[serde(skip_serializing_if = "is_default")]
    pub trigger: bool,
    /// True if n8n polls it at intervals.
    #[serde(skip_serializing_if = "is_default")]
    pub polling: bool,
    /// True if n8n no longer offers the node (deprecated nodes mostly).
    #[serde(skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// True if n8n derives a `…Tool` from it.
    #[serde(skip_serializing_if = "is_default")]
    pub usable_as_tool: bool,
    /// Maximum number of such nodes in a workflow.
    #[serde(skip_serializing_if = "is_default")]
    pub max_nodes: Option<u32>,
    /// Inputs.
    pub inputs: Ports,
    /// Outputs, without the error output that a node's settings add.
    pub outputs: Ports,
    /// Main inputs that must have data before the node runs.
    #[serde(skip_serializing_if = "is_default")]
    pub required_inputs: RequiredInputs,
    /// Parameters in n8n's order; a name may occur several times, each time with other conditions.
    pub parameters: Vec<R>,
    /// Credentials that the node can use.
    #[serde(skip_serializing_if = "is_default")]
    pub credentials: Vec<CredentialUse>,
    /// Webhooks on which the node is called.
    #[serde(skip_serializing_if = "is_default")]
    pub webhooks: Vec<Webhook>,
    /// Plan that is computed from the parameters.
    #[serde(skip)]
    pub(super) plan: Planned,
}

/// A parameter of a node type or of a credential type, with the parameters inside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameter<R = Shared> {
    /// Key of the value.
    #[serde(rename = "n")]
    pub name: String,
    /// Kind of the value.
    #[serde(rename = "t")]
    pub kind: Kind,
    /// Value that n8n uses if there is none; null if n8n declares none.
    #[serde(rename = "d", skip_serializing_if = "is_default")]
    pub default: Value,
    /// True if the value must not be empty while the parameter shows.
    #[serde(rename = "r", skip_serializing_if = "is_default")]
    pub required: bool,
    /// True if an expression is taken as plain text.
    #[serde(rename = "x", skip_serializing_if = "is_default")]
    pub no_data_expression: bool,
    /// Conditions under which it shows.
    #[serde(rename = "s", skip_serializing_if = "is_default")]
    pub display: Display,
    /// Values of a choice.
    #[serde(rename = "o", skip_serializing_if = "is_default")]
    pub options: Options,
    /// Parameters inside a `collection`.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub fields: Vec<R>,
    /// Groups of a `fixedCollection`.
    #[serde(rename = "g", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub groups: Vec<Group<R>>,
    /// Modes of a `resourceLocator`.
    #[serde(rename = "m", skip_serializing_if = "is_default")]
    pub modes: Vec<Mode>,
    /// Bounds and formats of the value.
    #[serde(rename = "b", skip_serializing_if = "is_default")]
    pub bounds: Rare<Bounds>,
    /// Plan that is computed from the parameters inside a `collection`.
    #[serde(skip)]
    pub(super) plan: Planned,
}

/// A value that is mostly the default, and then takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: Default + PartialEq> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != T::default()).then(|| Box::new(value)))
    }
}

impl Deref for Rare<Bounds> {
    type Target = Bounds;
    fn deref(&self) -> &Bounds {
        static NONE: LazyLock<Bounds> = LazyLock::new(Bounds::default);
        self.0.as_deref().unwrap_or(&NONE)
    }
}

/// A parameter that may be shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared(pub Arc<Parameter<Self>>);

impl Deref for Shared {
    type Target = Parameter<Self>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A group of a `fixedCollection`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group<R = Shared> {
    /// Key of the group.
    #[serde(rename = "n")]
    pub name: String,
    /// Parameters of an entry of the group.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub fields: Vec<R>,
    /// Plan that is computed from these parameters.
    #[serde(skip)]
    pub(super) plan: Planned,
}

/// Kind of a parameter's value, in n8n's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // The names are n8n's own.
pub enum Kind {
    #[default]
    String,
    Number,
    Boolean,
    Options,
    MultiOptions,
    Collection,
    FixedCollection,
    DateTime,
    Json,
    Color,
    Hidden,
    ResourceLocator,
    ResourceMapper,
    WorkflowSelector,
    AgentSelector,
    Filter,
    AssignmentCollection,
    Credentials,
    CredentialsSelect,
    Icon,
    CurlImport,
    /// A kind that this program does not know; its values are not checked.
    #[serde(other)]
    Other,
}

/// Values that a choice offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Values in n8n's order.
    #[serde(rename = "v", skip_serializing_if = "is_default")]
    pub values: Vec<Value>,
    /// Display names of the values, for `resource` and `operation` only; otherwise empty.
    #[serde(rename = "l", skip_serializing_if = "is_default")]
    pub labels: Vec<String>,
    /// Display conditions of single values, by index.
    #[serde(rename = "s", skip_serializing_if = "is_default")]
    pub shown: Vec<(usize, Display)>,
    /// True if other values may be valid too: n8n requests them from the service, or accepts any.
    #[serde(rename = "u", skip_serializing_if = "is_default")]
    pub open: bool,
}

/// Bounds and formats of a value, as far as n8n declares them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// `multipleValues`: true makes the value a list; false and absent differ in n8n's checks.
    #[serde(rename = "m", skip_serializing_if = "is_default")]
    pub multiple: Option<bool>,
    /// Minimum of a number.
    #[serde(rename = "l", skip_serializing_if = "is_default")]
    pub least: Option<f64>,
    /// Maximum of a number.
    #[serde(rename = "g", skip_serializing_if = "is_default")]
    pub greatest: Option<f64>,
    /// Digits after the decimal point; 0 means integers.
    #[serde(rename = "p", skip_serializing_if = "is_default")]
    pub precision: Option<u32>,
    /// Maximum length in characters.
    #[serde(rename = "c", skip_serializing_if = "is_default")]
    pub max_length: Option<u32>,
    /// Regular expression of JavaScript that the value matches.
    #[serde(rename = "x", skip_serializing_if = "is_default")]
    pub pattern: Option<String>,
    /// Minimum number of entries of a group.
    #[serde(rename = "f", skip_serializing_if = "is_default")]
    pub min_fields: Option<u32>,
    /// Maximum number of entries of a group.
    #[serde(rename = "t", skip_serializing_if = "is_default")]
    pub max_fields: Option<u32>,
    /// Editor that n8n shows, which indicates the language: `jsEditor`, `sqlEditor`, `htmlEditor`, …
    #[serde(rename = "e", skip_serializing_if = "is_default")]
    pub editor: Option<String>,
    /// `validateType`: type that n8n checks the value for, whether it shows or not.
    #[serde(rename = "v", skip_serializing_if = "is_default")]
    pub validate_type: Option<String>,
    /// `requiresDataPath`: `single` or `multiple` names of fields.
    #[serde(rename = "d", skip_serializing_if = "is_default")]
    pub data_path: Option<String>,
    /// Mode of a `resourceMapper`: add, update, upsert, map.
    #[serde(rename = "r", skip_serializing_if = "is_default")]
    pub mapper_mode: Option<String>,
    /// Version of a `filter` value by the node's version: (minimum node version, filter version), descending.
    #[serde(rename = "w", skip_serializing_if = "is_default")]
    pub filter_version: Vec<(f64, u32)>,
    /// Credential types that a `credentialsSelect` offers, in n8n's notation (`extends:oAuth2Api`, `has:genericAuth`).
    #[serde(rename = "k", skip_serializing_if = "is_default")]
    pub credential_types: Vec<String>,
}

/// A mode of a `resourceLocator`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Name of the mode, such as `list`, `id`, `url`.
    #[serde(rename = "n")]
    pub name: String,
    /// True if users choose from a list that the service provides.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub list: bool,
    /// Regular expressions of JavaScript; the whole value matches each.
    #[serde(rename = "x", default, skip_serializing_if = "is_default")]
    pub patterns: Vec<String>,
}

/// A credential that a node type can use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialUse {
    /// The credential type.
    pub name: String,
    /// True if the credential is required while it shows.
    #[serde(skip_serializing_if = "is_default")]
    pub required: bool,
    /// Name that n8n uses in messages, if it is not the type.
    #[serde(skip_serializing_if = "is_default")]
    pub label: Option<String>,
    /// Conditions under which it shows.
    #[serde(skip_serializing_if = "is_default")]
    pub display: Display,
}

/// A webhook on which a node is called. Texts that begin with `=` are n8n's expressions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhook {
    /// `default` or `setup`.
    pub name: String,
    /// Method, or an expression.
    pub method: String,
    /// Path, or an expression.
    pub path: String,
    /// True if the path is complete rather than appended to the node's webhook id.
    #[serde(skip_serializing_if = "is_default")]
    pub full_path: bool,
    /// True if it only resumes a waiting execution.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: bool,
    /// When n8n answers; may be an expression.
    #[serde(skip_serializing_if = "is_default")]
    pub response_mode: String,
    /// `form` or `mcp` for these kinds of addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: Option<String>,
}

/// A credential type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialType<R = Shared> {
    /// Name, such as `slackOAuth2Api`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Types whose properties it inherits.
    #[serde(skip_serializing_if = "is_default")]
    pub extends: Vec<String>,
    /// Scopes that n8n requests by default, in its own order. Empty if the type declares none.
    #[serde(skip_serializing_if = "is_default")]
    pub scopes: Vec<String>,
    /// True if n8n can test it by a request.
    #[serde(skip_serializing_if = "is_default")]
    pub testable: bool,
    /// True if n8n adds it to requests by itself, so that the HTTP Request node can use it.
    #[serde(skip_serializing_if = "is_default")]
    pub authenticates: bool,
    /// True if it is one of the generic types of the HTTP Request node.
    #[serde(skip_serializing_if = "is_default")]
    pub generic: bool,
    /// True if only the nodes of `supported_nodes` may use it.
    #[serde(skip_serializing_if = "is_default")]
    pub restricted: bool,
    /// Node types that name it, if its use is restricted to them.
    #[serde(skip_serializing_if = "is_default")]
    pub supported_nodes: Vec<String>,
    /// Properties of the credential.
    pub properties: Vec<R>,
}

impl Kind {
    /// Reports whether the value is a resource locator: a value with the mode in which it was chosen.
    pub(super) fn is_locator(self) -> bool {
        matches!(self, Self::ResourceLocator | Self::WorkflowSelector | Self::AgentSelector)
    }
}

impl Options {
    /// Reports whether a value is offered, or could be.
    pub fn allows(&self, value: &Value) -> bool {
        self.open || self.values.iter().any(|offered| super::js::strict_equal(offered, value))
    }
}

impl NodeType {
    /// Returns the description of a listed version.
    pub fn version(&self, version: f64) -> Option<&NodeVersion> {
        self.variants.iter().find(|variant| variant.versions.contains(&version))
    }

    /// Returns the description that n8n uses for a node with this version, or without one. `None` if n8n has no such version.
    pub fn serving(&self, version: Option<f64>) -> Option<&NodeVersion> {
        let wanted = version.unwrap_or(self.default_version);
        self.version(wanted).or_else(|| if self.versioned { None } else { self.variants.first() })
    }

    /// Returns all versions, ascending.
    pub fn versions(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.variants.iter().flat_map(|variant| variant.versions.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }

    /// Returns the description of the default version.
    pub fn latest(&self) -> Option<&NodeVersion> {
        self.serving(None)
    }
}

impl NodeVersion {
    /// Reports whether n8n counts the node as a start of a workflow when it publishes: a trigger, or a node that is called or polls.
    pub fn starts(&self) -> bool {
        self.trigger || self.polling || !self.webhooks.is_empty()
    }
}
