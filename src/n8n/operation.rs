//! Operations of the client: a small fixed set, so that metrics stay small and errors can name the operation.

use std::fmt;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $phrase:literal, $writes:literal;)*) => {
        /// An operation of n8n's API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// All operations, for tests and dashboards.
            pub const ALL: &'static [Operation] = &[$(Self::$name,)*];

            /// Returns the value of the metric label `operation`.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Reports whether the operation can change something in n8n.
            pub fn writes(self) -> bool {
                match self { $(Self::$name => $writes,)* }
            }
        }

        impl fmt::Display for Operation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $phrase,)* })
            }
        }
    };
}

operations! {
    /// `GET /healthz/readiness`.
    Readiness = "readiness", "check readiness", false;
    /// `GET /`, else `GET /metrics`.
    Version = "version", "find the version", false;
    /// `GET /api/v1/discover`.
    Discover = "discover", "discover scopes", false;
    /// `GET /api/v1/workflows/{id}`.
    GetWorkflow = "get_workflow", "get workflow", false;
    /// `POST /api/v1/workflows`.
    CreateWorkflow = "create_workflow", "create workflow", true;
    /// `PUT /api/v1/workflows/{id}`.
    UpdateWorkflow = "update_workflow", "update workflow", true;
    /// `POST /api/v1/workflows/{id}/publish`.
    Publish = "publish", "publish workflow", true;
    /// `POST /api/v1/workflows/{id}/unpublish`.
    Unpublish = "unpublish", "unpublish workflow", true;
    /// `POST /api/v1/workflows/{id}/archive`.
    Archive = "archive", "archive workflow", true;
    /// `POST /api/v1/workflows/{id}/unarchive`.
    Unarchive = "unarchive", "unarchive workflow", true;
    /// `PUT /api/v1/workflows/{id}/transfer`.
    TransferWorkflow = "transfer_workflow", "move workflow to another project", true;
    /// `DELETE /api/v1/workflows/{id}`.
    DeleteWorkflow = "delete_workflow", "delete workflow", true;
    /// `GET /api/v1/workflows`.
    ListWorkflows = "list_workflows", "list workflows", false;
    /// `GET /api/v1/workflows/{id}/versions/{versionId}`.
    GetVersion = "get_version", "get workflow version", false;
    /// `GET /api/v1/tags`.
    ListTags = "list_tags", "list tags", false;
    /// `POST /api/v1/tags`.
    CreateTag = "create_tag", "create tag", true;
    /// `PUT /api/v1/workflows/{id}/tags`.
    SetTags = "set_tags", "set tags", true;
    /// `GET /api/v1/credentials`.
    ListCredentials = "list_credentials", "list credentials", false;
    /// `GET /api/v1/credentials/schema/{type}`.
    CredentialSchema = "credential_schema", "get the schema of a credential type", false;
    /// `POST /api/v1/credentials`.
    CreateCredential = "create_credential", "create credential", true;
    /// `GET /api/v1/credentials/{id}`.
    GetCredential = "get_credential", "get credential", false;
    /// `POST /api/v1/credentials/{id}/test`.
    TestCredential = "test_credential", "test credential", false;
    /// `PUT /api/v1/credentials/{id}/transfer`.
    TransferCredential = "transfer_credential", "move credential to another project", true;
    /// `PATCH /api/v1/credentials/{id}`.
    UpdateCredential = "update_credential", "update credential", true;
    /// `DELETE /api/v1/credentials/{id}`.
    DeleteCredential = "delete_credential", "delete credential", true;
    /// `GET /api/v1/executions`.
    ListExecutions = "list_executions", "list executions", false;
    /// `GET /api/v1/executions/{id}`.
    GetExecution = "get_execution", "get execution", false;
    /// A call of a production webhook with a method that it does not use.
    CheckWebhook = "check_webhook", "check webhook", false;
    /// `GET /form/{path}`.
    CheckForm = "check_form", "check form", false;
    /// A call of a production webhook that runs the workflow.
    Probe = "probe", "probe webhook", true;
}
impl Operation {
    /// Returns the scope that an API key needs for the operation; None if no key is sent. Source: the public API's routes of n8n 2.39.10.
    pub fn scope(self) -> Option<&'static str> {
        Some(match self {
            Self::Readiness | Self::Version | Self::Discover | Self::CheckWebhook | Self::CheckForm | Self::Probe => return None,
            Self::GetWorkflow | Self::GetVersion => "workflow:read",
            Self::CreateWorkflow => "workflow:create",
            Self::UpdateWorkflow | Self::Unarchive => "workflow:update",
            Self::Publish => "workflow:activate",
            Self::Unpublish => "workflow:deactivate",
            Self::TransferWorkflow => "workflow:move",
            Self::Archive | Self::DeleteWorkflow => "workflow:delete",
            Self::ListWorkflows => "workflow:list",
            Self::ListTags => "tag:list",
            Self::CreateTag => "tag:create",
            Self::SetTags => "workflowTags:update",
            Self::ListCredentials => "credential:list",
            Self::CreateCredential | Self::CredentialSchema => "credential:create",
            Self::UpdateCredential => "credential:update",
            Self::GetCredential | Self::TestCredential => "credential:read",
            Self::TransferCredential => "credential:move",
            Self::DeleteCredential => "credential:delete",
            Self::ListExecutions => "execution:list",
            Self::GetExecution => "execution:read",
        })
    }
}
