//! Kinds of capabilities that a node can have outside its own definition.

use serde::{Deserialize, Serialize};

/// A capability that a node can have outside its own definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// Runs other workflows.
    Workflows,
    /// Calls n8n's agents.
    Agents,
    /// Reads or writes data tables.
    DataTables,
    /// Keeps data in n8n's memory under a key that any workflow may name.
    Memory,
    /// Reads or writes files of the host on which n8n runs.
    Files,
    /// Runs code inside n8n's own process, or commands on its host.
    Code,
    /// Has sources that are not reviewed.
    Unreviewed,
    /// A capability that a newer Weirkeeper wrote into the catalogue.
    #[serde(other)]
    Other,
}

impl Capability {
    /// Describes the capability, to follow "it can reach".
    pub fn words(self) -> &'static str {
        match self {
            Self::Workflows => "other workflows",
            Self::Agents => "agents",
            Self::DataTables => "data tables",
            Self::Memory => "memory that all workflows share",
            Self::Files => "files of n8n's host",
            Self::Code => "n8n's own process",
            Self::Unreviewed | Self::Other => "something that is not reviewed",
        }
    }
}
