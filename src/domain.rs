//! Pure decisions on facts: no IO, no clock, no logging. Every result depends on the arguments only.
//!
//! [`validation`] decides whether a definition may be sent to n8n. [`render`] replaces credentials and workflow references by symbols, and
//! symbols by the ids of one instance. [`plan`] compares the result with what n8n holds ([`remote`], [`confirmed`]). [`history`] numbers
//! versions, [`target`] chooses the version to publish, [`identity`] decides which workflow in n8n belongs to an object, [`conditions`]
//! turns the outcome of a reconciliation into conditions, [`summary`] turns those into one line for tables, and [`transitions`] selects the
//! changes that become events. [`access`], [`reach`] and [`ungranted_access`] restrict a namespace to its grants, and [`quota`] to its
//! limits.

pub mod access;
pub mod admission;
pub mod annotations;
pub mod api_key;
pub mod backoff;
pub mod caller_policy;
pub mod certificates;
pub mod conditions;
pub mod confirmed;
pub mod crd_difference;
pub mod credential;
pub mod credential_limits;
pub mod credential_ref;
pub mod drift;
pub mod error;
pub mod executed_version;
pub mod failure;
pub mod health;
pub mod history;
pub mod identity;
pub mod lenient_decode;
pub mod mark;
pub mod merge_patch;
pub mod plan;
pub mod policies;
pub mod policy_status;
pub mod probe_answer;
pub mod prompt;
pub mod quota;
pub mod reach;
pub mod recovery;
pub mod reference_cycle;
pub mod remote;
pub mod render;
pub mod route_claims;
pub mod settings;
pub mod status;
pub mod status_bounds;
pub mod status_record;
pub mod stored_body;
pub mod summary;
pub mod sweep;
pub mod target;
pub mod transitions;
pub mod ungranted_access;
pub mod urgency;
pub mod validation;
