//! Kinds of things that a node can reach past its own definition.

use serde::{Deserialize, Serialize};

/// Something that a node can reach past its own definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// It runs other workflows.
    Workflows,
    /// It calls n8n's agents.
    Agents,
    /// It reads or writes data tables.
    DataTables,
    /// It keeps data in n8n's memory under a key that any workflow may name.
    Memory,
    /// It reads or writes files of the host on which n8n runs.
    Files,
    /// It runs code inside n8n's own process, or commands on its host.
    Code,
    /// Its source does something that nobody has reviewed.
    Unreviewed,
    /// Something that a newer Weirkeeper wrote into the catalogue.
    #[serde(other)]
    Other,
}

impl Capability {
    /// In words, after "it can reach".
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
