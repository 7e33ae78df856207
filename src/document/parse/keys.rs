//! Keys that n8n accepts.
//!
//! Source: the schemas of the public API in n8n 2.39.10 (`@n8n/api-types`, base-workflow-public.dto.js), which are strict: one unknown key
//! and the whole document is refused.

/// Top-level keys that n8n writes into an export or a response and that say nothing about the workflow itself. They are silently ignored,
/// so that an export can be used unchanged.
pub(super) const IGNORED_TOP_LEVEL: &[&str] = &[
    "activeVersion",
    "activeVersionId",
    "checksum",
    "createdAt",
    "description",
    "hash",
    "homeProject",
    "id",
    "isArchived",
    "meta",
    "ownedBy",
    "parentFolder",
    "parentFolderId",
    "scopes",
    "shared",
    "sharedWith",
    "sharedWithProjects",
    "sourceWorkflowId",
    "staticData",
    "triggerCount",
    "updatedAt",
    "usedCredentials",
    "versionCounter",
    "versionId",
];

/// Top-level keys that are read.
pub(super) const READ_TOP_LEVEL: &[&str] = &["active", "connections", "name", "nodeGroups", "nodes", "pinData", "settings", "tags"];

/// Keys of a node that n8n accepts.
pub(super) const NODE: &[&str] = &[
    "alwaysOutputData",
    "continueOnFail",
    "credentials",
    "customTelemetryTags",
    "disabled",
    "executeOnce",
    "id",
    "maxTries",
    "name",
    "notes",
    "notesInFlow",
    "onError",
    "parameters",
    "position",
    "retryOnFail",
    "type",
    "typeVersion",
    "waitBetweenTries",
    "webhookId",
];

/// Keys of a node that n8n has in its schema but refuses as read-only.
pub(super) const NODE_IGNORED: &[&str] = &["createdAt", "updatedAt"];

/// Keys of a node group that n8n accepts.
pub(super) const NODE_GROUP: &[&str] = &["description", "id", "name", "nodeIds"];

/// Settings that n8n accepts and keeps.
pub(super) const SETTINGS: &[&str] = &[
    "availableInMCP",
    "callerIds",
    "callerPolicy",
    "customTelemetryTags",
    "errorWorkflow",
    "executionOrder",
    "executionTimeout",
    "saveDataErrorExecution",
    "saveDataSuccessExecution",
    "saveExecutionProgress",
    "saveManualExecutions",
    "timeSavedMode",
    "timeSavedPerExecution",
    "timezone",
];

/// Settings that n8n itself writes into an export and that a workflow created through its API cannot have: n8n silently drops them,
/// requires a licence for them, or (`engineType`) has them in no schema of the API.
pub(super) const SETTINGS_IGNORED: &[&str] = &["binaryMode", "credentialResolverId", "engineType", "redactionPolicy"];

/// Settings for which the editor stores `DEFAULT` in place of no value.
pub(super) const SETTINGS_WITH_DEFAULT: &[&str] =
    &["errorWorkflow", "saveDataErrorExecution", "saveDataSuccessExecution", "saveExecutionProgress", "saveManualExecutions", "timezone"];
