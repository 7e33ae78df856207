//! Confirmation of workflows by a listing of their instance: what the listing shows of each, compared with what a reconciliation saw last, or
//! with what the status of the object says after a restart.
//!
//! Everything that a reconciliation compares is in a listing of n8n 2.39.10 (measured, call by call): nodes, connections and groups as
//! `versionId` and `activeVersionId`, which n8n never gives to other content; name, settings, tags, project, publication and archiving as
//! they are. `updatedAt` changes with any other write, and not with executions.

mod recorded;
mod shown;

pub use recorded::{Asked, ConfirmedState, Recorded};
pub use shown::{Fingerprint, Shown, fingerprint, hash};

#[cfg(test)]
mod tests;
