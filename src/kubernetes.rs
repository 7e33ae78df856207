//! Access to the cluster: objects, Secrets, stored versions, catalogues, events and the index of Workflows. It decides nothing, so that
//! controllers, webhooks and subcommands can share it.

mod absent;
pub mod catalogs;
pub mod decoded;
pub mod events;
pub mod hash_key;
pub mod indexed_credential;
pub mod indexed_metadata;
pub mod indexed_policy;
pub mod indexed_prompt;
pub mod indexed_provider;
pub mod indexed_quota;
mod indexed_status;
pub mod indexed_template;
pub mod keyed_mutex;
pub mod made_workflows;
mod merged;
pub mod objects;
pub mod present;
pub mod prompt_records;
pub mod revisions;
pub mod scope;
pub mod secrets;
pub mod served_schemas;
pub mod stores;
pub mod undecodable;
pub mod watched;
pub mod watches;
pub mod workflow_index;
