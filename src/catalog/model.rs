//! What the catalogue knows: names, kinds, values and conditions, and no prose.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::display::Display;
use super::ports::{Ports, RequiredInputs};
use super::serde_default::is_default;
use super::visits::Visits;

/// Stands for a default that the catalogue does not carry: a long text, such as a prompt or a piece of code. It is not empty.
pub const LEFT_OUT: &str = "(default of n8n)";

/// One node type with all its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeType {
    /// With its package, such as `n8n-nodes-base.slack`.
    pub name: String,
    /// As people see it, such as `Slack`.
    pub display_name: String,
    /// Whether n8n has one implementation for each version. Then a version that is not listed does not work; otherwise
    /// n8n takes any version for the one description that there is.
    pub versioned: bool,
    /// The version that n8n takes when a node names none.
    pub default_version: f64,
    /// Descriptions, the newest first; each serves one or more versions.
    pub variants: Vec<NodeVersion>,
}

/// The description of some versions of a node type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeVersion<R = Shared> {
    /// The versions that it serves, ascending.
    pub versions: Vec<f64>,
    /// Whether n8n's group says that it starts workflows.
    #[serde(skip_serializing_if = "is_default")]
    pub trigger: bool,
    /// Whether n8n calls it at intervals.
    #[serde(skip_serializing_if = "is_default")]
    pub polling: bool,
    /// Whether n8n offers no such node any more (deprecated ones mostly).
    #[serde(skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// Whether n8n derives a `…Tool` from it.
    #[serde(skip_serializing_if = "is_default")]
    pub usable_as_tool: bool,
    /// How many of these a workflow may hold.
    #[serde(skip_serializing_if = "is_default")]
    pub max_nodes: Option<u32>,
    /// What it takes.
    pub inputs: Ports,
    /// What it gives; an error output that a node's settings add is not among these.
    pub outputs: Ports,
    /// Which main inputs must have data before it runs.
    #[serde(skip_serializing_if = "is_default")]
    pub required_inputs: RequiredInputs,
    /// In n8n's order; a name may come several times, each with other conditions.
    pub parameters: Vec<R>,
    /// Credentials that it can use.
    #[serde(skip_serializing_if = "is_default")]
    pub credentials: Vec<CredentialUse>,
    /// Addresses under which it is called.
    #[serde(skip_serializing_if = "is_default")]
    pub webhooks: Vec<Webhook>,
    /// Found out once, when values are first filled in.
    #[serde(skip)]
    pub(super) visits: Visits,
}

/// One parameter of a node type or of a credential type, with those inside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameter<R = Shared> {
    /// The key under which its value stands.
    #[serde(rename = "n")]
    pub name: String,
    /// What its value is.
    #[serde(rename = "t")]
    pub kind: Kind,
    /// What n8n takes when there is no value; null where n8n declares none.
    #[serde(rename = "d", skip_serializing_if = "is_default")]
    pub default: Value,
    /// Whether it must not be empty while it shows.
    #[serde(rename = "r", skip_serializing_if = "is_default")]
    pub required: bool,
    /// Whether an expression is taken as plain text.
    #[serde(rename = "x", skip_serializing_if = "is_default")]
    pub no_data_expression: bool,
    /// When it shows.
    #[serde(rename = "s", skip_serializing_if = "is_default")]
    pub display: Display,
    /// The values of a choice.
    #[serde(rename = "o", skip_serializing_if = "is_default")]
    pub options: Options,
    /// Parameters inside a `collection`.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub fields: Vec<R>,
    /// Groups of a `fixedCollection`.
    #[serde(rename = "g", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub groups: Vec<Group<R>>,
    /// Ways to name a thing, of a `resourceLocator`.
    #[serde(rename = "m", skip_serializing_if = "is_default")]
    pub modes: Vec<Mode>,
    /// Bounds and shapes of its value.
    #[serde(rename = "b", skip_serializing_if = "is_default")]
    pub bounds: Rare<Bounds>,
    /// Of the parameters inside a `collection`.
    #[serde(skip)]
    pub(super) visits: Visits,
}

/// Something that is mostly as by default, and then takes no room.
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

/// A parameter that several places may share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared(pub Arc<Parameter<Self>>);

impl Deref for Shared {
    type Target = Parameter<Self>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// One group of a `fixedCollection`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group<R = Shared> {
    /// The key of the group.
    #[serde(rename = "n")]
    pub name: String,
    /// What an entry of the group holds.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub fields: Vec<R>,
    #[serde(skip)]
    pub(super) visits: Visits,
}

/// What the value of a parameter is, in n8n's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // n8n's own names.
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
    /// One that this program does not know; nothing is said about its value.
    #[serde(other)]
    Other,
}

/// The values that a choice offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// In n8n's order.
    #[serde(rename = "v", skip_serializing_if = "is_default")]
    pub values: Vec<Value>,
    /// Names of the values as people see them, for `resource` and `operation` only; else empty.
    #[serde(rename = "l", skip_serializing_if = "is_default")]
    pub labels: Vec<String>,
    /// Conditions of single values, by their place.
    #[serde(rename = "s", skip_serializing_if = "is_default")]
    pub shown: Vec<(usize, Display)>,
    /// Whether other values may be right too: n8n asks the service for them, or takes any.
    #[serde(rename = "u", skip_serializing_if = "is_default")]
    pub open: bool,
}

/// Bounds and shapes of a value, as far as n8n declares them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// `multipleValues`: true makes the value a list; false and absent differ in n8n's checks.
    #[serde(rename = "m", skip_serializing_if = "is_default")]
    pub multiple: Option<bool>,
    /// The least number.
    #[serde(rename = "l", skip_serializing_if = "is_default")]
    pub least: Option<f64>,
    /// The greatest number.
    #[serde(rename = "g", skip_serializing_if = "is_default")]
    pub greatest: Option<f64>,
    /// Digits after the point; 0 means whole numbers.
    #[serde(rename = "p", skip_serializing_if = "is_default")]
    pub precision: Option<u32>,
    /// The most characters.
    #[serde(rename = "c", skip_serializing_if = "is_default")]
    pub max_length: Option<u32>,
    /// A regular expression of JavaScript that the value matches.
    #[serde(rename = "x", skip_serializing_if = "is_default")]
    pub pattern: Option<String>,
    /// The fewest entries of a group.
    #[serde(rename = "f", skip_serializing_if = "is_default")]
    pub min_fields: Option<u32>,
    /// The most entries of a group.
    #[serde(rename = "t", skip_serializing_if = "is_default")]
    pub max_fields: Option<u32>,
    /// The editor that n8n shows, which tells the language: `jsEditor`, `sqlEditor`, `htmlEditor`, …
    #[serde(rename = "e", skip_serializing_if = "is_default")]
    pub editor: Option<String>,
    /// `validateType`: what n8n checks the value to be, shown or not.
    #[serde(rename = "v", skip_serializing_if = "is_default")]
    pub validate_type: Option<String>,
    /// `requiresDataPath`: `single` or `multiple` names of fields.
    #[serde(rename = "d", skip_serializing_if = "is_default")]
    pub data_path: Option<String>,
    /// The mode of a `resourceMapper`: add, update, upsert, map.
    #[serde(rename = "r", skip_serializing_if = "is_default")]
    pub mapper_mode: Option<String>,
    /// The version of a `filter` value, by the node's version: (from this node version on, this one), descending.
    #[serde(rename = "w", skip_serializing_if = "is_default")]
    pub filter_version: Vec<(f64, u32)>,
    /// What a `credentialsSelect` offers, in n8n's notation (`extends:oAuth2Api`, `has:genericAuth`).
    #[serde(rename = "k", skip_serializing_if = "is_default")]
    pub credential_types: Vec<String>,
}

/// One way to name a thing, of a `resourceLocator`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Such as `list`, `id`, `url`.
    #[serde(rename = "n")]
    pub name: String,
    /// Whether people choose from a list that the service gives.
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
    /// Whether it must be there while it shows.
    #[serde(skip_serializing_if = "is_default")]
    pub required: bool,
    /// What n8n calls it in messages, where that is not its type.
    #[serde(skip_serializing_if = "is_default")]
    pub label: Option<String>,
    /// When it shows.
    #[serde(skip_serializing_if = "is_default")]
    pub display: Display,
}

/// An address under which a node is called. Texts that begin with `=` are n8n's expressions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhook {
    /// `default` or `setup`.
    pub name: String,
    /// A method or an expression.
    pub method: String,
    /// A path or an expression.
    pub path: String,
    /// Whether the path stands alone rather than after the node's webhook id.
    #[serde(skip_serializing_if = "is_default")]
    pub full_path: bool,
    /// Whether it only resumes an execution that waits.
    #[serde(skip_serializing_if = "is_default")]
    pub restart: bool,
    /// When n8n answers; may be an expression.
    #[serde(skip_serializing_if = "is_default")]
    pub response_mode: String,
    /// `form` or `mcp` for addresses of their own kind.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: Option<String>,
}

/// A credential type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialType<R = Shared> {
    /// Such as `slackOAuth2Api`.
    pub name: String,
    /// As people see it.
    pub display_name: String,
    /// The types whose properties it has too.
    #[serde(skip_serializing_if = "is_default")]
    pub extends: Vec<String>,
    /// Scopes that n8n asks for when nothing else is set, in its own order. Empty where the type declares none.
    #[serde(skip_serializing_if = "is_default")]
    pub scopes: Vec<String>,
    /// Whether n8n can test it by a request of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub testable: bool,
    /// Whether n8n puts it into requests by itself, so that the HTTP Request node can use it.
    #[serde(skip_serializing_if = "is_default")]
    pub authenticates: bool,
    /// Whether it is one of the generic ones of the HTTP Request node.
    #[serde(skip_serializing_if = "is_default")]
    pub generic: bool,
    /// Whether only the nodes of `supported_nodes` may use it.
    #[serde(skip_serializing_if = "is_default")]
    pub restricted: bool,
    /// The node types that name it, where use is restricted to them.
    #[serde(skip_serializing_if = "is_default")]
    pub supported_nodes: Vec<String>,
    /// What it holds.
    pub properties: Vec<R>,
}

impl Options {
    /// Whether a value is offered, or could be.
    pub fn allows(&self, value: &Value) -> bool {
        self.open || self.values.iter().any(|offered| super::js::strict_equal(offered, value))
    }
}

impl NodeType {
    /// The description of a version that is listed.
    pub fn version(&self, version: f64) -> Option<&NodeVersion> {
        self.variants.iter().find(|variant| variant.versions.contains(&version))
    }

    /// The description that n8n takes for a node that names this version, or none. `None`: n8n has no such version.
    pub fn serving(&self, version: Option<f64>) -> Option<&NodeVersion> {
        let wanted = version.unwrap_or(self.default_version);
        self.version(wanted).or_else(|| if self.versioned { None } else { self.variants.first() })
    }

    /// Every version, ascending.
    pub fn versions(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.variants.iter().flat_map(|variant| variant.versions.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }

    /// The description of the default version.
    pub fn latest(&self) -> Option<&NodeVersion> {
        self.serving(None)
    }
}

impl NodeVersion {
    /// Whether n8n counts it as a start of a workflow when it publishes: a trigger, or anything that is called or polls.
    pub fn starts(&self) -> bool {
        self.trigger || self.polling || !self.webhooks.is_empty()
    }
}
