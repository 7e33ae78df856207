//! A credential that a workflow requires, as a status shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum number of nodes that are named.
const MOST_NODES: usize = 16;

/// A credential that the definition uses or that one of its nodes requires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredCredential {
    /// Type of the credential, such as `slackApi`.
    #[serde(rename = "type")]
    #[schemars(length(max = 128))]
    pub kind: String,
    /// Name of the credential in the definition. Absent if a node requires the credential without naming one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub name: String,
    /// Names of the first nodes that use or require the credential, in the order of the definition.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    pub nodes: Vec<String>,
    /// State of the credential: `Satisfied`, `Missing` (it is not mapped, does not exist or is not in n8n yet), `Invalid` (its type or
    /// instance is another one, its values are wrong, or its test in n8n fails) or `NeedsAuthorization` (a person has to authorise it in
    /// n8n).
    #[serde(default)]
    pub state: CredentialState,
    /// Name of the N8nCredential that it is mapped to. Absent for an existing credential of the n8n instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub credential_ref: Option<String>,
    /// Operation that fails without the credential, according to the catalogue: `Publication` (n8n does not publish the workflow) or `Run`
    /// (n8n publishes the workflow, and the node fails when executed). Absent if the catalogue has no information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_for: Option<NeededFor>,
    /// OAuth scopes that n8n requests for this type by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub scopes: Vec<String>,
}

impl RequiredCredential {
    /// Adds the name of a node that uses or requires the credential.
    pub fn add_node(&mut self, node: &str) {
        if self.nodes.len() < MOST_NODES && !self.nodes.iter().any(|known| known == node) {
            self.nodes.push(node.to_owned());
        }
    }
}

/// State of a required credential: `Satisfied`, `Missing` (it is not mapped, does not exist or is not in n8n yet), `Invalid` (its type or
/// instance is another one, its values are wrong, or its test in n8n fails) or `NeedsAuthorization` (a person has to authorise it in n8n).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialState {
    /// It is mapped to exactly one credential of the n8n instance.
    Satisfied,
    /// It is not mapped, does not exist, or is not in n8n yet.
    #[default]
    Missing,
    /// Its type or instance is another one, its values are wrong, or its test in n8n fails.
    Invalid,
    /// A person has to authorise it in n8n.
    NeedsAuthorization,
}

/// Operation that fails without the credential: `Publication` (n8n does not publish the workflow) or `Run` (n8n publishes the workflow, and
/// the node fails when executed). Absent if the catalogue has no information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NeededFor {
    /// n8n does not publish the workflow.
    Publication,
    /// A parameter of the node selects this type: n8n publishes the workflow, and the node fails when executed.
    Run,
}
