//! Default rank of a code, and the harm that it stands for.

use super::code::Code;

/// Harm that a finding probably does, the worst first. Output for people is in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// A secret leaks, or the workflow silently does something other than what is written.
    Behaviour,
    /// Part of the workflow is not used, or may fail when it runs.
    Use,
    /// Something is open to everybody, which may be intended.
    Open,
    /// Something that was written is left out on the way to n8n.
    LeftOut,
    /// Something that was not written is filled in.
    FilledIn,
    /// The workflow does what is written; it could be built with more care.
    Habit,
}

impl Code {
    /// Returns the harm that this code stands for.
    pub const fn harm(self) -> Harm {
        match self {
            Code::HttpWithoutTimeout | Code::ErrorsUnhandled => Harm::Habit,
            Code::PinnedDataDropped
            | Code::DeclaredActiveIgnored
            | Code::DeclaredTagsIgnored
            | Code::DocumentWrapped
            | Code::TopLevelUnknown
            | Code::NodeKeyUnknown
            | Code::SettingUnknown => Harm::LeftOut,
            Code::NodePositionMissing | Code::NodeParametersMissing | Code::WebhookIdMissing => Harm::FilledIn,
            Code::NodeTypeVersionMissing
            | Code::NodeTypeUncovered
            | Code::NodeTypeRestricted
            | Code::NodeUnconnected
            | Code::TriggerDisconnected
            | Code::RespondNodeUnused
            | Code::ScriptUnread
            | Code::DefinitionNotFound
            | Code::WorkflowNotFound
            | Code::SourceUnrendered
            | Code::MappingUnused => Harm::Use,
            Code::WebhookOpen => Harm::Open,
            _ => Harm::Behaviour,
        }
    }

    /// Reports whether the code is advice: unless it is an error, it is reported as information, which never counts as a warning.
    pub const fn is_advice(self) -> bool {
        matches!(self.harm(), Harm::Habit)
    }

    /// Reports whether the rest of a document is not checked after this finding. Such a finding cannot be switched off: the document would
    /// pass as valid.
    pub const fn ends_checking(self) -> bool {
        matches!(
            self,
            Code::DocumentEmpty
                | Code::DocumentTooLarge
                | Code::DocumentSyntax
                | Code::DocumentTruncated
                | Code::DocumentFenced
                | Code::DocumentSeveral
                | Code::DocumentTrailing
                | Code::DocumentKind
                | Code::FileUnreadable
                | Code::FindingsTooMany
                | Code::NodesMissing
                | Code::NodesInvalid
                | Code::NodesTooMany
        )
    }
}
