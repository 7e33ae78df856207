//! One attempt of a reconciliation to bring a version to n8n.

use crate::api::workflow_status::Operation;
use crate::controller::connections::Connection;
use crate::document::definition::Definition;

/// One version on its way to n8n.
pub(super) struct Attempt<'a> {
    pub(super) connection: &'a Connection,
    /// Whether an earlier attempt at it was found to have left the workflow offline.
    pub(super) left_offline: bool,
    /// Whether a pin asks for the version.
    pub(super) pinned: bool,
    pub(super) version: i64,
    pub(super) digest: &'a str,
    pub(super) definition: &'a Definition,
    pub(super) operation: Operation,
}
