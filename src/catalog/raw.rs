//! n8n's description files as they are published: `dist/types/nodes.json` and `dist/types/credentials.json`. Only the fields that the
//! catalogue uses are read; everything else, prose above all, is skipped.
#![allow(missing_docs)] // The field names are n8n's own.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::display::{Match, Rule};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawNode {
    pub name: String,
    #[serde(default)]
    pub display_name: String,
    #[serde(default)]
    pub group: Vec<String>,
    pub version: OneOrMany<f64>,
    pub default_version: Option<f64>,
    #[serde(default)]
    pub inputs: RawPorts,
    #[serde(default)]
    pub outputs: RawPorts,
    #[serde(default)]
    pub input_names: Vec<String>,
    #[serde(default)]
    pub output_names: Value,
    #[serde(default)]
    pub required_inputs: Value,
    #[serde(default)]
    pub properties: Vec<RawParameter>,
    #[serde(default)]
    pub credentials: Vec<RawCredentialUse>,
    #[serde(default)]
    pub webhooks: Vec<RawWebhook>,
    #[serde(default)]
    pub polling: bool,
    #[serde(default)]
    pub hidden: bool,
    #[serde(default)]
    pub usable_as_tool: Value,
    pub max_nodes: Option<u32>,
    #[serde(default)]
    pub codex: RawCodex,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawCodex {
    #[serde(default)]
    pub alias: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    // Must be first, since a single match may be any value, including a list.
    Many(Vec<T>),
    One(T),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum RawPorts {
    Code(String),
    List(Vec<RawPort>),
}

impl Default for RawPorts {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum RawPort {
    Kind(String),
    #[serde(rename_all = "camelCase")]
    Full {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        required: bool,
        max_connections: Option<u32>,
        #[serde(default)]
        display_name: String,
        #[serde(default)]
        filter: RawFilter,
    },
}

#[derive(Debug, Default, Deserialize)]
pub struct RawFilter {
    #[serde(default)]
    pub nodes: Vec<String>,
}

/// A parameter, an option or a group: n8n keeps all three in `options`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawParameter {
    pub name: Value,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub default: Value,
    pub required: Value,
    pub no_data_expression: Value,
    pub display_options: RawDisplay,
    pub options: Vec<RawParameter>,
    pub values: Vec<RawParameter>,
    pub value: Value,
    pub type_options: Map<String, Value>,
    pub modes: Vec<RawMode>,
    pub validate_type: Option<String>,
    pub requires_data_path: Option<String>,
    pub allow_arbitrary_values: bool,
    pub credential_types: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawDisplay {
    #[serde(default)]
    pub show: Ordered,
    #[serde(default)]
    pub hide: Ordered,
}

/// Conditions in their written order, which n8n's evaluation depends on.
#[derive(Debug, Default)]
pub struct Ordered(pub Vec<Rule>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rules;
        impl<'de> Visitor<'de> for Rules {
            type Value = Ordered;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("conditions by parameter")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut rules = Vec::new();
                while let Some((key, any)) = map.next_entry::<String, Option<OneOrMany<Match>>>()? {
                    match any {
                        None => {}
                        Some(OneOrMany::One(one)) => rules.push(Rule(key, vec![one])),
                        Some(OneOrMany::Many(many)) => rules.push(Rule(key, many)),
                    }
                }
                Ok(Ordered(rules))
            }
        }
        deserializer.deserialize_map(Rules)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawMode {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub validation: Vec<RawValidation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawValidation {
    #[serde(rename = "type")]
    pub kind: String,
    pub properties: RawPattern,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawPattern {
    pub regex: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawCredentialUse {
    pub name: String,
    pub required: bool,
    pub display_name: Option<String>,
    pub display_options: RawDisplay,
    pub tested_by: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawWebhook {
    pub name: String,
    pub http_method: String,
    pub path: String,
    pub is_full_path: bool,
    pub restart_webhook: bool,
    pub response_mode: String,
    pub node_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawCredential {
    pub name: String,
    pub display_name: String,
    pub extends: Vec<String>,
    pub properties: Vec<RawParameter>,
    pub authenticate: Value,
    pub test: Value,
    pub generic_auth: bool,
    pub restrict_to_supported_nodes: bool,
    pub supported_nodes: Vec<String>,
}

/// Returns the versions of a node type and the class that implements each, from its source: `2.1: new agent_1.AgentV2(base)`.
pub fn implementations(source: &str) -> Vec<(f64, String)> {
    let one = |(before, after): (&str, &str)| {
        let version = before.trim_end().strip_suffix(':')?.trim_end_matches(']');
        let version = &version[version.rfind(|letter: char| !letter.is_ascii_digit() && letter != '.').map_or(0, |at| at + 1)..];
        Some((version.parse().ok()?, after.split('(').next()?.trim().to_owned()))
    };
    let pieces: Vec<&str> = source.split("new ").collect();
    pieces.windows(2).filter_map(|pair| one((pair[0], pair[1]))).collect()
}
